"""`rosterd outbox`: what is still owed to the platforms, and what they refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from daemon.commands.options import as_json
from daemon.commands.session import session
from daemon.errors import SkipRecord
from daemon.output import clean, json_out, plural, say, table, when
from state.model import CONSENT_LANE, Noted, Owed
from state.store import Tx

ALL = 1_000_000


@click.group()
def command() -> None:
    """See, retry or drop what is still owed to a platform.

    \b
    rosterd outbox list --state dead
    rosterd outbox retry 17
    rosterd outbox drop 17
    """


@command.command("list")
@click.option("--state", type=click.Choice(["open", "held", "dead"]), help="Only these. dead: refused.")
@click.option("--connection", metavar="NAME", help="Only what is owed to this one.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@as_json
@click.pass_context
def list_(ctx: click.Context, state: str | None, connection: str | None, limit: int, as_json: bool) -> None:
    """What is owed: open (goes with the next run), held (by the fuse), dead (refused, with the reason).

    \b
    rosterd outbox list --state dead --connection telerivet
    """
    with session(ctx).look() as tx:
        rows = tx.outbox.listed(state=state, connection=connection, limit=limit)
    if as_json:
        json_out(rows)
    elif not rows:
        say("nothing is owed")
    else:
        table(("push#", "owed to", "kind", "state", "who", "what", "since", "why"), [_row(row) for row in rows])


def _row(push: Owed) -> list[Any]:
    who = f"c{push.contact_id}" if push.contact_id is not None else f"record {push.external_id}"
    what = "everything" if push.kind == "create" else ", ".join(push.owed)
    return [push.id, push.connection, push.kind, push.state, who, what, when(push.created_at), push.reason]


@command.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(1))
@click.option("--all", "everything", is_flag=True, help="Everything that was refused.")
@as_json
@click.pass_context
def retry(ctx: click.Context, ids: tuple[int, ...], everything: bool, as_json: bool) -> None:
    """Try refused pushes again with the next run.

    \b
    rosterd outbox retry 17 18
    rosterd outbox retry --all
    """
    if bool(ids) == everything:
        raise click.UsageError("Say which: ids as `rosterd outbox list` shows them, or --all.")
    with session(ctx).change() as (tx, roster):
        pushes = tx.outbox.listed(state="dead", limit=ALL) if everything else _asked(tx, ids)
        for push in pushes:
            if push.state == "held":
                raise SkipRecord(f"push {push.id} waits for the fuse", hint="rosterd holds list --kind fuse")
            push.state, push.attempts, push.reason, push.due_at = "open", 0, None, 0.0
        tx.outbox.put(pushes)
        tx.journal.add([_noted("retried", push, roster.clock()) for push in pushes])
    if as_json:
        json_out({"retried": [push.id for push in pushes]})
    else:
        say(f"{plural(len(pushes), 'push goes', 'pushes go')} with the next run: rosterd sync")


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=click.IntRange(1))
@click.option("--force", is_flag=True, help="Also an opt-out. The person would be written to against their will.")
@as_json
@click.pass_context
def drop(ctx: click.Context, ids: tuple[int, ...], force: bool, as_json: bool) -> None:
    """Owe these no longer. The platform keeps what it has until the field moves again.

    \b
    rosterd outbox drop 17
    """
    with session(ctx).change() as (tx, roster):
        pushes = _asked(tx, ids)
        _spare_the_nos(pushes, force)
        tx.outbox.drop(ids)
        tx.journal.add([_noted("dropped", push, roster.clock()) for push in pushes])
    if as_json:
        json_out({"dropped": [push.id for push in pushes]})
    else:
        say(f"{plural(len(pushes), 'push', 'pushes')} dropped")


def _spare_the_nos(pushes: Sequence[Owed], force: bool) -> None:
    """Dropping the "no" of a person is all but never what is wanted."""
    nos = [push for push in pushes if push.lane == CONSENT_LANE]
    if not nos:
        return
    which = ", ".join(f"{push.id} (record {clean(push.external_id)} at {push.connection})" for push in nos)
    if not force:
        raise SkipRecord(
            f"push {which} is somebody's no: dropped, that platform would go on writing to them",
            hint="leave it, it is tried again; or repeat with --force, if you have told the platform by hand",
        )
    say(f"warning: dropped somebody's no: {which}; see to it by hand that they are not written to", err=True)


def _asked(tx: Tx, ids: Sequence[int]) -> list[Owed]:
    found = tx.outbox.get(ids)
    missing = sorted(set(ids) - {push.id for push in found})
    if missing:
        raise SkipRecord(
            f"there is no push {', '.join(map(str, missing))}", hint="rosterd outbox list; it may have been sent"
        )
    return found


def _noted(event: str, push: Owed, at: float) -> Noted:
    detail = {"push": push.id, "kind": push.kind, "owed": push.owed}
    return Noted(event, detail, push.contact_id, push.connection, push.external_id, at)
