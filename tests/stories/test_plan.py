"""A plan that is applied sends what somebody has looked at, and nothing else, whatever was edited in between."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from daemon.commands.apply import Applied, apply_on
from daemon.commands.preview import plan_on
from daemon.platforms.base import Create, OptOut, Push, Update
from daemon.sync import cycle
from daemon.sync.planned import Planned, Selection
from daemon.sync.roster import Limit, Rules
from state.store import Store
from tests.stories.world import World
from tests.twin import FULL, MAPPING, TwinPlatform, without

PEOPLE = 4
CITIES = ("Rome", "Oslo", "Bonn", None)

Edit = tuple[str, int, str, str | None]
edits = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, PEOPLE),
        st.sampled_from(["city", "tag", "untag", "no", "add", "notes"]),
        st.sampled_from(CITIES),
    ),
    max_size=5,
)


def make(folder: Path) -> World:
    """Three twins, of which b cannot compare and swap and c does not say what it stored."""
    loose = {"capabilities": without(FULL, compare_and_swap=False)}
    return World(folder, "a", "b", "c", b=loose, c={"receipts": False})


def fill(world: World) -> None:
    for number in range(PEOPLE):
        world.a.add(phone=f"+1202555{100 + number:04d}", first=f"P{number}", last="Q", city="Rome", sms=True)
    world.settle()


def do(world: World, edit: Edit) -> None:
    side, number, what, value = edit
    twin = world.twins[side]
    world.now += 1
    if what == "add":
        new = sum(len(each.rows) for each in world.twins.values())
        twin.add(phone=f"+1202555{200 + new:04d}", first=f"N{new}", last="Q", city=value, sms=True)
        return
    for id_ in [id_ for id_, row in twin.rows.items() if row["first"] == f"P{number}"]:
        _edit(twin, id_, what, value)


def _edit(twin: TwinPlatform, id_: str, what: str, value: str | None) -> None:
    match what:
        case "city":
            twin.edit(id_, city=value)
        case "notes":
            twin.edit(id_, notes=f"was {value}")
        case "tag":
            twin.tag(id_, str(value))
        case "untag":
            twin.untag(id_, str(value))
        case "no":
            twin.opt_out(id_)


def look(world: World) -> list[Planned]:
    """A plan, made on a copy of the database."""
    world.now += 60
    with tempfile.TemporaryDirectory() as folder:
        world.store.copy_to(Path(folder) / "copy.db")
        copy = Store(f"sqlite:///{folder}/copy.db")
        try:
            roster = replace(world.roster, store=copy)
            return plan_on(roster, cycle.Options(send=False), threading.Event()).pushes
        finally:
            copy.close()


def apply(world: World, plan: list[Planned]) -> Applied:
    world.now += 60
    these = Selection(plan)
    return apply_on(world.roster, cycle.Options(these=these), these, threading.Event())


def arrived(world: World) -> list[tuple[str, Push]]:
    """Every push that reached a platform since the last time this was asked."""
    found = [(name, push) for name, twin in world.twins.items() for push in twin.pushes]
    for twin in world.twins.values():
        twin.pushes.clear()
    return found


def in_plan(world: World, name: str, push: Push, plan: list[Planned]) -> bool:
    """Whether the plan has this push: by what went over the wire, not by our own comparison."""
    mine = [one for one in plan if one.connection == name]
    side = world.roster.sides[name]
    match push:
        case OptOut(external_id=record, channel=channel):
            return any((one.record, one.channel) == (record, channel) for one in mine)
        case Update(external_id=record):
            mine = [one for one in mine if one.kind == "update" and one.record == record]
        case Create():
            mine = [one for one in mine if one.kind == "create"]
    remove = push.remove_tags if isinstance(push, Update) else ()
    wires = [(side.mapping.write({n: new for n, (_, new) in one.fields.items()}).wire, one) for one in mine]
    return any(
        wire == push.wire and set(one.add_tags) == set(push.add_tags) and set(one.remove_tags) == set(remove)
        for wire, one in wires
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=edits.filter(bool), between=edits)
def test_apply_never_sends_what_is_not_in_the_plan_and_loses_nothing(before: list[Edit], between: list[Edit]) -> None:
    """Random edits before the plan and between plan and apply. Each push that arrives is in the plan; each of the
    plan has its fate told; a second apply sends nothing; afterwards a sync brings everybody to agreement."""
    with tempfile.TemporaryDirectory() as folder:
        world = make(Path(folder))
        try:
            fill(world)
            for edit in before:
                do(world, edit)
            plan = look(world)
            arrived(world)
            for edit in between:
                do(world, edit)
            done = apply(world, plan)
            sent = arrived(world)
            for name, push in sent:
                assert in_plan(world, name, push, plan), (name, push)
            assert len(sent) >= done.counts["sent"]
            assert sum(done.counts.values()) == len(plan)
            assert done.counts["later"] == 0
            assert between or not done.counts["refused"], done.told
            event(f"refused some: {done.counts['refused'] > 0}, sent some: {done.counts['sent'] > 0}")
            apply(world, plan)
            assert arrived(world) == []
            world.settle()
            agree(world)
        finally:
            world.store.close()


def agree(world: World) -> None:
    """Every twin says the same of everybody, and every "no" is everywhere."""

    def said(name: str) -> list[object]:
        rows = world.twins[name].rows.values()
        return sorted(
            [[row["phone"], row["city"], row["notes"], sorted(tag["name"] for tag in row["tags"])] for row in rows],
            key=lambda row: str(row[0]),
        )

    assert said("a") == said("b") == said("c")
    nos = [{row["phone"] for id_, row in twin.rows.items() if twin.says_no(id_)} for twin in world.twins.values()]
    assert nos[0] == nos[1] == nos[2]


def test_what_one_platform_answers_does_not_make_a_plan_grow(new_world: Callable[..., World]) -> None:
    """b adds to what it is given: a sync tells the others at once, apply leaves that for the next sync."""
    world = new_world("a", "b", "c")
    world.a.add(phone="+12025550101", first="Ann", last="Q", city="rome")
    world.settle()
    world.b.tidy = lambda wire: {**wire, "notes": "from b"}
    world.a.edit("1", city="Oslo")
    plan = look(world)
    arrived(world)
    done = apply(world, plan)
    assert [name for name, _ in arrived(world)] == ["b"], "what c is owed is more than the plan says by now"
    assert done.counts == {"sent": 1, "refused": 1}
    world.settle()
    assert world.c.one(phone="+12025550101")["notes"] == "from b"


def test_a_letter_that_does_not_pass_leaves_no_trace(new_world: Callable[..., World]) -> None:
    """Neither on the link, nor on the row of the outbox, nor in the journal: as if nobody had tried."""
    world = new_world("a", "b")
    world.a.add(phone="+12025550101", first="Ann", last="Q", city="Rome")
    world.settle()
    world.a.edit("1", city="Oslo")
    world.a.add(phone="+12025550102", first="New", last="Q")
    world.sync(send=False)
    before = traces(world)
    plan = [
        Planned(connection="b", kind="update", record="1", fields={"city": ("Rome", "Gotham")}),
        Planned(connection="b", kind="create", fields={"phone": (None, "+12025550103")}),
    ]
    done = apply(world, plan)
    assert done.counts == {"refused": 2}
    assert traces(world) == before
    assert [told.why for told in done.told] == [
        "the record changed there since",
        "nobody with this phone or email is known any more",
    ]


def traces(world: World) -> list[object]:
    with world.store.look() as tx:
        links = [(link.seen, link.sent) for link in tx.links.of_records("b", {"1"}).values()]
        return [links, tx.outbox.listed(), len(tx.journal.of_contacts([1, 2]))]


def test_the_fuse_counts_what_a_plan_leaves_behind_only_at_the_next_sync(new_world: Callable[..., World]) -> None:
    """An apply trips no fuse and lets nothing through it for good: the sync after it does the counting."""
    world = new_world("a", "b", rules=Rules(fuse={**Rules().fuse, "update": Limit(2, 0)}))
    for number in range(4):
        world.a.add(phone=f"+1202555{100 + number:04d}", first=f"P{number}", last="Q", city="Rome")
    world.settle()
    world.a.edit("1", city="Oslo")
    plan = look(world)
    for id_ in ("2", "3", "4"):
        world.a.edit(id_, city="Oslo")
    assert apply(world, plan).counts["sent"] == 1
    assert world.holds() == []
    assert world.sync().tripped == [("b", "update", 3)]


def test_only_the_records_of_the_plan_are_read_again_and_once(new_world: Callable[..., World]) -> None:
    """What is not in the plan costs no call, and there is no second round for what was refused."""
    world = new_world("a", "b", b={"capabilities": without(FULL, compare_and_swap=False, fetch=1)})
    for number in range(3):
        world.a.add(phone=f"+1202555{100 + number:04d}", first=f"P{number}", last="Q", city="Rome")
    world.settle()
    for id_ in ("1", "2", "3"):
        world.a.edit(id_, city="Oslo")
    plan = [replace(push, against="other") for push in look(world) if push.record == "1"]
    before = world.b.calls["fetch"]
    assert apply(world, plan).counts == {"refused": 1}
    assert world.b.calls["fetch"] - before == 1


RULE = """\
outreach:
  - name: wrote_letter
    when: {tag: Wrote letter}
    campaign: f77e736b-d295-4e68-96ec-a765090c6523
    target: {title: Senator}
"""


def test_outreaches_wait_for_the_next_sync(new_world: Callable[..., World]) -> None:
    """One is owed and past the fuse: apply counts it and sends it not; the next sync does."""
    world = new_world("a")
    world.join("b", mapping=MAPPING + RULE, capabilities=without(FULL, outreach=True))
    world.a.add(phone="+12025550101", first="Ann", last="Q")
    world.settle()
    world.a.tag("1", "Wrote letter")
    world.sync(send=False)
    done = apply(world, look(world))
    assert done.counts == {"sent": 1}
    assert done.owed["outreaches"] == 1
    assert world.b.actions == []
    world.settle()
    assert len(world.b.actions) == 1
