"""The settings of a connection on each platform: types, defaults and what they mean."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from daemon.platforms.colony_shape import FIELDS, PATHS, unfit
from daemon.settings_parts import Connection, Direction, Keyed, Part, WithPassword, minutes
from daemon.settings_types import (
    BaseUrl,
    DurationOrZero,
    Number,
    Password,
    Region,
    SecretFile,
    Whole,
)


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
    number_info: bool = Field(
        default=False,
        description="true: complete readings also read what Carium knows of each American number, one call a number.",
    )
    base_url: BaseUrl = Field(default="https://api.carium.com", description="Only to override.")
    rate: Number = Field(default=2.0, gt=0, le=1000, description="Calls per second, at most.")
    overlap: DurationOrZero = Field(
        default=minutes(0), description="How far to read back each time; everything is read anyway."
    )


PLATFORMS: dict[str, type[Connection]] = {
    "strive": Strive,
    "telerivet": Telerivet,
    "action_network": ActionNetwork,
    "colony": Colony,
    "carium": Carium,
}
AnyConnection = Annotated[Strive | Telerivet | ActionNetwork | Colony | Carium, Field(discriminator="platform")]
