"""One process of the service in simulated time: what `daemon.service.run` does with an alarm clock and signals.

It looks at what is due, begins every turn that is, each on a thread of its own, and looks again when one ends or the
next moment comes. It may be asked to end, or be killed: then every thread of it dies where it is, and nothing more
reaches the database.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from daemon.platforms.gate import Gate
from daemon.service import look
from daemon.service.alerts import Alarms
from daemon.service.alerts_words import News
from daemon.service.keeping import Keeping
from daemon.service.look import Standing
from daemon.service.metrics import Metrics
from daemon.service.worker import Worker
from daemon.sync.books import Report
from daemon.sync.leases import Keeper
from state.store import Store, Tx
from tests.soak.clock import Killed, Task

if TYPE_CHECKING:
    from tests.soak.world import SoakWorld

LONGEST_WAIT = 300.0
"""Seconds between two looks. The service looks every second; here nothing happens in between."""
WATCH, KEEP = 240.0, 3600.0
START = 2.0
"""Seconds until a new process is there."""


class MortalStore(Store):
    """A store whose process may die: then nothing more goes through it."""

    dead = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Tx]:
        if self.dead:
            raise Killed
        with super().transaction() as tx:
            yield tx

    @contextlib.contextmanager
    def look(self) -> Iterator[Tx]:
        if self.dead:
            raise Killed
        with super().look() as tx:
            yield tx


class Process:
    """From its start to its end. `news`: whoever is told of alerts."""

    def __init__(self, world: SoakWorld, name: str, news: Callable[[News], str]) -> None:
        self.world, self.time, self.name = world, world.time, name
        self.store = MortalStore(world.url)
        self.keeper = Keeper(self.store, name, 60.0)
        self.gates = {
            one: Gate(site.rate, adaptive=one != "strive", clock=self.time.now, sleep=self.time.sleep)
            for one, site in world.sites.items()
        }
        self.stop, self.metrics = threading.Event(), Metrics()
        self.calls: Counter[str] = Counter()  # of turns that ended, by connection
        self.worker = Worker(
            name, self.store, world.roster(self), self.metrics, self.stop, self._told, monotonic=self.time.now
        )
        self.alarms = Alarms(
            world.settings, self.store, clock=self.time.wall, resting=self._resting, send=lambda _: {"test": news}
        )
        self.keeping = Keeping(world.settings, self.store, clock=self.time.wall)
        self.tasks: list[Task] = []
        self.over = False
        self._alarm = 0
        self._beat()
        self._every(WATCH, self.watch)
        self._every(KEEP, self._keep)

    # its life

    def _every(self, seconds: float, do: Callable[[], object]) -> None:
        def again() -> None:
            if not self.over:
                do()
                self.time.after(seconds, again)

        self.time.after(seconds, again)

    def _beat(self) -> None:
        """Begin what is due; come back when the next is."""
        if self.over:
            return
        now, moments = self.time.wall(), self.worker.look()
        self.tasks = [task for task in self.tasks if not task.over]
        for name in sorted(name for name, at in moments.items() if at <= now):
            self.tasks.append(self.time.begin(lambda name=name: self._turn(name)))  # type: ignore[misc]
        self._beat_in(min([LONGEST_WAIT, *(at - now for at in moments.values() if at > now)]))

    def _beat_in(self, seconds: float) -> None:
        self._alarm = mine = self._alarm + 1
        self.time.after(seconds, lambda: self._beat() if mine == self._alarm else None)

    def _turn(self, name: str) -> None:
        done = self.worker.turn(name)
        self._beat_in(0.0 if done is not None else 1.0)

    def _told(self, name: str, done: Report) -> None:
        books = done.books[name]
        self.calls[name] += books.calls
        if not done.balanced:
            self.world.complain(f"the books of {name} do not balance")
        if books.paused is None:
            self.world.weather.well(name)

    def _resting(self, name: str, moment: float) -> bool:
        return self.worker.roster.sides[name].windows.resting(moment)

    def watch(self) -> None:
        """What is wrong is decided and told."""
        self.alarms.look()
        self.alarms.close(30.0)  # until it is told: in simulated time that takes none

    def _keep(self) -> None:
        while not self.worker.running and self.keeping.step():
            pass

    # what people do with it

    def reload(self) -> None:
        self.worker.roster = self.world.roster(self)
        self.ask(read=False)

    def ask(self, *, read: bool) -> None:
        self.worker.ask(read=read)
        self.look_now()

    def look_now(self) -> None:
        self._beat_in(0.0)

    def owed(self, name: str) -> int:
        with self.store.look() as tx:
            return sum(count for to, _, state, count in tx.outbox.counts() if (to, state) == (name, "open"))

    def standings(self) -> list[Standing]:
        with self.store.look() as tx:
            return look.standings(tx, self.world.settings, self.time.wall())

    # its end

    def end(self, then: Callable[[], object]) -> None:
        """SIGTERM: the page or batch in hand is finished, then `then`."""
        self.stop.set()
        if self.worker.running:
            self.time.after(0.5, lambda: self.end(then))
            return
        self._close()
        then()

    def kill(self) -> int:
        """Returns how many turns it died in."""
        if self.over:
            return 0
        self.over = True
        self.keeper.close()  # gives back what the next start takes anyway: the file is its own
        self.store.dead = True
        dying = [task for task in self.tasks if not task.over]
        for task in dying:
            task.kill()
        self._close()
        return len(dying)

    def _close(self) -> None:
        self.over = True
        if not self.store.dead:
            self.keeper.close()
        self.store.close()
