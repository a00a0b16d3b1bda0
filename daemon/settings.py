"""The whole configuration, typed: one TOML file, the environment over it, secrets from where they belong.

    settings, mappings = load_all(find(explicit))

Everything that is wrong is told at once, in one `BadConfig`, each with file, line and column and a hint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from daemon import places
from daemon.errors import BadConfig
from daemon.logs import hide
from daemon.settings_models import Consent, Fuse, Identity, Limit, Log, Settings, State
from daemon.settings_parts import Connection, Defaults, Direction, Loc
from daemon.settings_platforms import AnyConnection, Strive, Telerivet
from daemon.settings_problems import Found, dotted
from daemon.settings_secrets import DATABASE
from daemon.settings_sources import gather
from daemon.settings_types import password_of, show_duration, without_password

if TYPE_CHECKING:
    from mappings.load import Mapping

__all__ = [
    "Connection",
    "Consent",
    "Defaults",
    "Direction",
    "Fuse",
    "Identity",
    "Limit",
    "Log",
    "Settings",
    "State",
    "Strive",
    "Telerivet",
    "config_schema",
    "find",
    "load",
    "load_all",
    "mappings",
    "shown",
]

PLACES = places.CONFIG
MASK = "•••"


def find(explicit: str | Path | None = None) -> Path:
    """The config file: the one asked for, $ROSTERD_CONFIG, ./config.toml, /etc/rosterd/config.toml."""
    if explicit:
        return _existing(Path(explicit), "")
    if from_environment := os.environ.get("ROSTERD_CONFIG"):
        return _existing(Path(from_environment), "environment ROSTERD_CONFIG: ")
    for place in PLACES:
        if place.is_file():
            return place
    looked = " and ".join(str(place) for place in PLACES)
    raise BadConfig([f"no configuration found (looked at {looked})"], hint="`rosterd init` writes one")


def _existing(path: Path, origin: str) -> Path:
    if path.is_file():
        return path
    what = "is not a file" if path.exists() else "no such file"
    raise BadConfig([f"{origin}{path}: {what}"], hint="`rosterd init` writes one")


def load(path: Path | None = None) -> Settings:
    """Read and check everything but the mappings. Raises `BadConfig` with every problem there is."""
    found = gather(path or find())
    settings = _checked(found)[0]
    return _or_raise(found, settings)


def load_all(path: Path | None = None, *, text: str | None = None) -> tuple[Settings, dict[str, Mapping]]:
    """The settings and the mapping of every connection; what is wrong with either is told together.

    `text`: what the file would say, instead of what it says.
    """
    found = gather(path or find(), text=text)
    settings, sound = _checked(found)
    loaded, problems = _load_mappings(found, sound)
    return _or_raise(found, settings, problems), loaded


def mappings(settings: Settings) -> dict[str, Mapping]:
    """The mapping of every connection, by name. Raises `BadConfig` with every problem there is."""
    found = Found(settings.path)
    found.places, found.origins = settings._places, settings._origins
    loaded, problems = _load_mappings(found, settings.connections)
    if problems:
        raise BadConfig(problems)
    return loaded


def _checked(found: Found) -> tuple[Settings | None, dict[str, Connection]]:
    """The settings when all is well, and the connections that are sound in any case."""
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(found.tree, context={"folder": found.folder})
        settings._path, settings._places, settings._origins = found.path, found.places, found.origins
        sound: dict[str, Connection] = dict(settings.connections)
    except ValidationError as error:
        found.take(error)
        sound = dict(_sound(found, error))
    _one_connection_an_account(found, sound)
    parts = [*sound.values(), *([settings.service, settings.alerts] if settings is not None else [])]
    known = [getattr(part, secret) for part in parts for secret in part.secrets()]
    hide(*(secret.get_secret_value() for secret in known if isinstance(secret, SecretStr)))
    if settings is not None and (password := password_of(settings.state.url)):
        hide(password)
    return settings, sound


def _sound(found: Found, error: ValidationError) -> Iterator[tuple[str, Connection]]:
    """The connections that nothing is wrong with, though something else is."""
    one: TypeAdapter[Connection] = TypeAdapter(AnyConnection)
    hurt = {detail["loc"][1] for detail in error.errors() if detail["loc"][:1] == ("connections",) != detail["loc"]}
    tables = found.tree.get("connections")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if name not in hurt:
            connection = one.validate_python(table, context={"folder": found.folder})
            connection._name = name
            yield name, connection


def _one_connection_an_account(found: Found, connections: dict[str, Connection]) -> None:
    """Two would answer each other's writes, and share one budget without knowing."""
    by_account: dict[tuple[str, str, str], str] = {}
    by_key: dict[tuple[str, str, str], str] = {}
    for name, connection in connections.items():
        if not connection.enabled:
            continue
        platform, host, number = connection.account
        if (other := by_account.setdefault((platform, host, number), name)) != name:
            text = f"is on the same account as {other!r} ({platform} {number})"
        elif (
            connection.key_is_account
            and (other := by_key.setdefault((platform, host, connection.credential), name)) != name
        ):
            text = f"has the same key as {other!r}: on {platform} one key is one account"
        else:
            continue
        found.wrong(("connections", name), text, "keep one, or set enabled = false")


def _or_raise(found: Found, settings: Settings | None, more: list[str] | None = None) -> Settings:
    lines = [problem.show(found.path) for problem in sorted(set(found.problems))] + (more or [])
    if lines or settings is None:
        raise BadConfig(lines)
    return settings


def _load_mappings(found: Found, connections: ReadOnly[str, Connection]) -> tuple[dict[str, Mapping], list[str]]:
    from daemon.platforms import registry
    from mappings.errors import MappingError
    from mappings.load import load as load_mapping
    from mappings.load import preset

    loaded: dict[str, Mapping] = {}
    problems: dict[str, None] = {}  # a file that two connections share is told once
    for name, one in connections.items():
        try:
            if one.mapping:
                outreach = registry.able(one).outreach
                mapping = load_mapping(one.mapping, platform=one.platform, region=one.region, outreach=outreach)
            else:
                mapping = preset(one.platform, region=one.region)
            if one.where is not None:
                mapping = mapping.with_where(one.where, _source(found, ("connections", name, "where")))
            loaded[name] = mapping
        except MappingError as error:
            problems.update(dict.fromkeys(error.problems))
    problems.update(dict.fromkeys(_chains(loaded)))
    return loaded, list(problems)


def _chains(loaded: ReadOnly[str, Mapping]) -> Iterator[str]:
    """Outreaches that would bring about others at another connection, perhaps in a ring without end."""
    rules = [(name, rule) for name, mapping in loaded.items() for rule in mapping.spec.outreach]
    firing = {rule.when.name.casefold(): (name, rule) for name, rule in rules if rule.when.kind == "tag"}
    for name, rule in rules:
        for tag in rule.add_tags:
            other, fired = firing.get(tag.casefold(), (name, rule))
            if other != name:
                text = f"the tag {tag!r} fires the rule {fired.name!r} of {other!r}"
                yield f"{loaded[name].source}: outreach {rule.name!r}: {text}: an outreach must not bring about another"


def _source(found: Found, loc: Loc) -> str:
    """What a mapping puts before a problem with a `where` that stands in the config."""
    place = found.place(loc)
    return place.origin or f"{found.path}:{int(place.line)}:{place.column}"


def shown(settings: Settings) -> dict[str, dict[str, Any]]:
    """The configuration in effect, by dotted key: `value` (secrets masked) and `from`, where it was given."""
    return {dotted(loc): {"value": value, "from": _from(settings, loc)} for loc, value in _leaves(settings)}


def tree(settings: Settings) -> dict[str, Any]:
    """As much of the configuration as says what settings there are: the platforms of the connections."""
    return {"connections": {name: {"platform": one.platform} for name, one in settings.connections.items()}}


def _leaves(model: BaseModel, at: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    for key in type(model).model_fields:
        value = getattr(model, key)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*at, key))
        elif at == () and key == "connections":
            for name, connection in value.items():
                yield from _leaves(connection, (key, name))
        elif value is not None:
            yield (*at, key), without_password(value, MASK) if (*at, key) == DATABASE else _presentable(value)


def _presentable(value: Any) -> Any:
    match value:
        case SecretStr():
            return MASK
        case timedelta():
            return show_duration(value)
        case Path():
            return str(value)
        case str():
            return masked(value)
    return value


def masked(text: str) -> str:
    """The address of a database without the password in it; any other text as it is."""
    without = re.sub(r"^(postgres[\w+]*://[^:/@\s]*):\S*@", rf"\1:{MASK}@", text)
    return re.sub(r"^(postgres[\w+]*://\S*[?&]password=)[^&]*", rf"\1{MASK}", without)


def _from(settings: Settings, loc: Loc) -> str:
    if origin := settings._origins.get(loc):
        return origin
    if place := settings._places.get(loc):
        return f"{settings.path}:{int(place.line)}"
    in_defaults = ("defaults", loc[-1])
    if loc[0] == "connections" and (in_defaults in settings._places or in_defaults in settings._origins):
        return "[defaults]"
    return "default"


class _Schema(GenerateJsonSchema):
    """Durations as they are written in TOML, not as ISO 8601."""

    def encode_default(self, dft: Any) -> Any:
        return show_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def config_schema() -> dict[str, Any]:
    """The JSON Schema of config.toml, for editors."""
    schema = Settings.model_json_schema(schema_generator=_Schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "rosterd config.toml",
    }
