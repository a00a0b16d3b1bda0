"""A small world for stories: a few twins, a store on disk, and a clock that the story turns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.sync import cycle
from daemon.sync.books import Report
from daemon.sync.cycle import Options
from daemon.sync.roster import Roster, Rules, Side
from daemon.sync.verdicts import Picked, decide
from mappings.load import load
from state.model import Contact, Hold, Noted, Owed
from state.store import Store, Tx
from tests.twin import MAPPING, TwinConnector, TwinPlatform

BOTH = ("sqlite", "postgresql")
"""The engines a database may be kept in."""


class World:
    """Twins by name; `sync()` runs once. The clock moves a minute before each run, so that edits have times."""

    def __init__(
        self, folder: Path, *names: str, url: str = "", rules: Rules | None = None, **options: dict[str, Any]
    ) -> None:
        self.url = url or f"sqlite:///{folder}/state.db"
        self.folder, self.rules, self.now = folder, rules or Rules(), 1_700_000_000.0
        self.twins: dict[str, TwinPlatform] = {}
        self.at_once: int | None = 1  # one connection after the other, so that a story always goes the same way
        self.options = options
        for name in names:
            self.join(name, **options.get(name, {}))
        self.store = Store(self.url)

    def join(
        self,
        name: str,
        *,
        mapping: str = MAPPING,
        direction: str = "both",
        priority: int = 0,
        every: float = 300.0,
        full_every: float = 7 * 86400,
        **twin: Any,
    ) -> TwinPlatform:
        """Configure one more connection."""
        settings = {"direction": direction, "priority": priority, "every": every, "full_every": full_every}
        self.options[name] = {"path": self.folder / f"{name}.yaml", "settings": settings}
        self.remap(name, mapping)
        self.twins[name] = TwinPlatform(name, clock=lambda: self.now, **twin)
        return self.twins[name]

    def remap(self, name: str, mapping: str) -> None:
        """Somebody writes another mapping for a connection."""
        self.options[name]["path"].write_text(mapping)

    def __getattr__(self, name: str) -> TwinPlatform:
        try:
            return self.__dict__["twins"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def roster(self) -> Roster:
        sides = {}
        for name, twin in self.twins.items():
            option = self.options[name]
            sides[name] = Side(
                name,
                "twin",
                load(option["path"], platform="twin"),
                twin.capabilities,
                lambda facts, twin=twin: TwinConnector(twin, facts),  # type: ignore[misc]
                **option["settings"],
            )
        return Roster(self.store, sides, self.rules, clock=lambda: self.now, at_once=self.at_once)

    def sync(
        self, *, full: bool = False, due: bool = False, only: frozenset[str] = frozenset(), send: bool = True
    ) -> Report:
        """One run. Whatever happens, the books balance and no platform was harmed."""
        self.now += 60
        try:
            report = cycle.run(self.roster, Options(full=full, due=due, only=only, send=send))
        finally:
            assert {name: twin.harm for name, twin in self.twins.items() if twin.harm} == {}
        assert report.balanced
        return report

    def settle(self, runs: int = 5) -> Report:
        """Run until a run is quiet."""
        for _ in range(runs):
            report = self.sync()
            if report.sent == 0:
                return report
        raise AssertionError("it never became quiet")

    def restart(self) -> None:
        """The process died; a new one opens the same database."""
        self.store.close()
        self.store = Store(self.url)

    @contextlib.contextmanager
    def beside(self) -> Iterator[Tx]:
        """A person decides something, with a command of its own, whatever a run is doing."""
        store = Store(self.url, exclusive=False)
        try:
            with store.transaction() as tx:
                yield tx
        finally:
            store.close()

    # looking

    def holds(self, kind: str | None = None) -> list[Hold]:
        with self.store.look() as tx:
            return tx.holds.listed(kind=kind)

    def contacts(self) -> list[Contact]:
        with self.store.look() as tx:
            return list(tx.contacts.all())

    def contact(self, **fields: Any) -> Contact:
        (found,) = [c for c in self.contacts() if all(c.get(k) == v for k, v in fields.items())]
        return found

    def outbox(self, state: str | None = None) -> list[Owed]:
        with self.store.look() as tx:
            return tx.outbox.listed(state=state, limit=100_000)

    def story(self, contact: Contact) -> list[Noted]:
        with self.store.look() as tx:
            return tx.journal.of_contacts([contact.id])

    def decide(self, hold: Hold, choice: str, argument: str | None = None, *, only: int | None = None) -> str:
        with self.store.transaction() as tx:
            return decide(tx, self.roster, hold, Picked(choice, argument, only))
