"""What the store gives and takes: plain rows, no behaviour that decides anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

Value = str | list[str] | None

UPDATE_LANE, CREATE_LANE, CONSENT_LANE = 1, 2, 0
"""Lanes of the outbox, in the order they are delivered: a "no" first, then edits, then new people."""


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """A text that a platform or a person gave us, as either engine keeps it: PostgreSQL refuses NUL, UTF-8 refuses
    lone surrogates, and one odd answer must not stop a whole page."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)


def storable_or_none(text: str | None) -> str | None:
    return None if text is None else storable(text)


def dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def loads(text: str | bytes | None) -> Any:
    return None if text is None else orjson.loads(text)


class Entry(NamedTuple):
    """One canonical field: its value, when it got it, from which connection, and how (the feed's word).

    `was` and `flips` notice two sides that keep flipping it: the value before, and how often it came back.
    """

    value: Value
    at: float
    by: str
    how: str
    was: Value = None
    flips: int = 0


@dataclass(slots=True)
class Contact:
    """One person."""

    id: int
    fields: dict[str, Entry]
    created_at: float
    merged_into: int | None = None

    def get(self, name: str) -> Value:
        entry = self.fields.get(name)
        return None if entry is None else entry.value

    def packed(self) -> str:
        """The fields as JSON; a slice of an entry is a plain tuple, which the serialiser wants."""
        return dumps({name: entry[:] if entry.flips or entry.was else entry[:4] for name, entry in self.fields.items()})


@dataclass(slots=True)
class Link:
    """One record we know of. `seen`: the canonical view of what that side last said it stored.

    `state`: linked; held (a person must say who it is); out_of_scope; failed (cannot be read); vanished.
    `sent`: fields we sent whose receipt is not known yet. `told`: channels where its "no" is only our echo.
    """

    connection: str
    external_id: str
    state: str
    contact_id: int | None = None
    seen: dict[str, Value] = field(default_factory=dict)
    version: str | None = None
    digest: str = ""
    sent: dict[str, Value] | None = None
    told: list[str] = field(default_factory=list)
    sweep: int = 0
    reason: str | None = None
    id: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.connection, self.external_id


@dataclass(slots=True)
class Owed:
    """A row of the outbox. `owed`: field names, or {"tags": {"add": [...], "remove": [...]}}, or a channel."""

    connection: str
    lane: int
    contact_id: int | None
    external_id: str | None
    kind: str
    owed: dict[str, Any]
    state: str = "open"
    approved: int = 0
    attempts: int = 0
    due_at: float = 0.0
    reason: str | None = None
    created_at: float = 0.0
    id: int | None = None

    @property
    def target(self) -> str:
        return f"r:{self.external_id}" if self.external_id is not None else f"c:{self.contact_id}"

    @property
    def key(self) -> tuple[str, str, int]:
        return self.connection, self.target, self.lane


@dataclass(slots=True)
class Outreach:
    """A row of `outreaches`: one event on one contact that a rule of one connection's mapping is about.

    `at` and `since`: it happened then, or between the two, in whole seconds. `state`: owed; sending (it may have
    arrived); sent; held (by the fuse, or until a person says what became of it); dead (refused); dropped.
    """

    connection: str
    rule: str
    contact_id: int
    at: int
    since: int
    event: str
    state: str = "owed"
    approved: int = 0
    insisted: int = 0
    attempts: int = 0
    campaign: str | None = None
    external_id: str | None = None
    reason: str | None = None
    created_at: float = 0.0
    begun_at: float | None = None
    sent_at: float | None = None
    id: int | None = None

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.connection, self.rule, self.contact_id, self.at


@dataclass(slots=True)
class Account:
    """A row of `connections`."""

    name: str
    platform: str
    account: str
    cursor: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    remap: list[str] = field(default_factory=list)
    sweep: int = 0
    swept: int = 0
    swept_at: float | None = None
    polled_at: float | None = None
    plan_after: int | None = None
    paused_until: float | None = None
    paused_why: str | None = None
    failures: int = 0
    ok_at: float | None = None
    feed: dict[str, Any] | None = None
    reading_since: float | None = None
    asked_at: float | None = None
    owner: str | None = None
    lease_until: float | None = None
    term: int | None = None

    @property
    def primed(self) -> bool:
        """Read whole at least once."""
        return self.swept > 0


@dataclass(slots=True)
class Hold:
    """Something set aside until a person decides. One open hold a key."""

    key: str
    kind: str
    detail: dict[str, Any]
    connection: str | None = None
    external_id: str | None = None
    contact_id: int | None = None
    state: str = "open"
    decision: dict[str, Any] | None = None
    opened_at: float = 0.0
    decided_at: float | None = None
    id: int | None = None


@dataclass(slots=True)
class Noted:
    """A row of the journal."""

    event: str
    detail: dict[str, Any]
    contact_id: int | None = None
    connection: str | None = None
    external_id: str | None = None
    at: float = 0.0
    run: int | None = None
    id: int | None = None
