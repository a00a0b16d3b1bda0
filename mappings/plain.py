"""Plain text: how it is kept, and how it is folded to be compared."""

from __future__ import annotations

import re
import unicodedata

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL refuses NUL, UTF-8 refuses lone surrogates
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ŧ": "t"}
)


def text(raw: str) -> str | None:
    """The canonical spelling: NFC, trimmed, CRLF as LF, without NUL and lone surrogates. Blank is None."""
    if raw.isascii() and "\0" not in raw and "\r" not in raw:
        return raw.strip() or None
    kept = _UNSTORABLE.sub("", raw).replace("\r\n", "\n")
    return unicodedata.normalize("NFC", kept).strip() or None


def fold(s: str) -> str:
    """Only the letters and digits, without case or accents: for comparing, never for storing."""
    plain = unicodedata.normalize("NFKD", s.casefold()).casefold().translate(_LETTERS)
    return "".join(c for c in plain if c.isalnum() and not unicodedata.combining(c))
