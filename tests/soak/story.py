"""What happens in the soak, and when: from one seed. `Story.run` is the table of contents."""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.soak import checks
from tests.soak.sites import Kind, Spell
from tests.soak.world import DAY, HOUR, MAINTENANCE, MINUTE, MONDAY, NAMES, QUIET, SoakWorld

SETTLE = 6 * HOUR
LONG_QUIET = 2 * HOUR
"""At the end nothing is sent for so long."""
SPELLS: dict[Kind, tuple[float, float]] = {
    "down": (5 * MINUTE, 90 * MINUTE),
    "busy": (5 * MINUTE, 40 * MINUTE),
    "flaky": (10 * MINUTE, 90 * MINUTE),
    "refused": (HOUR, 4 * HOUR),
}


@dataclass(frozen=True)
class Sample:
    """How the process is, by the hour."""

    hour: float
    rss: float  # MB
    files: int
    lines: int  # of the log, since the sample before
    rows: int  # of runs and journal


@dataclass
class Story:
    """`acts`: what people do in an hour."""

    world: SoakWorld
    hours: float
    acts: float
    dice: random.Random
    lines: Counter[str]
    samples: list[Sample] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    over: bool = False

    def run(self) -> None:
        world, time = self.world, self.world.time
        begin = time.now()
        end = begin + self.hours * HOUR
        world.start()
        self._people()
        self._troubles()
        self._once()
        self._looks()
        time.run(end)
        self._heal()
        time.run(self._settled(end))
        before = sum(site.arrived.total() for site in world.sites.values())
        time.run(time.now() + LONG_QUIET)
        sent = sum(site.arrived.total() for site in world.sites.values()) - before
        if sent:
            world.complain(f"{sent} pushes though nobody had edited anything for hours")
        checks.at_the_end(world)

    # people

    def _people(self) -> None:
        def one() -> None:
            if not self.over:
                self.world.crowd.act()
                self._after(self.dice.expovariate(self.acts / HOUR), one)

        self._after(HOUR, one)

    # what goes wrong now and then

    def _troubles(self) -> None:
        self._now_and_then(3.0, self._spell)
        self._now_and_then(5.0, self.world.kill_soon)
        self._now_and_then(11.0, self.world.restart)
        self._now_and_then(2.0, self.world.approve)
        self._at_times(DAY, self._maintenance)

    def _now_and_then(self, hours: float, do: Callable[[], object]) -> None:
        def again() -> None:
            if not self.over:
                do()
                self._after(self.dice.uniform(0.5, 1.5) * hours * HOUR, again)

        self._after(HOUR + self.dice.uniform(0.5, 1.5) * hours * HOUR, again)

    def _at_times(self, seconds: float, do: Callable[[], object]) -> None:
        def again() -> None:
            do()
            self._after(seconds, again)

        again()

    def _spell(self) -> None:
        world = self.world
        name = self.dice.choice(NAMES)
        kind = self.dice.choice(list(SPELLS))
        if world.sites[name].weather is not None:
            return
        seconds = self.dice.uniform(*SPELLS[kind])
        world.tell(f"{name} is {kind} for {seconds / MINUTE:.0f} min")
        world.counts[kind] += 1
        world.sites[name].spell = Spell(kind, world.time.now() + seconds)
        world.weather.begins(name, seconds)
        if kind == "refused":
            self._after(seconds + MINUTE, world.mend)

    def _maintenance(self) -> None:
        """As configured: nobody is late who was left alone on purpose."""
        for name, (begin, end) in MAINTENANCE.items():
            midnight = self.world.time.now() // DAY * DAY
            starts = midnight + begin * MINUTE
            wait = starts - self.world.time.now()
            wait += DAY if wait < 0 else 0
            self._after(wait, partial(self.world.weather.begins, name, (end - begin) * MINUTE))

    # what happens once, or once in two days

    def _once(self) -> None:
        world = self.world
        two_days = min(self.hours, 48.0)
        plan: list[tuple[float, str, Callable[[], object]]] = [
            (0.10, "a list is imported", self._import),
            (0.20, "the clock is set two hours ahead", lambda: world.jump(2 * HOUR)),
            (0.27, "... and back", lambda: world.jump(-2 * HOUR)),
            (0.35, "the clock is set 90 s back", lambda: world.jump(-90.0)),
            (0.36, "... and ahead", lambda: world.jump(90.0)),
            (0.42, "a bad import blanks the notes", self._spoil),
            (0.55, "notes are mapped at action_network, or not any more", lambda: world.remap("action_network")),
            (0.70, "notes are mapped at telerivet, or not any more", lambda: world.remap("telerivet")),
            (0.90, "... and mapped as before", lambda: world.remap("telerivet")),
        ]
        for begins in range(0, max(1, int(self.hours / 48)) * 48, 48):
            for share, what, do in plan:
                self._after((begins + share * two_days) * HOUR, partial(self._happens, what, do))
        self._after(0.5 * self.hours * HOUR, lambda: setattr(world.crowd, "deleting", False))

    def _happens(self, what: str, do: Callable[[], object]) -> None:
        self.world.tell(what)
        do()

    def _import(self) -> None:
        """Opt-outs go on while everybody else is told of the new people."""
        world = self.world
        world.crowd.import_people(max(60, world.people))
        for _ in range(40):
            self._after(self.dice.uniform(0, 12 * MINUTE), world.crowd.opt_out)
        for hours in (1, 2):
            self._after(hours * HOUR, world.approve)

    def _spoil(self) -> None:
        """It trips the fuse. A person mends the list first, and lets the pushes go then: nothing is left of it."""
        crowd = self.world.crowd
        crowd.notes = False
        before = crowd.spoil(0.7)
        self._after(HOUR, lambda: crowd.repair(before))
        for hours in (2, 4):
            self._after(hours * HOUR, self.world.approve)
        self._after(4 * HOUR, lambda: setattr(crowd, "notes", True))

    # looking

    def _looks(self) -> None:
        self._at_times(10 * MINUTE, lambda: checks.all_along(self.world, self.lags))
        self._at_times(HOUR, self._sample)

    def _sample(self) -> None:
        if len(self.samples) % 6 == 0:
            gc.collect()
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        lines, rows = self.lines.total() - sum(s.lines for s in self.samples), 0
        if self.world.process is not None:
            rows = checks.rows(self.world)
        files = len(os.listdir("/proc/self/fd"))
        hour = (self.world.time.now() - MONDAY) / HOUR
        self.samples.append(Sample(hour, pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files, lines, rows))
        for site in self.world.sites.values():
            site.trim()

    # the end

    def _heal(self) -> None:
        """Nobody edits any more, nothing goes wrong, and a person looks after what waits for one."""
        self.over = True
        world = self.world
        for site in world.sites.values():
            site.spell = None
            site.commit()
        self._after(MINUTE, world.mend)
        for hours in (0.5, 1.5, 2.5):
            self._after(hours * HOUR, world.approve)

    def _settled(self, end: float) -> float:
        """The end of the story: not in the night of a platform, when it is told nothing, nor right after it."""
        moment = end + SETTLE
        for windows in QUIET.values():
            if windows.quiet(moment - LONG_QUIET):
                moment = windows.quiet_until(moment - LONG_QUIET) + LONG_QUIET
        return moment

    def _after(self, seconds: float, do: Callable[[], object]) -> None:
        self.world.time.after(seconds, do)
