"""A phone or an email that somebody else has at a platform which lets no two records share it.

Strive refuses a second member with a phone; Action Network takes the phone away from whoever had it. Either way the
write is not sent: it waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daemon.sync import plan
from daemon.sync.merge import value_of
from daemon.sync.people import People
from daemon.sync.roster import Side
from mappings.contact import Value, email_key
from state.model import UPDATE_LANE, Contact, Hold, Link, Owed

THEIRS = "another person has this phone or email there"
OURS = "another record of the same person has this phone or email there"
MAYBE = "not created: a record there has this phone or email, but may be somebody else"


def owner_of(people: People, side: Side, contact: Contact) -> int | None:
    """Another contact with a record at this connection, and the phone (or email) that must be unique there."""
    for kind in side.capabilities.unique:
        value = value_of(contact.fields, kind)
        for owner in people.owners.get((kind, _key(kind, value)), ()) if isinstance(value, str) else ():
            if owner == contact.id or owner not in people.contacts:
                continue
            if any(link.connection == side.name for link in people.links(owner)):
                return owner
    return None


def holder_of(people: People, side: Side, link: Link, name: str, value: Value) -> Link | None:
    """Another record at this connection, of whomever, that says it has this value of a field."""
    if name not in side.capabilities.unique or not isinstance(value, str):
        return None
    owners = {link.contact_id, *people.owners.get((name, _key(name, value)), ())}
    for owner in sorted(o for o in owners if o is not None and o in people.contacts):
        for other in people.links(owner):
            there = other.connection == side.name and other.key != link.key and other.state == "linked"
            if there and says(other, name, value):
                return other
    return None


def taken(found: Sequence[Link], sent: Mapping[str, Value]) -> list[str]:
    """Which of the phone and email that were sent are those of these records; both, where none of them says so."""
    names = sorted(plan.KEYS.intersection(sent))
    return [name for name in names if any(says(other, name, sent[name]) for other in found)] or names


def says(link: Link, name: str, value: Value) -> bool:
    """Whether a record has this very phone or email."""
    said = link.seen.get(name)
    return isinstance(said, str) and isinstance(value, str) and _key(name, said) == _key(name, value)


def _key(name: str, value: str) -> str:
    return email_key(value) or value if name == "email" else value


def hold_create(people: People, side: Side, row: Owed, others: Sequence[int | None], why: str, **more: object) -> None:
    """Set a new person aside: the push is dead until a person decides."""
    contact = row.contact_id
    assert contact is not None
    row.state = "dead"
    people.owe(row)
    known = sorted({other for other in others if other is not None} - {contact})
    detail = {"why": why, "contacts": [contact, *known], **more}
    people.hold(Hold(f"shared:{side.name}:{contact}", "shared_identifier", detail, side.name, None, contact))
    people.note("refused", {"reason": row.reason}, contact=contact, connection=side.name)


def hold_field(people: People, link: Link, name: str, others: Sequence[int | None]) -> None:
    """Set one field of a record aside: it is not owed any more; all else of the push is."""
    push = people.push((link.connection, f"r:{link.external_id}", UPDATE_LANE))
    if push is not None and name in push.owed:
        push.owed = {each: what for each, what in push.owed.items() if each != name}
        people.owe(push) if push.owed else people.forget(push.key)
    known = sorted({other for other in others if other is not None} - {link.contact_id})
    why = THEIRS if known or None in others else OURS
    detail = {"why": why, "field": name, "contacts": [link.contact_id, *known]}
    key = f"shared:{link.connection}:{link.external_id}:{name}"
    people.hold(Hold(key, "shared_identifier", detail, link.connection, link.external_id, link.contact_id))
    people.note("not_sent", {"field": name, "reason": why}, contact=link.contact_id, link=link)


def owe_again(people: People, hold: Hold) -> None:
    """A person says to try once more."""
    contact = people.contacts[hold.contact_id or 0]
    if hold.external_id is None:
        plan.revive(people, contact)
    else:
        plan.moved(people, contact, [str(hold.detail["field"])], {}, by=None)
