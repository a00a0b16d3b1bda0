"""One person, one contact, reversibly; what is not plain is held, not guessed."""

from __future__ import annotations

import pytest

from daemon.errors import SkipRecord
from daemon.sync.roster import FUSE, Limit, Rules
from daemon.sync.verdicts import merge_contacts, unmerge
from tests.stories.world import BOTH, World

ENGINES = BOTH

ANN = {"phone": "+12025550101", "email": "ann@example.org", "first": "Ann", "last": "Smith"}


def test_the_same_person_typed_differently_is_one_contact(world: World) -> None:
    world.a.add(phone="(202) 555-0101", email="Ann@Example.org", first="José", last="García")
    world.b.add(phone="+1 202 555 0101", email="ann@example.ORG", first="Jose", last="Garcia")
    world.settle()
    assert len(world.contacts()) == 1
    assert (len(world.a.rows), len(world.b.rows)) == (1, 1)


def test_a_household_phone_does_not_merge_two_people(world: World) -> None:
    world.a.add(phone="+12025550101", first="Ann", last="Smith")
    world.sync()
    b = world.b.add(phone="+12025550101", first="Bob", last="Smith")
    world.settle()
    assert world.sync(full=True).books["b"].held == 1
    (hold,) = world.holds("match")
    assert hold.detail["why"] == "name_differs"
    assert world.b.rows[b]["first"] == "Bob"
    assert [row["first"] for row in world.a.rows.values()] == ["Ann"]


def test_a_person_decides_that_a_held_record_is_somebody_else(world: World) -> None:
    a = world.a.add(phone="+12025550101", first="Ann", last="Smith")
    world.sync()
    b = world.b.add(phone="+12025550101", first="Bob", last="Smith")
    world.settle()
    world.decide(world.holds("match")[0], "different")
    world.settle()
    assert len(world.contacts()) == 2
    world.b.edit(b, city="Oslo")
    world.settle()
    assert world.a.rows[a]["city"] is None
    assert not world.holds("match")


def test_a_person_decides_that_a_held_record_is_the_same(world: World) -> None:
    a = world.a.add(phone="+12025550101", first="Robert", last="Smith")
    world.sync()
    b = world.b.add(phone="+12025550101", first="Bob", last="Smith")
    world.settle()
    with pytest.raises(SkipRecord, match="no choice"):
        world.decide(world.holds("match")[0], "maybe")
    world.decide(world.holds("match")[0], "same")
    world.settle()
    assert len(world.contacts()) == 1
    world.a.edit(a, city="Oslo")
    world.settle()
    assert world.b.rows[b]["city"] == "Oslo"


def test_phone_of_one_and_email_of_another_merges_them_only_when_nothing_contradicts(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", "c")
    world.a.add(phone="+12025550101", first="Ann", last="Smith")
    world.b.add(email="ann@example.org", first="Ann", last="Smith")
    world.sync(only=frozenset({"a", "b"}))
    assert len(world.contacts()) == 2
    world.c.add(**ANN)
    world.settle()
    assert len(world.contacts()) == 1
    assert all(row["phone"] == ANN["phone"] and row["email"] == ANN["email"] for row in world.a.rows.values())


@pytest.mark.parametrize("known", [False, True], ids=["records that are new", "records that we know"])
def test_more_merges_than_the_fuse_allows_wait_for_a_person(new_world, known: bool) -> None:  # type: ignore[no-untyped-def]
    """A bad import that puts other people's emails on many records must not make them one by the dozen."""
    only_read = {name: {"direction": "in"} for name in ("a", "b", "c")}
    world = new_world(*only_read, rules=Rules(fuse={**FUSE, "merge": Limit(1, 0)}), **only_read)
    people = [{"first": name, "last": "Smith", "phone": f"+1202555010{n}"} for n, name in enumerate(("Ann", "Bob"))]
    for each in people:
        world.a.add(**each)
        world.b.add(first=each["first"], last=each["last"], email=f"{each['first'].lower()}@example.org")
    records = [world.c.add(**each) for each in people] if known else []
    world.sync(only=frozenset({"a", "b", "c"} if known else {"a", "b"}))
    assert len(world.contacts()) == 4
    for n, each in enumerate(people):
        email = f"{each['first'].lower()}@example.org"
        world.c.edit(records[n], email=email) if known else world.c.add(**each, email=email)
    world.sync()
    assert len(world.contacts()) == 3
    (hold,) = world.holds("match")
    assert hold.detail["why"] == "too_many_merges"


def test_phone_of_one_and_email_of_another_name_is_held(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b")
    world.a.add(phone="+12025550101", first="Ann", last="Smith")
    world.a.add(email="ann@example.org", first="Carla", last="Jones")
    world.b.add(**ANN)
    world.sync()
    world.settle()
    (hold,) = world.holds("match")
    assert hold.detail["why"] == "two_people"


def test_the_same_email_with_another_phone_is_held(world: World) -> None:
    world.a.add(**ANN)
    world.b.add(**{**ANN, "phone": "+12025550177"})
    world.settle()
    (hold,) = world.holds("match")
    assert hold.detail["why"] == "phone_differs"
    assert (len(world.a.rows), len(world.b.rows)) == (1, 1), "and nobody is made twice"


@pytest.mark.parametrize(
    "shared", [{"email": "info@example.org"}, {"email": "none@example.org"}, {"phone": "+10000000000"}]
)
def test_placeholders_and_role_addresses_match_nobody(world: World, shared: dict[str, str]) -> None:
    world.a.add(first="Ann", last="Smith", **shared)
    world.b.add(first="Ann", last="Smith", **shared)
    world.sync()
    assert len(world.contacts()) == 2
    assert not world.holds("match")


def test_an_identifier_that_too_many_share_matches_nobody(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(max_shared=1))
    for first in ("Ann", "Bob"):
        world.a.add(email="family@example.org", first=first, last="Smith")
        world.sync()
        for hold in world.holds("match"):
            world.decide(hold, "different")
    world.b.add(email="family@example.org", first="Ann", last="Smith")
    world.settle()
    assert not world.holds("match")


def test_two_records_of_one_connection_that_look_like_one_person_are_held(world: World) -> None:
    world.a.add(**ANN)
    world.a.add(**ANN)
    world.sync()
    (hold,) = world.holds("match")
    assert hold.detail["why"] == "duplicate"
    world.decide(hold, "same")
    world.settle()
    assert len(world.contacts()) == 1
    assert len(world.b.rows) == 1
    world.b.edit("1", city="Oslo")
    world.settle()
    assert {row["city"] for row in world.a.rows.values()} == {"Oslo"}, "both records are kept up to date"


def test_a_record_that_takes_on_the_phone_of_somebody_else_is_held(world: World) -> None:
    a1 = world.a.add(phone="+12025550101", first="Ann", last="Smith")
    world.a.add(phone="+12025550102", first="Bob", last="Jones")
    world.settle()
    world.a.edit(a1, phone="+12025550102")
    report = world.sync()
    assert report.books["a"].held == 1
    world.settle()
    assert sorted(row["phone"] for row in world.b.rows.values()) == ["+12025550101", "+12025550102"]


def test_a_merge_by_hand_and_its_undoing(world: World) -> None:
    a = world.a.add(phone="+12025550101", first="Ann", last="Smith", city="Rome", tags=["x"])
    world.sync()
    b = world.b.add(email="ann@example.org", first="Ann", last="Smith", notes="late", tags=["y"])
    world.settle()
    keep, drop = sorted(contact.id for contact in world.contacts())
    with world.store.transaction() as tx, pytest.raises(SkipRecord, match="c999"):
        merge_contacts(tx, world.roster, keep, 999)
    with world.store.transaction() as tx:
        merge_contacts(tx, world.roster, keep, drop)
    world.settle()
    assert len(world.contacts()) == 1
    assert world.b.rows[b]["phone"] == "+12025550101"
    assert world.a.rows[a]["notes"] == "late"
    with world.store.transaction() as tx:
        unmerge(tx, world.roster, drop)
    parted = {contact.id: contact for contact in world.contacts()}
    assert set(parted) == {keep, drop}
    assert parted[drop].get("notes") == "late"
    assert parted[drop].get("phone") is None
    assert parted[keep].get("notes") is None
    world.settle()
    world.sync(full=True)
    assert len(world.contacts()) == 2, "what a person parted stays apart"


def test_a_held_record_is_let_go_when_it_becomes_plain(world: World) -> None:
    world.a.add(phone="+12025550101", first="Ann", last="Smith")
    b = world.b.add(phone="+12025550101", first="Bob", last="Smith")
    world.settle()
    assert {hold.kind for hold in world.holds()} == {"match", "shared_identifier"}
    held, other = (world.b, b) if world.holds("match")[0].connection == "b" else (world.a, "1")
    held.edit(other, first="Ann" if held is world.b else "Bob")
    world.settle()
    assert not world.holds()
    assert len(world.contacts()) == 1
    assert (len(world.a.rows), len(world.b.rows)) == (1, 1)


def test_two_contacts_that_a_person_parted_are_not_joined_by_a_newcomer(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b")
    world.a.add(phone="+12025550101", first="Ann", last="Smith")
    world.sync()
    world.b.add(email="ann@example.org", first="Ann", last="Smith")
    world.settle()
    keep, drop = sorted(contact.id for contact in world.contacts())
    with world.store.transaction() as tx:
        merge_contacts(tx, world.roster, keep, drop)
        unmerge(tx, world.roster, drop)
    world.settle()
    world.join("c")
    world.c.add(**ANN)
    world.settle()
    assert {contact.id for contact in world.contacts()} == {keep, drop}
    assert [hold.detail["why"] for hold in world.holds("match")] == ["two_people"]


@pytest.mark.parametrize(("field", "typed"), [("email", "none@example.org"), ("phone", "+10000000000")])
def test_what_was_typed_only_because_a_form_insisted_replaces_nothing(world: World, field: str, typed: str) -> None:
    """Not when it is first read, though that side is believed before others, and not when it is typed later."""
    world.options["a"]["settings"]["priority"] = 9
    a = world.a.add(**{**ANN, field: typed})
    b = world.b.add(**ANN)
    world.settle()
    assert world.b.rows[b][field] == ANN[field]
    assert world.a.rows[a][field] == ANN[field], "the real one takes its place"
    world.a.edit(a, **{field: typed})
    world.settle()
    assert world.b.rows[b][field] == ANN[field]
    assert world.sync(full=True).sent == 0


def test_a_placeholder_is_made_nowhere(world: World) -> None:
    world.a.add(**{**ANN, "email": "none@example.org"})
    world.settle()
    (made,) = world.b.rows.values()
    assert (made["phone"], made["email"]) == (ANN["phone"], None)
