"""Records that are gone: missing from two complete sweeps in a row, or said to be gone by the platform.

A vanished record is unlinked and reported; it is never deleted elsewhere, and never made again. Its "no" outlives it.
"""

from __future__ import annotations

from daemon.sync import fuse, optouts
from daemon.sync.people import People
from daemon.sync.reading import Pass
from daemon.sync.resolve import identifiers
from daemon.sync.roster import Roster
from state.model import Link
from state.store import Tx

PAGE = 500


def after_sweep(tx: Tx, roster: Roster, reading: Pass) -> None:
    """Called when sweep number n is complete: whoever was last met before sweep n-1 has been missed twice."""
    last_met = reading.sweep - 2
    count = tx.links.count_missed(reading.side.name, last_met) if last_met > 0 else 0
    if count == 0:
        return
    holding = tx.links.holding(reading.side.name)
    if count > fuse.limit_of(roster.rules.fuse["vanish"], holding):
        fuse.trip(tx, reading.side.name, "vanish", count, holding, at=roster.clock())
        return
    reading.books.vanished += sweep_out(tx, roster, reading.side.name, last_met, reading.run)


def sweep_out(tx: Tx, roster: Roster, connection: str, last_met: int, run: int | None) -> int:
    """Let every record last met by that sweep or before vanish; returns how many."""
    count = 0
    while missed := tx.links.missed(connection, last_met, PAGE):
        people = People(tx, roster, now=roster.clock(), run=run)
        people.load_records(connection, {link.external_id for link in missed})
        people.load_contacts({link.contact_id for link in missed if link.contact_id is not None})
        for link in missed:
            let_go(people, people.records[link.key])
        people.flush()
        count += len(missed)
    return count


def let_go(people: People, link: Link) -> None:
    """One record vanished."""
    for lane in (0, 1):
        people.forget((link.connection, f"r:{link.external_id}", lane))
    if link.contact_id is None:
        people.stray(link, ())
        people.tx.holds.close(f"record:{link.connection}:{link.external_id}", {"resolved": "vanished"}, at=people.now)
    found = identifiers(link.seen)
    if link.contact_id is not None:
        found |= people.identifiers_of(link.contact_id)  # that side may not know what its "no" is about
    people.suppress(link, {i for i in found if i[0] in ("phone", "email")})
    link.state, link.sent = "vanished", None
    people.save(link)
    people.note("vanished", {}, contact=link.contact_id, link=link)
    if link.contact_id is not None:
        optouts.recompute(people, people.contacts[link.contact_id], because=None, link=None)
