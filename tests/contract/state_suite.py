"""The contract of the state, as tests: what every engine must keep, whatever it is made of.

An engine's tests inherit `StateContract` and give it a `store`; what only that engine can do, they add themselves.
Written and read again, everything is as it was; what is undone leaves nothing.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from state.model import Account, Hold, Noted
from state.store import Store, Tx
from tests.contract.state_alerts import KeepsAlerts, broken
from tests.contract.state_hours import KeepsHours
from tests.contract.state_leases import KeepsLeases, KeepsWorkers
from tests.contract.state_outreaches import KeepsOutreaches, act
from tests.contract.state_passed import KeepsWhatPassed
from tests.contract.state_people import KeepsContacts, KeepsLinks
from tests.contract.state_rows import ANN, contact, link, owed
from tests.contract.state_texts import KeepsAnyText
from tests.contract.state_work import KeepsRecords, KeepsTheOutbox


def _write_everywhere(tx: Tx) -> None:
    tx.contacts.add([contact(tx.contacts.reserve(1))])
    tx.contacts.add_identifiers([(*ANN, 1)])
    tx.links.add([link("7", 1)])
    tx.links.set_strays("strive", {"7": [ANN]})
    tx.links.suppress("strive", {"7": {ANN: ("unsubscribed", "held")}}, at=1.0)
    tx.links.decide("strive", "7", 1, "same", at=1.0)
    tx.outbox.add([owed("7")])
    tx.outreaches.add([act()])
    tx.connections.add(Account("strive", "strive", "7"))
    tx.journal.add([Noted("took", {}, 1)])
    tx.holds.open(Hold("k", "match", {}))
    tx.runs.begin(1.0)
    tx.alerts.add(broken())


def _all_there_is(tx: Tx) -> list[Any]:
    return [
        *tx.contacts.all(),
        *tx.contacts.owners({ANN}),
        *tx.links.counts(),
        *tx.links.strays_with({ANN}),
        *tx.links.suppressed({ANN}),
        *tx.links.decided("strive", {"7"}),
        *tx.outbox.listed(),
        *tx.outreaches.listed(["owed"]),
        *tx.connections.all(),
        *tx.journal.of_contacts({1}),
        *tx.holds.listed(),
        *tx.runs.latest(),
        *tx.alerts.recent(1),
    ]


class KeepsTransactionsApart:
    def test_what_is_undone_leaves_nothing(self, store: Store) -> None:
        """Whatever the exception; not even a number handed out."""

        def write_and_stop() -> None:
            with store.transaction() as tx:
                _write_everywhere(tx)
                assert len(_all_there_is(tx)) == 13
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_and_stop()
        with store.transaction() as tx:
            assert _all_there_is(tx) == []
            assert tx.contacts.reserve(1) == 1

    def test_what_is_done_is_there(self, store: Store) -> None:
        with store.transaction() as tx:
            _write_everywhere(tx)
        with store.look() as tx:
            assert len(_all_there_is(tx)) == 13

    @pytest.mark.timeout(8)
    def test_looking_waits_for_no_writer_and_sees_nothing_half_done(self, store: Store) -> None:
        with store.transaction() as tx:
            _write_everywhere(tx)
            with store.look() as other:
                assert _all_there_is(other) == []

    def test_a_look_sees_one_moment(self, store: Store) -> None:
        with store.look() as seen:
            before = _all_there_is(seen)
            with store.transaction() as tx:
                _write_everywhere(tx)
            assert _all_there_is(seen) == before

    def test_looking_changes_nothing(self, store: Store) -> None:
        with contextlib.suppress(DBAPIError), store.look() as tx:  # refused, or undone
            _write_everywhere(tx)
        with store.look() as tx:
            assert _all_there_is(tx) == []

    @pytest.mark.timeout(20)
    def test_threads_take_turns(self, store: Store) -> None:
        """A transaction that reads and then writes what it read loses nothing to another."""
        problems: list[BaseException] = []

        def work(name: str) -> None:
            try:
                for _ in range(10):
                    with store.transaction() as tx:
                        first = tx.contacts.reserve(1)
                        tx.contacts.add([contact(first, city=name)])
            except BaseException as problem:  # noqa: BLE001 - told by the assertion below
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c", "d")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        with store.look() as tx:
            assert [c.id for c in tx.contacts.all()] == list(range(1, 41))


class StateContract(
    KeepsContacts,
    KeepsLinks,
    KeepsTheOutbox,
    KeepsOutreaches,
    KeepsWhatPassed,
    KeepsRecords,
    KeepsLeases,
    KeepsWorkers,
    KeepsAlerts,
    KeepsHours,
    KeepsAnyText,
    KeepsTransactionsApart,
):
    """Everything an engine must keep."""
