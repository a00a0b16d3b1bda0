"""What the hours keep, on every engine."""

from __future__ import annotations

import pytest

from state.hours import HourRow
from state.store import Store


class KeepsHours:
    def test_an_hour_adds_up(self, store: Store) -> None:
        """Each turn adds to its connection's hour; of how slow an opt-out was, the slowest stays."""
        with store.transaction() as tx:
            tx.hours.add("strive", 5, read=3, changed=2, sent=1, calls=4, told=1, told_after=10.5, told_slowest=10.5)
            tx.hours.add("strive", 5, read=1, throttled=1, told=2, told_after=9.0, told_slowest=7.0)
            tx.hours.add("strive", 5, told=1, told_after=20.0, told_slowest=20.0)
            tx.hours.add("telerivet", 5, read=9)
        with store.look() as tx:
            assert tx.hours.since(5) == [
                HourRow("strive", 5, 4, 2, 1, 4, 1, 4, 39.5, 20.0),
                HourRow("telerivet", 5, 9),
            ]

    def test_hours_are_told_from_one_on_the_oldest_first(self, store: Store) -> None:
        with store.transaction() as tx:
            for hour in (8, 6, 7):
                tx.hours.add("strive", hour, read=hour)
            tx.hours.add("action_network", 7, read=1)
        with store.look() as tx:
            found = [(row.hour, row.connection) for row in tx.hours.since(7)]
            assert found == [(7, "action_network"), (7, "strive"), (8, "strive")]
            assert tx.hours.since(9) == []

    def test_a_count_that_is_none_is_refused(self, store: Store) -> None:
        """A misspelt count would be lost without a word."""
        with store.transaction() as tx, pytest.raises(TypeError, match="no such count: raed"):
            tx.hours.add("strive", 5, raed=1)
