"""What is usual for a connection, and what is not: a feed that went silent, far more changes than ever. Pure.

Everything is told from how many records *changed* in each hour (hours since 1970), which only the connection's own
past is compared with: the last 28 days, once there are 7 (the very first day, when everything is new, is left out).
Reading everything anew, as a sweep does, is no change. An hour without a row was not looked at: nothing is concluded
from it, so a machine that was off is neither a silent feed nor a usual weekend; and what has gathered meanwhile may be
as much more as the hours it gathered in.

**Silent**: no change for longer than 6 hours, and longer than 3 times its longest quiet stretch. A feed that had
changes on fewer than 5 days has no such norm.

**Unusual**: in one hour more than 100, more than 10 times what 95 of 100 hours stay within, and more than 3 times its
busiest hour.

The longest and the busiest are robust: with three weeks of history one outlier is left out, with four weeks two. So a
past outage or import does not make the next one usual, while what happens every week still counts: it is seen at
least twice more. Of quiet stretches only so many are left out when there are at least 50 for each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WINDOW = 28 * 24
"""Hours of the past that are looked at."""
LEAST_DAYS = 7
FIRST_DAY = 24
ACTIVE_DAYS = 5
LEAST_QUIET = 6
LEAST_BURST = 100

Changes = Mapping[int, int]
"""How many records changed, by hour."""


@dataclass(frozen=True, slots=True)
class Norm:
    """What is usual for one connection."""

    quiet: int | None
    """Its longest stretch without a change, in hours; None: it is too irregular to say."""
    busiest: int
    """The most changes in an hour."""
    most: int
    """More than so many in one hour are unusual."""

    @property
    def patience(self) -> int | None:
        """Without a change for longer than so many hours, it is silent."""
        return None if self.quiet is None else max(LEAST_QUIET, 3 * self.quiet)


@dataclass(frozen=True, slots=True)
class Quiet:
    """How long nothing has changed: for so many hours that were looked at, since the hour `last`."""

    hours: int
    last: int


def reach(every: float) -> int:
    """How many hours one row may speak for, of a connection that is read every so many seconds."""
    return 1 + math.ceil(every / 3600)


def norm(changes: Changes, hour: int, far: int) -> Norm | None:
    """What was usual before `hour`; None while too little is known. `far`: as `reach` says."""
    past = {at: changed for at, changed in changes.items() if hour - WINDOW <= at < hour}
    start = _start(past, hour)
    days = (hour - start) // 24
    if days < LEAST_DAYS:
        return None
    past = {at: changed for at, changed in past.items() if at >= start}
    outliers = max(0, days // 7 - 2)
    busiest = _busiest(past, start, days, outliers)
    most = max(LEAST_BURST, 10 * _within(past, hour - start), 3 * busiest)
    return Norm(_longest_quiet(past, far, outliers), busiest, most)


def _start(past: Changes, hour: int) -> int:
    """The first hour that counts."""
    first = min(past, default=hour)
    return first if first == hour - WINDOW else first + FIRST_DAY


def _busiest(past: Changes, start: int, days: int, outliers: int) -> int:
    """The busiest hour of the busiest day but `outliers`."""
    by_day = [0] * (days + 1)
    for at, changed in past.items():
        day = (at - start) // 24
        by_day[day] = max(by_day[day], changed)
    return sorted(by_day, reverse=True)[outliers]


def _within(past: Changes, hours: int) -> int:
    """What 95 of 100 hours stay within."""
    rank = math.ceil(0.95 * hours)
    counts = sorted(past.values())
    unseen = hours - len(counts)  # without a row: as if nothing had changed
    return counts[rank - unseen - 1] if rank > unseen else 0


def _longest_quiet(past: Changes, far: int, outliers: int) -> int | None:
    if len({at // 24 for at, changed in past.items() if changed}) < ACTIVE_DAYS:
        return None
    found = sorted(_stretches(past, far), reverse=True)
    return found[min(outliers, len(found) // 50)]


def _stretches(past: Changes, far: int) -> Iterator[int]:
    """From one change to the next, in hours that were looked at."""
    quiet, before, begun = 0, None, False
    for at in sorted(past):
        quiet += 0 if before is None else min(at - before, far)
        before = at
        if past[at]:
            if begun:
                yield quiet
            quiet, begun = 0, True


def quiet(changes: Changes, until: int, far: int) -> Quiet | None:
    """How long nothing had changed by hour `until`, the last that was read; None: nothing ever did.

    A change that was noted later, at the end of a reading that began in that hour, ends it all the same.
    """
    last = max((at for at, changed in changes.items() if changed), default=None)
    if last is None:
        return None
    after = sorted(at for at in changes if last <= at <= until)
    hours = sum(min(at - before, far) for before, at in itertools.pairwise(after))
    return Quiet(hours, last)


def burst(changes: Changes, hour: int, found: Norm, far: int) -> int | None:
    """The hour, this or the one before, in which unusually much changed; None: in neither."""
    return next((at for at in (hour - 1, hour) if _is_burst(changes, at, found, far)), None)


def _is_burst(changes: Changes, at: int, found: Norm, far: int) -> bool:
    before = max((each for each in changes if each < at), default=at - 1)
    gathered = math.ceil((at - before) / far)
    return changes.get(at, 0) > found.most * gathered
