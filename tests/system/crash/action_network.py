"""Scenarios about what is Action Network's own: tags with ids, creating by phone and email, outreaches."""

from __future__ import annotations

from pathlib import Path

from daemon.sandbox import Sandbox
from daemon.sandbox.action_network_record import make_id
from tests.system.crash.people import (
    Scenario,
    State,
    at_action_network,
    at_strive,
    at_telerivet,
    contact,
    contact_in,
    email,
    member_in,
    person,
    person_in,
    phone,
    statuses,
)

APART = 600.0
"""Longer than any feed reads back, and than an outreach that may have arrived is waited for."""


# tags


def tagged_people(sandbox: Sandbox) -> None:
    for number in range(4):
        at_telerivet(sandbox, number, groups=["member"])
        at_action_network(sandbox, number, tags=["member"])


def change_tags(sandbox: Sandbox) -> None:
    here, there = sandbox.telerivet, sandbox.action_network
    there.tag(person(sandbox, 0), "captain")
    there.untag(person(sandbox, 0), "member")
    here.add_to_group(contact(sandbox, 1), "driver")  # there is no such tag yet
    here.add_to_group(contact(sandbox, 1), "phonebank")
    here.remove_from_group(contact(sandbox, 1), "member")
    here.add_to_group(contact(sandbox, 2), "driver")
    here.edit_contact(contact(sandbox, 2), vars={"city": "Lima"})
    here.remove_from_group(contact(sandbox, 3), "member")
    there.tag(person(sandbox, 3), "donor")


def expect_tags(state: State) -> None:
    wanted = [["captain"], ["driver", "phonebank"], ["driver", "member"], ["donor"]]
    assert [person_in(state, number)["tags"] for number in range(4)] == wanted
    assert [contact_in(state, number)["groups"] for number in range(4)] == wanted
    assert person_in(state, 2)["postal_addresses"][0]["locality"] == "Lima"


# new people


def two_at_both(sandbox: Sandbox) -> None:
    for number in range(2):
        at_strive(sandbox, number)
        at_action_network(sandbox, number)


def newcomers(sandbox: Sandbox) -> None:
    at_strive(sandbox, 20, groups=["volunteer", "board"], city="Rome")
    at_strive(sandbox, 21, email=None, opt_in=True)
    sandbox.strive.opt_out(at_strive(sandbox, 22))
    at_action_network(sandbox, 23, tags=["donor"])
    sandbox.action_network.opt_out(at_action_network(sandbox, 24), "sms")
    at_strive(sandbox, 25)
    at_action_network(sandbox, 25, locality="Oslo", country="NO")


def expect_newcomers(state: State) -> None:
    assert len(state["strive"]) == len(state["action_network"]) == 8
    assert person_in(state, 20)["tags"] == ["board", "volunteer"]
    assert person_in(state, 21)["email_addresses"] == []
    assert statuses(state, 20)[0] == statuses(state, 22)[0] == "unsubscribed"
    assert member_in(state, 23)["groups"] == ["donor"]
    assert [member_in(state, number)["opt_in"] for number in (22, 24)] == [False] * 2
    assert member_in(state, 25)["city"] == "Oslo"


# a phone that would move


def one_who_is_not_ours(sandbox: Sandbox) -> None:
    """9 is at Action Network only, and out of the scope there: whoever gets their phone elsewhere would take it."""
    for number in range(3):
        at_telerivet(sandbox, number)
        at_action_network(sandbox, number)
    at_action_network(sandbox, 9, region="TX")


def without_texas(folder: Path) -> None:
    path = folder / "mappings" / "action_network.yaml"
    path.write_text(path.read_text() + "\nwhere: {not: {field: region, in: [TX]}}\n")


def take_phones(sandbox: Sandbox) -> None:
    sandbox.telerivet.edit_contact(contact(sandbox, 0), phone_number=phone(9))
    sandbox.telerivet.edit_contact(contact(sandbox, 1), vars={"email": email(9)})
    sandbox.telerivet.edit_contact(contact(sandbox, 2), vars={"city": "Lima"})


def expect_nothing_moved(state: State) -> None:
    assert [person_in(state, number)["given_name"] for number in (0, 1, 2, 9)] == ["Ada", "Bo", "Cleo", "Jo"]
    assert person_in(state, 1)["email_addresses"][0]["address"] == email(1)
    assert person_in(state, 2)["postal_addresses"][0]["locality"] == "Lima"
    assert len(state["action_network"]) == 4
    assert len(state["telerivet"]) == 3


# outreaches

CAMPAIGN = make_id("campaign", 1)
RULE = f"""
outreach:
  - name: wrote_letter
    when: {{tag: Wrote letter}}
    campaign: {CAMPAIGN}
    target: {{title: Senator, family_name: Schmoe}}
    subject: "A letter from {{given_name}}"
    message: "I live in {{city|your district}}."
    add_tags: [advocate]
"""


def letter_writers(sandbox: Sandbox) -> None:
    assert sandbox.action_network.campaign() == CAMPAIGN
    for number in range(3):
        at_telerivet(sandbox, number, vars={"city": "Rome"})
    at_action_network(sandbox, 0)


def with_rule(folder: Path) -> None:
    path = folder / "mappings" / "action_network.yaml"
    path.write_text(path.read_text() + RULE)


def letters(sandbox: Sandbox) -> None:
    """Two have written one; one of them, and somebody else, has moved."""
    sandbox.telerivet.add_to_group(contact(sandbox, 0), "Wrote letter")
    sandbox.telerivet.add_to_group(contact(sandbox, 1), "Wrote letter")
    sandbox.telerivet.edit_contact(contact(sandbox, 1), vars={"city": "Lima"})
    sandbox.telerivet.edit_contact(contact(sandbox, 2), vars={"city": "Oslo"})


def expect_letters(state: State) -> None:
    told = sorted((each["subject"], each["message"]) for each in state["outreaches"])
    assert told == [("A letter from Ada", "I live in Rome."), ("A letter from Bo", "I live in Lima.")]
    assert [person_in(state, number)["tags"] for number in (0, 1)] == [["Wrote letter", "advocate"]] * 2
    assert person_in(state, 2)["postal_addresses"][0]["locality"] == "Oslo"


TELERIVET = ("telerivet", "action_network")
STRIVE = ("strive", "action_network")

SCENARIOS: dict[str, Scenario] = {
    "action network: tags": Scenario(tagged_people, expect_tags, change_tags, platforms=TELERIVET, apart=APART),
    "action network: new people": Scenario(two_at_both, expect_newcomers, newcomers, platforms=STRIVE),
    "action network: a phone that would move": Scenario(
        one_who_is_not_ours,
        expect_nothing_moved,
        take_phones,
        configure=without_texas,
        platforms=TELERIVET,
    ),
    "outreach": Scenario(
        letter_writers,
        expect_letters,
        letters,
        configure=with_rule,
        platforms=TELERIVET,
        apart=APART,
        campaign=CAMPAIGN,
    ),
}
