"""`rosterd init`: a configuration and mappings to start from. Never overwrites without --force."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from daemon.commands import starter
from daemon.commands.options import as_json
from daemon.errors import RosterdError
from daemon.output import json_out, say
from daemon.settings_platforms import PLATFORMS

_KEY_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _account_options(command: Any) -> Any:
    """Options for each platform's account."""
    for asked in reversed(starter.ASKED):
        base_url = PLATFORMS[asked.platform].model_fields["base_url"].default
        command = click.option(asked.option("url"), help=f"Only to override {base_url}.")(command)
        for secret, words in reversed(list(asked.secrets.items())):
            option, title = _file_option(asked, secret), f"{words} of {asked.title}"
            command = click.option(option, type=_KEY_FILE, help=f"A file that holds the {title}.")(command)
        for setting, words in reversed([(asked.first, asked.words), *asked.more.items()]):
            kind = click.IntRange(1) if setting == "campaign_id" else str
            command = click.option(asked.option(setting), type=kind, help=f"{asked.title}: {words}.")(command)
    return command


def _file_option(asked: starter.Asked, secret: str) -> str:
    return asked.option(f"{secret.rpartition('_')[2]}_file")


@click.command()
@click.option("--dir", "folder", type=_FOLDER, default=".", show_default=True, help="Where to write.")
@_account_options
@click.option("--region", default="US", show_default=True, help="Where phone numbers without country code belong.")
@click.option("--sandbox", metavar="URL", help="Fill in everything from a running `rosterd sandbox`.")
@click.option(
    "--only", multiple=True, metavar="PLATFORM", help="With --sandbox: this platform; may be given more than once."
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@as_json
def command(folder: Path, sandbox: str | None, only: tuple[str, ...], force: bool, as_json: bool, **given: Any) -> None:
    """Write config.toml, a mapping for each platform and files for the secrets.

    On a terminal it asks for what no option gives.

    \b
    rosterd init
    rosterd init --dir /etc/rosterd --strive-campaign-id 273 --strive-key-file strive.key
    rosterd init --sandbox http://127.0.0.1:8090
    rosterd init --sandbox http://127.0.0.1:8090 --only strive --only telerivet
    """
    region = str(given.pop("region"))
    if sandbox is not None:
        if any(value is not None for value in given.values()):
            raise click.UsageError("--sandbox fills in everything; leave the other options out.")
        answers = _only(starter.from_sandbox(sandbox), only)
    elif only:
        raise click.UsageError("--only goes with --sandbox.")
    else:
        answers = _answers(given, ask=sys.stdin.isatty() and sys.stderr.isatty() and not as_json)
    files = starter.files(answers, region=region, sandbox=sandbox is not None)
    written = _write(folder, files, force)
    if as_json:
        missing = [str(folder / one.file_of(secret)) for one in answers for secret in one.lacking]
        json_out({"written": written, "keys_missing": missing})
    else:
        _next_steps(folder, written, answers)


def _only(accounts: list[starter.Account], only: tuple[str, ...]) -> list[starter.Account]:
    known = [one.platform for one in accounts]
    for name in only:
        if name not in known:
            raise click.UsageError(f"The sandbox has no platform {name!r}. It has {', '.join(known)}.")
    return [one for one in accounts if not only or one.platform in only]


def _answers(given: dict[str, Any], *, ask: bool) -> list[starter.Account]:
    found = [account for asked in starter.ASKED if (account := _answer(asked, given, ask=ask)) is not None]
    if not found:
        options = ", ".join(asked.option(asked.first) for asked in starter.ASKED)
        raise click.UsageError(f"Say which accounts: {options}, or --sandbox.")
    return found


def _answer(asked: starter.Asked, given: dict[str, Any], *, ask: bool) -> starter.Account | None:
    def typed(option: str) -> Any:
        return given[option.removeprefix("--").replace("-", "_")]

    first = typed(asked.option(asked.first))
    if first is None and ask:
        first = _prompt(f"{asked.title}: {asked.words} (blank: no {asked.title})")
    if first is None:
        _nothing_without(asked, typed)
        return None
    settings = {asked.first: _number(asked.first, first), "base_url": typed(asked.option("url"))}
    for setting, words in asked.more.items():
        settings[setting] = typed(asked.option(setting)) or (ask and _prompt(f"{asked.title}: {words}")) or None
        if settings[setting] is None:
            raise click.UsageError(f"{asked.option(asked.first)} needs {asked.option(setting)}.")
    files = {secret: file for secret in asked.secrets if (file := typed(_file_option(asked, secret))) is not None}
    secrets = _typed_secrets(asked, files) if ask else {}
    return starter.Account(asked.platform, settings, secrets, files)


def _typed_secrets(asked: starter.Asked, files: dict[str, Path]) -> dict[str, str]:
    found = {}
    for secret, words in asked.secrets.items():
        if secret not in files and (text := _prompt(f"{asked.title}: {words} (not shown; blank: later)", hide=True)):
            found[secret] = text
    return found


def _prompt(words: str, *, hide: bool = False) -> str | None:
    return click.prompt(words, default="", show_default=False, hide_input=hide, err=True).strip() or None


def _nothing_without(asked: starter.Asked, typed: Callable[[str], Any]) -> None:
    """An option for an account that is not named is a slip."""
    others = [*(_file_option(asked, secret) for secret in asked.secrets), *map(asked.option, (*asked.more, "url"))]
    for option in others:
        if typed(option) is not None:
            raise click.UsageError(f"{option} goes with {asked.option(asked.first)}.")


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


def _next_steps(folder: Path, written: list[str], accounts: list[starter.Account]) -> None:
    for path in written:
        say(f"wrote {path}")
    say()
    say("Next", bold=True)
    for one in accounts:
        for secret in one.lacking:
            what = f"the {one.asked.secrets[secret]} of {one.asked.title}"
            say(f"  put {what} into {folder / one.file_of(secret)}, and chmod 600 it")
    config = "" if folder.resolve() == Path.cwd() else f" -c {shlex.quote(str(folder / 'config.toml'))}"
    for step, why in (
        ("check", "what is wrong, and whether the accounts answer"),
        ("plan", "what would be sent"),
        ("sync", "do it"),
        ("service install", "let it run by itself (by hand: rosterd run)"),
    ):
        say(f"  rosterd{config} {step:<16}  {why}")
