"""Every setting there is: its type, its default and what it means.

The texts here are shown to people: `daemon/example.py` renders them as the comments of config.example.toml,
and the JSON Schema carries them into editors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from daemon.platforms.colony_shape import FIELDS, PATHS, unfit
from daemon.settings_types import (
    NAME,
    ApiKey,
    BaseUrl,
    Duration,
    DurationOrZero,
    MappingFile,
    Number,
    Password,
    Region,
    SecretFile,
    StateUrl,
    Whole,
)

Loc = tuple[str | int, ...]
Direction = Literal["both", "in", "out"]


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


class Part(BaseModel):
    """A table of the config. Nothing unknown is let in; no error repeats what was typed (it may be a key)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class State(Part):
    """Where rosterd remembers."""

    url: StateUrl = Field(
        default="sqlite:////var/lib/rosterd/state.db",
        description="The database. Four slashes: an absolute path; three: relative to this file.",
    )


class Defaults(Part):
    """For every connection that does not say otherwise."""

    region: Region = Field(default="US", description="Where phone numbers without a country code belong.")
    every: Duration = Field(default=minutes(5), description="How often to look for changes.")
    full_every: Duration = Field(
        default=timedelta(days=7), description="How often to read everything, to notice deletions and drift."
    )
    direction: Direction = Field(default="both", description="both: read and write; in: only read; out: only write.")


def _secrets_come_from_elsewhere(schema: dict[str, Any]) -> None:
    """A key from a file or the environment does not stand in the config: an editor must not ask for it."""
    schema["required"] = [name for name in schema["required"] if f"{name}_file" not in schema["properties"]]


class Connection(Defaults, ABC):
    """One account on one platform. The keys every platform has.

    What a platform's own class gives a default for (Colony: region and direction), `[defaults]` does not change.
    """

    model_config = ConfigDict(json_schema_extra=_secrets_come_from_elsewhere)

    platform: str
    enabled: bool = Field(default=True, description="false: leave this connection alone, and keep what is known of it.")
    base_url: BaseUrl
    mapping: MappingFile | None = Field(
        default=None, description="The YAML mapping, relative to this file. Left out: the platform's preset."
    )
    where: dict[str, Any] | None = Field(
        default=None,
        description="Whom this connection is about, written as in a mapping. Left out: as the mapping says.",
    )
    rate: Number = Field(gt=0, le=1000, description="Calls per second, at most.")
    overlap: DurationOrZero = Field(description="How far to read back each time: rows are stored late.")
    priority: Whole = Field(
        default=0, description="When two sides change one field at the same moment, the higher wins."
    )
    key_is_account: ClassVar[bool] = False
    """Whether one credential always opens one account, whatever the account is called here."""
    _name: str = PrivateAttr("")

    @property
    def name(self) -> str:
        """The key of the table: `strive_atl` in `[connections.strive_atl]`."""
        return self._name

    @property
    @abstractmethod
    def account_id(self) -> str:
        """What names the account at the platform."""

    @property
    def account(self) -> tuple[str, str, str]:
        """Equal for two connections exactly when they are on the same account."""
        return self.platform, urlsplit(self.base_url).netloc, self.account_id

    @property
    @abstractmethod
    def credential(self) -> str:
        """What the platform knows us by: connections that share it share one budget of calls."""

    @classmethod
    def secrets(cls) -> tuple[str, ...]:
        """The keys that are secret: each can also be given as the name of a file, `KEY_file`."""
        return tuple(key.removesuffix("_file") for key in cls.model_fields if key.endswith("_file"))


class Keyed(Connection):
    """An account that is opened with one API key."""

    api_key_file: SecretFile | None = Field(
        default=None,
        description="A file with the API key, relative to this file, readable by nobody else (chmod 600).",
    )
    api_key: ApiKey = Field(
        description="The key itself. Better in api_key_file, the environment or a systemd credential; here "
        "only if nobody else can read this file."
    )

    @property
    def credential(self) -> str:
        return self.api_key.get_secret_value()


class WithPassword(Connection):
    """An account that is opened with a name and a password."""

    username: str = Field(
        min_length=1, description="The name to log in with: best an account for rosterd alone."
    )
    password_file: SecretFile | None = Field(
        default=None,
        description="A file with the password, relative to this file, readable by nobody else (chmod 600).",
    )
    password: Password = Field(
        description="The password itself. Better in password_file, the environment or a systemd credential; here "
        "only if nobody else can read this file."
    )

    @property
    def credential(self) -> str:
        return self.username

    @property
    def account_id(self) -> str:
        return self.username


class Strive(Keyed):
    """A campaign on Strive. It publishes no limit of calls: what it answers (429, 503) is obeyed."""

    platform: Literal["strive"]
    campaign_id: Whole = Field(gt=0, description="The number of the campaign.")
    base_url: BaseUrl = Field(default="https://api.strivemessaging.org", description="Only to override.")
    rate: Number = Field(default=3.0, gt=0, le=1000, description="Calls per second, at most.")
    overlap: DurationOrZero = Field(
        default=minutes(5), description="How far to read back each time: rows are stored late."
    )

    @property
    def account_id(self) -> str:
        return str(self.campaign_id)


class Telerivet(Keyed):
    """A project on Telerivet. It limits calls but publishes no number: what it answers (429) is obeyed."""

    platform: Literal["telerivet"]
    project_id: str = Field(pattern=r"^PJ[0-9a-fA-F]{8,32}$", description="The project, as shown in its address.")
    base_url: BaseUrl = Field(default="https://api.telerivet.com", description="Only to override.")
    feed: Literal["auto", "scan", "dynamic_group"] = Field(
        default="auto",
        description="How to notice changes; auto takes a dynamic group where the account has them.",
    )
    rate: Number = Field(default=3.0, gt=0, le=1000, description="Calls per second, at most.")
    overlap: DurationOrZero = Field(
        default=minutes(2), description="How far to read back each time: rows are stored late."
    )

    @property
    def account_id(self) -> str:
        return self.project_id


class ActionNetwork(Keyed):
    """A group on Action Network: one API key belongs to one group. Clients have found a limit of 4 calls a second."""

    key_is_account: ClassVar[bool] = True
    platform: Literal["action_network"]
    group: str | None = Field(
        default=None,
        pattern=r"^[\w.-]{1,80}$",
        description="Your word for the group the key belongs to. Change it when you change to the key of another "
        "group: what is known of the old one is then not taken for the new. Left out: the connection's name.",
    )
    base_url: BaseUrl = Field(default="https://actionnetwork.org", description="Only to override.")
    rate: Number = Field(default=4.0, gt=0, le=1000, description="Calls per second, at most.")
    overlap: DurationOrZero = Field(
        default=minutes(2), description="How far to read back each time: rows are stored late."
    )

    @property
    def account_id(self) -> str:
        return self.group or self.name


def _path_of(name: str) -> Any:
    return Field(default=PATHS[name].default, description=PATHS[name].means)


def _name_of(name: str) -> Any:
    return Field(default=FIELDS[name].default, pattern=r"^[\w-]{0,80}$", description=FIELDS[name].means)


class ColonyPaths(Part):
    """Where Colony keeps what, below base_url."""

    token: str = _path_of("token")
    lists: str = _path_of("lists")
    contacts: str = _path_of("contacts")
    contact: str = _path_of("contact")
    optouts: str = _path_of("optouts")
    import_csv: str = _path_of("import_csv")
    create_optout: str = _path_of("create_optout")

    @field_validator("*")
    @classmethod
    def _fit(cls, value: str, info: ValidationInfo) -> str:
        name = str(info.field_name)
        if not value and not PATHS[name].default:
            return value
        if trouble := unfit(value, one=name == "contact"):
            raise ValueError(trouble)
        return value


class ColonyFields(Part):
    """What Colony calls things."""

    id: str = _name_of("id")
    phone: str = _name_of("phone")
    first_name: str = _name_of("first_name")
    last_name: str = _name_of("last_name")
    email: str = _name_of("email")
    city: str = _name_of("city")
    updated: str = _name_of("updated")
    lists: str = _name_of("lists")
    list: str = _name_of("list")
    page_size: str = _name_of("page_size")
    other: tuple[Annotated[str, Field(pattern=r"^[\w-]{1,80}$")], ...] = Field(
        default=(), description="Further fields of a contact, by Colony's names; in a mapping other.NAME."
    )

    @model_validator(mode="after")
    def _enough(self) -> ColonyFields:
        if not (self.id and self.phone and self.list):
            raise ValueError("id, phone and list cannot do without a name")
        return self


class Colony(WithPassword):
    """A company on Colony. Only part of its API is published: it is only read unless you say otherwise."""

    platform: Literal["colony"]
    client_id: str = Field(min_length=1, description="The OAuth2 client, as Colony gave it to you.")
    client_secret_file: SecretFile | None = Field(default=None, description="A file with the client's secret.")
    client_secret: Password = Field(description="The client's secret itself; as with the password.")
    region: Region = Field(default="ZA", description="Where phone numbers without a country code belong.")
    direction: Direction = Field(default="in", description="both: read and write; in: only read; out: only write.")
    scope: str = Field(
        default="read",
        pattern=r"^[\w:.+ -]{1,80}$",
        description='What the token shall allow. To write, Colony may want "read+write": try it with `rosterd check`.',
    )
    contact_list: Whole | None = Field(
        default=None,
        gt=0,
        description="The id of the list that new contacts go to; it is not taken for a tag. Left out: nobody is made.",
    )
    paths: ColonyPaths = Field(
        default=ColonyPaths(),
        description="Where Colony keeps what. Only part of it is published; `rosterd check` tries.",
    )
    fields: ColonyFields = Field(
        default=ColonyFields(),
        description="What Colony calls things. Its names for the fields of a contact are guesses.",
    )
    base_url: BaseUrl = Field(default="https://api.colonyhq.com", description="Only to override.")
    rate: Number = Field(default=2.0, gt=0, le=1000, description="Calls per second, at most.")
    overlap: DurationOrZero = Field(
        default=minutes(0), description="How far to read back each time; everything is read anyway."
    )


class Carium(WithPassword):
    """A Carium account. It can only be read."""

    platform: Literal["carium"]
    direction: Literal["in"] = Field(default="in", description="in: only read; Carium takes no contact data.")
    base_url: BaseUrl = Field(default="https://api.carium.com", description="Only to override.")
    rate: Number = Field(default=2.0, gt=0, le=1000, description="Calls per second, at most.")
    overlap: DurationOrZero = Field(
        default=minutes(0), description="How far to read back each time; everything is read anyway."
    )


class Identity(Part):
    """Who is who."""

    max_shared: Whole = Field(
        default=3, ge=1, le=1000, description="A phone or email of more contacts than this matches nobody."
    )
    ignore: list[str] = Field(
        default=[], description="Phones and emails that never match anybody, besides known placeholders."
    )


class Limit(Part):
    """Tripped by a count above both: so many rows, and so many per cent of what the connection holds."""

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
    unmask: bool = Field(default=False, description="true: write phones, emails and names. Keys are masked regardless.")


PLATFORMS: dict[str, type[Connection]] = {
    "strive": Strive,
    "telerivet": Telerivet,
    "action_network": ActionNetwork,
    "colony": Colony,
    "carium": Carium,
}
AnyConnection = Annotated[Strive | Telerivet | ActionNetwork | Colony | Carium, Field(discriminator="platform")]


class Settings(Part):
    """The whole configuration, checked. `daemon.settings.load` makes it."""

    state: State = State()
    defaults: Defaults = Defaults()
    connections: dict[Annotated[str, Field(pattern=NAME)], AnyConnection] = Field(min_length=1)
    identity: Identity = Identity()
    consent: Consent = Consent()
    fuse: Fuse = Fuse()
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
