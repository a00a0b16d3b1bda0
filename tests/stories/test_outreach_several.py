"""Outreaches of one person with several records, and of several groups that record what people do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.sync.verdicts import merge_contacts
from tests.stories.test_outreach import ABLE, RULES, TAG, acts
from tests.stories.world import World
from tests.twin import MAPPING

EMAIL, OTHER = "ann@example.org", "ann@example.net"


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """Outreaches are recorded on b and on c."""
    made = new_world("a")
    for name in ("b", "c"):
        made.join(name, mapping=MAPPING + RULES, capabilities=ABLE)
    return made


def test_one_in_doubt_at_one_group_does_not_hold_up_another_group(world: World) -> None:
    """Not even for as long as nobody decides what became of it: what one group lists is not on the other's."""
    ann = world.a.add(first="Ann", email=EMAIL)
    world.settle()
    world.b.fail("lost", on="act")
    world.c.fail("later", on="find")
    world.a.tag(ann, TAG)
    world.sync()
    world.b.sees_all = False
    world.now += 7200
    world.settle()
    assert [(each.connection, each.state) for each in acts(world)] == [("b", "held"), ("c", "sent")]
    assert len(world.c.actions) == 1


def test_two_contacts_made_one_while_an_answer_is_out_record_it_once(world: World) -> None:
    """It was sent for the one record; the person has another there by now, and is looked for at both."""
    world.b.add(first="Ann", email=OTHER)
    ann = world.a.add(first="Ann", email=EMAIL)
    world.settle()
    world.b.fail("lost", on="act")
    world.a.tag(ann, TAG)
    world.sync()
    contacts = {contact.get("email"): contact.id for contact in world.contacts()}
    with world.store.transaction() as tx:
        merge_contacts(tx, world.roster, contacts[EMAIL], contacts[OTHER])
    world.now += 7200
    world.settle()
    assert len(world.b.actions) == 1
    assert {each.state for each in acts(world)} == {"sent"}


def test_what_is_in_doubt_of_one_contact_is_not_taken_for_that_of_the_other(world: World) -> None:
    """Two contacts become one while one's call may have been recorded; the other's yes goes to the same campaign."""
    world.b.add(first="Ann", email=OTHER)
    ann = world.a.add(first="Ann", email=EMAIL)
    world.settle()
    world.b.fail("lost", on="act")
    world.a.edit(ann, custom={"shoe": "42"})
    world.sync()
    contacts = {contact.get("email"): contact.id for contact in world.contacts()}
    with world.store.transaction() as tx:
        merge_contacts(tx, world.roster, contacts[EMAIL], contacts[OTHER])
    (b,) = world.b.find(email=OTHER)
    world.b.opt_in(b, "email")
    world.sync()
    world.now += 7200
    world.settle()
    assert [action.words for action in world.b.actions] == [{"duration": "2 minutes"}, {}]


def test_two_in_doubt_of_contacts_made_one_do_not_wait_for_each_other(world: World) -> None:
    other = world.b.add(first="Ann", email=OTHER)
    ann = world.a.add(first="Ann", email=EMAIL)
    world.settle()
    world.b.fail("lost", on="act", times=2)
    world.a.edit(ann, custom={"shoe": "42"})
    world.sync()
    world.b.opt_in(other, "email")
    world.sync()
    assert [each.state for each in acts(world) if each.connection == "b"] == ["sending", "sending"]
    contacts = {contact.get("email"): contact.id for contact in world.contacts()}
    with world.store.transaction() as tx:
        merge_contacts(tx, world.roster, contacts[EMAIL], contacts[OTHER])
    world.now += 7200
    world.settle()
    world.settle()
    assert [each.state for each in acts(world) if each.connection == "b"] == ["sent", "sent"]
    assert len(world.b.actions) == 2
