"""Named changes to the text of one field: small, pure, and declared to come back as they went or not.

When reading, they are applied to the wire's text in the order given, before `map` and `as`; when writing,
those that invert are undone in the opposite order after them. One that does not invert leaves the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mappings.places import STATES


@dataclass(frozen=True, slots=True)
class Transform:
    """`read` takes the wire's text to ours; `write` takes it back, None where what was lost stays lost."""

    read: Callable[[str], str]
    write: Callable[[str], str] | None
    means: str

    @property
    def inverts(self) -> bool:
        return self.write is not None


_CODES = {name.casefold(): code for code, name in STATES.items()}


def _state_code(name: str) -> str:
    return _CODES.get(" ".join(name.split()).casefold(), name)


def _state_name(code: str) -> str:
    return STATES.get(code.upper(), code)


def _digits(s: str) -> str:
    return "".join(c for c in s if "0" <= c <= "9")


def _first_line(s: str) -> str:
    return next(iter(s.strip().splitlines()), "")


def _zip5(s: str) -> str:
    head = s.strip()[:5]
    return head if len(head) == 5 and head == _digits(head) else s


def _language(s: str) -> str:
    head = re.split("[-_]", s.strip(), maxsplit=1)[0].lower()
    return head if re.fullmatch("[a-z]{2,3}", head) else s


TRANSFORMS: dict[str, Transform] = {
    "trim": Transform(str.strip, str, "without white space around it (all text is read so anyway)"),
    "squeeze": Transform(lambda s: " ".join(s.split()), None, "one space where there was any white space"),
    "lower": Transform(str.lower, None, "in lower case"),
    "upper": Transform(str.upper, None, "in upper case"),
    "title": Transform(str.title, None, "each word with a capital"),
    "digits": Transform(_digits, None, "only the digits 0 to 9"),
    "first_line": Transform(_first_line, None, "only the first line"),
    "zip5": Transform(_zip5, None, "a US ZIP code without its +4"),
    "language": Transform(_language, None, "the language of a locale: en of en_US"),
    "us_state": Transform(_state_code, _state_name, 'the name of a US state on the wire, "GA" here'),
}
