"""What a run is made of: its options, and one connection's turn in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from daemon.errors import RosterdError
from daemon.platforms.base import Connector
from daemon.platforms.gate import Freshness
from daemon.sync.books import Books, Report
from daemon.sync.delivery import Stop
from daemon.sync.leases import Held
from daemon.sync.planned import Selection
from daemon.sync.reading import Pass
from daemon.sync.roster import Roster, Side
from state.model import Account

SLICE = 30.0
"""Seconds that a turn of a long run gives to a backlog, at the least, before it looks for what is fresher."""
LOOK_UP = 60.0
"""Seconds after which a long sweep makes room: for its feed if that is due, and for what has been planned so far."""


@dataclass(frozen=True, slots=True)
class Options:
    """`full`: read everything, whatever the schedule says. `due`: read only where `every` has passed since the last
    time; what is owed is sent all the same. `only`: these connections (all when empty). `these`: nothing is sent but
    these pushes, which a person has looked at: the fuse has no say in them.

    `served`: a turn of a long run, by the worker of this name. A "no" goes out between pages and batches; a sweep makes
    room for what is fresher, a backlog goes on in the next turn; what failed is tried again later, not at once.
    """

    full: bool = False
    due: bool = False
    only: frozenset[str] = frozenset()
    send: bool = True
    these: Selection | None = None
    served: str | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Set when `stop` is, or when the time from `since` to `at` is over; also if the clock is set back before it."""

    stop: Stop
    clock: Callable[[], float]
    since: float
    at: float

    def is_set(self) -> bool:
        return self.stop.is_set() or not self.since <= self.clock() < self.at


@dataclass(slots=True)
class Turn:
    """One connection's part in one run."""

    side: Side
    account: Account
    books: Books
    connector: Connector
    reading: Pass
    started: float
    held: Held | None = None  # our hold on it, where several workers share the database
    read_all_at: float | None = None
    looked_up: float = 0.0  # when a long sweep last made room
    aside: bool = False  # it is making room just now
    cannot_write: bool = False  # that failed between two pages
    problem: RosterdError | None = None

    @property
    def has_feed(self) -> bool:
        """Whether its feed can be read while a sweep is under way: it has one, and that has a place to go on from.
        (A sweep that an older release began keeps the only place there is.)"""
        account = self.account
        has_place = account.feed is not None or account.sweep == account.swept
        return account.primed and has_place and not self.connector.feed_is_sweep

    @contextlib.contextmanager
    def as_fresh(self, freshness: Freshness) -> Iterator[None]:
        """What is called within goes before, or behind, others who use the credential."""
        line = self.connector.line
        if line is None:
            yield
            return
        before, line.freshness = line.freshness, freshness
        try:
            yield
        finally:
            line.freshness = before


@dataclass(slots=True)
class Cycle:
    """One run under way."""

    roster: Roster
    options: Options
    report: Report
    stop: Stop
    progress: Callable[[str, str, Books], None]
    turns: dict[str, Turn] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)  # our leases, to be given back at the end whatever happens

    def until(self, turn: Turn) -> Stop:
        """When a backlog should make room: as the next reading is due."""
        if self.options.served is None:
            return self.stop
        now = self.roster.clock()
        next_poll = (turn.account.polled_at or now) + turn.side.every
        return Until(self.stop, self.roster.clock, now, max(now + SLICE, min(next_poll, now + turn.side.every)))

    @contextlib.contextmanager
    def holding(self, turn: Turn) -> Iterator[None]:
        """This thread's writes are those of the turn's lease, if there are leases. Raises Overtaken."""
        if turn.held is None or self.roster.keeper is None:
            yield
        else:
            with self.roster.keeper.holding(turn.held):
                yield
