"""The settings of the long run: the page it serves, whom it alerts, how long it keeps things."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from daemon.settings_parts import Part, minutes
from daemon.settings_types import HINT, Duration, DurationOrZero, Password, SecretFile, Whole, address, loopback

Event = Literal["failed", "fuse", "consent_dead", "late", "silent", "unusual", "storage"]
EVENTS: tuple[Event, ...] = ("failed", "fuse", "consent_dead", "late", "silent", "unusual", "storage")


def _token(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not re.fullmatch(r"[\x21-\x7e]{16,}", text):
        raise ValueError(f"must be at least 16 letters and digits{HINT}`openssl rand -hex 24` makes one")
    return SecretStr(text)


def _listen(value: str) -> str:
    if not value:
        return value
    host, separator, port = value.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not separator or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f'is not an address to listen on{HINT}like "127.0.0.1:8787", or "" for none')
    if bare != "localhost":
        try:
            ipaddress.ip_address(bare)
        except ValueError:
            raise ValueError(f'{bare!r} is no address of this machine{HINT}like "127.0.0.1:8787"') from None
    return value


def _mailbox(value: str) -> str:
    """It goes into the head of a mail: no blanks, no line ends, one address."""
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", value):
        raise ValueError(f'{value!r} is no mail address{HINT}like "oncall@example.org"')
    return value


def _server(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]", host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'{value!r} is no mail server{HINT}like "mail.example.org:587"')
    return value


Token = Annotated[SecretStr, AfterValidator(_token)]
Listen = Annotated[str, AfterValidator(_listen)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Service(Part):
    """`rosterd run`: the page it serves, and how it stops."""

    listen: Listen = Field(
        default="127.0.0.1:8787",
        description='Where the status page, /healthz, /readyz and /metrics are served; "": nowhere. Any other than a '
        "loopback address needs a token.",
    )
    token_file: SecretFile | None = Field(
        default=None,
        description="A file with the token that opens the page from elsewhere, and that decisions on it ask for.",
    )
    token: Token | None = Field(
        default=None, description="The token itself. Better in token_file, the environment or a systemd credential."
    )
    drain: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a stop waits for the page or batch in hand. Keep systemd's TimeoutStopSec above it.",
    )
    lease: Duration = Field(
        default=timedelta(seconds=60),
        description="PostgreSQL: a worker that was not heard of for so long has lost its connections to the others.",
    )

    @property
    def public(self) -> bool:
        """Whether others than this machine could ask."""
        host = self.listen.rpartition(":")[0].removeprefix("[").removesuffix("]")
        return bool(self.listen) and not loopback(host)

    @model_validator(mode="after")
    def _guarded(self) -> Service:
        if self.public and self.token is None:
            raise ValueError(
                f"listen is open to others, and there is no token{HINT}give token_file, or listen on 127.0.0.1"
            )
        if self.lease < timedelta(seconds=5):
            raise ValueError(f"lease must be 5s or longer{HINT}shorter ones are lost to a busy moment")
        return self


class Alerts(Part):
    """Who is told when something breaks, once, and once when it heals. `rosterd alerts test` tries it."""

    on: list[Event] = Field(
        default=list(EVENTS),
        description="failed: a connection; fuse: a mass change waits; consent_dead: an opt-out was refused; late: lag "
        "over bound; silent: no changes where there always are; unusual: far more than usual; storage: the database.",
    )
    after: DurationOrZero = Field(
        default=minutes(5),
        description="A connection must have failed for so long; short hiccups wake nobody. Where a person is needed, "
        "they are told at once.",
    )
    command: list[str] = Field(
        default=[], description='Run this, with the alert as JSON on standard input, like ["/usr/local/bin/page-me"].'
    )
    webhook: Annotated[str, AfterValidator(address)] | None = Field(
        default=None, description="POST the alert as JSON to this address, signed."
    )
    webhook_secret_file: SecretFile | None = Field(
        default=None, description="A file with the secret that signs it: X-Rosterd-Signature, HMAC-SHA256."
    )
    webhook_secret: Token | None = Field(default=None, description="The secret itself.")
    email_to: list[Mailbox] = Field(default=[], description="Send a mail to these addresses.")
    email_from: Mailbox | None = Field(default=None, description="Its sender.")
    smtp: Annotated[str, AfterValidator(_server)] = Field(default="localhost:25", description="The mail server.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="none", description="How to talk to it; a password is never sent in the clear."
    )
    smtp_username: str | None = Field(default=None, description="The name to log in with, if it asks.")
    smtp_password_file: SecretFile | None = Field(default=None, description="A file with the password.")
    smtp_password: Password | None = Field(default=None, description="The password itself.")

    @field_validator("command")
    @classmethod
    def _absolute(cls, value: list[str]) -> list[str]:
        if value and not value[0].startswith("/"):
            raise ValueError(f"{value[0]!r} must be a whole path{HINT}systemd's PATH is not yours")
        return value

    @property
    def smtp_address(self) -> tuple[str, int]:
        """Host and port of the mail server."""
        host, _, port = self.smtp.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @model_validator(mode="after")
    def _complete(self) -> Alerts:
        if self.webhook and self.webhook_secret is None:
            raise ValueError(
                f"webhook without webhook_secret_file{HINT}it is signed: `openssl rand -hex 24 > webhook.secret`"
            )
        if self.email_to and not self.email_from:
            raise ValueError(f"email_to without email_from{HINT}say who sends it")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError(f"smtp_username and smtp_password_file go together{HINT}give both, or neither")
        if self.smtp_password is not None and self.smtp_tls == "none" and not loopback(self.smtp_address[0]):
            raise ValueError(f'smtp_password would go in the clear{HINT}write smtp_tls = "starttls"')
        return self


class Keep(Part):
    """How long things are kept. What explains a merge, a "no" or a decision is kept for good."""

    journal: Duration = Field(default=timedelta(days=400), description="Changes of fields, in and out.")
    runs: Duration = Field(default=timedelta(days=90), description="Runs and their books.")
    hours: Duration = Field(default=timedelta(days=400), description="Changes per hour: the chart, and what is usual.")
    holds: Duration = Field(default=timedelta(days=400), description="Holds that were decided.")
    rows: Whole = Field(default=1000, ge=10, le=100_000, description="Rows removed at a time, between other work.")
