"""`rosterd contacts`: people, where each field has its value from, and their story.

What a person asks to see is shown in full; only logs are masked.
"""

from __future__ import annotations

from typing import Any

import click

from daemon import story
from daemon.commands.options import CONTACT, as_json
from daemon.commands.session import no_such, session
from daemon.output import clean, json_out, say, table, when
from daemon.sync.merge import value_of, view_of
from state.model import Contact, Link, Noted, Outreach, Owed
from state.store import Tx


@click.group()
def command() -> None:
    """Find people, and see why a field has its value.

    \b
    rosterd contacts find ada
    rosterd contacts show c12
    """


@command.command()
@click.argument("text")
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@as_json
@click.pass_context
def find(ctx: click.Context, text: str, limit: int, as_json: bool) -> None:
    """Contacts with TEXT in a phone, an email, an id elsewhere or a name.

    \b
    rosterd contacts find smith
    rosterd contacts find +12025550123
    """
    with session(ctx).look() as tx:
        contacts = _search(tx, text, limit)
        links = tx.links.of_contacts([contact.id for contact in contacts])
    if as_json:
        json_out([_short(contact, links.get(contact.id, [])) for contact in contacts])
    elif not contacts:
        say("nobody found")
    else:
        rows = [list(_short(contact, links.get(contact.id, [])).values()) for contact in contacts]
        table(("contact", "name", "phone", "email", "known at"), rows)


def _search(tx: Tx, text: str, limit: int) -> list[Contact]:
    """By every word, so that a first and a last name find their person though they are two fields."""
    words = text.split() or [text]
    found = {
        contact.id: contact for contact in tx.contacts.search(words[0], limit=limit if len(words) == 1 else 10_000)
    }
    for word in words[1:]:
        also = {contact.id for contact in tx.contacts.search(word, limit=10_000)}
        found = {number: contact for number, contact in found.items() if number in also}
    return list(found.values())[:limit]


def _short(contact: Contact, links: list[Link]) -> dict[str, Any]:
    known_at = sorted({link.connection for link in links if link.state == "linked"})
    keys = ("full_name", "phone", "email")
    return {"id": f"c{contact.id}"} | {k: value_of(contact.fields, k) for k in keys} | {"connections": known_at}


@command.command()
@click.argument("number", metavar="CONTACT", type=CONTACT)
@click.option("--story/--no-story", "with_story", default=True, help="With everything that happened, or without.")
@as_json
@click.pass_context
def show(ctx: click.Context, number: int, with_story: bool, as_json: bool) -> None:
    """A contact: each field with its origin, each record with what it last said, and the story.

    \b
    rosterd contacts show c12
    """
    with session(ctx).look() as tx:
        contact = tx.contacts.get({number}).get(number)
        if contact is None:
            raise no_such("contact", number, "rosterd contacts find NAME")
        links = tx.links.of_contacts({number}).get(number, [])
        owed = tx.outbox.of_contacts({number})
        acts = tx.outreaches.of_contacts({number})
        noted = tx.journal.of_contacts({number}) if with_story else []
    if as_json:
        json_out({**_whole(contact, links, owed, noted), "outreaches": acts})
    else:
        _show(contact, links, owed, acts, noted)


def _whole(contact: Contact, links: list[Link], owed: list[Owed], noted: list[Noted]) -> dict[str, Any]:
    fields = {
        name: {"value": entry.value, "at": entry.at, "connection": entry.by, "how": entry.how}
        for name, entry in sorted(contact.fields.items())
    }
    return {
        "id": f"c{contact.id}",
        "merged_into": f"c{contact.merged_into}" if contact.merged_into else None,
        "created_at": contact.created_at,
        "view": view_of(contact.fields),
        "fields": fields,
        "links": links,
        "owed": owed,
        "journal": noted,
    }


def _show(contact: Contact, links: list[Link], owed: list[Owed], acts: list[Outreach], noted: list[Noted]) -> None:
    say(f"c{contact.id}  {clean(value_of(contact.fields, 'full_name'))}", bold=True)
    if contact.merged_into:
        say(f"is part of c{contact.merged_into}; undo: rosterd unmerge c{contact.id}")
    fields = [(n, e) for n, e in sorted(contact.fields.items()) if e.value is not None]
    table(("field", "value", "from", "how", "since"), [[n, e.value, e.by, e.how, when(e.at)] for n, e in fields])
    for link in links:
        say()
        say(f"{link.connection} record {clean(link.external_id)}: {link.state.replace('_', ' ')}", bold=True)
        table(("field", "it last said"), sorted(link.seen.items()))
    if owed:
        say()
        rows = [
            [p.id, p.connection, p.kind, p.state, "everything" if p.kind == "create" else ", ".join(p.owed), p.reason]
            for p in owed
        ]
        table(("push#", "owed to", "kind", "state", "what", "why"), rows, title="Owed")
    if acts:
        say()
        happened = [[f"o{a.id}", a.connection, a.rule, a.event, when(a.at), a.state, a.reason] for a in acts]
        table(("outreach#", "at", "rule", "event", "happened", "state", "why"), happened, title="Outreaches")
    if noted:
        say()
        say("Story", bold=True)
        for entry in noted:
            say(f"  {when(entry.at)}  {story.told(entry)}")
