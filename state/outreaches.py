"""Outreaches: what happened to contacts, and is recorded at campaigns once. A row stays when it was sent: it is what
makes its event fire once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, tuple_, update

from state.bulk import add_rows
from state.model import Outreach, storable_or_none
from state.tables import outreaches

KIND = "outreach"
"""What the fuse counts them as."""
DUE = ("owed", "sending")
_COLUMNS = tuple(each.name for each in fields(Outreach) if each.name != "id")
_CHANGING = (
    *("state", "approved", "insisted", "attempts", "campaign"),
    *("external_id", "reason", "begun_at", "sent_at"),
)
_BATCH = 500


def _outreach(row: Any) -> Outreach:
    return Outreach(**row._mapping)


def _value(each: Outreach, name: str) -> Any:
    value = getattr(each, name)
    return storable_or_none(value) if name == "reason" else value


class Outreaches:
    """The outreaches, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, found: Iterable[Outreach]) -> list[Outreach]:
        """Keep those events that are not kept yet; returns them."""
        many = {each.key: each for each in found}
        known = self._known(list(many))
        new = [each for key, each in many.items() if key not in known]
        rows = [tuple(_value(each, name) for name in _COLUMNS) for each in new]
        add_rows(self._db, outreaches, _COLUMNS, rows, known_ok=True)
        return new

    def _known(self, keys: list[tuple[str, str, int, int]]) -> set[tuple[str, str, int, int]]:
        columns = (outreaches.c.connection, outreaches.c.rule, outreaches.c.contact_id, outreaches.c.at)
        found: set[tuple[str, str, int, int]] = set()
        for start in range(0, len(keys), _BATCH):
            some = tuple_(*columns).in_(keys[start : start + _BATCH])
            found |= {(row[0], row[1], row[2], row[3]) for row in self._db.execute(select(*columns).where(some))}
        return found

    def due(self, connection: str, limit: int, *, after: int = 0) -> list[Outreach]:
        """Those past the fuse that are to be sent, or may have been, in the order they arose, past id `after`."""
        query = select(outreaches).where(
            outreaches.c.connection == connection,
            outreaches.c.state.in_(DUE),
            outreaches.c.approved == 1,
            outreaches.c.id > after,
        )
        return [_outreach(row) for row in self._db.execute(query.order_by(outreaches.c.id).limit(limit))]

    def get(self, ids: Collection[int]) -> list[Outreach]:
        query = select(outreaches).where(outreaches.c.id.in_(ids)).order_by(outreaches.c.id)
        return [_outreach(row) for row in self._db.execute(query)] if ids else []

    def of_contacts(self, ids: Collection[int]) -> list[Outreach]:
        query = select(outreaches).where(outreaches.c.contact_id.in_(ids)).order_by(outreaches.c.id)
        return [_outreach(row) for row in self._db.execute(query)] if ids else []

    def in_doubt(self, connection: str) -> list[Outreach]:
        """Those begun of which nobody knows yet whether they arrived."""
        begun = (outreaches.c.state.in_(("sending", "held")), outreaches.c.begun_at.is_not(None))
        query = select(outreaches).where(outreaches.c.connection == connection, *begun)
        return [_outreach(row) for row in self._db.execute(query.order_by(outreaches.c.id))]

    def listed(self, states: Collection[str], *, connection: str | None = None, limit: int = 100) -> list[Outreach]:
        query = select(outreaches).where(outreaches.c.state.in_(states)).order_by(outreaches.c.id).limit(limit)
        if connection is not None:
            query = query.where(outreaches.c.connection == connection)
        return [_outreach(row) for row in self._db.execute(query)]

    def claimed(self, connection: str, external_ids: Collection[str]) -> set[str]:
        """Which of these outreaches of the platform are known to be another event's."""
        if not external_ids:
            return set()
        mine = (outreaches.c.connection == connection, outreaches.c.external_id.in_(external_ids))
        return {found for (found,) in self._db.execute(select(outreaches.c.external_id).where(*mine))}

    def begin(self, outreach_id: int, campaign: str, *, at: float) -> bool:
        """Note that it is about to be sent; False if it is not to be sent any more. What a person insisted on is done
        with it: if its answer is lost, they are asked again."""
        mine = (outreaches.c.id == outreach_id, outreaches.c.state.in_(DUE))
        values = {"state": "sending", "begun_at": at, "campaign": campaign, "insisted": 0}
        values["attempts"] = outreaches.c.attempts + 1
        return self._db.execute(update(outreaches).where(*mine).values(values)).rowcount == 1

    def put(self, changed: Iterable[Outreach]) -> None:
        for each in changed:
            values = {name: _value(each, name) for name in _CHANGING}
            self._db.execute(update(outreaches).where(outreaches.c.id == each.id).values(**values))

    def counts(self) -> list[tuple[str, str, str, int]]:
        """(connection, kind, state, how many), without those that are over: as the outbox counts."""
        columns = (outreaches.c.connection, outreaches.c.state)
        mine = outreaches.c.state.not_in(("sent", "dropped"))
        query = select(*columns, func.count()).where(mine).group_by(*columns).order_by(*columns)
        return [(connection, KIND, state, count) for connection, state, count in self._db.execute(query)]

    # the fuse: the same words as the outbox has

    def unapproved(self) -> dict[tuple[str, str], int]:
        """What the fuse counts: those owed or held that nobody released, by (connection, kind)."""
        query = (
            select(outreaches.c.connection, func.count())
            .where(outreaches.c.state.in_(("owed", "held")), outreaches.c.approved == 0)
            .group_by(outreaches.c.connection)
            .order_by(outreaches.c.connection)
        )
        return {(connection, KIND): count for connection, count in self._db.execute(query)}

    def _waiting(self, connection: str, state: str) -> tuple[ColumnElement[bool], ...]:
        return outreaches.c.connection == connection, outreaches.c.state == state, outreaches.c.approved == 0

    def hold(self, connection: str, kind: str) -> None:  # noqa: ARG002 - there is one kind
        """Set aside what has not passed the fuse."""
        self._db.execute(update(outreaches).where(*self._waiting(connection, "owed")).values(state="held"))

    def approve(self, connection: str, kind: str) -> None:  # noqa: ARG002
        """Let what is owed pass the fuse for good."""
        self._db.execute(update(outreaches).where(*self._waiting(connection, "owed")).values(approved=1))

    def release(self, connection: str, kind: str, *, limit: int | None = None) -> int:  # noqa: ARG002
        """Let those held by the fuse go, the oldest first; returns how many."""
        oldest = select(outreaches.c.id).where(*self._waiting(connection, "held")).order_by(outreaches.c.id)
        ids = [found for (found,) in self._db.execute(oldest.limit(limit))]
        for start in range(0, len(ids), _BATCH):
            some = outreaches.c.id.in_(ids[start : start + _BATCH])
            self._db.execute(update(outreaches).where(some).values(state="owed", approved=1))
        return len(ids)

    def discard(self, connection: str, kind: str) -> int:  # noqa: ARG002
        """Never send those held by the fuse: a person refused them. The rows stay, so that they do not fire again."""
        gone = update(outreaches).where(*self._waiting(connection, "held"))
        return self._db.execute(gone.values(state="dropped", reason="refused at the fuse")).rowcount
