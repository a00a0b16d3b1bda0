"""`rosterd sync`: one run, or what one would do."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from daemon import logs
from daemon.commands import preview, report
from daemon.commands.options import FAILED, INTERRUPTED, LATER, PARTIAL, as_json
from daemon.commands.progress import Progress
from daemon.commands.session import Session, connection_names, session
from daemon.output import json_out, say
from daemon.sync import cycle
from daemon.sync.books import Report
from daemon.sync.roster import Roster

CODES = {"done": 0, "partial": PARTIAL, "later": LATER, "failed": FAILED}


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be sent, as `rosterd plan` does.")
@click.option("--connection", "only", multiple=True, metavar="NAME", help="Only this one; may be given more often.")
@click.option("--full", is_flag=True, help="Read everything, whatever the schedule says.")
@click.option("--due", is_flag=True, help="Read only connections whose `every` has passed; for a frequent timer.")
@click.option("--limit", default=20, show_default=True, help="How many pushes of each kind a dry run shows; 0: all.")
@as_json
@click.pass_context
def command(
    ctx: click.Context, dry_run: bool, only: tuple[str, ...], full: bool, due: bool, limit: int, as_json: bool
) -> None:
    """Bring every connection up to date, once.

    Reads what changed everywhere, merges it, and sends what moved. Nothing is sent before every connection has
    been read whole once. Ctrl-C stops after the page at hand; the next run goes on from there.

    \b
    rosterd sync --dry-run           what would be sent, without sending it
    rosterd sync
    rosterd sync --due               from a timer that ticks every minute
    rosterd sync --connection strive_atl --full
    """
    collect_seldom()
    found = session(ctx)
    options = cycle.Options(full=full, due=due, only=connection_names(found, only), send=not dry_run)
    with stopping() as stop:
        if dry_run:
            plan = preview.plan(found, options, stop, limit=0 if as_json else limit)
            preview.show(plan, limit=limit, as_json=as_json)
            ctx.exit(CODES[plan.report.outcome])
        done, holds = run(found, options, stop)
    _show(done, holds, as_json=as_json)
    ctx.exit(CODES[done.outcome])


def collect_seldom() -> None:
    """A page of people is some ten thousand objects, which reference counting lets go of at its end.

    As it comes, Python looks through all of them for cycles dozens of times before: a third of the time of a first
    reading. Seldom, not never: SQLAlchemy makes a few cycles a page, and a million people are a thousand pages.
    """
    gc.set_threshold(20_000, 20, 20)


def run(found: Session, options: cycle.Options, stop: threading.Event) -> tuple[Report, dict[str, int]]:
    """One run, and what waits for a person after it, by kind."""
    with found.at_work() as roster:
        done = run_on(roster, options, stop)
        with roster.store.look() as tx:
            holds = tx.holds.counts()
    return done, holds


def run_on(roster: Roster, options: cycle.Options, stop: threading.Event) -> Report:
    """One run, logged and with its progress shown."""
    log = logs.logger()
    log.info("run.started", connections=sorted(options.only or roster.sides), full=options.full)
    with Progress() as progress:
        done = cycle.run(roster, options, stop=stop, progress=progress)
    log.info("run.finished", run=done.run, outcome=done.outcome, sent=done.sent, books=report.counts(done))
    return done


def _show(done: Report, holds: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        json_out({**report.as_dict(done), "holds": holds})
    else:
        report.show(done, holds)


@contextmanager
def stopping(*, quiet: bool = False) -> Iterator[threading.Event]:
    """An event that is set by the first SIGTERM or Ctrl-C; the second ends the process at once.

    `quiet`: there is no page at hand to speak of.
    """
    stop = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            # Threads may be in the middle of a call. A run may die anywhere: the next one goes on from there.
            os._exit(INTERRUPTED)
        stop.set()
        if quiet:
            return
        again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
        say(f"stopping after the page at hand{again}", err=True)

    before: dict[int, Any] = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
