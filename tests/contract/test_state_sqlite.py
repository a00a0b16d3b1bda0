"""The state on SQLite keeps the contract."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.store import Store
from tests.contract.state_suite import StateContract


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database. Making one takes longer than any of these tests."""
    path = tmp_path_factory.mktemp("empty") / "state.db"
    Store(f"sqlite:///{path}").close()
    return path


class TestSQLite(StateContract):
    @pytest.fixture
    def store(self, empty: Path, tmp_path: Path) -> Iterator[Store]:
        shutil.copy(empty, tmp_path / "state.db")
        opened = Store(f"sqlite:///{tmp_path}/state.db")
        yield opened
        assert opened.check() == []
        opened.close()
