"""A machine invents the stories: three and four connections that can do different things, people who edit, opt out, tag
and delete on any of them, platforms that fail, lose answers and die, runs of every kind, restarts.

When the edits stop: all sides agree (or it is held, visibly), a further run sends nothing, no opt-out was undone,
nobody was made twice, and writes were bounded by the edits.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
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
from tests.stories.twin import FULL, MAPPING, NAME_ONLY, NAMED, Crash
from tests.stories.world import World

PEOPLE = [
    ("+12025550101", "ann@example.org", "Ann", "Smith"),
    ("+12025550102", "bea@example.org", "Bea", "de la Cruz"),
    ("+12025550103", "cid@example.org", "José", "García"),
    ("+12025550104", "dov@example.org", "Dov", "Katz"),
    ("+12025550105", "eve@example.org", "Eve", "O'Brien"),
]
SIDES = ("full", "blind", "sparse", "mute")
FIELDS = ("city", "notes", "last")
SMS = st.sampled_from([True, False, None])
PLAIN_WORDS = st.sampled_from(["Oslo", "Rome", "Turin", "Łódź", "x", "long " * 12 + "word"])


def make_world(folder: Path) -> World:
    """full: everything. blind: no compare-and-swap, every poll a sweep, upper-cases cities. sparse: cannot remove tags
    and has no notes. mute: one name field, does not say what it stored."""
    noteless = MAPPING.replace("  notes: notes\n", "")

    def shout(wire: dict[str, Any]) -> dict[str, Any]:
        return {k: v.upper() if k == "city" and isinstance(v, str) else v for k, v in wire.items()}

    return World(
        folder,
        *SIDES,
        full={"page": 3, "priority": 2},
        blind={
            "page": 2,
            "capabilities": replace(FULL, compare_and_swap=False),
            "feed_is_sweep": True,
            "tidy": shout,
        },
        sparse={"capabilities": replace(FULL, remove_tags=False), "mapping": noteless, "page": 4},
        mute={"capabilities": NAMED, "mapping": NAME_ONLY, "receipts": False},
    )


class Roster(RuleBasedStateMachine):
    folder: Path
    world: World
    edits: int = 0

    @initialize(there=st.lists(st.tuples(st.sampled_from(SIDES), st.sampled_from(PEOPLE), SMS), min_size=3, max_size=9))
    def open(self, there: list[tuple[str, tuple[str, str, str, str], bool | None]]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.world = make_world(self.folder)
        self.world.at_once = 1  # the same story must fail the same way, or it cannot be shortened
        self.deleted: set[str] = set()
        for side, person, sms in there:
            self.put(side, person, sms)

    # people

    def rows(self, side: str, phone: str) -> list[str]:
        return [i for i, row in self.world.twins[side].rows.items() if row["phone"] == phone]

    @rule(side=st.sampled_from(SIDES), person=st.sampled_from(PEOPLE), sms=SMS)
    def add(self, side: str, person: tuple[str, str, str, str], sms: bool | None) -> None:
        self.put(side, person, sms)

    def put(self, side: str, person: tuple[str, str, str, str], sms: bool | None) -> None:
        phone, email, first, last = person
        twin = self.world.twins[side]
        if self.rows(side, phone):
            return
        name = {"name": f"{first} {last}"} if side == "mute" else {"first": first, "last": last}
        new = twin.add(phone=phone, email=email, sms=sms, **name)
        if sms is False:
            twin.said_no.add((new, "sms"))
        self.tick()

    @rule(
        side=st.sampled_from(SIDES),
        person=st.sampled_from(PEOPLE),
        field=st.sampled_from(FIELDS),
        value=PLAIN_WORDS | st.none(),
    )
    def edit(self, side: str, person: tuple[str, str, str, str], field: str, value: str | None) -> None:
        for row in self.rows(side, person[0]):
            if field == "last":
                value = value or "Jones"
                change = {"name": f"{person[2]} {value}"} if side == "mute" else {"last": value}
            elif field == "notes" and side == "sparse":
                return
            else:
                change = {field: value.upper() if value and side == "blind" and field == "city" else value}
            self.world.twins[side].edit(row, **change)
            self.tick()

    @rule(side=st.sampled_from(SIDES), person=st.sampled_from(PEOPLE), tag=st.sampled_from("pqr"), gone=st.booleans())
    def tag(self, side: str, person: tuple[str, str, str, str], tag: str, gone: bool) -> None:
        for row in self.rows(side, person[0]):
            twin = self.world.twins[side]
            twin.untag(row, tag) if gone and side != "sparse" else twin.tag(row, tag)
            self.tick()

    @rule(side=st.sampled_from(SIDES), person=st.sampled_from(PEOPLE))
    def opt_out(self, side: str, person: tuple[str, str, str, str]) -> None:
        for row in self.rows(side, person[0]):
            self.world.twins[side].opt_out(row)
            self.tick()

    @rule(side=st.sampled_from(SIDES), person=st.sampled_from(PEOPLE[:2]))
    def delete(self, side: str, person: tuple[str, str, str, str]) -> None:
        for row in self.rows(side, person[0]):
            twin = self.world.twins[side]
            twin.delete(row)
            twin.said_no = {(i, c) for i, c in twin.said_no if i != row}
            self.deleted.add(person[0])
            self.tick()

    def tick(self) -> None:
        self.edits += 1
        self.world.now += 1

    # troubles and runs

    @rule(
        side=st.sampled_from(SIDES),
        where=st.sampled_from(["sweep", "changes", "fetch", "push"]),
        what=st.sampled_from(["later", "lost", "before", "crash"]),
    )
    def trouble(self, side: str, where: str, what: str) -> None:
        if what == "lost" and where != "push":
            return
        self.world.twins[side].fail(where, what)

    @rule(side=st.sampled_from(["full", "sparse", "mute"]), value=PLAIN_WORDS)
    def race(self, side: str, value: str) -> None:
        """Somebody edits a record just when we are about to write to it."""
        twin = self.world.twins[side]

        def faster(push: Push) -> None:
            if isinstance(push, Update) and push.external_id in twin.rows:
                twin.before_push = lambda _: None
                twin.edit(push.external_id, city=value)
                self.tick()

        twin.before_push = faster

    @rule(full=st.booleans())
    def sync(self, full: bool) -> None:
        try:
            self.world.sync(full=full)
        except Crash:
            self.world.restart()

    @rule(only=st.sampled_from(SIDES))
    def sync_one(self, only: str) -> None:
        try:
            self.world.sync(only=frozenset({only}))
        except Crash:
            self.world.restart()

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def no_opt_out_is_undone(self) -> None:
        for twin in self.world.twins.values():
            assert twin.undone() == []
            assert twin.harm == {}

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
            twin.faults.clear()
            twin.before_push = lambda _: None
        self.world.now += 7200  # every pause is over
        self.world.settle(runs=10)
        assert self.world.sync(full=True).sent == 0, "a further run sends nothing"
        self.no_opt_out_is_undone()
        held: set[tuple[int | None, str | None]] = set()
        for hold in self.world.holds():
            held.add((hold.contact_id, hold.detail.get("field")))
            held |= {(contact, "all") for contact in hold.detail.get("contacts", ())}
        for contact in self.world.contacts():
            self.all_agree(contact.get("phone"), contact.id, held)
        pushes = sum(len(twin.log) for twin in self.world.twins.values())
        assert pushes <= 4 * len(SIDES) * (self.edits + len(PEOPLE)), "writes are bounded by the edits"

    def all_agree(self, phone: Any, contact: int, held: set[tuple[int | None, str | None]]) -> None:
        rows = {side: self.rows(side, phone) for side in SIDES}
        if phone not in self.deleted:
            assert all(len(found) == 1 for found in rows.values()), f"made twice, or not at all: {rows}"
        present = {side: self.world.twins[side].rows[found[0]] for side, found in rows.items() if found}
        nos = {side: row["opt_in"]["sms"] is False for side, row in present.items()}
        if any(c == "sms" and i in rows[s] for s in SIDES for i, c in self.world.twins[s].said_no):
            assert all(nos.values()), f"a no did not arrive everywhere: {nos}"
        if (contact, "all") in held:
            return  # a record with this phone under another name waits for a person
        self.values_agree(present, contact, held)
        tags = [self.world.twins[side].tags(rows[side][0]) for side in present if side != "sparse"]
        assert all(each == tags[0] for each in tags), tags

    def values_agree(self, present: dict[str, Any], contact: int, held: set[tuple[int | None, str | None]]) -> None:
        def full_name(row: dict[str, Any]) -> str:
            return row.get("name") or " ".join(filter(None, (row.get("first"), row.get("last"))))

        for name in ("city", "notes", "email"):
            if (contact, name) in held:
                continue
            values = {
                (row.get(name) or "").casefold() for side, row in present.items() if (side, name) != ("sparse", "notes")
            }
            assert len(values) <= 1, f"{name}: {values}"
        if not {(contact, "given_name"), (contact, "family_name")} & held:
            assert len({full_name(row) for row in present.values()}) <= 1


@pytest.mark.timeout(300)
def test_whatever_happens_all_sides_agree_in_the_end() -> None:
    run_state_machine_as_test(
        Roster,
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
