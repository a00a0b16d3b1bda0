"""`rosterd db`: the database itself."""

from __future__ import annotations

import click

from daemon import assemble
from daemon.commands.options import FAILED, as_json
from daemon.commands.session import session
from daemon.output import json_out, say
from state.engine import engine, sqlite_path
from state.migrate import revision


@click.group()
def command() -> None:
    """Upgrade or check the database.

    \b
    rosterd db upgrade
    rosterd db check
    """


@command.command()
@as_json
@click.pass_context
def upgrade(ctx: click.Context, as_json: bool) -> None:
    """Bring the database to the shape this program needs; every start of `rosterd sync` does it too.

    \b
    rosterd db upgrade
    """
    found = session(ctx)
    url = found.settings.state.url
    with assemble.state_errors():
        before = _revision(url)
        with found.store() as store, store.look() as tx:
            after = revision(tx.db)
    if as_json:
        json_out({"before": before, "after": after})
    else:
        say(f"the database was at {before or 'nothing'}, and is at {after}" if before != after else f"it is at {after}")


def _revision(url: str) -> str | None:
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    plain = engine(url)
    try:
        with plain.connect() as connection:
            return revision(connection)
    finally:
        plain.dispose()


@command.command()
@as_json
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Look for damage in the database file. Works beside a running sync.

    \b
    rosterd db check
    """
    with session(ctx).store(exclusive=False) as store:
        wrong = store.check()
    if as_json:
        json_out({"whole": not wrong, "wrong": wrong})
    else:
        for line in wrong:
            say(line)
        say("the database is damaged: restore a backup" if wrong else "the database is whole")
    ctx.exit(FAILED if wrong else 0)
