"""What is due, and when: pure arithmetic on what stands in the database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.service.due import (
    JITTER,
    LONGEST_JITTER,
    STAGGER,
    Owed,
    Standing,
    next_turn,
    spread,
    staggered,
)
from daemon.sync.accounts import LONGEST_REST
from daemon.sync.roster import Side
from daemon.sync.windows import Stretch, Windows
from state.model import Account

NOW = 1_700_000_000.0  # a Tuesday, 22:13:20 UTC
ALL_WEEK = frozenset(range(7))
NOTHING = Owed()
READY, FIRST, READING = Standing(True, False), Standing(False, False), Standing(True, True)


def account(**values: Any) -> Account:
    """Read whole a moment ago, nothing else to say."""
    return Account("a", "twin", "", **{"sweep": 1, "swept": 1, "swept_at": NOW, "polled_at": NOW - 10, **values})


def side(*, every: float = 300.0, quiet: bool = False, maintenance: bool = False) -> Side:
    """`quiet`, `maintenance`: now, until 23:00."""
    late = (Stretch(ALL_WEEK, 22 * 60, 23 * 60),)
    windows = Windows(late if quiet else (), late if maintenance else ())
    return SimpleNamespace(name="a", every=every, windows=windows)  # type: ignore[return-value]


def due_in(one: Account | None, where: Side, owed: Owed = NOTHING, standing: Standing = READY) -> float:
    return next_turn(one, where, owed, standing, NOW) - NOW


def at_next_reading(seconds: float) -> bool:
    return 290 <= seconds <= 290 + 300 * JITTER


def test_when_a_reading_is_due() -> None:
    assert due_in(None, side()) == 0, "a new connection"
    assert at_next_reading(due_in(account(), side()))
    assert due_in(account(polled_at=None), side()) == 0
    assert due_in(account(polled_at=NOW - 1000), side()) < 0, "late: the one that is latest goes first"
    assert due_in(account(asked_at=NOW), side()) == 0, "somebody wants it now"
    assert due_in(account(sweep=2), side()) == 0, "a sweep was broken off"
    assert due_in(account(polled_at=NOW + 3600), side()) == 0, "the clock was set back since"


def test_when_something_owed_is_due() -> None:
    """A "no" always; other things once every connection has been read whole, and not at night; what the fuse has not
    counted, not while somebody reads."""
    some, later = NOW - 5, NOW + 50
    assert due_in(account(), side(), Owed(no=some)) == -5
    assert due_in(account(), side(), Owed(no=some), FIRST) == -5
    assert due_in(account(), side(quiet=True), Owed(no=some)) == -5
    assert due_in(account(), side(), Owed(passed=later)) == 50, "a retry that waits"
    assert at_next_reading(due_in(account(), side(), Owed(passed=some), FIRST))
    assert due_in(account(), side(), Owed(passed=some), READING) == -5
    assert due_in(account(), side(), Owed(uncounted=some)) == -5
    assert at_next_reading(due_in(account(), side(), Owed(uncounted=some), READING))
    assert due_in(account(), side(every=7200.0, quiet=True), Owed(passed=some)) == 2800, "when the night is over"
    assert due_in(account(plan_after=0), side()) == 0, "somebody is to be planned for"
    assert at_next_reading(due_in(account(plan_after=0), side(), standing=FIRST))


def test_a_rest_comes_before_everything() -> None:
    owed = Owed(no=NOW)
    assert due_in(account(paused_until=NOW + 40), side(), owed) == 40
    assert due_in(account(paused_until=NOW - 40), side(), owed) == 0
    assert due_in(account(paused_until=NOW + LONGEST_REST + 1), side(), owed) == 0, "written by another clock"
    assert due_in(account(asked_at=NOW), side(maintenance=True), owed) == 2800
    assert due_in(account(paused_until=NOW + 40), side(maintenance=True), owed) == 2800
    assert due_in(account(paused_until=NOW + 4000), side(maintenance=True), owed) == 4000


@given(st.floats(1, 30 * 86400), st.integers(0, 86400))
def test_the_next_reading_is_never_early_and_hardly_late(every: float, ago: int) -> None:
    """How soon an opt-out is heard is promised: `every`, and a little."""
    due = due_in(account(polled_at=NOW - ago), side(every=every)) + ago
    assert every <= due + 1e-6
    assert due <= every + min(JITTER * every, LONGEST_JITTER) + 1e-6


@given(st.text(max_size=20), st.integers(0, 2**40))
def test_a_spread_is_always_the_same(name: str, number: int) -> None:
    assert 0 <= spread(name, number) < 1
    assert spread(name, number) == spread(name, number)


def test_a_spread_is_even() -> None:
    found = [spread("a", number) for number in range(1000)]
    assert 0.45 < sum(found) / 1000 < 0.55
    assert len({round(each, 2) for each in found}) > 90


@given(st.dictionaries(st.text("abcdef", min_size=1), st.floats(NOW - 1e6, NOW + 1e6), max_size=8))
def test_late_turns_come_one_after_another_the_latest_first(moments: dict[str, float]) -> None:
    found = staggered(moments, NOW)
    assert found.keys() == {name for name, at in moments.items() if at <= NOW}, "who is not late, is not held up"
    in_order = sorted(found, key=lambda name: found[name])
    assert [found[name] for name in in_order] == [pytest.approx(NOW + STAGGER * n) for n in range(len(found))]
    assert [moments[name] for name in in_order] == sorted(moments[name] for name in in_order)
