"""What a run is made of: its options, and one connection's turn in it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from daemon.errors import RosterdError
from daemon.platforms.base import Connector
from daemon.platforms.gate import Freshness
from daemon.sync.books import Books, Report
from daemon.sync.deliver import Stop
from daemon.sync.leases import Held
from daemon.sync.planned import Selection
from daemon.sync.reading import Pass
from daemon.sync.roster import Roster, Side
from state.model import Account

SLICE = (60.0, 300.0)
"""Seconds, least and most, that a turn of a long run gives to what can wait, before it looks for what cannot."""


@dataclass(frozen=True, slots=True)
class Options:
    """`full`: read everything, whatever the schedule says. `due`: read only where `every` has passed since the last
    time; what is owed is sent all the same. `only`: these connections (all when empty). `these`: nothing is sent but
    these pushes, which a person has looked at: the fuse has no say in them.

    `served`: a turn of a long run, by the worker of this name. A "no" goes out between pages and batches; a sweep or a
    backlog yields after a while to what is fresher, and goes on in the next turn; what failed is tried again later,
    not at once.
    """

    full: bool = False
    due: bool = False
    only: frozenset[str] = frozenset()
    send: bool = True
    these: Selection | None = None
    served: str | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Set when `stop` is, or when the time is over."""

    stop: Stop
    clock: Callable[[], float]
    at: float

    def is_set(self) -> bool:
        return self.stop.is_set() or self.clock() >= self.at


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
    problem: RosterdError | None = None

    @property
    def slice(self) -> float:
        """Seconds for what can wait."""
        least, most = SLICE
        return max(least, min(most, self.side.every))

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
    stop: threading.Event
    progress: Callable[[str, str, Books], None]
    turns: dict[str, Turn] = field(default_factory=dict)

    def until(self, turn: Turn) -> Stop:
        """When what can wait should make room."""
        if self.options.served is None:
            return self.stop
        clock = self.roster.clock
        return Until(self.stop, clock, clock() + turn.slice)
