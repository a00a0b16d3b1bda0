"""How long things are kept: what is old and explains nothing any more is removed, a little at a time.

What is never removed, however old: contacts, links, suppressions, decisions, outreaches, whatever is owed, open holds;
and of the journal everything that `PRUNABLE` does not name. An event that is not named stays: forgetting to classify
one costs disk, not evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Tuple,
    and_,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import insert as new

from state.model import loads
from state.store import Tx
from state.tables import alerts, counters, holds, hours, journal, runs

PRUNABLE: Mapping[str, str] = {
    "took": "the contact's field says itself since when, from where and how it has its value",
    "overruled": "the side that lost was told the winning value",
    "told": "the link's `seen` is what that side says it has",
    "race_lost": "read again and sent again: `told` follows",
    "failed": "the link's `reason` says why it cannot be read, as long as it cannot",
    "unwritable": "its hold says so until a person has seen it",
    "not_stored": "its hold says so until a person has seen it",
    "not_sent": "its hold says so until a person has seen it",
    "flipping": "its hold says so until a person has decided, and `decided` stays",
    "foreign_write": "the sightings that count are with the facts of the connection",
}
"""Events of the journal that may go once they are old enough, and why nothing is missing then. Not even these when
they speak of consent, or of somebody about whom a hold is open."""

KEPT: Mapping[str, str] = {
    "linked": "why this record is this person's: identity is never unexplained",
    "created": "which records were made by us, and what consent they were made with",
    "merged": "holds what both were: `rosterd unmerge` reads it",
    "unmerged": "why two who once were one are kept apart",
    "decided": "a person's word",
    "consent": 'the evidence of a "no" or a yes',
    "told_no": 'that a "no" was passed on, where and when',
    "refused": 'it may be a "no" that was refused',
    "vanished": 'why a "no" outlives its record',
    "returned": "the other half of vanished",
    "dropped": "a person's word",
    "retried": "a person's word",
    "mapping_changed": "why everybody was read and planned again",
    "outreach_owed": "an outreach fires once: its story is kept like its row",
    "outreach_sent": "likewise",
    "outreach_found": "likewise",
    "outreach_refused": "likewise",
    "outreach_held": "likewise",
}
"""Events that stay for good, and why."""

WATERMARK = "journal pruned up to"
"""The counter with the id up to which the journal was gone through: the rows that stay are not looked at again."""
SPAN = 20
"""So many rows are gone through for each that may be removed, at most: what stays must not make a call long."""
SOME = 500


@dataclass(frozen=True, slots=True)
class Ages:
    """How old, in seconds, each may become."""

    journal: float
    runs: float
    hours: float
    holds: float


@dataclass(slots=True)
class Pruned:
    """How many rows of each table were removed. `more`: some are left that are old enough."""

    rows: dict[str, int] = field(default_factory=dict)
    more: bool = False

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def add(self, table: str, count: int, *, more: bool) -> None:
        if count:
            self.rows[table] = self.rows.get(table, 0) + count
        self.more |= more

    def add_all(self, other: Pruned) -> None:
        for table, count in other.rows.items():
            self.add(table, count, more=False)


def prune(tx: Tx, *, now: float, ages: Ages, rows: int) -> Pruned:
    """Remove what is older than that, at most `rows` rows of each table, within this transaction."""
    done = Pruned()
    _journal(tx.db, done, now - ages.journal, rows)
    for table, old in _old(now, ages).items():
        key = tuple_(*table.primary_key)
        some = [tuple(row) for row in tx.db.execute(select(*table.primary_key).where(old).limit(rows))]
        _delete(tx.db, table, key, some)
        done.add(table.name, len(some), more=len(some) == rows)
    return done


def would_prune(tx: Tx, *, now: float, ages: Ages) -> Pruned:
    """What `prune`, called until no more is left, would remove. Only looks."""
    found = Pruned()
    for table, old in _old(now, ages).items():
        found.add(table.name, int(tx.db.execute(select(func.count()).where(old)).scalar_one()), more=False)
    end, after = boundary(tx.db, now - ages.journal), 0
    while after < end:
        ids, after = _window(tx.db, after, end, now - ages.journal, SOME)
        found.add(journal.name, len(ids), more=False)
    return found


def go_through_again(tx: Tx) -> None:
    """Let the next `prune` begin with the oldest row of the journal: to find what a hold, now decided, had spared."""
    _set_watermark(tx.db, 0)


def _old(now: float, ages: Ages) -> dict[Table, ColumnElement[bool]]:
    """A run that has not ended, a hold that is open and an alert that has not healed are never old."""
    told = or_(alerts.c.told_at.is_(None), alerts.c.healed_told_at.is_not(None))
    return {
        runs: runs.c.ended_at < now - ages.runs,
        hours: hours.c.hour < int((now - ages.hours) // 3600),
        holds: and_(holds.c.state == "decided", holds.c.decided_at < now - ages.holds),
        alerts: and_(alerts.c.healed_at < now - ages.runs, told),
    }


def _delete(db: Connection, table: Table, key: Tuple, some: Collection[tuple[object, ...]]) -> None:
    rows = list(some)
    for start in range(0, len(rows), SOME):
        db.execute(delete(table).where(key.in_(rows[start : start + SOME])))


# the journal


def _journal(db: Connection, done: Pruned, before: float, rows: int) -> None:
    after = _watermark(db)
    if not _older(db, after, before):
        return
    end = boundary(db, before, after)
    ids, upto = _window(db, after, end, before, rows)
    _delete(db, journal, tuple_(journal.c.id), [(each,) for each in ids])
    _set_watermark(db, upto)
    done.add(journal.name, len(ids), more=upto < end)


def _older(db: Connection, after: int, before: float) -> bool:
    """Whether the first row not yet gone through is old: one look, on most days the only one."""
    row = _next(db, after + 1)
    return row is not None and row.at < before


def _next(db: Connection, number: int) -> Row[Any, Any] | None:
    query = select(journal.c.id, journal.c.at).where(journal.c.id >= number)
    return db.execute(query.order_by(journal.c.id).limit(1)).first()


def boundary(db: Connection, before: float, after: int = 0) -> int:
    """The last id of the journal that is older than `before`, beyond `after`: ids grow with time, and the time has no
    index of its own. Some thirty look-ups among a billion rows."""
    low, high = after, int(db.execute(select(func.max(journal.c.id))).scalar() or 0)
    while low < high:
        middle = (low + high + 1) // 2
        row = _next(db, middle)
        if row is not None and row.at < before:
            low = int(row.id)
        else:
            high = middle - 1
    return low


def _window(db: Connection, after: int, end: int, before: float, rows: int) -> tuple[list[int], int]:
    """The ids of the next rows that may go, and up to which id that was all of them."""
    upto = _upto(db, after, end, rows * SPAN)
    found = list(db.execute(_candidates(after, upto, before).limit(rows)))
    if len(found) == rows:
        upto = int(found[-1].id)
    spared = _spared(db, found)
    return [int(row.id) for row in found if row.id not in spared], upto


def _upto(db: Connection, after: int, end: int, span: int) -> int:
    here = select(journal.c.id).where(journal.c.id > after, journal.c.id <= end).order_by(journal.c.id)
    last = db.execute(here.offset(span - 1).limit(1)).scalar()
    return end if last is None else int(last)


def _candidates(after: int, upto: int, before: float) -> Select[Any]:
    """A clock that was wrong for a while may have written a later time in between: `at` is asked, too."""
    columns = (journal.c.id, journal.c.contact_id, journal.c.connection, journal.c.external_id)
    mine = (journal.c.id > after, journal.c.id <= upto, journal.c.at < before, journal.c.event.in_(sorted(PRUNABLE)))
    return select(*columns).where(*mine, journal.c.detail.not_like('%"consent.%')).order_by(journal.c.id)


def _spared(db: Connection, found: Collection[Row[Any]]) -> set[int]:
    """Of these rows, those about a contact or a record with an open hold."""
    spared: set[int] = set()
    if not found:
        return spared
    by_contact: dict[int, list[int]] = {}
    by_record: dict[tuple[str | None, str], list[int]] = {}
    for row in found:
        if row.contact_id is not None:
            by_contact.setdefault(row.contact_id, []).append(row.id)
        if row.external_id is not None:
            by_record.setdefault((row.connection, row.external_id), []).append(row.id)
    for contacts, records in _held(db):
        spared.update(each for contact in contacts for each in by_contact.get(contact, ()))
        spared.update(each for record in records for each in by_record.get(record, ()))
    return spared


def _held(db: Connection) -> Iterator[tuple[set[int], set[tuple[str | None, str]]]]:
    """For each open hold, the contacts and the records it is about."""
    query = select(holds.c.connection, holds.c.external_id, holds.c.contact_id, holds.c.detail)
    for row in db.execute(query.where(holds.c.state == "open").execution_options(yield_per=SOME)):
        detail = loads(row.detail)
        contacts = {int(each) for each in detail.get("contacts") or ()} | ({row.contact_id} - {None})
        records = {(row.connection, str(each)) for each in (*(detail.get("records") or ()), row.external_id) if each}
        yield contacts, records


def _watermark(db: Connection) -> int:
    return int(db.execute(select(counters.c.value).where(counters.c.name == WATERMARK)).scalar() or 0)


def _set_watermark(db: Connection, value: int) -> None:
    mine = counters.c.name == WATERMARK
    if db.execute(update(counters).where(mine).values(value=value)).rowcount == 0:
        db.execute(new(counters).values(name=WATERMARK, value=value))
