"""Contacts and their identifiers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, tuple_, update

from state.bulk import add_rows
from state.model import Contact, Entry, dumps, loads, storable
from state.tables import contacts, counters, identifiers

Identifier = tuple[str, str]
"""(kind, value): ("phone", "+12025550123"), ("email", …), ("external:van", …)."""

_UPDATE = (
    update(contacts)
    .where(contacts.c.id == bindparam("key"))
    .values(fields=bindparam("packed"), merged_into=bindparam("into"))
)
_OWNERS = select(identifiers.c.kind, identifiers.c.value, identifiers.c.contact_id).where(
    identifiers.c.kind.in_(bindparam("kinds", expanding=True)),
    identifiers.c.value.in_(bindparam("some", expanding=True)),
)
"""Built once, as what every page asks: given a list, `in_` would look at each of its values by itself. The kinds come
first in the key: without them SQLite would walk the whole of it."""


def _contact(row: Any) -> Contact:
    fields = {name: Entry(*entry) for name, entry in loads(row.fields).items()}
    return Contact(row.id, fields, row.created_at, row.merged_into)


class Contacts:
    """The people, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def reserve(self, count: int) -> int:
        """Take `count` ids; returns the first. Ids are handed out here so that a page is written in bulk."""
        step = update(counters).where(counters.c.name == "contacts").values(value=counters.c.value + count)
        found = self._db.execute(step.returning(counters.c.value)).scalar()
        if found is None:
            self._db.execute(insert(counters).values(name="contacts", value=count))
            found = count
        return int(found) - count + 1

    def get(self, ids: Collection[int]) -> dict[int, Contact]:
        if not ids:
            return {}
        rows = self._db.execute(select(contacts).where(contacts.c.id.in_(ids)))
        return {row.id: _contact(row) for row in rows}

    def walk(self, after: int, limit: int) -> list[Contact]:
        """The next contacts by id that were not merged into another."""
        query = select(contacts).where(contacts.c.id > after, contacts.c.merged_into.is_(None))
        return [_contact(row) for row in self._db.execute(query.order_by(contacts.c.id).limit(limit))]

    def last_id(self) -> int:
        """The highest id there is; 0 when there is nobody."""
        return int(self._db.execute(select(func.max(contacts.c.id))).scalar() or 0)

    def all(self) -> Iterator[Contact]:
        after = 0
        while batch := self.walk(after, 500):
            yield from batch
            after = batch[-1].id

    def add(self, new: Iterable[Contact]) -> None:
        rows = ((c.id, c.packed(), c.created_at, c.merged_into) for c in new)
        add_rows(self._db, contacts, ("id", "fields", "created_at", "merged_into"), rows)

    def put(self, changed: Iterable[Contact]) -> None:
        rows = [{"key": c.id, "packed": c.packed(), "into": c.merged_into} for c in changed]
        if rows:
            self._db.execute(_UPDATE, rows)

    # identifiers

    def owners(self, wanted: Collection[Identifier]) -> dict[Identifier, set[int]]:
        """Which contacts have each of these identifiers."""
        found: dict[Identifier, set[int]] = {}
        values = {value for _, value in wanted}
        if not values:
            return found
        kinds = sorted({kind for kind, _ in wanted})
        for kind, value, owner in self._db.execute(_OWNERS, {"kinds": kinds, "some": list(values)}):
            if (kind, value) in wanted:
                found.setdefault((kind, value), set()).add(owner)
        return found

    def identifiers_of(self, ids: Collection[int]) -> dict[int, set[Identifier]]:
        found: dict[int, set[Identifier]] = {}
        if ids:
            query = select(identifiers).where(identifiers.c.contact_id.in_(ids))
            for kind, value, owner in self._db.execute(query):
                found.setdefault(owner, set()).add((kind, value))
        return found

    def add_identifiers(self, new: Iterable[tuple[str, str, int]]) -> None:
        add_rows(self._db, identifiers, ("kind", "value", "contact_id"), new, known_ok=True)

    def drop_identifiers(self, old: Collection[tuple[str, str, int]]) -> None:
        if old:
            key = tuple_(identifiers.c.kind, identifiers.c.value, identifiers.c.contact_id)
            self._db.execute(delete(identifiers).where(key.in_(old)))

    def search(self, needle: str, *, limit: int = 50) -> list[Contact]:
        """Contacts whose name, or one of whose identifiers, contains the text, ignoring case."""
        needle = storable(needle)
        alive = select(contacts).where(contacts.c.merged_into.is_(None)).order_by(contacts.c.id)
        holders = select(identifiers.c.contact_id).where(identifiers.c.value.icontains(needle, autoescape=True))
        rows = self._db.execute(alive.where(contacts.c.id.in_(holders)).limit(limit))
        found = {row.id: _contact(row) for row in rows}
        everybody = alive.where(*_narrowed(needle)).execution_options(yield_per=500)  # perhaps a million
        with self._db.execute(everybody) as rows:
            named = (c for c in map(_contact, rows) if needle.casefold() in _name(c))
            found.update((c.id, c) for c in islice(named, limit))
        return [found[number] for number in sorted(found)][:limit]

    def count(self) -> int:
        query = select(func.count()).select_from(contacts).where(contacts.c.merged_into.is_(None))
        return int(self._db.execute(query).scalar_one())


def _narrowed(needle: str) -> list[ColumnElement[bool]]:
    """What the database can say beforehand: each word is somewhere in the fields. It folds none but ASCII letters."""
    words = [dumps(word)[1:-1] for word in needle.split() if word.isascii()]
    return [contacts.c.fields.icontains(word, autoescape=True) for word in words]


def _name(contact: Contact) -> str:
    parts = (contact.get("given_name"), contact.get("family_name"))
    return " ".join(part for part in parts if isinstance(part, str)).casefold()
