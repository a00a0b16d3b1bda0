"""The state on SQLite keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from state.store import Store
from tests.contract.state_suite import StateContract


class TestSQLite(StateContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        opened = Store(f"sqlite:///{tmp_path}/state.db")
        yield opened
        assert opened.check() == []
        opened.close()
