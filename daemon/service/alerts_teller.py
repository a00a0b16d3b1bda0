"""Telling: each alert once when it broke and once when it healed, to everybody who is to be told.

On a thread of its own and outside any transaction, so that a webhook or a mail server that hangs holds up nobody. Who
tells is decided by one update with a condition: it takes an alert in hand by pushing its `due_at` ahead. If that worker
is killed, the alert is due again after `IN_HAND` seconds. So everything is told at least once; `incident` says what
was said before.

A way that fails does not stop the others, and is tried again, less and less often. Which ways have heard is
remembered by the worker: another one, or a restart, says it again to all of them while one is still owed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from daemon.logs import logger
from daemon.service.alerts_storage import Storage
from daemon.service.alerts_ways import Untold, Way, Ways
from daemon.service.alerts_words import News, news
from daemon.settings import Settings
from state.alerts import NEVER, Alert
from state.store import Store, Tx

log = logger("rosterd.alerts")

DEADLINE = 45.0
"""Seconds for telling one alert everywhere; a command may take 30 of them, and is killed then."""
IN_HAND = 120.0
AT_ONCE = 50
"""Alerts told in one go; the next look goes on."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0
ENOUGH = 30
"""Tries, for a day and a bit, after which a way that others have stood in for is given up."""
REMEMBERED = 1000


class Told(NamedTuple):
    """What came of telling."""

    heard: bool  # by somebody
    owed: bool  # to somebody, still


def pause(tries: int) -> float:
    """Seconds until the next try, after so many in a row failed."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(tries - 1, 10))


def after(row: Alert, state: str, told: Told, now: float) -> Alert:
    """The alert as it is by now, after what it was (`state`) has been told."""
    if told.heard and state == "broken":
        row = replace(row, told_at=row.told_at or now)
    elif told.heard:
        row = replace(row, healed_told_at=row.healed_told_at or now)
    if state != row.state:  # it healed while that was told, which is next
        return replace(row, tries=0, due_at=now)
    if not told.owed:
        return replace(row, tries=0, due_at=now)
    tries = row.tries + 1
    if tries > ENOUGH and row.told_at is not None:
        log.error("alert.given_up", alert=row.key, state=state, tries=tries)
        return replace(row, tries=0, due_at=NEVER)
    return replace(row, tries=tries, due_at=now + pause(tries))


class Teller:
    """Tells what is due, one thread at a time."""

    def __init__(
        self, settings: Settings, store: Store, clock: Callable[[], float], send: Callable[[Settings], Ways]
    ) -> None:
        self._store, self._clock, self._send = store, clock, send
        self._settings, self._ways = settings, send(settings)
        self._storage = Storage(clock)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._had: dict[tuple[str, str], set[str]] = {}  # (incident, state): the ways that have heard
        self._hanging: dict[str, threading.Thread] = {}
        self._failing: dict[str, str] = {}

    def reload(self, settings: Settings) -> None:
        self._settings, self._ways = settings, self._send(settings)

    def wait(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    # the database itself

    def storage(self, trouble: str | None) -> None:
        if trouble is not None and "storage" not in self._settings.alerts.on:
            return
        self._storage.say(trouble)
        self.tell_of_storage()

    def tell_of_storage(self) -> None:
        if self._ways and self._storage.due(self._clock()):
            self._set_off()

    @property
    def to_keep(self) -> Alert | None:
        """Trouble with the database that is over: kept as an alert, whose end is told as that of any other is."""
        return self._storage.over

    def kept(self, alert: Alert) -> None:
        self._storage.kept(alert)

    # what is due

    def tell_what_is_due(self) -> None:
        if not self._ways:
            return
        with self._store.look() as tx:
            due = tx.alerts.due(self._clock(), 1)
        if due:
            self._set_off()

    def _set_off(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._tell_all, name="alerts", daemon=True)
                self._thread.start()

    def _tell_all(self) -> None:
        down: set[str] = set()  # in this go, a way that failed is not tried for each alert anew
        try:
            self._tell_storage(down)
            with self._store.look() as tx:
                due = tx.alerts.due(self._clock(), AT_ONCE)
            for alert in due:
                self._tell_one(alert, down)
        except SQLAlchemyError as problem:  # whoever syncs meets it too, and says so once
            log.debug("alert.not_told_yet", error=str(getattr(problem, "orig", problem)))

    def _tell_storage(self, down: set[str]) -> None:
        alert = self._storage.take(self._clock())
        if alert is not None:
            told = self._tell(news(alert, self._settings), down)
            self._storage.told(partial(after, state="broken", told=told, now=self._clock()))

    def _tell_one(self, alert: Alert, down: set[str]) -> None:
        with self._store.transaction() as tx:
            mine = tx.alerts.claim(alert, until=self._clock() + IN_HAND)
        if not mine:
            return
        told = self._tell(news(alert, self._settings), down)
        with self._store.transaction() as tx:
            self._note(tx, alert, told)

    def _note(self, tx: Tx, alert: Alert, told: Told) -> None:
        row = tx.alerts.get(alert.id or 0)
        if row is not None:  # else it was too old to be kept
            tx.alerts.put(after(row, alert.state, told, self._clock()))

    # by every way

    def _tell(self, what: News, down: set[str]) -> Told:
        """By every way that has not heard it. Of its end nobody is told who, as we know, never heard it broke."""
        had = self._had.setdefault((what.incident, what.state), set())
        ways = dict(self._ways)
        if what.state == "healed" and (heard := self._had.get((what.incident, "broken"))):
            ways = {name: way for name, way in ways.items() if name in heard}
        missing = ways.keys() - had
        problems = dict.fromkeys(missing & down, "it failed a moment ago")
        problems |= self._all_at_once({name: ways[name] for name in missing - down}, what)
        had |= missing - problems.keys()
        down.update(problems)
        while len(self._had) > REMEMBERED:  # also of alerts whose end another worker tells
            self._had.pop(next(iter(self._had)))
        return Told(heard=bool(had) or not ways, owed=bool(problems))

    def _all_at_once(self, ways: Ways, what: News) -> dict[str, str]:
        """Each on a thread, so that none waits for another; returns what went wrong."""
        end = time.monotonic() + DEADLINE
        problems: dict[str, str] = dict.fromkeys(self._busy(ways), "still busy with the alert before")
        outcome: dict[str, str | None] = {}
        started = [(name, _start(name, way, what, outcome)) for name, way in ways.items() if name not in problems]
        for name, thread in started:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                self._hanging[name] = thread
            problem = outcome.get(name, "it took too long" if thread.is_alive() else "it broke")
            self._say(name, problem)
            if problem is not None:
                problems[name] = problem
        return problems

    def _busy(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name in self._hanging and self._hanging[name].is_alive()]

    def _say(self, name: str, problem: str | None) -> None:
        """That a way fails is said once, and its end once."""
        if problem is None:
            if self._failing.pop(name, None) is not None:
                log.info("alert.way_works_again", way=name)
        elif self._failing.get(name) != problem:
            log.error("alert.way_fails", way=name, error=problem, hint="rosterd alerts test")
            self._failing[name] = problem


def _start(name: str, way: Way, what: News, outcome: dict[str, str | None]) -> threading.Thread:
    def run() -> None:
        try:
            way(what)
        except Untold as problem:
            outcome[name] = str(problem)
        else:
            outcome[name] = None

    thread = threading.Thread(target=run, name=f"alerts-{name}", daemon=True)
    thread.start()
    return thread
