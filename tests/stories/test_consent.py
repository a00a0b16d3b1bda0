"""A "no" is never lost nor undone, and travels ahead of everything else."""

from __future__ import annotations

from daemon.platforms.base import Create, OptOut
from daemon.sync.roster import Limit, Rules
from tests.stories.world import BOTH, World
from tests.twin import FULL, MAPPING, without

ENGINES = BOTH

ANN = {"phone": "+12025550101", "email": "ann@example.org", "first": "Ann", "last": "Smith"}


def test_an_opt_out_reaches_the_other_side_before_anything_else(world: World) -> None:
    people = [world.a.add(phone=f"+1202555{n:04d}", first=f"P{n}", last="Q", sms=True) for n in range(100, 110)]
    world.settle()
    for number in people[:9]:
        world.a.edit(number, city="Oslo")
    world.a.opt_out(people[9])
    world.b.pushes.clear()
    world.sync()
    assert isinstance(world.b.pushes[0], OptOut)
    assert world.b.says_no(world.b.find(phone="+12025550109")[0])


def test_an_opt_out_is_never_lifted_by_the_other_side_saying_yes(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.settle()
    world.a.opt_out(a)
    world.settle()
    assert world.b.says_no(b)
    world.b.edit(b, opt_in={"sms": True}, how="csv")  # a bad import there
    world.settle()
    assert world.a.says_no(a)
    assert world.b.says_no(b), "the no still stands where it was said, so it is said again"


def test_who_joins_again_where_they_had_left_is_not_thrown_out_by_our_own_echo(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.settle()
    world.a.opt_out(a)
    world.settle()
    world.a.opt_in(a)
    world.settle()
    assert not world.a.says_no(a), "they said yes there themselves"
    assert world.b.says_no(b), "but a yes is never pushed"


def test_an_old_no_on_first_contact_wins(world: World) -> None:
    a = world.a.add(**ANN, sms=True)
    world.b.add(**ANN, sms=False)
    world.sync()
    assert world.a.says_no(a)


def test_a_new_record_is_subscribed_only_with_evidence(world: World) -> None:
    world.a.add(phone="+12025550101", first="Yes", sms=True)
    world.a.add(phone="+12025550102", first="Unknown", sms=None)
    world.a.add(phone="+12025550103", first="No", sms=False)
    world.settle()
    assert [world.b.one(first=n)["opt_in"]["sms"] for n in ("Yes", "Unknown", "No")] == [True, False, False]
    creates = [push for push in world.b.pushes if isinstance(push, Create)]
    assert sorted(len(push.subscribed) for push in creates) == [0, 0, 1]


def test_what_we_created_as_unsubscribed_for_lack_of_evidence_is_nobodys_no(world: World) -> None:
    a = world.a.add(phone="+12025550102", first="Unknown", sms=None)
    world.settle()
    world.sync(full=True)
    assert world.a.rows[a]["opt_in"]["sms"] is None
    assert world.contact(phone="+12025550102").get("consent.sms") != "unsubscribed"


def test_a_no_said_on_a_record_we_created_unsubscribed_is_heard(world: World) -> None:
    a = world.a.add(phone="+12025550102", first="Unknown", sms=None)
    world.settle()
    world.b.opt_out(world.b.find(phone="+12025550102")[0], how="keyword")
    world.settle()
    assert world.a.says_no(a)


def test_the_no_of_a_held_record_passes(world: World) -> None:
    a = world.a.add(phone="+12025550101", first="Ann", last="Smith", sms=True)
    world.settle()
    world.b.add(phone="+12025550101", first="Bob", last="Jones", sms=False)
    report = world.sync()
    world.sync()
    assert report.books["b"].held == 1
    assert world.a.says_no(a), "the STOP was said by the phone they share"


def test_a_held_record_hears_of_a_no(world: World) -> None:
    a = world.a.add(phone="+12025550101", first="Ann", last="Smith", sms=True)
    world.sync()
    b = world.b.add(phone="+12025550101", first="Bob", last="Jones", sms=True)
    world.settle()
    assert len(world.holds("match")) == 1
    world.a.opt_out(a)
    world.settle()
    assert world.b.says_no(b)


def test_a_record_out_of_scope_hears_and_is_heard(new_world) -> None:  # type: ignore[no-untyped-def]
    romans = MAPPING + "where: {field: city, eq: Rome}\n"
    world = new_world("a", "b", b={"mapping": romans})
    a = world.a.add(phone="+12025550101", first="Ann", sms=True)
    other = world.a.add(phone="+12025550102", first="Bob", sms=True)
    b = world.b.add(phone="+12025550101", first="Ann", city="Oslo", sms=True)
    there = world.b.add(phone="+12025550102", first="Bob", city="Oslo", sms=False)
    world.settle()
    assert world.a.says_no(other)
    world.a.opt_out(a)
    world.settle()
    assert world.b.says_no(b)
    assert world.b.says_no(there)


def test_the_no_of_a_record_that_cannot_be_read_passes(world: World) -> None:
    a = world.a.add(phone="+12025550101", email="ann@example.org", first="Ann", mail=True)
    world.settle()
    world.b.add(phone="12", email="ann@example.org", first="Ann", mail=False)
    report = world.sync()
    assert report.books["b"].failed == 1
    world.sync()
    assert world.a.says_no(a, "email")


def test_a_no_outlives_its_record(world: World) -> None:
    a = world.a.add(**ANN, sms=True)
    b = world.b.add(**ANN, sms=False)
    world.settle()
    world.b.delete(b)
    world.sync(full=True)
    world.sync(full=True)
    world.a.edit(a, opt_in={"sms": True}, how="csv")
    world.settle()
    assert world.a.says_no(a)


def test_a_dead_number_is_no_wish(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.settle()
    world.a.edit(a, how="deac", opt_in={"sms": False})
    world.settle()
    assert world.contact(phone=ANN["phone"]).get("consent.sms") == "undeliverable"
    assert not world.b.says_no(b)


def test_opt_outs_pass_the_fuse(new_world) -> None:  # type: ignore[no-untyped-def]
    strict = Rules(fuse={kind: Limit(0, 0) for kind in ("create", "update", "blank", "rekey", "merge", "vanish")})
    world = new_world("a", "b", rules=strict)
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.sync()
    world.a.edit(a, city="Oslo")
    world.a.opt_out(a)
    report = world.sync()
    assert report.tripped == [("b", "update", 1)]
    assert world.b.says_no(b)
    assert world.b.rows[b]["city"] is None


def test_a_crowd_of_lifted_opt_outs_is_held_not_believed(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(upward=Limit(2, 0)))
    people = [world.a.add(phone=f"+1202555{n:04d}", first=f"P{n}", last="Q", sms=False) for n in range(100, 106)]
    world.settle()
    for person in people:
        world.a.edit(person, opt_in={"sms": True}, how="csv")
    world.settle()
    (hold,) = world.holds("consent_jump")
    assert len(hold.detail["records"]) == 4
    states = [contact.get("consent.sms") for contact in world.contacts()]
    assert sorted(states) == ["subscribed"] * 2 + ["unsubscribed"] * 4  # type: ignore[type-var]
    world.decide(hold, "believe")
    assert {contact.get("consent.sms") for contact in world.contacts()} == {"subscribed"}


def test_a_consent_field_that_vanishes_is_not_a_yes(world: World) -> None:
    a, b = world.a.add(**ANN, sms=False), world.b.add(**ANN, sms=True)
    world.settle()
    assert world.b.says_no(b)
    world.a.capabilities = without(FULL, read=FULL.read - {"opt_in"})
    world.a.edit(a, city="Oslo")
    world.sync()
    assert world.contact(phone=ANN["phone"]).get("consent.sms") == "unsubscribed"
    assert [hold.detail["channel"] for hold in world.holds("consent_missing")] == ["sms", "email"]


def test_channels_are_separate(world: World) -> None:
    a, b = world.a.add(**ANN, sms=True, mail=True), world.b.add(**ANN, sms=True, mail=True)
    world.settle()
    world.a.opt_out(a, "email")
    world.settle()
    assert world.b.says_no(b, "email")
    assert not world.b.says_no(b, "sms")


def test_scope_connection_keeps_a_no_where_it_was_said(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(consent_scope="connection"))
    a, b = world.a.add(**ANN, sms=True), world.b.add(**ANN, sms=True)
    world.settle()
    world.a.opt_out(a)
    world.settle()
    assert world.a.says_no(a)
    assert not world.b.says_no(b)


def test_every_change_of_consent_is_in_the_journal_with_its_evidence(world: World) -> None:
    a = world.a.add(**ANN, sms=True)
    world.settle()
    world.a.opt_out(a, how="phrase")
    world.settle()
    story = world.story(world.contact(phone=ANN["phone"]))
    last = [noted for noted in story if noted.event == "consent"][-1]
    assert (last.connection, last.detail["from"], last.detail["to"]) == ("a", "subscribed", "unsubscribed")
    assert last.detail["how"] == "phrase"
    assert [noted.connection for noted in story if noted.event == "told_no"] == ["b"]
