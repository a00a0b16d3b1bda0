"""The canonical contact: the fields every platform's words are translated into.

A *view* is what one side says of a person: `{field: value}`. A key that is missing means "this side has no
such field, or said nothing"; `None` means "it has it, and it is blank". Values are strings, except the set
fields, which are sorted lists of distinct strings (an empty list is blank, `None` never occurs for them).

Values in a view are canonical: phones E.164, emails in their stored spelling with an ASCII lower-case domain,
dates ISO, countries and languages as given by the mapping, text in NFC, trimmed, NUL and lone surrogates
removed.
"""

from __future__ import annotations

from collections.abc import Mapping

from mappings.identifiers import email, email_key, is_placeholder, is_role, phone
from mappings.names import full_names_compatible, join_name, name_tokens, names_compatible, split_name
from mappings.plain import fold, text

__all__ = [
    "CONSENT",
    "CONSENT_STATES",
    "FIELDS",
    "SETS",
    "UNASKED",
    "Fields",
    "Value",
    "View",
    "email",
    "email_key",
    "fold",
    "full_names_compatible",
    "is_placeholder",
    "is_role",
    "join_name",
    "name_tokens",
    "names_compatible",
    "phone",
    "split_name",
    "text",
    "worst",
]

Value = str | list[str] | None
View = dict[str, Value]
Fields = Mapping[str, Value]

FIELDS: tuple[str, ...] = (
    "phone",
    "email",
    "given_name",
    "family_name",
    "full_name",
    "street",
    "city",
    "region",
    "postal_code",
    "country",
    "language",
    "birth_date",
    "notes",
)
"""The fixed text fields; besides them `custom.NAME`, `external.NAME` (ids elsewhere), sets and consent."""

SETS: tuple[str, ...] = ("tags", "other_phones", "other_emails")
CONSENT: tuple[str, ...] = ("consent.sms", "consent.email")
CONSENT_STATES: tuple[str, ...] = ("unknown", "subscribed", "undeliverable", "unsubscribed")
"""From the least to the most restrictive."""

UNASKED = "unasked"
"""What a value may mean that a platform gives both to those who said no and to those whom nobody asked: `unknown`,
until the record has once said something else. After that it is a "no". It never leaves the reading of a record."""


def worst(*states: str) -> str:
    """The most restrictive of these states of consent; "unknown" when there is none."""
    return max(states, key=CONSENT_STATES.index, default="unknown")
