"""One credential's budget of calls, shared by everything that uses the credential."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable


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
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._closed_until = float("-inf")

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
    def share(self) -> float:
        """The part of `rate` in use just now, 1.0 unless the platform complained."""
        return self._share

    def acquire(self) -> None:
        """Wait for our turn. One caller at a time waits, so the window holds for threads too."""
        with self._turn:
            wait = self._opens() - self._clock()
            if wait > 0:
                self._sleep(wait)
            # The time of waking, not the time planned: a late wake-up must not squeeze the next window.
            self._times.append(self._clock())

    def _opens(self) -> float:
        with self._lock:
            if not self._limit or len(self._times) < self._limit:
                return self._closed_until
            return max(self._closed_until, self._times[0] + self._window / self._share)

    def pause(self, seconds: float) -> None:
        """Nobody passes for so long: the server said so."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

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
