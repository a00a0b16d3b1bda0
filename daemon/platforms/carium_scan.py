"""Reading a collection of Carium by offset, although nothing is said about its order.

A row that is deleted or moved while we read shifts all rows behind it, and one of them slips between two pages. So
pages overlap by a few rows: as long as each begins with exactly the rows the last one ended with, nothing moved. A PASS
in which something did is followed by another, until one is steady or brings nobody new. What was shown and how it
looked lies in a temporary file, so that a repeated pass shows only what is new, and memory holds one page.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from daemon.errors import RetryLater
from daemon.platforms.answers import Answer, mapping, rows

LIMIT = 1000
"""The longest page (Carium courier API, 'PageLimit')."""

PASSES = 5
"""Readings of one sweep, at most. A row that stays out of sight in all of them would have to be unlucky five times."""


_LOOK = "SELECT digest FROM seen WHERE scan = ? AND id = ?"
_NOTE = "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scan stands, as it goes into a cursor. `tail`: the last ids of the page before; `longest`: rows of the
    longest page of this pass; `count`: rows of this pass; `fresh`: those that no pass before had shown."""

    number: int = 1
    offset: int = 0
    tail: list[str] = field(default_factory=list)
    steady: bool = True
    longest: int = 0
    count: int = 0
    fresh: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@contextlib.contextmanager
def notebook() -> Iterator[sqlite3.Connection]:
    """A database in a temporary file that has no name and is gone when it is closed, or when we die.

    Closed by whichever thread drops an unfinished scan.
    """
    book = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    try:
        book.execute("PRAGMA journal_mode = OFF")
        book.execute("PRAGMA synchronous = OFF")
        book.execute("CREATE TABLE seen (scan TEXT, id TEXT, digest BLOB, PRIMARY KEY (scan, id)) WITHOUT ROWID")
        yield book
    finally:
        book.close()


class Scan:
    """One collection, by `ask(offset, limit)`. `broken` collects rows without a usable id, since the last page."""

    def __init__(
        self, ask: Callable[[int, int], Answer], book: sqlite3.Connection, name: str, *, limit: int = LIMIT
    ) -> None:
        self._ask, self._book, self._limit = ask, book, limit
        self._name = name
        self._last: list[str] = []
        self._total: int | None = None
        self.broken: list[Any] = []

    def pages(self, place: Place) -> Iterator[tuple[list[dict[str, Any]], Place | None]]:
        """Rows not shown yet (or not as they are now), and where to go on; None: everything has been read."""
        while True:
            shown, following = self._page(place)
            yield shown, following
            if following is None:
                return
            place = following

    def _page(self, place: Place) -> tuple[list[dict[str, Any]], Place | None]:
        found = self._read(place.offset)
        ids = [row["id"] for row in found]
        new, shown = self._unseen(found)
        behind = [row for row in ids if row not in place.tail]
        place = replace(
            place,
            steady=place.steady and ids[: len(place.tail)] == place.tail,
            count=place.count + len(behind),
            fresh=place.fresh + new,
        )
        if len(ids) <= len(place.tail) or len(ids) < place.longest:
            return shown, self._after_pass(place)
        tail = ids[-min(max(1, self._limit // 100), len(ids) - 1) :] if len(ids) > 1 else []
        return shown, replace(
            place, offset=place.offset + len(ids) - len(tail), tail=tail, longest=max(place.longest, len(ids))
        )

    def _read(self, offset: int) -> list[dict[str, Any]]:
        answer = self._ask(offset, self._limit)
        page = rows(answer, "data")
        meta = mapping(answer).get("meta")
        total = meta.get("page[total]") if isinstance(meta, dict) else None
        self._total = total if isinstance(total, int) and not isinstance(total, bool) else None
        ids = [str(row.get("id")) if isinstance(row, dict) else "" for row in page]
        if offset and ids and ids == self._last:
            raise RetryLater("the platform's pages do not come to an end")
        self._last = ids
        return [row if _usable(row) else {"id": f"#{offset + n}", "broken": row} for n, row in enumerate(page)]

    def _unseen(self, found: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
        """How many ids no pass had shown, and the rows to show: those, and those that look different now."""
        new, shown = 0, []
        self.broken = []
        with _transaction(self._book):
            for row in found:
                digest = hashlib.blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=12).digest()
                before = self._book.execute(_LOOK, (self._name, row["id"])).fetchone()
                if before == (digest,):
                    continue
                self._book.execute(_NOTE, (self._name, row["id"], digest))
                new += before is None
                if "broken" in row:
                    self.broken.append(row["broken"])
                else:
                    shown.append(row)
        return new, shown

    def _after_pass(self, place: Place) -> Place | None:
        """None if everything has been read; else where the next pass begins."""
        short = self._total is not None and place.count < self._total
        if place.steady and not short:
            return None
        if place.number > 1 and not place.fresh and not short:
            return None
        if place.number < PASSES:
            return Place(number=place.number + 1)
        if short:
            raise RetryLater(f"the platform says it holds {self._total} and shows {place.count}")
        return None


def _usable(row: Any) -> bool:
    if not isinstance(row, dict) or "broken" in row:
        return False
    return isinstance(row.get("id"), str) and bool(row["id"]) and isinstance(row.get("attributes"), dict)


@contextlib.contextmanager
def _transaction(book: sqlite3.Connection) -> Iterator[None]:
    """Many rows at once: each by itself would be a write of its own. What is broken off is thrown away anyway."""
    book.execute("BEGIN")
    try:
        yield
    finally:
        book.execute("COMMIT")
