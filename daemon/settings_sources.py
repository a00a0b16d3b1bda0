"""Where settings come from, and where each one stood: the TOML file, the environment, systemd credentials.

    environment  over  credentials  over  file  over  [defaults]  over  the built-in default

Everything found wrong is collected as a `Problem`; nothing is raised for a single bad value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import spanned_toml
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError

from daemon.errors import BadConfig
from daemon.settings_models import Settings
from daemon.settings_parts import Loc
from daemon.settings_problems import Found, Place, Problem, Tree, did_you_mean
from daemon.settings_secrets import SECRETIVE, tables, take_secrets

PREFIX = "ROSTERD_"
LEVEL = "ROSTERD_LOG"  # the short form of ROSTERD_LOG__LEVEL
CREDENTIALS = ("connections", "state", *SECRETIVE)  # tables that a credential may be for; others are not for us
NOT_SETTINGS = re.compile(r"ROSTERD_(CONFIG|LOG|TEST_.*)", re.IGNORECASE)


def gather(path: Path, *, text: str | None = None) -> Found:
    """Read every source. Raises `BadConfig` only where the file as a whole cannot be read.

    `text`: what the file would say, instead of what it says.
    """
    found = Found(path)
    file = read_text(found, text) if text is not None else read_file(found)
    environment, credentials = read_environment(found), read_credentials(found)
    connections = _connection_names(file, environment)
    for layer in (environment, credentials):
        _drop_strangers(found, layer, connections)
    for layer in (file, credentials, environment):
        _lay_over(found.tree, layer)
    take_secrets(found, file, credentials, environment)
    return found


# ── the file


def read_file(found: Found) -> Tree:
    try:
        text = found.path.read_bytes().decode()
    except OSError as error:
        raise BadConfig([f"{found.path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise BadConfig([f"{found.path}: is not UTF-8 text (byte {error.start})"]) from None
    return read_text(found, text)


def read_text(found: Found, text: str) -> Tree:
    """The tree of a TOML text; every key's place is noted."""
    try:
        document = spanned_toml.loads(text)
    except spanned_toml.TOMLDecodeError as error:
        raise BadConfig([_syntax(found.path, text, str(error))]) from None
    source = text.replace("\r\n", "\n")  # the parser counts so
    for loc, start in _walk(document):
        before = source[:start]
        found.places[loc] = Place(before.count("\n") + 1, start - before.rfind("\n"))
    return _plain(document)  # type: ignore[no-any-return]


def _syntax(path: Path, text: str, message: str) -> str:
    what, _, where = message.rpartition(" (at ")
    at = re.match(r"line (\d+), column (\d+)", where)
    line, column = at.groups() if at else (text.rstrip().count("\n") + 1, 1)
    return f"{path}:{line}:{column}: not TOML: {what[:1].lower()}{what[1:]}"


def _walk(node: Any, at: Loc = ()) -> Iterator[tuple[Loc, int]]:
    """Every key, and every item of a list, with the offset it begins at."""
    inner = node.inner() if hasattr(node, "inner") else node
    if isinstance(inner, dict):
        for key, child in inner.items():
            loc = (*at, key.inner())
            yield loc, key.span().start
            yield from _walk(child, loc)
    elif isinstance(inner, list):
        for index, child in enumerate(inner):
            if start := child.span().start:  # tables in a list have no place of their own
                yield (*at, index), start
            yield from _walk(child, (*at, index))


def _plain(node: Any) -> Any:
    inner = node.inner() if hasattr(node, "inner") else node
    if isinstance(inner, dict):
        return {_plain(key): _plain(value) for key, value in inner.items()}
    return [_plain(value) for value in inner] if isinstance(inner, list) else inner


# ── the environment and the credentials


class _Reader(Settings, BaseSettings):
    """The settings, as pydantic-settings wants to see them to parse environment variables by type."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__")


def read_environment(found: Found) -> Tree:
    ours = [name for name in os.environ if name.upper().startswith(PREFIX) and not NOT_SETTINGS.fullmatch(name)]
    for name in ours:
        loc = _steps(name[len(PREFIX) :])
        found.origins[loc] = f"environment {name}"
        if loc[0] not in Settings.model_fields:
            found.wrong(loc, "no such setting", did_you_mean(str(loc[0]), Settings.model_fields))
    tree = _parsed_environment(found)
    if level := os.environ.get(LEVEL):
        found.origins["log", "level"] = f"environment {LEVEL}"
        tree.setdefault("log", {}).setdefault("level", level.lower())
    return tree


def _parsed_environment(found: Found) -> Tree:
    """The variables as a tree. A table with a value that is not JSON is reported and left out."""
    left_out: set[str] = set()
    while True:
        try:
            return _Environment(_Reader, left_out)()
        except SettingsError as error:
            table = str(error).split('"')[1]  # the message names the field, and nothing else does
            left_out.add(table)
            found.wrong((table,), "is not valid JSON", 'a list is written as ["one", "two"]')


class _Environment(EnvSettingsSource):
    """The environment without some tables and ROSTERD_LOG, which would pass for the table `[log]`."""

    def __init__(self, reader: type[BaseSettings], left_out: set[str]) -> None:
        self._left_out = left_out
        super().__init__(reader)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        ours = super()._load_env_vars().items()
        return {name: value for name, value in ours if name != LEVEL.lower() and not self._skip(name)}

    def _skip(self, name: str) -> bool:
        return name.lower().removeprefix(PREFIX.lower()).split("__")[0] in self._left_out


def read_credentials(found: Found) -> Tree:
    """The files systemd puts into $CREDENTIALS_DIRECTORY, named like `connections__strive_atl__api_key`."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return {}
    if not Path(folder).is_dir():
        found.problems.append(
            Problem(Place(origin="environment CREDENTIALS_DIRECTORY"), "", f"no such directory: {folder}")
        )
        return {}
    for name in os.listdir(folder):
        if (loc := _steps(name))[0] in CREDENTIALS:
            found.origins.setdefault(loc, f"credential {name}")
    tree = NestedSecretsSettingsSource(
        SecretsSettingsSource(_Reader), folder, secrets_nested_delimiter="__", secrets_prefix=""
    )()
    return {name: tree[name] for name in CREDENTIALS if name in tree}


def _steps(name: str) -> Loc:
    return tuple(name.lower().split("__"))


def _connection_names(file: Tree, environment: Tree) -> set[str]:
    """Those the file has, and those the environment makes by giving a platform."""
    made = {name for name, one in tables(environment).items() if isinstance(one, dict) and "platform" in one}
    return made | set(tables(file))


def _drop_strangers(found: Found, layer: Tree, names: set[str]) -> None:
    """A key for a connection that does not exist is a slip of the pen, not a new connection."""
    for name in sorted(set(tables(layer)) - names):
        del layer["connections"][name]
        hint = did_you_mean(name, names)
        found.wrong(("connections", name), f"there is no connection {name!r}", hint)


def _lay_over(below: Tree, above: Tree) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = _copy(value)


def _copy(value: Any) -> Any:
    return {key: _copy(one) for key, one in value.items()} if isinstance(value, dict) else value
