"""The charts: every hour in its place, no bar out of the picture, and the numbers beside it in words."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from daemon.service import page_chart as chart
from state.hours import HourRow

NOW = 1_795_867_200.0 + 1800
"""28 November 2026, 12:30 UTC."""
LAST = int(NOW // 3600)


@pytest.fixture
def kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_every_hour_has_its_place_and_connections_are_added_up() -> None:
    rows = [
        HourRow("a", LAST, changed=3, sent=1, told=1, told_after=10.0, told_slowest=10.0),
        HourRow("b", LAST, changed=4, told=3, told_after=90.0, told_slowest=70.0),
        HourRow("a", LAST - chart.HOURS + 1, changed=5),
        HourRow("a", LAST - chart.HOURS, changed=1000),  # before the chart begins
        HourRow("a", LAST + 1, changed=1000),  # of a clock that was ahead
    ]
    hours = chart.by_hour(rows, NOW)
    assert [one.hour for one in hours] == list(range(LAST - chart.HOURS + 1, LAST + 1))
    assert hours[0] == chart.Hour(LAST - chart.HOURS + 1, 5, 0, 0, 0.0, 0.0)
    assert hours[-1] == chart.Hour(LAST, 7, 1, 4, 25.0, 70.0)
    assert hours[1] == chart.Hour(LAST - chart.HOURS + 2, 0, 0, 0, 0.0, 0.0)


@pytest.mark.parametrize("most", [1, 7, 10**9])
def test_no_bar_leaves_the_picture_and_none_is_too_low_to_be_seen(most: int) -> None:
    rows = [HourRow("a", LAST, changed=most, sent=1), HourRow("a", LAST - 1, changed=1, sent=most)]
    drawn = chart.changes(chart.by_hour(rows, NOW))
    bars = [
        (kind, float(y), float(height))
        for kind, y, height in re.findall(r'<rect class="(bar2?)"[^>]* y="([\d.-]+)"[^>]* height="([\d.-]+)"', drawn)
    ]
    assert len(bars) == 4
    for kind, y, height in bars:
        above, below = (0, 50) if kind == "bar" else (50, 100)
        assert height >= 1
        assert above <= y <= y + height <= below
    assert f"{most + 1:,} records changed and {most + 1:,} pushes went out; at most {most:,} an hour" in drawn


def test_an_opt_out_above_the_promise_is_seen_and_said() -> None:
    rows = [
        HourRow("a", LAST, told=1, told_after=900.0, told_slowest=900.0),
        HourRow("a", LAST - 1, told=2, told_after=60.0, told_slowest=50.0),
    ]
    drawn = chart.propagation(chart.by_hour(rows, NOW), promise=360.0)
    assert (drawn.count('<rect class="over"'), drawn.count('<rect class="bar" x')) == (1, 1)
    assert "3 opt-outs were passed on in the last 48 hours; in 1 hour the slowest took longer than" in drawn
    assert all(float(y) >= 0 for y in re.findall(r' y1?="([\d.-]+)"', drawn))


def test_where_clocks_are_half_an_hour_off_an_hour_begins_at_half_past(kolkata: None) -> None:
    rows = [HourRow("a", LAST, changed=3)]
    assert "Sat 17:30" in chart.changes(chart.by_hour(rows, NOW))
