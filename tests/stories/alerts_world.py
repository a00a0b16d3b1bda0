"""A database as a service leaves it, a clock that is set by hand, and somebody who is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from daemon import settings as config
from daemon.service.alerts import Alarms
from daemon.service.alerts_ways import Untold, Ways
from daemon.service.alerts_words import News
from daemon.settings import Settings
from state.alerts import Alert
from state.model import CONSENT_LANE, Account, Hold, Owed
from state.store import Store
from state.tables import hours

CONFIG = """\
[state]
url = "sqlite:///state.db"

[connections.strive]
platform = "strive"
campaign_id = 273
api_key = "example-key"

[connections.telerivet]
platform = "telerivet"
project_id = "PJ2ad0100821a98bea"
api_key = "example-key"
"""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NOON = 1_795_867_200.0
"""28 November 2026, 12:00 UTC."""
FAR = NOON + 1000 * DAY


class Person:
    """Somebody who is told, by a way that can be down."""

    def __init__(self) -> None:
        self.heard: list[News] = []
        self.down = ""
        self.while_told: Callable[[], object] = lambda: None

    def __call__(self, news: News) -> str:
        self.while_told()
        if self.down:
            raise Untold(self.down)
        self.heard.append(news)
        return "heard"

    @property
    def said(self) -> list[str]:
        """What was said since it was last asked."""
        said = [f"{each.key} {each.state}" for each in self.heard]
        self.heard.clear()
        return said


class World:
    """One worker and one person, who is told by pager (and by mail, if asked for).

    Both connections are read for ever, until a test says when they were read.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        self.now = NOON
        self.resting: set[str] = set()
        self.person, self.mailbox = Person(), Person()
        self.ways: dict[str, Person] = {"pager": self.person}
        self.settings = self.configured()
        with store.transaction() as tx:
            for name in ("strive", "telerivet"):
                account = Account(name, name, "7", sweep=1, swept=1, swept_at=NOON - 30 * DAY)
                account.polled_at, account.ok_at = FAR, NOON
                tx.connections.add(account)
        self.alarms = self.worker()

    def configured(self, text: str = "", *, instead: tuple[str, str] = ("", "")) -> Settings:
        path = self.folder / "config.toml"
        path.touch(0o600)
        path.write_text(CONFIG.replace(*instead) + text)
        return config.load(path)

    def worker(self) -> Alarms:
        """Another process on the same database, or the same after a restart."""

        def send(_: Settings) -> Ways:
            return self.ways

        return Alarms(
            self.settings, self.store, clock=lambda: self.now, resting=lambda name, _: name in self.resting, send=send
        )

    def look(self, after: float = 0.0, *, by: Alarms | None = None) -> list[str]:
        """Some time later a worker looks; returns what the person hears."""
        self.now += after
        alarms = by or self.alarms
        alarms.look()
        alarms.close()
        return self.person.said

    def is_read(self, *names: str) -> None:
        """To the end, just now: these, or both."""
        for name in names or ("strive", "telerivet"):
            self.put(name, polled_at=self.now)

    def put(self, name: str, **values: Any) -> None:
        with self.store.transaction() as tx:
            tx.connections.put(name, **values)

    def fails(self, name: str = "strive", why: str = "api.example.org cannot be reached", times: int = 1) -> None:
        self.put(name, failures=times, paused_why=why)

    def works(self, name: str = "strive") -> None:
        self.put(name, failures=0, paused_why=None, ok_at=self.now)

    def trips(self, kind: str = "update") -> int:
        with self.store.transaction() as tx:
            return tx.holds.open(Hold(f"fuse:strive:{kind}", "fuse", {"kind": kind}, "strive", opened_at=self.now))

    def decides(self, kind: str = "update") -> None:
        with self.store.transaction() as tx:
            assert tx.holds.close(f"fuse:strive:{kind}", {"choice": "approve"}, at=self.now)

    def owes(self, record: str, *, state: str, lane: int = CONSENT_LANE) -> None:
        with self.store.transaction() as tx:
            tx.outbox.add([Owed("telerivet", lane, None, record, "consent", {}, state, created_at=self.now)])

    def changes(self, name: str, by_hour: dict[int, int]) -> None:
        """What its readings brought, in hours since 1970."""
        rest = {"sent": 0, "calls": 1, "throttled": 0, "told": 0, "told_after": 0.0, "told_slowest": 0.0}
        rows = [{"connection": name, "hour": at, "read": n, "changed": n, **rest} for at, n in by_hour.items()]
        with self.store.transaction() as tx:
            tx.db.execute(insert(hours), rows)

    @property
    def hour(self) -> int:
        return int(self.now // HOUR)

    @property
    def alerts(self) -> list[Alert]:
        with self.store.look() as tx:
            return tx.alerts.recent(50)
