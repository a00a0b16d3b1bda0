"""Field by field, whose word counts. Pure: no clock, no network, no database.

Only what a side *changed* counts: its view now is compared with `seen`, what it last said, never with the contact.

    in `seen`?  moved?  the contact    ->  what happens
    yes         no      any                nothing: old news
    any         any     says the same      agreement: nothing moves
    no          -       is blank           taken: first contact fills blanks
    no          blank   has a value        lost: first contact never blanks out; the side is owed the value
    no          value   differs            the policy decides
    yes         yes     differs            the policy decides; a blank is a value like another here

The policy: `latest` (default; a side's later word replaces its own earlier one), `priority` (among equals as in
`latest`), `fill`, `never`. A side that moved and lost is owed the winning value, if anybody ever gave one.
Sets (tags) are merged three-way, never replaced.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mappings.contact import CONSENT, CONSENT_STATES, SETS, Fields, Value, fold, join_name, split_name
from state.model import Entry

FLIPS = 3
"""How often a value may come back from the other side before the field is held."""

_NAMES = ("given_name", "family_name")


class Claim(NamedTuple):
    """One side says this field has this value. `first`: it never spoke of the field before."""

    field: str
    value: Value
    at: float
    how: str
    first: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Who claims: the connection, its priority (higher wins ties), and its policy per field."""

    name: str
    priority: int
    policy: Callable[[str], str]


@dataclass(slots=True)
class Merged:
    """What became of one side's claims."""

    moved: dict[str, Entry] = field(default_factory=dict)  # the contact's new entries
    lost: dict[str, Value] = field(default_factory=dict)  # field: what that side said in vain
    tags: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)  # set field: (added, removed)
    flipping: dict[str, Claim] = field(default_factory=dict)  # to be held


def claims(seen: Fields, now: Fields, when: Callable[[str, bool], tuple[float, str]]) -> Iterator[Claim]:
    """What this side says that it did not say before. `when(field, first)` gives time and evidence."""
    for name, value in now.items():
        if name.startswith("consent."):
            continue  # consent is not merged but only ever lowered: see consent.py
        first = name not in seen
        if first or seen[name] != value:
            at, how = when(name, first)
            yield Claim(name, value, at, how, first)


def merge(
    contact: Mapping[str, Entry],
    said: Iterator[Claim],
    seen: Fields,
    source: Source,
    priorities: Mapping[str, int],
) -> Merged:
    """Settle the claims of one side against the contact."""
    result = Merged()
    for claim in said:
        if claim.field in SETS:
            _merge_set(contact, claim, seen, source, result)
        elif claim.field == "full_name":
            _merge_full_name(contact, claim, source, priorities, result)
        else:
            _settle(contact, claim, source, priorities, result)
    return result


def _settle(
    contact: Mapping[str, Entry],
    claim: Claim,
    source: Source,
    priorities: Mapping[str, int],
    result: Merged,
) -> None:
    entry = contact.get(claim.field)
    if entry is None:  # most of a first reading: nobody ever spoke of it
        if claim.value is not None and source.policy(claim.field) != "never":
            result.moved[claim.field] = Entry(claim.value, claim.at, source.name, claim.how)
        return
    if entry.value == claim.value:
        return
    if entry.flips >= FLIPS:
        return  # held: nobody's word counts until a person decides
    if not _wins(entry, claim, source, priorities):
        if not (claim.first and entry.value is None):
            result.lost[claim.field] = claim.value  # else the side would be owed a blank that nobody said
        return
    flips = _flips(entry, claim, source)
    if flips >= FLIPS:
        result.flipping[claim.field] = claim
        result.moved[claim.field] = entry._replace(flips=flips)
        return
    result.moved[claim.field] = Entry(claim.value, claim.at, source.name, claim.how, entry.value, flips)


def _wins(entry: Entry, claim: Claim, source: Source, priorities: Mapping[str, int]) -> bool:
    policy = source.policy(claim.field)
    if policy == "never":
        return False
    if entry.value is None and (claim.first or policy == "fill"):
        return True  # first contact fills blanks ...
    if policy == "fill" or (claim.first and claim.value is None):
        return False  # ... and never blanks out
    theirs = priorities.get(entry.by, 0)
    if policy == "priority" and source.priority != theirs:
        return source.priority > theirs
    if entry.by == source.name and not claim.first:
        return True
    return (claim.at, source.priority, source.name) >= (entry.at, theirs, entry.by)


def _flips(entry: Entry, claim: Claim, source: Source) -> int:
    """How often in a row this field went back to what it was, by the other side's hand."""
    if entry.by == source.name or claim.first:
        return 0 if claim.first else entry.flips
    return entry.flips + 1 if claim.value == entry.was else 0


def _merge_set(contact: Mapping[str, Entry], claim: Claim, seen: Fields, source: Source, result: Merged) -> None:
    if source.policy(claim.field) == "never":
        return
    entry = contact.get(claim.field)
    current = as_list(entry.value if entry else None)
    before, now = as_list(seen.get(claim.field)), as_list(claim.value)
    added = without(without(now, before), current)
    removed = within(current, without(before, now))
    if not added and not removed:
        return
    value: Value = sorted([*without(current, removed), *added])
    result.moved[claim.field] = Entry(value, claim.at, source.name, claim.how)
    result.tags[claim.field] = (added, removed)


def _merge_full_name(
    contact: Mapping[str, Entry],
    claim: Claim,
    source: Source,
    priorities: Mapping[str, int],
    result: Merged,
) -> None:
    """A side with one name field: its word is split only when the joined name really moved."""
    given, family = _text(contact, "given_name"), _text(contact, "family_name")
    said = claim.value if isinstance(claim.value, str) else None
    if said == join_name(given, family) or (said is None and claim.first):
        if said is None and join_name(given, family):
            result.lost["full_name"] = None
        return
    whole = Source(source.name, source.priority, lambda _: source.policy("full_name"))
    parts = split_name(said, given, family) if said else (None, None)
    if said and family and fold(said) == fold(family):
        parts = (None, said)  # "Smith" alone does not make Ann Smith a Smith Smith
    for name, value in zip(_NAMES, parts, strict=True):
        if value is None and claim.first:
            continue  # "Ann" does not say that Ann has no family name
        _settle(contact, Claim(name, value, claim.at, claim.how, claim.first), whole, priorities, result)
    _full_name_lost(contact, claim, said, result)


def _full_name_lost(contact: Mapping[str, Entry], claim: Claim, said: str | None, result: Merged) -> None:
    for name in _NAMES:
        result.lost.pop(name, None)  # that side knows of no such field
    entries = [contact[name] for name in _NAMES if name in contact]
    if any(entry.flips >= FLIPS for entry in entries):
        return  # held, as in `_settle`
    after = value_of({**contact, **result.moved}, "full_name")
    nothing_won = after is None and (claim.first or not entries)
    if after != said and not nothing_won:
        result.lost["full_name"] = said


def _text(contact: Mapping[str, Entry], name: str) -> str | None:
    entry = contact.get(name)
    return entry.value if entry is not None and isinstance(entry.value, str) else None


def as_list(value: Value) -> list[str]:
    return value if isinstance(value, list) else []


def without(some: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those of `some` that are not among `others`. "Volunteer" and "volunteer" are one tag, in two hands."""
    gone = {each.casefold() for each in others}
    kept = {each.casefold(): each for each in sorted(some, reverse=True)}
    return sorted(each for key, each in kept.items() if key not in gone)


def within(some: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those of `some`, as they are spelled there, that are among `others` too."""
    wanted = {each.casefold() for each in others}
    return sorted(each for each in some if each.casefold() in wanted)


def value_of(contact: Mapping[str, Entry], name: str) -> Value:
    """The contact's value of a field, `full_name` included, which is derived."""
    if name == "full_name":
        return join_name(_text(contact, "given_name"), _text(contact, "family_name"))
    entry = contact.get(name)
    return None if entry is None else entry.value


def view_of(contact: Mapping[str, Entry]) -> dict[str, Value]:
    """The contact as a view, `full_name` included."""
    view = {name: entry.value for name, entry in contact.items()}
    view["full_name"] = value_of(contact, "full_name")
    return view


def tidied(sent: Value, got: Value) -> bool:
    """Whether `got` may be what a platform made of `sent`: other case, spacing, accents, or cut short.

    Punctuation is more than tidiness: 1.5 is not 15, a.b@example.org not ab@example.org.
    """
    if sent == got:
        return True
    if isinstance(sent, list) and isinstance(got, list):
        return {_loose(tag) for tag in sent} == {_loose(tag) for tag in got}
    if not isinstance(sent, str) or not isinstance(got, str):
        return False
    short, long = _loose(got), _loose(sent)
    return short == long or (len(short) >= 8 and long.startswith(short) and _prose(long))


def _loose(value: str) -> str:
    kept = (c for c in unicodedata.normalize("NFKD", value) if c.isprintable() and c != " ")
    return "".join(fold(c) or c for c in kept if not unicodedata.combining(c))


def _prose(value: str) -> bool:
    """Whether a part of it is still the same thing: not so with an address, a phone, a number or a date."""
    return "@" not in value and any(c.isalpha() for c in value)


def combine(ours: Mapping[str, Entry], theirs: Mapping[str, Entry]) -> dict[str, Entry]:
    """The fields of two contacts that turned out to be one person: the later word, blanks filled, sets joined,
    and of consent the more restrictive word, whenever it was said."""
    fields = dict(ours)
    for name, entry in theirs.items():
        mine = fields.get(name)
        if mine is None or (mine.value is None and entry.value is not None):
            fields[name] = entry
        elif name in SETS:
            ours_first = as_list(mine.value)
            fields[name] = mine._replace(value=sorted([*ours_first, *without(as_list(entry.value), ours_first)]))
        elif name in CONSENT:
            fields[name] = max(mine, entry, key=lambda e: CONSENT_STATES.index(str(e.value or "unknown")))
        elif entry.value is not None and entry.at > mine.at:
            fields[name] = entry
    return fields
