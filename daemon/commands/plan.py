"""`rosterd plan`: what a sync would send, for a person to look at, and to keep for `rosterd apply`."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import click

from daemon import planfile
from daemon.cli import installed_version
from daemon.commands import preview
from daemon.commands.options import as_json
from daemon.commands.session import Session, connection_names, session
from daemon.commands.sync import CODES, collect_seldom, stopping
from daemon.errors import BadPlan
from daemon.output import say
from daemon.sync import cycle


@click.command()
@click.option("--connection", "only", multiple=True, metavar="NAME", help="Only this one; may be given more often.")
@click.option("--full", is_flag=True, help="Read everything, whatever the schedule says.")
@click.option("--limit", default=20, show_default=True, help="How many pushes of each kind are shown; 0: all.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep it as a file, for `rosterd apply`.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@as_json
@click.pass_context
def command(
    ctx: click.Context, only: tuple[str, ...], full: bool, limit: int, out: Path | None, force: bool, as_json: bool
) -> None:
    """Show what a sync would send, and keep it as a file for `rosterd apply`.

    Per connection: new people, changes (field: old → new), opt-outs, what would wait for a person and what the fuse
    would hold. Nothing is written to any platform, nor to the database, not even a cursor. `rosterd sync --dry-run`
    is the same. The file holds every push, however few are shown, and so names, phones and emails; no key.

    \b
    rosterd plan                         look
    rosterd plan --out plan.json         look, and keep it
    rosterd apply plan.json              send exactly that
    """
    if out is not None:
        _may_write(out, force)
    collect_seldom()
    found = session(ctx)
    options = cycle.Options(full=full, only=connection_names(found, only), send=False)
    with stopping() as stop:
        plan = preview.plan(found, options, stop, limit=0 if as_json or out is not None else limit)
        preview.show(plan, limit=limit, as_json=as_json)
        if out is not None:
            _keep(found, plan, options, out, stop)
    ctx.exit(CODES[plan.report.outcome])


def _may_write(out: Path, force: bool) -> None:
    """Before anything is read: a first plan may take an hour."""
    if out.exists() and not force:
        raise BadPlan(f"{out} exists", hint="take another name, or overwrite it with --force")
    if not out.parent.is_dir():
        raise BadPlan(f"{out} cannot be written: there is no folder {out.parent}")


def _keep(found: Session, plan: preview.Plan, options: cycle.Options, out: Path, stop: threading.Event) -> None:
    if plan.report.waiting or stop.is_set():
        say(f"{out} is not written: not everything was read", err=True)
        return
    kept = planfile.PlanFile(
        rosterd=installed_version(),
        made=planfile.made(time.time()),
        full=options.full,
        only=sorted(options.only),
        connections=planfile.fingerprints(found.settings, found.mappings),
        pushes=plan.pushes,
    )
    planfile.write(out, kept)
    say(f"{out} is written; {planfile.personal(plan.pushes)}", err=True)
    say(f"rosterd apply {out} sends exactly these", err=True)
