"""The twins of the soak: calls take time and are counted against a limit, and each has its spells of bad weather."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from daemon.errors import AnswerLost, NeedsPerson, RetryLater
from daemon.platforms.base import Facts, OptOut, Outcome, Push
from daemon.platforms.gate import Gate, Guarded
from tests.soak.clock import Clock
from tests.twin import TwinConnector, TwinPlatform
from tests.twin_platform import WRITES

Kind = Literal["down", "busy", "flaky", "refused"]
TRIES = 4
"""Of one call that is answered with 429, as the real connectors try."""
ON_THE_WAY = 0.1
"""Seconds that a call takes to get there."""


@dataclass
class Spell:
    """down: nobody answers. busy: most calls get a 429, with Retry-After. flaky: one in six gets lost on the way
    there or back. refused: our key, until a person mends it."""

    kind: Kind
    until: float


class Site(TwinPlatform):
    """`rate`: calls a second. Above it, it answers 429: it must never have to."""

    def __init__(self, name: str, clock: Clock, rate: float, dice: random.Random, **twin: Any) -> None:
        super().__init__(name, clock=clock.now, **twin)
        self.time, self.rate, self.dice = clock, rate, dice
        self.spell: Spell | None = None
        self.line: Guarded | None = None
        self.refusals: Counter[str] = Counter()  # 429s: "busy", of a spell; "avoidable", since we asked too often
        self.struck: Counter[str] = Counter()
        self.arrived: Counter[str] = Counter()
        self.told_no: Callable[[str, str], object] = lambda *_: None
        self.called: Callable[[], object] = lambda: None
        self._times: deque[float] = deque(maxlen=max(1, int(rate)))

    # a call, from our side to theirs and back

    def call(self, verb: str) -> str | None:
        for last in (False,) * (TRIES - 1) + (True,):
            assert self.line is not None
            self.line.acquire()
            self.time.sleep(ON_THE_WAY)
            self.called()
            wait = self._too_often() or self._busy()
            if wait is None:
                then = super().call(verb)
                weather = self._weather(verb)
                self.line.went_well()
                return weather or then
            self.calls[verb] += 1
            self.line.refused()
            if last:
                raise RetryLater(f"{self.name} is busy (429)", after=wait)
            self.line.pause(wait)
        raise AssertionError("the last try returns or raises")

    def after_work(self, kind: str | None) -> None:
        self.time.sleep(self.dice.uniform(0.02, 0.3))
        if kind == "lost":
            self.struck["lost"] += 1
        super().after_work(kind)

    def _too_often(self) -> float | None:
        full = len(self._times) == self._times.maxlen
        if full and self.time.now() - self._times[0] < len(self._times) / self.rate - 1e-6:
            self.refusals["avoidable"] += 1
            return 1.0
        self._times.append(self.time.now())
        return None

    def _busy(self) -> float | None:
        if self.weather != "busy" or self.dice.random() > 0.6:
            return None
        self.refusals["busy"] += 1
        return self.dice.choice([1.0, 2.0, 5.0, 30.0])

    def _weather(self, verb: str) -> str | None:
        kind = self.weather
        if kind == "down":
            self.struck["down"] += 1
            raise RetryLater(f"{self.name} cannot be reached")
        if kind == "refused":
            self.struck["refused"] += 1
            raise NeedsPerson(f"{self.name} refused our key (401)")
        if kind == "flaky" and self.dice.random() < 1 / 6:
            if verb in WRITES and self.dice.random() < 0.5:
                return "lost"
            self.struck["broken"] += 1
            raise AnswerLost(f"the connection to {self.name} broke")
        return None

    @property
    def weather(self) -> Kind | None:
        if self.spell is not None and self.time.now() >= self.spell.until:
            self.spell = None
        return None if self.spell is None else self.spell.kind

    # what is counted

    def _opt_out(self, push: OptOut) -> Outcome:
        done = super()._opt_out(push)
        self.told_no(push.external_id, push.channel)
        return done

    def take(self, push: Push) -> Outcome:
        """As the twin does; but what arrived is counted and not kept: there is a month of it."""
        done = super().take(push)
        self.arrived[type(push).__name__] += 1
        self.pushes.clear()
        self.writes.clear()
        return done

    def trim(self) -> None:
        """The log of what changed keeps a month, as theirs do; in the simulation less will do."""
        del self.log[:-5000]


class SiteConnector(TwinConnector):
    """Speaks to a Site, within a budget."""

    def __init__(self, site: Site, facts: Facts, gate: Gate) -> None:
        super().__init__(site, facts)
        self.line = site.line = Guarded(gate)
        self._site, self._throttled = site, site.refusals.total()

    @property
    def throttled(self) -> int:
        return self._site.refusals.total() - self._throttled
