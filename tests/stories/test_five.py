"""Five platforms end to end: what happens on one reaches all that it can reach, once, and a "no" before all else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.stories.five_world import COLONY_WRITES, FIVE, WRITTEN, FiveWorld, Wrote, given
from tests.system.crash import people
from tests.system.crash.people import email, phone

NewWorld = Callable[..., FiveWorld]


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[NewWorld]:
    with ExitStack() as stack:
        yield lambda more=None, **population: stack.enter_context(FiveWorld(tmp_path, more, **population))


@pytest.fixture
def world(new_world: NewWorld) -> FiveWorld:
    return new_world()


# a no

SAID = [*((platform, "sms") for platform in FIVE), ("action_network", "email"), ("colony", "email")]
TAKES = {"sms": (*WRITTEN, "colony"), "email": ("action_network", "colony")}


def say_no(world: FiveWorld, platform: str, number: int, channel: str) -> None:
    """By hand, there."""
    id_ = world.on(platform, number)
    if platform == "telerivet":
        world.telerivet.block(id_)
    elif platform == "carium":
        world.carium.unsubscribe(id_)
    elif platform == "strive":
        world.strive.opt_out(id_)
    else:
        world.sandbox.accounts[platform].model.opt_out(id_, channel)


def is_no(world: FiveWorld, platform: str, wrote: Wrote, number: int, channel: str) -> bool:
    """Whether a write is this person's "no" and nothing else."""
    if platform == "colony":
        address = phone(number)[1:] if channel == "sms" else email(number)
        return wrote.path.startswith("/contact/optouts/") and wrote.body["originator"] == address
    number_, address_ = {"number": phone(number)[1:]}, {"address": email(number)}
    said: dict[str, Any] = {
        "strive": {"opt_in": False},
        "telerivet": {"send_blocked": True},
        "action_network": {"phone_numbers": [number_ | {"status": "unsubscribed"}]}
        if channel == "sms"
        else {"email_addresses": [address_ | {"status": "unsubscribed"}]},
    }
    return str(world.on(platform, number)) in wrote.path and wrote.body == said[platform]


@pytest.mark.parametrize(("platform", "channel"), SAID)
def test_a_no_is_the_first_thing_written_on_every_platform_that_takes_it(
    new_world: NewWorld, platform: str, channel: str
) -> None:
    """Two people were edited and one is new, all before she said no. Colony may be written to here; Carium never is."""
    world = new_world({"colony": COLONY_WRITES})
    world.met(0, 1, 2)
    world.strive.edit_member(world.on("strive", 1), city="Paris")
    world.telerivet.edit_contact(world.on("telerivet", 2), vars={"city": "Lima"})
    people.at_carium(world.sandbox, 8)
    say_no(world, platform, 0, channel)
    world.sync()
    for target in TAKES[channel]:
        wrote = world.wrote(target)
        found = [is_no(world, target, each, 0, channel) for each in wrote]
        assert found[0] is (target != platform), f"{target}: {wrote}"
        assert sum(found) == (target != platform), f"{target} was told {sum(found)} times"
        assert len(wrote) - sum(found) >= 2, f"{target} was owed an edit and somebody new: {wrote}"
        assert world.says_no(target, 0, channel)
    for target in WRITTEN if channel == "email" else ():
        assert not world.says_no(target, 0), "a no to emails is none to texts"
    assert not any(world.says_no(target, number) for target in WRITTEN for number in (1, 2))
    assert world.wrote("carium") == []
    world.quiet()


def test_colony_as_it_comes_is_heard_and_not_written_to(world: FiveWorld) -> None:
    world.met(0, 1)
    world.colony.opt_out(world.on("colony", 0))
    world.strive.opt_out(world.on("strive", 1))
    world.sync()
    assert all(world.says_no(target, number) for target in WRITTEN for number in (0, 1))
    assert not world.says_no("colony", 1)
    assert world.wrote("colony") == []
    assert world.outbox() == []
    world.quiet()


# an edit


def city(platform: str, row: dict[str, Any]) -> str | None:
    if platform == "telerivet":
        return str(row["vars"]["city"])
    return str(row["postal_addresses"][0]["locality"] if platform == "action_network" else row["city"])


def test_one_edit_on_each_arrives_everywhere_once(world: FiveWorld) -> None:
    """Colony and Carium are only read; what is edited there travels all the same."""
    world.met(0, 1, 2, 3, 4)
    world.strive.edit_member(world.on("strive", 0), city="Paris")
    world.telerivet.edit_contact(world.on("telerivet", 1), vars={"city": "Lima"})
    world.action_network.edit_person(world.on("action_network", 2), given_name="Cleopatra")
    world.colony.edit_contact(world.on("colony", 3), first_name="Deirdre")
    world.carium.edit_user(world.on("carium", 4), first_name="Elias")
    assert world.sync().sent == 2 + 2 + 2 + 3 + 3
    assert world.count() == {"strive": 4, "telerivet": 4, "action_network": 4, "colony": 0, "carium": 0}
    for platform in WRITTEN:
        assert [city(platform, world.shown(platform, number)) for number in (0, 1)] == ["Paris", "Lima"]
        names = [given(platform, world.shown(platform, number)) for number in (2, 3, 4)]
        assert names == ["Cleopatra", "Deirdre", "Elias"]
    assert [given("colony", world.shown("colony", 2)), world.shown("carium", 3)["first-name"]] == ["Cleo", "Dee"]
    assert world.outbox() == []
    world.quiet()


def test_an_edit_arrives_on_colony_once_where_it_may_be_written(new_world: NewWorld) -> None:
    world = new_world({"colony": COLONY_WRITES})
    world.met(0, 1)
    world.strive.edit_member(world.on("strive", 0), city="Paris")
    world.carium.edit_user(world.on("carium", 1), first_name="Boris")
    world.sync()
    assert [(each.method, each.body) for each in world.wrote("colony")] == [
        ("PATCH", {"city": "Paris"}),
        ("PATCH", {"first_name": "Boris"}),
    ]
    world.quiet()


def tags(world: FiveWorld, platform: str, number: int) -> list[str]:
    row = world.shown(platform, number)
    if platform == "strive":
        return [group["name"] for group in row["groups"] or []]
    return list(row["groups" if platform == "telerivet" else "tags"])


def test_a_tag_on_each_arrives_everywhere_once(world: FiveWorld) -> None:
    """Groups, tags and contact lists are one thing; Colony's lists are only read, and Carium has none."""
    world.met(0, 1, 2, 3)
    world.strive.add_to_group(world.on("strive", 0), "volunteer")
    world.telerivet.add_to_group(world.on("telerivet", 1), "phonebank")
    world.action_network.tag(world.on("action_network", 2), "donor")
    world.colony.add_to_list(world.on("colony", 3), "Newsletter")
    world.sync()
    for platform in WRITTEN:
        found = [tags(world, platform, number) for number in range(4)]
        assert found == [["volunteer"], ["phonebank"], ["donor"], ["Newsletter"]], platform
    taggings = [each for each in world.wrote("action_network") if each.path.endswith("/taggings")]
    assert len(taggings) == 3
    assert world.wrote("colony") == []
    world.quiet()


# nothing to do


def test_a_quiet_run_makes_no_more_calls_than_the_manual_says(world: FiveWorld) -> None:
    """One reading of each: docs/PLATFORM.md, "Calls and time". Nothing is written, and nobody is read a second time."""
    world.met(0, 1, 2)
    world.sync()
    world.sandbox.reset_log()
    report = world.sync()
    assert (report.sent, report.outcome) == (0, "done")
    login, lists, optouts, consents = 1, 1, 1, 1  # everybody here is in one list; the others are empty, and one page
    manual = {
        "strive": 2,
        "telerivet": math.ceil(3 / 500) + 1,
        "action_network": 1,
        "colony": login + 1 + lists * math.ceil(3 / 100) + optouts,
        "carium": login + (math.ceil(3 / 990) + 1) + consents,
    }
    made = {platform: len(world.sandbox.calls(platform)) for platform in FIVE}
    assert {platform for platform in FIVE if made[platform] > manual[platform]} == set(), made
    assert all(made.values())
    world.quiet()


# something is broken


def edit(world: FiveWorld, platform: str, number: int) -> None:
    """Everybody's first name can be edited everywhere."""
    id_ = world.on(platform, number)
    if platform == "strive":
        world.strive.edit_member(id_, first_name=f"From {platform}")
    elif platform == "telerivet":
        world.telerivet.edit_contact(id_, name=f"From {platform} {people.name(number)[1]}")
    elif platform == "action_network":
        world.action_network.edit_person(id_, given_name=f"From {platform}")
    elif platform == "colony":
        world.colony.edit_contact(id_, first_name=f"From {platform}")
    else:
        world.carium.edit_user(id_, first_name=f"From {platform}")


def shows(world: FiveWorld, platform: str, number: int, source: str) -> bool:
    row = world.shown(platform, number)
    name = {"strive": "first_name", "telerivet": "name", "action_network": "given_name"}[platform]
    return str(row[name]).startswith(f"From {source}")


@pytest.mark.parametrize("down", FIVE)
def test_one_is_down_and_one_refuses_our_key(world: FiveWorld, down: str) -> None:
    """The others go on; what the two said and were owed waits, and arrives when they are well again. A no as well."""
    locked = FIVE[(FIVE.index(down) + 1) % 5]
    world.met(*range(6))
    for number, platform in enumerate(FIVE):
        edit(world, platform, number)
    well = [platform for platform in FIVE if platform not in (down, locked)]
    say_no(world, well[0], 5, "sms")
    world.sandbox.faults.add("503", platform=down, times=None, retry_after=1)
    world.sandbox.faults.add("401", platform=locked, times=None)
    report = world.sync()
    assert report.outcome == "failed"
    assert "is busy (503)" in str(report.books[down].paused)
    assert re.search(r"refused our (key|login) \(401\)", str(report.books[locked].paused))
    for platform in well:
        assert report.books[platform].paused is None
    for platform in set(well) & set(WRITTEN):
        assert [shows(world, platform, FIVE.index(source), source) for source in FIVE] == [
            source in well for source in FIVE
        ]
        assert world.says_no(platform, 5)
    world.sandbox.faults.clear()
    world.sync(after=7200)
    assert world.settle().outcome == "done"
    for platform in WRITTEN:
        assert all(shows(world, platform, number, source) for number, source in enumerate(FIVE)), platform
        assert world.says_no(platform, 5)
    assert world.outbox() == []
    world.quiet()
