"""Looking after the SQLite file: its log, and the room that was given up inside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from state.store import Store

MB = 1 << 20
WORTH = 64 * MB
"""Bytes of given-up room below which nobody needs it back."""
SHARE = 0.25
"""... and the part of the file that it must be."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: the whole file, and what of it is given up."""

    size: int
    free: int

    @property
    def worth_it(self) -> bool:
        return self.free >= WORTH and self.free > SHARE * self.size


def room(store: Store) -> Room:
    with store.bare() as db:
        page, pages, free = (_one(db, name) for name in ("page_size", "page_count", "freelist_count"))
    return Room(page * pages, page * free)


def _one(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def tidy(store: Store) -> None:
    """Bring the log into the file, and let it begin anew. A moment's work.

    Not `PRAGMA optimize`: what we ask finds its index without statistics. With those of a small table SQLite walks
    through it, and goes on so when a first reading has brought a million people into it.
    """
    with store.bare() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def short_of(store: Store) -> str:
    """What a vacuum lacks, in words; empty when it can be done.

    It writes the rows once into a temporary file and once into the log beside the database.
    """
    assert store.path is not None
    found = room(store)
    needed = found.size - found.free
    places = {store.path.resolve().parent: needed, _temporary(): needed}
    by_disk: dict[int, list[Path]] = {}
    for place in places:
        by_disk.setdefault(os.stat(place).st_dev, []).append(place)
    for shared in by_disk.values():
        wanted, free = sum(places[place] for place in shared), shutil.disk_usage(shared[0]).free
        if free < wanted + WORTH:
            return (
                f"a vacuum needs {(wanted + WORTH) // MB} MB on the disk of {shared[0]}, and {free // MB} MB are free"
            )
    return ""


def _temporary() -> Path:
    """Where SQLite puts the file it sorts the rows into."""
    for place in (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp"):  # noqa: S108
        if place and Path(place).is_dir() and os.access(place, os.W_OK | os.X_OK):
            return Path(place).resolve()
    return Path(tempfile.gettempdir())


def vacuum(store: Store) -> tuple[Room, Room]:
    """Give the room inside the file back to the disk; before and after. Nobody can write meanwhile.

    Raises sqlite3.Error; the database is then as it was.
    """
    before = room(store)
    with store.bare() as db:
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return before, room(store)
