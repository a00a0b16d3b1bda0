"""Workers: the processes that work on this database, what each goes by, and when it was last heard of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from state.leases import now
from state.model import dumps, loads
from state.tables import workers

ALIVE = 60.0
"""Seconds. A worker that was not heard of for so long no longer counts."""


@dataclass(frozen=True)
class WorkerRow:
    """One process. `silent`: seconds since it was last heard of, by the database's clock; `started_at`: by its own.
    `configuration`: names the one it goes by, which it loaded at `loaded_at`, by the database's clock."""

    name: str
    version: str
    started_at: float
    silent: float
    doing: str
    configuration: str = ""
    loaded_at: float = 0.0

    @property
    def alive(self) -> bool:
        return self.silent < ALIVE


class Workers:
    """The workers, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def clock(self) -> float:
        """The time, as the database has it."""
        return float(self._db.execute(select(now(self._db))).scalar_one())

    def seen(
        self,
        name: str,
        version: str,
        started_at: float,
        doing: str,
        *,
        configuration: str = "",
        loaded_at: float = 0.0,
    ) -> None:
        """This worker is alive, what it does, and what it goes by."""
        said = dumps({"doing": doing, "configuration": configuration, "loaded_at": loaded_at})
        values = {"version": version, "started_at": started_at, "doing": said, "seen_at": now(self._db)}
        known = self._db.execute(update(workers).where(workers.c.name == name).values(values)).rowcount
        if not known:
            self._db.execute(insert(workers).values(name=name, **values))

    def all(self) -> list[WorkerRow]:
        columns = workers.c
        silent = (now(self._db) - columns.seen_at).label("silent")
        query = select(columns.name, columns.version, columns.started_at, silent, columns.doing)
        rows = self._db.execute(query.order_by(columns.name))
        return [WorkerRow(*row[:4], **loads(row.doing)) for row in rows]

    def forget(self, name: str) -> None:
        """It has ended, and said so."""
        self._db.execute(delete(workers).where(workers.c.name == name))

    def forget_silent(self, seconds: float) -> int:
        """Those not heard of for so long are gone; returns how many."""
        gone = delete(workers).where(workers.c.seen_at < now(self._db) - seconds)
        return self._db.execute(gone).rowcount

    def forget_all(self) -> None:
        """We are alone on this database (SQLite): whoever stands here is gone."""
        self._db.execute(delete(workers))
