"""The one door to the database. Everything happens inside `transaction()`, and never across an HTTP call."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from state.alerts import Alerts
from state.backup import copy_sqlite
from state.contacts import Contacts
from state.copy import copy
from state.engine import FileLock, engine, make_private, sqlite_path
from state.errors import StateError
from state.hours import Hours
from state.leases import Lease, LeaseLost, Leases
from state.links import Links
from state.migrate import revision, upgrade
from state.outbox import Outbox
from state.outreaches import Outreaches
from state.postgresql import STALLED, looking, one_writer
from state.records import Connections, Holds, Journal, Passed, Runs
from state.trouble import Troubled, trouble_of
from state.workers import Workers


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
        self.passed = Passed(connection)
        self.hours = Hours(connection)
        self.leases = Leases(connection)
        self.alerts = Alerts(connection)
        self.workers = Workers(connection)


class _Held(threading.local):
    """The lease of each thread that works under one."""

    lease: Lease | None = None


class Store:
    """The database, opened and migrated; an SQLite file is held by this process alone.

    `url`: an SQLAlchemy URL, sqlite:////path/state.db or postgresql://host/name. `exclusive=False` opens it beside a
    running sync, as it is: to look at it, and for single transactions of people who decide something. Raises
    StateError with a hint; Locked when another process holds the file.

    `stalled`: seconds after which a transaction that says nothing is cut off (PostgreSQL): nobody else can write.
    `revision_before`: the shape we found and brought up to date; None where it was empty, or was left as it is.
    """

    def __init__(self, url: str, *, exclusive: bool = True) -> None:
        self.url = url
        self.stalled = STALLED
        self._turn = threading.RLock()  # SQLite has one writer; waiting here is fairer than its busy loop
        self._held = _Held()
        self._lock: FileLock | None = None
        self.revision_before: str | None = None
        self.path = sqlite_path(url)
        if self.path is not None:
            self._open_file(self.path, exclusive)
        try:
            if exclusive:
                self.revision_before, _ = upgrade(url)
            self.engine: Engine = engine(url)
            if exclusive and self.path is not None:
                self._nobody_else()
        except DBAPIError as problem:
            self.close()
            raise Troubled(trouble_of(problem)) from None
        except StateError:
            self.close()
            raise

    def _open_file(self, path: Path, exclusive: bool) -> None:
        if not exclusive and not path.exists():
            raise StateError(f"there is no database at {path} yet", hint="rosterd sync makes it")
        if exclusive:
            try:
                make_private(path)
                self._lock = FileLock(path)
                self._lock.take()
            except OSError as problem:
                raise Troubled(trouble_of(problem)) from None

    def _nobody_else(self) -> None:
        """We hold the file, so whoever had a lease on something in it is gone."""
        with self.transaction() as tx:
            tx.leases.release_all()
            tx.workers.forget_all()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Tx]:
        """Read and write; committed at the end, undone on any exception.

        Raises LeaseLost, before anything is done, when this thread is `holding` a lease that is not its any more.
        """
        with self._turn, self.engine.begin() as connection:
            one_writer(connection, self.stalled)
            tx = Tx(connection)
            if (lease := self._held.lease) is not None and not tx.leases.renew(lease):
                raise LeaseLost(f"the lease on {', '.join(lease.names)} has run out; another worker may go on there")
            yield tx

    @contextlib.contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Within this, each transaction of the calling thread is fenced: it renews the lease, or raises LeaseLost.

        Only of this thread. What it starts in other threads is theirs to fence; and what a person decides meanwhile,
        from a command or on the page, holds whoever has the connection.
        """
        before, self._held.lease = self._held.lease, lease
        try:
            yield
        finally:
            self._held.lease = before

    @contextlib.contextmanager
    def look(self) -> Iterator[Tx]:
        """Read only, and one moment from the first question on; does not wait for writers."""
        with self.engine.connect() as plain:
            yield Tx(looking(plain.execution_options(sqlite_begin="BEGIN")))

    @contextlib.contextmanager
    def bare(self) -> Iterator[sqlite3.Connection]:
        """SQLite itself, outside of any transaction, while no thread of ours writes: for what looks after the file."""
        with self._turn:
            raw = self.engine.raw_connection()
            try:
                found = raw.driver_connection
                assert isinstance(found, sqlite3.Connection), "this is for SQLite"
                yield found
            finally:
                raw.close()

    def begun(self) -> bool:
        """Whether rosterd has ever kept anything here."""
        if self.path is not None:
            return self.path.exists()
        with self.look() as tx:
            return revision(tx.db) is not None

    def copy_to(self, path: Path) -> None:
        """A consistent copy of the database as an SQLite file, made while others read it and write to it."""
        make_private(path)  # before it holds anybody's phone number
        if self.path is not None:
            copy_sqlite(self.path, path)
            return
        with self.look() as tx:
            copy(tx.db, path)

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
