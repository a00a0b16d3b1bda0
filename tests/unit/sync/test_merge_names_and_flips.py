"""One name field against two, and fields that two sides keep flipping."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.sync.merge import FLIPS, Claim, Source, merge
from mappings.contact import Value
from state.model import Entry
from tests.unit.sync.given import after, entry, person, say, values

UNSAID = "(not in seen)"

# full names

ANN = {"given_name": "Ann", "family_name": "Smith"}

NAMES = [
    # seen          says                 the contact   after                           lost
    (UNSAID, "Ann Smith", ANN, ("Ann", "Smith"), False),
    (UNSAID, "Ann", ANN, ("Ann", "Smith"), True),  # does not wipe the family name
    (UNSAID, "Smith", ANN, ("Ann", "Smith"), True),  # ... nor make her Smith Smith
    (UNSAID, "SMITH", ANN, ("Ann", "SMITH"), True),
    (UNSAID, None, ANN, ("Ann", "Smith"), True),
    (UNSAID, None, {}, (None, None), False),
    (UNSAID, "Ann Smith", {}, ("Ann", "Smith"), False),
    (UNSAID, "Ann", {}, ("Ann", None), False),
    (UNSAID, "Ann Smith", {"given_name": "Ann"}, ("Ann", "Smith"), False),
    (UNSAID, "Ana Smith", ANN, ("Ana", "Smith"), False),  # differs: the policy decides
    ("Ann Smith", "Ann Smith", {"given_name": "Eve"}, ("Eve", None), False),  # old news
    ("Ann Smith", "Ann", ANN, ("Ann", None), False),  # here it is a word: the family name went
    ("Ann Smith", "Smith", ANN, (None, "Smith"), False),
    ("Ann Smith", None, ANN, (None, None), False),
    ("Ann Smith", "Ann Lee", ANN, ("Ann", "Lee"), False),
    ("Ann Smith", "Ann Marie Smith", ANN, ("Ann Marie", "Smith"), False),
    ("Ann Smith", "Smith, Jane", ANN, ("Jane", "Smith"), True),  # owed our spelling of it
]


@pytest.mark.parametrize(("seen", "says", "contact", "name", "lost"), NAMES)
def test_one_name_field_is_split(seen: Any, says: Any, contact: dict[str, Value], name: Any, lost: bool) -> None:
    before = person(**contact)
    result = say(before, {"full_name": says}, {} if seen == UNSAID else {"full_name": seen})
    merged = values(after(before, result))
    assert (merged.get("given_name"), merged.get("family_name")) == name
    assert result.lost == ({"full_name": says} if lost else {})
    assert "full_name" not in result.moved


def test_only_the_part_of_a_name_that_moved_is_taken() -> None:
    """So that another side's family name keeps its time and its source."""
    result = say(person(**ANN), {"full_name": "Eve Smith"}, {"full_name": "Ann Smith"})
    assert result.moved.keys() == {"given_name"}


def test_a_full_name_that_lost_is_owed_whole() -> None:
    """That side has no given_name that could be owed."""
    result = say(person(**ANN), {"full_name": "Eve Jones"}, {"full_name": "Ann Smith"}, at=1.0)
    assert (result.moved, result.lost) == ({}, {"full_name": "Eve Jones"})


@pytest.mark.parametrize("seen", [UNSAID, "Eve Smith"])
def test_a_full_name_is_not_emptied_when_nobody_knows_better(seen: Any) -> None:
    result = say({}, {"full_name": "Eve Jones"}, {} if seen == UNSAID else {"full_name": seen}, policy="never")
    assert (result.moved, result.lost) == ({}, {})


def test_a_full_name_follows_the_policy_of_its_own_field() -> None:
    """`full_name: never` in a mapping is not got round by the parts."""
    source = Source("telerivet", 0, lambda field: "never" if field == "full_name" else "latest")
    claim = Claim("full_name", "Eve Smith", 200.0, "record", first=False)
    result = merge(person(**ANN), iter([claim]), {"full_name": "Ann Smith"}, source, {})
    assert (result.moved, result.lost) == ({}, {"full_name": "Eve Smith"})


# flip-flop


def _ping_pong(contact: dict[str, Entry], flips: int) -> tuple[dict[str, Entry], Any]:
    """Strive and Telerivet put it back and forth so many times."""
    words, result = {"strive": "Macon", "telerivet": "Atlanta"}, None
    for turn in range(flips):
        by, other = ("telerivet", "strive") if turn % 2 == 0 else ("strive", "telerivet")
        contact = after(contact, result) if result else contact
        result = say(contact, {"city": words[by]}, {"city": words[other]}, by=by, at=200.0 + turn)
    return contact, result


def test_a_field_two_sides_keep_flipping_is_held_at_the_third_flip() -> None:
    """The first change is an edit, and no flip: only what comes back is."""
    start = {"city": entry("Macon")}
    for turns in (1, 2, 3):
        before, result = _ping_pong(start, turns)
        assert result.flipping == {}
        assert after(before, result)["city"].flips == turns - 1
    before, result = _ping_pong(start, 1 + FLIPS)
    assert FLIPS == 3
    assert result.flipping.keys() == {"city"}
    assert result.flipping["city"].value == "Macon"
    assert result.moved["city"] == before["city"]._replace(flips=FLIPS)  # not applied
    assert result.lost == {}


@pytest.mark.parametrize("by", ["strive", "telerivet", "boss"])
def test_nobody_s_word_counts_while_a_field_is_held(by: str) -> None:
    """Nor is anybody owed the other word: that would be ping-pong by other means."""
    contact = {"city": entry("Macon", was="Atlanta", flips=FLIPS)}
    assert say(contact, {"city": "Rome"}, {"city": "Macon"}, by=by, at=999.0) == say({}, {})


def test_a_held_name_is_not_played_with_either() -> None:
    """A side with one name field that rewrites it again is not written to again."""
    contact = {"given_name": entry("Ann", was="Eve", flips=FLIPS), "family_name": entry("Smith")}
    result = say(contact, {"full_name": "Eve Smith"}, {"full_name": "Ann Smith"}, at=999.0)
    assert result == say({}, {})


def test_a_name_is_held_at_the_third_flip_too() -> None:
    contact = {"given_name": entry("Ann", was="Eve", flips=FLIPS - 1), "family_name": entry("Smith")}
    result = say(contact, {"full_name": "Eve Smith"}, {"full_name": "Ann Smith"}, at=999.0)
    assert result.flipping.keys() == {"given_name"}
    assert result.moved["given_name"].value == "Ann"


def test_blanking_what_was_blank_before_is_a_flip() -> None:
    result = say({"city": entry("Macon")}, {"city": None}, {"city": "Macon"})
    assert result.moved["city"].flips == 1


@pytest.mark.parametrize(
    ("says", "by", "seen", "flips"),
    [
        ("Rome", "telerivet", {"city": "Macon"}, 0),  # a third value is an edit
        ("Atlanta", "strive", {"city": "Macon"}, 2),  # one's own change of mind is no flip, but forgets none
        ("Atlanta", "telerivet", {}, 0),  # first contact is no flip
        ("Atlanta", "telerivet", {"city": "Macon"}, 3),
    ],
)
def test_what_counts_as_a_flip(says: str, by: str, seen: dict[str, Value], flips: int) -> None:
    contact = {"city": entry("Macon", was="Atlanta", flips=2)}
    assert say(contact, {"city": says}, seen, by=by).moved["city"].flips == flips
