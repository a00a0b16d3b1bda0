"""Reading all of Colony into a notebook, although its pages may move while they are read.

Pages come by number. When a row leaves an earlier page, all behind it move up, and one slips between two pages; a
contact would seem to have left a list. So a collection of more than one page is believed when it looks as it did at
the last poll, or (the first time) when its count held still and was met, or when two readings agree. Each reading
adds to the notebook, so what only one of them showed is not missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from daemon.errors import NeedsPerson
from daemon.platforms.answers import ApiError
from daemon.platforms.base import Cursor
from daemon.platforms.colony_book import Book
from daemon.platforms.colony_contact import Contacts
from daemon.platforms.colony_door import Door, Params

PAGE = 100
"""How many rows a page is asked to have. The longest that Colony gives is not known."""

PASSES = 3
MOST_BROKEN = 1000
_SPAN = 1 << 96

Pages = Callable[[], Iterator[tuple[list[Any], int | None]]]


class Look(NamedTuple):
    """How a collection looked. `settled`: it held still while it was read."""

    digest: str
    rows: int
    settled: bool


def read_through(
    pages: Pages, take: Callable[[list[Any]], None], mark: Callable[[Any], Any], known: str | None
) -> Look:
    """Read a collection, as often as it takes. `mark`: what makes out a row; `known`: its digest at the last poll."""
    look, before = Look("", 0, settled=False), known
    for _ in range(PASSES):
        look, alone, steady = _one_pass(pages, take, mark)
        if alone or look.digest == before or (known is None and steady):
            return look._replace(settled=True)
        before = look.digest
    return look


def _one_pass(pages: Pages, take: Callable[[list[Any]], None], mark: Callable[[Any], Any]) -> tuple[Look, bool, bool]:
    """How it looked; whether it was one page; whether its count held still and was met. Order makes no difference."""
    total, met, counts, number = 0, 0, set[int | None](), 0
    for rows, count in pages():
        take(rows)
        for row in rows:
            raw = orjson.dumps(mark(row), option=orjson.OPT_SORT_KEYS)
            total = (total + int.from_bytes(hashlib.blake2b(raw, digest_size=12).digest())) % _SPAN
        met, number = met + len(rows), number + 1
        counts.add(count)
    return Look(f"{met:x}-{total:x}", met, settled=False), number == 1, counts == {met}


class Scan:
    """One reading of an account. `broken`: rows that cannot be used, as a page tells them."""

    def __init__(self, door: Door, contacts: Contacts, book: Book) -> None:
        self._door, self._contacts, self._book = door, contacts, book
        self.broken: list[tuple[str, str]] = []
        self.lists: dict[str, Look] = {}
        self._latest = ["", ""]
        self._filter_asked = False

    # contacts

    def read_contacts(self, known: Cursor) -> None:
        """All lists, and the contacts of each. `known`: the digests of the lists at the last poll, by id."""
        for list_id in self._list_ids():
            try:
                self.read_list(list_id, known.get(list_id))
            except ApiError:
                if list_id in self._list_ids():
                    raise  # else it was deleted since

    def _list_ids(self) -> list[str]:
        found = [row for rows, _ in self._door.pages("lists", self._paged([])) for row in rows]
        return self._contacts.learn_lists(found)

    def read_list(self, list_id: str, known: str | None = None) -> None:
        """The contacts of one list."""
        name = self._contacts.shape.name("list")
        params = self._paged([(name, list_id)] if name else [])
        broken: list[tuple[str, str]] = []

        def take(rows: list[Any]) -> None:
            self._check(rows, list_id)
            noted = [(row, self._contacts.noted(row)) for row in rows]
            self._book.add_contacts([each for _, each in noted if each is not None], list_id)
            broken.extend((type(row).__name__, "no contact with an id") for row, each in noted if each is None)

        def pages() -> Iterator[tuple[list[Any], int | None]]:
            broken.clear()
            return self._door.pages("contacts", params)

        self.lists[list_id] = read_through(pages, take, self._contacts.id_of, known)
        self.broken += broken
        if len(self.broken) > MOST_BROKEN:
            raise NeedsPerson(f"more than {MOST_BROKEN} contacts of Colony come without an id", hint="see fields.id")

    @property
    def settled(self) -> bool:
        """Whether it is known who is in which list."""
        return all(look.settled for look in self.lists.values())

    def _paged(self, params: Params) -> Params:
        name = self._contacts.shape.name("page_size")
        return [*params, (name, str(PAGE))] if name else params

    def _check(self, rows: list[Any], list_id: str) -> None:
        """Are our names Colony's? A wrong one would make everybody nameless, or a member of every list."""
        shown = [row for row in rows if isinstance(row, dict)]
        for key in ("id", "phone"):
            name = self._contacts.shape.name(key)
            if name and shown and not any(name in row for row in shown):
                fields = ", ".join(sorted({str(field)[:40] for row in shown for field in row})[:30])
                raise NeedsPerson(
                    f"no contact of Colony has a field {name!r}; there are: {fields}", hint=f"set fields.{key}"
                )
        if any(self._contacts.elsewhere(row, list_id) for row in shown):
            raise self._unheard()
        if len(self._contacts.titles) > 1 and any(self._contacts.elsewhere(row, list_id) is None for row in shown):
            self._check_filter()

    def _check_filter(self) -> None:
        """Contacts that do not say which list they are in: is the list we ask for heard at all? Asked once, with a
        list that cannot be."""
        if self._filter_asked:
            return
        self._filter_asked = True
        try:
            rows, _ = next(self._door.pages("contacts", [(self._contacts.shape.name("list"), "0")]))
        except ApiError:
            return
        if rows:
            raise self._unheard()

    def _unheard(self) -> NeedsPerson:
        return NeedsPerson(
            f"Colony takes no notice of the filter {self._contacts.shape.name('list')!r} of contacts",
            hint="set fields.list to what its filter is called; `rosterd check` shows what Colony tells",
        )

    # opt-outs

    def read_optouts(self, known: Cursor) -> tuple[Cursor, bool]:
        """All opt-outs. Returns what to remember of them, and whether a contact without one may be said to have none.

        `known` is what was remembered: {digest, count, last: [date, id]}. Opt-outs are not deleted, they are lifted by
        a date: a list of them that is shorter than it was, or ends earlier, has lost some on its way to us.
        """
        self._latest = ["", ""]
        pages = lambda: self._door.pages("optouts", self._paged([]))  # noqa: E731
        look = read_through(pages, self._take_optouts, lambda row: row, known.get("digest"))
        now = {"digest": look.digest, "count": look.rows, "last": list(self._latest)}
        cut = look.rows < known.get("count", 0) or self._latest < known.get("last", ["", ""])
        return ({**known, "digest": look.digest} if cut else now), look.settled and not cut

    def _take_optouts(self, rows: list[Any]) -> None:
        found = [(row, self._contacts.optout(row)) for row in rows]
        self._book.add_optouts([each for _, each in found if each is not None])
        for row, each in found:
            if each is not None:
                self._latest = max(self._latest, [str(row.get("date_opted_out") or ""), f"{each.id:>20}"])
