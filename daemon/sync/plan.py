"""What is owed to whom. Planned from what *moved*, never from what differs: a platform that tidies what it is given
differs for ever, and would be written to for ever.

A connection that knows the person is owed the fields that moved; one that does not, the whole contact, if the person
is in scope there and the platform can create. What a platform cannot take is never owed to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from daemon.sync import consent
from daemon.sync.merge import FLIPS, as_list, value_of, view_of, within, without
from daemon.sync.people import People
from daemon.sync.roster import Side
from mappings.contact import SETS, Value
from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Contact, Entry, Link, Owed

_WORSE = {"update": 0, "rekey": 1, "blank": 2}
KEYS = frozenset({"phone", "email"})
"""Fields whose change re-keys a person on the platforms."""

DISMISSED = "a person decided not to have this one made there"
"""The reason of a dead create that is not tried again when the contact changes."""

STANDS = "stands"
"""Of a "no" that is owed: the record's own, written back; else somebody else's."""

Moved = Mapping[str, tuple[list[str], list[str]]]
"""What moved in a set field: (added, removed)."""


def moved(people: People, contact: Contact, fields: Iterable[str], sets: Moved, *, by: Link | None) -> None:
    """These fields of a contact moved: tell every side that knows the person and can take them."""
    names = set(fields) - set(SETS)
    if names & {"given_name", "family_name"}:
        names.add("full_name")
    for link in people.links(contact.id):
        owe(people, contact, link, names, sets if by is None or link.key != by.key else {})


def owe(people: People, contact: Contact, link: Link, names: Iterable[str], sets: Moved) -> None:
    """Owe one side the contact's values of these fields, as far as it can take them and does not have them."""
    side = people.side_of(link)
    if link.state != "linked" or (side is not None and not side.writes):
        return
    # A connection that is switched off is owed it all the same: what it can take is asked when it is back.
    can = names if side is None else side.updatable.intersection(names)
    owed: dict[str, Any] = {name: None for name in can if not _has(link, name, value_of(contact.fields, name))}
    for name, (added, removed) in sets.items():
        owed.update(_owed_set(side, link, name, added, removed))
    if owed:
        _add(people, contact, link, owed)


def _has(link: Link, name: str, value: Value) -> bool:
    """Whether that side surely has this value. What was sent and not yet confirmed may have arrived, or not."""
    return link.seen.get(name) == value and (not link.sent or link.sent.get(name, value) == value)


def _tags_of(link: Link) -> tuple[list[str], list[str]]:
    """The tags that side surely has, and those it may have: an unconfirmed change may have arrived, or not."""
    seen = as_list(link.seen.get("tags"))
    sent = as_list(link.sent["tags"]) if link.sent and "tags" in link.sent else seen
    return within(seen, sent), sorted({*seen, *without(sent, seen)})


def _owed_set(side: Side | None, link: Link, name: str, added: list[str], removed: list[str]) -> dict[str, Any]:
    if name != "tags":
        return {name: None} if side is None or name in side.updatable else {}
    surely, maybe = _tags_of(link)
    add, remove = without(added, surely), within(maybe, removed)
    if side is not None:
        add, remove = takes(side, add, remove)
    return {"tags": {"add": add, "remove": remove}} if add or remove else {}


def takes(side: Side, add: list[str], remove: list[str]) -> tuple[list[str], list[str]]:
    """Of these tags to add and to remove, those that side can."""
    able = side.capabilities
    if "tags" not in side.mapping.writable:  # no tags in its mapping, or `direction: in`
        return [], []
    return [t for t in add if able.add_tags and side.mapping.tag_owned(t)], remove if able.remove_tags else []


def _add(people: People, contact: Contact, link: Link, owed: dict[str, Any]) -> None:
    """Coalesce: one open push for each record; it is rendered when delivered, so it is never stale."""
    push = people.push((link.connection, f"r:{link.external_id}", UPDATE_LANE))
    if push is None:
        push = Owed(link.connection, UPDATE_LANE, contact.id, link.external_id, "update", {})
    tags = _join_tags(push.owed.get("tags"), owed.get("tags"))
    before, push.owed = push.owed, {**push.owed, **owed, **({"tags": tags} if tags else {})}
    kind = kind_of(contact, link, push.owed)
    if kind != push.kind or push.owed != before:
        push.approved = 0  # it does more than what passed the fuse
    _is_now(push, kind)
    if push.state in ("dead", "open"):  # it changed: worth another try, and at once
        push.state, push.attempts, push.reason, push.due_at = "open", 0, None, 0.0
    people.owe(push)


def _is_now(push: Owed, kind: str) -> None:
    """What was set aside by the fuse of another kind is for this one's to judge: else nobody would decide about it."""
    if push.state == "held" and push.kind != kind:
        push.state = "open"
    push.kind = kind


def _join_tags(before: dict[str, list[str]] | None, now: dict[str, list[str]] | None) -> dict[str, list[str]]:
    if before is None or now is None:
        return now or before or {}
    add = without([*without(before["add"], now["remove"]), *now["add"]], ())
    remove = {*without(before["remove"], now["add"]), *now["remove"]}
    return {"add": add, "remove": sorted(remove)}


def kind_of(contact: Contact, link: Link, owed: Iterable[str]) -> str:
    """What the fuse counts this push as: the gravest thing it does."""
    kinds = ["update"]
    for name in owed:
        before, after = link.seen.get(name), value_of(contact.fields, name)
        if name not in SETS and before is not None and after is None:
            kinds.append("blank")
        elif name in KEYS and before is not None and before != after:
            kinds.append("rekey")
    return max(kinds, key=_WORSE.__getitem__)


def owe_all(people: People, contact: Contact, link: Link) -> None:
    """Owe one side whatever it does not have: a record that was away missed what moved meanwhile."""
    names = [name for name, entry in contact.fields.items() if name not in SETS and entry.flips < FLIPS]
    owe(people, contact, link, names, {"tags": (as_list(contact.get("tags")), [])})


def settle(people: People, contact: Contact, link: Link) -> None:
    """Drop from an open push what that side has by now."""
    push = people.push((link.connection, f"r:{link.external_id}", UPDATE_LANE))
    if push is None:
        return
    left = {n: x for n, x in push.owed.items() if n == "tags" or not _has(link, n, value_of(contact.fields, n))}
    if tags := left.pop("tags", None):
        surely, maybe = _tags_of(link)
        add, remove = without(tags["add"], surely), within(maybe, tags["remove"])
        if add or remove:
            left["tags"] = {"add": add, "remove": remove}
    if not left:
        people.forget(push.key)
    elif left != push.owed:
        push.owed = left
        _is_now(push, kind_of(contact, link, left))
        people.owe(push)


# new people


def wanted_at(people: People, contact: Contact, side: Side) -> bool:
    """Whether this connection should have this person, who has no record there."""
    if not side.creates or contact.merged_into is not None or people.linked_at(contact.id, side.name):
        return False
    if not people.links(contact.id):
        return False  # nobody says any more that this person exists
    return not barred(contact.fields, side)


def barred(fields: Mapping[str, Entry], side: Side) -> str:
    """Why nobody with these fields is made at this connection, in words; blank if they would be."""
    if side.makes_nobody:
        return side.makes_nobody
    if not any(value_of(fields, key) for key in KEYS):
        return "it has neither phone nor email: nobody could look whether the person is there already"
    if lacking := [key for key in sorted(side.capabilities.required) if not value_of(fields, key)]:
        return f"{side.platform} makes nobody without {' and '.join(lacking)}"
    return "" if side.mapping.in_scope(view_of(fields)) else "outside the `where:` of this connection"


def create(people: People, contact: Contact, side: Side) -> bool:
    """Owe this connection the whole contact, if it should have the person."""
    target = Owed(side.name, CREATE_LANE, contact.id, None, "create", {})
    if not wanted_at(people, contact, side) or people.push(target.key) is not None:
        return False
    people.owe(target)
    return True


def revive(people: People, contact: Contact) -> None:
    """A create that was refused is worth another try once the contact changed."""
    for side in people.roster.sides.values():
        push = people.push((side.name, f"c:{contact.id}", CREATE_LANE))
        if push is not None and push.state == "dead" and push.reason != DISMISSED:
            push.state, push.attempts, push.reason, push.due_at = "open", 0, None, 0.0
            people.owe(push)


# consent


def tell_no(people: People, contact: Contact | None, link: Link, channel: consent.Channel) -> None:
    """Owe one record the "no" of a channel, ahead of everything else."""
    side = people.side_of(link)
    if link.state == "vanished" or (side is not None and not side.takes_no(channel)):
        return
    key = (link.connection, f"r:{link.external_id}", CONSENT_LANE)
    push = people.push(key)
    if consent.says_no(link, channel):
        if push is not None and push.owed.get(channel, STANDS) != STANDS:
            push.owed.pop(channel)
            people.owe(push) if push.owed else people.forget(key)
        return
    if push is not None and channel in push.owed and push.state == "open":
        return
    _owe_no(people, contact.id if contact is not None else None, link, channel, None)


def keep_no(people: People, link: Link, channel: consent.Channel) -> None:
    """Owe a record its own "no", in place of the "yes" that stands there and that a person does not believe."""
    side = people.side_of(link)
    if link.state != "vanished" and (side is None or side.takes_no(channel)):
        _owe_no(people, link.contact_id, link, channel, STANDS)


def _owe_no(people: People, who: int | None, link: Link, channel: consent.Channel, what: str | None) -> None:
    push = people.push((link.connection, f"r:{link.external_id}", CONSENT_LANE))
    if push is None:
        push = Owed(link.connection, CONSENT_LANE, who, link.external_id, "consent", {})
    push.owed[channel] = what
    push.state, push.attempts, push.reason, push.due_at = "open", 0, None, 0.0
    people.owe(push)
