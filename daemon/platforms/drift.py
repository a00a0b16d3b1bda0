"""A way through a collection that comes by page number while its rows move.

When a row leaves an earlier page (deleted, or moved elsewhere because it was changed), all rows after it move up by
one, and the first row of the next page is never shown. So each page is chosen to begin a little before the end of the
one before it: as long as it shows one of those rows again, nothing was passed over. If it does not, the way goes
back. That costs a third more calls than pages laid end to end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

BACK = 8
"""So many times the way goes back for one page; then it goes on: whatever was there has moved as a whole."""


class Step(NamedTuple):
    """Rows not in the step before; where the next one begins, and the names of the rows it should show again."""

    rows: list[Any]
    at: int
    last: list[str]


Ask = Callable[[int, int], tuple[list[Any], int | None]]
"""The rows of a page, by its number (from 1) and its size; and how many there are in all, if that is told."""


def steps(
    ask: Ask, name: Callable[[Any], str], *, size: int, at: int = 0, last: Collection[str] = ()
) -> Iterator[Step]:
    """All rows, in steps, from `at` on (with `last`, as a step before gave them). The end is a page with nothing new,
    or the last of as many as there are said to be.

    `name` tells rows apart. A row may be shown twice.
    """
    backs = 0
    while True:
        page, wide = place(at, size)
        rows, total = ask(page, wide)
        names = [name(row) for row in rows]
        start = (page - 1) * wide
        if 0 < start < at and not set(names) & set(last) and (backs < BACK or not rows):
            at, backs = max(0, start - size // 2), backs + 1
            continue
        new = [row for row, its_name in zip(rows, names, strict=True) if its_name not in last]
        if not new:
            return
        backs, at, last = 0, start + len(rows), names
        yield Step(new, at, names)
        if total is not None and at >= total:
            return


def place(at: int, size: int) -> tuple[int, int]:
    """Number and size of the page that shows the row before `at` again and reaches farthest beyond it."""
    if at == 0:
        return 1, size
    wide = max(range(size, size // 2, -1), key=lambda each: _reach(at, each))
    if _reach(at, wide) > at:
        return (at - 1) // wide + 1, wide
    return at // wide + 1, wide  # `at` is an end for each of these sizes: with more than twelve rows that never is


def _reach(at: int, size: int) -> int:
    """The end of the page of this size that holds the row before `at`."""
    return ((at - 1) // size + 1) * size
