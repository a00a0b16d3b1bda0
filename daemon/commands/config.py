"""`rosterd config`: every setting there is, and those in effect; one of them read, or changed."""

from __future__ import annotations

from typing import Any

import click

from daemon import example as rendered
from daemon import settings as configuration
from daemon.commands import changing
from daemon.commands.options import CONFIG_KEY, as_json
from daemon.commands.session import session
from daemon.configlayout import rendered as as_toml
from daemon.output import json_out, say, table
from mappings.schema import schema as mapping_schema


@click.group()
def command() -> None:
    """Show every setting, or those in effect; read or change one.

    \b
    rosterd config example > config.toml
    rosterd config show
    rosterd config get connections.strive_atl.every
    rosterd config set connections.strive_atl.every 10m
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
@click.argument("which", type=click.Choice(["config", "mapping"]))
def schema(which: str) -> None:
    """The JSON Schema of config.toml, or of a mapping, for editors.

    Name it in the first line of the file: `#:schema ./config.schema.json` in TOML, and in YAML
    `# yaml-language-server: $schema=./mapping.schema.json`.

    \b
    rosterd config schema config > config.schema.json
    rosterd config schema mapping > mappings/mapping.schema.json
    """
    json_out(configuration.config_schema() if which == "config" else mapping_schema())


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


@command.command()
@click.argument("key", type=CONFIG_KEY)
@click.option("--from", "with_from", is_flag=True, help="Also where it comes from.")
@as_json
@click.pass_context
def get(ctx: click.Context, key: str, with_from: bool, as_json: bool) -> None:
    """The value of one setting that is in effect, or all of a table. Keys of accounts are not shown.

    \b
    rosterd config get connections.strive_atl.every
    rosterd config get connections.strive_atl.every --from
    rosterd config get fuse
    """
    settings = session(ctx).settings
    found = changing.key(key, configuration.tree(settings))
    shown = configuration.shown(settings)
    if found.field is None:
        _show_table({name: one for name, one in shown.items() if name.startswith(f"{key}.")}, with_from, as_json)
        return
    one = shown.get(key, {"value": None, "from": "not set"})
    if as_json:
        json_out({"key": key, **one})
    else:
        say(_plain(one["value"]) + (f"  ({one['from']})" if with_from else ""))


def _show_table(found: dict[str, dict[str, Any]], with_from: bool, as_json: bool) -> None:
    if as_json:
        json_out(found)
        return
    columns = ("setting", "value", *(("from",) if with_from else ()))
    rows = [[name, _plain(one["value"]), one["from"]][: len(columns)] for name, one in found.items()]
    table(columns, rows)


def _plain(value: Any) -> str:
    """As one would type it for `config set`; blank: it is not set."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else as_toml(value)


@command.command("set")
@click.argument("key", type=CONFIG_KEY)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Take it out of the file: the default counts again.")
@as_json
@click.pass_context
def set_(ctx: click.Context, key: str, value: str | None, unset: bool, as_json: bool) -> None:
    """Change one setting in the file. Comments and everything else stay as they are.

    The file that would come of it is checked as a whole first; if anything is wrong with it, nothing is written. A
    text needs no quotes of TOML, a list is written ["one", "two"]. Secrets are not set here: name their file.

    \b
    rosterd config set connections.strive_atl.every 10m
    rosterd config set connections.strive_atl.enabled false
    rosterd config set identity.ignore '["+12025550100", "frontdesk@example.org"]'
    rosterd config set connections.strive_atl.rate --unset
    """
    if (value is None) != unset:
        raise click.UsageError("Give a value, or --unset." if value is None else "Give a value or --unset, not both.")
    done = changing.change(session(ctx).file, key, value)
    if as_json:
        json_out(done.as_dict())
    else:
        changing.tell(done)
