"""What a platform answered to a batch, recorded: what it stored is what we know of it from now on."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.platforms.base import Create, Exists, Gone, Lost, OptOut, Outcome, Record, Refused, Stored, Update
from daemon.sync import consent, optouts, plan, shared, tries, vanish
from daemon.sync.delivery import Delivery, people_of
from daemon.sync.heard import hear
from daemon.sync.intake import prepare, take_one
from daemon.sync.merge import as_list, value_of, within, without
from daemon.sync.people import People
from daemon.sync.render import Letter
from mappings.contact import SETS
from state.model import CREATE_LANE, Link
from state.store import Tx


def record(tx: Tx, delivery: Delivery, letters: Sequence[Letter], outcomes: Sequence[Outcome]) -> None:
    people = people_of(tx, delivery, [letters[outcome.ref].owed for outcome in outcomes])
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
