"""`rosterd init`: a configuration and mappings to start from. Never overwrites without --force."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from daemon.commands import starter
from daemon.commands.options import as_json
from daemon.errors import RosterdError
from daemon.output import json_out, say

_KEY_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--dir", "folder", type=_FOLDER, default=".", show_default=True, help="Where to write.")
@click.option("--strive-campaign-id", type=click.IntRange(1), help="The number of the campaign on Strive.")
@click.option("--strive-key-file", type=_KEY_FILE, help="A file that holds the API key of Strive.")
@click.option("--strive-url", help="Only to override https://api.strivemessaging.org.")
@click.option("--telerivet-project-id", help="The project on Telerivet: PJ...")
@click.option("--telerivet-key-file", type=_KEY_FILE, help="A file that holds the API key of Telerivet.")
@click.option("--telerivet-url", help="Only to override https://api.telerivet.com.")
@click.option("--region", default="US", show_default=True, help="Where phone numbers without country code belong.")
@click.option("--sandbox", metavar="URL", help="Fill in everything from a running `rosterd sandbox`.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@as_json
def command(folder: Path, sandbox: str | None, force: bool, as_json: bool, **given: Any) -> None:
    """Write config.toml, a mapping for each platform and files for the keys.

    On a terminal it asks for what no option gives.

    \b
    rosterd init
    rosterd init --dir /etc/rosterd --strive-campaign-id 273 --strive-key-file strive.key
    rosterd init --sandbox http://127.0.0.1:8090
    """
    region = str(given.pop("region"))
    if sandbox is not None:
        if any(value is not None for value in given.values()):
            raise click.UsageError("--sandbox fills in everything; leave the other options out.")
        answers = starter.from_sandbox(sandbox)
    else:
        answers = _answers(given, ask=sys.stdin.isatty() and sys.stderr.isatty() and not as_json)
    files = starter.files(answers, region=region, sandbox=sandbox is not None)
    written = _write(folder, files, force)
    lacking = [one for one in answers if one.key is None and one.key_file is None]
    if as_json:
        json_out({"written": written, "keys_missing": [str(folder / one.own_key_file) for one in lacking]})
    else:
        _next_steps(folder, written, lacking)


@dataclass(frozen=True)
class _Question:
    platform: str
    number: str  # the setting that names the account
    words: str


QUESTIONS = (
    _Question("strive", "campaign_id", "Strive: number of the campaign (blank: no Strive)"),
    _Question("telerivet", "project_id", "Telerivet: id of the project, PJ... (blank: no Telerivet)"),
)


def _answers(given: dict[str, Any], *, ask: bool) -> list[starter.Account]:
    found = [account for question in QUESTIONS if (account := _answer(question, given, ask=ask)) is not None]
    if not found:
        raise click.UsageError("Say which accounts: --strive-campaign-id, --telerivet-project-id, or --sandbox.")
    return found


def _answer(question: _Question, given: dict[str, Any], *, ask: bool) -> starter.Account | None:
    name = question.platform
    number = given[f"{name}_{question.number}"]
    if number is None and ask:
        number = click.prompt(question.words, default="", show_default=False, err=True).strip() or None
    if number is None:
        _nothing_without_number(name, question.number, given)
        return None
    key_file, key = given[f"{name}_key_file"], None
    if key_file is None and ask:
        words = f"{name.capitalize()}: API key (not shown; blank: later)"
        key = click.prompt(words, default="", show_default=False, hide_input=True, err=True).strip() or None
    settings = {question.number: _number(question.number, number), "base_url": given[f"{name}_url"]}
    return starter.Account(name, settings, key=key, key_file=key_file)


def _nothing_without_number(name: str, number: str, given: dict[str, Any]) -> None:
    for key in (f"{name}_key_file", f"{name}_url"):
        if given[key] is not None:
            needed = f"--{name}-{number.replace('_', '-')}"
            raise click.UsageError(f"--{key.replace('_', '-')} goes with {needed}.")


def _number(name: str, typed: Any) -> Any:
    if name != "campaign_id":
        return typed
    try:
        return int(typed)
    except ValueError:
        raise click.UsageError(f"The number of the campaign is a number, not {typed!r}.") from None


def _write(folder: Path, files: list[starter.File], force: bool) -> list[str]:
    """All or none: the first thing in the way stops it before anything is written."""
    there = [folder / file.name for file in files if (folder / file.name).exists()]
    if there and not force:
        names = ", ".join(str(path) for path in there)
        raise RosterdError(f"{names}: there already", hint="--force overwrites; or another --dir")
    try:
        for file in files:
            starter.write(folder / file.name, file)
    except OSError as problem:
        raise RosterdError(f"cannot write {problem.filename}: {problem.strerror}", hint="try another --dir") from None
    return [str(folder / file.name) for file in files]


def _next_steps(folder: Path, written: list[str], lacking: list[starter.Account]) -> None:
    for path in written:
        say(f"wrote {path}")
    say()
    say("Next", bold=True)
    for one in lacking:
        say(f"  put the API key of {one.platform} into {folder / one.own_key_file}, and chmod 600 it")
    config = "" if folder.resolve() == Path.cwd() else f" -c {shlex.quote(str(folder / 'config.toml'))}"
    for step, why in (
        ("check", "what is wrong, and whether the accounts answer"),
        ("sync --dry-run", "what would be sent"),
        ("sync", "do it"),
    ):
        say(f"  rosterd{config} {step:<16}  {why}")
