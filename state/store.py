"""The one door to the database. Everything happens inside `transaction()`, and never across an HTTP call."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from state.contacts import Contacts
from state.engine import FileLock, StateError, engine, make_private, sqlite_path
from state.hours import Hours
from state.links import Links
from state.migrate import upgrade
from state.outbox import Outbox
from state.outreaches import Outreaches
from state.records import Connections, Holds, Journal, Runs


class Tx:
    """One transaction, with a door to each group of tables."""

    def __init__(self, connection: Connection) -> None:
        self.db = connection
        self.connections = Connections(connection)
        self.contacts = Contacts(connection)
        self.links = Links(connection)
        self.outbox = Outbox(connection)
        self.outreaches = Outreaches(connection)
        self.journal = Journal(connection)
        self.holds = Holds(connection)
        self.runs = Runs(connection)
        self.hours = Hours(connection)


class Store:
    """The local database, opened, migrated and (SQLite) held by this process alone.

    `url`: an SQLAlchemy URL, sqlite:////path/state.db. `exclusive=False` only looks: it takes no lock, so that
    `status` works beside a running sync. Raises StateError with a hint; Locked when another process holds it.
    """

    def __init__(self, url: str, *, exclusive: bool = True) -> None:
        self.url = url
        self._turn = threading.RLock()  # SQLite has one writer; waiting here is fairer than its busy loop
        self._lock: FileLock | None = None
        self.path = sqlite_path(url)
        if self.path is not None:
            self._open_file(self.path, exclusive)
        try:
            if exclusive:
                upgrade(url)
            self.engine: Engine = engine(url)
        except DBAPIError as problem:
            self.close()
            raise StateError(f"the database cannot be used: {problem.orig}", hint="rosterd db check") from None
        except StateError:
            self.close()
            raise

    def _open_file(self, path: Path, exclusive: bool) -> None:
        if not exclusive and not path.exists():
            raise StateError(f"there is no database at {path} yet", hint="rosterd sync makes it")
        if exclusive:
            make_private(path)
            self._lock = FileLock(path)
            self._lock.take()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Read and write; committed at the end, undone on any exception."""
        with self._turn, self.engine.begin() as connection:
            yield Tx(connection)

    @contextlib.contextmanager
    def look(self) -> Iterator[Tx]:
        """Read only; does not wait for writers."""
        with self.engine.connect() as plain:
            yield Tx(plain.execution_options(sqlite_begin="BEGIN"))

    def copy_to(self, path: Path) -> None:
        """A consistent copy of the database (SQLite), made while others may read it."""
        if self.path is None:
            raise StateError("only an SQLite state can be copied like this")
        make_private(path)  # before it holds anybody's phone number
        source, target = sqlite3.connect(self.path), sqlite3.connect(path)
        with contextlib.closing(source), contextlib.closing(target):
            source.backup(target)

    def check(self) -> list[str]:
        """What is wrong with the database file; empty when it is whole."""
        if self.path is None:
            return []
        found: list[str] = []
        try:
            with self.look() as tx:
                found.extend(str(row[0]) for row in tx.db.execute(text("pragma integrity_check")))
        except DBAPIError as problem:  # too broken to be looked through
            found.append(str(problem.orig))
        return [line for line in found if line != "ok"]

    def close(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
        if self._lock is not None:
            self._lock.release()
