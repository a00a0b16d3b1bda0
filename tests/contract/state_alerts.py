"""The contract of the state: alerts, of which one is open for each key, and which one worker tells."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from state.alerts import NEVER, Alert, Refused
from state.model import CONSENT_LANE, Account, Hold
from state.store import Store, Tx
from state.tables import hours
from tests.contract.state_rows import owed


def broken(key: str = "failed:strive", **more: Any) -> Alert:
    kind, _, connection = key.partition(":")
    return Alert(key, kind, connection, "it broke", "mend it", **{"since": 5.0, "due_at": 10.0, **more})


def open_once(url: str, started: threading.Barrier) -> None:
    """As a worker in a process of its own does: decide, and write, in one transaction."""
    store = Store(url, exclusive=False)
    with store.look() as tx:
        tx.alerts.open()
    started.wait(20)
    with store.transaction() as tx:
        tx.alerts.lock()
        known = tx.alerts.open()
        time.sleep(0.05)  # long enough for the others to look, if they could
        if "failed:strive" not in known:
            tx.alerts.add(broken())
    store.close()


def due(tx: Tx, now: float = 100.0) -> list[str]:
    return [each.key for each in tx.alerts.due(now, 10)]


class KeepsAlerts:
    def test_an_alert_is_read_as_it_was_written(self, store: Store) -> None:
        full = broken(told_at=1.5, healed_at=2.5, healed_told_at=3.5, tries=4, due_at=NEVER)
        with store.transaction() as tx:
            number = tx.alerts.add(full)
            tx.alerts.add(broken("late:strive"))
        with store.look() as tx:
            assert tx.alerts.get(number) == replace(full, id=number)
            assert tx.alerts.get(number + 9) is None
            assert list(tx.alerts.open()) == ["late:strive"]
            assert [each.key for each in tx.alerts.recent(5)] == ["late:strive", "failed:strive"]
            assert [each.key for each in tx.alerts.healed_since(2.5)] == ["failed:strive"]
            assert tx.alerts.healed_since(2.6) == []

    @pytest.mark.parametrize(
        ("row", "owes"),
        [
            (broken(), True),
            (broken(tries=3), True),
            (broken(told_at=1.0), False),
            (broken(told_at=1.0, tries=1), True),
            (broken(healed_at=2.0), False),
            (broken(told_at=1.0, healed_at=2.0), True),
            (broken(told_at=1.0, healed_at=2.0, healed_told_at=3.0), False),
            (broken(told_at=1.0, healed_at=2.0, healed_told_at=3.0, tries=1), True),
        ],
        ids=lambda value: "" if isinstance(value, bool) else f"{value.told_at} {value.healed_at} {value.tries}",
    )
    def test_what_is_owed_is_due_when_its_time_has_come(self, store: Store, row: Alert, owes: bool) -> None:
        """The rows and the database agree on who is still to be told."""
        with store.transaction() as tx:
            tx.alerts.add(row)
            assert row.owes is owes
            assert due(tx, 10.0) == ["failed:strive"] * owes
            assert due(tx, 9.9) == []

    def test_one_worker_takes_an_alert_in_hand(self, store: Store) -> None:
        """And nobody takes one that healed meanwhile for one that is broken."""
        with store.transaction() as tx:
            number = tx.alerts.add(broken())
            (found,) = tx.alerts.due(10.0, 1)
            assert tx.alerts.claim(found, until=70.0)
            assert not tx.alerts.claim(found, until=70.0)
            assert (due(tx, 69.0), due(tx, 70.0)) == ([], ["failed:strive"])
            (again,) = tx.alerts.due(70.0, 1)
            tx.alerts.put(replace(again, told_at=71.0, healed_at=72.0))
            assert not tx.alerts.claim(again, until=99.0)
            assert tx.alerts.claim(replace(again, healed_at=72.0), until=99.0)
            assert not tx.alerts.claim(replace(again, id=number + 1), until=99.0)

    def test_workers_that_decide_at_once_open_one_alert(self, store: Store) -> None:
        started = threading.Barrier(3)
        workers = [threading.Thread(target=open_once, args=(store.url, started)) for _ in range(3)]
        for each in workers:
            each.start()
        for each in workers:
            each.join(20)
        with store.look() as tx:
            assert len(tx.alerts.recent(9)) == 1

    def test_what_alerts_are_decided_by(self, store: Store) -> None:
        """Only what was asked for, of the connections that were asked for."""
        hour = {"read": 9, "sent": 0, "calls": 1, "throttled": 0, "told": 0, "told_after": 0.0, "told_slowest": 0.0}
        rows = [{**hour, "connection": c, "hour": h, "changed": h} for c in ("strive", "twin") for h in (7, 8, 9)]
        dead = [replace(owed(n, lane=CONSENT_LANE), state="dead", created_at=float(n)) for n in ("3", "4")]
        with store.transaction() as tx:
            tx.connections.add(Account("strive", "strive", "7"))
            first = tx.holds.open(Hold("fuse:strive:update", "fuse", {}, "strive", opened_at=3.0))
            tx.holds.open(Hold("fuse:strive:create", "fuse", {}, "strive", opened_at=4.0))
            tx.holds.close("fuse:strive:create", {}, at=5.0)
            tx.outbox.add([*dead, owed("5", lane=CONSENT_LANE), replace(owed("6"), state="dead")])
            tx.outbox.add([replace(owed("7", lane=CONSENT_LANE, at="twin"), state="dead")])
            tx.db.execute(insert(hours), rows)
            asked = ["fuse:strive:update", "fuse:strive:create", "fuse:twin:update"]
            assert tx.alerts.tripped(asked) == {"fuse:strive:update": (first, 3.0)}
            assert tx.alerts.refused(["strive", "nobody"]) == {"strive": Refused(2, 3.0)}
            assert tx.alerts.changes(["strive"], 8) == {"strive": {8: 8, 9: 9}}
            assert (tx.alerts.tripped([]), tx.alerts.refused([]), tx.alerts.changes([], 0)) == ({}, {}, {})
