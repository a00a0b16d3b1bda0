"""One configuration at a time: the one loaded last counts, and nobody begins while another is still at work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import structlog

from daemon.errors import Busy
from daemon.service.metrics import Metrics
from daemon.service.worker import Worker
from daemon.sync import agreed
from daemon.sync.leases import Keeper
from daemon.sync.roster import Limit, Roster, Rules
from state.store import Store
from tests.stories.world import World


class Host:
    """A worker with a door of its own to the database."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.store = Store(world.url, exclusive=False)
        self.keeper = Keeper(self.store, name, 60.0)
        self.worker = Worker(name, self.store, self.roster(), Metrics(), threading.Event(), announced=False)
        self.announce()

    def roster(self, **changes: Any) -> Roster:
        return replace(self.world.roster, store=self.store, keeper=self.keeper, **changes)

    def reload(self, **changes: Any) -> None:
        """The files as they are now."""
        self.worker.take(self.roster(**changes))
        self.announce()

    def announce(self) -> None:
        worker = self.worker
        with self.store.transaction() as tx:
            worker.loaded_at = min(worker.loaded_at, tx.workers.clock())
            known = {"configuration": worker.configuration, "loaded_at": worker.loaded_at}
            tx.workers.seen(self.name, "1.0", 0.0, "idle", **known)  # type: ignore[arg-type]
        worker.announced = True

    def due(self) -> list[str]:
        self.world.now += 10
        self.worker.not_before = {}
        return [name for name, at in self.worker.look().items() if at <= self.world.now]

    def turns(self) -> list[str]:
        """Takes all that are due; which of them it could."""
        return [name for name in self.due() if self.worker.turn(name) is not None]

    def close(self) -> None:
        self.keeper.close()
        self.store.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    made = new_world("a", "b")
    made.a.add(phone="+12025550101", first="Ada", notes="first")
    return made


@pytest.fixture
def host(world: World) -> Iterator[Callable[[str], Host]]:
    with ExitStack() as opened:

        def make(name: str) -> Host:
            made = Host(world, name)
            opened.callback(made.close)
            return made

        yield make


def sweeps(world: World) -> dict[str, int]:
    with world.store.look() as tx:
        return {name: account.sweep for name, account in tx.connections.all().items()}


def settle(*hosts: Host) -> None:
    for _ in range(6):
        for each in hosts:
            each.world.now += 400
            each.turns()


def test_a_changed_mapping_is_read_once_and_the_old_one_leaves_it_alone(
    world: World, host: Callable[[str], Host]
) -> None:
    one, other = host("w1"), host("w2")
    settle(one, other)
    before = sweeps(world)
    world.remap("b", (world.folder / "b.yaml").read_text().replace("  notes: notes\n", ""))
    one.reload()
    with structlog.testing.capture_logs() as said:
        settle(one, other)
        assert other.due() == []
    assert sweeps(world) == {**before, "b": before["b"] + 1}
    lines = [line for line in said if line["event"] == "configuration.outdated"]
    assert [line["worker"] for line in lines] == ["w1"], "said once"
    other.reload()
    world.now += 400
    assert other.turns()
    settle(one, other)
    assert sweeps(world) == {**before, "b": before["b"] + 1}


def test_a_connection_more_is_one_configuration_too(world: World, host: Callable[[str], Host]) -> None:
    """Whoever does not know of it would plan nothing for it."""
    one, other = host("w1"), host("w2")
    settle(one, other)
    world.join("c")
    one.reload()
    settle(other, one)
    assert other.due() == []
    assert len(world.c.rows) == 1
    assert sweeps(world)["c"] == 1
    world.a.edit(next(iter(world.a.rows)), city="Turin")
    settle(other, one)
    assert [row["city"] for row in world.c.rows.values()] == ["Turin"]


def test_nobody_begins_while_another_configuration_is_at_work(world: World, host: Callable[[str], Host]) -> None:
    one, other = host("w1"), host("w2")
    settle(one)
    held = other.keeper.claim(frozenset({"b"}))  # in the middle of a turn
    assert held is not None
    other.worker.look()
    one.reload(rules=Rules(fuse={**Rules().fuse, "update": Limit(7, 1)}))
    world.now += 400
    assert one.turns() == []
    other.keeper.release(held)
    assert one.turns()


def test_a_turn_under_way_ends_when_its_configuration_is_old(world: World, host: Callable[[str], Host]) -> None:
    for number in range(60):
        world.a.add(phone=f"+1202555{2000 + number}", first=f"Bo{number}")
    world.a.page = 10
    one, other = host("w1"), host("w2")
    pages: list[str] = []

    def call(verb: str) -> None:
        pages.append(verb)
        if len(pages) == 2:
            one.reload(rules=Rules(max_shared=5))
            other.worker.look()  # it looks every second

    world.a.before_call = call
    other.worker.turn("a")
    assert len(pages) == 2, "the page in hand was its last"
    world.a.heal()
    settle(one)
    assert sweeps(world) == {"a": 1, "b": 1}, "the sweep was gone on with"
    assert len(world.b.rows) == 61


def test_whoever_is_gone_counts_no_more(world: World, host: Callable[[str], Host]) -> None:
    one, other = host("w1"), host("w2")
    settle(one, other)
    one.reload(rules=Rules(max_shared=5))
    world.now += 400
    assert other.due() == []
    with world.store.transaction() as tx:
        tx.workers.forget("w1")
    assert other.turns()


def test_a_command_goes_by_what_the_workers_do_or_not_at_all(world: World, host: Callable[[str], Host]) -> None:
    one = host("w1")
    agreed.same_as_workers(one.roster())
    with pytest.raises(Busy, match="a worker goes by another configuration than this one: w1"):
        agreed.same_as_workers(one.roster(rules=Rules(max_shared=5)))


def test_how_often_and_when_is_no_matter_of_agreement(world: World) -> None:
    roster = world.roster
    name = agreed.name_of(roster)
    sides = {key: replace(side, every=7.0, full_every=9.0) for key, side in roster.sides.items()}
    assert agreed.name_of(replace(roster, sides=sides)) == name
    for changed in ({"priority": 3}, {"account": "twin:other"}, {"direction": "in"}, {"budget": "k2"}):
        sides = {**roster.sides, "a": replace(roster.sides["a"], **changed)}  # type: ignore[arg-type]
        assert agreed.name_of(replace(roster, sides=sides)) != name
    assert agreed.name_of(replace(roster, sides={"a": roster.sides["a"]})) != name
    assert agreed.name_of(replace(roster, rules=Rules(consent_scope="connection"))) != name
