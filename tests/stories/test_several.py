"""Several connections of one platform: two campaigns, two projects. The same person on all of them is one contact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.platforms import registry
from daemon.settings import load
from tests.stories.several_world import SeveralWorld

PHONE = "+12025550101"
ACCOUNTS = {"atl": "strive", "mke": "strive", "north": "telerivet", "south": "telerivet"}
SPELLINGS = {"atl": PHONE, "mke": PHONE, "north": "(202) 555-0101", "south": "1-202-555-0101"}
TAGS = {
    "atl": 'preset: strive\ntags: {only: ["volunteer", "Chapter: *"], rename: {vols: volunteer}}\n',
    "north": 'preset: telerivet\ntags: {only: ["volunteer"]}\n',
    "south": "preset: telerivet\ntags: off\n",
}


def add(world: SeveralWorld, name: str, phone: str, *, city: str = "Macon", **more: Any) -> None:
    """Ada at one connection, as people there would type her."""
    if ACCOUNTS[name] == "strive":
        world.model(name).add_member(phone_number=phone, first_name="Ada", last_name="Lovelace", city=city, **more)
    else:
        world.model(name).add_contact("Ada Lovelace", phone, {"city": city}, **more)


def edit(world: SeveralWorld, name: str, city: str) -> None:
    record = world.one(name)
    if ACCOUNTS[name] == "strive":
        world.model(name).edit_member(record["id"], city=city)
    else:
        world.model(name).edit_contact(record["id"], vars={"city": city})


def says_no(world: SeveralWorld, name: str) -> None:
    record = world.one(name)
    world.model(name).opt_out(record["id"]) if ACCOUNTS[name] == "strive" else world.model(name).block(record["id"])


def city(world: SeveralWorld, name: str) -> Any:
    record = world.one(name)
    return record["city"] if ACCOUNTS[name] == "strive" else record["vars"].get("city")


def blocked(world: SeveralWorld, name: str) -> bool:
    record = world.one(name)
    return record["opt_in"] is False if ACCOUNTS[name] == "strive" else record["send_blocked"] is True


def tags(world: SeveralWorld, name: str) -> set[str]:
    found = world.one(name)["groups"] or []
    return {each["name"] if isinstance(each, dict) else each for each in found}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SeveralWorld]:
    """Ada on all four, known to be one."""
    with SeveralWorld(tmp_path, ACCOUNTS, mappings=TAGS) as found:
        for name, phone in SPELLINGS.items():
            add(found, name, phone)
        found.settle()
        found.forget_calls()
        yield found


def test_the_same_person_on_all_is_one_contact_with_a_link_each(world: SeveralWorld) -> None:
    assert len(world.contacts()) == 1
    (links,) = world.links().values()
    assert sorted(link.connection for link in links) == sorted(ACCOUNTS)
    assert {link.state for link in links} == {"linked"}
    assert world.outbox() == []


def test_a_person_of_one_campaign_is_made_once_on_each_of_the_others(tmp_path: Path) -> None:
    with SeveralWorld(tmp_path, ACCOUNTS) as world:
        add(world, "mke", PHONE)
        world.settle()
        assert [city(world, name) for name in ACCOUNTS] == ["Macon"] * 4, "`one` has found a single record on each"
        assert len(world.contacts()) == 1
        assert world.sync(full=True).sent == 0


@pytest.mark.parametrize("source", ACCOUNTS)
def test_an_edit_on_one_arrives_on_every_other_once(world: SeveralWorld, source: str) -> None:
    edit(world, source, "Rome")
    report = world.sync()
    assert {name: city(world, name) for name in ACCOUNTS} == dict.fromkeys(ACCOUNTS, "Rome")
    assert {name: books.updated for name, books in report.books.items()} == {
        name: int(name != source) for name in ACCOUNTS
    }
    assert world.sync().sent == 0
    assert world.writes(source) == []
    assert all(len(world.writes(name)) == 1 for name in ACCOUNTS if name != source)


@pytest.mark.parametrize("source", ACCOUNTS)
def test_an_opt_out_on_one_reaches_all_first(world: SeveralWorld, source: str) -> None:
    others = [name for name in ACCOUNTS if name != source]
    edit(world, source, "Rome")
    says_no(world, source)
    world.sync()
    assert all(blocked(world, name) for name in ACCOUNTS)
    for name in others:
        first, *rest = world.writes(name)
        assert first in ({"opt_in": False}, {"send_blocked": True}), (name, first)
        assert rest, "the edit came after it"
    assert world.sync().sent == 0


def test_tags_go_where_the_mapping_of_the_connection_says(world: SeveralWorld) -> None:
    """Two campaigns, two mappings: one renames, one takes all, one takes a single tag, one takes none."""
    world.model("mke").add_to_group(world.one("mke")["id"], "volunteer")
    world.model("mke").add_to_group(world.one("mke")["id"], "Chapter: Milwaukee")
    world.model("mke").add_to_group(world.one("mke")["id"], "donor")
    world.settle()
    assert tags(world, "atl") == {"vols", "Chapter: Milwaukee"}
    assert tags(world, "north") == {"volunteer"}
    assert tags(world, "south") == set()
    world.model("atl").add_to_group(world.one("atl")["id"], "internal")
    world.model("south").add_to_group(world.one("south")["id"], "theirs alone")
    world.settle()
    assert tags(world, "mke") == {"volunteer", "Chapter: Milwaukee", "donor"}
    assert tags(world, "north") == {"volunteer"}


def test_conflicting_edits_on_two_of_one_platform_end_in_one_value(world: SeveralWorld) -> None:
    edit(world, "atl", "Rome")
    world.now += 30
    edit(world, "mke", "Bern")
    world.settle()
    assert {city(world, name) for name in ACCOUNTS} == {"Bern"}


def test_a_connection_that_is_down_holds_up_no_sister(world: SeveralWorld) -> None:
    """Not even one on the same platform; it gets what it missed when it is back."""
    world.sandboxes["mke"].faults.add("503", platform="strive", times=None)
    edit(world, "atl", "Rome")
    world.sync()
    assert [city(world, name) for name in ("atl", "north", "south")] == ["Rome"] * 3
    assert city(world, "mke") == "Macon"
    world.sandboxes["mke"].faults.clear()
    world.sync(after=7200.0)
    world.settle()
    assert city(world, "mke") == "Rome"
    assert [len(world.writes(name)) for name in ("mke", "north", "south")] == [1, 1, 1]


def test_campaigns_behind_one_key_share_one_budget(tmp_path: Path) -> None:
    """The platform counts calls by key; projects with keys of their own have budgets of their own."""
    tables = [
        ("atl", "strive", "campaign_id = 1", "one-key"),
        ("mke", "strive", "campaign_id = 2\nrate = 1", "one-key"),
        ("ohio", "strive", "campaign_id = 3", "other-key"),
        ("north", "telerivet", 'project_id = "PJ2ad0100821a98bea"', "one-key"),
    ]
    config = tmp_path / "config.toml"
    config.write_text("\n".join(f'[connections.{n}]\nplatform = "{p}"\n{s}\napi_key = "{k}"' for n, p, s, k in tables))
    config.chmod(0o600)
    gates: registry.Gates = {}
    budgets = {name: registry.budget(one, gates) for name, one in load(config).enabled.items()}
    assert budgets["atl"] is budgets["mke"]
    assert len({id(one) for one in budgets.values()}) == 3
