"""What no two records of a platform can share is taken from nobody: it waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.platforms.base import Update
from daemon.sync.shared import OURS
from daemon.sync.verdicts import merge_contacts
from tests.stories.world import World
from tests.twin import FULL, without

ONE_EACH = without(FULL, unique=frozenset({"phone", "email"}))
OLD, NEW = "+12025550101", "+12025550102"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """At b a phone and an email belong to one record only."""
    world = World(tmp_path, "a", "b", b={"capabilities": ONE_EACH})
    yield world
    world.store.close()


def test_a_phone_is_not_moved_from_one_person_to_another(world: World) -> None:
    ann = world.a.add(phone=OLD, email="ann@example.org", first="Ann", last="Smith")
    world.a.add(phone=NEW, email="bob@example.org", first="Bob", last="Jones")
    world.settle()
    before = {id_: row["phone"] for id_, row in world.b.rows.items()}
    world.a.edit(ann, phone=NEW, city="Macon")
    world.sync()
    held = {hold.kind for hold in world.holds()}
    assert "match" in held or "shared_identifier" in held
    assert {id_: row["phone"] for id_, row in world.b.rows.items()} == before


def test_a_phone_that_somebody_has_there_is_held_and_the_rest_arrives(world: World) -> None:
    """Two people who share a phone at a, as a person decided, cannot share it at b."""
    ann = world.a.add(phone=OLD, email="ann@example.org", first="Ann", last="Smith")
    world.settle()
    bob = world.a.add(email="bob@example.org", first="Bob", last="Jones")
    world.settle()
    world.a.edit(bob, phone=OLD, city="Macon")
    world.sync()
    (match,) = world.holds("match")
    world.decide(match, "different")
    world.settle()
    (hold,) = world.holds("shared_identifier")
    assert hold.detail["field"] == "phone"
    assert len(hold.detail["contacts"]) == 2
    rows = {row["first"]: row for row in world.b.rows.values()}
    assert (rows["Ann"]["phone"], rows["Bob"]["phone"]) == (OLD, None)
    assert rows["Bob"]["city"] == "Macon"
    assert world.outbox() == []
    assert not any("phone" in push.wire for push in world.b.pushes if isinstance(push, Update))
    world.a.edit(ann, phone=NEW)
    world.settle()
    world.decide(hold, "again")
    world.settle()
    rows = {row["first"]: row for row in world.b.rows.values()}
    assert (rows["Ann"]["phone"], rows["Bob"]["phone"]) == (NEW, OLD)
    assert world.holds("shared_identifier") == []


def test_a_record_we_never_read_keeps_its_phone(world: World) -> None:
    """The platform's own look-up finds who has it, though we could not know."""
    ann = world.a.add(phone=OLD, email="ann@example.org", first="Ann", last="Smith")
    world.settle()
    stranger: list[str] = []

    def just_now(_: object) -> None:
        if not stranger:
            stranger.append(world.b.add(phone=NEW, first="Zed", last="Young"))

    world.b.before_push = just_now
    world.a.edit(ann, phone=NEW, city="Macon")
    world.sync()
    world.b.heal()
    assert world.b.rows[stranger[0]]["phone"] == NEW
    (hold,) = world.holds("shared_identifier")
    assert hold.detail["field"] == "phone"
    rows = {row["first"]: row for row in world.b.rows.values()}
    assert (rows["Ann"]["phone"], rows["Ann"]["city"]) == (OLD, "Macon")
    world.settle()
    assert len(world.holds("shared_identifier")) == 1


def test_one_person_with_two_records_there_does_not_take_a_phone_from_herself(world: World) -> None:
    world.a.add(phone=OLD, email="ann@example.org", first="Ann", last="Smith")
    first = world.b.add(phone=OLD, email="ann@example.org", first="Ann", last="Smith")
    second = world.b.add(email="ann@example.net", first="Ann", last="Smith")
    world.settle()
    contacts = {contact.get("email"): contact.id for contact in world.contacts()}
    with world.store.transaction() as tx:
        merge_contacts(tx, world.roster, contacts["ann@example.org"], contacts["ann@example.net"])
    world.settle()
    assert (world.b.rows[first]["phone"], world.b.rows[second]["phone"]) == (OLD, None)
    assert {hold.detail["why"] for hold in world.holds("shared_identifier")} == {OURS}


def test_an_email_in_other_capitals_is_the_same_email(world: World) -> None:
    """Nobody is even tried to be made with it: a plan must not promise what the platform's look-up prevents."""
    world.a.add(email="ann@example.org", first="Ann", last="Smith")
    world.settle()
    world.a.add(email="Ann@example.org", first="Bob", last="Jones")
    world.sync()
    (match,) = world.holds("match")
    before = world.b.calls["lookup"]
    world.decide(match, "different")
    world.settle()
    (hold,) = world.holds("shared_identifier")
    assert world.b.calls["lookup"] == before
    assert len(hold.detail["contacts"]) == 2
    assert [row["first"] for row in world.b.rows.values()] == ["Ann"]


def test_an_email_that_goes_with_a_taken_phone_arrives(world: World) -> None:
    """Only what somebody has is held."""
    ann = world.a.add(phone=OLD, email="ann@example.org", first="Ann", last="Smith")
    world.settle()

    def just_now(_: object) -> None:
        if len(world.b.rows) == 1:
            world.b.add(phone=NEW, first="Zed", last="Young")

    world.b.before_push = just_now
    world.a.edit(ann, phone=NEW, email="ann@example.com")
    world.settle()
    (hold,) = world.holds("shared_identifier")
    assert hold.detail["field"] == "phone"
    (row,) = [row for row in world.b.rows.values() if row["first"] == "Ann"]
    assert (row["phone"], row["email"]) == (OLD, "ann@example.com")
