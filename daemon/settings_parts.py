"""What the settings of every connection have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
)

from daemon.settings_types import (
    ApiKey,
    BaseUrl,
    Duration,
    DurationOrZero,
    MappingFile,
    Number,
    Password,
    Region,
    SecretFile,
    TimeZone,
    Whole,
    Window,
)

Loc = tuple[str | int, ...]
Direction = Literal["both", "in", "out"]


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


class Part(BaseModel):
    """A table of the config. Nothing unknown is let in; no error repeats what was typed (it may be a key)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def secrets(cls) -> tuple[str, ...]:
        """The keys that are secret: each can also be given as the name of a file, `KEY_file`."""
        return tuple(key.removesuffix("_file") for key in cls.model_fields if key.endswith("_file"))


class Defaults(Part):
    """For every connection that does not say otherwise."""

    region: Region = Field(default="US", description="Where phone numbers without a country code belong.")
    every: Duration = Field(default=minutes(5), description="How often to look for changes.")
    full_every: Duration = Field(
        default=timedelta(days=7), description="How often to read everything, to notice deletions and drift."
    )
    direction: Direction = Field(default="both", description="both: read and write; in: only read; out: only write.")
    late_after: Duration = Field(
        default=minutes(30),
        description="A connection not read to the end for so long, and for twice its `every`, is late: /readyz and "
        "alerts say so.",
    )
    timezone: TimeZone = Field(default="UTC", description="Of the times below.")
    quiet_hours: list[Window] = Field(
        default=[],
        description='When people are not written to: only opt-outs are sent, reading goes on. Like "22:00-07:00" or '
        '"sat,sun 00:00-24:00".',
    )
    maintenance: list[Window] = Field(
        default=[], description='When the platform is left alone altogether, like "sun 02:00-04:00".'
    )


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
    def bound(self) -> timedelta:
        """How long ago the last complete reading may have begun. One that is not due yet is not late."""
        return max(self.late_after, 2 * self.every)

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

    username: str = Field(min_length=1, description="The name to log in with: best an account for rosterd alone.")
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
