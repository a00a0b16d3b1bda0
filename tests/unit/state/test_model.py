"""Plain rows."""

from __future__ import annotations

from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Contact, Entry, Link, Owed, dumps, loads


def test_lanes_are_in_the_order_they_are_delivered() -> None:
    assert sorted([UPDATE_LANE, CREATE_LANE, CONSENT_LANE]) == [CONSENT_LANE, UPDATE_LANE, CREATE_LANE]


def test_a_push_is_aimed_at_a_record_or_at_one_to_be_made() -> None:
    assert Owed("strive", 1, 7, "x", "update", {}).key == ("strive", "r:x", 1)
    assert Owed("strive", 2, 7, None, "create", {}).key == ("strive", "c:7", 2)
    assert Link("strive", "x", "linked").key == ("strive", "x")


def test_an_entry_is_kept_short_unless_somebody_flips_it() -> None:
    """Most never are, and there are thirteen of them a person."""
    contact = Contact(1, {"a": Entry("x", 1.0, "s", "h"), "b": Entry("x", 1.0, "s", "h", "y", 1)}, 0.0)
    assert loads(contact.packed()) == {"a": ["x", 1.0, "s", "h"], "b": ["x", 1.0, "s", "h", "y", 1]}
    assert (contact.get("a"), contact.get("c")) == ("x", None)


def test_json_there_and_back() -> None:
    value = {"a": [None, 1.5, "São \u2028 \U0001f600"], "b": {}}
    assert loads(dumps(value)) == value
    assert loads(None) is None
