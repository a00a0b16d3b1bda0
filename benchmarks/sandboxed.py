"""All five platforms in a process of their own, and `rosterd` configured for them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.process import ENVIRONMENT, ROOT, Spent, run

RATE = 1000
"""Calls a second to each platform of the sandbox: more than it answers, so that no limit of ours is in the way."""
PLATFORMS = ("strive", "telerivet", "action_network", "colony", "carium")
TITLES = ("Strive", "Telerivet", "Action Network", "Colony", "Carium")
SECRETS = ("api_key", "password", "client_secret")
PARTIAL = 3
"""The exit code of a run that is done but for records that wait for a person."""

# What the sandbox's people keep in fields of their own; as `rosterd init --sandbox` writes it.
MAPPINGS = {
    "strive": "fields:\n  language: custom.lang\n",
    "telerivet": (
        "fields:\n"
        "  postal_code: {at: vars.zip, missing: blank, max: 4096 bytes}\n"
        "  language: {at: vars.lang, missing: blank, max: 4096 bytes}\n"
    ),
}

Accounts = dict[str, dict[str, Any]]


def platforms(people: int) -> AbstractContextManager[str]:
    """The sandbox with its messy people on five platforms; gives its address."""
    return serving("daemon.sandbox", "--port", "0", "--people", str(people))


@contextlib.contextmanager
def serving(module: str, *options: str) -> Iterator[str]:
    """A module that says in its first line where it serves; gives that address."""
    command = [sys.executable, "-m", module, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as child:
        try:
            assert child.stdout is not None
            yield child.stdout.readline().split("http://")[1].split("/")[0].join(("http://", ""))
        finally:
            child.terminate()


def asked(url: str, what: str = "") -> Any:
    """What the sandbox says of itself."""
    with urllib.request.urlopen(f"{url}/_sandbox/{what}") as answer:
        return json.load(answer)


def config(folder: Path, accounts: Accounts, more: str = "") -> Path:
    """Write a configuration for these accounts into a folder of its own, secrets and all. `more`: further tables."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = [f'[state]\nurl = "sqlite:///{folder / "state.db"}"', more]
    for name, account in accounts.items():
        (folder / f"{name}.yaml").write_text(f"preset: {name}\n{MAPPINGS.get(name, '')}")
        keys = {"platform": name, "rate": RATE, "priority": int(name == "strive"), "mapping": f"{name}.yaml", **account}
        tables.append("\n".join([f"[connections.{name}]", *(f"{key} = {json.dumps(keys[key])}" for key in keys)]))
    path = folder / "config.toml"
    path.write_text("\n\n".join(tables) + "\n")
    path.chmod(0o600)
    return path


class Five:
    """`rosterd` on all five, with a state of its own."""

    def __init__(self, folder: Path, url: str, *, more: str = "") -> None:
        about = asked(url)
        self.config = config(folder, {name: about[name] for name in PLATFORMS}, more)
        self.database = folder / "state.db"

    def sync(self, *, only_read: bool = False, through: Sequence[str] = ("-m", "daemon.cli")) -> Spent:
        """One run. `only_read`: of every platform."""
        env = {"ROSTERD_LOG": "error"}
        env |= {f"ROSTERD_CONNECTIONS__{name.upper()}__DIRECTION": "in" for name in PLATFORMS if only_read}
        return run(*through, "-c", str(self.config), "sync", "--json", env=env, fine=(0, PARTIAL))


def books(spent: Spent) -> dict[str, dict[str, Any]]:
    """By connection, what `rosterd sync --json` said of it."""
    text = spent.said
    found: dict[str, dict[str, Any]] = json.JSONDecoder().raw_decode(text, text.index("{"))[0]["connections"]
    return found
