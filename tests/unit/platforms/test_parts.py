"""The small parts: runs of ids, pages by marker, times, and what a log row says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import RetryLater
from daemon.platforms.answers import Answer
from daemon.platforms.paging import by_marker
from daemon.platforms.postgrest import seconds, stamp
from daemon.platforms.runs import Runs
from daemon.platforms.strive_feed import changed_keys, new_values

ids = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 100)), max_size=40)


@given(st.lists(ids, max_size=4))
def test_runs_hold_exactly_what_was_added(batches: list[list[tuple[int, float]]]) -> None:
    runs, added = Runs(), {id_ for batch in batches for id_, _ in batch}
    for batch in batches:
        runs.add(batch)
        runs = Runs(runs.as_json())
    assert {id_ for id_ in range(70) if id_ in runs} == added
    missing = {id_ for after, before in runs.gaps() for id_ in range(after + 1, before)}
    assert missing == set(range(1, max(added, default=0))) - added


@given(ids, st.integers(1, 5))
def test_runs_that_are_too_many_grow_together_from_the_oldest(found: list[tuple[int, float]], most: int) -> None:
    runs = Runs(most=most)
    runs.add(found)
    assert len(runs.as_json()) <= most
    assert all(id_ in runs for id_, _ in found)


def test_runs_forget_what_is_old_but_not_what_grew_on() -> None:
    runs = Runs()
    runs.add([(1, 10.0), (2, 11.0), (5, 12.0), (9, 40.0), (10, 5.0)])
    runs.forget(12.0)
    assert [id_ for id_ in range(12) if id_ in runs] == [5, 9, 10]


def pages(*given: Any) -> Any:
    """A collection whose pages are these, and the markers it was asked for."""
    asked: list[str] = []

    def ask(marker: str) -> Answer:
        asked.append(marker)
        return Answer(200, given[len(asked) - 1], {})

    return ask, asked


def test_pages_follow_the_markers_to_the_end() -> None:
    ask, asked = pages(
        {"data": [1, 2], "truncated": True, "next_marker": "b"},
        {"data": [3], "truncated": False, "next_marker": None},
    )
    assert list(by_marker(ask, "a")) == [([1, 2], "b"), ([3], "")]
    assert asked == ["a", "b"]


def test_a_truncated_page_may_be_followed_by_an_empty_one() -> None:
    ask, _ = pages(
        {"data": [1], "truncated": True, "next_marker": "b"},
        {"data": [], "truncated": True, "next_marker": "b"},
    )
    assert list(by_marker(ask)) == [([1], "b"), ([], "")]


@pytest.mark.parametrize("following", ["a", None, 7])
def test_pages_that_go_round_are_an_error(following: Any) -> None:
    ask, _ = pages(*[{"data": [1], "truncated": True, "next_marker": following}] * 3)
    with pytest.raises(RetryLater, match="come to an end"):
        list(by_marker(ask, "a"))


@pytest.mark.parametrize("data", [[], {}, {"data": None}, "x", None])
def test_what_is_no_page_is_an_error(data: Any) -> None:
    ask, _ = pages(data)
    with pytest.raises(RetryLater):
        list(by_marker(ask))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-10-18T12:37:59.611+00:00", 1697632679.611),
        ("2023-10-18T12:37:59+00:00", 1697632679),
        ("2023-10-18T12:37:59.6+02:00", 1697625479.6),
        ("2023-10-18T12:37:59.123456", 1697632679.123456),
        ("2023-10-18", 1697587200),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_times_as_postgresql_writes_them(text: Any, expected: float | None) -> None:
    assert seconds(text) == (None if expected is None else pytest.approx(expected, abs=1e-6))


@given(st.floats(0, 4e9))
def test_a_lower_bound_is_never_late_and_has_no_plus(at: float) -> None:
    text = stamp(at)
    assert "+" not in text
    back = seconds(text)
    assert back is not None
    assert at - 1 < back <= at


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        ({"key": "city", "updated_value": "x"}, ["city"]),
        ({"key": "gift", "new_value": {"gift": 1}}, ["custom"]),
        ({"key": None, "previous_value": {"city": "a"}, "new_value": {"city": "b", "gift": 2}}, ["city", "custom"]),
        ({"previous_value": None, "new_value": '{"opt_in": false}'}, ["opt_in"]),
        ({"previous_value": "not json", "new_value": [1]}, []),
        ({}, []),
    ],
)
def test_both_shapes_of_the_log_say_what_changed(row: Any, keys: list[str]) -> None:
    assert changed_keys(row) == keys


def test_both_shapes_of_the_log_say_what_it_became() -> None:
    assert new_values({"key": "opt_in", "updated_value": "false"}) == {"opt_in": "false"}
    assert new_values({"new_value": {"opt_in": False}}) == {"opt_in": False}
