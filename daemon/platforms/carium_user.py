"""A user of Carium: what is taken of it, how consents are put beside it, and how it becomes a record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.platforms.base import Capabilities, Evidence, Record

if TYPE_CHECKING:
    import sqlite3

TAKEN = (
    *("first-name", "last-name", "email", "email-verified", "phone", "phone-verified", "phone-unsubscribed"),
    *("sms-mode", "locale", "tz", "username", "state", "primary-individual-id"),
)
"""The attributes that are read (Carium courier API, 'GET /v1/users/'). All others stay where they are: devices,
preferences and the like are nobody's business here."""

ASSUMED = {"locale": "locale-explicit", "tz": "tz-explicit"}
"""Attributes that come with another one that says whether somebody chose them. What nobody chose is left out."""

SMS_CONSENT, STATES = "sms_consent", "sms_consent_states"
"""Keys of ours: what phone-unsubscribed and the user's consents of type sms say together, and their states as words."""

NUMBER_INFO = {"number_status": "status", "number_type": "type", "number_carrier": "carrier-name"}
"""Keys of ours: what Carium knows of the user's number, where that is asked for. No list of statuses is published."""

ACCEPTED, UNSUBSCRIBED, UNCLEAR = "accepted", "unsubscribed", "unclear"

REFUSED = frozenset(
    (
        *("declined", "denied", "refused", "rejected", "revoked", "withdrawn", "stopped", "canceled", "cancelled"),
        *("unsubscribed", "opted-out", "opted_out", "opt-out"),
    )
)
"""Words of a consent's `state` that are taken for a no. Carium shows only `accepted` and publishes no list, so all but
these two kinds are unclear: neither a yes nor a no."""

CAPABILITIES = Capabilities(
    granularity=0.999,  # times are in whole seconds (Carium API, 'Introduction', formats)
    read=frozenset({*TAKEN, *NUMBER_INFO, SMS_CONSENT, STATES}),
    update=frozenset(),
    create=frozenset(),
    consent_read=frozenset({"sms"}),
    feed="all users and their consents",
    sensitive=True,
)


class Consent(NamedTuple):
    """One consent of type sms. `at`: when it was last changed, seconds since 1970."""

    state: str
    at: float | None


class Consents:
    """The sms consents of all users, in a notebook on disk; one user's are looked up when the user is read."""

    def __init__(self, book: sqlite3.Connection) -> None:
        self._book = book
        book.execute("CREATE TABLE consents (id TEXT PRIMARY KEY, user TEXT, state TEXT, at REAL) WITHOUT ROWID")
        book.execute("CREATE INDEX consents_of ON consents (user)")

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Consents as the platform shows them; one that was shown before is replaced."""
        found = [(row["id"], row["attributes"]) for row in rows]
        self._book.execute("BEGIN")
        self._book.executemany(
            "INSERT OR REPLACE INTO consents VALUES (?, ?, ?, ?)",
            [(id_, str(of.get("user-id")), *consent(of)) for id_, of in found if is_sms(of)],
        )
        self._book.execute("COMMIT")

    def of(self, user: str) -> list[Consent]:
        found = self._book.execute("SELECT state, at FROM consents WHERE user = ? ORDER BY id", (user,))
        return [Consent(*row) for row in found]


def is_sms(attributes: Mapping[str, Any]) -> bool:
    return attributes.get("type") == "sms"


def consent(attributes: Mapping[str, Any]) -> Consent:
    """A consent from its attributes. One that tells no state is unclear."""
    state = attributes.get("state")
    at = seconds(attributes.get("last-modified-at"))
    return Consent(state.strip().lower() if isinstance(state, str) else "", at or seconds(attributes.get("created-at")))


def is_american(number: Any) -> bool:
    return isinstance(number, str) and re.fullmatch(r"\+1[0-9]{10}", number) is not None


def record(row: Mapping[str, Any], consents: Iterable[Consent], number: Mapping[str, Any] | None = None) -> Record:
    """A user as a record. It has no version, and no time: `last-sync-time` is when Carium copied it, not an edit.
    `number`: what is known of their number; None says nothing of it."""
    attributes, consents = row["attributes"], list(consents)
    wire = {
        key: attributes[key] for key in TAKEN if key in attributes and attributes.get(ASSUMED.get(key, "")) is not False
    }
    states = ",".join(sorted({each.state or UNCLEAR for each in consents}))
    said, evidence = _together(attributes.get("phone-unsubscribed"), consents)
    wire |= {SMS_CONSENT: said, STATES: states or None}
    wire |= {ours: number.get(theirs) or None for ours, theirs in NUMBER_INFO.items()} if number is not None else {}
    return Record(row["id"], wire, evidence={SMS_CONSENT: evidence} if evidence else {})


def _together(unsubscribed: Any, consents: list[Consent]) -> tuple[str | None, Evidence | None]:
    """What all of it says of texting, and since when. The no wins; a yes has to be the only thing that is said."""
    if unsubscribed not in (None, False):
        return UNSUBSCRIBED, None
    if refused := [each for each in consents if each.state in REFUSED]:
        return UNSUBSCRIBED, _evidence(refused)
    if not consents:
        return None, None
    if all(each.state == ACCEPTED for each in consents):
        return ACCEPTED, _evidence(consents)
    return UNCLEAR, None


def _evidence(consents: list[Consent]) -> Evidence | None:
    dated = [(each.at, each.state) for each in consents if each.at is not None]
    return Evidence(*max(dated)) if dated else None


def seconds(text: Any) -> float | None:
    """`2024-01-31 09:30:00` as seconds since 1970. In UTC unless it says otherwise (Carium API, 'Introduction')."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def in_words(rows: Iterable[Any]) -> str:
    """Which states of consent there are, for `check`: words of the platform, no person's."""
    found = [row["attributes"] for row in rows if isinstance(row, dict) and isinstance(row.get("attributes"), dict)]
    states = {consent(each).state for each in found if is_sms(each)}
    if not states:
        return "none for sms"
    meant = {ACCEPTED: "a yes", **dict.fromkeys(REFUSED, "a no")}
    parts = [f"{state[:40] or 'no state'} ({meant.get(state, 'unclear')})" for state in sorted(states)]
    return f"states for sms: {', '.join(parts)}"
