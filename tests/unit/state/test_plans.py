"""What every page asks is looked up, not searched for: the cost of a page must not grow with the people we know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from state.store import Store, Tx

WANTED = {("phone", "+12025550101"), ("email", "ann@example.org"), ("external:van", "9")}
ASKED: dict[str, Callable[[Tx], object]] = {
    "owners": lambda tx: tx.contacts.owners(WANTED),
    "strays": lambda tx: tx.links.strays_with(WANTED),
    "suppressions": lambda tx: tx.links.suppressed(WANTED),
    "records": lambda tx: tx.links.of_records("a", {"1", "2"}),
    "records of contacts": lambda tx: tx.links.of_contacts([1, 2]),
    "contacts": lambda tx: tx.contacts.get([1, 2]),
    "pushes of targets": lambda tx: tx.outbox.of_targets("a", ["r:1"]),
    "pushes of contacts": lambda tx: tx.outbox.of_contacts([1]),
    "what is due": lambda tx: tx.outbox.due("a", 0.0, 10),
    "what is due first": lambda tx: tx.outbox.first_due("a", 0.0),
    "fuses that tripped": lambda tx: tx.alerts.tripped({"fuse:a:update", "fuse:a:create"}),
    "opt-outs refused": lambda tx: tx.alerts.refused({"a", "b"}),
    "changes by hour": lambda tx: tx.alerts.changes({"a", "b"}, 5),
    "identifiers of contacts": lambda tx: tx.contacts.identifiers_of([1, 2]),
}


@pytest.mark.parametrize("what", ASKED)
def test_nothing_is_scanned(tmp_path: Path, what: str) -> None:
    store = Store(f"sqlite:///{tmp_path}/state.db")
    asked: list[tuple[str, Any]] = []
    with store.transaction() as tx:
        event.listen(tx.db.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
        ASKED[what](tx)
        ours = list(asked)
        plans = [
            row[3] for text, values in ours for row in tx.db.exec_driver_sql(f"explain query plan {text}", values).all()
        ]
    store.close()
    assert any("SEARCH" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT" not in plan]
