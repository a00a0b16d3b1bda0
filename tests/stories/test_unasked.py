"""Where "unsubscribed" is also what a platform calls those whom nobody asked, it is not taken for everybody's no."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.world import World
from tests.twin import MAPPING

ASKS_NOBODY = MAPPING.replace(
    "sms: {at: opt_in.sms, map: {true: subscribed, false: unsubscribed, null: unknown}}",
    "sms: {at: opt_in.sms, map: {true: subscribed, false: unasked, null: unknown}}",
)
ANN = {"phone": "+12025550101", "email": "ann@example.org", "first": "Ann", "last": "Smith"}
NO = "unsubscribed"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    assert ASKS_NOBODY != MAPPING
    world = World(tmp_path, "a", "b", b={"mapping": ASKS_NOBODY})
    yield world
    world.store.close()


def test_whoever_was_never_asked_there_stays_subscribed_elsewhere(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=False)
    world.settle()
    world.sync(full=True)
    assert not world.a.says_no(a)
    assert world.b.says_no(b)
    assert world.contact(email=ANN["email"]).get("consent.sms") == "subscribed"


def test_a_no_of_somebody_who_was_subscribed_there_reaches_everybody(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.settle()
    world.b.opt_out(b)
    world.sync()
    assert world.a.says_no(a)
    world.restart()
    world.settle()
    world.sync(full=True)
    assert world.contact(email=ANN["email"]).get("consent.sms") == NO


def test_whoever_joins_there_and_leaves_again_has_said_no(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=False)
    world.settle()
    world.b.opt_in(b)
    world.settle()
    assert not world.a.says_no(a)
    world.b.opt_out(b)
    world.settle()
    assert world.a.says_no(a)


def test_our_own_no_there_is_no_report_of_theirs(world: World) -> None:
    """Told by us, then joined again by the person: the join counts there, and the no elsewhere stands."""
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.settle()
    world.a.opt_out(a)
    world.settle()
    assert world.b.says_no(b)
    world.sync(full=True)
    assert world.contact(email=ANN["email"]).get("consent.sms") == NO
    world.a.opt_in(a)
    world.settle()
    assert world.contact(email=ANN["email"]).get("consent.sms") == "subscribed"


def test_a_new_person_is_made_unsubscribed_where_nobody_said_yes(world: World) -> None:
    world.b.add(**ANN, sms=False)
    world.settle()
    (made,) = world.a.rows
    assert world.a.says_no(made)
    assert world.contact(email=ANN["email"]).get("consent.sms") in (None, "unknown")


def test_a_number_added_where_we_had_told_a_no_says_nothing_of_its_own(world: World) -> None:
    """Who gets a number there is "unsubscribed" by default: it must not outlast the no of the one who said it."""
    a = world.a.add(**ANN, sms=True)
    b = world.b.add(email=ANN["email"], first="Ann", last="Smith")
    world.b.drops = frozenset({"phone"})
    world.settle()
    world.a.opt_out(a)
    world.settle()
    world.b.edit(b, phone=ANN["phone"], opt_in={"sms": False})
    world.settle()
    world.a.opt_in(a)
    world.settle()
    assert world.contact(email=ANN["email"]).get("consent.sms") == "subscribed"
