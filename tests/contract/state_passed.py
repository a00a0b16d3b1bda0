"""What passed the fuse in parts, on every engine."""

from __future__ import annotations

from state.store import Store


class KeepsWhatPassed:
    def test_parts_are_of_one_plan_while_a_reading_lasts(self, store: Store) -> None:
        with store.transaction() as tx:
            assert tx.passed.all(100.0) == {}
            tx.passed.put({("strive", "update"): 7}, at=200.25)
        with store.transaction() as tx:
            assert tx.passed.all(100.0) == {("strive", "update"): 7}
            tx.passed.put({("strive", "update"): 9, ("other", "create"): 1}, at=300.0)
        with store.transaction() as tx:
            assert tx.passed.all(200.25) == tx.passed.all() == {("strive", "update"): 9, ("other", "create"): 1}

    def test_what_passed_before_every_reading_is_of_another_plan(self, store: Store) -> None:
        with store.transaction() as tx:
            last = tx.contacts.reserve(3) + 2
            tx.passed.put({("strive", "update"): 7}, at=200.0)
        with store.transaction() as tx:
            assert tx.passed.all(201.0) == {}
            assert tx.passed.all() == {}
            assert tx.contacts.reserve(1) == last + 1, "another number kept in the same table"
