"""A person decides while a run is under way: what is on its way to a platform neither undoes it nor is undone by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daemon.sync.verdicts import Picked, decide, merge_contacts, unmerge
from state.store import Tx
from tests.stories.test_outreach import ABLE, RULES, TAG
from tests.stories.world import BOTH, World
from tests.twin import MAPPING

ENGINES = BOTH
ANN: dict[str, Any] = {"phone": "+12025550101", "first": "Ann", "last": "Smith", "city": "Rome"}
ANNA: dict[str, Any] = {"phone": "+12025550102", "first": "Anna", "last": "Smith", "city": "Rome"}


def meanwhile(world: World, act: Callable[[Tx], object], *, at: str = "b", call: str = "push") -> list[str]:
    """Once, while this call to a platform is under way, somebody does this. Returns when, to be looked at."""
    done: list[str] = []

    def once(verb: str) -> None:
        if verb == call and not done:
            done.append(verb)
            with world.beside() as tx:
                act(tx)

    world.twins[at].before_call = once
    return done


def cities(world: World) -> set[str | None]:
    return {row["city"] for twin in world.twins.values() for row in twin.rows.values()}


def test_two_contacts_become_one_while_an_edit_is_on_its_way(world: World) -> None:
    ann = world.a.add(**ANN)
    world.a.add(**ANNA)
    world.settle()
    world.a.edit(ann, city="Oslo")
    done = meanwhile(world, lambda tx: merge_contacts(tx, world.roster, 1, 2))
    world.settle()
    assert done
    assert [contact.id for contact in world.contacts()] == [1]
    assert cities(world) == {"Oslo"}
    assert (len(world.a.rows), len(world.b.rows)) == (2, 2)


def test_two_contacts_become_one_while_one_of_them_is_being_made(world: World) -> None:
    """Each is made there once: what is on its way arrives, and belongs to the one they are now."""
    world.b.add(**ANNA)
    world.settle()
    world.a.add(**ANN)
    done = meanwhile(world, lambda tx: merge_contacts(tx, world.roster, *(each.id for each in tx.contacts.all())))
    world.settle()
    assert done
    (one,) = world.contacts()
    assert one.id == 1
    assert (len(world.a.rows), len(world.b.rows)) == (2, 2)
    with world.store.look() as tx:
        links = tx.links.of_contacts([1])[1]
    assert sorted((link.connection, link.state) for link in links) == [("a", "linked")] * 2 + [("b", "linked")] * 2
    world.a.edit("1", city="Oslo")
    world.settle()
    assert cities(world) == {"Oslo"}


def test_a_merge_is_undone_while_an_edit_is_on_its_way(world: World) -> None:
    ann = world.a.add(**ANN)
    world.a.add(**ANNA)
    world.settle()
    with world.beside() as tx:
        merge_contacts(tx, world.roster, 1, 2)
    world.settle()
    world.a.edit(ann, city="Oslo")
    done = meanwhile(world, lambda tx: unmerge(tx, world.roster, 2))
    world.settle()
    assert done
    assert [contact.id for contact in world.contacts()] == [1, 2]
    assert world.contact(given_name="Ann").get("city") == "Oslo"
    assert [row["city"] for row in world.b.rows.values() if row["first"] == "Ann"] == ["Oslo"]


def test_a_no_reaches_whoever_a_record_is_decided_to_be_meanwhile(new_world: Callable[..., World]) -> None:
    """The opt-out is on its way to one platform while a person says whose the held record at another is."""
    world = new_world("a", "b", "c")
    ann = world.a.add(**ANN, sms=True)
    world.settle()
    held = world.c.add(phone=ANN["phone"], first="Zoe", last="Jones", sms=True)
    world.settle()
    (hold,) = world.holds("match")
    world.a.opt_out(ann)
    done = meanwhile(world, lambda tx: decide(tx, world.roster, hold, Picked("same", "c1")))
    world.settle()
    assert done
    assert world.holds("match") == []
    assert all(world.twins[name].says_no(record) for name in "abc" for record in world.twins[name].rows)
    assert world.c.says_no(held)


@pytest.mark.parametrize("answer", ["refused", "later", "lost"])
def test_what_was_dropped_meanwhile_is_not_owed_again(world: World, answer: str) -> None:
    ann = world.a.add(**ANN)
    world.settle()
    world.a.edit(ann, city="Oslo")
    done = meanwhile(world, lambda tx: tx.outbox.drop([push.id or 0 for push in tx.outbox.listed()]))
    if answer == "refused":
        world.b.refuse = lambda _: "no"
    else:
        world.b.fail(answer, on="push")
    world.sync()
    world.b.refuse = lambda _: None
    assert done
    assert world.outbox() == []
    world.now += 86400
    world.settle()
    assert {row["city"] for row in world.b.rows.values()} == {"Oslo" if answer == "lost" else "Rome"}


@pytest.mark.parametrize(("call", "answer"), [("act", "later"), ("act", "taken"), ("find", "not all is seen")])
def test_an_outreach_that_was_dropped_meanwhile_stays_dropped(
    new_world: Callable[..., World], call: str, answer: str
) -> None:
    """Unless it arrived: then it is sent, and known to be."""
    world = new_world("a")
    world.join("b", mapping=MAPPING + RULES, capabilities=ABLE)
    ann = world.a.add(**ANN)
    world.settle()
    world.a.tag(ann, TAG)
    if answer == "later":
        world.b.fail("later", on="act")
    world.b.sees_all = answer != "not all is seen"
    done = meanwhile(world, drop_outreaches, call=call)
    world.sync()
    world.b.sees_all = True
    world.now += 86400
    world.settle()
    assert done
    assert world.holds() == []
    with world.store.look() as tx:
        (act,) = tx.outreaches.of_contacts([1])
    assert act.state == ("sent" if answer == "taken" else "dropped")
    assert len(world.b.actions) == (act.state == "sent")


def drop_outreaches(tx: Tx) -> None:
    for act in tx.outreaches.listed(["owed", "sending"]):
        act.state = "dropped"
        tx.outreaches.put([act])
