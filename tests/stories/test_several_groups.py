"""Three groups of Action Network, each with a key of its own, and a Strive campaign with an integration of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.commands.loops import warned
from tests.stories.several_world import SeveralWorld

GROUPS = ("north", "south", "west")
ACCOUNTS = {**dict.fromkeys(GROUPS, "action_network"), "atl": "strive"}
PHONE, EMAIL = "+12025550101", "ada@example.org"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SeveralWorld]:
    """Ada in each group and in the campaign, known to be one."""
    with SeveralWorld(tmp_path, ACCOUNTS) as found:
        for name in GROUPS:
            found.model(name).add_person("Ada", "Lovelace", PHONE, EMAIL, locality="Macon", email_status="subscribed")
        found.model("atl").add_member(
            phone_number=PHONE, email=EMAIL, first_name="Ada", last_name="Lovelace", city="Macon"
        )
        found.settle()
        found.forget_calls()
        yield found


def cities(world: SeveralWorld) -> dict[str, Any]:
    found = {name: world.one(name)["postal_addresses"][0]["locality"] for name in GROUPS}
    return found | {"atl": world.one("atl")["city"]}


def email_status(world: SeveralWorld, name: str) -> Any:
    return world.one(name)["email_addresses"][0]["status"]


def test_the_same_person_in_three_groups_is_one_contact_with_a_link_each(world: SeveralWorld) -> None:
    assert len(world.contacts()) == 1
    (links,) = world.links().values()
    assert sorted(link.connection for link in links) == sorted(ACCOUNTS)
    assert world.outbox() == []


@pytest.mark.parametrize("source", GROUPS)
def test_an_edit_in_one_group_arrives_everywhere_once(world: SeveralWorld, source: str) -> None:
    world.model(source).edit_person(world.one(source)["id"], locality="Rome")
    report = world.sync()
    assert cities(world) == dict.fromkeys(ACCOUNTS, "Rome")
    assert {name: books.updated for name, books in report.books.items()} == {
        name: int(name != source) for name in ACCOUNTS
    }
    assert world.settle().sent == 0


@pytest.mark.parametrize("source", GROUPS)
def test_an_opt_out_in_one_group_reaches_the_others_first(world: SeveralWorld, source: str) -> None:
    """By email it reaches the groups; by phone the campaign as well. Before any edit."""
    world.model(source).edit_person(world.one(source)["id"], locality="Rome")
    world.model(source).opt_out(world.one(source)["id"], "email")
    world.sync()
    assert {email_status(world, name) for name in GROUPS} == {"unsubscribed"}
    for name in set(GROUPS) - {source}:
        first, *rest = world.writes(name)
        assert "unsubscribed" in str(first), (name, first)
        assert "Rome" in str(rest), "the edit came after it"
    world.settle()


def test_strives_own_integration_beside_ours_is_warned_of(world: SeveralWorld) -> None:
    assert said(world) == []
    world.model("atl").edit_member(world.one("atl")["id"], how="actionNetwork", city="Rome")
    world.settle()
    assert cities(world) == dict.fromkeys(ACCOUNTS, "Rome")
    (warning,) = said(world)
    assert warning.what == "atl"
    assert "its platform's own integration 'actionNetwork'" in warning.text
    assert "its partner is connected here too (north, south, west): 1 person in the last 7 days" in warning.text
    assert "Switch that integration off in Strive" in warning.hint


def said(world: SeveralWorld) -> list[Any]:
    with world.store.look() as tx:
        return warned(world.settings, tx, world.now)
