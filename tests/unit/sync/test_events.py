"""What happens to a contact, and which rules it fires."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.platforms.base import Evidence
from daemon.sync.events import Happened, fired, happened, yeses
from daemon.sync.heard import Heard
from daemon.sync.merge import Merged
from mappings.contact import View
from mappings.outreach import OutreachRule, When
from state.model import Contact, Entry


def rule(kind: Any, name: str, value: str | None = None) -> OutreachRule:
    return OutreachRule(f"{kind}:{name}:{value}", When(kind, name, value), "campaign", {})


def names(rules: list[OutreachRule], what: Happened) -> list[tuple[str, str]]:
    return [(each.name, field) for each, field in fired(rules, what)]


def test_a_tag_gained_fires_the_rules_about_it_whatever_its_capitals() -> None:
    rules = [rule("tag", "Wrote letter"), rule("tag", "Called"), rule("field", "tags")]
    assert names(rules, Happened(tags=["wrote LETTER", "x"])) == [("tag:Wrote letter:None", "tags")]


@pytest.mark.parametrize(
    ("before", "after", "any_value", "is_ga"),
    [
        (None, "GA", True, True),
        ("NY", "ga", True, True),
        ("GA", "NY", True, False),
        ("GA", "GA", False, False),
        ("GA", None, False, False),
        ("ga", "GA", True, False),
    ],
)
def test_a_field_set_fires_and_a_field_emptied_does_not(before: Any, after: Any, any_value: bool, is_ga: bool) -> None:
    """`is`: only when it becomes this; that it was this in other letters is no event."""
    what = Happened(fields={"region": (before, after)})
    assert [name for name, _ in names([rule("field", "region"), rule("field", "city")], what)] == (
        ["field:region:None"] if any_value else []
    )
    assert bool(names([rule("field", "region", "GA")], what)) is is_ga


def test_a_consent_given_fires_the_rule_of_its_channel() -> None:
    rules = [rule("consent", "consent.sms"), rule("consent", "consent.email")]
    assert names(rules, Happened(consents=["consent.email"])) == [("consent:consent.email:None", "consent.email")]


def test_nothing_happened_fires_nothing() -> None:
    assert names([rule("tag", "a"), rule("field", "city"), rule("consent", "consent.sms")], Happened()) == []


# what a reading did


def contact(**values: Any) -> Contact:
    return Contact(1, {k.replace("__", "."): Entry(v, 1.0, "strive", "record") for k, v in values.items()}, 0.0)


def heard(
    view: View, *, at: float | None = None, window: tuple[float, float] = (50.5, 99.9), **evidence: float
) -> Heard:
    said = {name: Evidence(when, "csv") for name, when in evidence.items()}
    return Heard("x", view, (), None, at, "", window, said)


def entry(value: Any) -> Entry:
    return Entry(value, 1.0, "strive", "record")


def test_what_moved_and_was_not_known_has_happened() -> None:
    moved = Merged(moved={"city": entry("Rome"), "tags": entry(["a", "b"])}, tags={"tags": (["b"], ["c"])})
    now = contact(city="Rome", tags=["a", "b"])
    what = happened(now, heard({}), moved, old={"city": "Athens"}, known={"city": "Athens"}, said_yes=frozenset())
    assert (list(what.tags), what.fields, set(what.consents)) == (["b"], {"city": ("Athens", "Rome")}, set())


def test_what_the_record_had_said_before_is_history() -> None:
    """It was held, or out of scope, when it first said so."""
    moved = Merged(moved={"city": entry("Rome"), "tags": entry(["B"])}, tags={"tags": (["B"], [])})
    known: View = {"city": "Rome", "tags": ["b"], "consent.sms": "subscribed"}
    now = contact(city="Rome", tags=["B"], consent__sms="subscribed")
    what = happened(now, heard({"consent.sms": "subscribed"}), moved, old={}, known=known, said_yes=frozenset())
    assert what == Happened([], {}, set())


def test_a_field_that_keeps_flipping_is_held_and_no_event() -> None:
    moved = Merged(moved={"city": entry("Rome")}, flipping={"city": None})  # type: ignore[dict-item]
    what = happened(contact(city="Rome"), heard({}), moved, old={"city": "Athens"}, known={}, said_yes=frozenset())
    assert what.fields == {}


@pytest.mark.parametrize(
    ("says", "effective", "before", "given"),
    [
        ("subscribed", "subscribed", False, True),
        ("subscribed", "subscribed", True, False),
        ("subscribed", "unsubscribed", False, False),
        ("unknown", "subscribed", False, False),
    ],
)
def test_a_yes_is_given_when_the_contact_as_a_whole_did_not_say_so_before(
    says: str, effective: str, before: bool, given: bool
) -> None:
    """And it is this record that says so; a "no" elsewhere still stands above it."""
    said_yes = frozenset(["consent.email"]) if before else frozenset[str]()
    now = contact(consent__email=effective)
    what = happened(now, heard({"consent.email": says}), Merged(), old={}, known={}, said_yes=said_yes)
    assert set(what.consents) == ({"consent.email"} if given else set())


def test_the_channels_on_which_a_contact_says_yes() -> None:
    assert yeses(contact(consent__email="subscribed", consent__sms="unsubscribed")) == {"consent.email"}
    assert yeses(contact()) == frozenset()


# when


def test_the_time_of_an_event_is_what_the_feed_tells_of_the_field() -> None:
    """The same however often it is read; and it came about since the reading before."""
    assert heard({}, at=79.0, window=(10.0, 80.0), tags=70.9).happened("tags") == (10, 70)
    assert heard({}, at=79.0, window=(75.0, 500.0), tags=70.9).happened("tags") == (70, 70)


def test_where_the_feed_tells_only_of_the_record_it_happened_since_the_last_reading_and_by_then() -> None:
    assert heard({}, at=79.9).happened("tags") == (50, 79)
    assert heard({}, at=40.0).happened("tags") == (40, 40)


def test_where_the_feed_tells_nothing_it_happened_by_the_time_of_reading() -> None:
    assert heard({}).happened("tags") == (50, 99)


def test_a_clock_that_runs_ahead_does_not_make_it_happen_tomorrow() -> None:
    assert heard({}, tags=5000.0).happened("tags") == (50, 99)
    assert heard({}, at=5000.0, window=(-20.0, 60.0)).happened("tags") == (0, 60)
