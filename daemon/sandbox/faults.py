"""Faults on demand: which request goes wrong, and how.

| kind | what the client meets | is the work done? |
| --- | --- | --- |
| 429 | Retry-After of `retry_after` seconds (default 1) | no |
| 500, 503, 401, 402, 403 | the platform's own error body | no |
| 502 | a proxy's HTML page | no |
| html | 200 with an HTML page | no |
| empty | 200 with no body | no |
| redirect | 302 to `to` (default: another host) | no |
| reset | connection reset | no |
| hang | nothing for `seconds` (default 30), then the connection closes | no |
| lost | connection closed without an answer | yes |
| truncated | the body breaks off in the middle | yes |
| slow | the answer drips in over `seconds` (default 1) | yes |

`work=True` or `work=False` turns the last column round, where a test wants it.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

KINDS = (
    *("429", "500", "502", "503", "401", "402", "403", "html", "empty", "redirect", "reset", "hang"),
    *("lost", "truncated", "slow"),
)
AFTER_THE_WORK = frozenset({"lost", "truncated", "slow"})
SOAK = ("429", "500", "502", "503", "html", "empty", "reset", "lost", "truncated")
"""What `random` picks from: faults that pass and cost no time."""


@dataclass
class Fault:
    """One fault and the requests it is meant for. `after`: so many that match are let through first."""

    kind: str
    platform: str | None = None
    method: str | None = None
    path: str | None = None
    times: int | None = 1
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are: {', '.join(KINDS)}")
        self._path = re.compile(self.path) if self.path else None
        self.hits = 0

    @property
    def does_the_work(self) -> bool:
        return bool(self.options.get("work", self.kind in AFTER_THE_WORK))

    def matches(self, platform: str, method: str, target: str) -> bool:
        return (
            self.platform in (None, platform)
            and self.method in (None, method)
            and (self._path is None or self._path.search(target) is not None)
        )

    @property
    def spent(self) -> bool:
        return self.times is not None and self.hits >= self.after + self.times

    def strikes(self) -> bool:
        """A request matched: is this one hit?"""
        self.hits += 1
        return self.hits > self.after


class Faults:
    """All faults that are set. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []
        self._random: tuple[random.Random, float, Sequence[str], str | None] | None = None
        self.struck = 0

    def add(
        self,
        kind: str | int,
        *,
        platform: str | None = None,
        method: str | None = None,
        path: str | None = None,
        times: int | None = 1,
        after: int = 0,
        **options: Any,
    ) -> Fault:
        """Set a fault. `path` is a regular expression searched in path and query; `times=None`: for ever."""
        fault = Fault(str(kind), platform, method, path, times, after, options)
        with self._lock:
            self._set.append(fault)
        return fault

    def random(self, rate: float, seed: int = 1, *, kinds: Sequence[str] = SOAK, platform: str | None = None) -> None:
        """Let a share `rate` of all requests go wrong, the same ones for the same seed. 0 ends it."""
        with self._lock:
            self._random = (random.Random(seed), rate, tuple(kinds), platform) if rate > 0 else None

    def clear(self) -> None:
        with self._lock:
            self._set.clear()
            self._random = None

    def pending(self) -> list[Fault]:
        """The faults that have not all struck yet."""
        with self._lock:
            return [fault for fault in self._set if not fault.spent]

    def take(self, platform: str, method: str, target: str) -> Fault | None:
        """The fault that hits this request, if one does."""
        with self._lock:
            fault = self._next_set(platform, method, target) or self._next_random(platform)
            self.struck += fault is not None
            return fault

    def _next_set(self, platform: str, method: str, target: str) -> Fault | None:
        for fault in self._set:
            if not fault.spent and fault.matches(platform, method, target) and fault.strikes():
                return fault
        return None

    def _next_random(self, platform: str) -> Fault | None:
        if self._random is None:
            return None
        dice, rate, kinds, only = self._random
        if only not in (None, platform) or dice.random() >= rate:
            return None
        return Fault(dice.choice(kinds), options={"retry_after": 0})
