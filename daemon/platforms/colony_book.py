"""A notebook on disk for one reading of Colony: memory holds one page, however many contacts there are.

A contact may be in several lists, and its opt-out stands elsewhere. So everything is written down first, contacts by
id, and then shown contact by contact, with all its lists and with the opt-outs of its phone and its email.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

TABLES = """
CREATE TABLE contacts (id TEXT PRIMARY KEY, row BLOB, phone TEXT, email TEXT) WITHOUT ROWID;
CREATE INDEX by_phone ON contacts (phone);
CREATE INDEX by_email ON contacts (email);
CREATE TABLE members (contact TEXT, list TEXT, PRIMARY KEY (contact, list)) WITHOUT ROWID;
CREATE TABLE optouts (id TEXT PRIMARY KEY, address TEXT, stands INTEGER, at REAL, how TEXT) WITHOUT ROWID;
CREATE INDEX by_address ON optouts (address);
"""

FRESH = 120.0
"""Seconds a notebook is believed, at least."""

Row = dict[str, Any]


class Noted(NamedTuple):
    """A contact: its row, and the addresses it can be found by."""

    id: str
    row: Row
    phone: str | None
    email: str | None


class OptOutRow(NamedTuple):
    """An opt-out. `stands`: nobody has lifted it. `at`: when it was said, seconds since 1970. `how`: "api" for one that
    we made, "optout" for one that somebody said; blank if that cannot be told."""

    id: str
    address: str
    stands: bool
    at: float | None
    how: str


class Book:
    """Contacts, their lists, and opt-outs, in a temporary file that has no name and is gone when we die."""

    def __init__(self) -> None:
        # Reading and writing are done by different threads, one after the other.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(TABLES)

    def close(self) -> None:
        self._db.close()

    def add_contacts(self, contacts: Iterable[Noted], list_id: str | None = None) -> None:
        """One that is there already is replaced; it stays in the lists it was in."""
        found = list(contacts)
        with _together(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO contacts VALUES (?, ?, ?, ?)",
                [(each.id, orjson.dumps(each.row), each.phone, each.email) for each in found],
            )
            if list_id is not None:
                members = [(each.id, list_id) for each in found]
                self._db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", members)

    def add_optouts(self, optouts: Iterable[OptOutRow]) -> None:
        with _together(self._db):
            self._db.executemany("INSERT OR REPLACE INTO optouts VALUES (?, ?, ?, ?, ?)", list(optouts))

    def contacts(self, after: str, size: int) -> list[tuple[Row, list[str]]]:
        """The next contacts by id, each with its lists."""
        found = self._db.execute("SELECT id, row FROM contacts WHERE id > ? ORDER BY id LIMIT ?", (after, size))
        return [(orjson.loads(row), self._lists_of(id_)) for id_, row in found.fetchall()]

    def _lists_of(self, contact: str) -> list[str]:
        found = self._db.execute("SELECT list FROM members WHERE contact = ? ORDER BY list", (contact,))
        return [row[0] for row in found]

    def optouts(self, address: str) -> list[OptOutRow]:
        found = self._db.execute("SELECT * FROM optouts WHERE address = ? ORDER BY id", (address,))
        return [OptOutRow(id_, address, bool(stands), at, how) for id_, address, stands, at, how in found]

    def find(self, phone: str | None, email: str | None) -> list[str]:
        """The ids of contacts with this phone or this email. None finds nobody."""
        query = "SELECT id FROM contacts WHERE phone = ? UNION SELECT id FROM contacts WHERE email = ? ORDER BY id"
        return [row[0] for row in self._db.execute(query, (phone, email))]

    def row(self, contact: str) -> Row:
        (found,) = self._db.execute("SELECT row FROM contacts WHERE id = ?", (contact,)).fetchone()
        row: Row = orjson.loads(found)
        return row


class Kept:
    """The notebook of the last reading, kept for as long as it may be believed: a write that follows a reading need not
    read everything again.

    It is believed for two minutes, or for as long as the reading took: what happened meanwhile might have been missed
    by a new reading as well.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._book: Book | None = None
        self._began = self._ended = 0.0

    def begin(self) -> Book:
        """An empty one, for a new reading. The old one is gone."""
        self.close()
        self._book, self._began, self._ended = Book(), self._clock(), 0.0
        return self._book

    def done(self) -> None:
        """All contacts are in it."""
        self._ended = self._clock()

    def fresh(self) -> Book | None:
        """The notebook, if all contacts are in it and it is young enough."""
        age = self._clock() - self._ended
        return self._book if self._ended and 0 <= age <= max(FRESH, self._ended - self._began) else None

    def doubt(self) -> None:
        """Something was written of which we do not know what became: what was read before is out of date."""
        self._ended = 0.0

    def close(self) -> None:
        if self._book is not None:
            self._book.close()
        self._book = None


@contextlib.contextmanager
def _together(db: sqlite3.Connection) -> Iterator[None]:
    """Many rows at once: each by itself would be a write of its own. What is broken off is thrown away anyway."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")
