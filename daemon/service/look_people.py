"""One contact: found by what somebody knows of them, and everything that is known."""

from __future__ import annotations

import re
from dataclasses import dataclass

from daemon.settings import Settings
from mappings.contact import email, email_key, phone
from state.model import Contact, Link, Noted, Outreach, Owed, storable
from state.store import Tx

MOST = 20
STORY = 200
LONGEST = 200
"""Letters of a search. Nobody's name or address is longer."""


@dataclass(frozen=True, slots=True)
class Person:
    """A contact with their records, what is owed about them, and their story, the latest last."""

    contact: Contact
    links: list[Link]
    owed: list[Owed]
    acts: list[Outreach]
    noted: list[Noted]


def find(tx: Tx, settings: Settings, asked: str, *, by_name: bool) -> list[Contact]:
    """Contacts with this number, phone, email or id at a platform, each as a whole: an index answers, also among
    millions, and nobody can feel their way to a number they do not know.

    `by_name`: when there are none, also those with it in a name or as a part of an identifier. That walks everybody.
    """
    wanted = storable(" ".join(asked.split())[:LONGEST])
    if not wanted:
        return []
    found = tx.contacts.get(_exactly(tx, settings, wanted))
    if not found and by_name:
        return tx.contacts.search(wanted, limit=MOST)
    return [found[number] for number in sorted(found)][:MOST]


def _exactly(tx: Tx, settings: Settings, wanted: str) -> set[int]:
    ids: set[int] = set()
    if number := re.fullmatch(r"c([1-9]\d{0,17})", wanted):
        ids.add(int(number[1]))
    for owners in tx.contacts.owners(_identifiers(settings, wanted)).values():
        ids |= owners
    for name in settings.connections:
        links = tx.links.of_records(name, [wanted])
        ids |= {link.contact_id for link in links.values() if link.contact_id is not None}
    return ids


def _identifiers(settings: Settings, wanted: str) -> set[tuple[str, str]]:
    """What it may be, as it would be kept. A phone is read as each connection would read it."""
    if "@" in wanted:
        return {("email", email_key(email(wanted) or wanted))}
    regions = {settings.defaults.region, *(one.region for one in settings.connections.values())}
    read = {phone(wanted, region) for region in regions}
    return {("phone", number) for number in read if number is not None}


def person(tx: Tx, number: int) -> Person | None:
    """Everything about a contact; None if there is no such."""
    contact = tx.contacts.get({number}).get(number)
    if contact is None:
        return None
    return Person(
        contact,
        tx.links.of_contacts({number}).get(number, []),
        tx.outbox.of_contacts({number}),
        tx.outreaches.of_contacts({number}),
        tx.journal.of_contacts({number}, limit=STORY),
    )
