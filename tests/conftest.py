"""What all tests share: how hard the inventing ones search, a PostgreSQL for those that ask for one, and no secrets.

By hand every run tries something new. In CI the same examples come each time: a change is judged by what it changed,
not by the luck of the draw; what a search finds becomes a test with a name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from daemon import logs

if TYPE_CHECKING:
    from tests.postgres import Shelf

settings.register_profile("search", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "search")


@pytest.fixture(autouse=True)
def secrets_stay_with_their_test() -> Iterator[None]:
    """A password that a configuration of one test had is no secret of the next: it may be a plain word."""
    before = set(logs._hidden)
    yield
    logs._hidden.clear()
    logs._hidden.update(before)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server, shared by the processes of this test run. Without one, the test fails."""
    from tests.postgres import shared_server

    alone = "PYTEST_XDIST_WORKER" not in os.environ
    base = tmp_path_factory.getbasetemp()
    meeting = (base if alone else base.parent) / "postgres"
    meeting.mkdir(exist_ok=True)
    with shared_server(meeting) as url:
        yield url


@pytest.fixture(scope="session")
def shelf(postgres: str) -> Iterator[Shelf]:
    """Databases on that server, up to date and empty."""
    from tests.postgres import Shelf

    with ExitStack() as made:
        yield Shelf(postgres, made)


@pytest.fixture
def new_database(shelf: Shelf) -> Iterator[Callable[[], str]]:
    """Makes databases that are up to date; returns the URL of each."""
    with ExitStack() as lent:
        yield lambda: lent.enter_context(shelf.lent())


@pytest.fixture
def pg_url(new_database: Callable[[], str]) -> str:
    """The URL of a PostgreSQL database that is up to date and empty."""
    return new_database()


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with nothing in it."""
    from tests.postgres import database

    with database(postgres) as url:
        yield url
