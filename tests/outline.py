"""The outline of the commands, which completion works from: made from the commands themselves.

It stands in daemon/commands/outline.json; `python -m tests.docs_tables --write` makes it anew.
"""

from __future__ import annotations

import json
from typing import Any

import click

from daemon import settings_keys
from daemon.cli import COMMANDS, main
from daemon.commands.options import CONFIG_KEY
from daemon.completing import SOURCES
from daemon.platforms import registry
from daemon.settings_platforms import PLATFORMS
from daemon.sync.verdicts import CHOICES

Entry = dict[str, Any]


def text() -> str:
    return json.dumps(outline(), indent=1, ensure_ascii=False) + "\n"


def outline() -> Entry:
    """`commands`, and the names of settings: `settings` those there always are, `connection` by platform."""
    context = click.Context(main, info_name="rosterd")
    found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {
        "commands": {name: _command((name,), one) for name, one in found.items() if one is not None},
        "settings": _settings({}),
        "connection": {
            name: {
                key.removeprefix("connections.x."): about
                for key, about in _settings({"connections": {"x": {"platform": name}}}).items()
                if key.startswith("connections.")
            }
            for name in PLATFORMS
        },
    }


def _settings(tree: dict[str, Any]) -> dict[str, str]:
    found = {}
    for name in settings_keys.every(tree):
        key = settings_keys.find(name, tree)
        if not key.secret:  # they are neither shown nor set
            found[name] = _first(key.field.description if key.field is not None else "")
    return found


def _command(path: tuple[str, ...], command: click.Command) -> Entry:
    help_ = COMMANDS[path[0]] if len(path) == 1 else command.get_short_help_str(80)
    entry: Entry = {"help": help_, "params": [_param(path, one) for one in command.params if not _hidden(one)]}
    if isinstance(command, click.Group):
        below = {name: one for name, one in command.commands.items() if not one.hidden}
        entry["commands"] = {name: _command((*path, name), one) for name, one in below.items()}
    return entry


def _hidden(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and param.hidden


def _param(path: tuple[str, ...], param: click.Parameter) -> Entry:
    more = _words(path, param)
    if isinstance(param, click.Option):
        flag = param.is_flag or param.count
        shown = {"opts": [*param.opts, *param.secondary_opts], "help": _first(param.help), "flag": bool(flag)}
        return shown if flag else {**shown, "multiple": param.multiple, **more}
    return {"name": param.name, "nargs": param.nargs, **more}


def _words(path: tuple[str, ...], param: click.Parameter) -> Entry:
    """What may be given: `choices`, `path` (file or folder), or `from`: a source of daemon/completing.py."""
    if path == ("holds", "decide") and param.name == "choice":
        return {"choices": sorted({one.split()[0] for told in CHOICES.values() for one in told.split(" | ")})}
    if "PLATFORM" in (param.metavar, (param.name or "").upper()):
        return {"choices": list(registry.PLATFORMS)}
    source = {"--connection": "connections", "hold_id": "holds"}.get(param.opts[0])
    if param.type is CONFIG_KEY:
        source = "settings"
    if source is not None:
        assert source in SOURCES
        return {"from": source}
    if isinstance(param.type, click.Choice):
        return {"choices": list(param.type.choices)}
    if isinstance(param.type, click.Path):
        return {"path": "file" if param.type.file_okay else "folder"}
    return {}


def _first(text: str | None) -> str:
    return (text or "").partition(". ")[0].rstrip(".")
