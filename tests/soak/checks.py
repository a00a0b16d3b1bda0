"""What must hold all along, and at the end. What does not is a complaint of the world; the story goes on."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, select

from daemon.sync.accounts import LONGEST_PAUSE
from state.tables import journal, runs
from tests.five_twins import ABLE, MAKING
from tests.soak.world import NAMES, SoakWorld

SLACK = 60.0
"""Seconds beyond the poll interval: what is promised of an opt-out, and the bound for lag in good weather."""
JITTER = 30.0
RACES = 1 / 500
"""Of the updates, those that may race a person where the platform cannot compare and swap: a bulk of them goes by a
reading that may be two minutes old."""


def rows(world: SoakWorld) -> int:
    assert world.process is not None
    with world.process.store.look() as tx:
        return sum(tx.db.execute(select(func.count()).select_from(table)).scalar_one() for table in (journal, runs))


# all along


def all_along(world: SoakWorld, lags: list[float]) -> None:
    for name, site in world.sites.items():
        late = world.crowd.unshown if name == "strive" else set()
        if undone := [each for each in site.undone() if each[0] not in late]:
            world.complain(f"an opt-out was undone at {name}: {undone}")
        if site.harm:
            world.complain(f"harm at {name}: {dict(site.harm)}")
        if site.blind_writes > RACES * (site.arrived["Update"] + 1000):
            world.complain(f"blind writes at {name}: {site.blind_writes}")
        if site.refusals["avoidable"]:
            world.complain(f"{name} was asked too often: {site.refusals['avoidable']} times")
    if world.process is not None:
        _lags(world, lags)


def _lags(world: SoakWorld, lags: list[float]) -> None:
    """Of connections that nothing was wrong with within their bound."""
    assert world.process is not None
    for one in world.process.standings():
        bound = world.every[one.name] + JITTER + SLACK
        if not one.primed or one.lag is None or world.weather.last(one.name, world.time.now() - bound) is not None:
            continue
        lags.append(one.lag / world.every[one.name])
        if one.lag > bound:
            world.complain(f"{one.name} lags {one.lag:.0f} s behind, for no reason")


# at the end


def at_the_end(world: SoakWorld) -> None:
    all_along(world, [])
    if world.process is None:
        world.complain("there is no service any more")
        return
    _told(world)
    _recovered(world)
    _alerts(world)
    _standing(world)
    held = _held(world)
    contacts = _contacts(world)
    for person in world.crowd.people:
        found = {name: world.sites[name].find(phone=person.phone) for name in NAMES}
        if any(found.values()):
            _counted(world, person.phone, found)
            _no_everywhere(world, person.phone, found)
            _agree(world, contacts.get(person.phone), found, held)


def _told(world: SoakWorld) -> None:
    """Within the poll interval and a minute, if nothing was wrong; else so long after it was well again."""
    for late in [told for told in world.ledger.smooth if told.late > 0]:
        world.complain(f"a no of {late.origin} reached {late.target} after {late.seconds:.0f} s")
    for late in [told for told in world.ledger.rough if told.late > 0]:
        world.complain(f"a no of {late.origin} reached {late.target} {late.late:.0f} s late after a trouble")
    for forgotten in world.ledger.forgotten():
        world.complain(f"a no was never told: {forgotten}")


def _recovered(world: SoakWorld) -> None:
    """The pauses between tries double: what was away for so long is back after as long again, and within the hour."""
    for name, lasted, waited in world.weather.recovered():
        if waited > min(LONGEST_PAUSE, 2 * lasted) + world.every[name] + JITTER + 2 * SLACK:
            world.complain(f"{name} was away for {lasted:.0f} s, and well again {waited:.0f} s after that")


def _alerts(world: SoakWorld) -> None:
    """Each told once when it broke, once when it healed; none of what was wrong is left."""
    told = Counter((news.incident, news.state) for news in world.news)
    for (incident, state), times in told.items():
        if times > 1:
            world.complain(f"{incident} was told as {state} {times} times")
        if state == "broken" and (incident, "healed") not in told and not incident.startswith(("silent:", "unusual:")):
            world.complain(f"{incident} never healed")


def _standing(world: SoakWorld) -> None:
    assert world.process is not None
    for one in world.process.standings():
        if one.state != "fine":
            world.complain(f"{one.name} is {one.state}: {one.why}")
    with world.process.store.look() as tx:
        for row in tx.outbox.listed(limit=100_000):
            if row.state != "dead":
                world.complain(f"still {row.state}: {row.kind} for {row.connection}, {row.reason}")
    made = sum(world.process.calls.values())
    if made > sum(site.calls.total() for site in world.sites.values()):
        world.complain("more calls were counted than made")


def _held(world: SoakWorld) -> set[tuple[Any, Any]]:
    """What a person can see waiting: fields of contacts, and records."""
    held: set[tuple[Any, Any]] = set()
    for hold in world.holds():
        if "field" in hold.detail:
            held.add((hold.contact_id, hold.detail["field"]))
        held |= {(hold.connection, each) for each in (hold.external_id, *hold.detail.get("records", ()))}
        world.counts[f"held: {hold.kind}"] += 1
    return held


def _contacts(world: SoakWorld) -> dict[str, int]:
    assert world.process is not None
    with world.process.store.look() as tx:
        return {str(contact.get("phone")): contact.id for contact in tx.contacts.all()}


def _counted(world: SoakWorld, phone: str, found: dict[str, list[str]]) -> None:
    for name, ids in found.items():
        least = 0 if phone in world.crowd.deleted or name not in MAKING else 1
        if not least <= len(ids) <= 1:
            world.complain(f"{len(ids)} records at {name} of one person, who is at {found}")


def _no_everywhere(world: SoakWorld, phone: str, found: dict[str, list[str]]) -> None:
    for channel in ("sms", "email"):
        if any((id_, channel) in world.sites[name].said_no for name, ids in found.items() for id_ in ids):
            for name, ids in found.items():
                for id_ in ids:
                    if channel in ABLE[name].consent_write and not world.sites[name].says_no(id_, channel):
                        world.complain(f"a no to {channel} did not reach {name}/{id_}")


def _agree(world: SoakWorld, contact: int | None, found: dict[str, list[str]], held: set[tuple[Any, Any]]) -> None:
    present = [(n, world.sites[n].rows[i]) for n, ids in found.items() for i in ids if (n, i) not in held]
    for name in ("city", "notes", "email"):
        can = [(n, row) for n, row in present if name in ABLE[n].update]
        values = {(row[name] or "").casefold() for n, row in can if name != "notes" or n not in world.noteless}
        if len(values) > 1 and (contact, name) not in held:
            world.complain(f"{name} of contact {contact} differs: {[(n, row[name]) for n, row in can]}")
    tags = [world.sites[n].tags(i) for n, ids in found.items() for i in ids if ABLE[n].remove_tags]
    if any(each != tags[0] for each in tags):
        world.complain(f"tags of contact {contact} differ: {tags}")
