"""A new record whose answer was lost: noted before it is sent, recognised when it is read.

We make records explicitly unsubscribed wherever we know of no opt-in. If the process dies between the platform's work
and our record of it, the next run finds a record that says "no", and nobody ever said that: without the note it would
count as the person's own word and reach every other platform.
"""

from __future__ import annotations

from typing import Any

from daemon.platforms.base import Create
from daemon.sync import consent
from daemon.sync.heard import Heard
from daemon.sync.merge import tidied
from daemon.sync.people import People
from daemon.sync.roster import Side
from mappings.contact import SETS, Value
from state.model import CREATE_LANE, Contact, Link, Owed

KEY = "tried"
MOST = 5
WITHIN = 900.0
"""Seconds between our trying and the record's last change. What changed later may be somebody's word."""


def echoes(side: Side, push: Create) -> list[str]:
    """Channels on which the new record will say "no" only because we do not know better."""
    return [c for c in consent.CHANNELS if c in side.capabilities.consent_read and c not in push.subscribed]


def note(people: People, side: Side, row: Owed, push: Create, sent: dict[str, Value]) -> None:
    """Remember on the row of the outbox what is about to be made; kept before it is sent."""
    tried = [*row.owed.get(KEY, ()), {"at": people.now, "sent": sent, "told": echoes(side, push)}]
    row.owed = {**row.owed, KEY: tried[-MOST:]}
    people.owe(row)


def not_made(people: People, row: Owed) -> None:
    """The last try made nothing: somebody's record was there before. What that one says is its owner's word."""
    row.owed = {**row.owed, KEY: row.owed.get(KEY, [])[:-1]}
    people.owe(row)


def recognise(people: People, link: Link, contact: Contact, heard: Heard) -> dict[str, Value] | None:
    """If this new link is to a record that we made ourselves, take it as the receipt: what was sent, or None."""
    push = people.push((link.connection, f"c:{contact.id}", CREATE_LANE))
    for tried in push.owed.get(KEY, ()) if push is not None else ():
        if _is_ours(tried, heard):
            link.told = list(tried["told"])
            link.sent = {name: value for name, value in tried["sent"].items() if name not in SETS}
            return link.sent
    return None


def _is_ours(tried: dict[str, Any], heard: Heard) -> bool:
    if heard.at is not None and abs(heard.at - tried["at"]) > WITHIN:
        return False
    alone = {name: value for name, value in tried["sent"].items() if name not in SETS}
    return all(tidied(value, heard.view.get(name)) for name, value in alone.items())
