"""What the fuse let pass in parts, while somebody was in the middle of a reading: added up, whoever looks next.

The parts count together as long as a reading is under way that was so when the first of them passed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, update

from state.tables import counters

_MINE = "fuse "
_SINCE = "fuse since"  # a millisecond: when the first part passed
_PART = "fuse part "


class Parts:
    """The parts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def passed(self, oldest: float) -> dict[tuple[str, str], int]:
        """How many have passed by (connection, kind). `oldest`: when the first of the readings under way began (seconds
        since 1970); parts that all passed before that are forgotten."""
        mine = counters.c.name.startswith(_MINE, autoescape=True)
        kept = {row.name: int(row.value) for row in self._db.execute(select(counters).where(mine))}
        if kept and kept.get(_SINCE, 0) < oldest * 1000:
            self._db.execute(delete(counters).where(mine))
            return {}
        parts = {name.removeprefix(_PART): count for name, count in kept.items() if name.startswith(_PART)}
        return {_split(name): count for name, count in parts.items()}

    def put(self, passed: Mapping[tuple[str, str], int], *, at: float) -> None:
        """So many have passed by now."""
        for (connection, kind), count in sorted(passed.items()):
            self._set(f"{_PART}{connection}:{kind}", count)
        if passed and not self._known(_SINCE):
            self._set(_SINCE, math.ceil(at * 1000))

    def _known(self, name: str) -> bool:
        return self._db.execute(select(counters.c.value).where(counters.c.name == name)).first() is not None

    def _set(self, name: str, value: int) -> None:
        if self._db.execute(update(counters).where(counters.c.name == name).values(value=value)).rowcount == 0:
            self._db.execute(insert(counters).values(name=name, value=value))


def _split(name: str) -> tuple[str, str]:
    connection, _, kind = name.rpartition(":")
    return connection, kind
