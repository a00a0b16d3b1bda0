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
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)

from daemon.errors import RosterdError
from daemon.service import due
from daemon.service.metrics import Metrics
from daemon.sync import accounts, agreed, cycle
from daemon.sync.books import Books, Report
from daemon.sync.leases import Held
from daemon.sync.roster import Roster
from daemon.sync.turn import Options
from state.engine import StateError
from state.store import Store
from state.trouble import Trouble, Troubled, trouble_of, writable
from state.workers import WorkerRow

log = structlog.get_logger("rosterd.service")

STUCK = 900.0
"""Seconds without a page, a batch or an end after which a turn is taken for stuck. One call may take minutes."""
TROUBLE_WAIT = (1.0, 30.0)
"""Seconds, first and most, between two looks whether the database is well again."""
RELAPSE = 120.0
"""Seconds. Trouble that comes back so soon is waited out longer: a disk with room for a try, and not for a turn."""


@dataclass(slots=True)
class Running:
    """A turn under way. `moved`: when it last did something, on the monotonic clock."""

    started: float
    moved: float
    configuration: str = ""
    doing: str = "begins"

    def words(self, now: float) -> str:
        """What it does; and, once that is a minute or more, for how long nothing has come of it."""
        minutes = int((now - self.moved) // 60)
        return f"{self.doing}, nothing new for {minutes} min" if minutes else self.doing


@dataclass(slots=True)
class Ailing:
    """The database is in trouble: what, since when, and when it is looked at again."""

    trouble: Trouble
    since: float
    wait: float
    next_look: float


@dataclass(frozen=True, slots=True)
class _Ends:
    """When a turn is to end after the page or batch in hand: we are asked to stop, or its configuration is old."""

    worker: Worker
    configuration: str

    def is_set(self) -> bool:
        worker = self.worker
        return worker.stop.is_set() or worker.outdated is not None or worker.configuration != self.configuration


@dataclass(slots=True)
class Worker:
    """`name`: of this process among all that work on the database. `told`: after each turn, with what it did.
    `configuration`: names the one it goes by, loaded at `loaded_at` by the database's clock. Until that is `announced`
    to the other workers no turn is begun."""

    name: str
    store: Store
    roster: Roster
    metrics: Metrics
    stop: threading.Event
    told: Callable[[str, Report], None] = lambda *_: None
    monotonic: Callable[[], float] = time.monotonic
    configuration: str = field(init=False)
    loaded_at: float = float("inf")
    announced: bool = True
    running: dict[str, Running] = field(default_factory=dict)
    outdated: WorkerRow | None = None  # who goes by a newer configuration: everything is left to him
    ailing: Ailing | None = None
    looked_at: float = float("-inf")  # when the database last answered, on the monotonic clock
    not_before: dict[str, float] | None = None  # of those that were late at the start: when their first turn comes
    _wait: float = TROUBLE_WAIT[0]
    _well_since: float = float("-inf")
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.configuration = agreed.name_of(self.roster)

    def take(self, roster: Roster) -> None:
        """Go by another configuration from now on, once that is announced. Turns under way end at the next page."""
        self.announced, self.loaded_at, self.outdated = False, float("inf"), None
        self.roster, self.configuration = roster, agreed.name_of(roster)

    # what is due

    def look(self) -> dict[str, float]:
        """When each connection's next turn is due, but for those under way. Nothing is, while the database ails."""
        if self.ailing is not None and not self._well_again():
            return {}
        now = self.roster.clock()
        try:
            with self.store.look() as tx:
                self._compare(agreed.newer(tx, self.name, self.configuration, self.loaded_at))
                moments = {} if self.outdated else due.turns(tx, self.roster, now)
        except (SQLAlchemyError, OSError) as problem:
            self.fell_ill(problem)
            return {}
        self.looked_at = self.monotonic()
        if self.not_before is None:
            self.not_before = due.staggered(moments, now)
        moments = {name: max(at, self.not_before.get(name, 0.0)) for name, at in moments.items()}
        return {name: at for name, at in moments.items() if name not in self.running}

    def _compare(self, newer: WorkerRow | None) -> None:
        """Whether somebody goes by a newer configuration; said once."""
        before, self.outdated = self.outdated, newer
        if newer is not None and before is None:
            log.warning("configuration.outdated", worker=newer.name, hint=agreed.HINT)
        elif newer is None and before is not None:
            log.info("configuration.counts_again")

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
                log.error("run.refused", connection=name, error=str(problem), hint=problem.hint)
                self._put_off(name, problem)
            except Exception as problem:
                if _of_the_database(problem):
                    self.fell_ill(problem)
                else:
                    log.exception("turn.defect", connection=name)
                    self._put_off(name, accounts.defect(problem))
        return None

    @contextlib.contextmanager
    def _under_way(self, name: str) -> Iterator[bool]:
        with self._mutex:
            mine = name not in self.running
            if mine:
                now = self.monotonic()
                self.running[name] = Running(now, now, configuration=self.configuration)
        try:
            yield mine
        finally:
            if mine:
                with self._mutex:
                    del self.running[name]

    def _turn(self, name: str) -> Report | None:
        roster, configuration = self.roster, self.running[name].configuration
        keeper = roster.keeper
        assert keeper is not None
        held = self._claim(name, roster, configuration)
        if held is None:
            return None  # another worker is at it, as it should be
        try:
            began = self.monotonic()
            log.info("run.started", connection=name)
            options = Options(only=frozenset({name}), due=True, served=self.name)
            done = cycle.run(roster, options, stop=_Ends(self, configuration), progress=self._progress)
            self._say(name, done, self.monotonic() - began)
        finally:
            keeper.release(held)
        if self.roster is not roster:
            self.ask(read=False)  # it may have failed by what has been mended meanwhile
        self.told(name, done)
        return done

    def _claim(self, name: str, roster: Roster, configuration: str) -> Held | None:
        """Our lease of it; None where another has it, or goes by another configuration."""
        keeper = roster.keeper
        assert keeper is not None
        with self.store.transaction() as tx:
            accounts.introduce(tx, roster)
        held = keeper.claim(roster.group(name))
        if held is None:
            return None
        with contextlib.ExitStack() as otherwise:
            otherwise.callback(keeper.release, held)
            if not self._agreed(configuration):
                return None
            otherwise.pop_all()
        return held

    def _agreed(self, configuration: str) -> bool:
        """Whether this configuration is still ours, and nobody works by another, in this process or elsewhere."""
        with self._mutex:
            here = {self.configuration, *(one.configuration for one in self.running.values())}
        if here != {configuration} or not self.announced:
            return False
        with self.store.look() as tx:
            return agreed.may_begin(tx, self.name, configuration, self.loaded_at)

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

    def _put_off(self, name: str, problem: RosterdError) -> None:
        """The run as a whole could not be: that is this connection's failure, to be tried again later."""
        self.metrics.turn_ended(name, "failed", self.monotonic() - self.running[name].started)
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
            known, now = self.ailing, self.monotonic()
            if known is None:
                self._wait = (
                    min(TROUBLE_WAIT[1], self._wait * 2) if now - self._well_since < RELAPSE else TROUBLE_WAIT[0]
                )
                self.ailing = Ailing(found, now, self._wait, now + self._wait)
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
            self.ailing, self._wait, self._well_since = None, ailing.wait, self.monotonic()
            return True
        ailing.trouble = still
        ailing.wait = min(TROUBLE_WAIT[1], ailing.wait * 2)
        ailing.next_look = self.monotonic() + ailing.wait
        return False

    def stuck(self) -> list[str]:
        """Connections whose turn has not moved for too long."""
        now = self.monotonic()
        return [name for name, one in list(self.running.items()) if now - one.moved > STUCK]


def _of_the_database(problem: Exception) -> bool:
    """Whether it ails, and not only a turn that asked it for something impossible: that is a defect of ours."""
    ours = isinstance(problem, IntegrityError | DataError | ProgrammingError | NotSupportedError)
    return isinstance(problem, DBAPIError | OSError | StateError) and not ours
