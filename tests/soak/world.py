"""The world of the soak: five platforms, a crowd, one service that is restarted and killed, a person who decides."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.service.alerts_words import News
from daemon.settings import load
from daemon.sync.roster import Limit, Roster, Rules, Side
from daemon.sync.verdicts import Picked, decide
from daemon.sync.windows import Stretch, Windows
from mappings.load import load as load_mapping
from state.model import Hold
from tests.five_twins import ABLE, MAPPINGS, SIDES, shout
from tests.soak.clock import Clock
from tests.soak.ledger import Ledger
from tests.soak.people import Crowd
from tests.soak.service import START, Process
from tests.soak.sites import Site, SiteConnector
from tests.soak.weather import Weather
from tests.twin import MAPPING

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MONDAY = 1_772_409_600.0 + 9 * 3600.0
"""2 March 2026, nine in the morning UTC."""
NAMES = tuple(SIDES)
RATES = {"strive": 3.0, "telerivet": 3.0, "action_network": 4.0, "colony": 2.0, "carium": 2.0}
EVERY = {
    "strive": 5 * MINUTE,
    "telerivet": 10 * MINUTE,
    "action_network": 5 * MINUTE,
    "colony": 15 * MINUTE,
    "carium": 15 * MINUTE,
}
FULL_EVERY = {**dict.fromkeys(NAMES, 12 * HOUR), "telerivet": 6 * HOUR}
ALL_DAYS = frozenset(range(7))
QUIET = {"telerivet": Windows(quiet_hours=(Stretch(ALL_DAYS, 22 * 60, 7 * 60),))}
MAINTENANCE = {"colony": (3 * 60, 3 * 60 + 30)}
TWINS: dict[str, dict[str, Any]] = {
    "strive": {"page": 100},
    "telerivet": {"page": 200, "feed_is_sweep": True, "receipts": False, "tidy": shout},
    "action_network": {"page": 25, "evidence": False},
    "colony": {"page": 100, "feed_is_sweep": True},
    "carium": {"page": 100, "feed_is_sweep": True},
}
FUSE = {
    "create": Limit(500, 50),
    "update": Limit(500, 20),
    "blank": Limit(5, 5),
    "rekey": Limit(50, 5),
    "merge": Limit(50, 5),
    "vanish": Limit(50, 5),
    "outreach": Limit(100, 5),
}
MUCH = 20
"""Pushes: a backlog."""
SETTINGS = {
    "strive": "campaign_id = 1\napi_key = 'made-up-key'",
    "telerivet": "project_id = 'PJ2ad0100821a98bea'\napi_key = 'made-up-key'",
    "action_network": "api_key = 'made-up-key'",
    "colony": "username = 'u'\npassword = 'made-up'\nclient_id = 'made-up'\nclient_secret = 'made-up'",
    "carium": "username = 'u'\npassword = 'made-up'",
}


class SoakWorld:
    """`url`: of the database; blank: an SQLite file in `folder`. `slower`: by how much each `every` is longer."""

    def __init__(self, folder: Path, people: int, seed: int, url: str = "", *, slower: float = 1.0) -> None:
        self.folder, self.url = folder, url or f"sqlite:///{folder}/state.db"
        self.dice = random.Random(seed)
        random.seed(seed)  # what the service draws: how long it waits after a failure
        self.time, self.began = Clock(MONDAY), MONDAY
        self.sites = {name: self._site(name, random.Random(f"{seed}{name}")) for name in NAMES}
        self.every = {name: slower * seconds for name, seconds in EVERY.items()}
        self.weather = Weather(self.time, NAMES)
        self.ledger = Ledger(self.time, self.sites, self.weather, self.every, self._behind)
        self.crowd = Crowd(self.time, self.sites, self.ledger, self.dice)
        self.mappings = dict(MAPPINGS)
        self.noteless = {"action_network"}
        self.settings = load(self._config())
        self.counts: Counter[str] = Counter()
        self.news: list[News] = []
        self.complaints: list[str] = []
        self._complained: set[str] = set()
        self.told: list[str] = []
        self.calls: Counter[str] = Counter()  # that ended processes said they had made
        self.process: Process | None = None
        self._countdown: Callable[[], object] | None = None
        for site in self.sites.values():
            site.called = self._called
        self.people = people
        self.crowd.gather(people)

    def _site(self, name: str, dice: random.Random) -> Site:
        return Site(name, self.time, RATES[name], dice, capabilities=ABLE[name], **TWINS[name])

    def _config(self) -> Path:
        tables = [f'[state]\nurl = "{self.url}"']
        for name in NAMES:
            late = max(30 * MINUTE, 3 * self.every[name])
            tables.append(
                f"[connections.{name}]\nplatform = '{name}'\nevery = '{self.every[name]:.0f}s'\n"
                f"late_after = '{late:.0f}s'\n{SETTINGS[name]}"
            )
        path = self.folder / "config.toml"
        path.write_text("\n\n".join(tables) + "\n")
        os.chmod(path, 0o600)
        return path

    def roster(self, process: Process) -> Roster:
        """As the process reads its configuration now."""
        sides = {name: self._side(name, process) for name in NAMES}
        rules = Rules(fuse=FUSE)
        gates = process.gates
        return Roster(process.store, sides, rules, clock=self.time.wall, keeper=process.keeper, gates=gates)

    def _side(self, name: str, process: Process) -> Side:
        site, gate = self.sites[name], process.gates[name]
        path = self.folder / f"{name}.yaml"
        path.write_text(self.mappings[name])
        windows = QUIET.get(name, Windows())
        if name in MAINTENANCE:
            windows = Windows(maintenance=(Stretch(ALL_DAYS, *MAINTENANCE[name]),))
        return Side(
            name,
            "twin",
            load_mapping(path, platform="twin"),
            site.capabilities,
            lambda facts: SiteConnector(site, facts, gate),
            direction="in" if name == "carium" else "both",
            priority=2 if name == "strive" else 0,
            every=self.every[name],
            full_every=FULL_EVERY[name],
            budget=name,
            windows=windows,
        )

    # the service

    def start(self) -> None:
        self.counts["starts"] += 1
        self.process = Process(self, f"worker-{self.counts['starts']}", self._hear)

    def _hear(self, news: News) -> str:
        self.news.append(news)
        return "heard"

    def _behind(self, name: str) -> bool:
        """Whether much else is owed to this connection."""
        return self.process is not None and self.process.owed(name) >= MUCH

    def restart(self) -> None:
        """An upgrade: it is asked to end, and started again."""
        process = self.process
        if process is None:
            return
        self.process = None
        self.counts["restarts"] += 1
        self.weather.everywhere(START + 30.0)
        process.end(lambda: self._gone(process))

    def _gone(self, process: Process) -> None:
        self.calls.update(process.calls)
        self.time.after(START, self.start)

    def kill_soon(self) -> None:
        """kill -9, somewhere between two calls, or on the way there or back."""
        left = self.dice.randrange(1, 6)

        def count() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._countdown = None
                self.time.after(self.dice.uniform(0.0, 0.3), self.kill)

        self._countdown = count

    def _called(self) -> None:
        if self._countdown is not None:
            self._countdown()

    def kill(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        self.counts["kills"] += 1
        self.counts["turns killed"] += process.kill()
        self.weather.everywhere(START + 30.0)
        self.calls.update(process.calls)
        self.time.after(START + self.dice.choice([0.0, 20.0, 300.0]), self.start)

    def jump(self, seconds: float) -> None:
        """The clock of our machine is set."""
        self.counts["clock jumps"] += 1
        self.time.drift += seconds
        self.weather.everywhere(abs(seconds) + 60.0)
        if self.process is not None:
            self.process.look_now()  # the service notices within half a second

    # the person who looks after it

    def remap(self, name: str) -> None:
        """Notes are mapped there, or are not any more; SIGHUP."""
        self.noteless ^= {name}
        self.mappings[name] = MAPPINGS[name].replace("  notes: notes\n", "")
        if name not in self.noteless:
            self.mappings[name] = MAPPING
        self.counts["mappings changed"] += 1
        if self.process is not None:
            self.process.reload()

    def mend(self) -> None:
        """They have mended what needed a person, and say so."""
        if self.process is not None:
            self.process.ask(read=False)

    def holds(self, kind: str | None = None) -> list[Hold]:
        if self.process is None:
            return []
        with self.process.store.look() as tx:
            return tx.holds.listed(kind=kind)

    def approve(self) -> None:
        """They have looked at the mass changes that wait."""
        for hold in self.holds("fuse"):
            assert self.process is not None
            with self.process.store.transaction() as tx:
                decide(tx, self.process.worker.roster, hold, Picked("approve"))
            self.counts["fuses decided"] += 1
            self.process.look_now()

    def complain(self, what: str) -> None:
        """Once, however long it stays so."""
        if what in self._complained:
            return
        self._complained.add(what)
        self.complaints.append(f"{(self.time.now() - MONDAY) / HOUR:.2f} h: {what}")

    def tell(self, what: str) -> None:
        """One more line of the story."""
        self.told.append(f"{(self.time.now() - MONDAY) / HOUR:7.2f} h  {what}")
