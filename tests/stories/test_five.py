"""Five platforms end to end: what happens on one reaches all that it can reach, once, and a "no" before all else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.stories.five_world import COLONY_WRITES, FIVE, WRITTEN, FiveWorld, Wrote
from tests.system.crash import people

NewWorld = Callable[..., FiveWorld]


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[NewWorld]:
    with ExitStack() as stack:
        yield lambda more=None, **population: stack.enter_context(FiveWorld(tmp_path, more, **population))


@pytest.fixture
def world(new_world: NewWorld) -> FiveWorld:
    return new_world()


def test_try(world: FiveWorld) -> None:
    world.met(0, 1, 2)
    world.strive.edit_member(world.on("strive", 1), city="Paris")
    world.telerivet.edit_contact(world.on("telerivet", 2), vars={"city": "Lima"})
    people.at_carium(world.sandbox, 8)
    world.carium.unsubscribe(world.on("carium", 0))
    world.sync()
    for platform in FIVE:
        print(platform)
        for each in world.wrote(platform):
            print("   ", each)
    world.quiet()
    assert 0
