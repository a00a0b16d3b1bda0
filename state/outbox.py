"""The outbox: pushes owed, one open row for each connection, target and lane."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, ScalarSelect, bindparam, delete, func, select, update

from state.bulk import add_rows
from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Owed, dumps, loads, storable_or_none
from state.tables import outbox

_COLUMNS = ("contact_id", "kind", "owed", "state", "approved", "attempts", "due_at", "reason")
_UPDATE = (
    update(outbox).where(outbox.c.id == bindparam("key")).values({name: bindparam("new_" + name) for name in _COLUMNS})
)
_ORDERED = select(outbox).order_by(outbox.c.id)


def _first(lane: int, approved: int) -> ScalarSelect[float]:
    mine = (outbox.c.connection == bindparam("connection"), outbox.c.state == "open")
    return (
        select(func.min(outbox.c.due_at))
        .where(*mine, outbox.c.lane == lane, outbox.c.approved == approved)
        .scalar_subquery()
    )


_FIRST_DUE = select(
    *(_first(lane, approved) for lane in (CONSENT_LANE, UPDATE_LANE, CREATE_LANE) for approved in (0, 1))
)


def _by_class(found: Sequence[float | None]) -> Iterator[tuple[float | None, float | None]]:
    """Of what `_FIRST_DUE` found: a "no", others past the fuse, others that it has not counted."""
    no, no_too, update_new, update_passed, create_new, create_passed = found
    yield from ((no, no_too), (update_passed, create_passed), (update_new, create_new))


def _not_before(at: float | None, now: float) -> float | None:
    return None if at is None else max(at, now)


def _owed(row: Any) -> Owed:
    return Owed(
        connection=row.connection,
        lane=row.lane,
        contact_id=row.contact_id,
        external_id=row.external_id,
        kind=row.kind,
        owed=loads(row.owed),
        state=row.state,
        approved=row.approved,
        attempts=row.attempts,
        due_at=row.due_at,
        reason=row.reason,
        created_at=row.created_at,
        id=row.id,
    )


def _row(push: Owed) -> dict[str, Any]:
    """In the order of `_COLUMNS`."""
    return {
        "contact_id": push.contact_id,
        "kind": push.kind,
        "owed": dumps(push.owed),
        "state": push.state,
        "approved": push.approved,
        "attempts": push.attempts,
        "due_at": push.due_at,
        "reason": storable_or_none(push.reason),
    }


class Outbox:
    """The pushes owed, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def of_contacts(self, ids: Collection[int]) -> list[Owed]:
        if not ids:
            return []
        return [_owed(r) for r in self._db.execute(_ORDERED.where(outbox.c.contact_id.in_(ids)))]

    def of_targets(self, connection: str, targets: Collection[str]) -> list[Owed]:
        if not targets:
            return []
        query = _ORDERED.where(outbox.c.connection == connection, outbox.c.target.in_(targets))
        return [_owed(r) for r in self._db.execute(query)]

    def due(
        self,
        connection: str,
        now: float,
        limit: int,
        *,
        after: tuple[int, int] = (-1, 0),
        states: Collection[str] = ("open",),
        passed: bool = False,
        lanes: Collection[int] = (CONSENT_LANE, UPDATE_LANE, CREATE_LANE),
    ) -> list[Owed]:
        """Rows in these states and lanes whose time has come, a "no" first, then in the order they arose, past (lane,
        id) `after`. `passed`: only what has passed the fuse, or need not."""
        lane, last = after
        query = select(outbox).where(
            outbox.c.connection == connection,
            outbox.c.state.in_(states),
            outbox.c.due_at <= now,
            outbox.c.lane.in_(lanes),
            (outbox.c.lane > lane) | ((outbox.c.lane == lane) & (outbox.c.id > last)),
        )
        if passed:
            query = query.where((outbox.c.lane == CONSENT_LANE) | (outbox.c.approved == 1))
        return [_owed(r) for r in self._db.execute(query.order_by(outbox.c.lane, outbox.c.id).limit(limit))]

    def first_due(self, connection: str, now: float) -> tuple[float | None, float | None, float | None]:
        """When the first open row may go (seconds since 1970; `now`, if it may already; None: there is none): of those
        that say "no", of the others past the fuse, and of the others that it has not counted yet.

        Asked every second, also of a long backlog: each is one step into an index, however much is owed.
        """
        asked = {"connection": connection}
        found = self._db.execute(_FIRST_DUE, asked).one()
        no, passed, uncounted = (min((at for at in some if at is not None), default=None) for some in _by_class(found))
        return _not_before(no, now), _not_before(passed, now), _not_before(uncounted, now)

    def get(self, ids: Collection[int]) -> list[Owed]:
        return [_owed(r) for r in self._db.execute(_ORDERED.where(outbox.c.id.in_(ids)))] if ids else []

    def listed(
        self, *, state: str | None = None, connection: str | None = None, but: str | None = None, limit: int = 100
    ) -> list[Owed]:
        """`but`: without those that have this reason."""
        query = select(outbox).order_by(outbox.c.lane, outbox.c.id).limit(limit)
        if but is not None:
            query = query.where(outbox.c.reason.is_distinct_from(but))
        if state is not None:
            query = query.where(outbox.c.state == state)
        if connection is not None:
            query = query.where(outbox.c.connection == connection)
        return [_owed(r) for r in self._db.execute(query)]

    def add(self, new: Iterable[Owed]) -> None:
        rows = ((x.connection, x.target, x.lane, x.external_id, x.created_at, *_row(x).values()) for x in new)
        add_rows(self._db, outbox, ("connection", "target", "lane", "external_id", "created_at", *_COLUMNS), rows)

    def put(self, changed: Iterable[Owed]) -> None:
        rows = [{"key": x.id, **{"new_" + k: v for k, v in _row(x).items()}} for x in changed]
        if rows:
            self._db.execute(_UPDATE, rows)

    def drop(self, ids: Collection[int]) -> None:
        if ids:
            self._db.execute(delete(outbox).where(outbox.c.id.in_(ids)))

    def counts(self) -> list[tuple[str, str, str, int]]:
        """(connection, kind, state, how many)"""
        columns = (outbox.c.connection, outbox.c.kind, outbox.c.state)
        query = select(*columns, func.count()).group_by(*columns).order_by(*columns)
        return [tuple(row) for row in self._db.execute(query)]

    def unapproved(self) -> dict[tuple[str, str], int]:
        """What the fuse counts: open or held rows that no person has released, by (connection, kind)."""
        query = (
            select(outbox.c.connection, outbox.c.kind, func.count())
            .where(outbox.c.state.in_(("open", "held")), outbox.c.approved == 0, outbox.c.kind != "consent")
            .group_by(outbox.c.connection, outbox.c.kind)
            .order_by(outbox.c.connection, outbox.c.kind)
        )
        return {(connection, kind): count for connection, kind, count in self._db.execute(query)}

    def uncounted_since(self) -> float | None:
        """When the oldest of what the fuse has neither held nor let pass arose; None when there is nothing."""
        mine = (outbox.c.state == "open", outbox.c.approved == 0, outbox.c.kind != "consent")
        first: float | None = self._db.execute(select(func.min(outbox.c.created_at)).where(*mine)).scalar()
        return first

    def hold(self, connection: str, kind: str) -> None:
        """Set the unapproved rows of this kind aside."""
        mine = (outbox.c.connection == connection, outbox.c.kind == kind, outbox.c.approved == 0)
        self._db.execute(update(outbox).where(*mine, outbox.c.state == "open").values(state="held"))

    def approve(self, connection: str, kind: str) -> None:
        """Let the open rows of this kind pass the fuse for good."""
        mine = (outbox.c.connection == connection, outbox.c.kind == kind, outbox.c.state == "open")
        self._db.execute(update(outbox).where(*mine, outbox.c.approved == 0).values(approved=1))

    def release(self, connection: str, kind: str, *, limit: int | None = None) -> int:
        """Let held rows of this kind go, the oldest first; returns how many."""
        mine = select(outbox.c.id).where(
            outbox.c.connection == connection, outbox.c.kind == kind, outbox.c.state == "held"
        )
        ids = [found for (found,) in self._db.execute(mine.order_by(outbox.c.id).limit(limit))]
        for start in range(0, len(ids), 500):
            some = outbox.c.id.in_(ids[start : start + 500])
            self._db.execute(update(outbox).where(some).values(state="open", approved=1))
        return len(ids)

    def discard(self, connection: str, kind: str) -> int:
        """Drop the held rows of this kind: a person refused them."""
        mine = (outbox.c.connection == connection, outbox.c.kind == kind, outbox.c.state == "held")
        return self._db.execute(delete(outbox).where(*mine)).rowcount
