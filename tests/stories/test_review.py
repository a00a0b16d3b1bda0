"""Where a "no", an edit or a person nearly got lost: each of these once was."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.errors import SkipRecord
from daemon.platforms.base import Create, Push, Update
from daemon.sync.books import Books
from daemon.sync.heard import hear
from daemon.sync.intake import take_in
from daemon.sync.reading import Pass
from daemon.sync.roster import Limit, Rules
from daemon.sync.verdicts import merge_contacts, unmerge
from tests.stories.world import World
from tests.twin import FULL, MAPPING, without
from tests.twin_rows import Row

ANN: dict[str, Any] = {"phone": "+12025550101", "email": "ann@example.org", "first": "Ann", "last": "Smith"}
STRANGER: dict[str, Any] = {"phone": "+12025550101", "first": "Bob", "last": "Jones"}
"""Has Ann's phone, and is held."""


def overhear(world: World, name: str, record: str) -> None:
    """Another thread of the run takes in this record now."""
    roster = world.roster
    side = roster.sides[name]
    heard = hear(side, [world.twins[name].show(record)], (0.0, world.now))
    with world.store.transaction() as tx:
        take_in(tx, roster, Pass(side, None, Books(), primed=True), heard, counted=False)


def vanish(world: World, name: str, record: str) -> Row:
    """The platform does not show a record for two complete sweeps."""
    row = world.twins[name].rows.pop(record)
    world.sync(full=True)
    world.sync(full=True)
    return row


# a "no"


def test_who_says_no_on_a_held_record_where_we_had_written_it_is_heard(world: World) -> None:
    a = world.a.add(**ANN, sms=True)
    world.sync()
    b = world.b.add(**STRANGER, sms=True)
    world.settle()
    world.a.opt_out(a)
    world.settle()
    assert world.b.says_no(b), "our echo"
    world.b.opt_out(b)
    world.settle()
    world.a.opt_in(a)
    world.settle()
    assert world.a.says_no(a), "the phone said no at b as well"


def test_a_consent_field_that_vanishes_from_a_held_record_is_not_a_yes(world: World) -> None:
    world.a.add(**ANN, sms=True)
    world.sync()
    b = world.b.add(**STRANGER, sms=False)
    world.settle()
    del world.b.rows[b]["opt_in"]
    world.b.edit(b, city="Oslo")
    world.settle()
    assert world.contact(given_name="Ann").get("consent.sms") == "unsubscribed"


def test_a_mapping_that_loses_its_consent_does_not_lose_the_no(world: World) -> None:
    world.a.add(**ANN, sms=False)
    world.b.add(**ANN, sms=True)
    world.settle()
    world.remap("a", MAPPING.split("consent:")[0])
    world.settle()
    assert world.contact(given_name="Ann").get("consent.sms") == "unsubscribed"


def test_the_no_of_a_vanished_record_that_did_not_know_the_address_stands(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"mapping": MAPPING.replace("  email: email\n", "", 1)})
    a = world.a.add(**ANN, mail=True)
    b = world.b.add(phone=ANN["phone"], first="Ann", last="Smith", mail=False)
    world.settle()
    vanish(world, "b", b)
    world.a.edit(a, city="Oslo")
    world.settle()
    assert world.contact(given_name="Ann").get("consent.email") == "unsubscribed"


def test_the_no_of_a_record_that_returned_and_cannot_be_read_is_heard(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.settle()
    world.b.rows[b] = vanish(world, "b", b)
    world.b.edit(b, phone="12")
    world.b.opt_out(b)
    world.settle()
    assert world.a.says_no(a)


def test_who_joins_again_on_a_record_that_returned_can(world: World) -> None:
    world.a.add(**ANN, sms=True)
    b = world.b.add(**ANN, sms=False)
    world.settle()
    world.b.rows[b] = vanish(world, "b", b)
    world.sync(full=True)
    world.b.opt_in(b)
    world.settle()
    assert not world.b.says_no(b)


def test_the_no_of_a_record_made_while_we_looked_is_its_owners(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"evidence": False})
    person: dict[str, Any] = {"phone": "+12025550101", "first": "Ann", "last": "Smith"}
    a = world.a.add(**person, sms=None)

    def faster(verb: str) -> None:
        if verb == "lookup" and not world.b.rows:
            world.b.add(**person, sms=False)

    world.b.before_call = faster
    world.settle()
    assert world.a.says_no(a), "nobody but its owner wrote that record"


def test_a_connection_that_was_switched_off_hears_of_every_no_edit_and_person_when_it_is_back(world: World) -> None:
    a = world.a.add(**ANN, sms=True, tags=["old"])
    b = world.b.add(**ANN, sms=True)
    stray = world.b.add(phone="+12025550101", first="Zoe", last="Poe", sms=True)
    world.settle()
    off = world.twins.pop("b")
    world.a.opt_out(a)
    world.a.edit(a, city="Oslo")
    world.a.tag(a, "new")
    world.a.add(phone="+12025550102", first="Cid", last="Ray")
    world.settle()
    world.twins["b"] = off
    world.settle()
    assert world.b.says_no(b)
    assert world.b.says_no(stray)
    assert (world.b.rows[b]["city"], world.b.tags(b)) == ("Oslo", {"old", "new"})
    assert len(world.b.find(first="Cid")) == 1
    assert world.outbox() == []


def test_a_connection_that_may_be_written_to_from_now_on_hears_of_every_no(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"direction": "in"})
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    stray = world.b.add(phone="+12025550101", first="Zoe", last="Poe", sms=True)
    world.settle()
    world.a.opt_out(a)
    world.settle()
    assert not world.b.says_no(b)
    world.options["b"]["settings"]["direction"] = "both"
    world.settle()
    assert world.b.says_no(b)
    assert world.b.says_no(stray)


def jumped(new_world, limit: int, people: int) -> tuple[World, list[str]]:  # type: ignore[no-untyped-def]
    """A bad import lifts the "no" of all; beyond the limit it is held."""
    world = new_world("a", "b", rules=Rules(upward=Limit(limit, 0)))
    ids = [world.a.add(phone=f"+1202555{n:04d}", first=f"P{n}", last="Q", sms=False) for n in range(100, 100 + people)]
    world.settle()
    for person in ids:
        world.a.edit(person, opt_in={"sms": True}, how="csv")
    world.settle()
    return world, ids


def test_lifted_opt_outs_that_a_person_does_not_believe_are_written_back(new_world) -> None:  # type: ignore[no-untyped-def]
    world, (a,) = jumped(new_world, 0, 1)
    world.decide(world.holds("consent_jump")[0], "dismiss")
    world.settle()
    assert world.a.says_no(a)
    world.a.edit(a, city="Oslo")
    world.settle()
    assert world.contact().get("consent.sms") == "unsubscribed"


def test_lifted_opt_outs_that_are_held_are_not_believed_one_by_one(new_world) -> None:  # type: ignore[no-untyped-def]
    world, people = jumped(new_world, 2, 6)
    for person in people:
        world.a.edit(person, city="Oslo")
        world.settle()
    states = [contact.get("consent.sms") for contact in world.contacts()]
    assert sorted(map(str, states)) == ["subscribed"] * 2 + ["unsubscribed"] * 4


def test_who_says_no_again_is_not_among_those_a_person_believes(new_world) -> None:  # type: ignore[no-untyped-def]
    world, (a,) = jumped(new_world, 0, 1)
    world.a.opt_out(a)
    world.settle()
    world.decide(world.holds("consent_jump")[0], "believe")
    world.settle()
    assert world.contact().get("consent.sms") == "unsubscribed"


# an edit


def test_a_tag_added_while_tags_are_on_their_way_follows(world: World) -> None:
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.a.tag(a, "x")

    def meanwhile(push: Push) -> None:
        world.b.before_push = lambda _: None
        world.a.tag(a, "y")
        overhear(world, "a", a)

    world.b.before_push = meanwhile
    world.settle()
    assert world.b.tags(b) == {"x", "y"}


def test_a_tag_added_there_between_our_reading_and_our_writing_is_news(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"capabilities": without(FULL, compare_and_swap=False)})
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.a.tag(a, "x")

    def meanwhile(push: Push) -> None:
        if isinstance(push, Update):
            world.b.before_push = lambda _: None
            world.b.tag(b, "z")

    world.b.before_push = meanwhile
    world.settle()
    assert world.a.tags(a) == world.b.tags(b) == {"x", "z"}


def test_a_tag_added_while_somebody_is_being_made_follows(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"receipts": False})
    a = world.a.add(**ANN, tags=["x"])

    def meanwhile(push: Push) -> None:
        world.b.before_push = lambda _: None
        world.a.tag(a, "y")
        overhear(world, "a", a)

    world.b.before_push = meanwhile
    world.settle()
    assert world.b.tags(world.b.find(first="Ann")[0]) == {"x", "y"}


def test_a_record_that_returns_is_told_what_it_missed(world: World) -> None:
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city="Rome")
    world.settle()
    row = vanish(world, "b", b)
    world.a.edit(a, city="Oslo")
    world.settle()
    world.b.rows[b] = row
    world.sync(full=True)
    world.settle()
    assert world.a.rows[a]["city"] == world.b.rows[b]["city"] == "Oslo"


# a person


def test_who_is_merged_while_being_made_is_not_left_behind(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", "c")
    a = world.a.add(phone="+12025550101", first="Ann", last="Smith")
    world.b.add(email="ann@example.org", first="Ann", last="Smith")

    def meanwhile(push: Push) -> None:
        if isinstance(push, Create) and push.email and len(world.contacts()) == 2:
            with world.store.transaction() as tx:
                merge_contacts(tx, world.roster, *(contact.id for contact in world.contacts()))

    world.c.before_push = meanwhile
    world.settle()
    world.a.edit(a, city="Oslo")
    world.settle()
    assert {row["city"] for row in world.c.rows.values()} == {"Oslo"}


def test_a_record_out_of_scope_is_taken_in_when_somebody_is_to_be_made_there(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"mapping": MAPPING + "where: {field: city, in: [Rome]}\n"})
    b = world.b.add(**ANN, city="Oslo")
    world.sync()
    world.a.add(**ANN, city="Rome", notes="left-handed")
    world.settle()
    assert world.b.rows[b]["notes"] == "left-handed"
    assert not world.holds()


def test_a_merge_is_undone_in_order(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", "c")
    for name, phone in zip("abc", ("+12025550101", "+12025550102", "+12025550103"), strict=True):
        world.twins[name].add(phone=phone, first="Ann", last="Smith")
        world.sync(only=frozenset(name), send=False)
    first, second, third = sorted(contact.id for contact in world.contacts())
    with world.store.transaction() as tx:
        merge_contacts(tx, world.roster, second, third)
        merge_contacts(tx, world.roster, first, second)
    with pytest.raises(SkipRecord, match="merged itself since"), world.store.transaction() as tx:
        unmerge(tx, world.roster, third)
    for number in (second, third):
        with world.store.transaction() as tx:
            unmerge(tx, world.roster, number)
    with world.store.look() as tx:
        links = tx.links.of_contacts([first, second, third])
    assert {number: [link.connection for link in found] for number, found in links.items()} == {
        first: ["a"],
        second: ["b"],
        third: ["c"],
    }


# the outbox


def test_what_a_new_mapping_does_not_write_any_more_is_not_owed_for_ever(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "update": Limit(0, 0)}))
    a = world.a.add(**ANN)
    world.b.add(**ANN)
    world.sync()
    world.a.edit(a, city="Oslo")
    world.sync()
    world.remap("b", MAPPING.replace("  city: city\n", "  city: {at: city, direction: in}\n"))
    world.decide(world.holds("fuse")[0], "approve")
    world.settle()
    assert world.outbox() == []


def test_pushes_that_passed_the_fuse_take_no_mass_blanking_along(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "blank": Limit(1, 0)}))
    people = [world.a.add(phone=f"+1202555{n:04d}", first=f"P{n}", last="Q", notes="n") for n in range(100, 110)]
    world.settle()
    world.b.fail("later", on="push")
    for person in people:
        world.a.edit(person, city="Oslo")
    world.sync()
    assert len(world.outbox("open")) == 10, "they passed, and were not delivered"
    for person in people:
        world.a.edit(person, notes=None)
    world.settle()
    assert [row["notes"] for row in world.b.rows.values()] == ["n"] * 10
    assert [hold.detail["kind"] for hold in world.holds("fuse")] == ["blank"]
