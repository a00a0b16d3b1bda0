"""What is usual for a feed, and what is not: silence and bursts are noticed, cycles and noise are not."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.service import norms

START = 400_000
"""Some hour."""
DAY, WEEK = 24, 7 * 24


@dataclass
class Feed:
    """So many changes in each hour: `base`, by day or by night, on workdays or not, and noise by a factor."""

    base: int
    night: float = 1.0
    weekend: float = 1.0
    noise: float = 0.0
    seed: int = 0

    def hour(self, at: int) -> int:
        level = self.base * (self.night if at % DAY < 9 else 1.0) * (self.weekend if at // DAY % 7 > 4 else 1.0)
        return round(level * random.Random(self.seed * 10_000_019 + at).uniform(1 - self.noise, 1 + self.noise))

    def changes(self, hours: int, start: int = START) -> dict[int, int]:
        return {at: self.hour(at) for at in range(start, start + hours)}


levels = st.sampled_from([0.0, 0.02, 0.2, 1.0])
feeds = st.builds(Feed, st.integers(1, 5000), levels, levels, st.floats(0, 0.7), st.integers(0, 1000))


def silent(changes: dict[int, int], hour: int, far: int = 2) -> bool:
    """Whether it is said to be, at the end of this hour."""
    usual, now = norms.norm(changes, hour - 1, far), norms.quiet(changes, hour, far)
    return bool(usual and now and usual.patience is not None and now.hours > usual.patience)


def unusual(changes: dict[int, int], hour: int, far: int = 2) -> bool:
    usual = norms.norm(changes, hour - 1, far)
    return usual is not None and norms.burst(changes, hour, usual, far) is not None


def until(changes: dict[int, int], hour: int) -> dict[int, int]:
    return {at: changed for at, changed in changes.items() if at <= hour}


@settings(max_examples=30)
@given(feeds)
def test_a_feed_as_it_always_is_alarms_nobody(feed: Feed) -> None:
    """Constant or by day and week, with noise: for six weeks from its first hour on, looked at through the weeks."""
    changes = feed.changes(6 * WEEK)
    for hour in range(START + 8 * DAY, START + 6 * WEEK, 11):
        so_far = until(changes, hour)
        assert not silent(so_far, hour), hour
        assert not unusual(so_far, hour), hour


@given(feeds, st.integers(8 * DAY + 2, 5 * WEEK))
def test_silence_is_noticed_within_three_times_the_longest_quiet(feed: Feed, after: int) -> None:
    changes = feed.changes(after)
    last = START + after - 1
    usual = norms.norm(changes, last, 2)
    assert usual is not None
    if usual.patience is None:  # too few changes to say
        assert len({at // DAY for at, changed in changes.items() if changed and at < last}) < 2 * norms.ACTIVE_DAYS
        return
    quiet = dict.fromkeys(range(last + 1, last + 2 + usual.patience), 0)
    assert silent({**changes, **quiet}, last + 1 + usual.patience)
    assert usual.patience <= 3 * 5 * DAY


@given(feeds, st.integers(8 * DAY + 2, 5 * WEEK))
def test_a_burst_of_twenty_times_the_busiest_hour_is_noticed_at_once(feed: Feed, after: int) -> None:
    changes = feed.changes(after)
    hour = START + after
    busiest = max(changes.values())
    assert unusual({**changes, hour: max(101, 20 * busiest)}, hour)
    assert unusual({**changes, hour: max(101, 20 * busiest), hour + 1: 0}, hour + 1)
    assert not unusual({**changes, hour: max(101, 20 * busiest), hour + 1: 0, hour + 2: 0}, hour + 2)


@given(feeds, st.integers(1, 7 * DAY + norms.FIRST_DAY - 1))
def test_a_week_must_be_known_first(feed: Feed, hours: int) -> None:
    """And the very first day, when everything is new, counts for nothing."""
    changes = feed.changes(hours)
    assert norms.norm(changes, START + hours, 2) is None


def test_the_first_day_when_everything_is_new_is_no_norm() -> None:
    changes = {**Feed(10).changes(8 * DAY), START: 1_000_000}
    found = norms.norm(changes, START + 8 * DAY, 2)
    assert found == norms.Norm(quiet=1, busiest=10, most=100)


@pytest.mark.parametrize("days", [1, 3])
def test_a_machine_that_was_off_is_no_silent_feed(days: int) -> None:
    """Hours in which nothing was looked at are neither silence, nor what is usual from then on."""
    changes = Feed(10).changes(2 * WEEK)  # too few for one to be left out
    back = START + 2 * WEEK + days * DAY
    assert not silent({**changes, back: 0}, back)
    assert silent({**changes, **dict.fromkeys(range(back, back + 6), 0)}, back + 5)
    later = {**changes, **dict.fromkeys(range(back, back + DAY), 10)}
    found = norms.norm(later, back + DAY, 2)
    assert found is not None
    assert found.patience == 6


@pytest.mark.parametrize(("changed", "alarmed"), [(12 * 300, False), (12 * 300 + 1, True)])
def test_what_gathered_while_nobody_looked_may_be_as_much_more(changed: int, alarmed: bool) -> None:
    changes = Feed(30).changes(3 * WEEK)
    back = START + 3 * WEEK + 23  # 24 hours since the last row, of which one row may speak for two
    assert unusual({**changes, back: changed}, back) is alarmed


def test_one_that_is_read_every_six_hours_is_judged_by_its_readings() -> None:
    """Its rows speak for six hours each: what is between them is no hole."""
    far = norms.reach(6 * 3600)
    changes = dict.fromkeys(range(START, START + 3 * WEEK, 6), 60)
    last = max(changes)
    found = norms.norm(changes, last, far)
    assert found is not None
    assert (found.quiet, found.patience) == (6, 18)
    assert not silent({**changes, last + 6: 0, last + 12: 0, last + 18: 0}, last + 18, far)
    assert silent({**changes, last + 6: 0, last + 12: 0, last + 18: 0, last + 24: 0}, last + 24, far)
    assert unusual({**changes, last + 6: 20 * 60}, last + 6, far)


def test_a_past_outage_and_a_past_import_do_not_become_usual() -> None:
    """Of four weeks the two worst cases are left out: without that, the next outage would be noticed days later."""
    changes = Feed(20).changes(4 * WEEK)
    outage = dict.fromkeys(range(START + 10 * DAY, START + 14 * DAY), 0)
    spoilt = {**changes, **outage, START + 20 * DAY: 9000, START + 21 * DAY: 9000}
    found = norms.norm(spoilt, START + 4 * WEEK, 2)
    assert found == norms.Norm(quiet=1, busiest=20, most=200)


def test_of_few_quiet_stretches_none_is_left_out() -> None:
    """Whoever has changes every other day is often quiet for longer; that is no outage."""
    changes = dict.fromkeys(range(START, START + 4 * WEEK), 0)
    changes |= {START + day * DAY: 3 for day in range(0, 28, 2) if day not in (10, 12)}
    found = norms.norm(changes, START + 4 * WEEK, 2)
    assert found is not None
    assert found.quiet == 6 * DAY


@pytest.mark.parametrize("weeks", [2, 3, 4, 5])
def test_what_happens_every_week_is_usual(weeks: int) -> None:
    """An import each Monday, and quiet weekends; from the second time on nobody is woken."""
    changes = Feed(5, weekend=0.0).changes(weeks * WEEK)
    for at in range(START + (-(START // DAY)) % 7 * DAY + 10, START + weeks * WEEK, WEEK):
        changes[at] = 4000
        if at > START + WEEK + DAY:
            assert not unusual(until(changes, at), at), at
    for hour in range(START + 8 * DAY, START + weeks * WEEK):
        assert not silent(until(changes, hour), hour), hour


@pytest.mark.parametrize("active", [4, 5])
def test_a_feed_with_hardly_any_days_of_change_has_no_norm_of_silence(active: int) -> None:
    changes = dict.fromkeys(range(START, START + 4 * WEEK), 0)
    changes |= {START + day * 5 * DAY + 30: 3 for day in range(active)}
    found = norms.norm(changes, START + 4 * WEEK, 2)
    assert found is not None
    assert (found.quiet is None) == (active < 5)


@pytest.mark.parametrize("rate", [0.3, 5.0])
def test_people_who_come_at_random_alarm_nobody_for_ten_years(rate: float) -> None:
    """Counts as they really are: some an hour by day, a tenth of that by night, nobody knowing of others."""
    chance = random.Random(20)
    changes: dict[int, int] = {}
    for at in range(START, START + 520 * WEEK):
        level = rate * (0.1 if at % DAY < 9 else 1.0)
        changes[at] = sum(chance.random() < level / 20 for _ in range(20))
    recent: dict[int, int] = {}
    for at, changed in changes.items():
        recent[at] = changed
        recent.pop(at - norms.WINDOW - 2, None)
        if at % 97 == 0:
            assert not silent(recent, at), at
            assert not unusual(recent, at), at
