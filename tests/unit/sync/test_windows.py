"""Quiet hours and maintenance windows, also on the nights when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.settings_types import parse_window
from daemon.sync.windows import DAY, Stretch, Windows

NEW_YORK = "America/New_York"
ZONES = ["UTC", NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]
days = st.frozensets(st.integers(0, 6), min_size=1)
stretches = st.builds(Stretch, days, st.integers(0, DAY - 1), st.integers(1, DAY)).filter(
    lambda each: each.begin != each.end
)
moments = st.integers(1_600_000_000, 1_900_000_000).map(float)


def windows(*written: str, zone: str = NEW_YORK) -> Windows:
    return Windows(quiet_hours=tuple(Stretch(*parse_window(each)) for each in written), zone=zone)


def at(text: str, zone: str = NEW_YORK, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("written", "moment", "quiet"),
    [
        ("22:00-07:00", "2026-11-28T21:59:59", False),
        ("22:00-07:00", "2026-11-28T22:00:00", True),
        ("22:00-07:00", "2026-11-29T06:59:59", True),
        ("22:00-07:00", "2026-11-29T07:00:00", False),
        ("sat 22:00-07:00", "2026-11-29T03:00:00", True),  # a night belongs to the day it begins on
        ("sun 22:00-07:00", "2026-11-29T03:00:00", False),
        ("sat,sun 00:00-24:00", "2026-11-29T23:59:59", True),
        ("sat,sun 00:00-24:00", "2026-11-30T00:00:00", False),
    ],
)
def test_when_it_is_quiet(written: str, moment: str, quiet: bool) -> None:
    assert windows(written).quiet(at(moment)) is quiet


@pytest.mark.parametrize(
    ("begins", "ends", "hours"),
    [
        ("2026-11-28T22:00", "2026-11-29T07:00", 9),
        ("2026-03-07T22:00", "2026-03-08T07:00", 8),  # the clocks go forward in this night
        ("2026-10-31T22:00", "2026-11-01T07:00", 10),  # and back in this
    ],
)
def test_a_night_ends_by_the_clock_on_the_wall(begins: str, ends: str, hours: int) -> None:
    night = windows("22:00-07:00")
    assert night.quiet_until(at(begins)) == at(ends)
    assert at(ends) - at(begins) == hours * 3600
    assert not night.quiet(at(ends))
    assert night.quiet(at(ends) - 1)


def test_an_hour_that_does_not_exist_or_comes_twice() -> None:
    """02:00-03:00 is skipped in spring: nothing is quiet. 01:00-02:00 comes twice in autumn, and is quiet twice."""
    spring = windows("02:00-03:00")
    day = at("2026-03-08T00:00")
    assert not any(spring.quiet(day + 60 * minute) for minute in range(DAY))
    autumn = windows("01:00-02:00")
    first = at("2026-11-01T01:30")
    assert autumn.quiet(first)
    assert autumn.quiet(first + 3600)
    assert autumn.quiet_until(first) == at("2026-11-01T02:00")


@given(st.lists(stretches, max_size=3), moments, st.sampled_from(ZONES))
def test_the_end_is_the_first_moment_that_is_not_within(some: list[Stretch], now: float, zone: str) -> None:
    """Or, where there is none in a week, a week later: somebody is never asked about in vain for ever."""
    found = Windows(maintenance=tuple(some), zone=zone)
    end = found.resting_until(now)
    if not found.resting(now):
        return
    assert now < end <= now + 7 * 86400 + 60
    assert found.resting(end - 1)
    if found.resting(end):
        assert end >= now + 7 * 86400 - 60
    assert all(found.resting(now + part * (end - now) / 50) for part in range(50))


@given(stretches, moments, st.sampled_from(ZONES))
def test_a_stretch_is_what_the_wall_clock_says(one: Stretch, now: float, zone: str) -> None:
    """Said once more, the long way: it lies within when the clock passed its beginning later than its end."""
    local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    length = one.end - one.begin if one.end > one.begin else one.end - one.begin + DAY
    begun = [midnight + timedelta(days=-back, minutes=one.begin) for back in (0, 1)]
    within = any(b.weekday() in one.days and b <= local < b + timedelta(minutes=length) for b in begun)
    assert Windows((one,), zone=zone).quiet(now) is within


def test_without_any_it_is_never_quiet() -> None:
    assert not Windows().quiet(0.0)
    assert not Windows().resting(0.0)
