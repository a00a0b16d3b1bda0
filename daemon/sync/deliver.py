"""Delivery: what one connection is owed, sent in batches, and what the platform answered, recorded.

    outbox  ->  (read again, where the platform cannot compare and swap)  ->  render  ->  push  ->  receipt  ->  record

Nothing is sent before the intention is on disk; every push may be repeated: an update is guarded by the version it
was planned against, a create by an exact look-up, an opt-out is the same twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from daemon.errors import RosterdError
from daemon.platforms.base import (
    Connector,
    Create,
    Exists,
    Gone,
    Lost,
    OptOut,
    Outcome,
    Record,
    Refused,
    Stored,
    Update,
)
from daemon.platforms.gate import Freshness
from daemon.sync import consent, optouts, plan, shared, tries, vanish
from daemon.sync.heard import hear
from daemon.sync.intake import prepare, take_in, take_one
from daemon.sync.merge import as_list, value_of, within, without
from daemon.sync.people import People
from daemon.sync.planned import Selection
from daemon.sync.reading import Pass
from daemon.sync.render import Letter, Passes, render
from daemon.sync.roster import Roster, Side
from mappings.contact import SETS
from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Link, Owed
from state.store import Tx

BATCH = 200
SHORT_BATCH = 40
"""In a long run: what is more urgent waits for no more than these. Also where a platform takes many a call: new people
are looked up one by one there, too, and 200 of them took two minutes."""
ROUNDS = 4
"""A push that lost a race is planned again at once; after so many it waits for the next run."""
FRESH = 120.0
"""How old, in seconds, a complete reading may be to count as the reading before a bulk write."""
FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0
"""Seconds until a push that could not be sent, though nothing is wrong with its connection, is tried again."""
DOUBLINGS = 10
"""More of them make no wait longer."""
LANES = (CONSENT_LANE, UPDATE_LANE, CREATE_LANE)
BULK = 25
"""From this many updates on, a platform without compare-and-swap is written from a fresh complete reading."""


class Stop(Protocol):
    """Says when to end, like an event."""

    def is_set(self) -> bool: ...


@dataclass(slots=True)
class Delivery:
    """One connection's delivery in one run."""

    roster: Roster
    reading: Pass
    connector: Connector
    stop: Stop
    read_at: float | None = None  # when a complete reading of the connection began in this run, if there was one
    these: Selection | None = None  # only these, past the fuse; None: whatever is owed and has passed it
    only_no: bool = False  # opt-outs alone: not every connection has been read whole, or it is night there
    served: bool = False  # a turn of a long run: a "no" does not wait for the end of a backlog
    as_fresh: Callable[[Freshness], AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
    tried: set[int] = field(default_factory=set)  # rows of the outbox that were, whatever became of them
    said_no: set[int] = field(default_factory=set)  # ... of them those that are a "no"
    refreshed: set[str] = field(default_factory=set)
    again: bool = False

    @property
    def side(self) -> Side:
        return self.reading.side

    @property
    def states(self) -> tuple[str, ...]:
        """Of the rows of the outbox that may be sent."""
        return ("open",) if self.these is None else ("open", "held")

    @property
    def size(self) -> int:
        """How many pushes make a batch."""
        return SHORT_BATCH if self.served else BATCH

    @property
    def passes(self) -> Passes:
        return (lambda *_: True) if self.these is None else self.these.passes


def deliver(delivery: Delivery) -> None:
    """Send what is owed. What concerns the whole connection (busy, unpaid, key refused) is raised, after everything
    that was answered has been recorded."""
    for _ in range(ROUNDS):
        delivery.again = False
        after = (-1, 0)
        while not delivery.stop.is_set() and (rows := _next(delivery, after)):
            after = (rows[-1].lane, rows[-1].id or 0)
            _send(delivery, rows)
            if delivery.served and after[0] != CONSENT_LANE:
                deliver_no(delivery)
        if not delivery.again:
            return


def deliver_no(delivery: Delivery) -> None:
    """Send every "no" that has come since; each is tried once, whatever becomes of it."""
    while rows := [row for row in _due(delivery, lanes=(CONSENT_LANE,)) if row.id not in delivery.said_no]:
        _send(delivery, rows)


def postpone(delivery: Delivery) -> None:
    """In a long run, what could not be sent is tried again after a while, less and less often, not at once. What has
    come since the last look at the outbox was not tried, and does not wait."""
    with delivery.roster.store.transaction() as tx:
        now = delivery.roster.clock()
        lanes = (CONSENT_LANE,) if delivery.only_no else LANES
        due = tx.outbox.due(delivery.side.name, now, BATCH, passed=True, lanes=lanes)
        rows = [row for row in due if row.id in delivery.tried]
        for row in rows:
            row.due_at = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(row.attempts, DOUBLINGS))
            row.attempts += 1
        tx.outbox.put(rows)


def _next(delivery: Delivery, after: tuple[int, int]) -> list[Owed]:
    """The next batch, of one lane: an opt-out changes the record's version, which an edit sent after it must carry."""
    rows = _due(delivery, after=after)
    if not rows or (delivery.only_no and rows[0].lane != CONSENT_LANE):
        return []
    return [row for row in rows if row.lane == rows[0].lane]


def _due(delivery: Delivery, *, after: tuple[int, int] = (-1, 0), lanes: Collection[int] = LANES) -> list[Owed]:
    """What is owed and, unless a person has looked at it, has passed the fuse. Whoever calls us does not wait for the
    time of a retry."""
    now = delivery.roster.clock() if delivery.served else float("inf")
    passed = delivery.these is None
    with delivery.roster.store.look() as tx:
        return tx.outbox.due(
            *(delivery.side.name, now, delivery.size), after=after, states=delivery.states, passed=passed, lanes=lanes
        )


def _send(delivery: Delivery, rows: list[Owed]) -> None:
    """One batch, of one lane."""
    store, side = delivery.roster.store, delivery.side
    lane = rows[0].lane
    delivery.tried.update(row.id for row in rows if row.id)
    if lane == CONSENT_LANE:
        delivery.said_no.update(row.id for row in rows if row.id)
    if delivery.these is not None:
        rows = [row for row in rows if delivery.these.concerns(row)]
    with delivery.as_fresh(Freshness(lane)):
        _read_before_write(delivery, rows)
        with store.transaction() as tx:
            rows = [
                row
                for row in tx.outbox.get([row.id for row in rows if row.id])
                if row.state in delivery.states and row.connection == side.name
            ]
            rows.sort(key=lambda row: (row.lane, row.id or 0))
            people = _people(tx, delivery, rows)
            people.pushes.update({row.key: row for row in rows})
            letters = render(people, side, rows, delivery.passes)
            people.flush()
        outcomes, problem = _push(delivery, letters)
    if outcomes:
        with store.transaction() as tx:
            _record(tx, delivery, letters, outcomes)
    if problem is not None:
        raise problem


def _people(tx: Tx, delivery: Delivery, rows: Sequence[Owed]) -> People:
    people = People(tx, delivery.roster, now=delivery.roster.clock(), run=delivery.reading.run)
    people.load_records(delivery.side.name, {row.external_id for row in rows if row.external_id})
    people.load_contacts({row.contact_id for row in rows if row.contact_id is not None})
    keys = {i for c in list(people.contacts) for i in people.identifiers_of(c)}
    people.load_owners(keys)
    return people


def _read_before_write(delivery: Delivery, rows: Sequence[Owed]) -> None:
    """Where the platform cannot compare and swap, read the records again: an edit made since must not be overrun.
    Where it can, only those of which we have no version."""
    wanted = [r.external_id for r in rows if r.lane == UPDATE_LANE and r.external_id not in delivery.refreshed]
    ids = [each for each in wanted if each is not None]
    if delivery.side.capabilities.compare_and_swap:
        _take_in(delivery, list(delivery.connector.fetch(_unread(delivery, ids))))
        return
    delivery.refreshed.update(ids)
    read_at = delivery.read_at
    fresh = read_at is not None and delivery.roster.clock() - read_at <= FRESH
    if ids and not (fresh and len(ids) >= BULK):
        _take_in(delivery, list(delivery.connector.fetch(ids)))


def _unread(delivery: Delivery, ids: Sequence[str]) -> list[str]:
    """Records we made and were not told the version of: there is nothing to compare with yet."""
    with delivery.roster.store.look() as tx:
        links = tx.links.of_records(delivery.side.name, ids)
    return [link.external_id for link in links.values() if link.version is None]


def _take_in(delivery: Delivery, records: Sequence[Record], *, invited: bool = False) -> None:
    if not records:
        return
    heard = hear(delivery.side, records, delivery.reading.window, invited=invited)
    with delivery.roster.store.transaction() as tx:
        take_in(tx, delivery.roster, delivery.reading, heard, counted=False)


def _push(delivery: Delivery, letters: Sequence[Letter]) -> tuple[list[Outcome], RosterdError | None]:
    outcomes: list[Outcome] = []
    if not letters:
        return outcomes, None
    try:
        for outcome in delivery.connector.push([letter.push for letter in letters]):
            outcomes.append(outcome)  # noqa: PERF402 - what came before an exception must be kept
    except RosterdError as problem:
        return outcomes, problem
    return outcomes, None


# what the platform answered


def _record(tx: Tx, delivery: Delivery, letters: Sequence[Letter], outcomes: Sequence[Outcome]) -> None:
    people = _people(tx, delivery, [letters[outcome.ref].owed for outcome in outcomes])
    records = [o.record for o in outcomes if isinstance(o, Stored | Lost) and o.record is not None]
    records += [record for o in outcomes if isinstance(o, Exists) for record in o.records]
    prepare(people, delivery.side, hear(delivery.side, records, delivery.reading.window))
    for outcome in outcomes:
        letter = letters[outcome.ref]
        current = people.push(letter.owed.key)
        if current is not None:
            letter.owed = current
        _record_one(people, delivery, letter, outcome)
        if delivery.these is not None:
            delivery.these.answered(letter, outcome)
    optouts.reach_strays(people)
    people.flush()


def _record_one(people: People, delivery: Delivery, letter: Letter, outcome: Outcome) -> None:
    match outcome, letter.push:
        case Stored(), OptOut():
            _told_no(people, delivery, letter, outcome)
        case Stored(), Update():
            _updated(people, delivery, letter, outcome)
        case Stored(), Create():
            _created(people, delivery, letter, outcome)
        case Exists(), Update():
            _taken(people, delivery, letter, outcome)
        case Exists(), _:
            _exists(people, delivery, letter, outcome)
        case Lost(), _:
            _lost(people, delivery, letter, outcome)
        case Gone(), _:
            _gone(people, letter)
        case Refused(), _:
            _refused(people, delivery, letter, outcome)


def _hear_one(people: People, delivery: Delivery, record: Record, *, receipt: bool, invited: bool = False) -> None:
    window = delivery.reading.window
    for heard in hear(delivery.side, [record], window, receipt=receipt, invited=invited):
        take_one(people, delivery.reading, heard)


def _told_no(people: People, delivery: Delivery, letter: Letter, outcome: Stored) -> None:
    channel = letter.channel
    assert channel is not None
    link = people.records[delivery.side.name, outcome.external_id]
    if consent.report(link, channel) != consent.NO and channel not in link.told:
        link.told = sorted({*link.told, channel})
    link.seen[consent.field(channel)] = consent.NO
    people.save(link)
    letter.owed.owed.pop(channel, None)
    people.owe(letter.owed) if letter.owed.owed else people.forget(letter.owed.key)
    people.note("told_no", {"channel": channel}, contact=link.contact_id, link=link)
    delivery.reading.books.opted_out += 1
    delivery.reading.told.add((outcome.external_id, channel))
    delivery.reading.told_after.append(_waited(people, link, letter, channel))
    if outcome.record is not None:
        _hear_one(people, delivery, outcome.record, receipt=False)


def _waited(people: People, link: Link, letter: Letter, channel: consent.Channel) -> float:
    """Seconds since the "no" was said, as far as anybody knows: one that is older than a day was said before we
    listened, and counts from when we heard it."""
    heard = letter.owed.created_at
    entry = people.contacts[link.contact_id].fields.get(consent.field(channel)) if link.contact_id is not None else None
    said = heard if entry is None or not 0 <= heard - entry.at <= 86400.0 else entry.at
    return max(0.0, people.now - said)


def _updated(people: People, delivery: Delivery, letter: Letter, outcome: Stored) -> None:
    link = people.records[delivery.side.name, outcome.external_id]
    people.note("told", dict(letter.sent), contact=link.contact_id, link=link)
    delivery.reading.books.updated += 1
    _no_longer_owed(people, letter, link)
    link.sent = dict(letter.sent)
    if outcome.record is not None:
        _hear_one(people, delivery, outcome.record, receipt=True)
    else:
        link.digest = ""  # the next reading is the receipt
        people.save(link)


def _no_longer_owed(people: People, letter: Letter, link: Link) -> None:
    """What was sent is not owed any more, unless the contact has moved on meanwhile."""
    row = people.push(letter.owed.key)
    if row is None or link.contact_id is None:
        return
    fields = people.contacts[link.contact_id].fields
    tags = row.owed.get("tags")
    row.owed = {
        name: what
        for name, what in row.owed.items()
        if name not in letter.sent or (name != "tags" and value_of(fields, name) != letter.sent[name])
    }
    if tags is not None and "tags" in letter.sent:
        arrived = as_list(letter.sent["tags"])
        left = {"add": without(tags["add"], arrived), "remove": within(arrived, tags["remove"])}
        row.owed |= {"tags": left} if left["add"] or left["remove"] else {}
    people.owe(row) if row.owed else people.forget(row.key)


def _created(people: People, delivery: Delivery, letter: Letter, outcome: Stored) -> None:
    push, side = letter.push, delivery.side
    assert isinstance(push, Create)
    assert letter.owed.contact_id is not None
    contact = people.survivor(letter.owed.contact_id)  # it may have been merged while the push was on its way
    told = tries.echoes(side, push)
    link = Link(side.name, outcome.external_id, "linked", contact.id, sent=dict(letter.sent), told=told)
    link.sweep = delivery.reading.sweep
    link.seen = {f"consent.{channel}": consent.NO for channel in told}
    people.attach(link, contact)
    people.note("created", dict(letter.sent), contact=contact.id, link=link)
    people.forget(letter.owed.key)
    delivery.reading.books.created += 1
    if outcome.record is not None:
        _hear_one(people, delivery, outcome.record, receipt=True)
    since = [n for n in side.updatable - set(SETS) if value_of(contact.fields, n) != letter.sent.get(n)]
    tags = without(as_list(contact.get("tags")), as_list(letter.sent.get("tags")))
    plan.owe(people, contact, link, since, {"tags": (tags, [])} if outcome.record is None else {})


def _exists(people: People, delivery: Delivery, letter: Letter, outcome: Exists) -> None:
    """The exact look-up found records: they are taken in, whatever their scope; then the person is known there."""
    tries.not_made(people, letter.owed)
    for record in outcome.records:
        _hear_one(people, delivery, record, receipt=False, invited=True)
    contact_id = letter.owed.contact_id
    assert contact_id is not None
    if people.linked_at(contact_id, delivery.side.name) or people.contacts[contact_id].merged_into is not None:
        people.forget(letter.owed.key)
        delivery.again = True
        return
    letter.owed.reason = "a record there has this phone or email; see rosterd holds"
    records = [record.external_id for record in outcome.records]
    owners = [link.contact_id for link in _known(people, delivery, outcome)]
    shared.hold_create(people, delivery.side, letter.owed, owners, shared.MAYBE, records=records)


def _known(people: People, delivery: Delivery, outcome: Exists) -> list[Link]:
    """The records that were found, as they were taken in."""
    found = [people.records.get((delivery.side.name, record.external_id)) for record in outcome.records]
    return [link for link in found if link is not None]


def _taken(people: People, delivery: Delivery, letter: Letter, outcome: Exists) -> None:
    """Nothing was written: another record has the phone or email. That is held; the rest goes again."""
    for record in outcome.records:
        _hear_one(people, delivery, record, receipt=False)
    link = people.records[delivery.side.name, letter.owed.external_id or ""]
    link.sent = {name: what for name, what in (link.sent or {}).items() if name not in letter.sent} or None
    people.save(link)
    others = _known(people, delivery, outcome)
    for name in shared.taken(others, letter.sent):
        shared.hold_field(people, link, name, [other.contact_id for other in others])
    delivery.again = True


def _lost(people: People, delivery: Delivery, letter: Letter, outcome: Lost) -> None:
    """The record moved since we planned: read again, merge again, plan again."""
    link = people.records.get((delivery.side.name, letter.owed.external_id or ""))
    people.note("race_lost", {}, contact=letter.owed.contact_id, link=link)
    if outcome.record is not None:
        _hear_one(people, delivery, outcome.record, receipt=False)
    row = people.push(letter.owed.key)
    if row is not None:
        row.attempts += not delivery.served  # a turn counts as one: see `postpone`
        people.owe(row)
        delivery.again = True


def _gone(people: People, letter: Letter) -> None:
    row = letter.owed
    link = people.records.get((row.connection, row.external_id or ""))
    if link is not None:
        vanish.let_go(people, link)
    people.forget(row.key)


def _refused(people: People, delivery: Delivery, letter: Letter, outcome: Refused) -> None:
    """A dead letter: kept with its reason, tried again by command or when the contact changes."""
    row = letter.owed
    row.state, row.reason, row.attempts = "dead", outcome.reason, row.attempts + 1
    people.owe(row)
    link = people.records.get((row.connection, row.external_id or ""))
    if link is not None and row.lane != CREATE_LANE:
        link.sent = None
        people.save(link)
    people.note("refused", {"reason": outcome.reason}, contact=row.contact_id, link=link, connection=row.connection)
    delivery.reading.books.refused += 1
