"""What can be typed next, told fast: from an outline of the commands, and from the config file as it stands.

To import a command means to import what it works with: a database, an HTTP client. Nobody waits for that behind a key
press. So the outline (commands, options, choices) is kept in a file beside the commands, made from them and compared
with them by a test, and turned back into commands that can do nothing but be completed. Whatever goes wrong here,
there is nothing to complete: errors are swallowed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from daemon import places

OUTLINE = Path(__file__).parent / "commands" / "outline.json"
MOST = 200

Entry = dict[str, Any]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@cache
def outline() -> Entry:
    """`commands`: by name, as tests/outline.py describes them; `settings` and `connection`: names of settings."""
    found: Entry = json.loads(OUTLINE.read_text(encoding="utf-8"))
    return found


def command(name: str) -> click.Command | None:
    """A command of this name that can be completed, and not run."""
    entry = outline()["commands"].get(name)
    return None if entry is None else _command(name, entry)


def _command(name: str, entry: Entry) -> click.Command:
    params = [_param(each) for each in entry["params"]]
    if "commands" not in entry:
        return click.Command(name, params=params, short_help=entry["help"])
    below = {each: _command(each, its) for each, its in entry["commands"].items()}
    return click.Group(name, params=params, short_help=entry["help"], commands=below)


def _param(entry: Entry) -> click.Parameter:
    kind: click.ParamType[Any] = click.STRING
    if "choices" in entry:
        kind = click.Choice(entry["choices"])
    elif "path" in entry:
        kind = click.Path(file_okay=entry["path"] == "file", dir_okay=entry["path"] == "folder")
    more: dict[str, Any] = {"type": kind, "shell_complete": SOURCES.get(entry.get("from", ""))}
    if "name" in entry:
        return click.Argument([entry["name"]], nargs=entry["nargs"], required=False, **more)
    if entry["flag"]:
        return click.Option(entry["opts"], is_flag=True, help=entry["help"])
    return click.Option(entry["opts"], multiple=entry["multiple"], help=entry["help"], **more)


# what is known only here and now


def _quietly(find: Callable[[Path], Iterator[tuple[str, str]]]) -> Complete:
    """Ask the config file, and offer what begins as typed; nothing where anything is amiss."""

    def complete(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
        try:
            found = [CompletionItem(word, help=about) for word, about in find(_file(ctx)) if word.startswith(typed)]
        except (OSError, ValueError, TypeError, KeyError, AttributeError, sqlite3.Error):
            return []
        return found[:MOST]

    return complete


def _file(ctx: click.Context) -> Path:
    """As `daemon.settings.find`. Raises OSError where there is none."""
    named = ctx.find_root().params.get("config") or os.environ.get("ROSTERD_CONFIG")
    if named:
        return Path(named).expanduser()
    return next((place for place in places.CONFIG if place.is_file()), places.CONFIG[0])


def _table(file: Path) -> Entry:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def connections(file: Path) -> Iterator[tuple[str, str]]:
    """Names of connections, with their platforms."""
    for name, table in _table(file)["connections"].items():
        yield name, str(table.get("platform", ""))


def settings(file: Path) -> Iterator[tuple[str, str]]:
    """Dotted names of settings: those there always are, and those of each connection by its platform."""
    yield from outline()["settings"].items()
    by_platform = outline()["connection"]
    for name, platform in connections(file):
        for key, about in by_platform.get(platform, {}).items():
            yield f"connections.{name}.{key}", about


def holds(file: Path) -> Iterator[tuple[str, str]]:
    """Numbers of open holds, with their kinds; from SQLite, which can be asked at once."""
    url = os.environ.get("ROSTERD_STATE__URL") or _table(file)["state"]["url"]
    scheme, _, path = str(url).partition(":///")
    if scheme != "sqlite":
        return
    database = file.absolute().parent / path
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=0.1)) as db:
        query = "select id, kind, coalesce(connection, '') from holds where state = 'open' order by id limit ?"
        for number, kind, connection in db.execute(query, (MOST,)):
            yield str(number), f"{kind} {connection}".strip()


SOURCES: dict[str, Complete] = {
    "connections": _quietly(connections),
    "settings": _quietly(settings),
    "holds": _quietly(holds),
}
"""Where the words for a parameter come from, by what the outline says."""
