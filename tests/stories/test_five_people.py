"""Five platforms end to end: one person is one contact, whoever is new is unsubscribed, and a bounce is no "no"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.stories.five_world import COLONY_WRITES, FIVE, WRITTEN, FiveWorld, Wrote, given
from tests.system.crash import people
from tests.system.crash.people import email, phone

NewWorld = Callable[..., FiveWorld]


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[NewWorld]:
    with ExitStack() as stack:
        yield lambda more=None, **population: stack.enter_context(FiveWorld(tmp_path, more, **population))


@pytest.fixture
def world(new_world: NewWorld) -> FiveWorld:
    return new_world()


# who is who


def test_five_spellings_are_one_contact_with_five_links(world: FiveWorld) -> None:
    here = world.sandbox
    people.at_strive(here, 0, first_name="José", last_name="García-López", email="jose.garcia@example.org")
    here.telerivet.add_contact("jose garcia lopez", "(202) 555-0100", {"email": "Jose.Garcia@Example.org"})
    here.action_network.add_person("JOSE", "Garcia Lopez", "202-555-0100", "JOSE.GARCIA@EXAMPLE.ORG")
    here.colony.add_contact(first_name="JOSÉ", last_name="GARCÍA LÓPEZ", mobile_number="12025550100")
    here.carium.add_user(first_name="Jose", last_name="García-López", phone="+1 202.555.0100")
    world.settle()
    (contact,) = world.contacts()
    assert sorted(link.connection for link in world.links()[contact]) == sorted(FIVE)
    assert {platform: len(world.rows(platform)) for platform in FIVE} == dict.fromkeys(FIVE, 1)
    assert world.holds() == []
    world.quiet()


def test_two_who_were_known_by_parts_are_one_when_a_third_platform_knows_both_parts(world: FiveWorld) -> None:
    """Strive has the phone, Action Network the email; Carium has both."""
    people.at_strive(world.sandbox, 0, email=None)
    people.at_action_network(world.sandbox, 0, phone_number=None)
    people.at_carium(world.sandbox, 0)
    world.settle()
    (contact,) = world.contacts()
    assert sorted(link.connection for link in world.links()[contact]) == sorted(set(FIVE) - {"colony"})
    assert world.shown("strive", 0)["email"] == email(0)
    assert world.shown("action_network", 0)["phone_numbers"][0]["number"] == phone(0)[1:]
    world.quiet()


# who is new


def test_somebody_of_carium_alone_is_made_elsewhere_unsubscribed(world: FiveWorld) -> None:
    """0 was never asked, 1 declined, 2 has agreed to texts: nobody has agreed to emails."""
    for number in range(3):
        people.at_carium(world.sandbox, number)
    world.carium.consent(world.on("carium", 1), "declined")
    world.carium.consent(world.on("carium", 2), "accepted")
    world.sync()
    for platform in WRITTEN:
        assert [world.says_no(platform, number) for number in range(3)] == [True, True, False], platform
        assert [given(platform, world.shown(platform, number)) for number in range(3)] == ["Ada", "Bo", "Cleo"]
    assert all(world.says_no("action_network", number, "email") for number in range(3))
    assert world.rows("colony") == []
    assert world.wrote("colony") == []
    assert world.outbox() == []
    world.quiet()


def test_somebody_of_carium_alone_is_made_on_colony_after_their_opt_outs(new_world: NewWorld) -> None:
    """Where it may be written: without a yes, the opt-outs stand before the contact does."""
    world = new_world({"colony": COLONY_WRITES})
    for number in range(2):
        people.at_carium(world.sandbox, number)
    world.carium.consent(world.on("carium", 1), "accepted")
    world.settle()
    assert [world.says_no("colony", number) for number in range(2)] == [True, False]
    assert all(world.says_no("colony", number, "email") for number in range(2))
    wrote = list(enumerate(world.wrote("colony")))
    made = {each.body["mobile_number"]: at for at, each in wrote if is_made(each)}
    opted = {each.body["originator"]: at for at, each in wrote if not is_made(each)}
    assert opted.keys() == {phone(0)[1:], email(0), email(1)}
    assert max(opted[phone(0)[1:]], opted[email(0)]) < made[phone(0)[1:]]
    assert opted[email(1)] < made[phone(1)[1:]]
    world.quiet()


def is_made(wrote: Wrote) -> bool:
    return not wrote.path.startswith("/contact/optouts/")


# what cannot be delivered


def test_a_bounce_or_a_complaint_unsubscribes_nobody_elsewhere(new_world: NewWorld) -> None:
    world = new_world({"colony": COLONY_WRITES})
    world.met(0, 1, 2)
    world.action_network.bounce(world.on("action_network", 0), "email")
    world.action_network.bounce(world.on("action_network", 1), "sms")
    world.action_network.complain(world.on("action_network", 2))
    world.sync()
    states = [contact.get(f"consent.{channel}") for contact, channel in zip(known(world), BAD, strict=True)]
    assert states == ["undeliverable"] * 3
    assert world.count() == dict.fromkeys(FIVE, 0)
    assert not any(world.says_no(platform, number) for platform in ("strive", "telerivet") for number in range(3))
    assert not any(world.says_no("colony", number, "email") for number in range(3))
    world.quiet()


BAD = ("email", "sms", "email")


def known(world: FiveWorld) -> list[Any]:
    """The contacts, by phone."""
    return sorted(world.contacts().values(), key=lambda contact: str(contact.get("phone")))


def test_nobody_whose_number_is_dead_is_made_subscribed(new_world: NewWorld) -> None:
    """Not even who agreed to texts on Carium; and who bounces on one platform is no subscriber of another."""
    world = new_world({"colony": COLONY_WRITES})
    people.at_action_network(world.sandbox, 0, phone_status="bouncing", email_status="spam complaint")
    world.carium.consent(people.at_carium(world.sandbox, 0))
    world.settle()
    assert [world.says_no(platform, 0) for platform in ("strive", "telerivet", "colony")] == [True] * 3
    assert world.says_no("colony", 0, "email")
    (contact,) = world.contacts().values()
    assert [contact.get("consent.sms"), contact.get("consent.email")] == ["undeliverable"] * 2
    world.quiet()
