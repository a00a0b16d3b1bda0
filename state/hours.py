"""What each connection read and was sent in each hour: for the chart, and to know what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from state.tables import hours

SUMS = ("read", "changed", "sent", "calls", "throttled", "told", "told_after")


@dataclass(frozen=True, slots=True)
class HourRow:
    """One connection in one hour (hours since 1970). `told`: how many opt-outs it was told of; `told_after`: seconds
    from their being said, added up; `told_slowest`: the longest of them."""

    connection: str
    hour: int
    read: int
    changed: int
    sent: int
    calls: int
    throttled: int
    told: int
    told_after: float
    told_slowest: float


class Hours:
    """The hours, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, connection: str, hour: int, *, told_slowest: float = 0.0, **counts: float) -> None:
        """Add to an hour's counts (those of `SUMS`). Nothing is kept of nothing."""
        if not any(counts.values()):
            return
        mine = (hours.c.connection == connection, hours.c.hour == hour)
        slowest = self._db.execute(select(hours.c.told_slowest).where(*mine)).scalar()
        if slowest is None:
            values: dict[str, Any] = {name: counts.get(name, 0) for name in SUMS}
            values |= {"connection": connection, "hour": hour, "told_slowest": told_slowest}
            self._db.execute(insert(hours).values(values))
            return
        more = {name: hours.c[name] + counts.get(name, 0) for name in SUMS}
        self._db.execute(update(hours).where(*mine).values(told_slowest=max(slowest, told_slowest), **more))

    def since(self, hour: int) -> list[HourRow]:
        """Every connection's hours from this one on, oldest first."""
        query = select(hours).where(hours.c.hour >= hour).order_by(hours.c.hour, hours.c.connection)
        return [HourRow(*row) for row in self._db.execute(query)]

    def of(self, connection: str, since: int) -> list[HourRow]:
        """One connection's hours from this one on, oldest first."""
        mine = (hours.c.connection == connection, hours.c.hour >= since)
        return [HourRow(*row) for row in self._db.execute(select(hours).where(*mine).order_by(hours.c.hour))]
