"""What the service does for its database between other work: old rows go, a few at a time; at night the file is tidied.

When that was last done is not written down anywhere: whether a row is old is in the row, whether the file is worth
shrinking is in the file. So a restart forgets nothing, and one that comes every minute does nothing over and over.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

import structlog
from sqlalchemy import text

from daemon.settings import Settings
from state import upkeep
from state.keep import Ages, Pruned, prune
from state.store import Store, Tx
from state.trouble import trouble_of

log = structlog.get_logger("rosterd.keeping")

NIGHT = (2, 5)
"""Hours of the day, local time, between which the file may be closed to writers for a while."""
_ONE_AT_A_TIME = 7263847
"""The advisory lock of whoever prunes on PostgreSQL; any number that only rosterd uses."""


class Keeping:
    """One of these in each process. `clock`: seconds since 1970."""

    def __init__(self, settings: Settings, store: Store, *, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self.reload(settings)
        self._due = clock()
        self._gone = Pruned()

    def reload(self, settings: Settings) -> None:
        self._rows, self._ages = settings.keep.rows, ages(settings)

    @property
    def due_at(self) -> float:
        """When `step` has something to do again."""
        return self._due

    def step(self, *, idle: bool = True) -> bool:
        """One short piece of work, if any is due; True when more of it waits. `idle`: nobody wants to write just now.
        Raises DBAPIError."""
        now = self._clock()
        if now < self._due:
            return False
        with self._store.transaction() as tx:
            done = prune(tx, now=now, ages=self._ages, rows=self._rows) if _ours(tx) else Pruned()
        self._gone.add_all(done)
        if done.more:
            return True
        self._finish(now, idle)
        return False

    def _finish(self, now: float, idle: bool) -> None:
        if self._gone.total:
            log.info("keeping.pruned", **self._gone.rows)
        self._gone = Pruned()
        self._due = next_night(now)
        if self._store.path is not None and idle:
            upkeep.tidy(self._store)
            self._shrink(now)

    def _shrink(self, now: float) -> None:
        """At night only, when it is worth it, and when there is room to do it in."""
        if not at_night(now) or not upkeep.room(self._store).worth_it:
            return
        if short := upkeep.short_of(self._store):
            log.warning("keeping.not_shrunk", why=short, hint="make room, then: rosterd db vacuum")
            return
        began = time.monotonic()
        try:
            before, after = upkeep.vacuum(self._store)
        except sqlite3.Error as problem:
            trouble = trouble_of(problem)
            log.warning("keeping.not_shrunk", why=trouble.text, hint=trouble.hint)
            return
        seconds = round(time.monotonic() - began, 1)
        log.info("keeping.shrunk", before_mb=before.size >> 20, after_mb=after.size >> 20, seconds=seconds)


def ages(settings: Settings) -> Ages:
    keep = settings.keep
    return Ages(*(each.total_seconds() for each in (keep.journal, keep.runs, keep.hours, keep.holds)))


def _ours(tx: Tx) -> bool:
    """Of several workers on PostgreSQL one prunes at a time; two would lock each other's rows."""
    if tx.db.dialect.name != "postgresql":
        return True
    return bool(tx.db.execute(text("select pg_try_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME}).scalar())


def at_night(now: float) -> bool:
    first, last = NIGHT
    return first <= time.localtime(now).tm_hour < last


def next_night(now: float) -> float:
    """The next beginning of a night after `now`, local time; where the clocks change over it, within an hour of it."""
    today = time.localtime(now)
    nights = (time.mktime((today.tm_year, today.tm_mon, today.tm_mday + day, NIGHT[0], *_SHARP)) for day in range(3))
    return next(night for night in nights if night > now)


_SHARP = (0, 0, 0, 0, -1)
"""The rest of a time of day: on the hour; whether it is summer time is for the zone to say."""
