"""Five platforms end to end: who may be somebody else is not guessed at, and nothing is taken from anybody."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.wire import Request, Response
from state.model import Hold
from tests.stories.five_world import FIVE, FiveWorld
from tests.system.crash import people
from tests.system.crash.people import email, phone

PAIRS = list(itertools.combinations(FIVE, 2))
PHONES = {
    "strive": "phone_number",
    "telerivet": "typed",
    "action_network": "phone_number",
    "colony": "mobile_number",
    "carium": "phone",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FiveWorld]:
    with FiveWorld(tmp_path) as made:
        yield made


def put(world: FiveWorld, platform: str, who: int, *, shares: int | None = None, **more: Any) -> str:
    """Somebody, with their own phone or the one that they share with somebody else; the id there."""
    number = phone(who if shares is None else shares)
    said = {PHONES[platform]: number[1:] if platform == "colony" else number}
    return str(getattr(people, f"at_{platform}")(world.sandbox, who, **said, **more))


def row(world: FiveWorld, platform: str, id_: str) -> dict[str, Any]:
    (found,) = [row for row in world.rows(platform) if str(row["id"]) == id_]
    return found


# a household


Household = dict[str, str]  # platform -> the id there of the one who lives there


def households(world: FiveWorld) -> list[Household]:
    """For each pair of platforms a household: one phone, two names, two emails; one of them here, the other there."""
    return [
        {here: put(world, here, number), there: put(world, there, 15 + number, shares=number)}
        for number, (here, there) in enumerate(PAIRS)
    ]


def facts(world: FiveWorld, homes: list[Household]) -> list[Any]:
    """What each platform says of those people: all but what is about the row and not about the person."""
    passing = {"updated_at", "time_updated", "modified_date", "date_updated", "last-sync-time"}
    return [
        {key: value for key, value in row(world, platform, id_).items() if key not in passing}
        for home in homes
        for platform, id_ in home.items()
    ]


def contacts_of(world: FiveWorld, home: Household) -> list[int | None]:
    owner = {(link.connection, link.external_id): link.contact_id for all_ in world.links().values() for link in all_}
    return [owner[place] for place in home.items()]


def test_a_household_phone_merges_nobody_on_any_pair_of_platforms(world: FiveWorld) -> None:
    """As read, and after a person has said that they are two: nothing is taken from anybody."""
    homes = households(world)
    before = facts(world, homes)
    world.settle()
    waiting = [hold for hold in world.holds() if hold.kind == "match"]
    assert len(waiting) == len(PAIRS)
    for home in homes:
        one, other = contacts_of(world, home)
        assert (one is None) is not (other is None), f"one of {home} is known, the other waits"
    assert facts(world, homes) == before
    for hold in waiting:
        world.decide(hold, "different")
    world.settle()
    for home in homes:
        one, other = contacts_of(world, home)
        assert None not in (one, other)
        assert one != other, home
    assert facts(world, homes) == before
    assert {hold.kind for hold in world.holds()} == {"shared_identifier"}
    world.quiet()


# a phone that Action Network would move


def phone_at(world: FiveWorld, id_: str) -> str | None:
    number: str | None = row(world, "action_network", id_)["phone_numbers"][0].get("number")
    return number


def email_at(world: FiveWorld, id_: str) -> str:
    return str(row(world, "action_network", id_)["email_addresses"][0]["address"])


def city_at(world: FiveWorld, id_: str) -> str | None:
    found: str | None = row(world, "action_network", id_)["postal_addresses"][0].get("locality")
    return found


def added_meanwhile(world: FiveWorld, add: Callable[[], str]) -> list[str]:
    """Somebody comes to Action Network after the feed was read: just before it is next asked who has an address."""
    made: list[str] = []
    whole = world.sandbox.respond

    def respond(platform: str, request: Request) -> Response:
        asked = request.target
        if platform == "action_network" and not made and ("phone_number" in asked or "email_address" in asked):
            made.append(add())
        return whole(platform, request)

    world.sandbox.respond = respond  # type: ignore[method-assign]
    return made


def decide(world: FiveWorld, kind: str, choice: str, argument: str | None = None) -> None:
    """About all of that kind."""
    found = [hold for hold in world.holds() if hold.kind == kind]
    assert found
    for hold in found:
        world.decide(hold, choice, argument)


def held(world: FiveWorld, platform: str = "action_network") -> Hold:
    """What waits there because somebody else has a phone or an email."""
    (found,) = [hold for hold in world.holds() if (hold.kind, hold.connection) == ("shared_identifier", platform)]
    return found


def zed(world: FiveWorld) -> str:
    """Has the phone of 8, and comes at an awkward moment."""
    return str(world.action_network.add_person("Zed", "Young", phone(8), "zed@example.org"))


def one_who_takes_the_phone_of_another(world: FiveWorld) -> tuple[str, str]:
    """0 is given the phone of 9 on Telerivet, and a person says that the record there is 0's all the same."""
    world.met(0, 9)
    ids = world.on("action_network", 0), world.on("action_network", 9)
    world.telerivet.edit_contact(world.on("telerivet", 0), phone_number=phone(9), vars={"city": "Lima"})
    world.settle()
    assert world.count() == dict.fromkeys(FIVE, 0)
    (match,) = world.holds()
    world.decide(match, "same", f"c{match.contact_id}")
    world.settle()
    assert held(world).detail["field"] == "phone"
    assert [phone_at(world, id_) for id_ in ids] == [phone(0)[1:], phone(9)[1:]]
    assert city_at(world, ids[0]) == "Lima", "the rest of the edit arrives"
    return ids


def test_an_edit_that_would_move_a_phone_is_held_and_dismissed(world: FiveWorld) -> None:
    zero, nine = one_who_takes_the_phone_of_another(world)
    decide(world, "shared_identifier", "dismiss")
    world.quiet()
    assert [phone_at(world, zero), phone_at(world, nine)] == [phone(0)[1:], phone(9)[1:]]
    assert world.holds() == []


def test_an_edit_that_would_move_a_phone_is_sent_when_the_other_has_another(world: FiveWorld) -> None:
    zero, nine = one_who_takes_the_phone_of_another(world)
    world.strive.edit_member(world.on("strive", 9), phone_number=phone(30))
    world.settle()
    assert [phone_at(world, zero), phone_at(world, nine)] == [phone(0)[1:], phone(30)[1:]]
    decide(world, "shared_identifier", "again")
    world.settle()
    assert [phone_at(world, zero), phone_at(world, nine)] == [phone(9)[1:], phone(30)[1:]]
    assert world.holds() == []
    world.quiet()


def test_an_edit_that_would_move_a_phone_between_two_who_are_one(world: FiveWorld) -> None:
    """They are merged here; on Action Network they stay two, and keep what they have."""
    zero, nine = one_who_takes_the_phone_of_another(world)
    world.merge(held(world))
    world.settle()
    assert len(world.contacts()) == 1
    assert len(world.rows("action_network")) == 2
    assert {hold.kind for hold in world.holds()} == {"shared_identifier"}, "two records there cannot be alike"
    decide(world, "shared_identifier", "dismiss")
    world.quiet()
    assert [phone_at(world, zero), phone_at(world, nine)] == [phone(0)[1:], phone(9)[1:]]
    assert world.holds() == []


def edit_towards_zed(world: FiveWorld) -> tuple[str, str]:
    """0 is given the phone of Zed, who came to Action Network after it was read."""
    world.met(0)
    zero = world.on("action_network", 0)
    made = added_meanwhile(world, lambda: zed(world))
    world.telerivet.edit_contact(world.on("telerivet", 0), phone_number=phone(8), vars={"city": "Lima"})
    world.sync()
    (other,) = made
    assert held(world).detail["field"] == "phone"
    assert [phone_at(world, zero), phone_at(world, other)] == [phone(0)[1:], phone(8)[1:]]
    assert city_at(world, zero) == "Lima", "the rest of the edit arrives"
    assert world.shown("strive", 8)["city"] == "Lima", "Strive knows of no Zed"
    world.settle()
    return zero, other


def answered(world: FiveWorld, other: str, answer: str) -> None:
    """What a person does about it. `again`: once Zed has another phone. `merge`: it is Zed."""
    if answer == "again":
        world.action_network.edit_person(other, phone_number=phone(31))
        world.settle()
    if answer == "merge":
        decide(world, "match", "same")
    else:
        decide(world, "shared_identifier", answer)
    world.settle()


PHONES_AFTER = {"dismiss": [0, 8], "again": [8, 31], "merge": [0, 8]}
"""Of 0 and of Zed."""


@pytest.mark.parametrize("answer", PHONES_AFTER)
def test_an_edit_that_would_take_the_phone_of_somebody_just_added(world: FiveWorld, answer: str) -> None:
    zero, other = edit_towards_zed(world)
    answered(world, other, answer)
    found = [phone_at(world, zero), phone_at(world, other)]
    assert found == [phone(number)[1:] for number in PHONES_AFTER[answer]]
    owners = contacts_at_action_network(world)
    assert (owners[zero] == owners[other]) is (answer == "merge")
    world.quiet()


@pytest.mark.parametrize("answer", PHONES_AFTER)
def test_somebody_new_whose_phone_somebody_just_added_has(world: FiveWorld, answer: str) -> None:
    """Made everywhere else; on Action Network only when the phone is free. Merged, it is Zed who is that person."""
    world.met(0)
    made = added_meanwhile(world, lambda: zed(world))
    ida = put(world, "telerivet", 8)
    world.sync()
    (other,) = made
    assert held(world).external_id is None
    assert world.shown("strive", 8)["first_name"] == "Ida"
    world.settle()
    assert (len(world.rows("action_network")), phone_at(world, other)) == (2, phone(8)[1:])
    answered(world, other, answer)
    world.telerivet.edit_contact(ida, vars={"city": "Lima"})
    world.settle()
    assert len(world.rows("action_network")) == (3 if answer == "again" else 2)
    assert "shared_identifier" not in {hold.kind for hold in world.holds()}, "decided once, asked no more"
    assert phone_at(world, other) == (phone(31) if answer == "again" else phone(8))[1:]
    one, zeds = contacts_of(world, {"telerivet": ida, "action_network": other})
    assert one is not None
    assert (one == zeds) is (answer == "merge")
    world.quiet()


def contacts_at_action_network(world: FiveWorld) -> dict[str, int | None]:
    links = [link for all_ in world.links().values() for link in all_]
    return {link.external_id: link.contact_id for link in links if link.connection == "action_network"}


# an email that is somebody else's there


def takes_the_email_of_zed(world: FiveWorld) -> tuple[str, str]:
    """0 is given the email of Zed, who came to Action Network after it was read."""
    world.met(0)
    zero = world.on("action_network", 0)
    made = added_meanwhile(world, lambda: zed(world))
    world.telerivet.edit_contact(world.on("telerivet", 0), vars={"email": "zed@example.org", "city": "Lima"})
    world.sync()
    (other,) = made
    assert [email_at(world, zero), email_at(world, other)] == [email(0), "zed@example.org"]
    assert city_at(world, zero) == "Lima", "the rest of the edit arrives"
    assert world.shown("strive", 0)["email"] == "zed@example.org", "Strive knows of no Zed"
    return zero, other


def test_an_email_of_somebody_else_there_is_held_and_the_rest_arrives(world: FiveWorld) -> None:
    zero, other = takes_the_email_of_zed(world)
    assert held(world).detail["field"] == "email"
    world.settle()
    world.action_network.edit_person(other, email_address="zed.young@example.org")
    world.settle()
    decide(world, "shared_identifier", "again")
    world.settle()
    assert [email_at(world, zero), email_at(world, other)] == ["zed@example.org", "zed.young@example.org"]
    assert world.holds() == []
    world.quiet()


def test_an_email_that_action_network_leaves_out_without_a_word_is_held(world: FiveWorld) -> None:
    """Its search does not know Zed yet, so the write goes out; what it says it stored tells."""
    world.action_network.search_lag = 50
    zero, other = takes_the_email_of_zed(world)
    hold = world.hold("not_stored")
    assert (hold.connection, hold.detail["field"]) == ("action_network", "email")
    world.settle()
    decide(world, "not_stored", "dismiss")
    world.quiet()
    assert [email_at(world, zero), email_at(world, other)] == [email(0), "zed@example.org"]
