"""The population: messy in known ways, the same for the same seed, and big when asked."""

import threading

import phonenumbers
import pytest

from daemon.sandbox import Sandbox, serve
from daemon.sandbox.harm import same_phone
from daemon.sandbox.population import DECK, phone

FIXED = 1_700_000_000.0


@pytest.fixture(scope="module")
def messy():
    return Sandbox(people=60, seed=1, clock=lambda: FIXED)


def test_the_same_seed_gives_the_same_people(messy):
    again, other = Sandbox(60, 1, clock=lambda: FIXED), Sandbox(60, 2, clock=lambda: FIXED)
    assert again.strive.members() == messy.strive.members() != other.strive.members()
    assert again.telerivet.contacts() == messy.telerivet.contacts()
    assert again.truth == messy.truth


def test_the_truth_names_every_record_once(messy):
    for platform, everyone in (("strive", messy.strive.members()), ("telerivet", messy.telerivet.contacts())):
        told = [record for person in messy.truth.values() for record in person[platform]]
        assert sorted(told) == sorted(row["id"] for row in everyone)


def test_every_kind_of_mess_is_there(messy):
    members = {row["id"]: row for row in messy.strive.members()}
    contacts = {row["id"]: row for row in messy.telerivet.contacts()}
    sides = [(len(person["strive"]), len(person["telerivet"])) for person in messy.truth.values()]
    assert {(1, 1), (1, 0), (0, 1), (1, 2)} == set(sides)
    phones = [row["phone_number"] for row in contacts.values() if row["phone_number"]]
    assert len(set(phones)) < len(phones)  # households
    assert any(number.startswith("(") for number in phones)
    assert any(
        len(number) == 7 and any(row["phone_number"].endswith(number) for row in members.values()) for number in phones
    )
    assert None in [row["phone_number"] for row in contacts.values()]
    assert None in [row["first_name"] for row in members.values()]
    assert sum(row["email"] == "none@example.org" for row in members.values()) > 1
    groups = {group for row in contacts.values() for group in row["groups"]}
    assert groups
    assert any(row["custom"].get("donation_amount") for row in members.values())


def test_each_side_has_opt_outs_the_other_does_not_know(messy):
    pairs = [
        (messy.strive.member(person["strive"][0]), messy.telerivet.contact(person["telerivet"][0]))
        for person in messy.truth.values()
        if person["strive"] and person["telerivet"]
    ]
    assert any(member["opt_in"] is False and not contact["send_blocked"] for member, contact in pairs)
    assert any(member["opt_in"] and contact["send_blocked"] for member, contact in pairs)
    wishes = [member for member, _ in pairs if member["opt_in"] is False and member["first_sub_id"] is None]
    dead = [member for member, _ in pairs if member["opt_in"] is False and member["first_sub_id"] is not None]
    assert wishes
    assert dead


def test_phones_are_each_ones_own_fictional_at_first_and_always_possible():
    numbers = [phone(n) for n in range(120_000)]
    assert len(set(numbers)) == len(numbers)
    assert all(number[5:10] == "55501" for number in numbers[:8000])
    for number in numbers[::1000]:
        assert phonenumbers.is_possible_number(phonenumbers.parse(number))
        assert same_phone(number) == number[1:]


def test_a_few_people_and_nobody():
    assert len(Sandbox(3).truth) == 3
    assert len(Sandbox(0).truth) == 0
    assert Sandbox(60, empty=True).strive.members() == []
    assert len(Sandbox(len(DECK)).truth) == len(DECK)


def test_serving_prints_a_configuration_and_ends_when_told():
    said, end = [], threading.Event()
    end.set()
    serve(0, 24, 1, echo=said.append, until=end)
    assert 'platform = "telerivet"' in said[0]
    assert "ROSTERD_CONNECTIONS__STRIVE__API_KEY=sandbox-strive-key" in said[0]
