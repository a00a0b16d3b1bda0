"""Asking what may not answer: a database that has gone away, and counts that take long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Unanswered(Exception):
    """It was waited for, and did not come. It may yet be done."""


class Bounded:
    """Calls that may hang are made in threads of their own: at most `most` at once, each waited for `patience` seconds.

    What hangs keeps its place until it ends, so that asking again and again cannot pile up threads.
    """

    def __init__(self, *, patience: float, most: int) -> None:
        self._patience = patience
        self._places = threading.BoundedSemaphore(most)

    def __call__(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises Unanswered."""
        until = time.monotonic() + self._patience
        if not self._places.acquire(timeout=self._patience):
            raise Unanswered("too much is being waited for already")
        call = _Call(work, self._places.release)
        try:
            threading.Thread(target=call.make, name="rosterd-ask", daemon=True).start()
        except BaseException:
            self._places.release()
            raise
        return call.answer(max(0.0, until - time.monotonic()))


class _Call(Generic[T]):
    def __init__(self, work: Callable[[], T], done: Callable[[], None]) -> None:
        self._work, self._done = work, done
        self._ended = threading.Event()
        self._value: list[T] = []
        self._problem: BaseException | None = None

    def make(self) -> None:
        try:
            self._value.append(self._work())
        except BaseException as problem:  # noqa: BLE001 - it is raised again, where it was asked for
            self._problem = problem
        finally:
            self._done()
            self._ended.set()

    def answer(self, seconds: float) -> T:
        if not self._ended.wait(seconds):
            raise Unanswered("no answer in time")
        if self._problem is not None:
            raise self._problem
        return self._value[0]


class Kept(Generic[T]):
    """A reading made anew when it is older than `seconds`, and than twenty times what it took: asking costs at most a
    twentieth of the database's time, however often it is asked. One thread reads, the others wait for what it gets;
    a problem is kept for a moment too, so that they do not run into it one after the other."""

    SHARE = 20
    PROBLEM = 1.0

    def __init__(self, read: Callable[[], T], *, seconds: float, timer: Callable[[], float] = time.monotonic) -> None:
        self._read, self._seconds, self._timer = read, seconds, timer
        self._lock = threading.Lock()
        self._value: list[T] = []
        self._problem: Exception | None = None
        self._until = float("-inf")

    def get(self) -> T:
        """Raises what the reading raised."""
        with self._lock:
            begun = self._timer()
            if begun >= self._until:
                self._renew(begun)
            if self._problem is not None:
                raise self._problem
            return self._value[0]

    def _renew(self, begun: float) -> None:
        self._problem = None
        try:
            self._value = [self._read()]
        except Exception as problem:  # noqa: BLE001 - whoever asks gets it
            self._problem = problem
        ended = self._timer()
        good = max(self._seconds, self.SHARE * (ended - begun))
        self._until = ended + (good if self._problem is None else self.PROBLEM)

    def forget(self) -> None:
        """The next asking reads anew: somebody has changed what was read."""
        with self._lock:
            self._until = float("-inf")
