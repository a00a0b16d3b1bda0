"""The files `rosterd init` and `rosterd demo` begin with."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from daemon import example
from daemon.errors import RosterdError
from daemon.settings_platforms import PLATFORMS
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
class Asked:
    """What has to be known of an account on a platform.

    first    the setting that names the account; without an answer there is no such account
    more     other settings that must be given
    secrets  the secret settings, each with its last word: key, password or secret
    """

    platform: str
    title: str
    first: str
    words: str
    secrets: Mapping[str, str]
    more: Mapping[str, str] = field(default_factory=dict)

    def option(self, setting: str) -> str:
        return f"--{self.platform}-{setting}".replace("_", "-")


ASKED = (
    Asked("strive", "Strive", "campaign_id", "number of the campaign", {"api_key": "API key"}),
    Asked("telerivet", "Telerivet", "project_id", "id of the project, PJ...", {"api_key": "API key"}),
    Asked("action_network", "Action Network", "group", "your word for the group", {"api_key": "API key"}),
    Asked(
        "colony",
        "Colony",
        "username",
        "name to log in with",
        {"password": "password", "client_secret": "secret of the OAuth2 client"},
        {"client_id": "id of the OAuth2 client"},
    ),
    Asked("carium", "Carium", "username", "name to log in with", {"password": "password"}),
)


@dataclass(frozen=True)
class Account:
    """One account to write down. `settings`: keys of its table in the configuration, None for the default.

    `secrets`: the secrets themselves, to be written to files; `files`: files that have them already.
    """

    platform: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def asked(self) -> Asked:
        return next(one for one in ASKED if one.platform == self.platform)

    def file_of(self, secret: str) -> str:
        """The file that has a secret, as the configuration names it."""
        given = self.files.get(secret)
        return str(given.resolve()) if given else f"{self.platform}.{secret.rpartition('_')[2]}"

    @property
    def lacking(self) -> list[str]:
        """The secrets that somebody must still write down."""
        return [one for one in self.asked.secrets if one not in self.secrets and one not in self.files]


@dataclass(frozen=True)
class File:
    """A file to write; `secret`: readable by its owner alone."""

    name: str
    text: str
    secret: bool = False


def files(accounts: Sequence[Account], *, region: str = "US", sandbox: bool = False) -> list[File]:
    """The configuration, a mapping and (where secrets are given) secret files for each account."""
    tables: dict[str, Any] = {one.platform: _table(one, region) for one in accounts}
    found = [File("config.toml", example.skeleton(state_url="sqlite:///state.db", **tables))]
    for one in accounts:
        found.append(File(f"mappings/{one.platform}.yaml", mapping_text(one.platform, sandbox=sandbox)))
        found += [File(one.file_of(secret), text + "\n", secret=True) for secret, text in one.secrets.items()]
    return found


def _table(one: Account, region: str) -> dict[str, Any]:
    secrets = {f"{secret}_file": one.file_of(secret) for secret in one.asked.secrets}
    own = PLATFORMS[one.platform].model_fields["region"].default != "US"  # Colony's people are not where the others are
    shown = {"region": region} if region != "US" and not own else {}
    return {**one.settings, **secrets, "mapping": f"mappings/{one.platform}.yaml", **shown}


def mapping_text(platform: str, *, sandbox: bool = False) -> str:
    """A mapping that is the preset, with the preset itself as comments to edit."""
    theirs = "".join(f"# {line}".rstrip() + "\n" for line in preset_text(platform).splitlines())
    mine = SANDBOX_FIELDS.get(platform, "") if sandbox else "# fields:\n#   notes: off\n"
    title = next(one.title for one in ASKED if one.platform == platform)
    return (
        f"# How records on {title} become contacts, and back. `rosterd check` looks it over.\n"
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
    for asked in ASKED:
        said = about.get(asked.platform)
        if said is None:
            continue
        settings = {key: value for key, value in said.items() if key not in asked.secrets}
        settings |= {"rate": RATE, "priority": PRIORITY.get(asked.platform, 0)}
        found.append(Account(asked.platform, settings, {secret: said[secret] for secret in asked.secrets}))
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
