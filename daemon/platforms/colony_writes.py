"""Writing to Colony, as far as that is known. Only with `direction = "both"` or "out".

* A new contact is posted to one list, after all contacts were looked through for the same phone or email.
* It is never made reachable without a recorded yes: its opt-outs are written first. Where no path for opt-outs is
  known, it is not made.
* Changed fields go by PATCH; PUT would blank the rest. An opt-out belongs to a number, not to a contact: a contact
  that gets another number takes its no along.
* What a CSV import has done is not told, and perhaps done later. So it is looked for, and who does not show is not
  sent again by itself: nobody is made twice.
* Lists are not joined or left: no way that is known does only that.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from daemon.errors import AnswerLost, RetryLater, RosterdError, SkipRecord
from daemon.platforms.answers import ApiError, mapping, reading
from daemon.platforms.base import (
    Channel,
    Create,
    Exists,
    Facts,
    Gone,
    OptOut,
    Outcome,
    Push,
    Record,
    Refused,
    Stored,
    Update,
    chunks,
)
from daemon.platforms.colony_book import Book, Kept, Row
from daemon.platforms.colony_contact import REASON, Contacts
from daemon.platforms.colony_door import Door
from daemon.platforms.colony_scan import Scan
from daemon.platforms.colony_shape import IMPORT, MANY, OPTOUT_OF

if TYPE_CHECKING:
    from daemon.platforms.base import Wire

NAPS = (0.0, 5.0, 15.0, 40.0)
"""Seconds before each look for what an import has made."""
SETTLES = 600.0
"""Seconds after an import whose end we did not see in which no new contacts are made: it may still be at work."""
UNSHOWN = "the import has not shown this contact after a minute; see in Colony what became of it before trying again"
SILENT = "without a yes on record an opt-out has to be written first, and no path for it is known (paths.create_optout)"
_IMPORTED = "imported_at"


class Writer:
    """Sends pushes to one account. `whole` reads one contact with its opt-outs; `kept`: all contacts, if
    they were read just now."""

    def __init__(
        self,
        door: Door,
        contacts: Contacts,
        whole: Callable[[str], Record | None],
        kept: Kept,
        facts: Facts,
        keep_facts: Callable[[], None],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._door, self._contacts, self._whole, self._facts = door, contacts, whole, facts
        self._kept, self._keep_facts = kept, keep_facts
        self._clock, self._sleep = clock, sleep

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        """In order; new contacts that stand together are looked up together."""
        for is_new, run in itertools.groupby(pushes, key=lambda push: isinstance(push, Create)):
            some: list[Any] = list(run)
            yield from self._creates(some) if is_new else map(self._one, some)

    def _one(self, push: Update | OptOut) -> Outcome:
        try:
            return self._opt_out(push) if isinstance(push, OptOut) else self._update(push)
        except SkipRecord as problem:
            gone = isinstance(problem, ApiError) and problem.status == 404
            return Gone(push.ref) if gone else Refused(push.ref, str(problem))

    # contacts that are there

    def _update(self, push: Update) -> Outcome:
        if problem := self._contacts.trouble(push.wire):
            return Refused(push.ref, problem)
        row = self._row(push.external_id) if self._moves(push) or not push.wire else None
        if push.add_tags or push.remove_tags:
            return Refused(push.ref, "Colony's lists cannot be joined or left by its API")
        if row is not None:
            self._take_no_along(row, push.wire)
        if not push.wire:
            return Stored(push.ref, push.external_id, None)
        path = self._door.path("contact", push.external_id)
        answer = self._door.request("PATCH", path, json=self._contacts.body(push.wire), safe=False)
        if self._contacts.id_of(answer.data) != push.external_id:
            raise AnswerLost("the platform took a write and did not say what it stored")
        return Stored(push.ref, push.external_id, self._contacts.record(answer.data))

    def _moves(self, push: Update) -> bool:
        return any(field in push.wire for field, _ in OPTOUT_OF.values())

    def _take_no_along(self, row: Row, wire: Wire) -> None:
        """Who has said no on their old number has said no on the new one."""
        for channel, (field, _) in OPTOUT_OF.items():
            old, new = self._contacts.of(row, field), self._contacts.address(wire.get(field))
            if field in wire and new is not None and new != old and old is not None and self._says_no(old):
                self._silence(channel, new)

    def _row(self, external_id: str) -> Row:
        return mapping(self._door.request("GET", self._door.path("contact", external_id), safe=True))

    # opt-outs

    def _opt_out(self, push: OptOut) -> Outcome:
        row = self._row(push.external_id)
        field, _ = OPTOUT_OF[push.channel]
        address = self._contacts.of(row, field)
        if address is None:
            return Refused(push.ref, f"the contact has no {field}, and Colony keeps opt-outs by it")
        self._silence(push.channel, address)
        return Stored(push.ref, push.external_id, None)

    def _silence(self, channel: Channel, address: str) -> None:
        """See to it that an opt-out stands for this address. Raises SkipRecord where that cannot be done."""
        if self._says_no(address):
            return
        if channel not in self._able_to_silence():
            raise SkipRecord(SILENT)
        body = {"originator": address, "reason": REASON}
        self._door.request("POST", self._door.path("create_optout"), json=body, safe=False, expect_json=False)
        if not self._says_no(address):
            raise SkipRecord("Colony took an opt-out and does not show it")

    def _able_to_silence(self) -> tuple[Channel, ...]:
        return tuple(OPTOUT_OF) if self._door.shape.paths["create_optout"] else ()

    def _says_no(self, address: str) -> bool:
        with reading("the opt-outs"):
            pages = self._door.pages("optouts", [("originator", address)])
            found = [self._contacts.optout(row) for rows, _ in pages for row in rows]
        return any(each is not None and each.address == address and each.stands for each in found)

    # new contacts

    def _creates(self, pushes: list[Create]) -> Iterator[Outcome]:
        self._await_import()
        book = self._kept.fresh() or self._read_all()
        try:
            if len(pushes) < MANY or not self._door.shape.paths["import_csv"]:
                yield from (self._create(push, book) for push in pushes)
                return
            for batch in chunks(pushes, IMPORT):
                yield from self._many(batch, book)
        except RosterdError:
            self._kept.doubt()
            raise

    def _read_all(self) -> Book:
        """All contacts, to look for each new one among them: Colony publishes no way to ask for one by phone."""
        book = self._kept.begin()
        with reading("the contact lists"):
            Scan(self._door, self._contacts, book).read_contacts({})
        self._kept.done()
        return book

    def _create(self, push: Create, book: Book) -> Outcome:
        try:
            return self._known(push, book) or self._make(push, book)
        except SkipRecord as problem:
            return Refused(push.ref, str(problem))

    def _known(self, push: Create, book: Book) -> Outcome | None:
        """Why this one is not to be made; None if it is."""
        if problem := self._contacts.trouble(push.wire) or self._unmakeable(push):
            return Refused(push.ref, problem)
        ids = book.find(self._contacts.address(push.phone), self._contacts.address(push.email))
        found = [record for id_ in ids if (record := self._whole(id_)) is not None]
        return Exists(push.ref, tuple(found)) if found else None

    def _unmakeable(self, push: Create) -> str:
        if self._contacts.home is None:
            return "no list for new contacts is configured (contact_list)"
        return "" if self._contacts.address(push.wire.get("phone")) else "Colony needs a phone for a new contact"

    def _quieten(self, push: Create) -> None:
        """Before the contact is there: nobody is reachable for even an instant who has not said yes."""
        for channel, (field, _) in OPTOUT_OF.items():
            address = self._contacts.address(push.wire.get(field))
            if address is not None and channel not in push.subscribed:
                self._silence(channel, address)

    def _make(self, push: Create, book: Book) -> Outcome:
        self._quieten(push)
        body = {**self._contacts.body(push.wire), self._door.shape.name("list"): _number(self._contacts.home)}
        answer = self._door.request("POST", self._door.path("contacts"), json=body, safe=False)
        noted = self._contacts.noted(answer.data)
        if noted is None:
            raise AnswerLost("the platform took a new contact and did not say what it stored")
        book.add_contacts([noted])
        return Stored(push.ref, noted.id, self._contacts.record(noted.row))

    # many new contacts

    def _many(self, pushes: list[Create], book: Book) -> Iterator[Outcome]:
        new: list[Create] = []
        wait: list[Create] = []
        taken: set[str] = set()
        for push in pushes:
            keys = {key for value in (push.phone, push.email) if (key := self._contacts.address(value))}
            try:
                if keys & taken:
                    wait.append(push)
                elif (known := self._known(push, book)) is not None:
                    yield known
                else:
                    self._quieten(push)
                    new.append(push)
                    taken |= keys
            except SkipRecord as problem:
                yield Refused(push.ref, str(problem))
        yield from self._import(new, book) if len(new) >= MANY else (self._create(push, book) for push in new)
        yield from (self._create(push, book) for push in wait)  # after the others: they find what was just made

    def _import(self, new: list[Create], book: Book) -> Iterator[Outcome]:
        """One file; then see who is there. Nothing of it may be sent again: who does not show is refused."""
        self._facts[_IMPORTED] = self._clock()
        self._keep_facts()  # on disk before it is sent: whoever is killed now must not send it again
        try:
            self._door.request(
                "POST",
                self._door.path("import_csv"),
                form={self._door.shape.name("list"): str(self._contacts.home)},
                files={"file": ("contacts.csv", self._csv(new), "text/csv")},
                safe=False,
                expect_json=False,
            )
        except ApiError:
            del self._facts[_IMPORTED]  # refused as a whole
            yield from (self._create(push, book) for push in new)
            return
        for nap in NAPS:
            if not new:
                break
            self._sleep(nap)
            found = self._look_again(new, book)
            yield from found.values()
            new = [push for push in new if push.ref not in found]
        del self._facts[_IMPORTED]
        yield from (Refused(push.ref, UNSHOWN) for push in new)

    def _look_again(self, new: list[Create], book: Book) -> dict[int, Stored]:
        """Who of these is in the list by now, by ref. The list says nothing of opt-outs: the next reading is the
        receipt."""
        assert self._contacts.home is not None
        with reading("the contacts"):
            Scan(self._door, self._contacts, book).read_list(self._contacts.home)
        there = {push.ref: book.find(self._contacts.address(push.phone), None) for push in new}
        return {ref: Stored(ref, ids[0], None) for ref, ids in there.items() if ids}

    def _csv(self, new: list[Create]) -> bytes:
        bodies = [self._contacts.body(push.wire) for push in new]
        names = list(dict.fromkeys(name for body in bodies for name in body))
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, names, restval="")
        writer.writeheader()
        writer.writerows([{name: _cell(value) for name, value in body.items()} for body in bodies])
        return out.getvalue().encode()

    def _await_import(self) -> None:
        """An import whose end we did not see may still be at work, and make those whom we would make."""
        began = self._facts.get(_IMPORTED)
        if began is None:
            return
        left = began + SETTLES - self._clock()
        if 0 < left <= SETTLES:
            raise RetryLater("an import of new contacts may still be at work at Colony", after=left)
        del self._facts[_IMPORTED]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _number(id_: str | None) -> int | str | None:
    return int(id_) if id_ is not None and id_.isdecimal() else id_
