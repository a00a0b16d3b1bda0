"""The files `rosterd init` and `rosterd demo` begin with."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from daemon import example
from daemon.errors import RosterdError
from mappings.load import preset_text

RATE = 1000
"""Calls per second to a sandbox: nobody's server is burdened."""

PRIORITY = {"strive": 1, "telerivet": 0}
"""The sandbox's people were typed on both sides at the same moment; more carefully on Strive."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

# What the sandbox's people keep in fields of their own.
SANDBOX_FIELDS = {
    "strive": "fields:\n  language: custom.lang\n",
    "telerivet": (
        "fields:\n"
        "  postal_code: {at: vars.zip, missing: blank, max: 4096 bytes}\n"
        "  language: {at: vars.lang, missing: blank, max: 4096 bytes}\n"
    ),
}


@dataclass(frozen=True)
class Account:
    """One account to write down. `settings`: keys of its table in the configuration, None for the default.

    `key`: the API key itself, to be written to a file; `key_file`: a file that has it already.
    """

    platform: str
    settings: Mapping[str, Any]
    key: str | None = None
    key_file: Path | None = None

    @property
    def own_key_file(self) -> str:
        return f"{self.platform}.key"


@dataclass(frozen=True)
class File:
    """A file to write; `secret`: readable by its owner alone."""

    name: str
    text: str
    secret: bool = False


def files(accounts: Sequence[Account], *, region: str = "US", sandbox: bool = False) -> list[File]:
    """The configuration, a mapping and (where a key is given) a key file for each account."""
    tables: dict[str, dict[str, Any]] = {one.platform: _table(one, region) for one in accounts}
    config = example.skeleton(
        state_url="sqlite:///state.db", strive=tables.get("strive"), telerivet=tables.get("telerivet")
    )
    found = [File("config.toml", config)]
    for one in accounts:
        found.append(File(f"mappings/{one.platform}.yaml", mapping_text(one.platform, sandbox=sandbox)))
        if one.key is not None:
            found.append(File(one.own_key_file, one.key + "\n", secret=True))
    return found


def _table(one: Account, region: str) -> dict[str, Any]:
    key_file = str(one.key_file.resolve()) if one.key_file is not None else one.own_key_file
    shown = {"region": region} if region != "US" else {}
    return {**one.settings, "api_key_file": key_file, "mapping": f"mappings/{one.platform}.yaml", **shown}


def mapping_text(platform: str, *, sandbox: bool = False) -> str:
    """A mapping that is the preset, with the preset itself as comments to edit."""
    theirs = "".join(f"# {line}".rstrip() + "\n" for line in preset_text(platform).splitlines())
    mine = SANDBOX_FIELDS[platform] if sandbox else "# fields:\n#   notes: off\n"
    return (
        f"# How records on {platform.capitalize()} become contacts, and back. `rosterd check` looks it over.\n"
        f"preset: {platform}\n\n{mine}\n"
        f"# ---- The preset, for reference: what is not changed above is so ----\n#\n{theirs}"
    )


def write(path: Path, file: File) -> None:
    """Write a file at once or not at all; a secret is never readable by others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if file.secret else 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(file.text)
    new.replace(path)


def accounts_of(about: Mapping[str, Any]) -> list[Account]:
    """What a sandbox says of itself, as accounts."""
    found = []
    for platform, priority in PRIORITY.items():
        said = about[platform]
        settings = {key: value for key, value in said.items() if key != "api_key"}
        settings |= {"rate": RATE, "priority": priority}
        found.append(Account(platform, settings, key=said["api_key"]))
    return found


def from_sandbox(url: str) -> list[Account]:
    """Ask a running sandbox for its accounts. Raises RosterdError if there is none at this address."""
    place = urlsplit(url if "//" in url else f"http://{url}")
    if place.scheme != "http" or place.hostname not in LOOPBACK:
        raise RosterdError(f"{url} is no sandbox: that runs on this machine", hint="--sandbox http://127.0.0.1:8090")
    asked = f"http://{place.netloc}/_sandbox/"
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return accounts_of(json.loads(answer.read(1 << 20)))
    except (OSError, ValueError, KeyError, TypeError, urllib.error.URLError):
        raise RosterdError(f"no sandbox answers at {asked}", hint="start one: rosterd sandbox") from None
