"""What is counted: the outbox, dead letters, holds, alerts, workers and runs. Counting costs; see `patience.Kept`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, select

from daemon.service.look import Standing, standings
from daemon.settings import Settings
from daemon.sync.plan import DISMISSED
from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE
from state.store import Tx
from state.tables import alerts, links, outbox, outreaches, runs

CLASSES = {CONSENT_LANE: "consent", UPDATE_LANE: "profile", CREATE_LANE: "backfill"}
"""The classes of freshness, by lane, in the order they are sent."""
OUTREACH = "outreach"

DAY = 86400.0


class Owed(NamedTuple):
    """How many pushes of one class are owed to a connection, and since when the oldest. `state`: open, held, dead."""

    connection: str
    kind: str
    state: str
    pushes: int
    oldest_at: float | None


class Sweep(NamedTuple):
    """How far a complete reading has come: records read so far, of those known before."""

    read: int
    known: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What /metrics tells, and the page's counts."""

    at: float
    connections: list[Standing]
    owed: list[Owed]
    holds: dict[str, int]
    alerts: dict[str, int]
    workers: int
    outcomes: dict[str, int]
    sweeps: dict[str, Sweep]


def figures(tx: Tx, settings: Settings, now: float) -> Figures:
    found = standings(tx, settings, now)
    return Figures(
        at=now,
        connections=found,
        owed=[*_pushes(tx), *_outreaches(tx)],
        holds=tx.holds.counts(),
        alerts=_open_alerts(tx),
        workers=sum(worker.alive for worker in tx.workers.all()),
        outcomes=_outcomes(tx, now - DAY),
        sweeps={one.name: _sweep(tx, one) for one in found if one.sweeping},
    )


def _pushes(tx: Tx) -> list[Owed]:
    """Walks one index. Ids are handed out in order, so the lowest is the oldest."""
    group = (outbox.c.connection, outbox.c.state, outbox.c.lane)
    rows = tx.db.execute(select(*group, func.count(), func.min(outbox.c.id)).group_by(*group).order_by(*group)).all()
    since, left = _created(tx, outbox, [row[-1] for row in rows]), _left_for_good(tx)
    found = []
    for name, state, lane, count, first in rows:
        count -= left.get((name, lane), 0) if state == "dead" else 0
        if count:
            found.append(Owed(name, CLASSES[lane], state, count, since.get(first)))
    return found


def _left_for_good(tx: Tx) -> dict[tuple[str, int], int]:
    """Dead pushes that a person has decided to leave: they wait for nobody."""
    names = list(tx.connections.all())
    mine = outbox.c.connection.in_(names), outbox.c.state == "dead", outbox.c.reason == DISMISSED
    group = (outbox.c.connection, outbox.c.lane)
    rows = tx.db.execute(select(*group, func.count()).where(*mine).group_by(*group))
    return {(name, lane): count for name, lane, count in rows}


def _outreaches(tx: Tx) -> list[Owed]:
    """Those that are not over, in the words of the outbox."""
    group = (outreaches.c.connection, outreaches.c.state)
    names = list(tx.connections.all())
    mine = outreaches.c.connection.in_(names), outreaches.c.state.in_(("owed", "sending", "held", "dead"))
    counted = select(*group, func.count(), func.min(outreaches.c.id)).where(*mine).group_by(*group).order_by(*group)
    rows = tx.db.execute(counted).all()
    since = _created(tx, outreaches, [row[-1] for row in rows])
    words = {"owed": "open", "sending": "open"}
    found: dict[tuple[str, str], Owed] = {}
    for name, state, count, first in rows:
        key = name, words.get(state, state)
        before = found.get(key, Owed(name, OUTREACH, key[1], 0, None))
        oldest = min(at for at in (before.oldest_at, since.get(first)) if at is not None)
        found[key] = before._replace(pushes=before.pushes + count, oldest_at=oldest)
    return list(found.values())


def _created(tx: Tx, table: Any, ids: list[int]) -> dict[int, float]:
    rows = tx.db.execute(select(table.c.id, table.c.created_at).where(table.c.id.in_(ids))) if ids else ()
    return {row.id: row.created_at for row in rows}


def _open_alerts(tx: Tx) -> dict[str, int]:
    count = func.count().label("open")
    query = select(alerts.c.kind, count).where(alerts.c.healed_at.is_(None)).group_by(alerts.c.kind)
    return {row.kind: row.open for row in tx.db.execute(query)}


def _outcomes(tx: Tx, since: float) -> dict[str, int]:
    query = select(runs.c.outcome, func.count()).where(runs.c.ended_at >= since).group_by(runs.c.outcome)
    return {outcome or "unknown": count for outcome, count in tx.db.execute(query)}


def _sweep(tx: Tx, one: Standing) -> Sweep:
    """Both counts walk an index only."""
    mine = select(func.count()).select_from(links).where(links.c.connection == one.name)
    known = tx.db.execute(mine).scalar_one()
    return Sweep(int(tx.db.execute(mine.where(links.c.sweep == one.sweep)).scalar_one()), int(known))
