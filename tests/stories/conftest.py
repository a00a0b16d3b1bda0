from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.world import World


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module of stories that says `ENGINES = BOTH` is told on each of them."""
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", getattr(metafunc.module, "ENGINES", ("sqlite",)), indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """What the database is kept in."""
    return str(request.param)


@pytest.fixture
def state_url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of an empty database of that engine."""
    if engine == "postgresql":
        return str(request.getfixturevalue("pg_url"))
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def new_world(tmp_path: Path, state_url: str) -> Iterator[Callable[..., World]]:
    """Make worlds; their databases are closed at the end."""
    made: list[World] = []

    def make(*names: str, **options: Any) -> World:
        made.append(World(tmp_path, *names, url=state_url, **options))
        return made[-1]

    yield make
    for world in made:
        world.store.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """Two twins, a and b, that can do everything."""
    return new_world("a", "b")
