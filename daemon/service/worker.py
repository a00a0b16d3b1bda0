"""One worker: takes the turns that are due, one thread a connection, and looks after the house between them.

It knows no timer and no signal; `daemon.service.run` wakes it, and a test drives it by a clock of its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from daemon.errors import RosterdError
from daemon.service import due
from daemon.service.metrics import Metrics
from daemon.sync import accounts, cycle
from daemon.sync.books import Books, Report
from daemon.sync.leases import Held
from daemon.sync.roster import Roster
from daemon.sync.turn import Options
from state.engine import StateError
from state.store import Store
from state.trouble import Trouble, Troubled, trouble_of, writable

log = structlog.get_logger("rosterd.service")

STUCK = 900.0
"""Seconds without a page, a batch or an end after which a turn is taken for stuck. One call may take minutes."""
TROUBLE_WAIT = (1.0, 30.0)
"""Seconds, first and most, between two looks whether the database is well again."""


@dataclass(slots=True)
class Running:
    """A turn under way. `moved`: when it last did something, on the monotonic clock."""

    started: float
    moved: float
    doing: str = "begins"


@dataclass(slots=True)
class Ailing:
    """The database is in trouble: what, since when, and when it is looked at again."""

    trouble: Trouble
    since: float
    wait: float
    next_look: float


@dataclass(slots=True)
class Worker:
    """`name`: of this process among all that work on the database. `told`: after each turn, with what it did."""

    name: str
    store: Store
    roster: Roster
    metrics: Metrics
    stop: threading.Event
    told: Callable[[str, Report], None] = lambda *_: None
    monotonic: Callable[[], float] = time.monotonic
    running: dict[str, Running] = field(default_factory=dict)
    ailing: Ailing | None = None
    looked_at: float = float("-inf")  # when the database last answered, on the monotonic clock
    not_before: dict[str, float] | None = None  # of those that were late at the start: when their first turn comes
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    # what is due

    def look(self) -> dict[str, float]:
        """When each connection's next turn is due, but for those under way. Nothing is, while the database ails."""
        if self.ailing is not None and not self._well_again():
            return {}
        now = self.roster.clock()
        try:
            with self.store.look() as tx:
                moments = due.turns(tx, self.roster, now)
        except (SQLAlchemyError, OSError) as problem:
            self.fell_ill(problem)
            return {}
        self.looked_at = self.monotonic()
        if self.not_before is None:
            self.not_before = due.staggered(moments, now)
        moments = {name: max(at, self.not_before.get(name, 0.0)) for name, at in moments.items()}
        return {name: at for name, at in moments.items() if name not in self.running}

    def ask(self, *, read: bool) -> None:
        """Somebody has been at it: what waited for a person is tried again. `read`: they want everything read now."""
        with self.store.transaction() as tx:
            for name, account in tx.connections.all().items():
                if name in self.roster.sides and read:
                    tx.connections.put(name, asked_at=self.roster.clock())
                if name in self.roster.sides and accounts.needs_person(account):
                    tx.connections.put(name, paused_until=None)

    # one turn

    def turn(self, name: str) -> Report | None:
        """Take one connection's turn, if nobody else has it. Never raises: what goes wrong is said, and remembered."""
        with self._under_way(name) as mine:
            if not mine or self.stop.is_set() or name not in self.roster.sides:
                return None
            try:
                return self._turn(name)
            except RosterdError as problem:
                self._refused(name, problem)
            except (SQLAlchemyError, OSError, StateError) as problem:
                self.fell_ill(problem)
            except Exception:
                log.exception("turn.defect", connection=name)
                self.stop.wait(5)  # not to fill the disk with tracebacks
        return None

    @contextlib.contextmanager
    def _under_way(self, name: str) -> Iterator[bool]:
        with self._mutex:
            mine = name not in self.running
            if mine:
                now = self.monotonic()
                self.running[name] = Running(now, now)
        try:
            yield mine
        finally:
            if mine:
                with self._mutex:
                    del self.running[name]

    def _turn(self, name: str) -> Report | None:
        roster = self.roster
        keeper = roster.keeper
        assert keeper is not None
        held = self._claim(name)
        if held is None:
            return None  # another worker is at it, as it should be
        try:
            began = self.monotonic()
            log.info("run.started", connection=name)
            options = Options(only=frozenset({name}), due=True, served=self.name)
            done = cycle.run(roster, options, stop=self.stop, progress=self._progress)
            self._say(name, done, self.monotonic() - began)
        finally:
            keeper.release(held)
        if self.roster is not roster:
            self.ask(read=False)  # it may have failed by what has been mended meanwhile
        self.told(name, done)
        return done

    def _claim(self, name: str) -> Held | None:
        with self.store.transaction() as tx:
            accounts.introduce(tx, self.roster)
        assert self.roster.keeper is not None
        return self.roster.keeper.claim(self.roster.group(name))

    def _progress(self, name: str, what: str, books: Books) -> None:
        now = self.running.get(name)
        if now is not None:
            now.moved, now.doing = self.monotonic(), f"{what} {books.read if what == 'read' else books.sent:,}"

    def _say(self, name: str, done: Report, seconds: float) -> None:
        books = done.books[name]
        say = log.warning if done.outcome == "failed" else log.info
        counts = books.counted()
        say("run.finished", run=done.run, connection=name, outcome=done.outcome, seconds=round(seconds, 3), **counts)
        self.metrics.turn_ended(name, done.outcome, seconds)
        self.metrics.calls(name, books.calls, books.throttled)
        for waited in done.told.get(name, ()):
            self.metrics.told_no(name, waited)

    # when something is wrong

    def _refused(self, name: str, problem: RosterdError) -> None:
        """The run as a whole could not be: that is this connection's failure, to be tried again later."""
        log.error("run.refused", connection=name, error=str(problem), hint=problem.hint)
        try:
            with self.store.transaction() as tx:
                account = tx.connections.all()[name]
                accounts.close_turn(tx, account, problem, self.roster.clock(), Books(), patient=True)
        except (SQLAlchemyError, OSError, KeyError) as trouble:
            self.fell_ill(trouble)

    def fell_ill(self, problem: Exception) -> None:
        """The database does not do what it should: no turn is begun until it does again. Said once."""
        cause = problem if isinstance(problem, DBAPIError | OSError) else None
        found = problem.trouble if isinstance(problem, Troubled) else trouble_of(cause) if cause is not None else None
        if found is None:
            found = Trouble("other", f"the database cannot be used ({type(problem).__name__})", "rosterd db check")
        with self._mutex:
            known, first = self.ailing, TROUBLE_WAIT[0]
            now = self.monotonic()
            if known is None:
                self.ailing = Ailing(found, now, first, now + first)
        if known is None:
            log.error("database.trouble", kind=found.kind, error=found.text, hint=found.hint)

    def _well_again(self) -> bool:
        """Look, less and less often, whether a write goes through."""
        ailing, now = self.ailing, self.monotonic()
        if ailing is None:
            return True
        if now < ailing.next_look:
            return False
        try:
            still = writable(self.store)
        except (SQLAlchemyError, OSError) as problem:
            still = trouble_of(problem) if isinstance(problem, DBAPIError | OSError) else ailing.trouble
        self.looked_at = self.monotonic()
        if still is None:
            log.info("database.recovered", seconds=round(now - ailing.since, 1))
            self.ailing = None
            return True
        ailing.trouble = still
        ailing.wait = min(TROUBLE_WAIT[1], ailing.wait * 2)
        ailing.next_look = self.monotonic() + ailing.wait
        return False

    def stuck(self) -> list[str]:
        """Connections whose turn has not moved for too long."""
        now = self.monotonic()
        return [name for name, one in list(self.running.items()) if now - one.moved > STUCK]
