"""Another program carries the same people between the same platforms: nothing ping-pongs, nothing is written twice,
and it is said. Ordinary runs say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.commands.loops import Warned, warned
from daemon.platforms.base import Update
from daemon.sync.loops import PEOPLE, WINDOW, Loop, suspected
from tests.stories.several_world import SeveralWorld
from tests.stories.world import World
from tests.system.cli_world import Shell
from tests.twin import FULL, without

PHONES = [f"+1202555010{last}" for last in range(1, 8)]


@pytest.fixture
def projects(tmp_path: Path) -> Iterator[SeveralWorld]:
    """Two Telerivet projects that know the same people, both read."""
    with SeveralWorld(tmp_path, {"north": "telerivet", "south": "telerivet"}) as world:
        for number, phone in enumerate(PHONES):
            world.model("north").add_contact(f"Ada {'BCDEFGH'[number]}ell", phone, {"city": "Macon"})
        world.settle()
        assert len(world.everybody("south")) == len(PHONES)
        world.forget_calls()
        yield world


def copy(world: SeveralWorld, source: str, target: str) -> None:
    """What Contact Data Sync does: every variable and the name, to whoever has the same phone."""
    theirs = {each["phone_number"]: each for each in world.everybody(target)}
    for each in world.everybody(source):
        other = theirs[each["phone_number"]]
        if (each["vars"], each["name"]) != (other["vars"], other["name"]):
            world.model(target).edit_contact(other["id"], name=each["name"], vars=each["vars"])


def move(world: SeveralWorld, name: str, place: int, city: str) -> None:
    (found,) = [each for each in world.everybody(name) if each["phone_number"] == PHONES[place]]
    world.model(name).edit_contact(found["id"], vars={"city": city})


def cities(world: SeveralWorld, name: str) -> list[str]:
    return [each["vars"]["city"] for each in world.everybody(name)]


def said(world: SeveralWorld) -> list[Warned]:
    with world.store.look() as tx:
        return warned(world.settings, tx, world.now)


def test_a_copy_between_two_projects_is_seen_and_nothing_is_written_twice(projects: SeveralWorld) -> None:
    """Whoever is read first: the value that is owed and already there is not written, and it is noticed."""
    for place in range(PEOPLE):
        move(projects, "north", place, "Rome")
    projects.now += 10
    copy(projects, "north", "south")
    projects.settle()
    assert projects.writes("north") == []
    assert projects.writes("south") == []
    assert cities(projects, "north") == cities(projects, "south")
    (warning,) = said(projects)
    assert warning.what == "north and south"
    assert warning.text.startswith("looks like something besides rosterd copies between them: for 3 people")
    assert "Contact Data Sync" in warning.hint


def test_a_copy_that_comes_and_goes_does_not_ping_pong(projects: SeveralWorld) -> None:
    """The other program copies after each of our runs, too; edits from both sides; every run ends, and it is quiet."""
    for turn, city in enumerate(("Rome", "Bern", "Oslo", "Lima")):
        move(projects, ("north", "south")[turn % 2], turn, city)
        projects.now += 10
        copy(projects, *(("north", "south") if turn % 2 == 0 else ("south", "north")))
        projects.sync()
        copy(projects, "north", "south")
    assert projects.settle().sent == 0
    assert cities(projects, "north") == cities(projects, "south") == ["Rome", "Bern", "Oslo", "Lima", *["Macon"] * 3]
    assert holds(projects) == []
    assert len(projects.writes("north")) + len(projects.writes("south")) == 0


def holds(world: SeveralWorld) -> list[Any]:
    with world.store.look() as tx:
        return tx.holds.listed()


def test_a_person_who_types_the_same_twice_is_no_loop(projects: SeveralWorld) -> None:
    for _ in range(3):  # often, but always the same two people
        for place, city in ((0, "Rome"), (1, "Bern")):
            for name in ("north", "south"):
                move(projects, name, place, city)
        projects.settle()
    assert said(projects) == []


def test_ordinary_edits_are_no_loop(projects: SeveralWorld) -> None:
    """Many edits, on both sides, of different people and of the same: rosterd alone carries them."""
    for place in range(len(PHONES)):
        move(projects, ("north", "south")[place % 2], place, "Rome")
        projects.sync()
    move(projects, "north", 0, "Bern")
    move(projects, "south", 0, "Oslo")
    projects.settle()
    assert cities(projects, "north") == cities(projects, "south")
    assert said(projects) == []


def test_conflicting_edits_are_no_loop(projects: SeveralWorld) -> None:
    """Two people edit the same person at once, differently: the later one wins, and nobody copied anything."""
    for place in range(len(PHONES)):
        move(projects, "north", place, "Rome")
        projects.now += 5
        move(projects, "south", place, "Bern")
    projects.settle()
    assert set(cities(projects, "north") + cities(projects, "south")) == {"Bern"}
    assert said(projects) == []


def test_our_own_write_whose_answer_was_lost_is_no_loop(projects: SeveralWorld) -> None:
    for place in range(PEOPLE + 1):
        move(projects, "north", place, "Rome")
    projects.sandboxes["south"].faults.add("lost", platform="telerivet", method="POST")
    projects.sync()
    assert projects.sandboxes["south"].faults.pending() == []
    for _ in range(4):
        projects.sync(after=7200.0)
    assert cities(projects, "south") == cities(projects, "north")
    assert said(projects) == []


def test_the_warning_ends_a_week_after_the_last_sign(projects: SeveralWorld) -> None:
    for place in range(PEOPLE):
        move(projects, "north", place, "Rome")
    copy(projects, "north", "south")
    projects.settle()
    first = projects.now
    assert len(said(projects)) == 1
    projects.now = first + WINDOW - 3600
    assert len(said(projects)) == 1
    projects.now = first + WINDOW + 3600
    assert said(projects) == []


def test_check_and_status_show_it(projects: SeveralWorld) -> None:
    shell = Shell(projects.folder)
    assert shell.json("status")["loops"] == []
    for place in range(PEOPLE):
        move(projects, "south", place, "Rome")
    copy(projects, "south", "north")
    projects.settle()
    (loop,) = shell.json("status")["loops"]
    assert loop["what"] == "north and south"
    shown = shell("status").stdout
    assert "warning: north and south: looks like" in shown
    assert "an old value can come back" in shown
    (found,) = [each for each in shell.json("check", "--offline")["findings"] if each["level"] == "warn"]
    assert found["what"] == "north and south"
    assert "Contact Data Sync" in found["hint"]


def test_it_is_in_the_story_of_the_person(projects: SeveralWorld) -> None:
    move(projects, "north", 0, "Rome")
    copy(projects, "north", "south")
    projects.settle()
    with projects.store.look() as tx:
        events = [each for one in projects.contacts() for each in tx.journal.of_contacts([one])]
    (seen,) = [each for each in events if each.event == "foreign_write"]
    assert seen.detail["field"] == "city"
    assert {seen.connection, seen.detail["as"]} == {"north", "south"}
    (contact,) = [one for one in projects.contacts().values() if one.get("city") == "Rome"]
    assert "before we had sent it" in Shell(projects.folder)("contacts", "show", f"c{contact.id}").stdout


# a platform's own integration, named in its log


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[SeveralWorld]:
    with SeveralWorld(tmp_path, {"atl": "strive", "tel": "telerivet"}) as world:
        world.model("atl").add_member(phone_number=PHONES[0], first_name="Ada", last_name="Lovelace", city="Macon")
        world.settle()
        yield world


def loops(world: SeveralWorld, **platforms: str) -> list[Loop]:
    with world.store.look() as tx:
        return suspected(tx.connections.all(), platforms, world.now)


def test_strives_own_integration_is_seen_where_its_partner_is_connected_too(campaign: SeveralWorld) -> None:
    member = campaign.one("atl")["id"]
    campaign.model("atl").edit_member(member, how="actionNetwork", city="Rome")
    campaign.settle()
    assert campaign.one("tel")["vars"]["city"] == "Rome", "an edit is an edit"
    (loop,) = loops(campaign, atl="strive", an="action_network")
    assert (loop.kind, loop.word, loop.connections, loop.people) == ("integration", "actionNetwork", ("atl", "an"), 1)
    assert loops(campaign, atl="strive", tel="telerivet") == [], "its partner is not connected here"


def test_an_edit_by_hand_or_by_csv_is_no_integration(campaign: SeveralWorld) -> None:
    member = campaign.one("atl")["id"]
    for how, city in (("manual", "Rome"), ("csv", "Bern"), ("api", "Oslo")):
        campaign.model("atl").edit_member(member, how=how, city=city)
        campaign.settle()
    assert loops(campaign, atl="strive", an="action_network") == []


NEW_WORLD = Callable[..., World]


def test_an_integration_that_echoes_our_edits_does_not_ping_pong(new_world: NEW_WORLD) -> None:
    """Three sides; whatever one of them gets, its own integration carries to the second, before us and after us."""
    able = without(FULL, partners={"sisters": "twin"})
    world = new_world("a", "b", "c", b={"capabilities": able})
    ids = [
        world.a.add(phone=phone, first="Ada", last=f"{'BCD'[n]}ell", city="Macon") for n, phone in enumerate(PHONES[:3])
    ]
    world.settle()
    theirs = {row["phone"]: id_ for id_, row in world.b.rows.items()}

    def integrate() -> None:
        for id_ in ids:
            row = world.a.rows[id_]
            world.b.edit(theirs[row["phone"]], how="sisters", city=row["city"])

    for id_, city in zip(ids, ("Rome", "Bern", "Oslo"), strict=True):
        world.a.edit(id_, city=city)
        integrate()
        world.sync()
        integrate()
    world.settle()
    assert {row["city"] for row in world.c.rows.values()} == {"Rome", "Bern", "Oslo"}
    assert [push for push in world.b.writes if isinstance(push, Update)] == []
    assert len([push for push in world.c.writes if isinstance(push, Update)]) == 3, "each edit once"
    assert world.holds() == []
    with world.store.look() as tx:
        found = suspected(tx.connections.all(), {"a": "twin", "b": "twin", "c": "other"}, world.now)
    assert {loop.kind for loop in found} == {"integration", "copy"}
    assert {loop.connections for loop in found} == {("b", "a"), ("a", "b")}
