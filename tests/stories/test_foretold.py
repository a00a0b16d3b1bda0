"""What a change of the configuration would do is told beforehand, and is what the next run then does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daemon.difference import Difference, Look, differences
from daemon.sync.roster import FUSE, Limit, Rules
from tests.stories.world import World
from tests.twin import MAPPING

ROMANS = MAPPING + "where: {field: city, eq: Rome}\n"
SOUTH = MAPPING + "where: {field: city, in: [Rome, Bari]}\n"
NewWorld = Callable[..., World]


def foretell(world: World, *, sample: int = 0) -> tuple[dict[str, Difference], Look]:
    """By connection; on the same database, which stays as it is."""
    with world.store.look() as tx:
        found, look = differences(tx, world.roster, sample=sample)
    return {one.connection: one for one in found}, look


def counts(one: Difference) -> dict[str, int]:
    return {f"{what} {name}".strip(): effect.count for (what, name), effect in one.effects.items() if effect.count}


def people(world: World, at: str, *cities: str) -> None:
    for number, city in enumerate(cities):
        getattr(world, at).add(first=f"Ann{number}", last=city, phone=f"+12025550{100 + number}", city=city)


@pytest.fixture
def romans(new_world: NewWorld) -> World:
    """Everybody is at a; at b only those in Rome, where one more, from Oslo, is of nobody."""
    world = new_world("a", "b", b={"mapping": ROMANS})
    people(world, "a", "Rome", "Rome", "Bari", "Bari", "Oslo", "Oslo")
    world.b.add(first="Ola", last="Nordmann", phone="+12025550190", city="Oslo")
    world.settle()
    return world


def test_nothing_changed_nothing_is_told(romans: World) -> None:
    assert foretell(romans)[0] == {}


def test_whom_a_wider_scope_would_bring_in(romans: World) -> None:
    """As many as are then made, and those it named are among them."""
    romans.remap("b", SOUTH)
    found, look = foretell(romans)
    assert list(found) == ["b"]
    assert (found["b"].why, list(found["b"].changed)) == ("changed", ["where"])
    assert counts(found["b"]) == {"made": 2}
    assert found["b"].effects["made", ""].certain == "exact"
    assert look.people == look.of == 6
    named = found["b"].effects["made", ""].examples
    before = len(romans.b.rows)
    romans.settle()
    assert len(romans.b.rows) == before + 2
    with romans.store.look() as tx:
        assert all(any(x.connection == "b" for x in links) for links in tx.links.of_contacts(named).values())
    assert foretell(romans)[0] == {}


def test_looking_changes_nothing(romans: World) -> None:
    """Asked twice, it says the same, and the run after it does what it would have done."""
    romans.remap("b", SOUTH)
    assert foretell(romans) == foretell(romans)
    with romans.store.look() as tx:
        assert tx.connections.all()["b"].plan_after is None


def test_whom_a_narrower_scope_leaves_out(romans: World) -> None:
    """They stay linked and in step: a scope says who is brought in, and sends nobody away."""
    romans.remap("b", MAPPING + "where: {field: city, eq: Bari}\n")
    found = foretell(romans)[0]["b"]
    assert counts(found) == {"outside": 2, "made": 2}
    romans.settle()
    romans.a.edit(next(iter(romans.a.rows)), notes="moved house")
    romans.settle()
    assert "moved house" in [row.get("notes") for row in romans.b.rows.values()]


def test_a_record_that_was_out_of_scope_is_taken_in(romans: World) -> None:
    romans.remap("b", MAPPING)
    found = foretell(romans)[0]["b"]
    assert counts(found) == {"made": 4, "taken_in": 1}
    assert found.effects["taken_in", ""].certain == "about"
    romans.settle()
    assert len(romans.contacts()) == 7


def test_who_is_owed_and_falls_out_is_not_made(romans: World) -> None:
    romans.remap("b", SOUTH)
    romans.sync(send=False)
    romans.remap("b", SOUTH.replace("  notes: notes\n", ""))
    assert "made" not in counts(foretell(romans)[0]["b"])  # they are owed there already
    romans.remap("b", ROMANS)
    assert counts(foretell(romans)[0]["b"]) == {"not_made": 2}
    before = len(romans.b.rows)
    romans.settle()
    assert len(romans.b.rows) == before


def test_the_fuse_is_asked(new_world: NewWorld) -> None:
    """It would hold what is more than its limit, and then does."""
    world = new_world("a", "b", b={"mapping": ROMANS}, rules=Rules(fuse={**FUSE, "create": Limit(1, 1)}))
    people(world, "a", "Rome", "Bari", "Bari")
    world.b.add(first="Ann0", last="Rome", phone="+12025550100", city="Rome")
    world.settle()
    world.remap("b", SOUTH)
    assert foretell(world)[0]["b"].fuse == {"create": 2}
    assert world.sync().tripped == [("b", "create", 2)]


def test_a_changed_rule_tells_how_many_it_reads_and_may_write(romans: World) -> None:
    """What the records say by the new rule only reading shows: the most it can be is said, as such."""
    romans.remap("b", ROMANS.replace("city: city", "city: custom.town").replace("  notes: notes\n", ""))
    found = foretell(romans)[0]["b"]
    assert set(found.changed) == {"city", "notes"}
    assert found.changed["notes"][1] is None
    assert counts(found) == {"read city": 2, "written city": 2, "written": 2}
    assert found.effects["written", "city"].certain == "at_most"
    report = romans.sync()
    assert report.books["b"].updated <= 2


def test_a_rule_that_goes_leaves_what_came_by_it(romans: World) -> None:
    romans.a.edit(next(iter(romans.a.rows)), notes="likes tea")
    romans.settle()
    romans.remap("a", MAPPING.replace("  notes: notes\n", ""))
    assert counts(foretell(romans)[0]["a"]) == {"kept notes": 1}
    romans.settle()
    assert "likes tea" in [contact.get("notes") for contact in romans.contacts()]


def test_an_in_connection_that_may_be_written_is_told_of_every_no(new_world: NewWorld) -> None:
    world = new_world("a", "b", b={"direction": "in"})
    people(world, "a", "Rome", "Rome")
    world.b.add(first="Ann0", last="Rome", phone="+12025550100", city="Rome")
    world.b.add(first="Bo", last="Own", phone="+12025550170", city="Rome", sms=False)  # knows it: it was said there
    world.a.opt_out(next(iter(world.a.rows)))
    world.settle()
    world.options["b"]["settings"]["direction"] = "both"
    found = foretell(world)[0]["b"]
    assert found.changed == {"direction": ("in", "both")}
    assert counts(found) == {"made": 1, "told_no": 1}
    report = world.sync()
    assert (report.books["b"].created, report.books["b"].opted_out) == (1, 1)


def test_a_connection_that_is_switched_off(romans: World) -> None:
    """Once: the run after it knows."""
    away: dict[str, Any] = {"b": romans.twins.pop("b")}
    found = foretell(romans)[0]["b"]
    assert (found.why, counts(found)) == ("gone", {"kept": 2})
    romans.sync()
    assert foretell(romans)[0] == {}
    romans.a.add(first="New", last="Roman", phone="+12025550180", city="Rome")
    romans.sync()
    romans.twins.update(away)
    back = foretell(romans)[0]["b"]
    assert (back.why, counts(back)) == ("unplanned", {"made": 1})


def test_a_connection_that_is_new(romans: World) -> None:
    """Until it has been read, everybody in scope may have to be made there, or is there already."""
    romans.join("c", mapping=ROMANS)
    found = foretell(romans)[0]["c"]
    assert (found.why, counts(found)) == ("new", {"made": 2})
    assert found.effects["made", ""].certain == "at_most"


def test_a_sample_is_taken_from_everywhere(new_world: NewWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more people are looked at than asked for, first and last alike, and the count is reckoned up."""
    monkeypatch.setattr("daemon.difference.PAGE", 5)
    world = new_world("a", "b", b={"mapping": ROMANS})
    people(world, "a", *["Rome"] * 40, *["Bari"] * 40)
    world.settle()
    world.remap("b", SOUTH)
    found, look = foretell(world, sample=20)
    made = found["b"].effects["made", ""]
    assert (look.people, look.of) == (20, 80)
    assert made.certain == "about"
    assert 30 <= made.count <= 50
    assert counts(foretell(world)[0]["b"]) == {"made": 40}
