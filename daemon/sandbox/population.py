"""A messy population: the same people, typed by different hands on every side.

It comes out the same for the same seed. Each person gets one of the `DECK`'s stories, in turn, so every kind
of mess is there as soon as there are as many people as cards.
"""

from __future__ import annotations

import gc
import random
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from daemon.sandbox.elsewhere import ELSEWHERE, Person
from daemon.sandbox.names import AREA_CODES, FAMILY, GIVEN, GROUPS, PLACES, STREETS
from daemon.sandbox.strive import Origin, StriveModel
from daemon.sandbox.table import Table
from daemon.sandbox.telerivet import TelerivetModel

Truth = dict[str, dict[str, list[Any]]]

_YEAR = 365 * 86400
_CSV = Origin("csv", "import-2023.csv")


class Population:
    """Fills the platforms whose models it is given. `truth`: who is behind which record."""

    def __init__(self, strive: StriveModel, telerivet: TelerivetModel, others: Mapping[str, Any], seed: int) -> None:
        self.strive = strive
        self.telerivet = telerivet
        self.others = others
        self.dice = random.Random(seed)
        self.truth: Truth = {}
        self._start = int(strive.clock()) - _YEAR
        self._step = 1.0
        self._last: Person | None = None

    def fill(self, people: int) -> Truth:
        self._step = _YEAR / 2 / max(people, 1)
        with self.strive.lock, _collector_off(people):
            for number in range(people):
                person = self._person(number)
                DECK[number % len(DECK)](self, person)
                self._elsewhere(person, number)
                self.truth[person.key] = person.ids
                self._last = person
        return self.truth

    def at(self, person: Person) -> float:
        """When somebody came in: half a year of imports, ended half a year ago."""
        return self._start + int(person.key[1:]) * self._step

    def _elsewhere(self, person: Person, number: int) -> None:
        for name, model in self.others.items():
            place, is_there = ELSEWHERE[name]
            if is_there(number):
                person.ids[name].append(place(model, person, number, self.at(person)))

    def _person(self, number: int) -> Person:
        dice = self.dice
        given, family = dice.choice(GIVEN), dice.choice(FAMILY)
        local = f"{_plain(given)}.{_plain(family)}{number}".lower().replace("'", "").replace("-", "")
        domain = "example.org" if number % 2 else "example.com"
        groups = dice.sample(GROUPS, dice.choice((0, 0, 1, 1, 2)))
        language = dice.choice(("en", "en", "es", "fr"))
        street = f"{dice.randrange(1, 999)} {dice.choice(STREETS)}"
        key = f"p{number:06d}"
        place = dice.choice(PLACES)
        ids: dict[str, list[Any]] = {name: [] for name in ("strive", "telerivet", *self.others)}
        return Person(key, given, family, phone(number), f"{local}@{domain}", place, street, groups, language, ids)

    # Records ------------------------------------------------------------------------------------------------

    def at_strive(self, person: Person, **changes: Any) -> int:
        city, state, code = person.place
        data = self.strive.blank() | {"phone_number": person.phone, "email": person.email, "opt_in": True}
        data |= {"first_name": person.given, "last_name": person.family, "street_address": person.street}
        data |= {"city": city, "state": state, "postal_code": code, "carrier": "Example Wireless"}
        data |= {"custom": {"lang": person.language}}
        groups = [self.strive.group(name) for name in changes.pop("groups", person.groups)]
        at = int(self.at(person) * 1_000_000)
        member = self.strive.insert(data | changes, _CSV, groups, at=at)
        _warm(self.strive.tables["members"], member)
        person.ids["strive"].append(member)
        return member

    def at_telerivet(self, person: Person, **changes: Any) -> str:
        city, state, code = person.place
        variables = {"email": person.email, "city": city, "region": state, "zip": code, "lang": person.language}
        variables |= changes.pop("vars", {})
        names = changes.pop("groups", person.groups)
        data = {"name": f"{person.given} {person.family}", "phone_number": person.phone} | changes
        filled = {name: value for name, value in variables.items() if value is not None}
        ids = [self.telerivet.group(name)["id"] for name in names]
        contact = self.telerivet.insert(data, filled, ids, by_api=False, at=int(self.at(person)))
        _warm(self.telerivet.contact_table, contact)
        person.ids["telerivet"].append(contact)
        return contact

    # Stories ------------------------------------------------------------------------------------------------

    def alike(self, person: Person) -> None:
        self.at_strive(person)
        self.at_telerivet(person)

    def typed_loudly(self, person: Person) -> None:
        self.at_strive(person)
        name = f"{person.given} {person.family}".upper()
        self.at_telerivet(person, name=name, phone_number=pretty(person.phone), vars={"email": person.email.upper()})

    def without_accents(self, person: Person) -> None:
        self.at_strive(person)
        name = f"{_plain(person.given)}  {_plain(person.family)} "
        groups = [group.lower() for group in person.groups]
        self.at_telerivet(person, name=name, phone_number=person.phone[2:], groups=groups)

    def only_strive(self, person: Person) -> None:
        self.at_strive(person)

    def only_telerivet(self, person: Person) -> None:
        self.at_telerivet(person)

    def no_at_strive(self, person: Person) -> None:
        """Opted out there; Telerivet does not know."""
        self.at_strive(person, opt_in=False)
        self.at_telerivet(person)

    def no_at_telerivet(self, person: Person) -> None:
        """Blocked there; Strive does not know."""
        self.at_strive(person)
        self.at_telerivet(person, send_blocked=True)

    def twice_at_telerivet(self, person: Person) -> None:
        """Once with phone and email, once with the phone typed otherwise and no email."""
        self.at_strive(person)
        self.at_telerivet(person)
        self.at_telerivet(person, phone_number=pretty(person.phone), vars={"email": None}, groups=[])

    def household(self, person: Person) -> None:
        """Shares a phone at Telerivet with the person before, under another name and email."""
        self.at_strive(person, phone_number=person.phone)
        shared = self._last.phone if self._last else person.phone
        self.at_telerivet(person, phone_number=shared)

    def without_email(self, person: Person) -> None:
        self.at_strive(person, email=None)
        self.at_telerivet(person, vars={"email": None})

    def without_phone(self, person: Person) -> None:
        self.at_strive(person)
        self.at_telerivet(person, phone_number=None)

    def short_number(self, person: Person) -> None:
        """Telerivet holds a local number that is the end of the number of the person before."""
        self.at_strive(person)
        other = self._last.phone if self._last else person.phone
        self.at_telerivet(person, phone_number=other[-7:], vars={"email": None})

    def placeholder(self, person: Person) -> None:
        """The email says nothing about who this is."""
        self.at_strive(person, email="none@example.org")
        self.at_telerivet(person, vars={"email": "none@example.org"})

    def namesake(self, person: Person) -> None:
        """Somebody else with the name of the person before; no email anywhere."""
        if self._last:
            person.given, person.family = self._last.given, self._last.family
        self.at_strive(person, email=None)
        self.at_telerivet(person, vars={"email": None})

    def nameless(self, person: Person) -> None:
        self.at_strive(person, first_name=None, last_name=None)
        self.at_telerivet(person, name="")

    def crossed(self, person: Person) -> None:
        """At Telerivet this phone goes with the email of the person before: who is that?"""
        self.at_strive(person)
        email = self._last.email if self._last else person.email
        self.at_telerivet(person, vars={"email": email})

    def rich(self, person: Person) -> None:
        """Custom fields, notes, foreign ids; fields that one side only has."""
        custom = {"lang": person.language, "donation_amount": 50, "favorite_food": "jalapeños"}
        self.at_strive(person, custom=custom, notes="Called twice.\nPrefers texts.", van_id=int(person.key[1:]) + 9000)
        self.at_telerivet(person, vars={"birthdate": "1953-01-05", "shirt": "XL"})

    def dead_number(self, person: Person) -> None:
        """A carrier says the number is gone: not a wish, but not to be texted either."""
        member = self.at_strive(person)
        self.strive.opt_out(member, how="deac")
        self.at_telerivet(person)


DECK: tuple[Callable[[Population, Person], None], ...] = (
    Population.alike,
    Population.typed_loudly,
    Population.only_strive,
    Population.no_at_strive,
    Population.alike,
    Population.household,
    Population.without_accents,
    Population.twice_at_telerivet,
    Population.alike,
    Population.short_number,
    Population.without_email,
    Population.no_at_telerivet,
    Population.alike,
    Population.namesake,
    Population.placeholder,
    Population.only_telerivet,
    Population.rich,
    Population.crossed,
    Population.without_phone,
    Population.nameless,
    Population.alike,
    Population.dead_number,
    Population.only_strive,
    Population.typed_loudly,
)


def _warm(table: Table, key: Any) -> None:
    """Encode a row while it is at hand, so that the first scan is as fast as any."""
    table.rows[key].encode(table.encoder)


@contextmanager
def _collector_off(people: int) -> Iterator[None]:
    """Millions of live objects and no garbage: the collector would only walk them, again and again. A large
    population is also kept out of its sight afterwards, or every page of a scan would pay for it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if people >= 10_000:
            gc.freeze()
        if was_on:
            gc.enable()


def phone(number: int) -> str:
    """A number of one's own for each person: fictional (555-01xx) for the first thousands, then any valid one."""
    area = AREA_CODES[number % len(AREA_CODES)]
    rest = number // len(AREA_CODES)
    if rest < 100:
        return f"+1{area}55501{rest:02d}"
    exchange, line = divmod(rest - 100, 10000)
    return f"+1{area}{_EXCHANGES[exchange]}{line:04d}"


_EXCHANGES = tuple(code for code in range(220, 1000) if code % 100 != 11 and code != 555)


def pretty(number: str) -> str:
    """+12025550123 as people type it."""
    return f"({number[2:5]}) {number[5:8]}-{number[8:]}"


def _plain(text: str) -> str:
    """Without accents, in ASCII."""
    text = text.translate(str.maketrans("ØøŁłĐđ", "OoLlDd"))
    return unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode()
