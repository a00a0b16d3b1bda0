"""A world of several accounts on one platform: each in a sandbox of its own, so that two never share a table.

world = SeveralWorld(tmp_path, {"atl": "strive", "mke": "strive"})
with world: world.model("atl").add_member(...)
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from daemon import assemble
from daemon.sandbox import Sandbox
from daemon.settings import Settings, load_all
from daemon.sync import cycle
from daemon.sync.books import Report
from tests.stories.remembered import Remembered

MAPPINGS = {
    "strive": "preset: strive\n",
    "telerivet": "preset: telerivet\n",
}


class SeveralWorld(Remembered):
    """`accounts`: the platform of each connection, by name. `mappings`: text, where it is not the preset alone.
    `more`: keys added to a connection's table, as TOML. Time moves by five minutes before each run."""

    def __init__(
        self,
        folder: Path,
        accounts: dict[str, str],
        *,
        mappings: dict[str, str] | None = None,
        more: dict[str, str] | None = None,
    ) -> None:
        self.now = time.time()
        self.folder, self.accounts, self._mappings, self._more = folder, accounts, mappings or {}, more or {}
        self.sandboxes = {name: Sandbox(empty=True, clock=lambda: self.now) for name in accounts}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for sandbox in self.sandboxes.values():
            self._open.enter_context(sandbox)
        self.config = self.folder / "config.toml"
        self.config.write_text("\n".join(['[state]\nurl = "sqlite:///state.db"\n', *map(self._table, self.accounts)]))
        os.chmod(self.config, 0o600)
        self.settings, mappings = load_all(self.config)
        self.store = assemble.open_store(self.settings.state.url)
        self._open.callback(self.store.close)
        self.roster = assemble.roster(
            self.settings, self.store, loaded=mappings, clock=lambda: self.now, sleep=lambda _: None
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    settings: Settings

    def _table(self, name: str) -> str:
        platform, sandbox = self.accounts[name], self.sandboxes[name]
        account = sandbox.accounts[platform]
        (self.folder / f"{name}.yaml").write_text(
            self._mappings.get(name, MAPPINGS.get(platform, f"preset: {platform}\n"))
        )
        said = {"platform": platform, "base_url": sandbox.base_url(platform), "mapping": f"{name}.yaml"}
        values = {**said, **account.settings, **account.secrets, "rate": 1000}
        lines = [f"{key} = {value!r}".replace("'", '"') for key, value in values.items()]
        return "\n".join([f"[connections.{name}]", *lines, self._more.get(name, ""), ""])

    # what happens

    def sync(self, *, full: bool = False, after: float = 300.0) -> Report:
        """One run, `after` seconds later. Its books balance, and nothing was destroyed."""
        self.now += after
        report = cycle.run(self.roster, cycle.Options(full=full))
        assert report.balanced
        self.harmless()
        return report

    def settle(self, runs: int = 5) -> Report:
        """Run until a run sends nothing."""
        for _ in range(runs):
            report = self.sync()
            if report.sent == 0:
                return report
        raise AssertionError("it never became quiet")

    def harmless(self) -> None:
        for name, sandbox in self.sandboxes.items():
            assert not any(sandbox.harm().values()), (name, sandbox.harm_log.details)
            assert sandbox.blind_writes == 0, (name, sandbox.harm_log.details)

    # looking

    def model(self, name: str) -> Any:
        return self.sandboxes[name].accounts[self.accounts[name]].model

    def everybody(self, name: str) -> list[dict[str, Any]]:
        return self.sandboxes[name].accounts[self.accounts[name]].everybody()

    def one(self, name: str) -> dict[str, Any]:
        """The only record of a connection."""
        (found,) = self.everybody(name)
        return found

    def writes(self, name: str) -> list[Any]:
        """The bodies written to a connection, in order; for a request without one, its method and path."""
        calls = self.sandboxes[name].calls(self.accounts[name])
        return [c.wrote if c.wrote is not None else (c.method, c.path) for c in calls if c.method != "GET"]

    def forget_calls(self) -> None:
        for sandbox in self.sandboxes.values():
            sandbox.reset_log()
