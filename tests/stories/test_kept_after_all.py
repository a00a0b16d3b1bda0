"""A value that a platform keeps only when it is sent a second time leaves nothing behind for a person to decide."""

from __future__ import annotations

from pathlib import Path

from state.model import Hold
from tests.stories.five_world import FiveWorld
from tests.system.crash import people


def test_a_city_that_sticks_at_the_second_try_waits_for_nobody(tmp_path: Path) -> None:
    """Action Network does so with some localities."""
    with FiveWorld(tmp_path) as world:
        world.action_network.locality_slips = True
        people.at_strive(world.sandbox, 0, opt_in=True, city="Macon")
        world.settle()
        (row,) = world.rows("action_network")
        assert row["postal_addresses"][0]["locality"] == "Macon"
        assert world.holds() == list[Hold]()
        world.quiet()
