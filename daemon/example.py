"""Config files rendered from the settings themselves, so that what is documented is what exists.

`example` shows every key with its meaning and default (config.example.toml; a test compares); `skeleton` is
the short file `rosterd init` writes.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.settings_models import Settings, State
from daemon.settings_parts import Connection, Defaults
from daemon.settings_platforms import PLATFORMS
from daemon.settings_types import show_duration

WIDTH = 100
HEAD = """\
The configuration of rosterd. Looked for, in this order: --config FILE, $ROSTERD_CONFIG,
./config.toml, /etc/rosterd/config.toml. `rosterd check` says what is wrong with it,
`rosterd config show` what is in effect.

Every key can be set in the environment instead, tables and keys joined by two underscores:
    ROSTERD_STATE__URL, ROSTERD_FUSE__UPDATE__ROWS, ROSTERD_CONNECTIONS__STRIVE_ATL__API_KEY
and keys of accounts as systemd credentials, named like connections__strive_atl__api_key.

Durations are written 90s, 5m, 1h30m, 7d or 2w. A key behind a # shows its default, or an example.
"""
NAMES = {"strive": "strive_atl"}
SAMPLES: dict[str, Any] = {
    "campaign_id": 273,
    "project_id": "PJ2ad0100821a98bea",
    "username": "rosterd@example.org",
    "client_id": "0123456789abcdef",
    "group": "atlanta",
    "contact_list": 12,
    "url_file": "database.url",
    "token_file": "service.token",
    "token": "...",
    "webhook": "https://example.org/hooks/rosterd",
    "webhook_secret_file": "webhook.secret",
    "webhook_secret": "...",
    "email_from": "rosterd@example.org",
    "smtp_username": "rosterd@example.org",
    "smtp_password_file": "smtp.password",
    "smtp_password": "...",
    "where": {"all": [{"field": "region", "in": ["GA", "IL"]}, {"not": {"tag": "inactive"}}]},
}
FIRST = (
    *("platform", "campaign_id", "project_id", "group", "username", "client_id"),
    *("api_key_file", "api_key", "password_file", "password", "client_secret_file", "client_secret"),
    *("mapping", "where"),
)


def example() -> str:
    """Every setting there is, as a config file that loads once the key files it names exist."""
    parts = [_comment(HEAD)]
    for name, field in Settings.model_fields.items():
        if name == "connections":
            parts += _connections()
        else:
            parts.append("\n".join(_section(name, _model(field))))
    return "\n\n".join(parts) + "\n"


def skeleton(
    *,
    state_url: str,
    every: str = "5m",
    **connections: Mapping[str, Any] | None,
) -> str:
    """A short config with these answers.

    `connections` are, by platform, the keys of a connection (campaign_id, api_key_file, perhaps base_url,
    mapping ...); `name` is what to call it, the platform's name when left out. Raises KeyError for a key the
    platform does not have.
    """
    parts = [
        _comment("Made by `rosterd init`. `rosterd config example` shows every key there is."),
        _table("state", State, {"url": state_url}),
        _table("defaults", Defaults, {"every": every}),
    ]
    for platform, answers in connections.items():
        if answers is not None:
            given = {key: value for key, value in answers.items() if key != "name" and value is not None}
            name = answers.get("name") or platform
            parts.append(_table(f"connections.{name}", PLATFORMS[platform], {"platform": platform, **given}))
    return "\n\n".join(parts) + "\n"


def _table(name: str, model: type[BaseModel], values: Mapping[str, Any]) -> str:
    lines = [f"[{name}]"]
    for key, value in values.items():
        lines += _lines(key, model.model_fields[key], value)
    return "\n".join(lines)


def _section(name: str, model: type[BaseModel]) -> Iterator[str]:
    """A table of the top level, every key with its default."""
    yield _comment(_doc(model))
    yield f"[{name}]"
    for key, field in model.model_fields.items():
        if field.default is None:
            yield from _lines(key, field, SAMPLES[key], "# ")
        else:
            yield from _lines(key, field, field.default)


def _connections() -> Iterator[str]:
    """One of each platform; keys that mean the same as above are not told again."""
    yield _comment(
        "One table for each account; what follows the dot is your name for it (a-z, 0-9 and single _). "
        "What a connection leaves out, [defaults] says."
    )
    told: dict[str, tuple[Any, str | None]] = {}
    for platform, model in PLATFORMS.items():
        yield "\n".join(_connection(platform, model, told))
        told.update({key: (field.default, field.description) for key, field in model.model_fields.items()})


def _connection(platform: str, model: type[Connection], told: Mapping[str, tuple[Any, str | None]]) -> Iterator[str]:
    yield _comment(_doc(model) + (" Besides these, the keys above." if told else ""))
    yield f"[connections.{NAMES.get(platform, platform)}]"
    files = {f"{secret}_file": f"{platform}.{secret.rpartition('_')[2]}" for secret in model.secrets()}
    samples = {**SAMPLES, **dict.fromkeys(model.secrets(), "..."), **files, "platform": platform}
    samples["mapping"] = f"mappings/{platform}.yaml"
    for key in sorted(model.model_fields, key=lambda key: FIRST.index(key) if key in FIRST else len(FIRST)):
        field = model.model_fields[key]
        needed = key in files or (field.is_required() and key not in model.secrets())
        if needed or told.get(key) != (field.default, field.description):
            yield from _lines(key, field, samples.get(key, field.default), "" if needed else "# ")


def _lines(key: str, field: FieldInfo, value: Any, mark: str = "") -> Iterator[str]:
    if field.description:
        yield _comment(field.description)
    if explained(value):
        for name, inner in type(value).model_fields.items():
            yield from _lines(f"{key}.{name}", inner, getattr(value, name), mark)
    else:
        yield f"{mark}{key} = {_toml(value)}"


def explained(value: Any) -> bool:
    """Whether this is a table whose keys have meanings of their own: each gets its line."""
    return isinstance(value, BaseModel) and all(field.description for field in type(value).model_fields.values())


def _comment(text: str) -> str:
    lines = [one for line in text.rstrip().split("\n") for one in textwrap.wrap(line, WIDTH) or [""]]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _model(field: FieldInfo) -> type[BaseModel]:
    assert isinstance(field.annotation, type)
    return field.annotation


def _toml(value: Any) -> str:
    match value:
        case timedelta():
            return json.dumps(show_duration(value))
        case BaseModel():
            return _toml(value.model_dump())
        case dict():
            return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case float() if value.is_integer():
            return str(int(value))
    return json.dumps(value if isinstance(value, (bool, int, float)) else str(value), ensure_ascii=False)
