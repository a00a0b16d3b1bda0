"""Links: every record we know of; and the identifiers and the "no" of those that belong to no contact."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from state.bulk import add_rows
from state.contacts import Identifier
from state.model import Link, dumps, loads, storable_or_none
from state.tables import decisions, links, strays, suppressions

_COLUMNS = ("contact_id", "state", "seen", "version", "digest", "sent", "told", "sweep", "reason")
_UPDATE = (
    update(links).where(links.c.id == bindparam("key")).values({name: bindparam("new_" + name) for name in _COLUMNS})
)


def _some(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Some records of one connection. In statements built once, as every page asks them: given a list, `in_` would
    look at each of its values by itself."""
    return table.c.connection == bindparam("mine"), table.c.external_id.in_(bindparam("some", expanding=True))


def _kinds(table: Table, wanted: Collection[Identifier]) -> ColumnElement[bool]:
    """The kinds of these identifiers: first in the key, and without them SQLite would walk the whole of it."""
    return table.c.kind.in_(sorted({kind for kind, _ in wanted}))


_OF_RECORDS = select(links).where(*_some(links))
_MARK = update(links).where(*_some(links)).values(sweep=bindparam("number"))
_DECIDED = select(decisions).where(*_some(decisions))


def _link(row: Any) -> Link:
    return Link(
        connection=row.connection,
        external_id=row.external_id,
        state=row.state,
        contact_id=row.contact_id,
        seen=loads(row.seen),
        version=row.version,
        digest=row.digest,
        sent=loads(row.sent),
        told=loads(row.told) or [],
        sweep=row.sweep,
        reason=row.reason,
        id=row.id,
    )


def _row(link: Link) -> dict[str, Any]:
    """In the order of `_COLUMNS`."""
    return {
        "contact_id": link.contact_id,
        "state": link.state,
        "seen": dumps(link.seen),
        "version": storable_or_none(link.version),
        "digest": link.digest,
        "sent": dumps(link.sent) if link.sent else None,
        "told": dumps(link.told) if link.told else None,
        "sweep": link.sweep,
        "reason": storable_or_none(link.reason),
    }


class Links:
    """The records, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def of_records(self, connection: str, external_ids: Collection[str]) -> dict[str, Link]:
        if not external_ids:
            return {}
        rows = self._db.execute(_OF_RECORDS, {"mine": connection, "some": list(external_ids)})
        return {row.external_id: _link(row) for row in rows}

    def of_contacts(self, ids: Collection[int]) -> dict[int, list[Link]]:
        """Every link of these contacts, vanished ones too, in a steady order."""
        found: dict[int, list[Link]] = {}
        if ids:
            query = select(links).where(links.c.contact_id.in_(ids)).order_by(links.c.id)
            for row in self._db.execute(query):
                found.setdefault(row.contact_id, []).append(_link(row))
        return found

    def add(self, new: Iterable[Link]) -> None:
        rows = ((x.connection, x.external_id, *_row(x).values()) for x in new)
        add_rows(self._db, links, ("connection", "external_id", *_COLUMNS), rows)

    def put(self, changed: Iterable[Link]) -> None:
        rows = [{"key": x.id, **{"new_" + k: v for k, v in _row(x).items()}} for x in changed]
        if rows:
            self._db.execute(_UPDATE, rows)

    def mark(self, connection: str, external_ids: Collection[str], sweep: int) -> None:
        """Note that this sweep has met these records."""
        if external_ids:
            self._db.execute(_MARK, {"mine": connection, "some": list(external_ids), "number": sweep})

    def missed(self, connection: str, sweep: int, limit: int) -> list[Link]:
        """Records last met by this sweep or an earlier one, that have not vanished yet."""
        query = select(links).where(
            links.c.connection == connection, links.c.sweep <= sweep, links.c.state != "vanished"
        )
        return [_link(row) for row in self._db.execute(query.order_by(links.c.id).limit(limit))]

    def with_state(self, state: str, *, limit: int) -> list[Link]:
        query = select(links).where(links.c.state == state).order_by(links.c.id).limit(limit)
        return [_link(row) for row in self._db.execute(query)]

    def walk(self, connection: str, state: str, after: int, limit: int) -> list[Link]:
        """The next records of a connection by id that are in this state."""
        mine = links.c.connection == connection, links.c.state == state, links.c.id > after
        return [_link(row) for row in self._db.execute(select(links).where(*mine).order_by(links.c.id).limit(limit))]

    def count_missed(self, connection: str, sweep: int) -> int:
        query = select(func.count()).where(
            links.c.connection == connection, links.c.sweep <= sweep, links.c.state != "vanished"
        )
        return int(self._db.execute(query).scalar_one())

    def counts(self, connection: str | None = None) -> dict[str, dict[str, int]]:
        """{connection: {state: how many}}"""
        columns = (links.c.connection, links.c.state)
        query = select(*columns, func.count()).group_by(*columns).order_by(*columns)
        if connection is not None:
            query = query.where(links.c.connection == connection)
        found: dict[str, dict[str, int]] = {}
        for name, state, count in self._db.execute(query):
            found.setdefault(name, {})[state] = count
        return found

    def holding(self, connection: str) -> int:
        """How many records this connection holds, as far as we know."""
        query = select(func.count()).where(links.c.connection == connection, links.c.state != "vanished")
        return int(self._db.execute(query).scalar_one())

    def unlinked_contacts(self, connection: str, ids: Collection[int]) -> set[int]:
        """Of these contacts, those with no link at all (not even a vanished one) at this connection."""
        if not ids:
            return set()
        query = select(links.c.contact_id).where(links.c.connection == connection, links.c.contact_id.in_(ids))
        return set(ids) - {found for (found,) in self._db.execute(query)}

    # records that belong to no contact

    def strays_with(self, wanted: Collection[Identifier]) -> dict[Identifier, list[tuple[str, str]]]:
        """Which unlinked records, as (connection, external id), carry these identifiers."""
        found: dict[Identifier, list[tuple[str, str]]] = {}
        values = {value for _, value in wanted}
        if values:
            these = _kinds(strays, wanted), strays.c.value.in_(values)
            query = select(strays).where(*these).order_by(strays.c.connection, strays.c.external_id)
            for row in self._db.execute(query):
                if (row.kind, row.value) in wanted:
                    found.setdefault((row.kind, row.value), []).append((row.connection, row.external_id))
        return found

    def set_strays(self, connection: str, records: dict[str, Iterable[Identifier]]) -> None:
        """The identifiers of these unlinked records, replacing what was kept (empty: it belongs to a contact)."""
        if not records:
            return
        mine = (strays.c.connection == connection, strays.c.external_id.in_(list(records)))
        self._db.execute(delete(strays).where(*mine))
        rows = [
            {"kind": kind, "value": value, "connection": connection, "external_id": external_id}
            for external_id, found in records.items()
            for kind, value in set(found)
        ]
        if rows:
            self._db.execute(insert(strays), rows)

    def suppressed(self, wanted: Collection[Identifier]) -> dict[Identifier, list[tuple[str, str, str]]]:
        """The "no"s on these identifiers: [(state, "connection/external id", how)]."""
        found: dict[Identifier, list[tuple[str, str, str]]] = {}
        values = {value for _, value in wanted}
        if values:
            these = _kinds(suppressions, wanted), suppressions.c.value.in_(values)
            query = select(suppressions).where(*these)
            query = query.order_by(suppressions.c.connection, suppressions.c.external_id)
            for row in self._db.execute(query):
                if (row.kind, row.value) in wanted:
                    entry = (row.state, f"{row.connection}/{row.external_id}", row.how)
                    found.setdefault((row.kind, row.value), []).append(entry)
        return found

    def has_suppressions(self) -> bool:
        return bool(self._db.execute(select(exists(select(literal(1)).select_from(suppressions)))).scalar())

    def suppress(self, connection: str, records: dict[str, dict[Identifier, tuple[str, str]]], *, at: float) -> None:
        """Keep the "no" of records of no contact, replacing theirs: {external id: {identifier: (state, how)}}."""
        if not records:
            return
        mine = (suppressions.c.connection == connection, suppressions.c.external_id.in_(list(records)))
        self._db.execute(delete(suppressions).where(*mine))
        rows = [
            {
                "kind": k,
                "value": v,
                "connection": connection,
                "external_id": ext,
                "state": state,
                "how": how,
                "at": at,
            }
            for ext, found in records.items()
            for (k, v), (state, how) in found.items()
        ]
        if rows:
            self._db.execute(insert(suppressions), rows)

    # what a person decided

    def decided(self, connection: str, external_ids: Collection[str]) -> dict[str, dict[int, str]]:
        """{external id: {contact id: "same" or "different"}}"""
        found: dict[str, dict[int, str]] = {}
        if external_ids:
            for row in self._db.execute(_DECIDED, {"mine": connection, "some": list(external_ids)}):
                found.setdefault(row.external_id, {})[row.contact_id] = row.verdict
        return found

    def decide(self, connection: str, external_id: str, contact_id: int, verdict: str, *, at: float) -> None:
        key = (connection, external_id, contact_id)
        columns = tuple_(decisions.c.connection, decisions.c.external_id, decisions.c.contact_id)
        self._db.execute(delete(decisions).where(columns == key))
        row = {"connection": connection, "external_id": external_id, "contact_id": contact_id}
        self._db.execute(insert(decisions).values(**row, verdict=verdict, at=at))

    def move_decisions(self, from_contact: int, to_contact: int) -> None:
        """What was decided about a contact holds for the one it was merged into."""
        taken = select(decisions.c.connection, decisions.c.external_id).where(decisions.c.contact_id == to_contact)
        columns = tuple_(decisions.c.connection, decisions.c.external_id)
        mine = decisions.c.contact_id == from_contact
        self._db.execute(delete(decisions).where(mine, columns.in_(taken)))
        self._db.execute(update(decisions).where(mine).values(contact_id=to_contact))
