"""Looking costs the same among millions: what the page asks is looked up, or walks an index that is small or counted
seldom, and never the people, their records or the journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from daemon import settings
from daemon.service.look import standings
from daemon.service.look_figures import figures
from daemon.service.look_lists import overview
from daemon.service.look_people import find, person
from daemon.settings import Settings
from state.model import Account
from state.store import Store, Tx

NOW = 1_700_000_000.0
LARGE = ("contacts", "identifiers", "links", "journal", "outbox", "outreaches", "strays", "suppressions")
ASKED: dict[str, Callable[[Tx, Settings], object]] = {
    "readyz": lambda tx, config: standings(tx, config, NOW),
    "the page": lambda tx, config: overview(tx, config, NOW, hours=48),
    "what is counted": lambda tx, config: figures(tx, config, NOW),
    "finding a phone": lambda tx, config: find(tx, config, "+12025550101", by_name=False),
    "finding a record": lambda tx, config: find(tx, config, "CT12", by_name=False),
    "a contact": lambda tx, config: person(tx, 1),
    "a hold": lambda tx, config: tx.holds.get(1),
}


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text('[connections.strive]\nplatform = "strive"\ncampaign_id = 273\napi_key = "example-key"\n')
    file.chmod(0o600)
    return settings.load(file)


@pytest.mark.parametrize("what", ASKED)
def test_nobody_is_walked(tmp_path: Path, config: Settings, what: str) -> None:
    store = Store(f"sqlite:///{tmp_path}/state.db")
    with store.transaction() as tx:
        tx.connections.add(Account("strive", "strive", "273", sweep=2, swept=1))
    asked: list[tuple[str, Any]] = []
    with store.look() as tx:
        event.listen(tx.db.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
        ASKED[what](tx, config)
        ours = [(text, values) for text, values in asked if text.startswith("SELECT")]
        plans = [
            row[3] for text, values in ours for row in tx.db.exec_driver_sql(f"explain query plan {text}", values).all()
        ]
    store.close()
    assert plans
    walked = [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in LARGE]
    assert walked == (["SCAN outbox USING COVERING INDEX ix_outbox_due"] if what == "what is counted" else [])
