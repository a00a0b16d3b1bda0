"""Quiet means quiet: when nobody edits, a run sends nothing, whatever the platforms do to what they are given."""

from __future__ import annotations

import pytest

from tests.stories.world import BOTH, World

ENGINES = BOTH

ANN = {"phone": "+12025550101", "email": "ann@example.org", "first": "Ann", "last": "Smith"}


def test_our_own_writes_coming_back_are_no_news(world: World) -> None:
    a = world.a.add(**ANN, city="Rome")
    world.b.add(**ANN)
    world.sync()
    world.a.edit(a, city="Turin")
    assert world.sync().sent == 1
    for _ in range(3):
        assert world.sync().sent == 0
    assert world.sync(full=True).sent == 0


def shout(wire: dict[str, object]) -> dict[str, object]:
    return {key: value.upper() if isinstance(value, str) and key != "email" else value for key, value in wire.items()}


@pytest.mark.parametrize("receipts", [True, False], ids=["tells what it stored", "tells only that it did"])
def test_a_platform_that_tidies_what_it_is_given_starts_no_ping_pong(new_world, receipts: bool) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"tidy": shout, "receipts": receipts})
    a = world.a.add(**ANN, city="Rome")
    world.sync()
    assert world.sync().sent == 0
    world.a.edit(a, city="Turin")
    assert world.sync().sent == 1
    assert world.sync().sent == 0
    assert world.b.one(phone=ANN["phone"])["city"] == "TURIN"
    assert world.a.rows[a]["city"] == "Turin", "the tidied value is theirs, not news"


def test_a_bulk_answer_without_receipts_is_confirmed_by_the_next_reading(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"receipts": False})
    a = world.a.add(**ANN, city="Rome", tags=["x"])
    world.sync()
    assert world.sync().sent == 0
    b = world.b.find(phone=ANN["phone"])[0]
    world.b.edit(b, city="Oslo")
    world.settle()
    assert world.a.rows[a]["city"] == "Oslo", "a real edit after our write is news"


def test_a_write_that_the_platform_silently_drops_is_held_not_repeated(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"drops": {"email"}})
    a = world.a.add(**ANN)
    world.b.add(**ANN)
    world.settle()
    world.a.edit(a, email="new@example.org")
    world.settle()
    (hold,) = world.holds("not_stored")
    assert hold.detail["field"] == "email"
    assert world.a.rows[a]["email"] == "new@example.org"


def test_two_sides_that_keep_flipping_a_field_are_held_after_the_third_flip(world: World) -> None:
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city="Rome")
    world.settle()
    world.a.edit(a, city="Roma")
    world.sync()
    sent = 0
    for _ in range(6):  # an integration on each side insists on its own spelling
        world.b.edit(b, city="Rome") if world.b.rows[b]["city"] != "Rome" else None
        world.sync()
        world.a.edit(a, city="Roma") if world.a.rows[a]["city"] != "Roma" else None
        sent += world.sync().sent
    (hold,) = world.holds("flip")
    assert hold.detail["field"] == "city"
    assert sent <= 4
    world.decide(hold, "take", "a")
    world.settle()
    assert world.a.rows[a]["city"] == world.b.rows[b]["city"] == "Roma"


def test_a_held_field_is_not_sent_and_either_value_can_be_taken(world: World) -> None:
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city="Rome")
    world.settle()
    for twin, record, city in ((world.a, a, "Roma"), (world.b, b, "Rome"), (world.a, a, "Roma"), (world.b, b, "Rome")):
        twin.edit(record, city=city)
        world.sync()
    (hold,) = world.holds("flip")
    assert hold.detail["says"] == {"a": "Roma", "b": "Rome"}
    assert (world.a.rows[a]["city"], world.b.rows[b]["city"]) == ("Roma", "Rome"), "each keeps its own meanwhile"
    world.decide(hold, "take", "b")
    world.settle()
    assert world.a.rows[a]["city"] == world.b.rows[b]["city"] == "Rome"
