"""From what is owed to what is sent: rendered at the last moment from the contact as it is, so never stale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.platforms.base import Create, OptOut, Push, Update
from daemon.sync import consent, plan, shared, tries
from daemon.sync.consent import CHANNELS
from daemon.sync.merge import as_list, value_of, without
from daemon.sync.people import People
from daemon.sync.roster import Side
from mappings.contact import SETS, Value
from state.model import CONSENT_LANE, CREATE_LANE, Contact, Hold, Link, Owed


@dataclass(slots=True)
class Letter:
    """One push on its way: what it answers (`owed`), what it says (`push`), in canonical words (`sent`)."""

    owed: Owed
    push: Push
    sent: dict[str, Value] = field(default_factory=dict)
    channel: consent.Channel | None = None


Passes = Callable[[People, Letter], bool]
"""Whether a letter may be sent now. One that may not leaves no trace: its row stays owed as it is."""


def render(people: People, side: Side, rows: Iterable[Owed], passes: Passes) -> list[Letter]:
    """Letters for these rows of the outbox, `ref` being their place in the list. Rows that owe nothing any more are
    forgotten; what cannot be written is set aside with the reason. What is about to be sent is noted on the link."""
    letters: list[Letter] = []
    for row in rows:
        if row.lane == CONSENT_LANE:
            letters += _opt_outs(people, side, row, len(letters), passes)
        elif row.lane == CREATE_LANE:
            letters += _create(people, side, row, len(letters), passes)
        else:
            letters += _update(people, side, row, len(letters), passes)
    return letters


def _link(people: People, row: Owed) -> Link | None:
    assert row.external_id is not None
    link = people.records.get((row.connection, row.external_id))
    return None if link is None or link.state == "vanished" else link


def _opt_outs(people: People, side: Side, row: Owed, ref: int, passes: Passes) -> list[Letter]:
    link = _link(people, row)
    wanted = [c for c in CHANNELS if c in row.owed and side.takes_no(c)] if link is not None else []
    channels = [c for c in wanted if link and (row.owed[c] == plan.STANDS or not consent.says_no(link, c))]
    if link is None or not channels:
        people.forget(row.key)
        return []
    letters: list[Letter] = []
    for channel in channels:
        letter = Letter(row, OptOut(ref + len(letters), link.external_id, channel), channel=channel)
        letters += [letter] if passes(people, letter) else []
    return letters


def _update(people: People, side: Side, row: Owed, ref: int, passes: Passes) -> list[Letter]:
    link = _link(people, row)
    if link is None or link.contact_id is None or link.state != "linked":
        people.forget(row.key)
        return []
    contact = people.contacts[link.contact_id]
    plan.settle(people, contact, link)
    if people.push(row.key) is None:
        return []
    wire, sent = _written(people, side, contact, link, row)
    tags = dict(row.owed.get("tags") or {"add": [], "remove": []})
    tags["add"], tags["remove"] = plan.takes(side, tags["add"], tags["remove"])
    if tags["add"] or tags["remove"]:
        sent["tags"] = _tags_after(link, tags)
    if not sent:
        people.forget(row.key)  # the mapping does not write these fields any more
        return []
    out = side.mapping.tag_out
    add, remove = (tuple(out(tag) for tag in tags[key]) for key in ("add", "remove"))
    letter = Letter(row, Update(ref, link.external_id, link.version, wire, add, remove), sent)
    if not passes(people, letter):
        return []
    link.sent = {**(link.sent or {}), **sent}
    link.told = sorted({*link.told, *_starts_no(side, link, sent)})
    people.save(link)
    return [letter]


def _starts_no(side: Side, link: Link, sent: Mapping[str, Value]) -> Iterator[consent.Channel]:
    """Channels on which the record will say "no" only because of what we are about to give it: its first address."""
    for channel in side.capabilities.starts_no:
        kind = consent.KIND[channel]
        if sent.get(kind) and not link.seen.get(kind) and not consent.says_no(link, channel):
            yield channel


def _tags_after(link: Link, tags: dict[str, list[str]]) -> list[str]:
    said = (link.sent or {}).get("tags", link.seen.get("tags"))
    return sorted([*without(without(as_list(said), tags["remove"]), tags["add"]), *tags["add"]])


def _written(
    people: People, side: Side, contact: Contact, link: Link, row: Owed
) -> tuple[dict[str, Any], dict[str, Value]]:
    """The fields of an update that can be written; those that cannot are held, visibly, and no longer owed."""
    names = [name for name in row.owed if name != "tags" and name in side.updatable]
    fields = {name: value_of(contact.fields, name) for name in names}
    for name in sorted(plan.KEYS.intersection(fields)):
        if other := shared.holder_of(people, side, link, name, fields[name]):
            shared.hold_field(people, link, name, [other.contact_id])
            del fields[name]
    writing = side.mapping.write(fields)
    bad = {problem.field: problem.text for problem in writing.problems}
    if bad:
        _cannot_write(people, link, contact, bad)
        fields = {name: value for name, value in fields.items() if name not in bad}
        row.owed = {name: what for name, what in row.owed.items() if name not in bad}
        people.owe(row) if row.owed else people.forget(row.key)
        writing = side.mapping.write(fields)
    return writing.wire, fields


def _cannot_write(people: People, link: Link, contact: Contact, bad: dict[str, str]) -> None:
    for name, why in bad.items():
        key = f"unwritable:{link.connection}:{link.external_id}:{name}"
        detail = {"field": name, "why": why}
        people.hold(Hold(key, "unwritable", detail, link.connection, link.external_id, contact.id))
        people.note("unwritable", detail, contact=contact.id, link=link)


def _create(people: People, side: Side, row: Owed, ref: int, passes: Passes) -> list[Letter]:
    assert row.contact_id is not None
    contact = people.contacts[row.contact_id]
    if not plan.wanted_at(people, contact, side):
        people.forget(row.key)
        return []
    if other := shared.owner_of(people, side, contact):
        row.reason = shared.THEIRS
        shared.hold_create(people, side, row, [other], shared.THEIRS)
        return []
    names = [n for n in side.creatable if n not in SETS and value_of(contact.fields, n) is not None]
    fields = {name: value_of(contact.fields, name) for name in sorted(names)}
    writing = side.mapping.write(fields)
    bad = {problem.field: problem.text for problem in writing.problems}
    if bad:
        row.state, row.reason = "dead", "; ".join(f"{n}: {why}" for n, why in bad.items())
        people.owe(row)
        people.note("refused", {"reason": row.reason}, contact=contact.id, connection=side.name)
        return []
    tags = _tags_for(side, contact)
    phone, email = (value_of(contact.fields, key) for key in ("phone", "email"))
    push = Create(
        ref,
        writing.wire,
        phone if isinstance(phone, str) else None,
        email if isinstance(email, str) else None,
        tuple(side.mapping.tag_out(tag) for tag in tags),
        subscribed_to(contact),
    )
    sent = {**fields, **({"tags": tags} if tags else {})}
    letter = Letter(row, push, sent)
    if not passes(people, letter):
        return []
    tries.note(people, side, row, push, sent)
    return [letter]


def subscribed_to(contact: Contact) -> frozenset[consent.Channel]:
    """Channels with a recorded opt-in. Nothing else may be created as subscribed."""
    return frozenset(c for c in CHANNELS if contact.get(consent.field(c)) == "subscribed")


def _tags_for(side: Side, contact: Contact) -> list[str]:
    return plan.takes(side, as_list(contact.get("tags")), [])[0]
