"""What passed the fuse in parts, on every engine."""

from __future__ import annotations

from state.store import Store


class KeepsParts:
    def test_parts_add_up_while_a_reading_lasts(self, store: Store) -> None:
        with store.transaction() as tx:
            assert tx.parts.passed(100.0) == {}
            tx.parts.put({("strive", "update"): 7}, at=200.25)
        with store.transaction() as tx:
            assert tx.parts.passed(100.0) == {("strive", "update"): 7}
            tx.parts.put({("strive", "update"): 9, ("other_fuse", "create"): 1}, at=300.0)
        with store.transaction() as tx:
            assert tx.parts.passed(200.25) == {("strive", "update"): 9, ("other_fuse", "create"): 1}

    def test_parts_that_passed_before_every_reading_are_forgotten(self, store: Store) -> None:
        with store.transaction() as tx:
            last = tx.contacts.reserve(3) + 2
            tx.parts.put({("strive", "update"): 7}, at=200.0)
        with store.transaction() as tx:
            assert tx.parts.passed(201.0) == {}
            assert tx.parts.passed(100.0) == {}
            assert tx.contacts.reserve(1) == last + 1, "another number kept in the same table"
