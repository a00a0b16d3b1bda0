"""`rosterd holds`: what was set aside for a person, explained, and decided."""

from __future__ import annotations

from typing import Any

import click

from daemon import explain
from daemon.commands.options import as_json
from daemon.commands.session import no_such, session
from daemon.errors import SkipRecord
from daemon.output import json_out, say, table, when
from daemon.sync import verdicts
from state.model import Hold

COUNTED = click.IntRange(1, 10**18)
"""Within what a database counts to."""


@click.group()
def command() -> None:
    """See and decide what was set aside for a person.

    \b
    rosterd holds list
    rosterd holds show 3
    rosterd holds decide 3 same c12
    """


@command.command("list")
@click.option("--kind", type=click.Choice(sorted(verdicts.CHOICES)), help="Only these.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@as_json
@click.pass_context
def list_(ctx: click.Context, kind: str | None, limit: int, as_json: bool) -> None:
    """What waits for a decision.

    \b
    rosterd holds list --kind match
    """
    with session(ctx).look() as tx:
        found, counts = tx.holds.listed(kind=kind, limit=limit), tx.holds.counts()
    if as_json:
        json_out(found)
        return
    total = counts.get(kind, 0) if kind else sum(counts.values())
    if not total:
        say("nothing waits")
        return
    table(("hold#", "kind", "connection", "since", "what"), [_row(hold) for hold in found])
    if total > len(found):
        say(f"... and {total - len(found):,} more (--limit)", dim=True)
    say("rosterd holds show ID explains one and its choices", dim=True)


def _row(hold: Hold) -> list[Any]:
    return [hold.id, hold.kind, hold.connection, when(hold.opened_at), explain.headline(hold)]


@command.command()
@click.argument("hold_id", metavar="ID", type=COUNTED)
@as_json
@click.pass_context
def show(ctx: click.Context, hold_id: int, as_json: bool) -> None:
    """One hold in words, with the people concerned side by side and what can be decided.

    \b
    rosterd holds show 3
    """
    with session(ctx).look() as tx:
        hold = tx.holds.get(hold_id)
        if hold is None:
            raise no_such("hold", hold_id, "rosterd holds list")
        concerned = explain.concerned(tx, hold)
    if as_json:
        json_out({"hold": hold, **explain.as_dict(hold, concerned)})
    else:
        explain.show(hold, concerned)


@command.command()
@click.argument("hold_id", metavar="ID", type=COUNTED)
@click.argument("choice")
@click.argument("argument", required=False)
@click.option("--only", type=COUNTED, help="fuse: let only so many go, the rest waits on.")
@as_json
@click.pass_context
def decide(
    ctx: click.Context, hold_id: int, choice: str, argument: str | None, only: int | None, as_json: bool
) -> None:
    """Decide about a hold. It is permanent, and the next run sends what follows from it.

    \b
    rosterd holds decide 3 same c12          this record is contact c12
    rosterd holds decide 3 different         ... is somebody else
    rosterd holds decide 4 approve --only 10
    """
    with session(ctx).change() as (tx, roster):
        hold = tx.holds.get(hold_id)
        if hold is None:
            raise no_such("hold", hold_id, "rosterd holds list")
        if hold.state != "open":
            raise SkipRecord(f"hold {hold_id} was decided on {when(hold.decided_at)}", hint="rosterd holds list")
        if only is not None and (hold.kind, choice) != ("fuse", "approve"):
            raise click.UsageError("--only goes with approving a hold of kind fuse.")
        done = verdicts.decide(tx, roster, hold, verdicts.Picked(choice, argument, only))
    if as_json:
        json_out({"hold": hold_id, "choice": choice, "argument": argument, "only": only, "done": done})
    else:
        say(done)
