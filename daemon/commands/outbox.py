"""`rosterd outbox`: what is still owed to the platforms, and what they refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import click

from daemon.commands.options import PUSH, as_json
from daemon.commands.session import session
from daemon.errors import SkipRecord
from daemon.output import clean, json_out, plural, say, table, when
from daemon.sync import again, outreach
from state.model import CONSENT_LANE, Outreach, Owed

ALL = 1_000_000
STATES = {"open": ("owed", "sending"), "held": ("held",), "dead": ("dead",)}
"""Of an outreach, by what a push in such a state is called."""


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

    Outreaches to be recorded come last; theirs are the numbers with an o.

    \b
    rosterd outbox list --state dead --connection telerivet
    """
    with session(ctx).look() as tx:
        rows = tx.outbox.listed(state=state, connection=connection, limit=limit)
        states = STATES[state] if state else tuple(each for some in STATES.values() for each in some)
        more = tx.outreaches.listed(states, connection=connection, limit=limit - len(rows))
    if as_json:
        json_out([*rows, *({**asdict(each), "id": f"o{each.id}", "kind": "outreach"} for each in more)])
    elif not rows and not more:
        say("nothing is owed")
    else:
        shown = [*(_row(row) for row in rows), *(_outreach_row(each) for each in more)]
        table(("push#", "owed to", "kind", "state", "who", "what", "since", "why"), shown)


def _outreach_row(each: Outreach) -> list[Any]:
    who, what = f"c{each.contact_id}", f"{each.rule} ({each.event}, {when(each.at)})"
    return [f"o{each.id}", each.connection, "outreach", each.state, who, what, when(each.created_at), each.reason]


def _row(push: Owed) -> list[Any]:
    who = f"c{push.contact_id}" if push.contact_id is not None else f"record {push.external_id}"
    what = "everything" if push.kind == "create" else ", ".join(push.owed)
    return [push.id, push.connection, push.kind, push.state, who, what, when(push.created_at), push.reason]


@command.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=PUSH)
@click.option("--all", "everything", is_flag=True, help="Everything that was refused.")
@as_json
@click.pass_context
def retry(ctx: click.Context, ids: tuple[int | str, ...], everything: bool, as_json: bool) -> None:
    """Try refused pushes again with the next run.

    \b
    rosterd outbox retry 17 18 o3
    rosterd outbox retry --all
    """
    if bool(ids) == everything:
        raise click.UsageError("Say which: ids as `rosterd outbox list` shows them, or --all.")
    with session(ctx).change() as (tx, roster):
        pushes = tx.outbox.listed(state="dead", limit=ALL) if everything else again.pushes(tx, ids)
        acts = tx.outreaches.listed(["dead"], limit=ALL) if everything else again.outreaches(tx, ids)
        again.retry(tx, pushes, acts, at=roster.clock())
    if as_json:
        json_out({"retried": _ids(pushes, acts)})
    else:
        what = plural(len(pushes) + len(acts), "push goes", "pushes go")
        say(f"{what} with the next run: of the service, or rosterd sync")


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=PUSH)
@click.option("--force", is_flag=True, help="Also an opt-out. The person would be written to against their will.")
@as_json
@click.pass_context
def drop(ctx: click.Context, ids: tuple[int | str, ...], force: bool, as_json: bool) -> None:
    """Owe these no longer. The platform keeps what it has until the field moves again.

    \b
    rosterd outbox drop 17
    """
    with session(ctx).change() as (tx, roster):
        pushes, acts = again.pushes(tx, ids), again.outreaches(tx, ids)
        _spare_the_nos(pushes, force)
        tx.outbox.drop([push.id for push in pushes if push.id is not None])
        for act in acts:
            act.state, act.reason = "dropped", "dropped by a person"
            tx.holds.close(outreach.hold_key(act), {"choice": "drop"}, at=roster.clock())
        tx.outreaches.put(acts)
        tx.journal.add(again.noted("dropped", pushes, acts, roster.clock()))
    if as_json:
        json_out({"dropped": _ids(pushes, acts)})
    else:
        say(f"{plural(len(pushes) + len(acts), 'push', 'pushes')} dropped")


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


def _ids(pushes: Iterable[Owed], acts: Iterable[Outreach]) -> list[int | str | None]:
    return [*(push.id for push in pushes), *(f"o{act.id}" for act in acts)]
