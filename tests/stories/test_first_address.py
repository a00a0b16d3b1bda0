"""A platform that enters everybody's first email as unsubscribed has not heard a no from anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.world import World
from tests.twin import FULL, Crash, without

STARTS_NO = without(FULL, starts_no=frozenset({"email"}))
PHONE, EMAIL = "+12025550101", "ann@example.org"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, "a", "b", b={"capabilities": STARTS_NO, "evidence": False})
    yield world
    world.store.close()


def known_by_phone(world: World) -> tuple[str, str]:
    a = world.a.add(phone=PHONE, first="Ann", last="Smith", mail=None)
    b = world.b.add(phone=PHONE, first="Ann", last="Smith")
    world.settle()
    return a, b


def test_their_first_email_is_told_and_takes_nobody_off_any_list(world: World) -> None:
    a, b = known_by_phone(world)
    world.a.edit(a, email=EMAIL)
    world.settle()
    assert (world.b.rows[b]["email"], world.b.says_no(b, "email")) == (EMAIL, True)
    world.sync(full=True)
    assert not world.a.says_no(a, "email")


@pytest.mark.parametrize("kind", ["lost", "crash after", "crash", "later"])
def test_nor_when_the_answer_is_lost_or_the_process_dies(world: World, kind: str) -> None:
    a, b = known_by_phone(world)
    world.a.edit(a, email=EMAIL)
    world.b.fail(kind)
    try:
        world.sync()
    except Crash:
        world.restart()
    world.now += 7200
    world.settle()
    world.sync(full=True)
    assert world.b.rows[b]["email"] == EMAIL
    assert not world.a.says_no(a, "email")


def test_a_no_that_is_said_there_afterwards_counts(world: World) -> None:
    a, b = known_by_phone(world)
    world.a.edit(a, email=EMAIL)
    world.settle()
    world.b.opt_in(b, "email")
    world.settle()
    world.b.opt_out(b, "email")
    world.settle()
    assert world.a.says_no(a, "email")


def test_another_email_is_no_first_one(world: World) -> None:
    """The record had an email, and its owner said no to that list: it stays a no."""
    a = world.a.add(phone=PHONE, email="old@example.org", first="Ann", last="Smith")
    b = world.b.add(phone=PHONE, email="old@example.org", first="Ann", last="Smith")
    world.settle()
    world.a.edit(a, email=EMAIL)
    world.b.opt_out(b, "email")
    world.settle()
    assert world.b.rows[b]["email"] == EMAIL
    assert world.a.says_no(a, "email")


def test_a_no_that_stood_there_before_the_address_is_somebodys(world: World) -> None:
    a = world.a.add(phone=PHONE, first="Ann", last="Smith")
    b = world.b.add(phone=PHONE, first="Ann", last="Smith", mail=False)
    world.settle()
    world.a.edit(a, email=EMAIL)
    world.settle()
    assert world.b.rows[b]["email"] == EMAIL
    world.sync(full=True)
    assert world.a.says_no(a, "email")
    assert world.contact(phone=PHONE).get("consent.email") == "unsubscribed"


@pytest.mark.parametrize("kind", ["refused", "later"])
def test_a_no_that_came_with_another_address_than_ours_counts(world: World, kind: str) -> None:
    """Ours never arrived; they gave one themselves, and left, before we looked again."""
    a, b = known_by_phone(world)
    if kind == "refused":
        world.b.refuse = lambda _: "not now"
    else:
        world.b.fail(kind)
    world.a.edit(a, email=EMAIL)
    world.sync()
    world.b.refuse = lambda _: None
    world.b.edit(b, email="ann@example.com")
    world.b.opt_out(b, "email")
    world.now += 7200
    world.settle()
    world.sync(full=True)
    assert world.a.says_no(a, "email")
