"""A mapping tried on one record, without any account: what is understood of it, and what each platform would get.

The words of the sync are used as they are: the record is taken in as somebody met for the first time, and what may be
written is asked of the same `Side` a run works with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.matrix import offline
from daemon.platforms import registry
from daemon.platforms.base import Wire
from daemon.sync import consent, plan
from daemon.sync.consent import CHANNELS
from daemon.sync.merge import Source, as_list, claims, merge, value_of
from daemon.sync.render import subscribed_to
from daemon.sync.roster import Side
from mappings.contact import CONSENT, SETS, Value
from mappings.load import preset
from mappings.mapping import Mapping as FieldMapping
from state.model import Contact, Entry


@dataclass(frozen=True, slots=True)
class Payload:
    """What one call would carry. `subscribed`: channels a new record would be made as subscribed for; for all others
    it is made as unsubscribed, where the platform can say so."""

    wire: Wire
    tags: tuple[str, ...] = ()
    subscribed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What one connection would be told of the person. `kept_back`: what it would not be told, by field, and why.

    `update`: if every field had just moved. `create`: None where nobody is made, and then `no_create` says why.
    `says_no`: channels whose "no" it would be told.
    """

    name: str
    platform: str
    update: Payload
    create: Payload | None
    no_create: str
    says_no: tuple[str, ...]
    kept_back: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tried:
    """One record, understood. `view`: what the record says; `contact`: the person we would make of it."""

    view: Mapping[str, Value]
    contact: Mapping[str, Value]
    in_scope: bool
    problems: Mapping[str, str]
    unread: tuple[str, ...]
    offers: tuple[Offer, ...]


def sides_of_presets(own: FieldMapping, *, region: str) -> list[Side]:
    """Every platform with its preset; the platform of `own` with that mapping instead."""
    sides = []
    for name in registry.PLATFORMS:
        mapping = own if name == own.platform else preset(name, region=region)
        sides.append(offline(name, name, mapping, registry.capabilities(name)))
    return sides


def try_record(mapping: FieldMapping, wire: Wire, sides: Sequence[Side]) -> Tried:
    """Read one record through a mapping, and write the person to every side."""
    reading = mapping.read(wire)
    contact = _contact(mapping, reading.view)
    return Tried(
        view=reading.view,
        contact={name: entry.value for name, entry in contact.fields.items()},
        in_scope=mapping.in_scope(reading.view),
        problems={problem.field: problem.text for problem in reading.problems},
        unread=tuple(_unread(mapping, wire)),
        offers=tuple(_offer(side, contact) for side in sides),
    )


def _contact(mapping: FieldMapping, view: Mapping[str, Value]) -> Contact:
    """Somebody met for the first time, whom nobody else has spoken of."""
    said = claims({}, view, lambda name, first: (0.0, "read"))  # noqa: ARG005 the names are claims' own
    merged = merge({}, said, {}, Source("", 0, mapping.policy), {})
    states = {name: Entry(value, 0.0, "", "read") for name, value in view.items() if name in CONSENT}
    return Contact(1, merged.moved | states, 0.0)


def _unread(mapping: FieldMapping, wire: Wire) -> Iterator[str]:
    """What nothing in the mapping reads, one level into objects that only parts are read of."""
    paths = [rule.keys for rule in mapping.spec.rules if rule.reads and rule.keys]
    paths += [each.keys for each in mapping.spec.consent]
    inside = {path[:2] for path in paths if len(path) > 1}
    opened = {path[0] for path in inside} - {path[0] for path in paths if len(path) == 1}
    for key, value in wire.items():
        if not mapping.canonical(key):
            yield key
        elif key in opened and isinstance(value, dict):
            yield from (f"{key}.{part}" for part in value if (key, part) not in inside)


# what a connection would get


def _offer(side: Side, contact: Contact) -> Offer:
    update, refused = _payload(side, contact, side.updatable if side.writes else frozenset())
    no_create = plan.barred(contact.fields, side)
    create = None
    if not no_create:
        create, unsayable = _payload(side, contact, side.creatable - set(SETS), blanks=False)
        create = Payload(create.wire, create.tags, tuple(sorted(subscribed_to(contact) & _asked(side))))
        if unsayable:
            create, no_create = None, "; ".join(f"{name}: {why}" for name, why in unsayable.items())
    kept = {name: why for name in _known(contact) if (why := refused.get(name) or _why_not(side, name, contact))}
    return Offer(side.name, side.platform, update, create, no_create, _says_no(side, contact), kept)


def _asked(side: Side) -> frozenset[str]:
    return frozenset(side.capabilities.consent_read | side.capabilities.consent_write)


def _payload(
    side: Side, contact: Contact, names: frozenset[str], *, blanks: bool = True
) -> tuple[Payload, dict[str, str]]:
    """What can be said of these fields, and why the rest cannot."""
    told = {name: value_of(contact.fields, name) for name in sorted(names) if name in _known(contact)}
    writing = side.mapping.write({name: value for name, value in told.items() if blanks or value is not None})
    tags = plan.takes(side, as_list(contact.get("tags")), [])[0] if side.writes else []
    named = tuple(side.mapping.tag_out(tag) for tag in tags)
    return Payload(writing.wire, named), {problem.field: problem.text for problem in writing.problems}


def _known(contact: Contact) -> list[str]:
    """What the person has: fields in order, the derived whole name among them; consent is told otherwise."""
    names = [name for name in contact.fields if name not in CONSENT]
    return [*names, *(["full_name"] if {"given_name", "family_name"} & set(names) else [])]


def _says_no(side: Side, contact: Contact) -> tuple[str, ...]:
    return tuple(c for c in CHANNELS if contact.get(consent.field(c)) == consent.NO and side.takes_no(c))


def _why_not(side: Side, name: str, contact: Contact) -> str:
    """Why a field is in no update; blank if it is."""
    if not side.writes:
        return "this connection is only read"
    if name == "tags":
        return _why_no_tags(side, contact)
    if name in side.updatable:
        return ""
    if name in side.creatable:
        return f"{side.platform} takes it with a new record only"
    if name in side.mapping.writable:
        return f"{side.platform} does not let us write it"
    if name in side.mapping.readable:
        return "its mapping only reads it there"
    return _elsewhere(side, name) or "its mapping does not name it"


def _elsewhere(side: Side, name: str) -> str:
    """A name goes as a whole, or in two parts; the other form is not missed."""
    parts = {"given_name", "family_name"}
    if name in parts and "full_name" in side.updatable:
        return "goes with full_name"
    if name == "full_name" and parts & side.updatable:
        return "goes as given_name and family_name"
    return ""


def _why_no_tags(side: Side, contact: Contact) -> str:
    tags = as_list(contact.get("tags"))
    if not tags or plan.takes(side, tags, [])[0] == tags:
        return ""
    if "tags" not in side.mapping.writable:
        return "its mapping does not write tags"
    if not side.capabilities.add_tags:
        return f"{side.platform} does not let us add tags"
    left = [tag for tag in tags if not side.mapping.tag_owned(tag)]
    return f"not this connection's business: {', '.join(left)}"
