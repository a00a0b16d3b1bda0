"""What happens to contacts, and which rules for outreaches it fires.

An event is news: a tag gained, a field set, a consent given, as some side's reading moved the contact. What a first
complete reading brings is history, and so is what shows only because a mapping changed; our own writes coming back
move nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from daemon.sync.heard import Heard
from daemon.sync.merge import Merged, as_list, view_of, without
from daemon.sync.people import People
from daemon.sync.roster import Side
from mappings.contact import CONSENT, SETS, Value, View
from mappings.outreach import OutreachRule
from state.model import Contact, Outreach

YES = "subscribed"


@dataclass(frozen=True, slots=True)
class Happened:
    """What one reading did to one contact. `fields`: (before, after) of each that moved."""

    tags: Collection[str] = ()
    fields: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    consents: Collection[str] = ()


def fired(rules: Iterable[OutreachRule], what: Happened) -> Iterator[tuple[OutreachRule, str]]:
    """The rules that this fires, each with the canonical field it was about. Pure."""
    gained = {tag.casefold() for tag in what.tags}
    for rule in rules:
        name = rule.when.name
        match rule.when.kind:
            case "tag" if name.casefold() in gained:
                yield rule, "tags"
            case "field" if name in what.fields and _set(rule, *what.fields[name]):
                yield rule, name
            case "consent" if name in what.consents:
                yield rule, name


def _set(rule: OutreachRule, before: Value, after: Value) -> bool:
    wanted = rule.when.value
    if not isinstance(after, str) or after == before:
        return False
    return wanted is None or (_same(after, wanted) and not _same(before, wanted))


def _same(value: Value, wanted: str) -> bool:
    return isinstance(value, str) and value.casefold() == wanted.casefold()


# in a page


def yeses(contact: Contact) -> frozenset[str]:
    """The channels, as fields, on which this contact says yes now."""
    return frozenset(name for name in CONSENT if contact.get(name) == YES)


def happened(
    contact: Contact, heard: Heard, result: Merged, *, old: View, known: View, said_yes: frozenset[str]
) -> Happened:
    """What a reading did to a contact. `old`: the moved fields before it; `known`: what the record had said before;
    `said_yes`: as `yeses` before it."""
    tags = without(result.tags.get("tags", ([], []))[0], as_list(known.get("tags")))
    real = result.moved.keys() - result.flipping.keys() - set(SETS)
    fields = {n: (old.get(n), contact.get(n)) for n in real if known.get(n) != contact.get(n)}
    given = yeses(contact) - said_yes
    return Happened(tags, fields, {n for n in given if heard.view.get(n) == YES and known.get(n) != YES})


def owe(people: People, contact: Contact, heard: Heard, what: Happened) -> None:
    """Write down, with the page, every outreach that this brings about at any connection."""
    if not (what.tags or what.fields or what.consents):
        return
    for side in people.roster.sides.values():
        for rule, name in fired(side.outreach, what) if _concerns(people, side, contact) else ():
            since, at = heard.happened(name)
            people.outreaches.append(Outreach(side.name, rule.name, contact.id, at, since, rule.when.words))


def _concerns(people: People, side: Side, contact: Contact) -> bool:
    """Somebody who is not and never will be there has nothing recorded there."""
    if not side.outreach:
        return False
    return bool(people.linked_at(contact.id, side.name)) or side.mapping.in_scope(view_of(contact.fields))
