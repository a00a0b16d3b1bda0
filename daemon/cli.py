"""The command line: which commands there are, and the one place where an error becomes words and an exit code.

A command is imported when it is called, so that `rosterd --help` starts no database and no HTTP client. Exit codes:

    0 done   1 failed   2 wrong usage   3 done, but some records failed or are held
    75 another instance is running, or try again later   78 the configuration is wrong   130 Ctrl-C
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from daemon.commands.options import CONFIG, FAILED, INTERRUPTED, LATER, USAGE, Globals
from daemon.errors import BadConfig, BadPlan, Busy, RetryLater, RosterdError

COMMANDS: Mapping[str, str] = {
    "demo": "Watch a whole sync in a sandbox, with made-up people.",
    "init": "Write a configuration and mappings to start from.",
    "check": "Look for mistakes: configuration, mappings, database, accounts.",
    "plan": "Show what a sync would send, and keep it as a file for apply.",
    "apply": "Send exactly what a plan says.",
    "sync": "Bring every connection up to date, once.",
    "run": "Keep every connection up to date: the service.",
    "status": "Show how every connection is doing, and what waits.",
    "contacts": "Find people, and see why a field has its value.",
    "holds": "See and decide what was set aside for a person.",
    "alerts": "See what is broken, and try whether alerts arrive.",
    "outbox": "See, retry or drop what is still owed to a platform.",
    "merge": "Say that two contacts are one person.",
    "unmerge": "Undo a merge.",
    "mapping": "Try a mapping on a record, and see the presets.",
    "service": "Install or remove rosterd as a systemd service.",
    "sandbox": "Serve all platforms locally, to try things on.",
    "config": "Show every setting, or those in effect; read or change one.",
    "db": "Upgrade, check, back up or tidy the database.",
    "completion": "Print the script that lets a shell complete what you type.",
}
"""Each lives in daemon/commands/NAME.py as `command`. The texts are here so that --help need not import them."""

PIPE = 128 + signal.SIGPIPE
COMPLETE = "_ROSTERD_COMPLETE"
"""Set by the script of `rosterd completion` while it asks what could be typed."""


class Commands(click.Group):
    """Commands that are imported when they are called, and errors that say what to do."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        if (
            COMPLETE in os.environ
        ):  # somebody waits for a key press: what there is to type is known without the commands
            from daemon import completing

            return completing.command(cmd_name)
        found: click.Command = importlib.import_module(f"daemon.commands.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else " `rosterd --help` lists them."
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _leave_the_pipe()
        return done

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as problem:
            problem.show()
            code = problem.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("stopped", err=True)
            code = INTERRUPTED
        except RosterdError as problem:
            tell(problem)
            code = exit_code(problem)
        sys.exit(code if isinstance(code, int) else 0)


def exit_code(problem: RosterdError) -> int:
    match problem:
        case BadConfig():
            return CONFIG
        case BadPlan():
            return USAGE
        case Busy() | RetryLater():
            return LATER
    return FAILED


def tell(problem: RosterdError) -> None:
    """`error:` and `hint:` on standard error; no traceback, for this has an answer."""
    lines = problem.problems if isinstance(problem, BadConfig) else [str(problem)]
    for line in lines:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", err=True)
    if problem.hint:
        click.echo(f"{click.style('hint:', fg='cyan')} {problem.hint}", err=True)


def _leave_the_pipe() -> NoReturn:
    """Whoever read us has gone (`rosterd holds list | head`): say nothing, also not while Python shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(PIPE)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"rosterd {installed_version()}")
        ctx.exit()


def installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rosterd")
    except PackageNotFoundError:
        return "(not installed)"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file. [default: $ROSTERD_CONFIG, ./config.toml, /etc/rosterd/config.toml]",
)
@click.option("-v", "--verbose", is_flag=True, help="Log everything, also what is only of use to developers.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "pretty", "json"]),
    help="How log lines look on standard error. [default: as configured]",
)
@click.option("--unmask", is_flag=True, help="Write phones, emails and names into the log.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say it.")
@click.pass_context
def main(ctx: click.Context, config: Path | None, verbose: bool, log_format: str | None, unmask: bool) -> None:
    """One roster of people, true on every platform.

    \b
    Look around:       rosterd demo
    Start your own:    rosterd init, then rosterd check
    See before doing:  rosterd plan
    Do:                rosterd sync
    Let it go on:      rosterd service install, or rosterd run by hand

    Every command that shows something takes --json. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but
    some records failed or are held, 75 try again later, 78 the configuration is wrong.
    """
    ctx.obj = Globals(config, verbose, log_format, unmask)


if __name__ == "__main__":
    main()
