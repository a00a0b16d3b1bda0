"""`rosterd unmerge`: a person says that a merge was wrong."""

from __future__ import annotations

import click

from daemon.commands.options import CONTACT, as_json
from daemon.commands.session import session
from daemon.output import json_out, say
from daemon.sync import verdicts


@click.command()
@click.argument("number", metavar="CONTACT", type=CONTACT)
@as_json
@click.pass_context
def command(ctx: click.Context, number: int, as_json: bool) -> None:
    """Undo a merge: CONTACT, the number that was merged away, stands for itself again, for good.

    \b
    rosterd unmerge c31
    """
    with session(ctx).change() as (tx, roster):
        done = verdicts.unmerge(tx, roster, number)
    if as_json:
        json_out({"contact": f"c{number}", "done": done})
    else:
        say(done)
