"""Edits travel: what moved on one side arrives on the others, once, and nothing else does."""

from __future__ import annotations

from tests.stories.world import BOTH, World
from tests.twin import MAPPING, NAME_ONLY, NAMED

ENGINES = BOTH

ANN = {"phone": "+12025550101", "email": "ann@example.org", "first": "Ann", "last": "Smith"}


def test_a_new_person_reaches_the_other_side_whole(world: World) -> None:
    world.a.add(**ANN, city="Rome", tags=["volunteer"], sms=True)
    world.b.add(phone="+12025550199", first="Zed")
    world.settle()
    there = world.b.one(phone=ANN["phone"])
    assert (there["first"], there["last"], there["email"], there["city"]) == ("Ann", "Smith", "ann@example.org", "Rome")
    assert there["tags"] == [{"name": "volunteer"}]
    assert there["opt_in"] == {"sms": True, "email": False}, "subscribed only where somebody said yes"


def test_an_edit_arrives_and_only_the_field_that_moved_is_sent(world: World) -> None:
    a = world.a.add(**ANN, city="Rome")
    world.b.add(**ANN, city="Rome")
    world.settle()
    world.b.pushes.clear()
    world.a.edit(a, city="Turin")
    world.settle()
    assert world.b.one(phone=ANN["phone"])["city"] == "Turin"
    assert [push.wire for push in world.b.pushes] == [{"city": "Turin"}]


def test_edits_of_different_fields_on_both_sides_both_survive(world: World) -> None:
    a, b = world.a.add(**ANN, city="Rome", notes="x"), world.b.add(**ANN, city="Rome", notes="x")
    world.settle()
    world.a.edit(a, city="Turin")
    world.b.edit(b, notes="prefers mornings")
    world.settle()
    for row in (world.a.rows[a], world.b.rows[b]):
        assert (row["city"], row["notes"]) == ("Turin", "prefers mornings")


def test_of_two_edits_of_one_field_the_later_wins_and_the_loser_is_told(world: World) -> None:
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.b.edit(b, city="Bari")
    world.now += 5
    world.a.edit(a, city="Turin")
    world.settle()
    assert world.a.rows[a]["city"] == world.b.rows[b]["city"] == "Turin"
    overruled = [n for n in world.story(world.contact(phone=ANN["phone"])) if n.event == "overruled"]
    assert any(n.detail.get("city") == ["Bari", "Turin"] for n in overruled), "the losing value is in the journal"


def test_a_blank_made_on_purpose_travels(world: World) -> None:
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city="Rome")
    world.settle()
    world.a.edit(a, city=None)
    world.settle()
    assert world.b.rows[b]["city"] is None


def test_a_field_that_a_side_does_not_have_is_not_blanked_by_it(new_world) -> None:  # type: ignore[no-untyped-def]
    cityless = MAPPING.replace("  city: city\n", "")
    world = new_world("a", "b", b={"mapping": cityless})
    a = world.a.add(**ANN, city="Rome")
    b = world.b.add(**ANN)
    world.settle()
    world.b.edit(b, first="Anna")
    world.settle()
    assert world.a.rows[a]["city"] == "Rome"
    assert world.a.rows[a]["first"] == "Anna"


def test_first_contact_fills_blanks_and_never_blanks_out(world: World) -> None:
    a = world.a.add(**ANN, city=None, notes="left-handed")
    b = world.b.add(**ANN, city="Rome", notes=None)
    world.settle()
    for row in (world.a.rows[a], world.b.rows[b]):
        assert (row["city"], row["notes"]) == ("Rome", "left-handed")


def test_tags_are_merged_three_ways(world: World) -> None:
    a, b = world.a.add(**ANN, tags=["one", "two"]), world.b.add(**ANN, tags=["two", "three"])
    world.settle()
    assert world.a.tags(a) == world.b.tags(b) == {"one", "two", "three"}
    world.a.untag(a, "two")
    world.b.tag(b, "four")
    world.settle()
    assert world.a.tags(a) == world.b.tags(b) == {"one", "three", "four"}


def test_the_same_tag_in_other_capitals_is_the_same_tag(world: World) -> None:
    a, b = world.a.add(**ANN, tags=["Volunteer"]), world.b.add(**ANN, tags=["volunteer", "New"])
    world.settle()
    assert (world.a.tags(a), world.b.tags(b)) == ({"Volunteer", "New"}, {"volunteer", "New"})
    world.a.untag(a, "Volunteer")
    world.settle()
    assert (world.a.tags(a), world.b.tags(b)) == ({"New"}, {"New"}), "removed as it is spelled there"


def test_policy_fill_only_fills_a_blank(new_world) -> None:  # type: ignore[no-untyped-def]
    fill = MAPPING.replace("  email: email\n", "  email: {at: email, policy: fill}\n")
    world = new_world("a", "b", b={"mapping": fill})
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.b.edit(b, email="other@example.org")
    world.settle()
    assert world.a.rows[a]["email"] == world.b.rows[b]["email"] == "ann@example.org"


def test_a_platform_with_one_name_field_gets_it_joined_and_is_split_only_when_it_moved(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"mapping": NAME_ONLY, "capabilities": NAMED})
    a = world.a.add(phone="+12025550101", first="Ana María", last="de la Cruz")
    b = world.b.add(phone="+12025550101", name="Ana María de la Cruz")
    world.settle()
    assert (world.a.rows[a]["first"], world.a.rows[a]["last"]) == ("Ana María", "de la Cruz"), "nothing moved"
    world.a.edit(a, last="de la Cruz Gómez")
    world.settle()
    assert world.b.rows[b]["name"] == "Ana María de la Cruz Gómez"
    world.b.edit(b, name="Ana María Pérez")
    world.settle()
    assert (world.a.rows[a]["first"], world.a.rows[a]["last"]) == ("Ana María", "Pérez")


def test_a_connection_of_direction_in_is_never_written_to(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"direction": "in"})
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city=None, notes="from b")
    world.a.add(phone="+12025550102", first="Bob")
    world.settle()
    world.a.opt_out(a)
    world.settle()
    assert world.b.pushes == []
    assert world.a.rows[a]["notes"] == "from b"
    assert world.b.rows[b]["city"] is None


def test_a_connection_of_direction_out_is_told_but_not_believed(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"direction": "out"})
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city="Rome")
    only_there = world.b.add(phone="+12025550103", first="Cid")
    world.settle()
    world.b.edit(b, city="Turin")
    world.settle()
    assert world.a.rows[a]["city"] == world.b.rows[b]["city"] == "Rome"
    assert world.a.find(phone="+12025550103") == []
    assert only_there in world.b.rows
    world.b.opt_out(b)
    world.settle()
    assert world.a.says_no(a), "a no is heard from everywhere"


def test_whom_a_connection_is_about(new_world) -> None:  # type: ignore[no-untyped-def]
    romans = MAPPING + "where: {field: city, in: [Rome]}\n"
    world = new_world("a", "b", b={"mapping": romans})
    world.a.add(**ANN, city="Rome")
    world.a.add(phone="+12025550102", first="Bob", last="Poe", city="Turin")
    world.b.add(phone="+12025550103", first="Cid", city="Bari")
    report = world.sync()
    assert report.books["b"].out_of_scope == 1
    world.settle()
    assert {row["first"] for row in world.b.rows.values()} == {"Ann", "Cid"}
    assert {row["first"] for row in world.a.rows.values()} == {"Ann", "Bob"}


def test_three_connections_agree(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", "c")
    a = world.a.add(**ANN, city="Rome")
    world.b.add(**{**ANN, "first": "Ann"}, notes="b")
    world.settle()
    world.c.edit(world.c.find(phone=ANN["phone"])[0], city="Oslo")
    world.settle()
    rows = [world.a.rows[a], world.b.one(phone=ANN["phone"]), world.c.one(phone=ANN["phone"])]
    assert {(row["city"], row["notes"]) for row in rows} == {("Oslo", "b")}
    assert sum(len(t.rows) for t in world.twins.values()) == 3
