"""What is wrong with a mapping, said so that the person who wrote it can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class MappingError(Exception):
    """A mapping cannot be used. `problems` are whole lines, `file:line:column: what is wrong. hint`."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint that names the nearest known word, or else `otherwise`."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else otherwise


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """The words as a list for people: "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last
