"""The service: wakes the worker when something is due, listens to signals, says to systemd how it is.

APScheduler is the alarm clock; what it wakes us for stands in the database (`due`). The main thread does nothing but
wait for signals and beat: so that whatever hangs elsewhere, a stop is heard, and a clock that jumps is noticed.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from sqlalchemy.exc import SQLAlchemyError

from daemon import assemble
from daemon.errors import BadConfig, Busy, RosterdError, Stopping
from daemon.platforms.http import user_agent
from daemon.platforms.registry import Gates
from daemon.service.alerts import Alarms
from daemon.service.http import Server
from daemon.service.keeping import Keeping
from daemon.service.metrics import Metrics
from daemon.service.notify import Notify
from daemon.service.worker import Worker
from daemon.settings import Settings
from daemon.sync import accounts
from daemon.sync.books import Report
from daemon.sync.leases import Keeper, owner
from daemon.sync.roster import Roster
from state.migrate import HEAD
from state.store import Store

if TYPE_CHECKING:
    from mappings.mapping import Mapping as FieldMapping

log = structlog.get_logger("rosterd.service")

Load = Callable[[], tuple[Settings, Mapping[str, "FieldMapping"]]]
"""Reads the configuration and the mappings anew. Raises BadConfig."""

LOOK, WATCH, KEEP = 1.0, 15.0, 60.0
"""Seconds between two looks at what is due, at what is wrong, and at what is old."""
BEAT = 0.5
JUMP = 2.0
"""Seconds by which the clock may stray from the monotonic one between two beats before it has jumped."""
SILENT = 60.0
"""Seconds without an answer of the database, nor a look whether it is back, after which we are not alive."""
FORGOTTEN = 3600.0
"""Seconds after which a worker that ended without a word is not even listed any more."""
SHORT = 2.0
"""Seconds. A wait up to this long is part of the page or batch in hand; a longer one a stop does not sit out."""
MOST_AT_ONCE = 64
REFUSED = "the configuration has mistakes (see the log): the one before stays in force"


class Service:
    """One process of `rosterd run`. `accepted`: with settings as they come into force, for what is set up by them
    outside of the service."""

    def __init__(
        self, load: Load, *, accepted: Callable[[Settings], None] = lambda _: None, notify: Notify | None = None
    ) -> None:
        self._load, self._accepted = load, accepted
        self.settings, self._mappings = load()
        accepted(self.settings)
        self.notify = notify or Notify.from_environment()
        self.name = owner()
        self.stop, self._wake = threading.Event(), threading.Event()
        self._reload_asked = self._run_asked = self._refused = False
        self._gates: Gates = {}
        self.metrics = Metrics()
        self._drift = self._clock_drift()
        self._petted = float("-inf")
        self._started, self._born = time.time(), time.monotonic()
        self._next: tuple[float, str] | None = None

    # the life of it

    def run(self) -> int:
        """Until a signal ends it. Returns the exit code. Raises Busy where another holds the database."""
        handlers = self._listen()
        try:
            store = self._open()
            if store is None:
                return 0  # ended while it waited for the database
            self._prepare(store)
            try:
                self._begin()
                while not self.stop.is_set():
                    self._wake.wait(BEAT)
                    self._wake.clear()
                    self._beat_safely()
            finally:
                self._end()
            return 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _open(self) -> Store | None:
        """The database. One that is not there yet, as at the start of a machine, is waited for."""
        wait, said = 1.0, False
        while not self.stop.is_set():
            try:
                return assemble.open_store(self.settings.state.url)
            except Busy as problem:
                if self.settings.state.url.startswith("sqlite"):
                    raise  # somebody else works on it
                if not said:
                    log.warning("database.waiting", error=str(problem), hint=problem.hint)
                said = True
            self.notify.status("waiting for the database")
            self.notify.extend(wait + 30)
            self.stop.wait(wait)
            wait = min(30.0, wait * 2)
        return None

    def _prepare(self, store: Store) -> None:
        self.store = store
        if store.revision_before not in (None, HEAD):
            log.info("database.upgraded", before=store.revision_before, now=HEAD)
        self.keeper = Keeper(store, self.name, self.settings.service.lease.total_seconds())
        self.roster = self._make_roster(self.settings, self._mappings, self._gates)
        self.worker = Worker(self.name, store, self.roster, self.metrics, self.stop, self._told, announced=False)
        self.alarms = Alarms(self.settings, store, resting=self._resting)
        self.keeping = Keeping(self.settings, store, clock=time.time)
        self.server = Server(self.settings, store, self.metrics, health=self.health, roster=lambda: self.roster)

    def _begin(self) -> None:
        self.server.start()
        self._seen("begins")
        self.scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"turns": ThreadPoolExecutor(MOST_AT_ONCE), "house": ThreadPoolExecutor(4)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._set_alarms()
        self.scheduler.start()
        self._somebody_was_here(read=False)  # a start often follows upon a mended key
        log.info("service.started", worker=self.name, connections=sorted(self.roster.sides), version=user_agent())
        self.notify.ready(self.doing())

    def _set_alarms(self) -> None:
        jobs = {"look": (self._look, LOOK), "watch": (self._watch, WATCH), "keep": (self._keep, KEEP)}
        for name, (do, seconds) in jobs.items():
            first = datetime.now(UTC)
            self.scheduler.add_job(
                do, "interval", seconds=seconds, id=name, executor="house", next_run_time=first, replace_existing=True
            )

    def _end(self) -> None:
        """Finish what is in hand, within a bound; give back what we hold."""
        self.stop.set()
        self.notify.stopping("finishing the page or batch in hand")
        log.info("service.stopping", running=sorted(self.worker.running))
        scheduler = getattr(self, "scheduler", None)
        if scheduler is not None and scheduler.running:
            scheduler.pause()
        bound = time.monotonic() + self.settings.service.drain.total_seconds()
        drained = self._drain(bound)
        self.server.stop()
        self.alarms.close(max(0.0, min(5.0, bound - time.monotonic())))
        self.keeper.close(in_use=not drained)
        try:
            with self.store.transaction() as tx:
                tx.workers.forget(self.name)
        except (SQLAlchemyError, OSError):
            log.warning("service.left_unsaid", hint="the database is away; the others will notice by themselves")
        log.info("service.stopped", drained=drained)
        if not drained:
            # Threads are in the middle of a call. They may die anywhere: the next start goes on from there.
            os._exit(0)
        if scheduler is not None:
            scheduler.shutdown(wait=False)
        self.store.close()

    def _drain(self, bound: float) -> bool:
        while self.worker.running and time.monotonic() < bound:
            time.sleep(0.02)
        return not self.worker.running

    # signals

    def _listen(self) -> dict[int, Any]:
        def end(number: int, _: FrameType | None) -> None:
            if self.stop.is_set():
                os._exit(128 + number)
            self.stop.set()
            self._wake.set()

        def reload(_: int, __: FrameType | None) -> None:
            self._reload_asked = True
            self._wake.set()

        def run_now(_: int, __: FrameType | None) -> None:
            self._run_asked = True
            self._wake.set()

        def now(number: int, handler: Callable[[int, FrameType | None], None]) -> Any:
            return signal.signal(number, handler)

        wanted = ((signal.SIGTERM, end), (signal.SIGINT, end), (signal.SIGHUP, reload), (signal.SIGUSR1, run_now))
        return {number: now(number, handler) for number, handler in wanted}

    # the beat of the main thread

    def _beat_safely(self) -> None:
        try:
            self._beat()
        except Exception:  # a defect of ours must not take the turns under way with it
            log.exception("service.defect")
            self.stop.wait(BEAT)

    def _beat(self) -> None:
        if self._reload_asked:
            self._reload_asked = False
            self.reload()
        if self._run_asked:
            self._run_asked = False
            self._ask()
        self._notice_jump()
        every = self.notify.watchdog_every
        if every is not None and time.monotonic() - self._petted >= every and self.health()[0]:
            self._petted = time.monotonic()
            self.notify.watchdog()
        self.notify.status(self.doing())

    @staticmethod
    def _clock_drift() -> float:
        return time.time() - time.monotonic()

    def _notice_jump(self) -> None:
        """Timers that were set by the clock before are set anew."""
        drift = self._clock_drift()
        jumped, self._drift = drift - self._drift, drift
        if abs(jumped) > JUMP:
            log.warning("clock.jumped", seconds=round(jumped, 1))
            self.worker.not_before = {}  # those were times of the clock before
            self.scheduler.remove_all_jobs()
            self._set_alarms()

    def _ask(self) -> None:
        log.info("service.run_now")
        self._somebody_was_here(read=True)

    def _somebody_was_here(self, *, read: bool) -> None:
        try:
            self.worker.ask(read=read)
        except (SQLAlchemyError, OSError) as problem:
            self.worker.fell_ill(problem)
        self._look_now()

    # the alarms

    def _look(self) -> None:
        """See what is due, and set the alarms accordingly."""
        now = time.time()
        moments = self.worker.look()
        self._next = min(((at, name) for name, at in moments.items()), default=None)
        for name, at in moments.items():
            when = datetime.fromtimestamp(max(at, now), UTC)
            job = self.scheduler.get_job(f"turn:{name}")
            if job is None or abs((job.next_run_time - when).total_seconds()) > LOOK / 2:
                alarm = DateTrigger(when, timezone=UTC)
                self.scheduler.add_job(
                    self._turn, alarm, [name], id=f"turn:{name}", executor="turns", replace_existing=True
                )

    def _look_now(self) -> None:
        if not self.stop.is_set() and self.scheduler.running and self.scheduler.get_job("look") is not None:
            self.scheduler.modify_job("look", next_run_time=datetime.now(UTC))

    def _turn(self, name: str) -> None:
        if self.worker.turn(name) is not None:
            self._look_now()  # what was planned for others need not wait for the next look

    def _told(self, name: str, done: Report) -> None:
        gate = self.roster.gates.get(name)
        if gate is not None:
            self.metrics.budget(name, gate.rate, gate.share, gate.used)
        if done.outcome != "done":
            self._watch_alerts()

    def _watch(self) -> None:
        """Look for what is wrong, and let the others know that we are there."""
        self.metrics.only(self.roster.gates)
        for name, gate in self.roster.gates.items():
            self.metrics.budget(name, gate.rate, gate.share, gate.used)
        self._watch_alerts()
        self._seen(self.doing())

    def _watch_alerts(self) -> None:
        ailing = self.worker.ailing
        self.alarms.storage(None if ailing is None else ailing.trouble.text)
        if ailing is not None:
            return
        try:
            self.alarms.look()
        except (SQLAlchemyError, OSError) as problem:
            self.worker.fell_ill(problem)

    def _seen(self, doing: str) -> None:
        """Let the others know that we are there, and by which configuration we go: the one loaded last counts."""
        worker = self.worker
        goes_by = worker.configuration
        try:
            with self.store.transaction() as tx:
                at = min(worker.loaded_at, tx.workers.clock())
                who = (self.name, user_agent(), self._started, doing)
                tx.workers.seen(*who, configuration=goes_by, loaded_at=at)
                tx.workers.forget_silent(FORGOTTEN)
        except (SQLAlchemyError, OSError):
            return  # the look says what is wrong with the database
        if goes_by == worker.configuration:
            worker.loaded_at, worker.announced = at, True

    def _keep(self) -> None:
        """Let go of what is old, a little at a time, while nothing else is to be done; and where something always is,
        a little each time."""
        try:
            while not self.stop.is_set() and self.worker.ailing is None:
                idle = not self.worker.running
                if not self.keeping.step(idle=idle) or not idle:
                    return
        except (SQLAlchemyError, OSError) as problem:
            self.worker.fell_ill(problem)

    # the configuration

    def reload(self) -> None:
        """Read the configuration anew: all of it comes into force or, where something is wrong with it, nothing."""
        self.notify.reloading()
        try:
            settings, mappings = self._load()
            gates = self._kept_gates(settings)
            roster = self._make_roster(settings, mappings, gates)
            self._must_fit(settings, roster)
            self.server.reload(settings)
        except RosterdError as problem:
            self._refuse(problem)
            return
        self._take(settings, mappings, roster, gates)
        log.info("config.reloaded", connections=sorted(roster.sides))
        self.notify.ready(self.doing())
        self._somebody_was_here(read=False)

    def _take(self, settings: Settings, mappings: Mapping[str, FieldMapping], roster: Roster, gates: Gates) -> None:
        self.settings, self._mappings, self._gates = settings, mappings, gates
        self._refused = False
        self._accepted(settings)
        self.roster = roster
        self.worker.take(roster)
        self._seen(self.doing())
        self.alarms.reload(settings)
        self.keeping.reload(settings)

    def _refuse(self, problem: RosterdError) -> None:
        problems = problem.problems if isinstance(problem, BadConfig) else [str(problem)]
        log.error("config.refused", problems=problems, hint=problem.hint or "the one before stays in force")
        self._refused = True
        self.notify.ready(self.doing())

    def _must_fit(self, settings: Settings, roster: Roster) -> None:
        """Raises RosterdError where it is not meant for what we have in hand."""
        if settings.state.url != self.settings.state.url:
            raise BadConfig(["state.url has changed"], hint="another database needs a restart")
        try:
            with self.store.look() as tx:
                known = tx.connections.all()
        except (SQLAlchemyError, OSError):
            return  # the turns will look
        for name in known.keys() & roster.sides.keys():
            accounts.same_account(known[name], roster.sides[name])

    def _kept_gates(self, settings: Settings) -> Gates:
        """Budgets that go on as they were: what a platform has taught us, a new file does not undo."""
        rates: dict[tuple[str, str], float] = {}
        for one in settings.enabled.values():
            key = (one.base_url, one.credential)
            rates[key] = min(one.rate or math.inf, rates.get(key, math.inf))
        return {key: gate for key, gate in self._gates.items() if (gate.rate or math.inf) == rates.get(key)}

    def _make_roster(self, settings: Settings, mappings: Mapping[str, FieldMapping], gates: Gates) -> Roster:
        return assemble.roster(
            settings, self.store, loaded=mappings, sleep=self._sleep, keeper=self.keeper, gates=gates
        )

    def _sleep(self, seconds: float) -> None:
        """Raises Stopping where a stop would have to wait too long."""
        if seconds <= SHORT:
            time.sleep(seconds)
        elif self.stop.wait(seconds):
            raise Stopping("asked to end while waiting for the platform")

    def _resting(self, name: str, now: float) -> bool:
        side = self.roster.sides.get(name)
        return side is not None and side.windows.resting(now)

    # how it is

    def health(self) -> tuple[bool, str]:
        """Whether we are alive, and in words: the looks come, and no turn hangs."""
        silent = time.monotonic() - max(self.worker.looked_at, self._born)
        if stuck := self.worker.stuck():
            return False, f"the turn of {', '.join(stuck)} hangs"
        if silent > SILENT:
            return False, f"the database has not answered for {silent:.0f} s"
        ailing = self.worker.ailing
        return True, self.doing() if ailing is None else ailing.trouble.text

    def doing(self) -> str:
        """In a line, for `systemctl status`. A refused file is told until it is mended: no restart succeeds with it."""
        return f"{self._doing()}; {REFUSED}" if self._refused else self._doing()

    def _doing(self) -> str:
        if self.worker.ailing is not None:
            return f"waiting: {self.worker.ailing.trouble.text}"
        if self.worker.outdated is not None:
            return f"waiting: {self.worker.outdated.name} goes by a newer configuration; reload this one"
        now = time.monotonic()
        running = [f"{name} ({one.words(now)})" for name, one in sorted(self.worker.running.items())]
        if running:
            return f"at work: {', '.join(running)}"
        if self._next is None:
            return "looking at what is due"
        at, name = self._next
        return f"idle; next: {name} at {datetime.fromtimestamp(at).astimezone():%H:%M:%S}"
