"""The run as a whole: priming, races, crashes, the fuse, deletions, changed mappings, and the books."""

from __future__ import annotations

import pytest

from daemon.platforms.base import Create, Update
from daemon.sync.roster import Limit, Rules
from tests.stories.world import BOTH, World
from tests.twin import FULL, MAPPING, Crash, without

ENGINES = BOTH

ANN = {"phone": "+12025550101", "email": "ann@example.org", "first": "Ann", "last": "Smith"}


def people(world: World, side: str, count: int, **columns: object) -> list[str]:
    twin = world.twins[side]
    return [twin.add(phone=f"+1202555{100 + n:04d}", first=f"P{n}", last="Q", **columns) for n in range(count)]  # type: ignore[arg-type]


# priming


def test_nothing_is_written_before_everything_has_been_read(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", a={"page": 2})
    people(world, "a", 5, sms=True)
    world.b.add(phone="+12025550102", first="P2", last="Q", sms=False)
    world.a.fail("later", on="sweep")
    report = world.sync()
    assert report.waiting == ["a"]
    assert report.outcome == "later"
    assert world.a.pushes == world.b.pushes == []
    world.now += 600
    report = world.sync()
    assert report.waiting == []
    assert len(world.b.rows) == 5, "nobody was made twice"
    assert world.a.says_no("3"), "the no that was read first was not overrun"


def test_a_backfill_that_is_broken_off_goes_on_from_its_last_page(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", a={"page": 2})
    people(world, "a", 9)
    for _ in range(2):
        world.a.fail("crash", on="sweep", after=2)
        with pytest.raises(Crash):
            world.sync()
        world.restart()
    report = world.sync()
    assert report.books["a"].read == 1, "eight were read before: nothing is read twice"
    assert len(world.b.rows) == 9


def test_a_no_does_not_wait_for_a_connection_that_cannot_be_read(world: World) -> None:
    """Somebody adds an account with a bad key: edits wait until it has been read whole, opt-outs do not."""
    people(world, "a", 3, sms=True)
    world.settle()
    world.join("c")
    world.c.add(phone="+12025550101", first="P1", last="Q", sms=True)
    world.a.edit("1", city="Oslo")
    world.a.opt_out("2")
    for _ in range(3):
        world.c.fail("person", on="any")
        report = world.sync()
        assert report.waiting == ["c"]
        world.now += 7200
    assert world.b.says_no("2")
    assert world.b.rows["1"]["city"] is None
    assert world.c.pushes == []
    assert len(world.b.writes) == 4, "three people made in the beginning, and one told no"
    world.settle()
    assert world.c.says_no("1")
    assert world.b.rows["1"]["city"] == "Oslo"


def test_a_new_connection_is_read_whole_before_anybody_is_told_anything(world: World) -> None:
    people(world, "a", 3)
    world.settle()
    world.join("c")
    world.c.fail("later", on="sweep")
    world.a.edit("1", city="Oslo")
    world.sync()
    assert world.b.rows["1"]["city"] is None
    world.now += 600
    world.settle()
    assert world.b.rows["1"]["city"] == "Oslo"
    assert len(world.c.rows) == 3


def test_people_met_while_a_new_connection_is_being_read_reach_everybody(world: World) -> None:
    people(world, "a", 2)
    world.settle()
    world.join("c")
    world.c.fail("later", on="sweep")
    world.a.add(**ANN)
    world.sync()
    world.now += 600
    world.settle()
    assert len(world.b.find(phone=ANN["phone"])) == len(world.c.find(phone=ANN["phone"])) == 1


# races and lost answers


def test_an_edit_between_our_reading_and_our_write_is_not_overrun(world: World) -> None:
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city="Rome")
    world.settle()
    world.a.edit(a, city="Turin")

    def someone_is_faster(push: object) -> None:
        if isinstance(push, Update) and world.b.rows[b]["notes"] is None:
            world.b.edit(b, notes="just now", city="Oslo")

    world.b.before_push = someone_is_faster
    world.now += 5
    world.settle()
    assert world.b.rows[b]["notes"] == world.a.rows[a]["notes"] == "just now"
    assert world.b.rows[b]["city"] == world.a.rows[a]["city"]
    assert world.b.harm == {}


def test_without_compare_and_swap_the_record_is_read_before_it_is_written(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"capabilities": without(FULL, compare_and_swap=False)})
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city="Rome")
    world.settle()
    world.a.edit(a, city="Turin")
    world.b.before_call = lambda verb: verb == "fetch" and world.b.edit(b, city="Oslo")  # after the intake
    world.settle()
    assert world.a.rows[a]["city"] == world.b.rows[b]["city"] == "Oslo", "the later edit"
    assert world.b.blind_writes == 0


@pytest.mark.parametrize("fault", ["lost", "before", "later", "crash", "crash after"])
@pytest.mark.parametrize("what", ["create", "update", "opt_out"])
def test_a_push_whose_answer_is_lost_is_neither_lost_nor_done_twice(world: World, what: str, fault: str) -> None:
    a = world.a.add(**ANN, city="Rome", sms=True, tags=["x"])
    if what != "create":
        world.settle()
        world.a.edit(a, city="Oslo") if what == "update" else world.a.opt_out(a)
    world.b.fail(fault)
    if "crash" in fault:
        with pytest.raises(Crash):
            world.sync()
        world.restart()
    else:
        assert world.sync().outcome == "later"
    world.now += 600
    world.settle()
    (row,) = world.b.rows.values()
    assert (row["city"], row["opt_in"]["sms"]) == (world.a.rows[a]["city"], world.a.rows[a]["opt_in"]["sms"])
    assert world.b.harm == {}
    assert len(world.contacts()) == 1
    assert world.sync().sent == 0


def test_somebody_is_made_there_while_we_look(world: World) -> None:
    world.a.add(**ANN)
    world.sync(send=False)
    world.b.add(**ANN, notes="by hand")
    world.settle()
    assert len(world.b.rows) == 1
    assert world.a.one(phone=ANN["phone"])["notes"] == "by hand"


def test_a_refused_push_is_a_dead_letter_and_is_tried_again_when_it_changes(world: World) -> None:
    a = world.a.add(**ANN)
    world.b.add(**ANN)
    world.settle()
    world.b.refuse = lambda _: "city is too silly"
    world.a.edit(a, city="Xyzzy")
    report = world.sync()
    assert report.outcome == "partial"
    assert report.books["b"].refused == 1
    assert [(push.state, push.reason) for push in world.outbox()] == [("dead", "city is too silly")]
    assert world.sync().books["b"].refused == 0, "not tried again and again"
    world.b.refuse = lambda _: None
    world.a.edit(a, city="Oslo")
    world.settle()
    assert world.b.one(phone=ANN["phone"])["city"] == "Oslo"


def test_a_connection_that_is_down_pauses_alone(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", "c")
    a = world.a.add(**ANN)
    world.settle()
    world.a.edit(a, city="Oslo")
    world.b.fail("person", on="changes")
    report = world.sync()
    assert report.outcome == "failed"
    assert report.books["b"].paused == "a person is needed: b refused our key (401)"
    assert world.c.one(phone=ANN["phone"])["city"] == "Oslo"
    assert world.sync().books["b"].calls == 0, "left alone"
    world.now += 3700
    world.settle()
    assert world.b.one(phone=ANN["phone"])["city"] == "Oslo"


def test_rows_that_commit_late_are_found(world: World) -> None:
    a = world.a.add(**ANN)
    world.settle()
    with world.a.late():
        world.a.add(phone="+12025550102", first="Late")
    world.a.edit(a, city="Oslo")
    world.settle()
    assert not world.b.find(phone="+12025550102")
    world.a.commit()
    world.settle()
    assert world.b.find(phone="+12025550102")


# the fuse


def test_a_mass_change_waits_and_a_person_releases_some_then_all(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "update": Limit(3, 10)}))
    ids = people(world, "a", 10, city="Rome")
    world.settle()
    world.b.pushes.clear()
    for each in ids:
        world.a.edit(each, city="OOPS")
    report = world.sync()
    assert report.tripped == [("b", "update", 10)]
    assert report.outcome == "partial"
    assert world.b.pushes == []
    (hold,) = world.holds("fuse")
    world.decide(hold, "approve", only=2)
    world.sync()
    assert len(world.b.find(city="OOPS")) == 2
    world.decide(world.holds("fuse")[0], "approve")
    world.settle()
    assert len(world.b.find(city="OOPS")) == 10
    assert not world.holds()


def test_a_rejected_mass_change_is_dropped(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "blank": Limit(3, 10)}))
    ids = people(world, "a", 10, city="Rome")
    world.settle()
    for each in ids:
        world.a.edit(each, city=None)
    assert world.sync().tripped == [("b", "blank", 10)]
    world.decide(world.holds("fuse")[0], "reject")
    world.settle()
    assert len(world.b.find(city="Rome")) == 10


def test_what_was_set_aside_and_is_something_else_by_now_is_not_left_lying(new_world) -> None:  # type: ignore[no-untyped-def]
    """A bad import is repaired while it waits for a person. An edit made meanwhile is an ordinary one again, and the
    person, who decides about what would be emptied, never sees it."""
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "blank": Limit(3, 10)}))
    ids = people(world, "a", 10, city="Rome")
    world.settle()
    for each in ids:
        world.a.edit(each, city=None)
    assert world.sync().tripped == [("b", "blank", 10)]
    for each in ids:
        world.a.edit(each, city="Rome")
    world.sync()
    world.a.edit(ids[0], last="Jones")
    world.settle()
    assert len(world.b.find(last="Jones")) == 1
    world.decide(world.holds("fuse")[0], "approve")
    world.settle()
    assert len(world.b.find(city="Rome")) == 10
    assert world.outbox() == []


def test_what_was_set_aside_and_does_worse_by_now_is_counted_as_that(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "update": Limit(3, 10), "blank": Limit(3, 10)}))
    ids = people(world, "a", 10, city="Rome", notes="called")
    world.settle()
    for each in ids:
        world.a.edit(each, city="OOPS")
    assert world.sync().tripped == [("b", "update", 10)]
    world.a.edit(ids[0], notes=None)
    assert world.sync().tripped == [("b", "update", 9)]
    assert len(world.b.find(city="OOPS", notes=None)) == 1
    world.decide(world.holds("fuse")[0], "approve")
    world.settle()
    assert len(world.b.find(city="OOPS")) == 10
    assert world.outbox() == []


def test_a_first_backfill_into_an_empty_platform_does_not_trip_the_fuse_and_a_bad_import_does(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "create": Limit(5, 50)}))
    people(world, "a", 20)
    assert world.sync().tripped == []
    assert len(world.b.rows) == 20
    for n in range(15):
        world.a.add(phone=f"+1202555{300 + n:04d}", first=f"New{n}")
    assert world.sync().tripped == [("b", "create", 15)]
    assert len(world.b.rows) == 20


# deletions


def test_a_record_vanishes_only_after_two_complete_sweeps_and_is_neither_deleted_elsewhere_nor_made_again(
    world: World,
) -> None:
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.b.delete(b)
    assert world.sync(full=True).books["b"].vanished == 0
    assert world.sync(full=True).books["b"].vanished == 1
    world.a.edit(a, city="Oslo")
    world.settle()
    assert world.b.rows == {}
    assert a in world.a.rows


def test_a_mass_vanishing_waits(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "vanish": Limit(2, 10)}))
    people(world, "a", 10)
    world.settle()
    for each in list(world.b.rows):
        world.b.delete(each)
    world.sync(full=True)
    world.sync(full=True)
    (hold,) = world.holds("fuse")
    assert (hold.detail["kind"], hold.detail["count"]) == ("vanish", 10)
    world.decide(hold, "approve")
    with world.store.look() as tx:
        assert tx.links.counts("b") == {"b": {"vanished": 10}}


def test_a_record_that_returns_is_linked_again(world: World) -> None:
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    row = world.b.rows[b]
    world.b.delete(b)
    world.sync(full=True)
    world.sync(full=True)
    world.b.rows[b] = row
    world.b.edit(b, city="Oslo")
    world.settle()
    assert world.a.rows[a]["city"] == "Oslo"
    assert len(world.contacts()) == 1


def test_a_write_to_a_record_that_is_gone_unlinks_it(world: World) -> None:
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.b.delete(b)
    world.a.edit(a, city="Oslo")
    world.settle()
    with world.store.look() as tx:
        assert tx.links.counts("b") == {"b": {"vanished": 1}}
    assert world.outbox() == []


# mappings that change


def test_a_field_that_is_newly_mapped_fills_blanks_everywhere_and_overruns_nothing(new_world) -> None:  # type: ignore[no-untyped-def]
    cityless = MAPPING.replace("  city: city\n", "")
    world = new_world("a", "b", a={"mapping": cityless}, b={"mapping": cityless})
    a, b = world.a.add(**ANN, city="Rome"), world.b.add(**ANN, city=None)
    world.settle()
    for name in ("a", "b"):
        world.remap(name, MAPPING)
    world.settle()
    assert world.a.rows[a]["city"] == world.b.rows[b]["city"] == "Rome"


def test_a_field_that_moves_to_another_column_is_not_taken_for_an_edit(world: World) -> None:
    a, b = world.a.add(**ANN, city="Rome", notes=None), world.b.add(**ANN, city="Rome")
    world.settle()
    world.remap("a", MAPPING.replace("  city: city\n", "  city: notes\n").replace("  notes: notes\n", ""))
    world.settle()
    assert world.b.rows[b]["city"] == "Rome", "the empty new column does not blank everybody's city"
    assert world.a.rows[a]["notes"] == "Rome"


# the books


def test_every_record_read_is_accounted_for(world: World) -> None:
    world.a.add(**ANN)
    world.a.add(phone="12", first="Bad")
    world.a.add(phone="+12025550101", first="Bob", last="Jones")
    report = world.sync()
    books = report.books["a"]
    assert (books.read, books.changed, books.failed, books.held) == (3, 1, 1, 1)
    assert books.balanced
    assert report.outcome == "partial"
    assert any("phone" in reason for reason in books.reasons)
    again = world.sync(full=True).books["a"]
    assert (again.read, again.unchanged, again.failed, again.held) == (3, 1, 1, 1)
    world.a.edit("2", phone="+12025550102")
    assert world.sync().books["a"].changed == 1, "retried when it changes"


def test_a_dry_plan_sends_nothing(world: World) -> None:
    people(world, "a", 3)
    report = world.sync(send=False)
    assert report.sent == 0
    assert world.b.pushes == []
    assert len([push for push in world.outbox() if push.kind == "create"]) == 3
    world.sync()
    assert len([push for push in world.b.pushes if isinstance(push, Create)]) == 3


def test_where_every_poll_reads_everything_a_full_sweep_still_comes_when_it_is_due(new_world) -> None:  # type: ignore[no-untyped-def]
    """Only complete sweeps on schedule count towards vanishing: two polls a minute apart are no proof."""
    world = new_world("a", "b", b={"feed_is_sweep": True, "full_every": 3600.0})
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.b.delete(b)
    for _ in range(5):
        assert world.sync().books["b"].vanished == 0
    world.now += 3600
    assert world.sync().books["b"].vanished == 0
    world.now += 3600
    assert world.sync().books["b"].vanished == 1
    assert a in world.a.rows


def test_a_full_sweep_does_not_go_on_from_a_poll_that_was_broken_off(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"feed_is_sweep": True, "page": 2})
    people(world, "a", 6)
    world.settle()
    world.b.fail("crash", on="sweep", after=2)
    with pytest.raises(Crash):
        world.sync()
    world.restart()
    assert world.sync(full=True).books["b"].read == 6


def test_a_record_whose_version_we_were_not_told_is_read_before_it_is_written(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"receipts": False})
    a = world.a.add(**ANN)

    def moves_on(push: object) -> None:
        if isinstance(push, Create):
            world.a.edit(a, city="Oslo")

    world.b.before_push = moves_on
    world.settle()
    assert world.b.one(phone=ANN["phone"])["city"] == "Oslo"
    assert world.b.harm == {}


def test_a_run_of_what_is_due_reads_only_where_every_has_passed(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", a={"every": 600.0}, b={"every": 60.0})
    a, b = world.a.add(**ANN), world.b.add(**ANN)
    world.settle()
    world.a.edit(a, city="Oslo")
    world.b.edit(b, notes="early")
    report = world.sync(due=True)
    assert (report.books["a"].read, report.books["b"].read) == (0, 1)
    assert world.a.rows[a]["notes"] == "early", "what is owed is sent all the same"
    world.now += 600
    assert world.sync(due=True).books["a"].read == 1
    world.settle()
    assert world.b.rows[b]["city"] == "Oslo"


def test_a_tag_that_was_sent_without_a_receipt_can_be_taken_back_before_it_is_confirmed(new_world) -> None:  # type: ignore[no-untyped-def]
    world = new_world("a", "b", b={"receipts": False})
    a = world.a.add(**ANN)
    b = world.b.add(**ANN)
    world.settle()
    world.a.tag(a, "p")
    world.sync()
    assert world.b.tags(b) == {"p"}
    world.a.untag(a, "p")
    world.sync(only=frozenset({"a"}))
    world.settle()
    assert world.a.tags(a) == world.b.tags(b) == set()
