"""Secrets: from a file of their own, the environment or systemd credentials, never where others can read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.settings_models import State
from daemon.settings_parts import Loc, Part
from daemon.settings_platforms import PLATFORMS
from daemon.settings_problems import Found, Tree
from daemon.settings_service import Alerts, Service
from daemon.settings_types import has_password, under

SECRETIVE: Mapping[str, type[Part]] = {"state": State, "service": Service, "alerts": Alerts}
"""Tables of the top level that have secrets, as the connections have theirs."""

DATABASE: Loc = ("state", "url")
UNREAD = "could-not-be-read"
"""In the place of a secret whose file is the mistake: long enough that its shape is not told as another one."""


def take_secrets(found: Found, file: Tree, credentials: Tree, environment: Tree) -> None:
    """For each secret take the topmost layer that has it, itself or as the name of a file."""
    layers = {"environment": environment, "credentials": credentials, "file": file}
    for name, table in tables(found.tree).items():
        if not isinstance(table, dict):
            continue
        for secret in secrets_of(table):
            given = {layer: _given(tables(tree).get(name), secret) for layer, tree in layers.items()}
            _one_secret(found, ("connections", name, secret), table, given)
    for name, model in SECRETIVE.items():
        table = found.tree.get(name)
        if not isinstance(table, dict):
            continue
        for secret in model.secrets():
            given = {layer: _given(tree.get(name), secret) for layer, tree in layers.items()}
            _one_secret(found, (name, secret), table, given)


def secrets_of(table: Tree) -> tuple[str, ...]:
    """The secret keys a connection of this platform has; of an unknown platform, those of all."""
    platform = table.get("platform")
    known = PLATFORMS.get(platform) if isinstance(platform, str) else None
    models = [known] if known else PLATFORMS.values()
    return tuple(dict.fromkeys(secret for model in models for secret in model.secrets()))


def _given(table: Any, secret: str) -> Tree:
    keys = (secret, f"{secret}_file")
    return {key: table[key] for key in keys if key in table} if isinstance(table, dict) else {}


def _one_secret(found: Found, loc: Loc, table: Tree, given: dict[str, Tree]) -> None:
    secret, from_file = str(loc[-1]), f"{loc[-1]}_file"
    if _is_secret(loc, given["file"]) and _others_may(found.path, 0o077):
        hint = f"chmod 600 {found.path}, or use {from_file}; never in a file that others can read"
        what = "a password" if loc == DATABASE else "a key"
        found.wrong(loc, f"{what} in a file that others can read", hint, place=found.places.get(loc))
    for layer in given.values():
        if len(layer) == 2:
            found.wrong(loc, f"given twice, here and as {from_file}", "keep one of the two")
    top = next((layer for layer in given.values() if layer), {})
    if secret in top or not isinstance(top.get(from_file), str):
        return
    at: Loc = (*loc[:-1], from_file)
    table[secret] = _read_secret(found, at, top[from_file]) or ("sqlite:///none" if loc == DATABASE else UNREAD)
    _stands_at(found, loc, at)


def _is_secret(loc: Loc, given: Tree) -> bool:
    """Whether a secret was given here; the address of a database is one only with a password in it."""
    value = given.get(str(loc[-1]))
    return has_password(str(value)) if loc == DATABASE else str(loc[-1]) in given


def _stands_at(found: Found, loc: Loc, at: Loc) -> None:
    """What is wrong with the key is wrong where its file is named."""
    if at in found.origins:
        found.origins[loc] = found.origins[at]
    elif at in found.places:
        found.places[loc] = found.places[at]


def _read_secret(found: Found, loc: Loc, name: str) -> str:
    """The key in this file. When there is none to be had, the problem is noted; any text will do in its place."""
    try:
        path = under(found.folder, Path(name))
    except ValueError:
        return ""  # the key that names the file is told off for it
    what = str(loc[-1]).removesuffix("_file").replace("_", " ").replace("api key", "API key")
    what = "address of the database" if loc[:1] == DATABASE[:1] else what
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        found.wrong(loc, f"{path} does not exist", f"write the {what} into it and chmod 600 it")
    except OSError as error:
        found.wrong(loc, f"{path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        found.wrong(loc, f"{path} is not text")
    else:
        if not text:
            found.wrong(loc, f"{path} is empty", f"write the {what} into it")
        elif _others_may(path, 0o007):
            found.wrong(loc, f"{path} can be read by everybody", f"chmod 600 {path}")
        return text
    return ""


def _others_may(path: Path, mask: int) -> bool:
    return bool(path.stat().st_mode & mask)


def tables(tree: Tree) -> Tree:
    """The raw `[connections.*]`, as far as it is a table at all."""
    connections = tree.get("connections")
    return connections if isinstance(connections, dict) else {}
