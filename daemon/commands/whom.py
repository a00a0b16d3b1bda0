"""What the configuration would change, for people and for programs: the words around `daemon/difference.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from daemon import logs
from daemon.difference import Difference, Effect, Look, What
from daemon.output import clean, plural, say
from daemon.sync.merge import value_of
from state.model import Contact
from state.store import Tx

TITLE = "What this configuration would change"
EVERY = 5.0
"""Seconds between two lines about how far it is."""

Line = tuple[str, str, str]
"""(level as of a finding, what happens, hint)"""

ABOUT = {"exact": "", "at_most": "up to ", "about": "about "}
PEOPLE: dict[What, tuple[str, str]] = {
    "made": ("would be made there", "would be made there"),
    "not_made": (
        "is owed there as new and would no longer be made",
        "are owed there as new and would no longer be made",
    ),
    "outside": (
        "has a record there and is outside `where:`; it stays linked and in step, nobody is deleted",
        "have a record there and are outside `where:`; they stay linked and in step, nobody is deleted",
    ),
    "told_no": ('would be told there as a "no"', 'would be told there as a "no"'),
}
"""What becomes of one person, of several."""


def told(one: Difference) -> Iterator[Line]:
    """Line by line: what changed, then what that does."""
    yield from _head(one)
    for (what, name), effect in sorted(one.effects.items(), key=lambda each: (each[0][1], each[0][0])):
        if effect.count and not (what == "written" and not name):
            yield "note", _in_words(one, effect), ""
    for kind, count in one.fuse.items():
        effect = one.effects["made" if kind == "create" else "written", ""]
        hint = "they wait for a person: rosterd holds list; if it is meant, rosterd holds decide NUMBER approve"
        yield "warn", f"the fuse would hold this: {ABOUT[effect.certain]}{plural(count, kind)} at once", hint
    if not one.effects and one.why in ("changed", "unplanned"):
        yield "note", "nobody would be touched, as far as the last reading tells", ""


def _head(one: Difference) -> Iterator[Line]:
    match one.why:
        case "moved":
            yield "fail", one.text, one.hint
        case "gone":
            yield "warn", "is switched off, or not in this configuration: it is neither read nor written", ""
            if one.text:
                yield "warn", one.text, one.hint
        case "new":
            yield "note", "is new: all of it is read before anything is written", ""
        case "unplanned":
            yield "note", "everybody is looked at again: it was off, or the last run did not come to it", ""
        case "changed":
            yield "note", f"changed since the last run: {', '.join(_changes(one))}; all of it is read again", ""


def _changes(one: Difference) -> Iterator[str]:
    for name, (before, after) in one.changed.items():
        if name == "direction":
            yield f"direction ({before} -> {after})"
        else:
            yield f"{name} (new)" if before is None else f"{name} (gone)" if after is None else name


def _in_words(one: Difference, effect: Effect) -> str:
    count = f"{ABOUT[effect.certain]}{effect.count:,}"
    few = effect.count == 1
    person, record = ("person", "record") if few else ("people", "records")
    match effect.what:
        case "taken_in":
            return f"{count} {record} that {'was' if few else 'were'} out of scope would be taken in"
        case "read":
            again = "read again by the new rule, which may change those people everywhere"
            return f"{effect.field}: {count} {record} there say{'s' if few else ''} something for it: {again}"
        case "written":
            return f"{effect.field}: {count} {record} would be written, where reading shows that they lack it"
        case "kept" if one.why == "gone":
            return f"{count} {record} there stay{'s' if few else ''} linked, as last read; nobody is deleted"
        case "kept":
            keep = "keeps the value" if few else "keep the value"
            return f"{effect.field}: no longer read nor written there; {count} {person} {keep} that came from there"
        case "waits":
            return f"{count} {'push' if few else 'pushes'} owed to it wait{'s' if few else ''} until it is back"
        case "no_waits":
            return f'{count} "no" owed to it wait{"s" if few else ""} until it is back: people are written to there'
    return f"{count} {person} {PEOPLE[effect.what][0 if few else 1]}"


# whom


def examples(tx: Tx, found: list[Difference]) -> dict[int, str]:
    """The people who stand as examples, masked: enough to recognise somebody by, who is known by number anyway."""
    wanted = {number for one in found for effect in one.effects.values() for number in effect.examples}
    return {number: masked(contact) for number, contact in tx.contacts.get(wanted).items()}


def masked(contact: Contact) -> str:
    name, phone, email = (value_of(contact.fields, key) for key in ("full_name", "phone", "email"))
    parts = [logs.mask_name(name)] if isinstance(name, str) else []
    if isinstance(phone, str):
        parts.append(logs.mask_phone(phone))
    elif isinstance(email, str):
        parts.append(logs.mask_email(email))
    return clean(" ".join(parts))


def who(one: Difference, people: dict[int, str]) -> Iterator[str]:
    """The examples of every effect on people, a line each."""
    for (what, _), effect in sorted(one.effects.items(), key=lambda each: each[0]):
        shown = [f"c{number} {people.get(number, '')}".rstrip() for number in effect.examples]
        if shown and what in PEOPLE:
            yield f"{PEOPLE[what][1].partition(',')[0].partition(';')[0]}: {', '.join(shown)}"


# showing


def show(found: list[Difference], look: Look, people: dict[int, str]) -> None:
    say(TITLE, bold=True)
    for one in found:
        for level, text, hint in told(one):
            say(f"{level:<4}  {one.connection}: {clean(text)}")
            if hint:
                say(f"      {clean(hint)}", dim=True)
        for line in who(one, people):
            say(f"      such as those who {line}", dim=True)
    if look.people < look.of and look.people:
        say(f"      reckoned from {look.people:,} of {plural(look.of, 'contact')}; --sample 0 looks at all", dim=True)


def as_dict(one: Difference, look: Look, people: dict[int, str]) -> dict[str, Any]:
    return {
        "connection": one.connection,
        "why": one.why,
        "changed": sorted(one.changed),
        "effects": [_effect(effect, people) for effect in one.effects.values()],
        "fuse": one.fuse,
        "looked_at": look.people,
        "people": look.of,
        "told": [text for _, text, _ in told(one)],
    }


def _effect(effect: Effect, people: dict[int, str]) -> dict[str, Any]:
    shown = [{"contact": number, "masked": people.get(number)} for number in effect.examples]
    return {
        "what": effect.what,
        "field": effect.field or None,
        "count": effect.count,
        "certain": effect.certain,
        "examples": shown,
    }


def progress() -> Callable[[Look], None]:
    """Says on standard error how far it is, now and then."""
    said = time.monotonic()

    def tell(look: Look) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            say(f"looked at {look.people:,} of {plural(look.of, 'contact')}", err=True)

    return tell
