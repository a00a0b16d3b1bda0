"""Delivery: what one connection is owed, sent in batches, and what the platform answered, recorded.

    outbox  ->  (read again, where the platform cannot compare and swap)  ->  render  ->  push  ->  receipt  ->  record

Nothing is sent before the intention is on disk; every push may be repeated: an update is guarded by the version it
was planned against, a create by an exact look-up, an opt-out is the same twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from daemon.errors import RosterdError
from daemon.platforms.base import Outcome, Record
from daemon.platforms.gate import Freshness
from daemon.sync import answered
from daemon.sync.delivery import BATCH, Delivery, people_of
from daemon.sync.heard import hear
from daemon.sync.intake import take_in
from daemon.sync.render import Letter, render
from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Owed

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
            people = people_of(tx, delivery, rows)
            people.pushes.update({row.key: row for row in rows})
            letters = render(people, side, rows, delivery.passes)
            people.flush()
        outcomes, problem = _push(delivery, letters)
    if outcomes:
        with store.transaction() as tx:
            answered.record(tx, delivery, letters, outcomes)
    if problem is not None:
        raise problem


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
    fresh = read_at is not None and 0 <= delivery.roster.clock() - read_at <= FRESH
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
