"""Workers: the processes that work on this database, and when each was last heard of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from state.leases import now
from state.tables import workers


@dataclass(frozen=True)
class WorkerRow:
    """One process. `silent`: seconds since it was last heard of, by the database's clock; `started_at`: by its own."""

    name: str
    version: str
    started_at: float
    silent: float
    doing: str


class Workers:
    """The workers, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def seen(self, name: str, version: str, started_at: float, doing: str) -> None:
        """This worker is alive, and what it does."""
        values = {"version": version, "started_at": started_at, "doing": doing, "seen_at": now(self._db)}
        known = self._db.execute(update(workers).where(workers.c.name == name).values(values)).rowcount
        if not known:
            self._db.execute(insert(workers).values(name=name, **values))

    def all(self) -> list[WorkerRow]:
        columns = workers.c
        silent = (now(self._db) - columns.seen_at).label("silent")
        query = select(columns.name, columns.version, columns.started_at, silent, columns.doing)
        return [WorkerRow(*row) for row in self._db.execute(query.order_by(columns.name))]

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
