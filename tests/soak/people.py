"""What people do on the five platforms, hour by hour; all of it from one seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.five_twins import CHANNELS, MAKING, SIDES
from tests.soak.clock import Clock
from tests.soak.ledger import Ledger
from tests.soak.sites import Site

CITIES = ("Oslo", "Rome", "Turin", "Łódź", "Bergen", "Macon", "Graz", "Porto")
LATE = 20.0
"""Seconds that a slow transaction takes until what it wrote shows."""


@dataclass(frozen=True)
class Person:
    phone: str
    email: str
    first: str
    last: str


def somebody(number: int) -> Person:
    """Nobody shares anything with anybody."""
    phone = f"+1{202 + number // 10_000}555{number % 10_000:04}"
    return Person(phone, f"ada{number}@example.org", f"Ada{_letters(number)}", f"Sample{_letters(number)}")


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


class Crowd:
    """`deleting`: whether people still delete records; it takes two full sweeps until that is noticed."""

    def __init__(self, clock: Clock, sites: Mapping[str, Site], ledger: Ledger, dice: random.Random) -> None:
        self.time, self.sites, self.ledger, self.dice = clock, sites, ledger, dice
        self.people: list[Person] = []
        self.deleted: set[str] = set()
        self.done: Counter[str] = Counter()
        self.unshown: set[str] = set()  # records at strive whose "no" does not show yet
        self.deleting, self.notes = True, True
        self._acts: list[tuple[Callable[[], object], int]] = [
            (self.edit, 60),
            (self.tag, 10),
            (self.opt_out, 10),
            (self.opt_in, 3),
            (self.join, 4),
            (self.delete, 1),
            (self.edit_late, 6),
            (self.opt_out_late, 2),
            (self.edit_everywhere, 4),
        ]

    # who is there

    def gather(self, count: int) -> None:
        """Each on one to three platforms, written there as people write; some have said no to one."""
        for _ in range(count):
            person = self._new()
            for name in self.dice.sample(SIDES, self.dice.choice([1, 1, 2, 3])):
                self._add(name, person, sms=self.dice.choice([True, True, None, False]), city=self._city())

    def _new(self) -> Person:
        person = somebody(len(self.people))
        self.people.append(person)
        return person

    def _add(self, name: str, person: Person, *, sms: bool | None = None, **texts: Any) -> str:
        named: dict[str, Any] = {"first": person.first, "last": person.last}
        if name == "telerivet":
            named = {"name": f"{person.first} {person.last}"}
        return self.sites[name].add(phone=person.phone, email=person.email, sms=sms, **named, **texts)

    def import_people(self, count: int) -> None:
        """A list of new people comes in at once: a backlog for every other platform."""
        for _ in range(count):
            self._add("strive", self._new(), sms=True, city=self._city(), notes="from the list")
        self.done["imported"] += count

    def spoil(self, share: float) -> dict[str, str | None]:
        """A bad import blanks what people had noted. Returns what it was, by record."""
        site, before = self.sites["strive"], {}
        for id_, row in list(site.rows.items()):
            if row["notes"] and self.dice.random() < share:
                before[id_] = row["notes"]
                site.edit(id_, how="import", notes=None)
        self.done["spoilt"] += len(before)
        return before

    def repair(self, before: Mapping[str, str | None]) -> None:
        for id_, notes in before.items():
            if id_ in self.sites["strive"].rows:
                self.sites["strive"].edit(id_, how="import", notes=notes)

    # what they do

    def act(self) -> None:
        acts, weights = zip(*self._acts, strict=True)
        self.dice.choices(acts, weights)[0]()

    def _city(self) -> str:
        return self.dice.choice(CITIES)

    def _record(self, names: tuple[str, ...] = SIDES) -> tuple[str, str] | None:
        """Somebody's record somewhere."""
        name = self.dice.choice(names)
        ids = list(self.sites[name].rows)
        return (name, self.dice.choice(ids)) if ids else None

    def edit(self) -> None:
        found = self._record()
        if found is None:
            return
        name, id_ = found
        fields = ["city", "notes"] if self.notes and name != "action_network" else ["city"]
        field = self.dice.choice(fields)
        value = self._city() if field == "city" else self.dice.choice(["called", "called twice", "moved", None])
        change: dict[str, Any] = {field: value}
        self.sites[name].edit(id_, **change)
        self.done["edits"] += 1

    def edit_everywhere(self) -> None:
        """The same person moves, and tells two platforms, one after the other."""
        person, city = self.dice.choice(self.people), self._city()
        for name in self.dice.sample(SIDES, 2):
            for id_ in self.sites[name].find(phone=person.phone):
                self.sites[name].edit(id_, city=city)
                self.done["edits"] += 1

    def edit_late(self) -> None:
        found = self._record(("strive",))
        if found is not None:
            site = self.sites["strive"]
            with site.late():
                site.edit(found[1], city=self._city())
            self.time.after(LATE, site.commit)
            self.done["edits that showed late"] += 1

    def tag(self) -> None:
        found = self._record(MAKING)
        if found is not None:
            name, id_ = found
            site, tag = self.sites[name], self.dice.choice("pqr")
            untag = name != "strive" and self.dice.random() < 0.3
            site.untag(id_, tag) if untag else site.tag(id_, tag)
            self.done["tags"] += 1

    def _channel(self, name: str) -> str:
        return self.dice.choice(CHANNELS.get(name, ("sms", "email")))

    def opt_out(self) -> None:
        found = self._record()
        if found is not None:
            name, id_ = found
            self._says_no(name, id_, self._channel(name))

    def _says_no(self, name: str, id_: str, channel: str) -> None:
        site = self.sites[name]
        if id_ not in site.rows or site.says_no(id_, channel):
            return  # where a no has been said, nothing would show that it was said again
        site.opt_out(id_, channel)
        self.ledger.said(name, id_, channel)
        self.done["opt-outs"] += 1

    def opt_out_late(self) -> None:
        """It takes its place in the log now, and shows when the transaction is over."""
        found = self._record(("strive",))
        site = self.sites["strive"]
        if found is None or site.says_no(found[1]):
            return
        with site.late():
            site.opt_out(found[1])
        self.unshown.add(found[1])

        def shows() -> None:
            site.commit()
            self.unshown.discard(found[1])
            if found[1] in site.rows:
                self.ledger.said("strive", found[1], "sms")

        self.time.after(LATE, shows)
        self.done["opt-outs"] += 1

    def opt_in(self) -> None:
        """They take it back, where they said it."""
        said = sorted((name, id_, channel) for name, site in self.sites.items() for id_, channel in site.said_no)
        if said:
            name, id_, channel = self.dice.choice(said)
            if id_ in self.sites[name].rows:
                self.ledger.unsaid(name, id_, channel)
                self.sites[name].opt_in(id_, channel)
                self.done["opt-ins"] += 1

    def join(self) -> None:
        self._add(self.dice.choice(SIDES), self._new(), sms=True, city=self._city())
        self.done["joined"] += 1

    def delete(self) -> None:
        found = self._record() if self.deleting else None
        if found is not None:
            site = self.sites[found[0]]
            self.deleted.add(site.rows[found[1]]["phone"])
            site.delete(found[1])
            self.done["deleted"] += 1
