"""What is covered of people: all that is not known to be harmless, whatever row it stands in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import story
from daemon.explain import headline
from daemon.service import page_veil as veil
from daemon.service.page_parts import Html, el, safe
from mappings.contact import FIELDS, SETS
from state.model import Hold, Noted

PRIVATE = "Quixotic"
HARMLESS = {"language", "country"}


@pytest.mark.parametrize("name", [*FIELDS, *SETS, "custom.illness", "external.van", "a_field_of_tomorrow"])
def test_no_field_is_told_whole(name: str) -> None:
    for value in (PRIVATE, [PRIVATE, PRIVATE]):
        shown = str(veil.value(name, value))
        assert (PRIVATE in shown) is (name in HARMLESS)
    assert [veil.value(name, blank) for blank in (None, "", [])] == [None, "", []]


def test_somebody_can_be_recognised() -> None:
    assert veil.value("phone", "+12025550101") == "+1202•••0101"
    assert veil.value("email", "ada@example.org") == "a•••@example.org"
    assert veil.value("full_name", "Ada Sample") == "A••• S•••"
    assert veil.value("consent.sms", "unsubscribed") == "unsubscribed"


STORIES: list[tuple[str, dict[str, Any]]] = [
    ("took", {"given_name": [None, PRIVATE, 5.0, "record"], "notes": [PRIVATE, PRIVATE, 5.0, "record"]}),
    ("overruled", {"city": [PRIVATE, PRIVATE]}),
    ("told", {"city": PRIVATE, "tags": {"add": [PRIVATE], "remove": []}}),
    ("created", {"family_name": PRIVATE, "phone": "+12025550101"}),
    ("foreign_write", {"field": "city", "as": "ours", "value": PRIVATE}),
    ("flipping", {"field": "city", "sides": ["a", "b"], "says": {"a": PRIVATE}}),
    ("merged", {"keep": 1, "drop": 2, "fields": {"city": PRIVATE}}),
    ("refused", {"reason": "ada@example.org and +1 202 555 0101 are known"}),
    ("an_event_of_tomorrow", {"who": PRIVATE, "whom": [PRIVATE], "where": {PRIVATE: PRIVATE}}),
]


@pytest.mark.parametrize(("event", "detail"), STORIES, ids=[event for event, _ in STORIES])
def test_no_story_tells_who(event: str, detail: dict[str, Any]) -> None:
    told = story.told(veil.entry(Noted(event, detail, 1, "strive")))
    assert [word for word in (PRIVATE, "ada@", "555") if word in told] == []


def test_a_story_still_tells_what_happened() -> None:
    took = Noted("took", {"city": [None, "Rome", 5.0, "record"]}, 1, "strive")
    assert story.told(veil.entry(took)) == "strive: city: - → •••"
    no = Noted("consent", {"channel": "sms", "from": "subscribed", "to": "unsubscribed", "how": "keyword"}, 1)
    assert story.told(veil.entry(no)) == "sms: subscribed → unsubscribed (keyword)"


HOLDS: list[tuple[str, dict[str, Any]]] = [
    ("match", {"why": "name_differs", "contacts": [1], "view": {"given_name": PRIVATE, "notes": PRIVATE}}),
    ("flip", {"field": "city", "says": {"a": PRIVATE, "b": PRIVATE}}),
    ("not_stored", {"field": "city", "sent": PRIVATE, "says": PRIVATE}),
    ("unwritable", {"field": "city", "why": "ada@example.org is too long", "value": PRIVATE}),
    ("shared_identifier", {"why": "+12025550101 is theirs", "contacts": [1]}),
]


@pytest.mark.parametrize(("kind", "detail"), HOLDS, ids=[kind for kind, _ in HOLDS])
def test_no_hold_tells_who(kind: str, detail: dict[str, Any]) -> None:
    """Neither in its headline nor anywhere in it."""
    covered = veil.hold(Hold("k", kind, detail, "strive", "9", 1))
    told = f"{headline(covered)} {covered.detail}"
    assert [word for word in (PRIVATE, "ada@", "555") if word in told] == []


# and what is told is text


@given(st.text())
def test_text_is_never_html(text: str) -> None:
    made = el("p", text, title=text)
    assert made.count("<") == 2
    assert made.count(">") == 2
    assert made.count('"') == 2


def test_html_stays_html_and_nothing_is_nothing() -> None:
    assert safe([Html("<b>x</b>"), None, ["<", 7]]) == "<b>x</b>&lt;7"
    assert el("input", required=True, value=None, disabled=False) == "<input required>"
    assert safe("a\x00\x1b[2J\u202eb") == "a[2Jb"
