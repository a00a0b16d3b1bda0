"""A machine invents the stories: five connections that can do different things, people who edit, opt out, tag, delete
and are entered twice on any of them, platforms that fail, lose answers and die, a mapping that changes, hours and days
that pass, runs of every kind, restarts.

When the edits stop: all sides that can be told agree (or it is held, visibly), a further run sends nothing, no opt-out
was undone, nobody was made twice, no phone was taken from anybody, no side was asked for what it cannot do, and writes
were bounded by the edits.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from daemon.platforms.base import Push, Update
from tests.five_twins import ABLE, CHANNELS, MAKING, MAPPINGS, NOTES, SIDES, shout
from tests.postgres import Shelf
from tests.stories.world import World
from tests.twin import MAPPING, Crash

Person = tuple[str, str, str, str]
PEOPLE = [
    ("+12025550101", "ann@example.org", "Ann", "Smith"),
    ("+12025550102", "bea@example.org", "Bea", "de la Cruz"),
    ("+12025550103", "cid@example.org", "José", "García"),
    ("+12025550104", "dov@example.org", "Dov", "Katz"),
    ("+12025550105", "eve@example.org", "Eve", "O'Brien"),
]
UNTOLD = SIDES[1:]  # their feeds do not tell how a field got its value
ONE_EACH = ("strive", "action_network")
"""Where no two records can share a phone."""
FIELDS = ("city", "notes", "last")
SIDE, PERSON = st.sampled_from(SIDES), st.sampled_from(PEOPLE)
SMS = st.sampled_from([True, False, None])
PLAIN_WORDS = st.sampled_from(["Oslo", "Rome", "Turin", "Łódź", "x", "long " * 12 + "word"])
HOUR = 3600.0


def make_world(folder: Path, url: str = "") -> World:
    """strive: compares and swaps, tells of every change. telerivet: one name field, every poll a sweep, upper-cases
    cities, does not say what it stored. action_network: one phone, one person; no notes; tells nothing about its
    changes. colony: three fields can be written, nobody made, no "no" told. carium: can only be read."""
    options: dict[str, dict[str, Any]] = {
        "strive": {"page": 3, "priority": 2, "full_every": 24 * HOUR},
        "telerivet": {"page": 2, "feed_is_sweep": True, "receipts": False, "tidy": shout, "full_every": 6 * HOUR},
        "action_network": {"page": 4, "evidence": False, "every": HOUR},
        "colony": {"page": 2, "feed_is_sweep": True},
        "carium": {"page": 3, "feed_is_sweep": True, "direction": "in"},
    }
    own = {side: {"mapping": MAPPINGS[side], "capabilities": ABLE[side]} for side in SIDES}
    return World(folder, *SIDES, url=url, **{side: {**options[side], **own[side]} for side in SIDES})


class Roster(RuleBasedStateMachine):
    folder: Path
    world: World
    edits: int = 0

    @initialize(there=st.lists(st.tuples(SIDE, PERSON, SMS), min_size=3, max_size=9))
    def open(self, there: list[tuple[str, Person, bool | None]]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.world = make_world(self.folder, self.database())
        self.noteless = {"action_network"}
        self.deleted: set[str] = set()  # phones of people whom somebody deleted somewhere
        self.typed: set[str | None] = {None}  # cities, as they stood where somebody typed them
        self.doubled: dict[tuple[str, str], int] = {}  # (side, phone): how often somebody entered them
        for side, person, sms in there:
            self.add(side, person, sms)

    # people

    def rows(self, side: str, phone: str) -> list[str]:
        return self.world.twins[side].find(phone=phone)

    @rule(side=SIDE, person=PERSON, sms=SMS)
    def add(self, side: str, person: Person, sms: bool | None) -> None:
        if not self.rows(side, person[0]):
            self.put(side, person, sms)

    @rule(side=SIDE, person=st.sampled_from(PEOPLE[2:4]), sms=SMS)
    def add_again(self, side: str, person: Person, sms: bool | None) -> None:
        """Somebody enters a person a second time."""
        if side not in ONE_EACH and len(self.rows(side, person[0])) == 1:
            self.put(side, person, sms)
            self.doubled[side, person[0]] = 2

    def put(self, side: str, person: Person, sms: bool | None) -> None:
        phone, email, first, last = person
        name = {"name": f"{first} {last}"} if side == "telerivet" else {"first": first, "last": last}
        self.world.twins[side].add(phone=phone, email=email, sms=sms, **name)
        self.tick()

    @rule(side=SIDE, person=PERSON, field=st.sampled_from(FIELDS), value=PLAIN_WORDS | st.none())
    def edit(self, side: str, person: Person, field: str, value: str | None) -> None:
        change = {field: value}
        if field == "last":
            last = value or "Jones"
            change = {"name": f"{person[2]} {last}"} if side == "telerivet" else {"last": last}
        for row in self.rows(side, person[0]):
            self.type(side, row, **change)

    def type(self, side: str, row: str, **change: str | None) -> None:
        self.world.twins[side].edit(row, **change)
        self.typed.add(self.world.twins[side].rows[row]["city"])
        self.tick()

    @rule(side=SIDE, person=PERSON, tag=st.sampled_from("pqr"), gone=st.booleans())
    def tag(self, side: str, person: Person, tag: str, gone: bool) -> None:
        for row in self.rows(side, person[0]):
            twin = self.world.twins[side]
            twin.untag(row, tag) if gone and side != "strive" else twin.tag(row, tag)
            self.tick()

    @rule(side=SIDE, person=PERSON, channel=st.sampled_from(["sms", "email"]))
    def opt_out(self, side: str, person: Person, channel: str) -> None:
        twin = self.world.twins[side]
        if channel not in CHANNELS.get(side, (channel,)):
            return
        for row in self.rows(side, person[0]):
            if side not in UNTOLD or not twin.says_no(row, channel):  # else nothing there shows it was said again
                twin.opt_out(row, channel)
                self.tick()

    @rule(side=SIDE, person=st.sampled_from(PEOPLE[:2]))
    def delete(self, side: str, person: Person) -> None:
        for row in self.rows(side, person[0]):
            self.world.twins[side].delete(row)
            self.deleted.add(person[0])
            self.tick()

    def tick(self) -> None:
        self.edits += 1
        self.world.now += 1

    # troubles and runs

    @rule(
        side=SIDE,
        verb=st.sampled_from(["sweep", "changes", "fetch", "lookup", "push"]),
        kind=st.sampled_from(["later", "before", "crash", "lost", "crash after"]),
        after=st.integers(0, 2),
    )
    def trouble(self, side: str, verb: str, kind: str, after: int) -> None:
        self.world.twins[side].fail(kind, on=verb, after=after)

    @rule(value=PLAIN_WORDS)
    def race(self, value: str) -> None:
        """Somebody edits a record just when we are about to write to it."""
        side, twin = "strive", self.world.strive

        def faster(push: Push) -> None:
            if isinstance(push, Update) and push.external_id in twin.rows:
                twin.before_push = lambda _: None
                self.type(side, push.external_id, city=value)

        twin.before_push = faster

    @precondition(lambda self: self.noteless == {"action_network"})
    @rule(side=SIDE)
    def remap(self, side: str) -> None:
        """Once, a side's notes are dropped from its mapping, or (Action Network) added to it."""
        self.noteless ^= {side}
        self.world.remap(side, MAPPINGS[side].replace(NOTES, "") if side in self.noteless else MAPPING)

    @rule(hours=st.sampled_from([1, 7, 25, 200]))
    def wait(self, hours: int) -> None:
        """Pauses end, polls and full sweeps come due."""
        self.world.now += hours * HOUR

    @rule(full=st.booleans())
    def sync(self, full: bool) -> None:
        self.run(full=full)

    @rule()
    def sync_what_is_due(self) -> None:
        self.run(due=True)

    @rule(only=SIDE)
    def sync_one(self, only: str) -> None:
        self.run(only=frozenset({only}))

    def run(self, **options: Any) -> None:
        try:
            self.world.sync(**options)
        except Crash:
            self.world.restart()

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def no_opt_out_is_undone(self) -> None:
        for twin in self.world.twins.values():
            assert twin.undone() == []
            assert (twin.harm, twin.blind_writes) == ({}, 0)

    def database(self) -> str:
        """The address of an empty one; "": an SQLite file in our folder."""
        return ""

    # the end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.check_the_end()
        finally:
            self.world.store.close()
            shutil.rmtree(self.folder)

    def check_the_end(self) -> None:
        for twin in self.world.twins.values():
            twin.heal()
        self.world.now += 2 * HOUR  # every pause is over
        self.world.settle(runs=10)
        if self.deleted:
            for _ in range(3):  # two sweeps notice, the third lets go whoever was held for being a double
                self.world.sync(full=True)
            self.world.settle(runs=10)
        assert self.world.sync(full=True).sent == 0, "a further run sends nothing"
        self.no_opt_out_is_undone()
        held, aside = self.what_is_held()
        for phone, *_ in PEOPLE:
            rows = {side: self.rows(side, phone) for side in SIDES}
            if any(rows.values()):
                self.nobody_is_missing_or_made_twice(phone, rows)
                self.every_no_is_everywhere(rows)
                self.all_agree(phone, {s: [i for i in found if (s, i) not in aside] for s, found in rows.items()}, held)
        pushes = sum(len(twin.pushes) for twin in self.world.twins.values())
        assert pushes <= 4 * len(SIDES) * (self.edits + len(PEOPLE)), "writes are bounded by the edits"

    def what_is_held(self) -> tuple[set[tuple[int | None, str]], set[tuple[str | None, str | None]]]:
        """What a person can see waiting: fields of contacts, and records."""
        fields: set[tuple[int | None, str]] = set()
        records: set[tuple[str | None, str | None]] = set()
        for hold in self.world.holds():
            if "field" in hold.detail:
                fields.add((hold.contact_id, hold.detail["field"]))
            else:
                records |= {(hold.connection, each) for each in (hold.external_id, *hold.detail.get("records", ()))}
        return fields, records

    def nobody_is_missing_or_made_twice(self, phone: str, rows: dict[str, list[str]]) -> None:
        for side, found in rows.items():
            most = self.doubled.get((side, phone), 1)
            least = 0 if phone in self.deleted or side not in MAKING else most
            assert least <= len(found) <= most, f"made twice, or not at all: {rows}"

    def every_no_is_everywhere(self, rows: dict[str, list[str]]) -> None:
        """Wherever it can be told. Held records hear of it too."""
        twins = self.world.twins
        for channel in ("sms", "email"):
            if any((i, channel) in twins[side].said_no for side, found in rows.items() for i in found):
                told = [(side, i) for side, found in rows.items() for i in found if channel in writes_no(side)]
                nos = {(side, i): twins[side].says_no(i, channel) for side, i in told}
                assert all(nos.values()), f"a no to {channel} did not arrive everywhere: {nos}"

    def all_agree(self, phone: str, rows: dict[str, list[str]], held: set[tuple[int | None, str]]) -> None:
        """All records that can be told, and are not held, say the same, but for fields that are held."""
        contact = self.world.contact(phone=phone).id
        present = [(side, self.world.twins[side].rows[i]) for side, found in rows.items() for i in found]
        for name in ("city", "notes", "email"):
            can = [(side, row) for side, row in present if name in ABLE[side].update]
            told = [row for side, row in can if name != "notes" or side not in self.noteless]
            values = {(row[name] or "").casefold() for row in told}
            assert len(values) <= 1 or (contact, name) in held, f"{name}: {values}"
        if not {(contact, "given_name"), (contact, "family_name"), (contact, "full_name")} & held:
            assert len({full_name(row) for side, row in present if ABLE[side].update}) <= 1
        cities = {row["city"] for side, row in present if side != "telerivet"}
        assert cities <= self.typed, "what a platform made of a value is not taken for somebody's edit"
        kept = [(side, i) for side, found in rows.items() for i in found if ABLE[side].remove_tags]
        tags = [self.world.twins[side].tags(i) for side, i in kept]
        assert all(each == tags[0] for each in tags), tags


def writes_no(side: str) -> frozenset[str]:
    return frozenset(ABLE[side].consent_write)


def full_name(row: dict[str, Any]) -> str:
    return row.get("name") or " ".join(filter(None, (row.get("first"), row.get("last"))))


def invent(machine: Callable[[], Roster], examples: int) -> None:
    careless = list(HealthCheck)
    searching = settings(max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=careless)
    run_state_machine_as_test(machine, settings=searching)


@pytest.mark.timeout(300)
def test_whatever_happens_all_sides_agree_in_the_end() -> None:
    invent(Roster, 60)


@pytest.mark.timeout(120)
def test_the_same_on_postgresql(shelf: Shelf) -> None:
    """Fewer stories: what they are about is decided above the database."""
    with ExitStack() as lent:

        class OnPostgreSQL(Roster):
            def database(self) -> str:
                lent.close()
                return lent.enter_context(shelf.lent())

        invent(OnPostgreSQL, 5)
