from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.world import World


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make worlds; their databases are closed at the end."""
    made: list[World] = []

    def make(*names: str, **options: Any) -> World:
        made.append(World(tmp_path, *names, **options))
        return made[-1]

    yield make
    for world in made:
        world.store.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """Two twins, a and b, that can do everything."""
    return new_world("a", "b")
