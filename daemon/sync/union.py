"""Two contacts that are one person become one, and can become two again."""

from __future__ import annotations

from typing import Any

from daemon.sync import plan
from daemon.sync.merge import combine
from daemon.sync.people import People
from mappings.contact import SETS
from state.model import Contact, Entry, Link


def join(people: People, keep: int, drop: int, *, because: Link | None) -> Contact:
    """Make `drop` part of `keep`: its records, its fields where they are newer or fill a blank, its tags.

    The journal keeps what both were, so that `part` can undo it. Every side is owed what it lacks.
    """
    ours, theirs = people.contacts[keep], people.contacts[drop]
    links = people.links(drop, "linked", "vanished")
    snapshot = {
        "keep": keep,
        "drop": drop,
        "kept_fields": {n: list(e) for n, e in ours.fields.items()},
        "dropped_fields": {n: list(e) for n, e in theirs.fields.items()},
        "links": [[link.connection, link.external_id] for link in links],
    }
    for number in (keep, drop):
        people.note("merged", snapshot, contact=number, link=because)
    for key in [key for key, push in people.pushes.items() if push.contact_id == drop]:
        people.forget(key)
    ours.fields = combine(ours.fields, theirs.fields)
    theirs.merged_into = keep
    people.touch(keep)
    people.touch(drop)
    _move(people, links, ours)
    people.tx.links.move_decisions(drop, keep)
    owe_everything(people, ours)
    return ours


def _move(people: People, links: list[Link], to: Contact) -> None:
    for link in links:
        state = link.state
        people.attach(link, to)
        link.state = state
    people.index(to.id)


def owe_everything(people: People, contact: Contact) -> None:
    """Each side that knows this person is owed whatever it does not say yet."""
    names = [name for name, entry in contact.fields.items() if name not in SETS and entry.value is not None]
    tags = contact.get("tags")
    sets = {"tags": (tags, list[str]())} if isinstance(tags, list) else {}
    plan.moved(people, contact, names, sets, by=None)


def part(people: People, snapshot: dict[str, Any]) -> tuple[Contact, Contact]:
    """Undo `join`: the dropped contact gets back its records and the fields it had then.

    What was edited since stays with the contact that kept the name; the two are remembered as different.
    """
    keep, drop = people.contacts[snapshot["keep"]], people.contacts[snapshot["drop"]]
    drop.merged_into = None
    drop.fields = {n: Entry(*e) for n, e in snapshot["dropped_fields"].items()}
    before = {n: Entry(*e) for n, e in snapshot["kept_fields"].items()}
    joined = combine(before, drop.fields)
    for name, entry in joined.items():
        if keep.fields.get(name) == entry and before.get(name) != entry:
            if name in before:
                keep.fields[name] = before[name]
            else:
                del keep.fields[name]
    for connection, external_id in snapshot["links"]:
        link = people.records.get((connection, external_id))
        if link is not None and link.contact_id == keep.id:
            state = link.state
            people.attach(link, drop)
            link.state = state
    people.touch(keep.id)
    people.touch(drop.id)
    _remember_different(people, keep, drop)
    for number in (keep.id, drop.id):
        people.note("unmerged", {"keep": keep.id, "drop": drop.id}, contact=number)
        for key in [k for k, push in people.pushes.items() if push.contact_id == number]:
            people.forget(key)
    for contact in (keep, drop):
        owe_everything(people, contact)
    return keep, drop


def _remember_different(people: People, one: Contact, other: Contact) -> None:
    for contact, stranger in ((one, other), (other, one)):
        for link in people.links(contact.id, "linked", "vanished"):
            decide = people.tx.links.decide
            decide(link.connection, link.external_id, stranger.id, "different", at=people.now)
