"""`rosterd mapping`: the presets, and a mapping tried on a record before it meets an account."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.commands.options import Globals, as_json
from daemon.commands.session import session, set_up_log
from daemon.errors import BadConfig, SkipRecord
from daemon.output import clean, json_out, say, table
from mappings.errors import MappingError, did_you_mean, listed
from mappings.load import load, preset, preset_text, presets

if TYPE_CHECKING:
    from daemon.sync.roster import Side
    from daemon.trial import Offer, Payload, Tried
    from mappings.mapping import Mapping

LARGEST = 16 << 20  # bytes; somebody pasted a record, or some


def _region(_: click.Context, __: click.Parameter, region: str | None) -> str | None:
    import phonenumbers

    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise click.BadParameter(f"there is no region {region!r}: write the two letters of ISO 3166, such as US or ZA")
    return region


@click.group()
def command() -> None:
    """Try a mapping on a record, and see the presets. Calls nobody, changes nothing.

    \b
    rosterd mapping try mappings/strive.yaml < member.json
    rosterd mapping show strive > mappings/mine.yaml
    """


@command.command("list")
@as_json
def list_(as_json: bool) -> None:
    """The presets: one mapping for each platform, to build on.

    \b
    rosterd mapping list
    """
    found = {name: preset(name) for name in presets()}
    if as_json:
        json_out({name: {"reads": one.readable, "writes": one.writable} for name, one in found.items()})
        return
    rows = [[name, len(one.readable), len(one.writable)] for name, one in found.items()]
    table(("preset", "fields read#", "written#"), rows)


@command.command()
@click.argument("platform")
@as_json
def show(platform: str, as_json: bool) -> None:
    """A preset as it is written, comments and all.

    \b
    rosterd mapping show telerivet
    """
    if platform not in presets():
        raise click.UsageError(_no_preset(platform))
    if as_json:
        json_out({"preset": platform, "text": preset_text(platform)})
    else:
        click.echo(preset_text(platform), nl=False)


@command.command("try")
@click.argument("file")
@click.option(
    "--record",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The record, as JSON: an object, or a list of them. [default: standard input]",
)
@click.option(
    "--region", metavar="XX", callback=_region, help="Where phones without a country code are at home. [default: US]"
)
@click.option("--connections", is_flag=True, help="What the configured connections would get; also with -c.")
@as_json
@click.pass_context
def try_(
    ctx: click.Context, file: str, record: Path | None, region: str | None, connections: bool, as_json: bool
) -> None:
    """What a mapping makes of a record, and what every platform would then be told.

    FILE is a mapping, or the name of a preset. Every other platform is shown with its preset; with a configuration
    (rosterd -c config.toml mapping try ...) each connection with its own mapping.

    \b
    echo '{"phone_number": "+12025550123", "first_name": "Ada"}' | rosterd mapping try strive
    rosterd mapping try mappings/telerivet.yaml --record contact.json --region ZA --json
    """
    options = ctx.find_object(Globals) or Globals()
    set_up_log(options)
    mapping = _mapping(file, region)
    sides = _connections(ctx) if connections or options.config is not None else _presets(mapping, region)
    records = _records(record)
    from daemon.trial import try_record

    tried = [try_record(mapping, one, sides) for one in records]
    if as_json:
        json_out([asdict(one) for one in tried])
    else:
        for number, one in enumerate(tried, 1):
            _show(one, f"Record {number}" if len(tried) > 1 else "")


def _mapping(file: str, region: str | None) -> Mapping:
    path = Path(file)
    try:
        if file in presets() and not path.exists():
            return preset(file, region=region or "US")
        if not path.exists() and not path.suffix and path.name == file:
            raise click.UsageError(_no_preset(file))
        return load(path, region=region)
    except MappingError as error:
        raise BadConfig(
            [problem.replace(" Check `mapping` in the config.", "") for problem in error.problems]
        ) from None


def _no_preset(name: str) -> str:
    hint = did_you_mean(name, presets(), f"There are presets for {listed(presets())}.")
    return f"There is no preset {name!r}, and no file of that name here. {hint}"


def _presets(mapping: Mapping, region: str | None) -> list[Side]:
    from daemon.trial import sides_of_presets

    return sides_of_presets(mapping, region=region or mapping.region)


def _connections(ctx: click.Context) -> list[Side]:
    from daemon.matrix import of_connection

    found = session(ctx)
    return [of_connection(one, found.mappings[name]) for name, one in found.settings.enabled.items()]


# the record


def _at_a_keyboard() -> bool:
    return sys.stdin.isatty()


def _records(path: Path | None) -> list[dict[str, Any]]:
    source = str(path) if path is not None else "standard input"
    if path is None and _at_a_keyboard():
        raise click.UsageError("There is no record. Give one with --record FILE, or on standard input.")
    value = _parsed(_text(path, source), source)
    found = value if isinstance(value, list) else [value]
    for place, one in enumerate(found, 1):
        if not isinstance(one, dict):
            which = f"entry {place} of {source}" if isinstance(value, list) else source
            raise SkipRecord(
                f"{which} is not a record: it is {_kind(one)}", hint='a record is an object: {"name": ...}'
            )
    if not found:
        raise SkipRecord(f"{source}: the list is empty", hint="give at least one record")
    return found


def _text(path: Path | None, source: str) -> str:
    try:
        raw = _raw(path)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SkipRecord(f"{source}: this is not UTF-8", hint="save it as UTF-8") from None
    except OSError as error:
        raise SkipRecord(f"{source}: {error.strerror or 'cannot be read'}") from None
    if len(raw) > LARGEST:
        raise SkipRecord(f"{source}: more than {LARGEST >> 20} MB; this is not one record", hint="cut some out")
    if not text.strip():
        raise SkipRecord(
            f"{source}: nothing in it", hint="give the record as JSON, with the keys that the mapping names"
        )
    return text


def _raw(path: Path | None) -> bytes:
    if path is None:
        return sys.stdin.buffer.read(LARGEST + 1)
    with path.open("rb") as stream:
        return stream.read(LARGEST + 1)


def _parsed(text: str, source: str) -> Any:
    refuse = partial(_no_number, source)
    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        hint = "a record is JSON: names and texts in double quotes, no comma after the last"
        raise SkipRecord(f"{source}:{error.lineno}:{error.colno}: not JSON: {error.msg}", hint=hint) from None
    except RecursionError:
        raise SkipRecord(f"{source}: nested too deeply to be a record") from None
    except ValueError:  # a whole number of thousands of digits
        raise SkipRecord(f"{source}: a number in it is too long") from None


def _no_number(source: str, word: str) -> Any:
    raise SkipRecord(f"{source}: not JSON: {word} is no number there", hint="write null for what is not known")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case list():
            return "a list"
    return "a number"


# for people


def _show(tried: Tried, title: str) -> None:
    if title:
        say(title, bold=True)
    rows = [[name, value] for name, value in tried.contact.items()]
    table(("our field", "value"), rows, title="The contact")
    for name, why in tried.problems.items():
        say(f"not understood: {name}: {clean(why)}")
    if tried.unread:
        say(f"not read: {clean(tried.unread)}", dim=True)
    say("in scope: the mapping is about this person" if tried.in_scope else "out of scope: `where:` leaves them out")
    for offer in tried.offers:
        _show_offer(offer)
    say()


def _show_offer(offer: Offer) -> None:
    named = offer.name if offer.name == offer.platform else f"{offer.name} ({offer.platform})"
    say()
    say(named, bold=True)
    _show_payload("update", offer.update)
    if offer.create is not None:
        _show_payload("create", offer.create)
        say(f"          subscribed: {clean(offer.create.subscribed) if offer.create.subscribed else 'none'}")
    else:
        say(f"  create  none: {clean(offer.no_create)}")
    for channel in offer.says_no:
        say(f'  no      the "no" to {channel} is told before everything else')
    for name, why in offer.kept_back.items():
        say(f"  without {name}: {clean(why)}", dim=True)


def _show_payload(what: str, payload: Payload) -> None:
    body = clean(json.dumps(payload.wire, ensure_ascii=False)) if payload.wire else "nothing"
    say(f"  {what}  {body}")
    if payload.tags:
        say(f"          tags added: {clean(payload.tags)}")
