"""`rosterd run`: the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from daemon import settings as config
from daemon.commands.options import Globals
from daemon.commands.session import set_up_log
from daemon.commands.sync import collect_seldom

if TYPE_CHECKING:
    from daemon.settings import Settings
    from mappings.mapping import Mapping as FieldMapping


@click.command()
@click.pass_context
def command(ctx: click.Context) -> None:
    """Keep every connection up to date, until told to stop.

    \b
    Reads each connection as often as its `every` says, and sends what is owed as soon as it is.
    It serves a status page, /healthz, /readyz and /metrics (see [service] in the configuration).

    \b
    SIGTERM, Ctrl-C  end after the page or batch in hand; a second one ends at once
    SIGHUP           read the configuration and the mappings anew; a mistake leaves the old ones in force
    SIGUSR1          read every connection now

    \b
    rosterd run
    rosterd -c /etc/rosterd/atlanta.toml run
    """
    from daemon.service.run import Service

    options = ctx.find_object(Globals) or Globals()
    path = config.find(options.config)

    def load() -> tuple[Settings, Mapping[str, FieldMapping]]:
        return config.load_all(path)

    collect_seldom()
    ctx.exit(Service(load, accepted=lambda settings: set_up_log(options, settings)).run())
