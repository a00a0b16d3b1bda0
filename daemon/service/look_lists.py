"""What the page shows one by one: the last runs with their books, dead letters, holds, alerts, and who works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from daemon.service.look import Standing, standings
from daemon.service.look_figures import CLASSES, OUTREACH
from daemon.settings import Settings
from daemon.sync.plan import DISMISSED
from state.hours import HourRow
from state.model import Hold, Outreach, Owed
from state.store import Tx
from state.tables import alerts

SHOWN = 10
"""Of each kind; the command line lists them all."""
LOOKED_THROUGH = 200
"""Runs: the quiet ones among them are not shown."""
PARTS = ("changed", "unchanged", "out_of_scope", "held", "failed")
SENT = ("created", "updated", "opted_out", "outreaches")


@dataclass(frozen=True, slots=True)
class Books:
    """What one connection read and was sent in one run, and whether every record read is accounted for."""

    connection: str
    read: int
    parts: dict[str, int]
    sent: int
    refused: int
    paused: str | None

    @property
    def balanced(self) -> bool:
        return self.read == sum(self.parts.values())

    @property
    def quiet(self) -> bool:
        return not (self.read or self.sent or self.refused or self.paused)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `outcome`: None while it is under way, or was killed and nobody has gone on with it yet."""

    id: int
    started_at: float
    ended_at: float | None
    outcome: str | None
    books: list[Books]

    @property
    def quiet(self) -> bool:
        return self.outcome == "done" and all(each.quiet for each in self.books)


@dataclass(frozen=True, slots=True)
class Dead:
    """A push that was refused. `id` as `rosterd outbox list` shows it."""

    id: str
    connection: str
    kind: str
    what: str
    contact_id: int | None
    since: float
    why: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Alert:
    id: int
    kind: str
    connection: str | None
    text: str
    hint: str
    since: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The page."""

    at: float
    connections: list[Standing]
    runs: list[Run]
    dead: list[Dead]
    holds: list[Hold]
    hours: list[HourRow]
    alerts: list[Alert]
    doing: list[tuple[str, str]]  # each worker, and what it does

    def last_run(self, connection: str) -> Run | None:
        ended = (run for run in self.runs if run.ended_at is not None)
        return next((run for run in ended if any(b.connection == connection for b in run.books)), None)


def overview(tx: Tx, settings: Settings, now: float, *, hours: int) -> Overview:
    """Everything but what must be counted. `hours`: how far the charts look back."""
    return Overview(
        at=now,
        connections=standings(tx, settings, now),
        runs=[_run(row) for row in tx.runs.latest(LOOKED_THROUGH)],
        dead=list(_dead(tx)),
        holds=tx.holds.listed(limit=SHOWN),
        hours=tx.hours.since(int(now // 3600) - hours + 1),
        alerts=_alerts(tx),
        doing=_doing(tx),
    )


def _run(row: dict[str, Any]) -> Run:
    books = [_books(name, kept) for name, kept in row["books"].items()]
    return Run(row["id"], row["started_at"], row["ended_at"], row["outcome"], books)


def _books(name: str, kept: dict[str, Any]) -> Books:
    counts = Counter({key: value for key, value in kept.items() if isinstance(value, int)})
    parts, sent = {part: counts[part] for part in PARTS}, sum(counts[kind] for kind in SENT)
    return Books(name, counts["read"], parts, sent, counts["refused"], kept.get("paused"))


def _dead(tx: Tx) -> Iterator[Dead]:
    """The first few of each connection, a "no" before all others; not those that a person said to leave."""
    for name in tx.connections.all():
        yield from map(_dead_push, tx.outbox.listed(state="dead", connection=name, but=DISMISSED, limit=SHOWN))
        for act in tx.outreaches.listed(("dead",), connection=name, limit=SHOWN):
            yield _dead_outreach(act)


def _dead_push(push: Owed) -> Dead:
    what = "everything" if push.kind == "create" else ", ".join(push.owed)
    who, kind = push.contact_id, CLASSES[push.lane]
    return Dead(str(push.id), push.connection, kind, what, who, push.created_at, push.reason or "", push.attempts)


def _dead_outreach(act: Outreach) -> Dead:
    who, why = act.contact_id, act.reason or ""
    return Dead(f"o{act.id}", act.connection, OUTREACH, act.rule, who, act.created_at, why, act.attempts)


def _alerts(tx: Tx) -> list[Alert]:
    columns = [alerts.c[name] for name in ("id", "kind", "connection", "text", "hint", "since")]
    query = select(*columns).where(alerts.c.healed_at.is_(None)).order_by(alerts.c.id).limit(SHOWN)
    return [Alert(*row) for row in tx.db.execute(query)]


def _doing(tx: Tx) -> list[tuple[str, str]]:
    return [(worker.name, worker.doing) for worker in tx.workers.all() if worker.alive][:SHOWN]
