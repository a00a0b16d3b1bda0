"""`rosterd config`: every setting there is, and those in effect."""

from __future__ import annotations

import click

from daemon import example as rendered
from daemon import settings as configuration
from daemon.commands.options import as_json
from daemon.commands.session import session
from daemon.output import json_out, table


@click.group()
def command() -> None:
    """Show every setting, or those in effect.

    \b
    rosterd config example > config.toml
    rosterd config show
    """


@command.command()
@click.option("--schema", is_flag=True, help="The JSON Schema instead, for editors.")
def example(schema: bool) -> None:
    """A configuration with every setting, its meaning and its default.

    \b
    rosterd config example > config.toml
    """
    if schema:
        json_out(configuration.config_schema())
    else:
        click.echo(rendered.example(), nl=False)


@command.command()
@as_json
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """The settings in effect and where each one comes from. Keys of accounts are not shown.

    \b
    rosterd config show --json
    """
    settings = configuration.shown(session(ctx).settings)
    if as_json:
        json_out(settings)
    else:
        table(("setting", "value", "from"), [[key, one["value"], one["from"]] for key, one in settings.items()])
