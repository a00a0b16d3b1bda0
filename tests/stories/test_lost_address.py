"""A platform keeps a status with the address. When the address goes, the word goes with it: nobody took it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.platforms.base import Wire
from tests.stories.several_world import SeveralWorld
from tests.stories.world import World

PHONE, EMAIL = "+12025550101", "ann@example.org"
ANN = {"phone": PHONE, "email": EMAIL, "first": "Ann", "last": "Smith"}
NO = "unsubscribed"


def statuses_with_addresses(wire: Wire) -> Wire:
    said = {"sms": wire["phone"] and wire["opt_in"]["sms"], "email": wire["email"] and wire["opt_in"]["email"]}
    return {**wire, "opt_in": said}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """b knows no status without an address."""
    world = World(tmp_path, "a", "b", b={"tidy": statuses_with_addresses, "evidence": False})
    yield world
    world.store.close()


@pytest.mark.parametrize(("channel", "kind"), [("email", "email"), ("sms", "phone")])
def test_the_no_stands_when_its_address_is_taken_away(world: World, channel: str, kind: str) -> None:
    world.a.add(**ANN, sms=True, mail=True)
    b = world.b.add(**ANN, sms=True, mail=True)
    world.settle()
    world.b.opt_out(b, channel)
    world.settle()
    world.b.edit(b, **{kind: None})
    world.settle()
    world.restart()
    world.sync(full=True)
    assert world.contact(given_name="Ann").get(f"consent.{channel}") == NO


def test_who_comes_back_with_an_address_and_a_yes_is_believed(world: World) -> None:
    world.a.add(**ANN, mail=True)
    b = world.b.add(**ANN, mail=True)
    world.settle()
    world.b.opt_out(b, "email")
    world.settle()
    world.b.edit(b, email=None)
    world.settle()
    world.b.edit(b, email=EMAIL)
    world.b.opt_in(b, "email")
    world.settle()
    assert world.contact(given_name="Ann").get("consent.email") == "subscribed"


def test_a_record_without_the_address_is_told_once(world: World) -> None:
    """It has nothing to keep our "no" with; that is no reason to tell it again with every edit."""
    a = world.a.add(**ANN, sms=True)
    b = world.b.add(email=EMAIL, first="Ann", last="Smith")
    world.b.drops = frozenset({"phone"})
    world.settle()
    world.a.opt_out(a)
    world.settle()
    world.b.edit(b, city="Rome")
    assert world.sync().books["b"].opted_out == 0


def test_action_network_forgets_a_status_with_its_email_and_we_do_not(tmp_path: Path) -> None:
    with SeveralWorld(tmp_path, {"atl": "strive", "an": "action_network"}) as world:
        group = world.model("an")
        person = group.add_person("Ann", "Smith", PHONE, EMAIL)
        group.opt_in(person, "email")
        world.settle()
        group.opt_out(person, "email")
        world.settle()
        group.edit_person(person, email_address=None)
        world.settle()
        (contact,) = world.contacts().values()
        assert contact.get("consent.email") == NO


@pytest.mark.parametrize("contact_says_no", [False, True])
def test_a_no_with_an_address_that_we_never_gave_is_their_own(world: World, contact_says_no: bool) -> None:
    """Our "no" stood on a record without an email. They gave one, and left, before we looked again."""
    a = world.a.add(phone=PHONE, first="Ann", last="Smith", mail=contact_says_no or None)
    world.settle()
    if contact_says_no:
        world.a.opt_out(a, "email")
        world.settle()
    (b,) = world.b.rows
    world.b.edit(b, email=EMAIL)
    world.b.opt_out(b, "email")
    world.settle()
    if contact_says_no:
        world.a.opt_in(a, "email")
        world.settle()
    assert world.contact(given_name="Ann").get("consent.email") == NO
