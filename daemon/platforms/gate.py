"""One credential's budget of calls, shared by everything that uses the credential."""

from __future__ import annotations

import collections
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

MINUTE = 60.0


class Freshness(IntEnum):
    """What a call is for. Of those who wait for one budget, the fresher goes first."""

    CONSENT = 0
    PROFILE = 1
    BACKFILL = 2


class Gate:
    """Lets at most `rate` calls a second through, counted over a sliding window.

    `rate` None: no limit of ours, only the pauses a server orders. Below one a second calls are spaced
    evenly.
    `adaptive`: for a platform that publishes no number. A refusal halves the rate, every call that went
    well wins a fiftieth of it back.
    """

    SLOWEST = 1 / 32  # never below this share of `rate`: a connection must stay able to find out it may go on
    RECOVERY = 1.02

    def __init__(
        self,
        rate: float | None,
        *,
        adaptive: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._set_rate(rate)
        self._adaptive, self._share = adaptive, 1.0
        self._clock, self._sleep = clock, sleep
        self._lock, self._queue = threading.Lock(), threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._arrivals = itertools.count()
        self._taken = False
        self._closed_until = float("-inf")
        self._minute: collections.deque[float] = collections.deque()

    def _set_rate(self, rate: float | None) -> None:
        if rate is not None and rate <= 0:
            raise ValueError("a rate is a number of calls per second above zero")
        self._rate = rate
        self._limit = max(1, int(rate)) if rate else 0
        self._window = self._limit / rate if rate else 0.0
        self._times: collections.deque[float] = collections.deque(maxlen=self._limit)

    def slow_to(self, rate: float) -> None:
        """Somebody else who uses this credential asks for less. Only before the first call."""
        if self._rate is None or rate < self._rate:
            self._set_rate(rate)

    @property
    def rate(self) -> float | None:
        """Calls a second, at most; None: no limit of ours."""
        return self._rate

    @property
    def share(self) -> float:
        """The part of `rate` in use just now, 1.0 unless the platform complained."""
        return self._share

    @property
    def used(self) -> float:
        """Calls of the last minute, of those that `rate` allows in one: 0 to 1. Without a rate: 0."""
        with self._lock:
            self._forget_old()
            return len(self._minute) / (self._rate * MINUTE) if self._rate else 0.0

    def acquire(self, freshness: Freshness = Freshness.PROFILE) -> None:
        """Wait for our turn. One caller at a time waits for the window, so it holds for threads too; among the others
        the freshest is next."""
        with self._place(freshness):
            wait = self._opens() - self._clock()
            if wait > 0:
                self._sleep(wait)
            # The time of waking, not the time planned: a late wake-up must not squeeze the next window.
            with self._lock:
                self._times.append(self._clock())
                self._minute.append(self._clock())
                self._forget_old()

    @contextmanager
    def _place(self, freshness: Freshness) -> Iterator[None]:
        ticket = (int(freshness), next(self._arrivals))
        with self._queue:
            heapq.heappush(self._waiting, ticket)
            self._queue.wait_for(lambda: not self._taken and self._waiting[0] == ticket)
            heapq.heappop(self._waiting)
            self._taken = True
        try:
            yield
        finally:
            with self._queue:
                self._taken = False
                self._queue.notify_all()

    def _forget_old(self) -> None:
        while self._minute and self._minute[0] < self._clock() - MINUTE:
            self._minute.popleft()

    def _opens(self) -> float:
        with self._lock:
            if not self._limit or len(self._times) < self._limit:
                return self._closed_until
            return max(self._closed_until, self._times[0] + self._window / self._share)

    def pause(self, seconds: float) -> None:
        """Nobody passes for so long: the server said so."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def told(self, remaining: float, reset: float) -> None:
        """The server says how many calls are left until its window begins anew, in `reset` seconds. With none left
        nobody passes until then; else the rest are spread when they would not do at our own pace."""
        if remaining < 1:
            self.pause(reset)
        elif self._rate is not None and remaining < self._rate * reset:
            self.pause(reset / (remaining + 1))

    def refused(self) -> None:
        """The platform said we ask too often."""
        if self._adaptive:
            with self._lock:
                self._share = max(self.SLOWEST, self._share / 2)

    def went_well(self) -> None:
        """A call was answered."""
        if self._adaptive and self._share < 1.0:
            with self._lock:
                self._share = min(1.0, self._share * self.RECOVERY)


class Guarded:
    """A connection's way through its credential's gate: asks first whether it may still call at all, and says how
    fresh what it does is. One thread's at a time, as its connector is."""

    def __init__(self, gate: Gate, *, may: Callable[[], None] = lambda: None) -> None:
        self._gate, self.may = gate, may
        self.freshness = Freshness.PROFILE
        self.pause, self.told = gate.pause, gate.told
        self.refused, self.went_well = gate.refused, gate.went_well

    def acquire(self) -> None:
        """Wait for our turn. Raises what `may` raises, also after the wait: it may have been a long one."""
        self.may()
        self._gate.acquire(self.freshness)
        self.may()
