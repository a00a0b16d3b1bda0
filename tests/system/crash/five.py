"""Scenarios with all five platforms. Two of them, Colony and Carium, are only read."""

from __future__ import annotations

from daemon.sandbox import Sandbox
from tests.system.crash.people import (
    Scenario,
    State,
    at_action_network,
    at_carium,
    at_colony,
    at_strive,
    at_telerivet,
    colony_contact,
    colony_in,
    contact,
    contact_in,
    email,
    member,
    member_in,
    person,
    person_in,
    phone,
    statuses,
    user,
)

FIVE = ("strive", "telerivet", "action_network", "colony", "carium")
APART = 600.0
"""Longer than any feed reads back: what a cursor has passed over is not seen by reading again."""


def everywhere(sandbox: Sandbox, numbers: range) -> None:
    for number in numbers:
        for put in (at_strive, at_telerivet, at_action_network, at_colony, at_carium):
            put(sandbox, number)


# a cold start


def cold_people(sandbox: Sandbox) -> None:
    """0 is typed in five ways; the others are here or there, and four of them say no where nobody else hears it."""
    at_strive(sandbox, 0, city="Rome", groups=["volunteer"])
    at_telerivet(sandbox, 0, typed="(202) 555-0100", vars={"zip": "10000"})
    at_action_network(sandbox, 0, phone_number="202-555-0100", email_address=email(0).title(), tags=["donor"])
    at_colony(sandbox, 0, email=email(0).upper())
    at_carium(sandbox, 0, email=None, phone="+1 202.555.0100")
    at_strive(sandbox, 1, groups=["board"])
    at_action_network(sandbox, 1, locality="Oslo", country="NO", phone_status="subscribed")
    sandbox.carium.unsubscribe(at_carium(sandbox, 1))
    at_telerivet(sandbox, 2)
    sandbox.colony.opt_out(at_colony(sandbox, 2, lists=["Newsletter"]))
    sandbox.action_network.opt_out(at_action_network(sandbox, 3, tags=["donor"]), "email")
    at_strive(sandbox, 4, opt_in=True)
    at_telerivet(sandbox, 4, send_blocked=True)
    at_colony(sandbox, 5)
    at_carium(sandbox, 5)


def expect_cold(state: State) -> None:
    assert [len(state[platform]) for platform in FIVE] == [6, 6, 6, 3, 3]
    assert person_in(state, 0)["tags"] == ["donor", "volunteer"] == contact_in(state, 0)["groups"]
    assert member_in(state, 0)["postal_code"] == "10000"
    assert person_in(state, 0)["postal_addresses"][0]["locality"] == "Rome"
    assert member_in(state, 1)["city"] == contact_in(state, 1)["vars"]["city"] == "Oslo"
    assert contact_in(state, 2)["groups"] == ["Newsletter"]
    assert not contact_in(state, 0)["send_blocked"]
    assert all(contact_in(state, number)["send_blocked"] for number in range(1, 6))  # a no, or new without a yes
    assert [member_in(state, number)["opt_in"] for number in range(6)] == [True, *[False] * 5]
    assert statuses(state, 1) == ("subscribed", "unsubscribed")
    assert statuses(state, 3)[0] == statuses(state, 5)[0] == "unsubscribed"
    assert member_in(state, 5)["first_name"] == person_in(state, 5)["given_name"] == "Fay"


# edits


def five_people(sandbox: Sandbox) -> None:
    everywhere(sandbox, range(5))


def edit_everywhere(sandbox: Sandbox) -> None:
    """One on each platform, and then two that are about the same field of the same person."""
    sandbox.strive.edit_member(member(sandbox, 0), city="Paris")
    sandbox.telerivet.edit_contact(contact(sandbox, 1), vars={"city": "Lima"})
    sandbox.action_network.edit_person(person(sandbox, 2), given_name="Cleopatra", postal_code="20002")
    sandbox.colony.edit_contact(colony_contact(sandbox, 3), last_name="Newname")
    sandbox.carium.edit_user(user(sandbox, 4), first_name="Elias")
    sandbox.strive.edit_member(member(sandbox, 4), city="Memphis", how="csv")
    sandbox.action_network.edit_person(person(sandbox, 4), locality="Cairo")


def expect_edits(state: State) -> None:
    assert contact_in(state, 0)["vars"]["city"] == person_in(state, 0)["postal_addresses"][0]["locality"] == "Paris"
    assert member_in(state, 1)["city"] == person_in(state, 1)["postal_addresses"][0]["locality"] == "Lima"
    assert contact_in(state, 2)["name"].startswith("Cleopatra ")
    assert member_in(state, 2)["postal_code"] == contact_in(state, 2)["vars"]["zip"] == "20002"
    assert [member_in(state, 3)["last_name"], person_in(state, 3)["family_name"]] == ["Newname"] * 2
    assert [member_in(state, 4)["first_name"], person_in(state, 4)["given_name"]] == ["Elias"] * 2
    assert member_in(state, 4)["city"] == person_in(state, 4)["postal_addresses"][0]["locality"]
    assert colony_in(state, 2)["first_name"] == "Cleo"  # is only read


# a no on each


def reachable_people(sandbox: Sandbox) -> None:
    for number in range(7):
        at_strive(sandbox, number, opt_in=True)
        at_telerivet(sandbox, number)
        at_action_network(sandbox, number, phone_status="subscribed")
        at_colony(sandbox, number)
        at_carium(sandbox, number)


def say_no(sandbox: Sandbox) -> None:
    """To texts on each of the five (0 to 4), and to emails on the two that know of them (5 and 6)."""
    sandbox.strive.opt_out(member(sandbox, 0))
    sandbox.telerivet.block(contact(sandbox, 1))
    sandbox.action_network.opt_out(person(sandbox, 2), "sms")
    sandbox.colony.opt_out(colony_contact(sandbox, 3))
    sandbox.carium.unsubscribe(user(sandbox, 4))
    sandbox.action_network.opt_out(person(sandbox, 5), "email")
    sandbox.colony.opt_out(colony_contact(sandbox, 6), "email")


def expect_no(state: State) -> None:
    yes, no = "subscribed", "unsubscribed"
    assert not any(member_in(state, number)["opt_in"] for number in range(5))
    assert all(contact_in(state, number)["send_blocked"] for number in range(5))
    assert [statuses(state, number) for number in range(7)] == [(yes, no)] * 5 + [(no, yes)] * 2
    assert all(member_in(state, number)["opt_in"] for number in (5, 6))
    assert not any(contact_in(state, number)["send_blocked"] for number in (5, 6))
    assert [each["mobile_number"] for each in state["colony"] if each["sms_optout"]] == [phone(3)[1:]]
    assert [each["phone"] for each in state["carium"] if each["phone-unsubscribed"]] == [phone(4)]


SCENARIOS: dict[str, Scenario] = {
    "five: cold start": Scenario(cold_people, expect_cold, platforms=FIVE, apart=APART),
    "five: edits": Scenario(five_people, expect_edits, edit_everywhere, platforms=FIVE, apart=APART),
    "five: opt-outs": Scenario(reachable_people, expect_no, say_no, platforms=FIVE, apart=APART),
}
