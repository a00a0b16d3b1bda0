"""Our hold on connections, with a real database: shared, renewed, lost, and looked at before each call."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.errors import Overtaken
from daemon.sync.leases import MARGIN, Held, Keeper
from state.model import Account
from state.postgresql import STALLED
from state.store import Store

BOTH = frozenset({"a", "b"})


class World:
    """Two connections of one credential, a third of another, and keepers whose clock the test turns."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder}/state.db")
        self.now = 1000.0
        self.keepers: list[Keeper] = []
        with self.store.transaction() as tx:
            for name in ("a", "b", "c"):
                tx.connections.add(Account(name, "twin", ""))

    def keeper(self, owner: str, seconds: float = 60.0) -> Keeper:
        self.keepers.append(Keeper(self.store, owner, seconds, clock=lambda: self.now))
        return self.keepers[-1]

    def holders(self) -> dict[str, str]:
        with self.store.look() as tx:
            return {name: owner for name, (owner, _) in tx.leases.holders().items()}

    def steal(self, name: str) -> None:
        """As if the lease had run out, and another worker had claimed it."""
        with self.store.transaction() as tx:
            tx.connections.put(name, lease_until=0.0)
        with self.store.transaction() as tx:
            assert tx.leases.claim([name], "thief", 60.0) is not None


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for keeper in made.keepers:
        keeper.close()
    made.store.close()


def claimed(keeper: Keeper, names: frozenset[str] = BOTH) -> Held:
    held = keeper.claim(names)
    assert held is not None
    return held


def test_all_of_a_credential_or_none(world: World) -> None:
    ours, theirs = world.keeper("ours"), world.keeper("theirs")
    claimed(ours, frozenset({"a"}))
    assert theirs.claim(BOTH) is None
    assert world.holders() == {"a": "ours"}, "b was not taken by the way"
    claimed(theirs, frozenset({"c"}))
    assert world.holders() == {"a": "ours", "c": "theirs"}


def test_two_connections_of_one_credential_share_a_lease(world: World) -> None:
    """It is given back when the last of them has done so; another worker may take it only then."""
    ours, theirs = world.keeper("ours"), world.keeper("theirs")
    first, second = claimed(ours), claimed(ours)
    assert first is second
    assert first.lease.term == 1, "a second claim would have fenced the first one off"
    ours.release(first)
    assert world.holders() == {"a": "ours", "b": "ours"}
    assert theirs.claim(BOTH) is None
    ours.release(second)
    assert world.holders() == {}
    assert claimed(theirs).lease.term == 2


def test_no_call_is_begun_that_could_outlive_the_lease(world: World) -> None:
    keeper = world.keeper("ours")
    with pytest.raises(Overtaken):
        keeper.check(BOTH)  # never claimed
    held = claimed(keeper)
    world.now += 60 * (1 - MARGIN) - 1
    keeper.check(BOTH)
    world.now += 2
    with pytest.raises(Overtaken, match="could not be renewed in time"):
        keeper.check(BOTH)
    keeper.renew(held)
    keeper.check(BOTH)
    keeper.release(held)
    with pytest.raises(Overtaken):
        keeper.check(BOTH)


def test_a_lease_that_another_has_is_noticed(world: World) -> None:
    """By the renewal, by a write, whichever comes first: nothing more is called, nothing written."""
    keeper = world.keeper("ours")
    held = claimed(keeper)
    keeper.check(BOTH)
    world.steal("a")
    keeper.renew(held)
    with pytest.raises(Overtaken):
        keeper.check(BOTH)
    keeper.release(held)
    assert world.holders()["a"] == "thief", "what is not ours is not given back"


def test_a_write_under_a_lost_lease_is_thrown_away(world: World) -> None:
    keeper = world.keeper("ours")
    held = claimed(keeper)
    with keeper.holding(held), world.store.transaction() as tx:
        tx.connections.put("a", cursor={"page": 1})
    world.steal("a")
    with pytest.raises(Overtaken), keeper.holding(held), world.store.transaction() as tx:
        tx.connections.put("a", cursor={"page": 2})
    with world.store.look() as tx:
        assert tx.connections.all()["a"].cursor == {"page": 1}
    with pytest.raises(Overtaken):
        keeper.check(BOTH)


def test_a_long_wait_costs_no_lease(world: World) -> None:
    """A thread of its own renews: three times within the lease's time."""
    keeper = Keeper(world.store, "ours", 0.8)
    world.keepers.append(keeper)
    held = claimed(keeper)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        keeper.check(BOTH)
        assert world.holders() == {"a": "ours", "b": "ours"}
        threading.Event().wait(0.05)
    assert held.lease.term == 1


def test_the_end_gives_everything_back(world: World) -> None:
    """Also what two were using; and whoever still has a hand on it gives back nothing of another's."""
    keeper, theirs = world.keeper("ours"), world.keeper("theirs")
    held = claimed(keeper)
    claimed(keeper)
    keeper.close()
    assert world.holders() == {}
    claimed(theirs)
    keeper.release(held)
    assert world.holders() == {"a": "theirs", "b": "theirs"}


def test_what_is_in_the_middle_of_a_call_at_the_end_is_not_given_back(world: World) -> None:
    """The call may yet arrive. Whoever takes over waits for the lease to run out, as after a kill."""
    keeper = world.keeper("w1")
    claimed(keeper)
    keeper.close(in_use=True)
    assert world.holders() == {"a": "w1", "b": "w1"}


def test_a_stalled_writer_is_cut_off_as_its_lease_ends(world: World) -> None:
    world.keeper("w1", seconds=90.0)
    assert world.store.stalled == STALLED
    world.keeper("w2", seconds=7.0)
    assert world.store.stalled == 7.0
