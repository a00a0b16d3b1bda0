"""`rosterd merge`: a person says that two contacts are one."""

from __future__ import annotations

import click

from daemon.commands.options import CONTACT, as_json
from daemon.commands.session import session
from daemon.output import json_out, say
from daemon.sync import verdicts


@click.command()
@click.argument("one", metavar="CONTACT", type=CONTACT)
@click.argument("other", metavar="CONTACT", type=CONTACT)
@as_json
@click.pass_context
def command(ctx: click.Context, one: int, other: int, as_json: bool) -> None:
    """Say that two contacts are one person. The older number stays; the next run tells every platform.

    \b
    rosterd merge c12 c31
    """
    with session(ctx).change() as (tx, roster):
        done = verdicts.merge_contacts(tx, roster, one, other)
    if as_json:
        json_out({"kept": f"c{min(one, other)}", "dropped": f"c{max(one, other)}", "done": done})
    else:
        say(done)
