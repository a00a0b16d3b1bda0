"""What a value is on the wire, and what it is here: always text, or None for blank.

`read` raises `Untranslatable` for what it cannot understand and `write` for what cannot be said; the message
never repeats the value, for it may be somebody's phone number.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mappings import contact
from mappings.shapes import kind_of

Read = Callable[[Any], str | None]
Write = Callable[[str], Any]


class Untranslatable(ValueError):
    """This one value cannot be translated."""


@dataclass(frozen=True, slots=True)
class Kind:
    read: Read
    write: Write
    wire: type[Any] = str


_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,2})?")
_ISO_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?", re.DOTALL)
_TRUTH = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}
_MOST_BITS = 128
_MOST_BITS_IN_JSON = 63


def read_text(raw: Any) -> str | None:
    """Text; numbers and truth values as text."""
    if type(raw) is str:
        return contact.text(raw)
    if raw is None:
        return None
    if raw is True or raw is False:
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        return _read_number(raw)
    raise Untranslatable(f"{kind_of(raw)} where text is expected")


def kind(name: str, *, region: str, style: str | None = None) -> Kind:
    """The kind of that name. `region` is for phones, `style` for dates and phones."""
    if name == "phone":
        return _phone(region, digits=style == "digits")
    if name == "date":
        return _date(style)
    return _KINDS[name]


def number_text(number: Decimal) -> str:
    """A number as plain decimal text: no exponent, no zeros that say nothing."""
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


def _read_number(raw: Any) -> str | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise Untranslatable(f"{kind_of(raw)} where a number is expected")
    if isinstance(raw, int) and raw.bit_length() > _MOST_BITS:
        raise Untranslatable("a number that is too large")
    words = contact.text(raw) if isinstance(raw, str) else repr(raw)
    if words is None:
        return None
    if not _NUMBER.fullmatch(words):
        raise Untranslatable("not a number")
    return number_text(Decimal(words))


def _read_integer(raw: Any) -> str | None:
    words = _read_number(raw)
    if words is not None and "." in words:
        raise Untranslatable("not a whole number")
    return words


def _write_number(value: str) -> int | float:
    words = _read_number(value)
    if words is None:
        raise Untranslatable("not a number")
    if "." in words:
        return float(words)
    whole = int(words)
    if whole.bit_length() > _MOST_BITS_IN_JSON:
        raise Untranslatable("a number that is too large")
    return whole


def _write_integer(value: str) -> int:
    number = _write_number(value)
    if isinstance(number, float):
        raise Untranslatable("not a whole number")
    return number


def _read_boolean(raw: Any) -> str | None:
    words = read_text(raw)
    if words is None:
        return None
    if words.casefold() not in _TRUTH:
        raise Untranslatable("neither true nor false")
    return _TRUTH[words.casefold()]


def _write_boolean(value: str) -> bool:
    if value not in ("true", "false"):
        raise Untranslatable("neither true nor false")
    return value == "true"


def _read_email(raw: Any) -> str | None:
    words = read_text(raw)
    if words is None:
        return None
    found = contact.email(words)
    if found is None:
        raise Untranslatable("not an email address")
    return found


def _phone(region: str, *, digits: bool) -> Kind:
    def read(raw: Any) -> str | None:
        words = read_text(raw)
        if words is None:
            return None
        if digits and words.isdecimal():
            words = "+" + words
        found = contact.phone(words, region)
        if found is None:
            raise Untranslatable(f"not a phone number one could call (region {region})")
        return found

    return Kind(read, (lambda value: value.lstrip("+")) if digits else str)


def _date(style: str | None) -> Kind:
    def read(raw: Any) -> str | None:
        words = read_text(raw)
        if words is None:
            return None
        return _parse_date(words, style).isoformat()

    def write(value: str) -> str:
        day = _parse_date(value, None)
        return day.strftime(style) if style else day.isoformat()

    return Kind(read, write)


def _parse_date(words: str, style: str | None) -> dt.date:
    try:
        if style:
            day = dt.datetime.strptime(words, style).replace(tzinfo=dt.UTC).date()
        else:
            found = _ISO_DATE.fullmatch(words)
            day = dt.date.fromisoformat(found[1] if found else words)
    except ValueError:
        raise Untranslatable(f"not a date written as {style or 'YYYY-MM-DD'}") from None
    if day.year < 1000:  # strftime would write fewer than four digits, and nobody is that old
        raise Untranslatable("a year before 1000")
    return day


_KINDS = {
    "text": Kind(read_text, str),
    "number": Kind(_read_number, _write_number, float),
    "integer": Kind(_read_integer, _write_integer, int),
    "boolean": Kind(_read_boolean, _write_boolean, bool),
    "email": Kind(_read_email, str),
}
