"""The people one page touches: loaded in bulk, changed in memory, written back in bulk.

A page is one transaction. Everything its records may need is loaded with a handful of statements; the records are
then taken one after another (the second may be the person the first has just made); `flush` writes what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from daemon.sync import consent
from daemon.sync.merge import value_of
from daemon.sync.resolve import Candidate, Identifier, identifiers, identifying, usable
from daemon.sync.roster import Roster, Side
from state.model import CONSENT_LANE, UPDATE_LANE, Contact, Entry, Hold, Link, Noted, Outreach, Owed
from state.store import Tx

ALL = 1_000_000
RESERVE = 64
"""Contact ids taken at first; as many again as it has taken so far where a page brings in more people."""

NOT_STORED = "not_stored"
"""The kind of hold for a value that we sent and a platform did not keep."""


class People:
    """A working set of contacts, links and pushes within one transaction."""

    def __init__(self, tx: Tx, roster: Roster, *, now: float, run: int | None) -> None:
        self.tx, self.roster, self.now, self.run = tx, roster, now, run
        self.contacts: dict[int, Contact] = {}
        self.records: dict[tuple[str, str], Link] = {}
        self.owners: dict[Identifier, set[int]] = {}
        self.pushes: dict[tuple[str, str, int], Owed] = {}
        self._links_of: dict[int, dict[tuple[str, str], Link]] = {}
        self._kept_identifiers: dict[int, set[Identifier]] = {}
        self._identifiers: dict[int, frozenset[Identifier]] = {}
        self._asked: set[Identifier] = set()
        self._new_contacts: set[int] = set()
        self.touched: set[int] = set()  # contacts whose row, links or identifiers changed
        self._changed_links: set[tuple[str, str]] = set()
        self._changed_pushes: set[tuple[str, str, int]] = set()
        self._dropped_pushes: set[int] = set()
        self._strays: dict[str, dict[str, Iterable[Identifier]]] = {}
        self._suppressed: dict[str, dict[str, dict[Identifier, tuple[str, str]]]] = {}
        self.suppressed: dict[Identifier, list[tuple[str, str, str]]] = {}
        self.verdicts: dict[tuple[str, str], dict[int, str]] = {}
        self.reach: set[tuple[Identifier, consent.Channel]] = set()  # where strays must hear of a "no"
        self._suppressed_asked: set[Identifier] = set()
        self._any_suppressed: bool | None = None
        self._held: set[str] = set()
        self._open_holds: dict[str, Hold | None] = {}
        self._changed_holds: set[str] = set()
        self._refused_values: set[str] | None = None
        self.journal: list[Noted] = []
        self.outreaches: list[Outreach] = []  # events that a rule is about
        self._ids = iter(range(0))

    # loading

    def load_records(self, connection: str, external_ids: Collection[str]) -> None:
        """Load these records, the contacts they belong to, and what is owed to them."""
        found = self.tx.links.of_records(connection, external_ids)
        for link in found.values():
            self._adopt(link)
        loose = [f"r:{link.external_id}" for link in found.values() if link.contact_id is None]
        for push in self.tx.outbox.of_targets(connection, loose):
            self.pushes.setdefault(push.key, push)

    def load_owners(self, wanted: Collection[Identifier]) -> None:
        """Learn who has these identifiers, and load those contacts."""
        fresh = set(wanted) - self._asked
        self._asked |= fresh
        found = self.tx.contacts.owners(fresh)
        for identifier, owners in found.items():
            self.owners.setdefault(identifier, set()).update(owners)
        limit = self.roster.rules.max_shared
        self.load_contacts({o for owners in found.values() if len(owners) <= limit for o in owners})

    def load_contacts(self, ids: Collection[int]) -> None:
        missing = {each for each in ids if each not in self.contacts}
        if not missing:
            return
        self.contacts.update(self.tx.contacts.get(missing))
        self._kept_identifiers.update({each: set() for each in missing})
        self._kept_identifiers.update(self.tx.contacts.identifiers_of(missing))
        for each in missing:
            self._links_of.setdefault(each, {})
        for links in self.tx.links.of_contacts(missing).values():
            for link in links:
                self._adopt(link)
        for push in self.tx.outbox.of_contacts(missing):
            self.pushes.setdefault(push.key, push)

    def load_verdicts(self, connection: str, external_ids: Collection[str]) -> None:
        """What a person decided about these records."""
        for external_id, found in self.tx.links.decided(connection, external_ids).items():
            self.verdicts[connection, external_id] = found

    def load_suppressed(self, wanted: Collection[Identifier]) -> None:
        """Every "no" once said on these identifiers by records that belong to nobody now."""
        if self._any_suppressed is None:
            self._any_suppressed = self.tx.links.has_suppressions()
        if not self._any_suppressed:
            return  # those of this page are in memory
        fresh = set(wanted) - self._suppressed_asked
        self._suppressed_asked |= fresh
        if fresh:
            replaced = {f"{c}/{e}" for c, records in self._suppressed.items() for e in records}
            for identifier, said in self.tx.links.suppressed(fresh).items():
                self.suppressed.setdefault(identifier, []).extend(one for one in said if one[1] not in replaced)

    def _adopt(self, link: Link) -> None:
        known = self.records.setdefault(link.key, link)
        if known.contact_id is not None:
            self._links_of.setdefault(known.contact_id, {})[known.key] = known

    # looking

    def links(self, contact: int, *states: str) -> list[Link]:
        """This contact's links in these states (linked, unless said otherwise)."""
        wanted = states or ("linked",)
        return [link for link in self._links_of.get(contact, {}).values() if link.state in wanted]

    def linked_at(self, contact: int, connection: str) -> list[Link]:
        """Its records at one connection, vanished ones too: those are not made again."""
        return [link for link in self._links_of.get(contact, {}).values() if link.connection == connection]

    def candidate(self, contact: int) -> Candidate:
        fields = self.contacts[contact].fields
        name = value_of(fields, "full_name")
        found = frozenset(i for i in self.identifiers_of(contact) if usable(i, self.roster.rules.ignored))
        here = frozenset(link.connection for link in self.links(contact))
        return Candidate(contact, name if isinstance(name, str) else None, found, here)

    def identifiers_of(self, contact: int) -> frozenset[Identifier]:
        """From the contact's own fields, and from what each of its records says."""
        known = self._identifiers.get(contact)
        if known is None:
            fields = self.contacts[contact].fields
            found = identifiers({name: entry.value for name, entry in fields.items() if identifying(name)})
            for link in self.links(contact):
                found |= identifiers(link.seen)
            known = self._identifiers[contact] = frozenset(found)
        return known

    def owners_of(self, wanted: Iterable[Identifier]) -> dict[Identifier, frozenset[int]]:
        """Who shares these identifiers, leaving out those that cannot match anybody."""
        rules, found = self.roster.rules, {}
        for identifier in wanted:
            owners = self.owners.get(identifier)
            if owners and len(owners) <= rules.max_shared and usable(identifier, rules.ignored):
                found[identifier] = frozenset(owners)
        return found

    def parted(self, one: int, other: int) -> bool:
        """Whether a person said that these two contacts are not one: of any record of the one, about the other."""
        for contact, stranger in ((one, other), (other, one)):
            for link in self.links(contact):
                found = self.tx.links.decided(link.connection, [link.external_id]).get(link.external_id, {})
                if found.get(stranger) == "different":
                    return True
        return False

    def survivor(self, contact: int) -> Contact:
        """This contact, or the one it is part of by now."""
        while (into := self.contacts[contact].merged_into) is not None:
            self.load_contacts({into})
            contact = into
        return self.contacts[contact]

    # changing

    def new_contact(self) -> Contact:
        try:
            number = next(self._ids)
        except StopIteration:
            count = max(RESERVE, len(self._new_contacts))
            first = self.tx.contacts.reserve(count)
            self._ids = iter(range(first, first + count))
            number = next(self._ids)
        contact = self.contacts[number] = Contact(number, {}, self.now)
        self._new_contacts.add(number)
        self._kept_identifiers[number] = set()
        self._links_of[number] = {}
        self.touched.add(number)
        return contact

    def set_field(self, contact: Contact, name: str, entry: Entry) -> None:
        self.set_fields(contact, {name: entry})

    def set_fields(self, contact: Contact, entries: Mapping[str, Entry]) -> None:
        contact.fields.update(entries)
        self.touched.add(contact.id)
        if any(identifying(name) for name in entries):
            self._identifiers.pop(contact.id, None)

    def touch(self, contact: int) -> None:
        """Note that this contact, its links or its identifiers changed."""
        self.touched.add(contact)
        self._identifiers.pop(contact, None)

    def save(self, link: Link) -> None:
        """Note that this link is new or changed."""
        known = self.records.setdefault(link.key, link)
        assert known is link, "a link is changed in place"
        self._changed_links.add(link.key)
        if link.contact_id is not None:
            self._links_of.setdefault(link.contact_id, {})[link.key] = link
            self.touch(link.contact_id)

    def attach(self, link: Link, contact: Contact) -> None:
        """Link a record to a contact; it is nobody's stray any more."""
        if link.contact_id is not None and link.contact_id != contact.id:
            self._links_of[link.contact_id].pop(link.key, None)
            self.touch(link.contact_id)
        link.contact_id, link.state, link.reason = contact.id, "linked", None
        self.save(link)
        self.stray(link, ())
        self._take_along(link, contact)

    def _take_along(self, link: Link, contact: Contact) -> None:
        """What is owed to a record is found by its contact: a "no" told to a stray must be found by its new owner."""
        for lane in (CONSENT_LANE, UPDATE_LANE):
            push = self.pushes.get((link.connection, f"r:{link.external_id}", lane))
            if push is not None and push.contact_id != contact.id:
                push.contact_id = contact.id
                self.owe(push)

    def stray(self, link: Link, found: Iterable[Identifier]) -> None:
        """Keep (or with none, forget) the identifiers and the "no" of a record that belongs to nobody."""
        wanted = set(found)
        if not wanted and link.id is None:
            return
        self._strays.setdefault(link.connection, {})[link.external_id] = wanted
        self.suppress(link, wanted)

    def suppress(self, link: Link, found: Iterable[Identifier]) -> None:
        """Let the "no" of a record outlive its tie to a contact (or, with none, end it)."""
        self.load_suppressed(set(found))
        for said in self.suppressed.values():
            said[:] = [entry for entry in said if entry[1] != f"{link.connection}/{link.external_id}"]
        mine: dict[Identifier, tuple[str, str]] = {}
        for channel, state in consent.nos(link).items():
            for identifier in found:
                if identifier[0] == consent.KIND[channel]:
                    mine[identifier] = (state, link.state)
                    entry = (state, f"{link.connection}/{link.external_id}", link.state)
                    self.suppressed.setdefault(identifier, []).append(entry)
        self._suppressed.setdefault(link.connection, {})[link.external_id] = mine

    def with_own_strays(
        self, found: dict[Identifier, list[tuple[str, str]]]
    ) -> dict[Identifier, list[tuple[str, str]]]:
        """What the database says of strays, and what this page has changed about them."""
        changed = {(c, e) for c, records in self._strays.items() for e in records}
        joined = {i: [r for r in records if r not in changed] for i, records in found.items()}
        for connection, records in self._strays.items():
            for external_id, mine in records.items():
                for identifier in mine:
                    joined.setdefault(identifier, []).append((connection, external_id))
        return joined

    def note(
        self,
        event: str,
        detail: dict[str, Any],
        *,
        contact: int | None = None,
        link: Link | None = None,
        connection: str | None = None,
    ) -> None:
        where, record = (link.connection, link.external_id) if link else (connection, None)
        self.journal.append(Noted(event, detail, contact, where, record, self.now, self.run))

    def hold(self, hold: Hold) -> None:
        hold.opened_at = self.now
        self.tx.holds.open(hold)

    def hold_once(self, hold: Hold) -> None:
        """Open a hold that many records of one page may ask for."""
        if hold.key not in self._held:
            self._held.add(hold.key)
            self.hold(hold)

    def open_hold(self, key: str) -> Hold | None:
        """The open hold with this key, asked for once; `hold_later` changes it."""
        if key not in self._open_holds:
            self._open_holds[key] = self.tx.holds.with_key(key)
        return self._open_holds[key]

    def refused_values(self) -> set[str]:
        """The keys of what waits because a platform did not keep it; asked for once, for most often there is none."""
        if self._refused_values is None:
            self._refused_values = {hold.key for hold in self.tx.holds.listed(kind=NOT_STORED, limit=ALL)}
        return self._refused_values

    def hold_later(self, hold: Hold) -> None:
        """Open or change, at the end, a hold that many records of one page add to."""
        self._open_holds[hold.key] = hold
        self._changed_holds.add(hold.key)

    # pushes

    def push(self, key: tuple[str, str, int]) -> Owed | None:
        return self.pushes.get(key)

    def owe(self, push: Owed) -> None:
        """A push is new or changed."""
        if push.id is None and push.created_at == 0.0:
            push.created_at = self.now
        self.pushes[push.key] = push
        self._changed_pushes.add(push.key)

    def forget(self, key: tuple[str, str, int]) -> None:
        """Nothing is owed here any more."""
        push = self.pushes.pop(key, None)
        self._changed_pushes.discard(key)
        if push is not None and push.id is not None:
            self._dropped_pushes.add(push.id)

    def side_of(self, link: Link) -> Side | None:
        """The configured connection of a link; None when it is not in the configuration (any more)."""
        return self.roster.sides.get(link.connection)

    # writing

    def flush(self) -> None:
        self._flush_contacts()
        self._flush_links()
        self.tx.outbox.drop(self._dropped_pushes)
        pushes = [self.pushes[key] for key in sorted(self._changed_pushes)]
        self.tx.outbox.add(push for push in pushes if push.id is None)
        self.tx.outbox.put(push for push in pushes if push.id is not None)
        self._flush_outreaches()
        self.tx.journal.add(self.journal)
        for key in sorted(self._changed_holds):
            if (hold := self._open_holds[key]) is not None:
                self.hold(hold)

    def _flush_outreaches(self) -> None:
        for each in self.outreaches:
            each.created_at = self.now
        for each in self.tx.outreaches.add(self.outreaches):
            detail = {"rule": each.rule, "event": each.event, "at": each.at}
            self.note("outreach_owed", detail, contact=each.contact_id, connection=each.connection)
        self.outreaches = []

    def _flush_contacts(self) -> None:
        touched = [self.contacts[each] for each in sorted(self.touched) if each in self.contacts]
        self.tx.contacts.add(c for c in touched if c.id in self._new_contacts)
        self.tx.contacts.put(c for c in touched if c.id not in self._new_contacts)
        added: list[tuple[str, str, int]] = []
        dropped: list[tuple[str, str, int]] = []
        for contact in touched:
            wanted = frozenset[Identifier]() if contact.merged_into is not None else self.identifiers_of(contact.id)
            kept = self._kept_identifiers.get(contact.id, set())
            added += [(kind, value, contact.id) for kind, value in wanted - kept]
            dropped += [(kind, value, contact.id) for kind, value in kept - wanted]
        self.tx.contacts.drop_identifiers(dropped)
        self.tx.contacts.add_identifiers(sorted(added))

    def _flush_links(self) -> None:
        links = [self.records[key] for key in sorted(self._changed_links)]
        self.tx.links.add(link for link in links if link.id is None)
        self.tx.links.put(link for link in links if link.id is not None)
        for connection, strays in self._strays.items():
            self.tx.links.set_strays(connection, strays)
        for connection, said in self._suppressed.items():
            self.tx.links.suppress(connection, said, at=self.now)

    def index(self, contact: int) -> None:
        """Make the identifiers a contact has gained within this page known to the records after it."""
        for identifier in self.identifiers_of(contact):
            self.owners.setdefault(identifier, set()).add(contact)
