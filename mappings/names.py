"""Names of people: whether two can be the same person's, and how one name field becomes two and back."""

from __future__ import annotations

import re

from mappings.plain import fold

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev", "hon"})
_GENERATIONS = frozenset({"jr", "sr", "ii", "iii", "iv"})
_DEGREES = frozenset({"md", "phd", "esq", "dds", "rn", "jd", "cpa"})
_PARTICLE = re.compile(
    "af|al|av|bin|bint|binti|ben|da|das|de|degli|dei|del|della|den|der|di|do|dos|du|e|el|ibn|la|las|le|los"
    "|san|santa|ter|van|vande|vander|von|zu|zum|zur"
)
_BETWEEN = re.compile(r"[\s,./()\-‐‑–—]+")


def name_tokens(s: str) -> list[str]:
    """The words of a name, folded, without courtesy titles: "Dr. José O'Brien-Cruz" → jose, obrien, cruz."""
    words = [word for part in _BETWEEN.split(s) if (word := fold(part))]
    return [word for word in words if word not in _TITLES] or words


def full_names_compatible(a: str | None, b: str | None) -> bool:
    """Whether nothing in the two names speaks against one person. A blank name is compatible with all."""
    left, right = name_tokens(a or ""), name_tokens(b or "")
    if not left or not right or "".join(left) == "".join(right):
        return True
    if len(left) > len(right):
        left, right = right, left
    return _within(left, right)


def names_compatible(a_given: str | None, a_family: str | None, b_given: str | None, b_family: str | None) -> bool:
    """The same for names in two parts; parts that were typed into the wrong box are forgiven."""
    part_by_part = full_names_compatible(a_given, b_given) and full_names_compatible(a_family, b_family)
    return part_by_part or full_names_compatible(join_name(a_given, a_family), join_name(b_given, b_family))


def join_name(given: str | None, family: str | None) -> str | None:
    """One name out of two; None when both are blank."""
    return " ".join(part for part in (given, family) if part) or None


def split_name(full: str | None, given: str | None = None, family: str | None = None) -> tuple[str | None, str | None]:
    """Two names out of one: (given, family), each None if blank.

    The names known so far guide the cut: what already was the given or the family name stays so. Joining
    gives back `full` (with single spaces), except that "Smith, Jane" becomes Jane Smith.
    """
    words = _in_speaking_order(full or "")
    if not words:
        return None, None
    cut = _known_cut(words, given, family)
    if cut is None:
        cut = _likely_cut(words)
    return " ".join(words[:cut]) or None, " ".join(words[cut:]) or None


def _within(few: list[str], many: list[str]) -> bool:
    """Whether each of `few` has a partner of its own in `many`: the same word, or the initial of it."""
    rest = list(many)
    unmatched = []
    for word in few:
        if word in rest:
            rest.remove(word)
        else:
            unmatched.append(word)
    for word in unmatched:
        partner = next((other for other in rest if _initial(word, other)), None)
        if partner is None:
            return False
        rest.remove(partner)
    return True


def _initial(a: str, b: str) -> bool:
    return (len(a) == 1 or len(b) == 1) and a[0] == b[0]


def _in_speaking_order(full: str) -> list[str]:
    before, comma, after = full.partition(",")
    first, last = after.split(), before.split()
    suffixes = _GENERATIONS | _DEGREES
    if not comma or "," in after or not first or not last or all(fold(w) in suffixes for w in first):
        return full.split()
    return first + last


def _known_cut(words: list[str], given: str | None, family: str | None) -> int | None:
    """Where the known names say the cut is. With both in place, a new middle name goes to the given name."""
    folded = [fold(word) for word in words]
    last, first = _folded(family), _folded(given)
    if last and len(last) < len(words) and folded[-len(last) :] == last:
        return len(words) - len(last)
    if first and folded[: len(first)] == first:
        return len(first)
    return None


def _folded(name: str | None) -> list[str]:
    return [fold(word) for word in (name or "").split()]


def _likely_cut(words: list[str]) -> int:
    """The last word is the family name, with the particles before it and the generation after it."""
    cut = len(words) - 1
    if cut > 1 and fold(words[cut]) in _GENERATIONS:
        cut -= 1
    while cut > 1 and _PARTICLE.fullmatch(words[cut - 1].casefold()):
        cut -= 1
    return max(cut, 1)
