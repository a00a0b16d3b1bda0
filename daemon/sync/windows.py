"""Quiet hours and maintenance windows: when a connection is not written to, and when it is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = 24 * 60
MINUTE, WEEK = 60.0, 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Begins on these days (0: Monday) at minute `begin`, ends at minute `end` of the same day or, if that is not
    later, of the next. In wall-clock time: where the clocks change, a night is an hour longer or shorter."""

    days: frozenset[int]
    begin: int
    end: int

    def covers(self, at: datetime) -> bool:
        minute, day = at.hour * 60 + at.minute, at.weekday()
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        yesterday = (day - 1) % 7
        return (day in self.days and minute >= self.begin) or (yesterday in self.days and minute < self.end)


@dataclass(frozen=True, slots=True)
class Windows:
    """A connection's times. Times given and returned are seconds since 1970."""

    quiet_hours: tuple[Stretch, ...] = ()
    maintenance: tuple[Stretch, ...] = ()
    zone: str = "UTC"

    def quiet(self, now: float) -> bool:
        """Whether people are not to be written to: only a "no" is sent."""
        return bool(self.quiet_hours) and self._within(self.quiet_hours, now)

    def resting(self, now: float) -> bool:
        """Whether the platform is left alone altogether."""
        return bool(self.maintenance) and self._within(self.maintenance, now)

    def quiet_until(self, now: float) -> float:
        """When the quiet hours that `now` lies in are over."""
        return self._end(self.quiet_hours, now)

    def resting_until(self, now: float) -> float:
        return self._end(self.maintenance, now)

    def _within(self, stretches: Iterable[Stretch], now: float) -> bool:
        local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(self.zone))
        return any(each.covers(local) for each in stretches)

    def _end(self, stretches: Iterable[Stretch], now: float) -> float:
        """Minute by minute, which no change of the clocks can confuse; a week at the most."""
        minute = datetime.fromtimestamp(now, UTC).replace(second=0, microsecond=0)
        for _ in range(7 * DAY):
            minute += timedelta(minutes=1)
            if not self._within(stretches, minute.timestamp()):
                break
        return minute.timestamp()


def awake(resting: Callable[[float], bool], since: float, now: float, enough: float) -> bool:
    """Whether more than `enough` seconds between the two moments were none of maintenance: in those it could have been
    read. To the minute, or a sixtieth of `enough`, looking back from `now`."""
    step, at, left = max(MINUTE, enough / 60), now, enough
    while at > since and left >= 0:
        left -= 0.0 if resting(at) else min(step, at - since)
        at -= step
        if left == enough and now - at > WEEK:
            return False  # it is left alone all the time
    return left < 0
