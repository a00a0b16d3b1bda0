"""The contract of the state: one worker at a time has a connection, and a late one writes nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from state.leases import Lease, LeaseLost
from state.model import Account
from state.store import Store
from tests.contract.state_rows import contact

SHORT = 0.05
"""Seconds: a lease that runs out while a test waits for it."""


@contextlib.contextmanager
def beside(store: Store) -> Iterator[Store]:
    """Another process's door to the same database."""
    other = Store(store.url, exclusive=False)
    try:
        yield other
    finally:
        other.close()


def know(store: Store, *names: str) -> None:
    with store.transaction() as tx:
        for name in names:
            tx.connections.add(Account(name, "strive", "7"))


def claim(store: Store, *names: str, owner: str = "w1", seconds: float = 60.0) -> Lease | None:
    with store.transaction() as tx:
        return tx.leases.claim(names, owner, seconds)


def claimed(store: Store, *names: str, owner: str = "w1", seconds: float = 60.0) -> Lease:
    lease = claim(store, *names, owner=owner, seconds=seconds)
    assert lease is not None
    return lease


def write(store: Store, number: int) -> None:
    with store.transaction() as tx:
        tx.contacts.add([contact(number)])


def written(store: Store) -> list[int]:
    with store.look() as tx:
        return [each.id for each in tx.contacts.all()]


def owners(store: Store) -> dict[str, str]:
    with store.look() as tx:
        return {name: owner for name, (owner, _) in tx.leases.holders().items()}


class KeepsLeases:
    def test_a_connection_has_one_holder(self, store: Store) -> None:
        know(store, "a", "b")
        lease = claimed(store, "a")
        assert lease == Lease(("a",), "w1", 1, 60.0)
        assert claim(store, "a", owner="w2") is None
        assert claimed(store, "b", owner="w2").term == 1
        with store.look() as tx:
            holders = tx.leases.holders()
        assert {name: owner for name, (owner, _) in holders.items()} == {"a": "w1", "b": "w2"}
        assert all(55 < left <= 60 for _, left in holders.values())

    def test_those_of_one_credential_are_claimed_together_or_not_at_all(self, store: Store) -> None:
        know(store, "a", "b", "c")
        claimed(store, "b", owner="w2")
        assert claim(store, "a", "b") is None
        assert claim(store, "a", "nowhere") is None
        assert claim(store) is None
        assert owners(store) == {"b": "w2"}
        assert claimed(store, "a", "c", "a").names == ("a", "c")

    def test_their_term_is_one_and_higher_than_any_before(self, store: Store) -> None:
        know(store, "a", "b")
        for _ in range(3):
            claimed(store, "b")
        both = claimed(store, "a", "b")
        assert both.term == 4
        with store.transaction() as tx:
            assert tx.leases.renew(both)
        assert claimed(store, "a").term == 5

    def test_one_that_ran_out_is_taken_over(self, store: Store) -> None:
        know(store, "a")
        late = claimed(store, "a", seconds=SHORT)
        time.sleep(SHORT)
        assert owners(store) == {}
        taken = claimed(store, "a", owner="w2")
        assert taken.term == late.term + 1
        with store.transaction() as tx:
            assert not tx.leases.renew(late)
            tx.leases.release(late)  # not its to let go of
            assert tx.leases.renew(taken)
        assert owners(store) == {"a": "w2"}

    def test_one_let_go_of_is_free(self, store: Store) -> None:
        know(store, "a", "b")
        lease = claimed(store, "a", "b")
        with store.transaction() as tx:
            tx.leases.release(lease)
            assert not tx.leases.renew(lease)
        assert owners(store) == {}
        assert claimed(store, "b", owner="w2").term == 2

    def test_one_is_renewed_in_time_or_not_at_all(self, store: Store) -> None:
        know(store, "a")
        lease = claimed(store, "a", seconds=4 * SHORT)
        for _ in range(3):
            time.sleep(2 * SHORT)
            with store.transaction() as tx:
                assert tx.leases.renew(lease)
        time.sleep(4 * SHORT)
        with store.transaction() as tx:
            assert not tx.leases.renew(lease)

    def test_a_lease_claimed_again_is_another(self, store: Store) -> None:
        """A worker that was restarted under its old name must not be fenced by what it left behind, nor the reverse."""
        know(store, "a")
        before, after = claimed(store, "a"), claimed(store, "a")
        with store.transaction() as tx:
            assert not tx.leases.renew(before)
            assert tx.leases.renew(after)

    @pytest.mark.timeout(30)
    def test_of_many_claimers_one_at_a_time_has_it(self, store: Store) -> None:
        know(store, "a", "b")
        busy: list[str] = []
        turns: dict[str, int] = {}
        overlaps: list[list[str]] = []

        def work(me: str) -> None:
            with beside(store) as mine:
                until = time.monotonic() + 0.5
                while time.monotonic() < until:
                    lease = claim(mine, "a", "b", owner=me)
                    if lease is None:
                        continue
                    busy.append(me)
                    overlaps.extend([list(busy)] if len(busy) > 1 else [])
                    turns[me] = turns.get(me, 0) + 1
                    busy.remove(me)
                    with mine.transaction() as tx:
                        tx.leases.release(lease)

        at_once(work, "w1", "w2", "w3")
        assert overlaps == []
        assert sum(turns.values()) >= 3

    # the fence

    def test_a_holder_writes_and_stays_the_holder(self, store: Store) -> None:
        know(store, "a")
        with store.holding(claimed(store, "a", seconds=4 * SHORT)):
            for number in range(1, 5):
                time.sleep(2 * SHORT)
                write(store, number)  # each renews it
        assert written(store) == [1, 2, 3, 4]

    @pytest.mark.parametrize("taken", [True, False], ids=["taken over", "not taken over yet"])
    def test_a_late_holder_writes_nothing(self, store: Store, taken: bool) -> None:
        know(store, "a", "b")
        with store.holding(claimed(store, "a", "b", seconds=SHORT)):
            time.sleep(SHORT)
            if taken:
                other(store, lambda mine: claimed(mine, "b", owner="w2"))
            with pytest.raises(LeaseLost, match="the lease on a, b has run out"):
                write(store, 1)
        assert written(store) == []
        assert owners(store) == ({"b": "w2"} if taken else {})
        write(store, 2)  # the thread holds none any more: it is not fenced

    def test_others_are_not_fenced_by_it(self, store: Store) -> None:
        """A person decides whoever works on the connection."""
        know(store, "a")
        with store.holding(claimed(store, "a", seconds=SHORT)):
            time.sleep(SHORT)
            other(store, lambda mine: write(mine, 1))
            thread = threading.Thread(target=write, args=(store, 2))
            thread.start()
            thread.join()
        assert written(store) == [1, 2]

    def test_holdings_may_be_nested(self, store: Store) -> None:
        know(store, "a", "b")
        lost = replace(claimed(store, "a"), term=9)
        with store.holding(lost):
            with store.holding(claimed_elsewhere(store, "b")):
                write(store, 1)
            with pytest.raises(LeaseLost):
                write(store, 2)
        assert written(store) == [1]

    @pytest.mark.timeout(20)
    def test_a_holder_that_stalls_within_a_transaction_is_not_overtaken(self, store: Store) -> None:
        """Its lease runs out meanwhile. Whoever takes over sees what it wrote."""
        know(store, "a")
        begun, seen = threading.Event(), []

        def take_over() -> None:
            with beside(store) as mine:
                begun.wait()
                while not seen:
                    with mine.transaction() as tx:
                        if tx.leases.claim(["a"], "w2", 60.0) is not None:
                            seen.append([each.id for each in tx.contacts.all()])

        thread = threading.Thread(target=take_over)
        thread.start()
        with store.holding(claimed(store, "a", seconds=SHORT)), store.transaction() as tx:
            begun.set()
            time.sleep(4 * SHORT)
            assert seen == []
            tx.contacts.add([contact(1)])
        thread.join()
        assert seen == [[1]]


class KeepsWorkers:
    def test_workers_are_seen_and_forgotten(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.workers.seen("w2", "1.0", 5.0, "idle")
            tx.workers.seen("w1", "1.0", 7.0, "reading strive", configuration="c0ffee", loaded_at=6.5)
            time.sleep(SHORT)
            tx.workers.seen("w2", "1.1", 6.0, "sending")
        with store.transaction() as tx:
            first, second = tx.workers.all()
            assert replace(first, silent=0.0).__dict__ == {
                "name": "w1",
                "version": "1.0",
                "started_at": 7.0,
                "silent": 0.0,
                "doing": "reading strive",
                "configuration": "c0ffee",
                "loaded_at": 6.5,
            }
            assert first.alive
            assert not replace(first, silent=61.0).alive
            assert abs(tx.workers.clock() - time.time()) < 60  # the server is on this machine
            assert (second.name, second.version, second.started_at, second.doing) == ("w2", "1.1", 6.0, "sending")
            assert first.silent - second.silent >= SHORT * 0.9
            assert 0 <= second.silent < 10
            assert tx.workers.forget_silent((first.silent + second.silent) / 2) == 1
            assert [worker.name for worker in tx.workers.all()] == ["w2"]
            tx.workers.forget("w2")
            tx.workers.forget("nobody")
            assert tx.workers.all() == []


def claimed_elsewhere(store: Store, name: str) -> Lease:
    """Claimed by a thread that holds nothing: one that does is fenced."""
    return other(store, lambda mine: claimed(mine, name))


def other(store: Store, act: Any) -> Any:
    """Done by another process."""
    with beside(store) as mine:
        return act(mine)


def at_once(work: Any, *names: str) -> None:
    """Each in a thread; what goes wrong in one is told here."""
    problems: list[BaseException] = []

    def safely(name: str) -> None:
        try:
            work(name)
        except BaseException as problem:  # noqa: BLE001 - told below
            problems.append(problem)

    threads = [threading.Thread(target=safely, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
