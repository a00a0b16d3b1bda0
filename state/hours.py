"""What each connection read and was sent in each hour: for the chart, and to know what is usual."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, case, select
from sqlalchemy.dialects import postgresql, sqlite

from state.tables import hours

COUNTS = ("read", "changed", "sent", "calls", "throttled", "told", "told_after", "told_slowest")


class HourRow(NamedTuple):
    """One connection's hour, `hour` being the how-manieth since 1970.

    `told`: opt-outs it was told of, `told_after` seconds after they were said, all added up, the slowest of them after
    `told_slowest`.
    """

    connection: str
    hour: int
    read: int = 0
    changed: int = 0
    sent: int = 0
    calls: int = 0
    throttled: int = 0
    told: int = 0
    told_after: float = 0.0
    told_slowest: float = 0.0


class Hours:
    """The counts of each hour, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, connection: str, hour: int, **counts: float) -> None:
        """Add these counts (names as in `COUNTS`) to an hour; of `told_slowest` the larger stays."""
        if unknown := counts.keys() - set(COUNTS):
            raise TypeError(f"no such count: {', '.join(sorted(unknown))}")
        dialect: Any = sqlite if self._db.dialect.name == "sqlite" else postgresql
        new = dialect.insert(hours).values(HourRow(connection, hour)._asdict() | counts)
        self._db.execute(new.on_conflict_do_update(index_elements=["connection", "hour"], set_=_added(new.excluded)))

    def since(self, hour: int) -> list[HourRow]:
        """Every connection's hours from this one on, the oldest first."""
        columns = [hours.c[name] for name in HourRow._fields]
        query = select(*columns).where(hours.c.hour >= hour).order_by(hours.c.hour, hours.c.connection)
        return [HourRow(*row) for row in self._db.execute(query)]


def _added(new: Any) -> dict[str, Any]:
    values = {name: hours.c[name] + new[name] for name in COUNTS}
    slower = new.told_slowest > hours.c.told_slowest
    return values | {"told_slowest": case((slower, new.told_slowest), else_=hours.c.told_slowest)}
