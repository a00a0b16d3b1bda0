"""Copies of the database, and putting one back. A copy is one SQLite file, whatever engine the state is kept in.

What is written stands under its final name only once it is whole, on disk and looked through: a backup that was
broken off is no backup. Nobody but its owner may read it at any moment.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from state.durable import to_disk
from state.errors import StateError
from state.migrate import HEAD, revision
from state.trouble import Kind, Trouble, Troubled, trouble, trouble_of

if TYPE_CHECKING:
    from state.store import Store

STEP = 2000
"""Pages copied at a time (8 MB): Ctrl-C is heard in between."""
HUGE = 2 << 30
"""Bytes above which a copy is looked through quickly: every page, but not every index against its table."""
NAME = re.compile(r"rosterd-\d{8}T\d{6}Z\.db")
"""What a backup in a folder is called; the only files there that are ever removed."""
STALE = 86400.0
"""Seconds after which a half-made copy is nobody's any more."""


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database in use, as it is at this moment, into an empty file.

    The read transaction pins that moment: without it, every write of another process would start the copy anew. It
    does not keep anybody from writing. Raises sqlite3.Error.
    """
    with contextlib.closing(bare(source)) as theirs, contextlib.closing(bare(target)) as ours:
        theirs.execute("BEGIN")
        theirs.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        theirs.backup(ours, pages=STEP, sleep=0)
        theirs.execute("COMMIT")


def bare(path: Path) -> sqlite3.Connection:
    """A database file, without any of our settings; transactions are begun and ended in so many words."""
    return sqlite3.connect(path, timeout=10, isolation_level=None)


# making one


def backup(store: Store, target: Path, *, force: bool = False) -> Path:
    """Write a backup to `target`, which must not exist unless `force`; returns it. Works beside a running service.

    Raises StateError (Troubled for a full disk and its like); then `target` is what it was before.
    """
    _refuse(store, target, force=force)
    with made(target, "backup") as part:
        store.copy_to(part)
        settle(part)
        put(part, target, force=force)
    return target


def backup_into(store: Store, folder: Path, *, now: float, keep: int | None = None) -> tuple[Path, list[Path]]:
    """Write a backup named by the time into a folder; with `keep`, leave only so many, the newest ones.

    Returns it and those that were removed: after the new one is whole, and never anything that is not named so.
    """
    made = backup(store, folder / time.strftime("rosterd-%Y%m%dT%H%M%SZ.db", time.gmtime(now)))
    _sweep_parts(folder, now)
    if keep is None:
        return made, []
    others = sorted((each for each in folder.iterdir() if NAME.fullmatch(each.name) and each != made), reverse=True)
    old = others[max(1, keep) - 1 :]
    for each in old:
        each.unlink(missing_ok=True)
    return made, old


def _refuse(store: Store, target: Path, *, force: bool) -> None:
    if store.path is None:
        _must_be_current(store)
    if not target.parent.is_dir():
        raise StateError(f"there is no folder {target.parent}", hint="make it first; is that disk mounted?")
    if store.path is not None and target.exists() and target.samefile(store.path):
        raise StateError(f"{target} is the database itself", hint="name another file")
    if store.path is not None and target.resolve() in beside(store.path.resolve()):
        raise StateError(f"{target} belongs to the database", hint="name another file")
    if target.exists() and not target.is_file():
        raise StateError(f"{target} is no file", hint="name a file, or a folder")
    if target.exists() and not force:
        raise StateError(f"{target} is there already", hint="name another file, or add --force")


def _must_be_current(store: Store) -> None:
    """A file of SQLite is copied as it is; the rows of a PostgreSQL by the shape we know."""
    with store.look() as tx:
        found = revision(tx.db)
    if found != HEAD:
        raise StateError(
            f"the database is at revision {found or 'none'}, this program copies {HEAD}",
            hint="pg_dump copies it as it is; then rosterd db upgrade",
        )


def beside(database: Path) -> list[Path]:
    """The files that stand beside a database in use."""
    return [database.with_name(database.name + end) for end in ("-wal", "-shm", ".lock")]


@contextlib.contextmanager
def made(target: Path, what: str) -> Iterator[Path]:
    """A name beside the target for what is not whole yet, gone at the end; what goes wrong, as StateError."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _forget(part)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield part
    except (sqlite3.Error, OSError) as problem:
        raise Troubled(_about(target, what, trouble_of(problem))) from None
    except DBAPIError as problem:
        if not isinstance(problem.orig, sqlite3.Error):
            raise  # the database that is copied: its own story
        raise Troubled(_about(target, what, trouble_of(problem))) from None
    finally:
        with contextlib.suppress(OSError):
            _forget(part)


_THERE: dict[Kind, tuple[str, str]] = {
    "full": ("there is no room for it", "make room there, or name another place"),
    "read_only": ("that disk can only be read", "name another place"),
    "refused": ("we may not write there", "name another place, or see who owns that folder"),
    "away": ("that folder is away", "is its disk mounted?"),
}


def _about(target: Path, what: str, found: Trouble) -> Trouble:
    said, hint = _THERE.get(found.kind, (found.text, found.hint))
    return Trouble(found.kind, f"no {what} was written to {target}: {said}", hint)


def settle(copy: Path) -> None:
    """Make a copy one whole file that nobody holds: no log beside it, no lease in it. Raises StateError if damaged."""
    with contextlib.closing(bare(copy)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        _nobody_holds(db)
        if wrong := damage(db, quick=copy.stat().st_size > HUGE):
            raise Troubled(trouble("damaged", f"in its copy: {wrong[0]}"))


def _nobody_holds(db: sqlite3.Connection) -> None:
    """Leases are of the processes that worked on the original."""
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "workers" in there:
        db.execute("UPDATE connections SET owner = NULL, lease_until = NULL, term = NULL WHERE owner IS NOT NULL")
        db.execute("DELETE FROM workers")


def damage(db: sqlite3.Connection, *, quick: bool) -> list[str]:
    """What is wrong with a database file, its first hundred findings; empty when it is whole."""
    rows = [str(row[0]) for row in db.execute(f"PRAGMA {'quick' if quick else 'integrity'}_check")]
    return [line for line in rows if line != "ok"]


def put(part: Path, target: Path, *, force: bool) -> None:
    """Give what is whole its name, once it is on disk. Without `force` nothing that is there is replaced, not even
    what has come meanwhile."""
    to_disk(part)
    if force:
        part.replace(target)
    else:
        _name_new(part, target)
    to_disk(target.parent)


def _name_new(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        raise StateError(f"{target} is there already", hint="name another file, or add --force") from None
    except OSError:  # a file system without links: no better way
        part.rename(target)


def _forget(part: Path) -> None:
    for end in ("", "-journal", "-wal", "-shm"):
        part.with_name(part.name + end).unlink(missing_ok=True)


def _sweep_parts(folder: Path, now: float) -> None:
    """What a process that was killed has left half-made: it holds people, too."""
    for each in folder.glob(".rosterd-*.db.*.part*"):
        with contextlib.suppress(OSError):
            if now - each.stat().st_mtime > STALE:
                each.unlink()
