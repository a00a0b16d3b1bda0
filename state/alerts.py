"""Alerts: what broke, who was told of it, and of its end. One open alert a key.

An alert is *broken* until `healed_at`. When `due_at` has come it is told: that it broke and, to those who heard of
that, that it healed. `tries` counts the times in a row that somebody could not be told; while it is not 0, something is
still owed, though `told_at` may say that others have heard.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, text, update

from state.tables import alerts, holds, hours, outbox

NEVER = float(2**40)
"""A `due_at` that does not come: nothing more is told."""


@dataclass(slots=True)
class Alert:
    """A row of `alerts`. `text` and `hint` are fit to be shown to anybody: no people, no secrets."""

    key: str
    kind: str
    connection: str | None
    text: str
    hint: str
    since: float
    told_at: float | None = None
    healed_at: float | None = None
    healed_told_at: float | None = None
    tries: int = 0
    due_at: float = 0.0
    id: int | None = None

    @property
    def state(self) -> str:
        """broken or healed"""
        return "broken" if self.healed_at is None else "healed"

    @property
    def owes(self) -> bool:
        """Whether somebody is still to be told. What healed before anybody heard of it is never mentioned."""
        if self.healed_at is None:
            return self.told_at is None or self.tries > 0
        return self.told_at is not None and (self.healed_told_at is None or self.tries > 0)


class Refused(NamedTuple):
    """Opt-outs that a platform refused for good."""

    rows: int
    since: float


def _owes() -> ColumnElement[bool]:
    """`Alert.owes`, as a condition."""
    told, healed, told_healed = alerts.c.told_at, alerts.c.healed_at, alerts.c.healed_told_at
    broken = and_(healed.is_(None), or_(told.is_(None), alerts.c.tries > 0))
    return or_(broken, and_(healed.is_not(None), told.is_not(None), or_(told_healed.is_(None), alerts.c.tries > 0)))


class Alerts:
    """The alerts, and what they are decided by, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def lock(self) -> None:
        """First thing in a transaction that opens or heals: nobody else decides until it ends.

        On SQLite the transaction itself has seen to that. On PostgreSQL two workers could otherwise both find no open
        alert, and both open one. Who only reads is not held up.
        """
        if self._db.dialect.name == "postgresql":
            self._db.execute(text("LOCK TABLE alerts IN SHARE ROW EXCLUSIVE MODE"))

    def add(self, alert: Alert) -> int:
        values = {name: value for name, value in asdict(alert).items() if name != "id"}
        return int(self._db.execute(insert(alerts).values(**values).returning(alerts.c.id)).scalar_one())

    def put(self, alert: Alert) -> None:
        values = {name: value for name, value in asdict(alert).items() if name != "id"}
        self._db.execute(update(alerts).where(alerts.c.id == alert.id).values(**values))

    def get(self, alert_id: int) -> Alert | None:
        """One alert. Nobody else changes it until a transaction that writes ends: there is one writer at a time."""
        row = self._db.execute(select(alerts).where(alerts.c.id == alert_id)).first()
        return None if row is None else _alert(row)

    def open(self) -> dict[str, Alert]:
        """What is broken, by key."""
        return {each.key: each for each in self._found(alerts.c.healed_at.is_(None))}

    def healed_since(self, moment: float) -> list[Alert]:
        return self._found(alerts.c.healed_at >= moment)

    def recent(self, limit: int) -> list[Alert]:
        """The latest, open ones first."""
        query = select(alerts).order_by(alerts.c.healed_at.is_not(None), alerts.c.id.desc()).limit(limit)
        return [_alert(row) for row in self._db.execute(query)]

    # telling

    def due(self, now: float, limit: int) -> list[Alert]:
        """What is to be told now, in the order in which it happened."""
        query = select(alerts).where(alerts.c.due_at <= now, _owes()).order_by(alerts.c.id).limit(limit)
        return [_alert(row) for row in self._db.execute(query)]

    def claim(self, found: Alert, until: float) -> bool:
        """Take it on us to tell this until then. False when another did, or when it is another story by now."""
        same_end = alerts.c.healed_at.is_(None) if found.healed_at is None else alerts.c.healed_at == found.healed_at
        mine = (alerts.c.id == found.id, alerts.c.due_at == found.due_at, same_end, _owes())
        return self._db.execute(update(alerts).where(*mine).values(due_at=until)).rowcount == 1

    # what alerts are decided by, read without walking through a big table

    def tripped(self, keys: Collection[str]) -> dict[str, tuple[int, float]]:
        """Of the holds with these keys those that are open: number and when they were opened."""
        query = select(holds.c.key, holds.c.id, holds.c.opened_at)
        rows = self._db.execute(query.where(holds.c.state == "open", holds.c.key.in_(keys))) if keys else ()
        return {key: (number, opened_at) for key, number, opened_at in rows}

    def refused(self, connections: Collection[str]) -> dict[str, Refused]:
        """Opt-outs that these will not be told of unless a person sees to it."""
        query = select(outbox.c.connection, func.count(), func.min(outbox.c.created_at)).where(
            outbox.c.connection.in_(connections), outbox.c.state == "dead", outbox.c.lane == 0
        )
        rows = self._db.execute(query.group_by(outbox.c.connection))
        return {connection: Refused(count, since) for connection, count, since in rows}

    def changes(self, connections: Collection[str], since: int) -> dict[str, dict[int, int]]:
        """By connection: how many records changed, for each hour (since 1970) from `since` on that has a row."""
        found: dict[str, dict[int, int]] = {}
        mine = (hours.c.connection.in_(connections), hours.c.hour >= since)  # in this order: the key of the table
        for connection, hour, changed in self._db.execute(
            select(hours.c.connection, hours.c.hour, hours.c.changed).where(*mine)
        ):
            found.setdefault(connection, {})[hour] = changed
        return found

    def _found(self, condition: ColumnElement[bool]) -> list[Alert]:
        return [_alert(row) for row in self._db.execute(select(alerts).where(condition).order_by(alerts.c.id))]


def _alert(row: Any) -> Alert:
    return Alert(**row._mapping)


def healed(alert: Alert, at: float, *, hold_off: float) -> Alert:
    """The same, over. Who is being told of its beginning just now (at most for `hold_off` seconds) hears that first."""
    due = min(max(alert.due_at, at), at + hold_off) if alert.owes else at
    return replace(alert, healed_at=at, tries=0, due_at=due)
