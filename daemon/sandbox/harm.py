"""Counts what a bad client would have destroyed. What people do by hand never counts.

fields_nulled       columns with a value that a POST /members left out, and thereby blanked (Strive)
rows_mass_patched   rows a PATCH changed beyond the first, or any row of a PATCH without `id=eq.` (Strive)
resubscribed        an opt-out undone: opt_in false -> true, send_blocked true -> false, or a new record
                    made reachable although another record with the same phone says no; at Action Network
                    also a status `subscribed` over any other, or an email that is new there without a status
wrong_person        a record reached by suffix or by name and overwritten, or given a phone that another
                    record of the platform has; two people merged by a write (Action Network)
duplicates          a record created although its phone or email exists at that platform
custom_dropped      keys with a value that a PATCH of `custom` left out, and thereby removed (Strive); a key
                    sent as null is a wish, not a loss
outreaches_doubled  outreaches of the same person, campaign and created_date, beyond the first (Action Network)
people_texted       dialogues about consent that were begun, each of which texts the person (Carium)
data_purged         people whose data was destroyed (Carium)
messages_sent       requests that would have sent messages (Colony)
optouts_overwritten opt-outs lifted by a client (Colony)
records_deleted     contacts or lists a client deleted (Colony)
carium_writes       any other write to Carium, which takes no contact data: edits of users, look-ups at a price
"""

from __future__ import annotations

import re
from typing import Any, Protocol

KINDS = (
    "fields_nulled",
    "rows_mass_patched",
    "resubscribed",
    "wrong_person",
    "duplicates",
    "custom_dropped",
    "outreaches_doubled",
    "people_texted",
    "data_purged",
    "messages_sent",
    "optouts_overwritten",
    "records_deleted",
    "carium_writes",
)

PLACEHOLDER_EMAILS = frozenset({"none@example.org", "noemail@example.com"})
"""Typed by people who had to type something: they say nothing about who somebody is."""

_NOT_DIGITS = re.compile(r"\D+")


class SaysNo(Protocol):
    """Whether somebody with this phone (as `same_phone` spells it) has said no."""

    def says_no(self, number: str | None) -> bool: ...


class Harm:
    """The counters. `blind_writes` is kept apart: a write to a record whose present state the client never
    read, and did not guard by compare-and-swap. Racing a human in a soak test it may happen; in a scripted
    test it may not."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(KINDS, 0)
        self.blind_writes = 0
        self.details: list[tuple[str, str]] = []

    def add(self, kind: str, detail: str, rows: int = 1) -> None:
        self.counts[kind] += rows
        if len(self.details) < 1000:
            self.details.append((kind, detail))

    def blind(self, detail: str) -> None:
        self.blind_writes += 1
        if len(self.details) < 1000:
            self.details.append(("blind_writes", detail))


def digits(phone: str | None) -> str:
    return _NOT_DIGITS.sub("", phone or "")


def same_phone(phone: str | None) -> str | None:
    """A North American number in the one spelling that makes two of them comparable; None if too short."""
    number = digits(phone)
    if len(number) == 10:
        number = "1" + number
    return number if len(number) > 10 else None


def same_email(email: Any) -> str | None:
    """An email in the spelling that makes two of them comparable; None for blanks and placeholders."""
    if not isinstance(email, str):
        return None
    folded = email.strip().casefold()
    return None if not folded or folded in PLACEHOLDER_EMAILS else folded
