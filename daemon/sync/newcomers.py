"""Who is missing where: the walk through everybody, when a connection is new or its scope has changed."""

from __future__ import annotations

from daemon.sync import optouts, plan
from daemon.sync.people import People
from daemon.sync.roster import Side
from daemon.sync.turn import Cycle

PLAN_PAGE = 500


def plan_new_people(cycle: Cycle) -> None:
    """Once every connection has been read whole: who is missing where? Walks all contacts, page by page, when a
    connection is new or its scope changed; goes on where it was broken off."""
    roster = cycle.roster
    with roster.store.look() as tx:
        known = tx.connections.all()
    cycle.report.waiting = [name for name in roster.sides if not known[name].primed]
    if cycle.report.waiting:
        return
    for name, side in roster.sides.items():
        under_way = known[name].plan_after is not None
        while under_way and not cycle.stop.is_set():
            under_way = _plan_page(cycle, side)


def _plan_page(cycle: Cycle, side: Side) -> bool:
    """One page; False when there is nobody left. Where it goes on stands in the database alone: others may walk too."""
    with cycle.roster.store.transaction() as tx:
        after = tx.connections.all()[side.name].plan_after
        if after is None:
            return False
        page = tx.contacts.walk(after, PLAN_PAGE) if side.writes else []
        next_after = page[-1].id if page else None
        missing = tx.links.unlinked_contacts(side.name, [contact.id for contact in page]) if side.creates else set()
        said_no = {contact.id for contact in page if optouts.said_no(contact)}
        people = People(tx, cycle.roster, now=cycle.roster.clock(), run=cycle.report.run)
        people.load_contacts(missing | said_no)
        for number in sorted(missing):
            plan.create(people, people.contacts[number], side)
        for number in sorted(said_no):
            optouts.say_again(people, people.contacts[number])
        optouts.reach_strays(people)
        people.flush()
        tx.connections.put(side.name, plan_after=next_after)
    return next_after is not None
