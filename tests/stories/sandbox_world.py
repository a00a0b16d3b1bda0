"""A world for stories end to end: the real connectors over HTTP, a sandbox, and a roster made from a written config."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Self

from daemon import assemble
from daemon.commands import starter
from daemon.sandbox import Sandbox
from daemon.settings import load_all
from daemon.sync import cycle
from daemon.sync.books import Report
from tests.stories.remembered import Remembered


class SandboxWorld(Remembered):
    """`more`: keys added to a connection's table, as TOML. Time stands still but for five minutes before each run."""

    def __init__(
        self,
        folder: Path,
        more: dict[str, str] | None = None,
        *,
        platforms: tuple[str, ...] = ("strive", "telerivet"),
        **population: Any,
    ) -> None:
        self._platforms = platforms
        self.now = time.time()
        self.sandbox = Sandbox(clock=lambda: self.now, **population)
        self.folder, self._more = folder, more or {}

    def __enter__(self) -> Self:
        self.sandbox.start()
        accounts = [one for one in starter.accounts_of(self.sandbox.about()) if one.platform in self._platforms]
        for file in starter.files(accounts, sandbox=True):
            starter.write(self.folder / file.name, file)
        config = self.folder / "config.toml"
        text = config.read_text()
        for name, lines in self._more.items():
            text = text.replace(f"[connections.{name}]\n", f"[connections.{name}]\n{lines}\n")
        config.write_text(text)
        settings, mappings = load_all(config)
        self.store = assemble.open_store(settings.state.url)
        self.roster = assemble.roster(
            settings, self.store, loaded=mappings, clock=lambda: self.now, sleep=lambda _: None
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self.sandbox.stop()

    @property
    def strive(self) -> Any:
        return self.sandbox.strive

    @property
    def telerivet(self) -> Any:
        return self.sandbox.telerivet

    def sync(self, *, full: bool = False, after: float = 300.0) -> Report:
        """One run, `after` seconds later. Its books balance."""
        self.now += after
        report = cycle.run(self.roster, cycle.Options(full=full))
        assert report.balanced
        return report

    def settle(self, runs: int = 4) -> Report:
        """Run until a run sends nothing."""
        for _ in range(runs):
            report = self.sync()
            if report.sent == 0:
                return report
        raise AssertionError("it never became quiet")

    def harmless(self) -> None:
        """Nothing was destroyed, and nothing written that had not been read."""
        assert not any(self.sandbox.harm().values()), self.sandbox.harm_log.details
        assert self.sandbox.blind_writes == 0, self.sandbox.harm_log.details

    def writes(self, platform: str) -> list[Any]:
        """The bodies written, in order; for a request without one, its method and path."""
        return [
            call.wrote if call.wrote is not None else (call.method, call.path)
            for call in self.sandbox.calls(platform)
            if call.method != "GET"
        ]

    def member(self, phone: str) -> dict[str, Any]:
        (found,) = [each for each in self.strive.members() if each["phone_number"] == phone]
        return dict(found)

    def contact(self, phone: str) -> dict[str, Any]:
        (found,) = [each for each in self.telerivet.contacts() if each["phone_number"] == phone]
        return dict(found)
