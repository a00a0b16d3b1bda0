"""A simulated clock for several threads: one of them runs at a time, the one whose moment is next.

So turns go on side by side, as in the service, and always in the same order: what depends on nothing but the clock and
a seed happens again just so. A thread may sleep (`sleep`); it must hold no lock meanwhile that another could want.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

PATIENCE = 300.0
"""Real seconds after which a thread that neither sleeps nor ends is a defect."""


class Killed(BaseException):
    """The process died here. Not an Exception: nothing may catch it and carry on."""


class Task:
    """One thread of simulated time."""

    def __init__(self, clock: Clock, do: Callable[[], object]) -> None:
        self._clock, self._do = clock, do
        self.go, self.killed, self.over = threading.Semaphore(0), False, False
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def resume(self) -> None:
        """Let it run until it sleeps or ends. Raises what it raised."""
        if self.done():
            return
        if self._thread.ident is None:
            self._thread.start()
        self.go.release()
        if not self._clock.back.acquire(timeout=PATIENCE):
            raise RuntimeError("a thread of the simulation hangs")
        if self.done():
            self._thread.join()
        if (problem := self.problem) is not None:
            raise problem

    def done(self) -> bool:
        return self.over

    def kill(self) -> None:
        """It dies where it sleeps."""
        self.killed = True
        self.resume()

    def _run(self) -> None:
        self.go.acquire()
        self._clock.mine.task = self
        try:
            if not self.killed:
                self._do()
        except Killed:
            pass
        except BaseException as problem:  # noqa: BLE001 - it is raised again, by whoever let us run
            self.problem = problem
        finally:
            self.over = True
            self._clock.back.release()


class _Mine(threading.local):
    task: Task | None = None


class Clock:
    """`true`: seconds since 1970, as they pass. `drift`: by how much the clock of our machine is ahead of it."""

    def __init__(self, start: float) -> None:
        self.true, self.drift = start, 0.0
        self.back, self.mine = threading.Semaphore(0), _Mine()
        self._plan: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """As it really is: the platforms' clocks are right."""
        return self.true

    def wall(self) -> float:
        """What our machine believes."""
        return self.true + self.drift

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._plan, (self.true + max(0.0, seconds), next(self._numbers), do))

    def begin(self, do: Callable[[], object]) -> Task:
        """A thread of its own, from now on."""
        task = Task(self, do)
        self.after(0.0, task.resume)
        return task

    def sleep(self, seconds: float) -> None:
        """Of the thread that calls. Raises Killed when its process dies meanwhile."""
        task = self.mine.task
        assert task is not None, "only a task can sleep"
        if task.killed:
            raise Killed
        self.after(seconds, task.resume)
        self.back.release()
        task.go.acquire()
        if task.killed:
            raise Killed

    def run(self, until: float) -> None:
        """Everything that is to happen up to then."""
        while self._plan and self._plan[0][0] <= until:
            at, _, do = heapq.heappop(self._plan)
            self.true = max(self.true, at)
            do()
        self.true = max(self.true, until)
