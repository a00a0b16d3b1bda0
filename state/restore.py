"""A backup in the place of the database. The old one is kept beside it, whole, whenever the process dies."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from state.backup import bare, beside, copy_sqlite, damage, made, put, settle
from state.engine import FileLock, make_private
from state.errors import StateError
from state.migrate import known_revisions
from state.trouble import trouble_of


def restore(backup: Path, database: Path, *, now: float) -> Path | None:
    """Put `backup` where `database` is; returns the name under which the old one was kept, if there was one.

    Every connection is due to be read whole by the next run: what was said meanwhile, an opt-out above all, is on the
    platforms and not in the backup. Raises Locked while a process holds the database, StateError for a backup that is
    damaged, no backup of ours, or written by a newer rosterd; nothing was changed then.
    """
    _must_be_ours(backup, database)
    lock = FileLock(database)
    make_private(lock.path)  # and its folder
    lock.take()
    try:
        with made(database, "database") as part:
            copy_sqlite(backup, part)
            settle(part)
            _read_all_again(part)
            _leave_to_its_owner(database, part, lock.path)
            kept = _set_aside(database, now)
            put(part, database, force=True)
        return kept
    finally:
        lock.release()


def _must_be_ours(backup: Path, database: Path) -> None:
    if not backup.is_file():
        raise StateError(f"there is no file {backup}", hint="rosterd db backup makes one")
    if database.exists() and backup.samefile(database):
        raise StateError(f"{backup} is the database itself", hint="name a backup")
    try:
        with contextlib.closing(bare(backup)) as db:
            wrong = damage(db, quick=True)
            found = None if wrong else _revision(db)
    except sqlite3.Error as problem:
        wrong, found = [trouble_of(problem).text], None
    if wrong:
        raise StateError(f"{backup} is damaged: {wrong[0]}", hint="take another backup")
    if found is None:
        raise StateError(f"{backup} is no database of rosterd", hint="rosterd db backup makes one")
    if found not in known_revisions():
        raise StateError(
            f"{backup} is at revision {found}, which this version of rosterd does not know",
            hint="it was written by a newer rosterd: upgrade the program",
        )


def _revision(db: sqlite3.Connection) -> str | None:
    there = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'").fetchone()
    row = db.execute("SELECT version_num FROM alembic_version").fetchone() if there else None
    return None if row is None else str(row[0])


def _read_all_again(copy: Path) -> None:
    """Without the time of its last sweep a connection is due for one; one that was under way begins anew. The cursor of
    the feed stays: it is older, and repeats."""
    with contextlib.closing(bare(copy)) as db:
        db.execute("UPDATE connections SET swept_at = NULL")
        db.execute("UPDATE connections SET cursor = '{}' WHERE sweep > swept")


def _leave_to_its_owner(database: Path, *made: Path) -> None:
    """What root puts back belongs to whom the old one did, or its folder does: the service is a user of its own."""
    if os.geteuid() != 0:
        return
    owner = (database if database.exists() else database.parent).stat()
    for each in made:
        os.chown(each, owner.st_uid, owner.st_gid)


def _set_aside(database: Path, now: float) -> Path | None:
    """Keep the old one under a name of its own, then take its log away, which would be played into the new one.

    By a second name for the same file: at no moment is there no database, nor one without its log and no other.
    """
    if not database.exists():
        return None
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    kept = database.with_name(f"{database.name}.before-restore-{stamp}")
    log, shared, _ = beside(database)
    os.link(database, kept)
    if log.exists():
        os.link(log, beside(kept)[0])
    for each in (log, shared):
        each.unlink(missing_ok=True)
    return kept
