"""Connections, journal, holds and runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from state.bulk import add_rows
from state.model import Account, Hold, Noted, dumps, loads, storable
from state.tables import connections, counters, holds, journal, runs

KILLED = "killed"
"""How a run ended whose process was killed, or cut off from the database: the next one at its connections says so."""
_PASSED, _FIRST = "passed:", "first"
_PACKED = ("cursor", "facts", "mapping", "remap", "feed")


class Connections:
    """The configured accounts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def all(self) -> dict[str, Account]:
        rows = self._db.execute(select(connections).order_by(connections.c.name)).mappings()
        return {row["name"]: Account(**{k: loads(v) if k in _PACKED else v for k, v in row.items()}) for row in rows}

    def add(self, account: Account) -> None:
        self._db.execute(insert(connections).values(**self._values(asdict(account))))

    def put(self, name: str, **values: Any) -> None:
        """Change some columns of one connection."""
        mine = connections.c.name == name
        self._db.execute(update(connections).where(mine).values(**self._values(values)))

    @staticmethod
    def _values(values: dict[str, Any]) -> dict[str, Any]:
        packed = {k: dumps(v) if k in _PACKED and v is not None else v for k, v in values.items()}
        return {k: storable(v) if k == "paused_why" and v is not None else v for k, v in packed.items()}


class Journal:
    """Every change, in and out. Rows are only ever added."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, entries: Iterable[Noted]) -> None:
        columns = ("at", "run", "event", "contact_id", "connection", "external_id", "detail")
        rows = ((x.at, x.run, x.event, x.contact_id, x.connection, x.external_id, dumps(x.detail)) for x in entries)
        add_rows(self._db, journal, columns, rows)

    def of_contacts(self, ids: Iterable[int], *, limit: int = 1000) -> list[Noted]:
        """The story of these contacts, oldest first (the latest `limit` rows)."""
        query = select(journal).where(journal.c.contact_id.in_(list(ids))).order_by(journal.c.id.desc())
        return [_noted(row) for row in self._db.execute(query.limit(limit))][::-1]

    def of_run(self, run: int, *, events: Iterable[str] = (), limit: int = 1000) -> list[Noted]:
        query = select(journal).where(journal.c.run == run).order_by(journal.c.id).limit(limit)
        wanted = list(events)
        if wanted:
            query = query.where(journal.c.event.in_(wanted))
        return [_noted(row) for row in self._db.execute(query)]

    def get(self, entry_id: int) -> Noted | None:
        row = self._db.execute(select(journal).where(journal.c.id == entry_id)).first()
        return None if row is None else _noted(row)

    def latest(self, event: str, contact_id: int) -> Noted | None:
        mine = (journal.c.event == event, journal.c.contact_id == contact_id)
        row = self._db.execute(select(journal).where(*mine).order_by(journal.c.id.desc()).limit(1)).first()
        return None if row is None else _noted(row)


def _noted(row: Any) -> Noted:
    return Noted(row.event, loads(row.detail), row.contact_id, row.connection, row.external_id, row.at, row.run, row.id)


class Holds:
    """What waits for a person, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def open(self, hold: Hold) -> int:
        """Open a hold, or refresh the open one with the same key; returns its id."""
        values = {
            "kind": hold.kind,
            "connection": hold.connection,
            "external_id": hold.external_id,
            "contact_id": hold.contact_id,
            "detail": dumps(hold.detail),
        }
        same = (holds.c.key == hold.key, holds.c.state == "open")
        found: int | None = self._db.execute(select(holds.c.id).where(*same)).scalar()
        if found is not None:
            self._db.execute(update(holds).where(holds.c.id == found).values(**values))
            return found
        added = insert(holds).values(key=hold.key, state="open", opened_at=hold.opened_at, **values)
        return int(self._db.execute(added.returning(holds.c.id)).scalar_one())

    def get(self, hold_id: int) -> Hold | None:
        row = self._db.execute(select(holds).where(holds.c.id == hold_id)).first()
        return None if row is None else _hold(row)

    def with_key(self, key: str) -> Hold | None:
        row = self._db.execute(select(holds).where(holds.c.key == key, holds.c.state == "open")).first()
        return None if row is None else _hold(row)

    def listed(self, *, state: str = "open", kind: str | None = None, limit: int = 1000) -> list[Hold]:
        query = select(holds).where(holds.c.state == state).order_by(holds.c.id).limit(limit)
        if kind is not None:
            query = query.where(holds.c.kind == kind)
        return [_hold(row) for row in self._db.execute(query)]

    def close(self, key: str, decision: dict[str, Any], *, at: float) -> bool:
        """Decide the open hold with this key; False if there is none."""
        same = (holds.c.key == key, holds.c.state == "open")
        done = update(holds).where(*same).values(state="decided", decision=dumps(decision), decided_at=at)
        return self._db.execute(done).rowcount > 0

    def by_connection(self) -> list[tuple[str | None, str, int]]:
        """What is open: (connection, kind, how many). Some concern no single connection."""
        columns = (holds.c.connection, holds.c.kind)
        query = select(*columns, func.count()).where(holds.c.state == "open").group_by(*columns)
        query = query.order_by(holds.c.connection.nulls_first(), holds.c.kind)
        return [(connection, kind, count) for connection, kind, count in self._db.execute(query)]

    def counts(self) -> dict[str, int]:
        count = func.count().label("open")
        query = select(holds.c.kind, count).where(holds.c.state == "open").group_by(holds.c.kind).order_by(holds.c.kind)
        return {row.kind: row.open for row in self._db.execute(query)}


def _hold(row: Any) -> Hold:
    return Hold(
        key=row.key,
        kind=row.kind,
        detail=loads(row.detail),
        connection=row.connection,
        external_id=row.external_id,
        contact_id=row.contact_id,
        state=row.state,
        decision=loads(row.decision),
        opened_at=row.opened_at,
        decided_at=row.decided_at,
        id=row.id,
    )


class Passed:
    """What the fuse has let pass of a plan that is not whole yet, by connection and kind. It must outlive whoever
    reads, or a plan that comes in parts would be counted anew after each kill. The parts are of one plan as long as a
    reading lasts that did so when the first of them passed."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def all(self, began: float | None = None) -> dict[tuple[str, str], int]:
        """`began`: when the first of the readings under way did; what passed before that was of other plans."""
        query = select(counters.c.name, counters.c.value).where(counters.c.name.startswith(_PASSED))
        kept = {name.removeprefix(_PASSED): int(value) for name, value in self._db.execute(query)}
        if began is not None and kept.pop(_FIRST, 0) < began * 1000:
            self.put({}, at=began)
            return {}
        found = {name.partition(":"): value for name, value in kept.items() if name != _FIRST}
        return {(connection, kind): value for (connection, _, kind), value in found.items()}

    def put(self, passed: Mapping[tuple[str, str], int], *, at: float) -> None:
        """These, and no others. `at`: now, when the first of them passed if none had before."""
        mine = counters.c.name == _PASSED + _FIRST
        first = self._db.execute(select(counters.c.value).where(mine)).scalar() or math.ceil(at * 1000)
        self._db.execute(delete(counters).where(counters.c.name.startswith(_PASSED)))
        rows = [{"name": f"{_PASSED}{connection}:{kind}", "value": n} for (connection, kind), n in passed.items()]
        if rows:
            self._db.execute(insert(counters), [*rows, {"name": _PASSED + _FIRST, "value": first}])


class Runs:
    """One row a run."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def begin(self, at: float, *, worker: str | None = None, about: Iterable[str] = ()) -> int:
        """`about`: the connections whose books it will have."""
        books = dumps({name: {} for name in about})
        added = insert(runs).values(started_at=at, books=books, worker=worker).returning(runs.c.id)
        return int(self._db.execute(added).scalar_one())

    def killed(self, about: Collection[str], at: float, *, but: int) -> int:
        """Whoever has these connections now knows that nobody else does: a run about one of them that has not ended
        never will, unless its process says otherwise. Returns how many there were."""
        query = select(runs.c.id, runs.c.books).where(runs.c.ended_at.is_(None), runs.c.id != but)
        left = [run for run, books in self._db.execute(query) if loads(books).keys() & set(about)]
        if left:
            self._db.execute(update(runs).where(runs.c.id.in_(left)).values(ended_at=at, outcome=KILLED))
        return len(left)

    def end(self, run: int, at: float, outcome: str, books: dict[str, Any]) -> None:
        values = {"ended_at": at, "outcome": outcome, "books": dumps(books)}
        self._db.execute(update(runs).where(runs.c.id == run).values(**values))

    def latest(self, limit: int = 10) -> list[dict[str, Any]]:
        rows = self._db.execute(select(runs).order_by(runs.c.id.desc()).limit(limit)).mappings()
        return [{**row, "books": loads(row["books"])} for row in rows]
