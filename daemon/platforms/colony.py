"""Colony: the contact lists of one company, and its opt-outs. Reading is here, writing in `colony_writes`.

Nothing that is published filters contacts by time, so each poll reads all lists and all opt-outs, and the sync
compares. They are written into a notebook on disk (`colony_book`) and shown from there: a contact that is in two lists
is one record with two tags, and memory holds one page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from daemon.errors import RetryLater
from daemon.platforms.answers import ApiError, mapping, reading
from daemon.platforms.base import Connector, Cursor, Facts, Outcome, Page, Push, Record
from daemon.platforms.colony_book import Book, Kept, OptOutRow, Row
from daemon.platforms.colony_contact import Contacts, addresses
from daemon.platforms.colony_door import Door
from daemon.platforms.colony_probe import probe
from daemon.platforms.colony_scan import Scan
from daemon.platforms.colony_shape import Shape, capabilities
from daemon.platforms.colony_writes import Writer

if TYPE_CHECKING:
    from daemon.platforms.http import Api

PAGE = 500
"""Records shown at once."""


class Colony(Connector):
    """One company. `home`: the id of the list new contacts go to; None: nobody is made. `writes`: whether any request
    that writes can be made at all."""

    platform = "colony"

    def __init__(
        self,
        api: Api,
        *,
        username: str,
        region: str,
        facts: Facts,
        shape: Shape | None = None,
        home: int | None = None,
        writes: bool = False,
        page: int = PAGE,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        shape = shape or Shape()
        self._api, self._size = api, page
        self.facts = facts
        self.account = f"colony:{username}@{api.host}"
        self.capabilities = capabilities(shape, home)
        self._door = Door(api, shape, writes=writes)
        self._contacts = Contacts(shape, region=region, home=None if home is None else str(home), facts=facts)
        self._kept = Kept(clock)
        kept = self._kept, facts, self._keep_now
        self._writer = Writer(self._door, self._contacts, self._whole, *kept, clock=clock, sleep=sleep)

    def _keep_now(self) -> None:
        self.keep_facts()  # which is set after we were made

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        """All lists, then all opt-outs, then the records, by id. One that was broken off reads anew, and shows what it
        had not shown."""
        after = str(cursor.get("after", "")) if resume else ""
        book = self._kept.begin()
        scan = Scan(self._door, self._contacts, book)
        with reading("the contact lists"):
            scan.read_contacts(cursor.get("lists", {}))
        self._kept.done()
        with reading("the opt-outs"):
            optouts, sure = scan.read_optouts(cursor.get("optouts", {}))
        digests = {list_id: look.digest for list_id, look in scan.lists.items()}
        yield from self._pages(book, scan, {"lists": digests, "optouts": optouts}, after, sure)

    def _pages(self, book: Book, scan: Scan, cursor: Cursor, after: str, sure: bool) -> Iterator[Page]:
        broken = scan.broken
        while True:
            found = book.contacts(after, self._size + 1)
            page, more = found[: self._size], len(found) > self._size
            records = [self._shown(book, row, lists if scan.settled else None, sure) for row, lists in page]
            after = records[-1].external_id if records else ""
            yield Page(records, {**cursor, "after": after} if more else cursor, not more, broken)
            if not more:
                return
            broken = []

    def _shown(self, book: Book, row: Row, lists: list[str] | None, sure: bool) -> Record:
        """`sure`: whether who has no opt-out may be said to have none; else nothing is said."""
        said: dict[str, list[OptOutRow]] = {}
        for key, address in addresses(row, self._contacts).items():
            rows = book.optouts(address) if address is not None else []
            if rows or sure:
                said[key] = rows
        return self._contacts.record(row, lists, said)

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        """Everything."""
        yield from self.sweep(cursor)

    @property
    def feed_is_sweep(self) -> bool:
        return True

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        """Three calls each: the contact, and the opt-outs of its phone and of its email."""
        with reading("a contact"):
            for external_id in external_ids:
                record = self._whole(external_id)
                if record is not None:
                    yield record

    def _whole(self, external_id: str) -> Record | None:
        """One contact as it is now, with its opt-outs; None if there is none."""
        row = self._row(external_id)
        if row is None:
            return None
        said = {key: self._optouts(address) for key, address in addresses(row, self._contacts).items()}
        own = self._contacts.lists_of(row)
        if own is not None and any(each not in self._contacts.titles for each in own):
            self._contacts.learn_lists([each for rows, _ in self._door.pages("lists", []) for each in rows])
        return self._contacts.record(row, None, said)

    def _row(self, external_id: str) -> Row | None:
        try:
            answer = self._door.request("GET", self._door.path("contact", external_id), safe=True)
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise
        row = mapping(answer)
        if self._contacts.id_of(row) != external_id:
            raise RetryLater("the platform answered with something other than the contact")
        return row

    def _optouts(self, address: str | None) -> list[OptOutRow]:
        """The opt-outs of one address. What comes back is compared: a filter that is not understood is ignored."""
        if address is None:
            return []
        pages = self._door.pages("optouts", [("originator", address)])
        found = (self._contacts.optout(row) for rows, _ in pages for row in rows)
        return [each for each in found if each is not None and each.address == address]

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        return self._writer.push(pushes)

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        """What the account may see, what the server tells of each path, and whether our names are its names."""
        return probe(self._door, self._contacts)

    def close(self) -> None:
        self._kept.close()
        self._api.close()

    @property
    def calls(self) -> int:
        return self._api.calls

    @property
    def throttled(self) -> int:
        return self._api.throttled
