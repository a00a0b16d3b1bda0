"""Whose word counts: the truth table at the top of merge.py, row by row, and the policies."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.sync.merge import combine, value_of, view_of
from mappings.contact import Value
from state.model import Entry
from tests.unit.sync.given import entry, person, say, values

NOTHING = "(no entry)"
UNSAID = "(not in seen)"


def _contact(city: Any, **how: Any) -> dict[str, Entry]:
    return {} if city == NOTHING else {"city": entry(city, was="Lyon", **how)}


# in `seen`?    says     the contact        what happens
TRUTH = [
    ("Macon", "Macon", "Macon", "nothing"),
    ("Macon", "Macon", "Atlanta", "nothing"),
    ("Macon", "Macon", None, "nothing"),
    ("Macon", "Macon", NOTHING, "nothing"),
    (None, None, "Atlanta", "nothing"),
    (UNSAID, "Atlanta", "Atlanta", "nothing"),
    (UNSAID, None, None, "nothing"),
    (UNSAID, None, NOTHING, "nothing"),
    ("Macon", "Atlanta", "Atlanta", "nothing"),
    ("Macon", None, None, "nothing"),
    (UNSAID, "Macon", None, "taken"),
    (UNSAID, "Macon", NOTHING, "taken"),
    (UNSAID, None, "Atlanta", "lost"),
    (UNSAID, "Macon", "Atlanta", "policy"),
    ("Rome", "Macon", "Atlanta", "policy"),
    ("Rome", None, "Atlanta", "policy"),
    ("Rome", "Macon", None, "policy"),
    (None, "Macon", "Atlanta", "policy"),
]


@pytest.mark.parametrize(("seen", "says", "contact", "happens"), TRUTH)
@pytest.mark.parametrize("newer", [True, False], ids=["newer", "older"])
def test_the_truth_table(seen: Any, says: Any, contact: Any, happens: str, newer: bool) -> None:
    """Where the table says "the policy decides", the later word wins, for that is the default policy."""
    before = _contact(contact)
    result = say(before, {"city": says}, {} if seen == UNSAID else {"city": seen}, at=200.0 if newer else 50.0)
    if happens == "policy":
        happens = "taken" if newer else "lost"
    assert result.lost == ({"city": says} if happens == "lost" else {})
    if happens != "taken":
        assert result.moved == {}
        return
    was = None if contact == NOTHING else contact
    assert result.moved == {"city": Entry(says, 200.0 if newer else 50.0, "telerivet", "record", was, 0)}


def test_a_field_that_is_not_spoken_of_is_not_a_blank() -> None:
    """Absent is the third state: what a side no longer carries stays as it is."""
    assert say(person(city="Macon"), {}, {"city": "Macon"}) == say({}, {})


def test_consent_is_never_merged() -> None:
    """There is no policy by which a later "yes" could beat a "no"."""
    result = say(person(consent__sms="unsubscribed"), {"consent.sms": "subscribed", "consent.email": "subscribed"})
    assert result == say({}, {})


# policies


def test_latest_a_side_replaces_its_own_word_whatever_its_clock_says() -> None:
    contact = {"city": entry("Macon", at=100.0, by="telerivet")}
    assert say(contact, {"city": "Rome"}, {"city": "Macon"}, at=1.0).moved["city"].value == "Rome"


def test_latest_another_record_of_the_same_connection_is_no_exception_at_first_contact() -> None:
    contact = {"city": entry("Macon", at=100.0, by="telerivet")}
    assert say(contact, {"city": "Rome"}, at=1.0).lost == {"city": "Rome"}


@pytest.mark.parametrize(
    ("by", "holder", "wins"),
    [
        ("boss", "telerivet", True),  # the higher priority
        ("telerivet", "boss", False),
        ("telerivet", "strive", True),  # the later name, so that the order of arrival does not matter
        ("strive", "telerivet", False),
        ("telerivet", "gone", True),  # a connection that is not configured any more has priority 0
    ],
)
def test_latest_ties_go_by_priority_and_then_by_name(by: str, holder: str, wins: bool) -> None:
    contact = {"city": entry("Macon", at=100.0, by=holder)}
    result = say(contact, {"city": "Rome"}, {"city": "Paris"}, by=by, at=100.0)
    assert ("city" in result.moved) is wins
    assert ("city" in result.lost) is not wins


@pytest.mark.parametrize(
    ("by", "holder", "at", "wins"),
    [
        ("boss", "strive", 1.0, True),  # priority before time
        ("strive", "boss", 999.0, False),
        ("boss", "boss", 1.0, True),  # one's own word
        ("telerivet", "strive", 999.0, True),  # equals: as in latest
        ("telerivet", "strive", 1.0, False),
    ],
)
def test_priority_decides_and_among_equals_the_later_word(by: str, holder: str, at: float, wins: bool) -> None:
    contact = {"city": entry("Macon", at=100.0, by=holder)}
    result = say(contact, {"city": "Rome"}, {"city": "Paris"}, by=by, at=at, policy="priority")
    assert ("city" in result.moved) is wins
    assert ("city" in result.lost) is not wins


def test_priority_never_blanks_out_at_first_contact_either() -> None:
    assert say(person(city="Macon"), {"city": None}, by="boss", policy="priority").lost == {"city": None}


@pytest.mark.parametrize("contact", [NOTHING, None])
@pytest.mark.parametrize("seen", [UNSAID, "Paris"])
def test_fill_takes_what_is_blank(contact: Any, seen: Any) -> None:
    """However old the word and however late the blank."""
    before = {} if seen == UNSAID else {"city": seen}
    assert say(_contact(contact), {"city": "Rome"}, before, at=1.0, policy="fill").moved["city"].value == "Rome"


@pytest.mark.parametrize("says", ["Rome", None])
def test_fill_takes_nothing_else(says: Value) -> None:
    """Neither a newer value nor a newer blank; that side is owed ours."""
    result = say(person(city="Macon"), {"city": says}, {"city": "Paris"}, at=999.0, policy="fill")
    assert (result.moved, result.lost) == ({}, {"city": says})


@pytest.mark.parametrize(
    ("seen", "contact", "owed"),
    [
        (UNSAID, "Macon", True),
        ("Paris", "Macon", True),
        ("Paris", None, True),  # somebody blanked it, that counts
        (UNSAID, None, False),  # first contact never blanks out ...
        (UNSAID, NOTHING, False),
        ("Paris", NOTHING, False),  # ... and what nobody ever said is no word that could win
    ],
)
def test_never_is_owed_the_roster_s_word_if_there_is_one(seen: Any, contact: Any, owed: bool) -> None:
    """An `out` connection is overruled in everything, but not emptied of what only it knows."""
    before = {} if seen == UNSAID else {"city": seen}
    result = say(_contact(contact), {"city": "Rome"}, before, at=999.0, policy="never")
    assert (result.moved, result.lost) == ({}, {"city": "Rome"} if owed else {})


# sets

SETS = [
    # seen          says           the contact         after                added   removed
    (None, ["a", "b"], ["b", "c"], ["a", "b", "c"], ["a"], []),
    (["a", "b"], ["b"], ["a", "b", "c"], ["b", "c"], [], ["a"]),
    (["a"], ["a", "b"], ["c"], ["b", "c"], ["b"], []),
    (["a"], ["b"], ["a"], ["b"], ["b"], ["a"]),
    (["a"], [], ["a"], [], [], ["a"]),
    (None, ["a"], NOTHING, ["a"], ["a"], []),
    (["A"], [], ["a", "b"], ["b"], [], ["a"]),  # the same tag in another hand
    (None, ["A", "C"], ["a", "b"], ["C", "a", "b"], ["C"], []),
]


@pytest.mark.parametrize(("seen", "says", "contact", "merged", "added", "removed"), SETS)
def test_sets_are_merged_three_way(
    seen: Any, says: list[str], contact: Any, merged: list[str], added: list[str], removed: list[str]
) -> None:
    """What that side added comes in, what it removed goes; what others said stays. Times do not matter."""
    before = {} if contact == NOTHING else {"tags": entry(contact)}
    result = say(before, {"tags": says}, {} if seen is None else {"tags": seen}, at=1.0)
    assert result.moved == {"tags": Entry(merged, 1.0, "telerivet", "record")}
    assert result.tags == {"tags": (added, removed)}
    assert result.lost == {}


@pytest.mark.parametrize(
    ("seen", "says", "contact"),
    [
        (None, [], ["a"]),  # first contact without tags takes nobody's off
        (None, [], NOTHING),
        (["a"], ["a"], ["b"]),  # old news
        (["a"], [], ["b"]),  # gone already
        ([], ["b"], ["b"]),  # there already
        (["a"], ["A"], ["a"]),  # only written otherwise
        (None, ["A"], ["a"]),
    ],
)
def test_sets_that_bring_no_news_move_nothing(seen: Any, says: list[str], contact: Any) -> None:
    before = {} if contact == NOTHING else {"tags": entry(contact)}
    result = say(before, {"tags": says}, {} if seen is None else {"tags": seen})
    assert result == say({}, {})


@pytest.mark.parametrize("policy", ["latest", "priority", "fill"])
def test_sets_know_no_policy_but_never(policy: str) -> None:
    assert say({}, {"tags": ["a"]}, policy=policy).tags == {"tags": (["a"], [])}
    assert say({}, {"tags": ["a"]}, policy="never") == say({}, {})


# two contacts into one


def test_combine_takes_the_later_word_fills_blanks_and_joins_sets() -> None:
    ours = {
        "city": entry("Macon", at=10.0),
        "region": entry("GA", at=30.0),
        "street": entry(None, at=99.0),
        "notes": entry("x", at=10.0),
        "tags": entry(["A", "b"], at=10.0),
        "phone": entry("+12025550101"),
    }
    theirs = {
        "city": entry("Rome", at=20.0, by="telerivet"),
        "region": entry("AL", at=20.0),
        "street": entry("1 Elm St", at=1.0),
        "notes": entry(None, at=20.0),
        "tags": entry(["a", "b", "c"], at=20.0),
        "email": entry("ann@example.org"),
    }
    joined = combine(ours, theirs)
    assert values(joined) == {
        "city": "Rome",
        "region": "GA",
        "street": "1 Elm St",
        "notes": "x",
        "tags": ["A", "b", "c"],
        "phone": "+12025550101",
        "email": "ann@example.org",
    }
    assert joined["city"] == theirs["city"]  # with its time and source
    assert ours["city"].value == "Macon"  # neither is changed in place


def test_combine_keeps_ours_when_both_were_said_at_the_same_time() -> None:
    assert combine(person(city="Macon"), person(city="Rome"))["city"].value == "Macon"


@pytest.mark.parametrize("swapped", [False, True])
def test_combine_keeps_the_no(swapped: bool) -> None:
    """A later "yes" of the other contact does not undo it."""
    no = {"consent.sms": entry("unsubscribed", at=10.0)}
    yes = {"consent.sms": entry("subscribed", at=20.0)}
    joined = combine(yes, no) if swapped else combine(no, yes)
    assert joined["consent.sms"] == no["consent.sms"]


def test_the_full_name_is_derived() -> None:
    contact = person(given_name="Ann", family_name="Smith", city=None)
    assert value_of(contact, "full_name") == "Ann Smith"
    assert value_of(contact, "city") is None
    assert value_of(contact, "email") is None
    assert view_of(contact) == {"given_name": "Ann", "family_name": "Smith", "city": None, "full_name": "Ann Smith"}
    assert view_of({}) == {"full_name": None}
