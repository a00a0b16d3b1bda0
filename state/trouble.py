"""What ails a database, in words that a person can act on: the disk is full, it was unmounted, the server is gone.

An error of a driver names a statement, its parameters (which are people) and a code. Only the code is looked at, and
where there is none the words of the driver itself; the statement and its parameters are never shown.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from state import postgresql
from state.errors import StateError
from state.tables import counters

if TYPE_CHECKING:
    from state.store import Store

Kind = Literal["away", "full", "read_only", "busy", "damaged", "refused", "other"]

PASSING: frozenset[Kind] = frozenset({"away", "full", "busy"})
"""What may be over by itself, or as soon as somebody makes room: worth trying again later."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the database. `text` says what, `hint` what to do; no statement, no person in either."""

    kind: Kind
    text: str
    hint: str

    @property
    def passing(self) -> bool:
        return self.kind in PASSING


class Troubled(StateError):
    """The database, or a file beside it, cannot be used now."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.text, hint=trouble.hint)
        self.trouble = trouble


_SAYS: Mapping[Kind, tuple[str, str]] = {
    "away": (
        "the database is away",
        "is its disk mounted, its folder there and ours, its server running? the next run goes on where this one was",
    ),
    "full": (
        "the disk of the database is full",
        "make room (df -h shows where), then run again: what was read and not kept is read once more",
    ),
    "read_only": (
        "the database can only be read",
        "is the disk mounted read-only, or the file another user's? nothing was changed",
    ),
    "busy": ("the database is busy", "try again in a moment"),
    "damaged": (
        "the database is damaged",
        "stop rosterd, keep the file, then: rosterd db check, and rosterd db restore with the last backup",
    ),
    "refused": (
        "the database does not let us in",
        "check the user, password and database name in state.url, and that it may create tables there",
    ),
    "other": ("the database cannot be used", "rosterd db check; is the disk failing (dmesg), or over its quota?"),
}


def trouble(kind: Kind, said: str) -> Trouble:
    """In our words, and in parentheses in the driver's."""
    what, hint = _SAYS[kind]
    return Trouble(kind, f"{what} ({said})" if said else what, hint)


def trouble_of(problem: DBAPIError | sqlite3.Error | OSError) -> Trouble:
    """What an error of the database, or of the file system under it, means."""
    if isinstance(problem, OSError):
        return trouble(_ERRNO.get(problem.errno or 0, "other"), problem.strerror or type(problem).__name__)
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause)
    return _of_postgresql(problem) if isinstance(problem, DBAPIError) else trouble("other", "")


_ERRNO: Mapping[int, Kind] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.EROFS: "read_only",
    errno.EACCES: "refused",
    errno.EPERM: "refused",
    errno.ENOENT: "away",
    errno.ENOTDIR: "away",
    errno.ESTALE: "away",
    errno.ENOTCONN: "away",
    errno.EAGAIN: "busy",
}


# SQLite

_SQLITE: Mapping[int, Kind] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_CANTOPEN: "away",
    sqlite3.SQLITE_PERM: "refused",
    sqlite3.SQLITE_AUTH: "refused",
}
_SQLITE_EXACTLY: Mapping[int, Kind] = {
    sqlite3.SQLITE_IOERR_SHMSIZE: "full",  # the file beside it could not grow
    sqlite3.SQLITE_IOERR_WRITE: "full",  # "no space left" is SQLITE_FULL: this is a quota or a limit, or a bad disk
    sqlite3.SQLITE_IOERR_CORRUPTFS: "damaged",
    sqlite3.SQLITE_READONLY_DBMOVED: "away",
}


def _of_sqlite(problem: sqlite3.Error) -> Trouble:
    code = getattr(problem, "sqlite_errorcode", None) or 0
    kind = _SQLITE_EXACTLY.get(code) or _SQLITE.get(code & 0xFF, "other")
    said = str(problem)
    if code == sqlite3.SQLITE_IOERR_WRITE:
        said += ": full, over a quota, read-only or failing"
    return trouble(kind, said)


# PostgreSQL

_STATES: tuple[tuple[str, Kind], ...] = (
    ("08", "away"),
    ("25P03", "away"),  # it thought us dead
    ("57P", "away"),  # shut down, crashed, starting up, or its database dropped
    ("53300", "busy"),  # too many connections
    ("53100", "full"),
    ("53", "busy"),
    ("55P03", "busy"),
    ("40", "busy"),  # deadlock: the other one went first
    ("25006", "read_only"),
    ("28", "refused"),
    ("3D000", "refused"),
    ("42501", "refused"),  # no right to that
    ("XX001", "damaged"),
    ("XX002", "damaged"),
)
"""SQLSTATE, or how it begins; the first that fits."""

_WORDS: tuple[tuple[str, Kind], ...] = (
    (r"too many (clients|connections)|remaining connection slots", "busy"),
    (r"authentication failed|no pg_hba\.conf entry|no password|role \S+ (does not exist|is not permitted)", "refused"),
    (
        r'database "[^"]*" does not exist|permission denied for|invalid connection option|does not support SSL',
        "refused",
    ),
)
"""While a connection is made there is no SQLSTATE, only words. What they do not tell apart is away."""


def _of_postgresql(problem: DBAPIError) -> Trouble:
    said = " ".join(str(problem.orig).split())
    if state := getattr(problem.orig, "sqlstate", None):
        found = trouble(_by_state(problem, state), _primary(problem.orig, state))
    else:
        found = _unanswered(problem, said)
    if found.kind == "away":
        return replace(
            found, hint="is the server running, and state.url right? the next run goes on where this one was"
        )
    if found.kind != "refused":
        return found
    return replace(found, hint=next((hint for what, hint in postgresql.HINTS if re.search(what, said)), found.hint))


def _unanswered(problem: DBAPIError, said: str) -> Trouble:
    """It never got as far as asking, or the answer never came."""
    lost = problem.connection_invalidated or isinstance(problem, (OperationalError, InterfaceError))
    kind = _first(_WORDS, re.search, said, "away" if lost else "other")
    # What else the driver says may quote a value.
    return trouble(kind, type(problem.orig).__name__ if kind == "other" else postgresql.first_line(str(problem.orig)))


def _by_state(problem: DBAPIError, state: str) -> Kind:
    cut_off: Kind = "away" if problem.connection_invalidated else "other"
    return _first(_STATES, lambda begins, text: text.startswith(begins), state, cut_off)


def _first(known: Iterable[tuple[str, Kind]], fits: Callable[[str, str], object], said: str, otherwise: Kind) -> Kind:
    return next((kind for pattern, kind in known if fits(pattern, said)), otherwise)


def _primary(cause: BaseException | None, state: str) -> str:
    """The server's message without its detail, which quotes rows; for wrong data not even that, as it quotes it."""
    message = getattr(getattr(cause, "diag", None), "message_primary", None)
    return f"{message}, {state}" if message and not state.startswith("22") else state


# is it well again?


def writable(store: Store) -> Trouble | None:
    """Try a real write and take it back; None when it went well.

    A small write that is taken back never leaves SQLite's memory, and one that stays fits into what its log has spare.
    So a file is written beside the database as well: a disk with a few bytes left is not called well.
    """
    try:
        with store.engine.connect() as plain, plain.begin() as transaction:
            plain.execute(insert(counters).values(name="is it writable?", value=0))
            transaction.rollback()
        if store.path is not None:
            _room_beside(store.path)
    except (DBAPIError, OSError) as problem:
        return trouble_of(problem)
    return None


ROOM = 1 << 20
"""Bytes that there must be room for before a disk counts as well again."""


def _room_beside(database: Path) -> None:
    probe = database.with_name(f".{database.name}.probe")
    try:
        with open(os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb", buffering=0) as file:
            left = memoryview(bytes(ROOM))
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)
