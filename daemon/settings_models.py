"""Every setting there is: its type, its default and what it means.

The texts here are shown to people: `daemon/example.py` renders them as the comments of config.example.toml,
and the JSON Schema carries them into editors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from daemon.settings_parts import Connection, Defaults, Loc, Part
from daemon.settings_platforms import PLATFORMS, AnyConnection
from daemon.settings_service import Alerts, Keep, Service
from daemon.settings_types import (
    NAME,
    Number,
    SecretFile,
    StateUrl,
    Whole,
)


class State(Part):
    """Where rosterd remembers."""

    url: StateUrl = Field(
        default="sqlite:////var/lib/rosterd/state.db",
        repr=False,
        description="The database. sqlite: four slashes begin an absolute path, three one relative to this file. Or "
        "postgresql://rosterd@db.example.org/rosterd; with a password in it only if nobody else can read this file.",
    )
    url_file: SecretFile | None = Field(
        default=None, description="A file with the address instead, for its password (chmod 600)."
    )


class Identity(Part):
    """Who is who."""

    max_shared: Whole = Field(
        default=3, ge=1, le=1000, description="A phone or email of more contacts than this matches nobody."
    )
    ignore: list[str] = Field(
        default=[], description="Phones and emails that never match anybody, besides known placeholders."
    )


def _half_is_enough(schema: dict[str, Any]) -> None:
    """The other half keeps its default (see `Limits`): an editor must not ask for it."""
    schema.pop("required", None)


class Limit(Part):
    """Tripped by a count above both: so many rows, and so many per cent of what the connection holds."""

    model_config = ConfigDict(json_schema_extra=_half_is_enough)

    rows: Whole = Field(ge=0)
    percent: Number = Field(ge=0, le=100)

    def tripped(self, count: int, holds: int) -> bool:
        """Whether `count` changes are too many for a connection that holds `holds` records."""
        return count > max(self.rows, holds * self.percent / 100)


class Limits(Part):
    """Tables of limits: half a limit keeps the other half's default."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        whole = dict(data)
        for key, field in cls.model_fields.items():
            if isinstance(field.default, Limit) and isinstance(data.get(key), dict):
                whole[key] = {**field.default.model_dump(), **data[key]}
        return whole


class Consent(Limits):
    """How a "no" travels. It is never undone by rosterd, wherever it was said."""

    scope: Literal["all", "connection"] = Field(
        default="all",
        description="all: a no on one connection counts on every one; connection: only where it was said.",
    )
    upward: Limit = Field(
        default=Limit(rows=20, percent=5),
        description="More new yeses than this in one run are held, not believed.",
    )


class Fuse(Limits):
    """A mass change waits for a person: more than so many rows and so many per cent of a connection."""

    create: Limit = Field(default=Limit(rows=500, percent=50), description="New records.")
    update: Limit = Field(default=Limit(rows=500, percent=20), description="Records changed.")
    blank: Limit = Field(default=Limit(rows=50, percent=5), description="Fields emptied.")
    rekey: Limit = Field(default=Limit(rows=50, percent=5), description="Phones or emails replaced.")
    merge: Limit = Field(default=Limit(rows=50, percent=5), description="Contacts merged into one.")
    vanish: Limit = Field(default=Limit(rows=50, percent=5), description="Records gone from a platform.")
    outreach: Limit = Field(default=Limit(rows=100, percent=5), description="Outreaches to be recorded.")


class Log(Part):
    """What is said on standard error."""

    format: Literal["auto", "pretty", "json"] = Field(
        default="auto", description="auto: pretty on a terminal, otherwise one JSON object a line."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least that is worth a line. ROSTERD_LOG=debug does the same for one command.",
    )
    unmask: bool = Field(
        default=False,
        description="true: write phones, emails and names. Keys are masked regardless. No effect with a connection "
        "that holds health data (carium).",
    )


class Settings(Part):
    """The whole configuration, checked. `daemon.settings.load` makes it."""

    state: State = State()
    defaults: Defaults = Defaults()
    connections: dict[Annotated[str, Field(pattern=NAME)], AnyConnection] = Field(min_length=1)
    identity: Identity = Identity()
    consent: Consent = Consent()
    fuse: Fuse = Fuse()
    service: Service = Service()
    alerts: Alerts = Alerts()
    keep: Keep = Keep()
    log: Log = Log()

    _path: Path = PrivateAttr(Path("config.toml"))
    _places: dict[Loc, Any] = PrivateAttr(default_factory=dict)  # where in the file
    _origins: dict[Loc, str] = PrivateAttr(default_factory=dict)  # where else

    @property
    def path(self) -> Path:
        """The file it came from."""
        return self._path

    @property
    def enabled(self) -> dict[str, Connection]:
        """The connections that are switched on, in the order of the file."""
        return {name: one for name, one in self.connections.items() if one.enabled}

    @model_validator(mode="before")
    @classmethod
    def _fill_from_defaults(cls, data: Any) -> Any:
        """What a connection leaves out, `[defaults]` says. Bad defaults are told once, where they stand."""
        given, connections = data.get("defaults"), data.get("connections")
        if not isinstance(given, dict) or not isinstance(connections, dict):
            return data
        try:
            filled = Defaults.model_validate(given).model_fields_set
        except ValidationError:
            return data
        common = {key: given[key] for key in filled}
        return {**data, "connections": {name: _under(common, one) for name, one in connections.items()}}

    @model_validator(mode="after")
    def _tell_connections_their_names(self) -> Settings:
        for name, connection in self.connections.items():
            connection._name = name
        return self


def _under(common: dict[str, Any], table: Any) -> Any:
    """A connection's table over `[defaults]`, which change nothing that its platform has a default of its own for."""
    if not isinstance(table, dict):
        return table
    platform = table.get("platform")
    fields = PLATFORMS[platform].model_fields if platform in list(PLATFORMS) else Defaults.model_fields
    own = {key for key in common if fields[key].default != Defaults.model_fields[key].default}
    return {**{key: value for key, value in common.items() if key not in own}, **table}
