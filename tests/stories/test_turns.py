"""Turns of a long run: one connection at a time, others beside it."""

from __future__ import annotations

import threading

from daemon.sync import cycle
from daemon.sync.books import Books
from daemon.sync.deliver import deliver, postpone
from daemon.sync.delivery import Delivery
from daemon.sync.reading import Pass
from tests.stories.world import World
from tests.twin import TwinConnector


def turn(world: World, name: str) -> None:
    cycle.run(world.roster, cycle.Options(only=frozenset({name}), served="w"))


def owed_to_b(world: World) -> None:
    """Two are known everywhere; one said no at a, one moved."""
    for number in (1, 2):
        world.a.add(phone=f"+120255501{number:02}", first=f"P{number}", last="Q", sms=True)
    world.settle()
    world.now += 600
    world.a.opt_out("1")
    world.a.edit("2", city="Oslo")
    turn(world, "a")


def delivery(world: World) -> Delivery:
    roster = world.roster
    reading = Pass(roster.sides["b"], None, Books(), primed=True, news=True)
    return Delivery(roster, reading, TwinConnector(world.b, {}), threading.Event(), served=True)


def test_what_comes_as_a_turn_ends_does_not_wait_for_a_retry(world: World) -> None:
    """A turn of `b` has sent all there was; before it ends, what `a` reads is planned for `b`. It was never tried."""
    ending = delivery(world)
    deliver(ending)
    owed_to_b(world)
    assert len(world.outbox("open")) == 2
    postpone(ending)
    assert [(row.attempts, row.due_at) for row in world.outbox("open")] == [(0, 0.0), (0, 0.0)]


def test_what_could_not_be_sent_is_tried_again_later(world: World) -> None:
    """Each attempt doubles the wait, whether it was a "no" or an edit; nobody is asked at once again."""
    owed_to_b(world)
    tried = delivery(world)
    tried.tried = {row.id for row in world.outbox("open") if row.id}
    postpone(tried)
    assert [(row.attempts, row.due_at - world.now) for row in world.outbox("open")] == [(1, 30.0), (1, 30.0)]
    world.now += 30
    postpone(tried)
    assert [(row.attempts, row.due_at - world.now) for row in world.outbox("open")] == [(2, 60.0), (2, 60.0)]
