"""Opening the database: SQLite with the settings that make it safe, one process a file; PostgreSQL by its address."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError

from state import postgresql
from state.errors import Locked, StateError

__all__ = ["FileLock", "Locked", "StateError", "engine", "make_private", "sqlite_path"]


def engine(url: str | URL, *, foreign_keys: bool = True) -> Engine:
    """An engine whose transactions begin with BEGIN IMMEDIATE on SQLite.

    A deferred transaction that reads, then writes, fails at once with "database is locked" when another wrote in
    between, whatever the busy timeout; IMMEDIATE waits its turn instead.
    """
    target = make_url(url)
    if target.drivername in postgresql.NAMES:
        return postgresql.engine(target)
    made = create_engine(target, hide_parameters=True)
    _prepare_sqlite(made, foreign_keys)
    return made


def _prepare_sqlite(made: Engine, foreign_keys: bool) -> None:
    pragmas = (
        "busy_timeout=10000",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
    )

    path = sqlite_path(made.url)

    @event.listens_for(made, "connect")
    def connect(dbapi: Any, record: Any) -> None:
        dbapi.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in pragmas:
            dbapi.execute(f"PRAGMA {pragma}")
        record.info["file"] = _identity(path)

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        _must_be_there(path, connection.info)
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Which file that is, whatever it is called; None: there is none."""
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def _must_be_there(path: Path | None, info: dict[str, Any]) -> None:
    """SQLite goes on writing into a file that was deleted or replaced meanwhile, and all of it would be lost."""
    if path is not None and _identity(path) != info.get("file"):
        gone = sqlite3.OperationalError("its file was deleted, moved or replaced")
        gone.sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED
        raise OperationalError(None, None, gone)


def sqlite_path(url: str | URL) -> Path | None:
    """The file behind a SQLite URL, or None for another engine."""
    target = make_url(url)
    if target.drivername in postgresql.NAMES:
        return None
    if not target.database or target.database == ":memory:":
        raise StateError(
            "the state must be kept in a file", hint='write state.url = "sqlite:////var/lib/rosterd/state.db"'
        )
    return Path(target.database)


def make_private(path: Path) -> None:
    """Create the database file, if need be, readable by its owner alone; it holds everybody's phone number."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # that will pass
        raise StateError(
            f"cannot open the database {path}: {problem.strerror}",
            hint="check state.url in the config, and who owns that folder",
        ) from None


class FileLock:
    """One process a database file. Held until the process ends, also by kill -9: the kernel lets go of it."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._file: IO[str] | None = None

    def take(self) -> None:
        file = self.path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise Locked(
                f"the database is in use by {holder}",
                hint="wait for it to finish, or stop it; two at once would send everything twice",
            ) from None
        self.path.chmod(0o600)
        self._file = file
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        with contextlib.suppress(OSError):  # a full disk: we hold it all the same, only nobody can read who
            file.flush()

    def release(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # the name that a full disk did not take
                self._file.close()
            self._file = None
