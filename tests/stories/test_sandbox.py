"""End to end: real connectors, over HTTP, against both platforms as they are, traps included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.harm import same_phone
from tests.stories.sandbox_world import SandboxWorld
from tests.system.crash.state import canonical, differences

ANA, BEN, CLEO = "+12025550101", "+12025550102", "+12025550103"


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[Callable[..., SandboxWorld]]:
    with ExitStack() as stack:
        made: list[SandboxWorld] = []

        def make(more: dict[str, str] | None = None, **population: Any) -> SandboxWorld:
            folder = tmp_path / str(len(made))
            made.append(stack.enter_context(SandboxWorld(folder, more, **population)))
            return made[-1]

        yield make


@pytest.fixture
def world(new_world: Callable[..., SandboxWorld]) -> SandboxWorld:
    """Ana and Ben, known on both sides; everything has been read once and all is quiet."""
    world = new_world(empty=True)
    two_people(world)
    return world


def two_people(world: SandboxWorld) -> None:
    for phone, name in ((ANA, "Ana"), (BEN, "Ben")):
        email = f"{name.lower()}@example.org"
        world.strive.add_member(phone_number=phone, first_name=name, last_name="Sample", email=email, city="Rome")
        world.telerivet.add_contact(f"{name} Sample", phone, {"email": email})
    world.settle()
    world.sandbox.reset_log()


# consent


def test_a_no_on_strive_reaches_telerivet_before_anything_else(world: SandboxWorld) -> None:
    """Ben was edited first, Ana opted out last: her "no" is the first thing written."""
    world.strive.edit_member(world.member(BEN)["id"], city="Paris")
    world.strive.opt_out(world.member(ANA)["id"])
    world.sync()
    assert world.writes("telerivet") == [{"send_blocked": True}, {"vars": {"city": "Paris"}}]
    assert world.contact(ANA)["send_blocked"]
    assert not world.contact(BEN)["send_blocked"]
    assert world.sync().sent == 0
    world.harmless()


def test_a_no_on_telerivet_reaches_strive_before_anything_else(world: SandboxWorld) -> None:
    world.telerivet.edit_contact(world.contact(BEN)["id"], vars={"city": "Paris"})
    world.telerivet.block(world.contact(ANA)["id"])
    world.sync()
    assert world.writes("strive") == [{"opt_in": False}, {"city": "Paris"}]
    assert world.member(ANA)["opt_in"] is False
    assert world.member(BEN)["opt_in"] is True
    assert world.sync().sent == 0
    world.harmless()


def test_nobody_is_subscribed_again(world: SandboxWorld) -> None:
    """She said no on Telerivet; that Strive has her subscribed once more changes nothing there, nor does an edit."""
    world.telerivet.block(world.contact(ANA)["id"])
    world.settle()
    world.strive.opt_in(world.member(ANA)["id"])
    world.strive.edit_member(world.member(ANA)["id"], city="Oslo")
    world.settle()
    assert world.contact(ANA)["send_blocked"]
    assert world.contact(ANA)["vars"]["city"] == "Oslo"
    world.harmless()


# edits


def test_one_edit_each_way_arrives_once(world: SandboxWorld) -> None:
    world.strive.edit_member(world.member(ANA)["id"], city="Paris")
    world.telerivet.edit_contact(world.contact(BEN)["id"], vars={"zip": "10001"})
    assert world.sync().sent == 2
    assert world.contact(ANA)["vars"]["city"] == "Paris"
    assert world.member(BEN)["postal_code"] == "10001"
    assert [world.sync().sent, world.sync(full=True).sent] == [0, 0]
    assert [len(world.writes(platform)) for platform in ("strive", "telerivet")] == [1, 1]
    world.harmless()


def test_a_partial_write_leaves_the_rest(world: SandboxWorld) -> None:
    """Strive's POST blanks what it is not given: a group and a custom field arrive, and everything else stays."""
    ana = world.member(ANA)["id"]
    world.strive.edit_member(ana, notes="Prefers texts", van_id=77, custom={"donation": 50}, street_address="1 Elm St")
    before = world.member(ANA)
    world.telerivet.add_to_group(world.contact(ANA)["id"], "volunteer")
    world.telerivet.edit_contact(world.contact(ANA)["id"], vars={"lang": "es"})
    world.settle()
    after = world.member(ANA)
    assert [group["name"] for group in after["groups"]] == ["volunteer"]
    assert after["custom"] == {"donation": 50, "lang": "es"}
    moved = ("groups", "custom", "updated_at")
    assert {k: v for k, v in after.items() if k not in moved} == {k: v for k, v in before.items() if k not in moved}
    world.harmless()


def test_a_field_is_blanked_where_it_was_blanked(world: SandboxWorld) -> None:
    """Blank is not absent: emptied on one side, it is emptied on the other, and nothing else is."""
    world.strive.edit_member(world.member(ANA)["id"], city=None)
    world.settle()
    assert "city" not in world.contact(ANA)["vars"]
    assert world.contact(ANA)["vars"]["email"] == "ana@example.org"
    assert world.contact(BEN)["vars"]["city"] == "Rome"
    world.harmless()


def test_groups_are_tags_both_ways(world: SandboxWorld) -> None:
    world.strive.add_to_group(world.member(ANA)["id"], "volunteer")
    world.telerivet.add_to_group(world.contact(BEN)["id"], "phonebank")
    world.settle()
    assert world.contact(ANA)["groups"] == ["volunteer"]
    assert [group["name"] for group in world.member(BEN)["groups"]] == ["phonebank"]
    world.strive.remove_from_group(world.member(ANA)["id"], "volunteer")
    world.settle()
    assert world.contact(ANA)["groups"] == []
    world.harmless()


def test_what_strive_cannot_remove_stays_there_and_is_not_owed_for_ever(world: SandboxWorld) -> None:
    """Its API takes nobody out of a group. The group stays on Strive, goes on Telerivet, and does not come back."""
    world.strive.add_to_group(world.member(ANA)["id"], "volunteer")
    world.settle()
    world.telerivet.remove_from_group(world.contact(ANA)["id"], "volunteer")
    world.settle()
    assert world.contact(ANA)["groups"] == []
    assert [group["name"] for group in world.member(ANA)["groups"]] == ["volunteer"]
    assert world.outbox() == []
    world.strive.edit_member(world.member(ANA)["id"], city="Oslo")  # her row is read again, group and all
    world.sync(full=True)
    assert world.settle().sent == 0
    assert world.contact(ANA)["groups"] == []
    assert world.contact(ANA)["vars"]["city"] == "Oslo"


# who is who


def test_strangers_who_share_a_phone_stay_strangers(new_world: Callable[..., SandboxWorld]) -> None:
    """A phone that went from one to another: under another name and email it is held, and neither is overwritten."""
    world = new_world(empty=True)
    world.strive.add_member(phone_number=CLEO, first_name="Zora", last_name="Apple", city="Rome")
    world.telerivet.add_contact("Bob Pear", CLEO, {"city": "Oslo"})
    world.settle()
    assert [hold.kind for hold in world.holds()]
    assert sum(len(found) for contact, found in world.links().items() if contact is not None) == 1
    assert (world.member(CLEO)["first_name"], world.member(CLEO)["city"]) == ("Zora", "Rome")
    assert (world.contact(CLEO)["name"], world.contact(CLEO)["vars"]["city"]) == ("Bob Pear", "Oslo")
    world.strive.opt_out(world.member(CLEO)["id"])  # but a STOP is said by a phone, whoever holds it
    world.settle()
    assert world.contact(CLEO)["send_blocked"]
    world.harmless()


# how the accounts differ


def test_the_dynamic_group_shows_edits_in_few_calls(new_world: Callable[..., SandboxWorld]) -> None:
    world = new_world({"telerivet": 'feed = "dynamic_group"'}, empty=True)
    world.telerivet.dynamic_groups = True
    two_people(world)
    world.telerivet.edit_contact(world.contact(ANA)["id"], vars={"city": "Paris"})
    world.telerivet.block(world.contact(BEN)["id"])
    world.settle()
    assert world.member(ANA)["city"] == "Paris"
    assert world.member(BEN)["opt_in"] is False
    assert not [
        c for c in world.sandbox.calls("telerivet", "GET") if "/contacts?" in c.path and "/groups/" not in c.path
    ]
    assert all("rosterd" not in group for each in world.telerivet.contacts() for group in each["groups"])
    world.harmless()


@pytest.mark.parametrize("log", ["member_change_log", None])
def test_other_change_logs(new_world: Callable[..., SandboxWorld], log: str | None) -> None:
    """Whatever the account calls its change log, or if it shows none: edits and opt-outs are found all the same."""
    world = new_world(empty=True)
    world.strive.change_log = log
    two_people(world)
    world.strive.edit_member(world.member(ANA)["id"], city="Paris")
    world.strive.opt_out(world.member(BEN)["id"])
    world.settle()
    assert world.contact(ANA)["vars"]["city"] == "Paris"
    assert world.contact(BEN)["send_blocked"]
    world.harmless()


def test_a_change_log_that_goes_away(world: SandboxWorld) -> None:
    """The feed falls back to the members; an edit made meanwhile is not missed."""
    world.strive.change_log = None
    world.strive.edit_member(world.member(ANA)["id"], city="Paris")
    world.settle()
    assert world.contact(ANA)["vars"]["city"] == "Paris"
    world.harmless()


def test_unpaid_pauses_telerivet_and_strive_goes_on(world: SandboxWorld) -> None:
    """402 on Telerivet: Strive is read all the same; what Telerivet is owed waits, and arrives once that is over."""
    world.telerivet.unpaid = True
    world.strive.edit_member(world.member(ANA)["id"], city="Paris")
    report = world.sync()
    assert report.outcome == "failed"
    assert "402" in str(report.books["telerivet"].paused)
    assert report.books["strive"].changed == 1
    assert [(owed.connection, owed.state) for owed in world.outbox()] == [("telerivet", "open")]
    world.sandbox.reset_log()
    assert world.sync().books["strive"].paused is None
    assert not world.sandbox.calls("telerivet")  # it is left alone meanwhile
    world.telerivet.unpaid = False
    assert world.sync(after=3700).outcome == "done"
    assert world.contact(ANA)["vars"]["city"] == "Paris"
    world.harmless()


@pytest.mark.parametrize("log", ["member_changes", None])
def test_late_commits_are_found(new_world: Callable[..., SandboxWorld], log: str | None) -> None:
    """An edit takes its id and time, and shows only after the cursor has passed it."""
    world = new_world(empty=True)
    world.strive.change_log = log
    two_people(world)
    with world.strive.late(seconds=310):
        world.strive.edit_member(world.member(ANA)["id"], city="Late")
    world.now += 1
    world.strive.edit_member(world.member(BEN)["id"], city="Early")
    world.sync(after=100)
    assert world.contact(BEN)["vars"]["city"] == "Early"
    assert world.contact(ANA)["vars"]["city"] == "Rome"
    world.sync(after=250)
    assert world.contact(ANA)["vars"]["city"] == "Late"
    world.harmless()


def test_late_commits_are_found_in_the_dynamic_group(new_world: Callable[..., SandboxWorld]) -> None:
    world = new_world({"telerivet": 'feed = "dynamic_group"'}, empty=True)
    world.telerivet.dynamic_groups = True
    two_people(world)
    with world.telerivet.late(seconds=60):
        world.telerivet.edit_contact(world.contact(ANA)["id"], vars={"city": "Late"})
    world.sync(after=30)
    assert world.member(ANA)["city"] == "Rome"
    world.sync(after=60)
    assert world.member(ANA)["city"] == "Late"
    world.harmless()


# a whole messy population


def check_everybody(world: SandboxWorld) -> None:
    """Nobody harmed, nobody merged with a stranger, nobody split who need not be, and every "no" everywhere."""
    world.harmless()
    links = world.links()
    people = {(side, str(one)): who for who, ids in world.sandbox.truth.items() for side in ids for one in ids[side]}
    contacts_of: dict[str, set[int]] = {}
    for contact, records in links.items():
        known = {
            people[link.connection, link.external_id]
            for link in records
            if (link.connection, link.external_id) in people
        }
        if contact is not None:
            assert len(known) <= 1, f"strangers merged: {known}"
            for who in known:
                contacts_of.setdefault(who, set()).add(contact)
    split = {who: found for who, found in contacts_of.items() if len(found) > 1}
    assert not {who for who in split if recognisable(world, who)}, f"people split: {split}"
    check_nos(world)
    assert not [owed for owed in world.outbox() if owed.state == "open"]


def recognisable(world: SandboxWorld, who: str) -> bool:
    """Whether the records of a person share a phone or an email of their own, so that anybody could tell."""
    ids = world.sandbox.truth[who]
    mine = [own_keys(world, side, one) for side in ids for one in ids[side] if exists(world, side, one)]
    return all(keys & other for keys in mine for other in mine)


def exists(world: SandboxWorld, side: str, one: Any) -> bool:
    return one in {each["id"] for each in (world.strive.members() if side == "strive" else world.telerivet.contacts())}


def own_keys(world: SandboxWorld, side: str, one: Any) -> set[str]:
    if side == "strive":
        record = world.strive.member(one)
        found = {same_phone(record["phone_number"]), (record["email"] or "").lower()}
    else:
        record = world.telerivet.contact(one)
        found = {same_phone(record["phone_number"]), (record["vars"].get("email") or "").lower()}
    return {each for each in found if each and not each.startswith("none@")}


def check_nos(world: SandboxWorld) -> None:
    """Whoever's phone said no somewhere is not to be texted anywhere."""
    members, contacts = world.strive.members(), world.telerivet.contacts()
    dead = {m["id"] for m in members if not m["opt_in"]} - said_no(world)
    nos = {same_phone(m["phone_number"]) for m in members if not m["opt_in"] and m["id"] not in dead}
    nos |= {same_phone(c["phone_number"]) for c in contacts if c["send_blocked"]}
    for each in members:
        assert not each["opt_in"] or same_phone(each["phone_number"]) not in nos, each
    for each in contacts:
        assert each["send_blocked"] or same_phone(each["phone_number"]) not in nos - {None}, each


def said_no(world: SandboxWorld) -> set[int]:
    """Members who are opted out because a person said so: not those made so by us, nor numbers found dead."""
    first = {one for ids in world.sandbox.truth.values() for one in ids["strive"]}
    with_event = world.strive.tables["subscription_events"].rows.values()
    dead = {row.data["member_id"] for row in with_event if row.data["type"] == "deac"}
    return first - dead


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_messy_population(new_world: Callable[..., SandboxWorld], seed: int) -> None:
    world = new_world(people=120, seed=seed)
    world.settle(3)
    check_everybody(world)
    assert world.sync(full=True).sent == 0
    assert world.sync().sent == 0


ROUNDS = 8


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_messy_population_on_a_bad_day(new_world: Callable[..., SandboxWorld], seed: int) -> None:
    """One call in twenty goes wrong somehow, while people edit, leave and join; when that is over, everything is as
    after good days."""
    good, bad = (new_world(people=60, seed=seed) for _ in range(2))
    bad.sandbox.faults.random(0.05, seed)
    for number in range(ROUNDS):
        good.settle(4)
        bad.sync(after=4000)  # long enough for any pause to be over
        for world in (good, bad):
            live(world, number)
    assert bad.sandbox.faults.struck >= 8
    bad.sandbox.faults.clear()
    bad.sync(after=4000)
    for world in (good, bad):
        world.settle()
        check_everybody(world)
    assert differences(end_of(good), end_of(bad)) == []


def live(world: SandboxWorld, number: int) -> None:
    """What people do between two runs: other people each time, none of whom was made by us."""
    one, two, three = (world.sandbox.truth[f"p{each:06d}"] for each in (number, 24 + number, 36 + number))
    for member in one["strive"]:
        world.strive.edit_member(member, city=f"Paris {number}", custom={"lang": "es"})
    for contact in two["telerivet"]:
        world.telerivet.edit_contact(contact, vars={"zip": f"1000{number}"})
        world.telerivet.add_to_group(contact, f"group {number}")
    for member in three["strive"]:
        world.strive.opt_out(member)
    world.strive.add_member(phone_number=f"+120255501{50 + number}", first_name="New", last_name=f"Comer-{number}")
    world.telerivet.add_contact(f"Late Comer-{number}", f"+120255501{60 + number}")


def end_of(world: SandboxWorld) -> dict[str, Any]:
    """Without the capitals of tags: both sides keep their own, and we those that were read first."""
    state = {"strive": world.strive.members(), "telerivet": world.telerivet.contacts()}
    found = canonical(state, database=world.folder / "state.db")
    for contact in found["contacts"]:
        contact["values"]["tags"] = sorted(tag.casefold() for tag in contact["values"].get("tags", ()))
    return found


@pytest.mark.parametrize(
    "switches",
    [
        {"strive": {"max_rows": 7}, "telerivet": {"page_max": 7}},
        {"strive": {"tidy": True}, "telerivet": {"tidy": True}},
        {"strive": {"change_log": "member_change_log"}, "telerivet": {"dynamic_groups": True}},
        {"strive": {"groups_touch": False, "change_log": None}, "telerivet": {"groups_touch": False}},
    ],
    ids=["pages cut short", "platforms that tidy", "other feeds", "no traces"],
)
def test_a_messy_population_on_other_accounts(
    new_world: Callable[..., SandboxWorld], switches: dict[str, dict[str, Any]]
) -> None:
    world = new_world(people=72, seed=4)
    for platform, values in switches.items():
        for name, value in values.items():
            assert hasattr(getattr(world, platform), name)
            setattr(getattr(world, platform), name, value)
    world.settle(3)
    check_everybody(world)
    for number, each in enumerate(world.strive.members()[:20]):
        world.strive.edit_member(each["id"], city=f"  New   City {number} ", last_name="O'Example  Jr")
    world.settle(3)
    check_everybody(world)
    assert world.sync(full=True).sent == 0
