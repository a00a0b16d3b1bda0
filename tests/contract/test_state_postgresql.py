"""The state on PostgreSQL keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from state.store import Store
from tests.contract.state_suite import StateContract


class TestPostgreSQL(StateContract):
    @pytest.fixture
    def store(self, pg_url: str) -> Iterator[Store]:
        opened = Store(pg_url)
        yield opened
        opened.close()
