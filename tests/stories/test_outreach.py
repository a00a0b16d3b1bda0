"""Outreaches: what happens to a contact is recorded at a campaign, once, whatever happens to us."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from daemon.errors import SkipRecord
from daemon.sync import outreach, verdicts
from daemon.sync.fuse import KINDS
from daemon.sync.roster import FUSE, Limit, Rules
from state.model import Outreach
from state.store import Store
from tests.stories.world import World
from tests.twin import FULL, MAPPING, Crash, without

LETTERS = "f77e736b-d295-4e68-96ec-a765090c6523"
CALLS = "00000000-0000-0000-0000-000000000001"
RULES = f"""\
outreach:
  - name: wrote_letter
    when: {{tag: Wrote letter}}
    campaign: {LETTERS}
    target: {{title: Senator, family_name: "{{city|Schmoe}}"}}
    subject: "A letter from {{full_name|a friend}}"
    message: "I live in {{city|town}}."
    referrer: {{source: rosterd}}
    add_tags: [advocate]
    remove_tags: [inactive]
  - name: called
    when: {{field: custom.shoe, is: "42"}}
    campaign: {CALLS}
    target: {{title: Mayor}}
    duration: 2 minutes
  - name: joined
    when: {{consent: email}}
    campaign: {CALLS}
    target: {{title: Mayor}}
"""
ABLE = without(FULL, outreach=True)
TAG = "Wrote letter"


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """Two twins: people live on a, and outreaches are recorded on b. Ann is known on both."""
    return small(new_world)


def small(new_world: Callable[..., World], *, rules: Rules | None = None, **a: Any) -> World:
    made = new_world("a", rules=rules, a=a)
    made.join("b", mapping=MAPPING + RULES, capabilities=ABLE)
    made.a.add(first="Ann", phone="+12025550101", email="ann@example.org", mail=True, sms=True)
    made.settle()
    return made


def ann(world: World, name: str = "a") -> str:
    (found,) = [id_ for id_, row in world.twins[name].rows.items() if row["first"] == "Ann"]
    return found


def acts(world: World, *states: str) -> list[Outreach]:
    with world.store.look() as tx:
        return tx.outreaches.listed(states or ("owed", "sending", "sent", "held", "dead", "dropped"))


def told(world: World) -> list[str]:
    """What the story of everybody says of outreaches."""
    found = [noted.event for contact in world.contacts() for noted in world.story(contact)]
    return [event for event in found if event.startswith("outreach")]


# what fires


def test_a_tag_gained_is_recorded_once_with_words_from_the_contact(world: World) -> None:
    world.now += 17
    at = int(world.now)
    world.a.edit(ann(world), city="Athens")
    world.a.tag(ann(world), TAG)
    assert world.sync().books["b"].outreaches == 1
    (action,) = world.b.actions
    assert (action.external_id, action.campaign, action.at) == (ann(world, "b"), LETTERS, at)
    assert action.target == {"title": "Senator", "family_name": "Athens"}
    assert action.words == {"subject": "A letter from Ann", "message": "I live in Athens."}
    assert (action.referrer, action.add_tags, action.remove_tags) == (
        {"source": "rosterd"},
        ("advocate",),
        ("inactive",),
    )
    world.settle()
    world.sync(full=True)
    assert len(world.b.actions) == 1
    assert told(world) == ["outreach_owed", "outreach_sent"]


def test_a_field_set_and_a_yes_given_are_events_too(world: World) -> None:
    world.a.edit(ann(world), custom={"shoe": "41"})
    world.settle()
    assert world.b.actions == []
    world.a.edit(ann(world), custom={"shoe": "42"})
    world.a.add(first="Eve", email="eve@example.org", mail=True)
    world.settle()
    assert sorted(each.rule for each in acts(world, "sent")) == ["called", "joined"]
    assert [action.campaign for action in world.b.actions] == [CALLS, CALLS]


def test_an_event_again_is_another_event(world: World) -> None:
    for _ in range(2):
        world.a.tag(ann(world), TAG)
        world.settle()
        world.a.untag(ann(world), TAG)
        world.settle()
    assert len(world.b.actions) == 2


def test_an_event_told_by_the_campaigns_own_side_counts(world: World) -> None:
    world.b.tag(ann(world, "b"), TAG)
    world.settle()
    assert len(world.b.actions) == 1


def test_somebody_new_with_the_tag_waits_until_they_are_there(world: World) -> None:
    """The person is made first, unsubscribed or not as always; an outreach never makes anybody."""
    world.a.add(first="Eve", phone="+12025550102", tags=[TAG])
    world.b.fail("later", on="push")
    world.sync()
    assert world.b.actions == []
    assert [each.state for each in acts(world)] == ["owed"]
    world.settle()
    (action,) = world.b.actions
    assert world.b.rows[action.external_id]["first"] == "Eve"


def test_what_the_first_complete_reading_brings_is_history(new_world: Callable[..., World]) -> None:
    world = new_world("a")
    world.join("b", mapping=MAPPING + RULES, capabilities=ABLE)
    world.a.add(first="Ann", phone="+12025550101", tags=[TAG], mail=True, custom={"shoe": "42"})
    world.b.add(first="Bob", phone="+12025550102", tags=[TAG])
    world.settle()
    world.sync(full=True)
    assert acts(world) == []
    late = world.join("c")
    late.add(first="Ann", phone="+12025550101", tags=[TAG, "x"])
    late.add(first="Cat", phone="+12025550103", tags=[TAG])
    world.settle()
    assert acts(world) == []


def test_what_shows_only_because_a_mapping_changed_has_not_happened(new_world: Callable[..., World]) -> None:
    world = new_world("a")
    few = MAPPING.replace('tags: {at: "tags[].name"}', 'tags: {at: "tags[].name", only: [other]}')
    world.remap("a", few.replace("  custom.shoe: {at: custom.shoe, missing: blank}\n", ""))
    world.join("b", mapping=MAPPING + RULES, capabilities=ABLE)
    world.a.add(first="Ann", phone="+12025550101", tags=[TAG], custom={"shoe": "42"})
    world.settle()
    world.remap("a", MAPPING)
    world.settle()
    assert world.contact(given_name="Ann").get("tags") == [TAG]
    assert acts(world) == []


def test_somebody_out_of_scope_who_comes_into_scope_brings_old_tags_as_history(new_world: Callable[..., World]) -> None:
    world = new_world("a")
    world.remap("a", MAPPING + "where: {field: city, eq: Athens}\n")
    world.join("b", mapping=MAPPING + RULES, capabilities=ABLE)
    eve = world.a.add(first="Eve", phone="+12025550102", tags=[TAG], city="Rome")
    world.settle()
    world.a.edit(eve, city="Athens")
    world.settle()
    assert world.contact(given_name="Eve").get("tags") == [TAG]
    assert acts(world) == []


def test_a_rule_that_is_new_fires_from_now_on(new_world: Callable[..., World]) -> None:
    world = new_world("a")
    world.join("b", capabilities=ABLE)
    world.a.add(first="Ann", phone="+12025550101", tags=[TAG])
    eve = world.a.add(first="Eve", phone="+12025550102")
    world.settle()
    world.remap("b", MAPPING + RULES)
    world.settle()
    world.sync(full=True)
    assert acts(world) == []
    world.a.tag(eve, TAG)
    world.settle()
    assert len(world.b.actions) == 1


def test_a_merge_of_two_contacts_is_no_event(world: World) -> None:
    """Though the one gains the tags of the other; and what had fired for either stays so."""
    eve = world.a.add(first="Ann", phone="+12025550102", city="Rome")
    world.settle()
    world.a.tag(eve, TAG)
    world.settle()
    assert len(world.b.actions) == 1
    one, other = sorted(contact.id for contact in world.contacts())
    with world.store.transaction() as tx:
        verdicts.merge_contacts(tx, world.roster, one, other)
    world.settle()
    world.sync(full=True)
    assert len(world.b.actions) == 1


def test_somebody_who_was_held_when_first_met_did_it_all_the_same(world: World) -> None:
    """Decided by a person later, and fired once."""
    world.a.add(first="Zoe", phone="+12025550101", tags=[TAG])
    world.sync()
    (hold,) = world.holds("match")
    assert acts(world) == []
    world.sync(full=True)
    world.decide(hold, "different")
    world.settle()
    assert [each.rule for each in acts(world)] == ["wrote_letter"]


def test_somebody_this_connection_is_not_about_has_nothing_recorded_there(new_world: Callable[..., World]) -> None:
    world = new_world("a")
    world.join("b", mapping=MAPPING + RULES + "where: {field: city, eq: Athens}\n", capabilities=ABLE)
    ann = world.a.add(first="Ann", phone="+12025550101", city="Rome")
    world.settle()
    world.a.tag(ann, TAG)
    world.settle()
    assert acts(world) == []


@pytest.mark.parametrize("direction", ["in", "both"])
def test_a_connection_that_is_only_read_has_nothing_recorded(new_world: Callable[..., World], direction: str) -> None:
    world = new_world("a")
    world.join("b", mapping=MAPPING + RULES, capabilities=ABLE, direction=direction)
    world.b.add(first="Ann", phone="+12025550101")
    world.settle()
    world.b.tag(ann(world, "b"), TAG)
    world.settle()
    assert len(acts(world)) == len(world.b.actions) == (direction == "both")


def test_nothing_is_recorded_before_every_connection_was_read_whole(world: World) -> None:
    late = world.join("c")
    late.fail("later", on="sweep", times=10)
    world.a.tag(ann(world), TAG)
    world.sync()
    assert [each.state for each in acts(world)] == ["owed"]
    assert world.b.actions == []
    late.heal()
    world.settle()
    assert len(world.b.actions) == 1


def test_the_opt_out_goes_first_and_the_person_stays_unsubscribed(world: World) -> None:
    world.a.tag(ann(world), TAG)
    world.a.opt_out(ann(world), "email")
    world.settle()
    assert world.b.says_no(ann(world, "b"), "email")
    assert len(world.b.actions) == 1


# once


FAULTS = ["later", "before", "person", "lost", "crash", "crash after"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["find", "act"])
def test_whatever_goes_wrong_it_is_recorded_once(world: World, verb: str, fault: str) -> None:
    world.a.tag(ann(world), TAG)
    world.b.fail(fault, on=verb)
    try:
        world.sync()
    except Crash:
        world.restart()
    for _ in range(4):
        world.now += 3600
        world.sync()
    assert len(world.b.actions) == 1
    assert [each.state for each in acts(world)] == ["sent"]


@pytest.mark.parametrize("event", ["outreach_owed", "outreach_sent"])
def test_a_process_that_dies_while_it_writes_down_repeats_no_outreach(
    world: World, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """Before the page is kept, and after the platform has answered."""
    from state.records import Journal

    real = Journal.add

    def die(self: Journal, entries: Any) -> None:
        entries = list(entries)
        if any(entry.event == event for entry in entries):
            raise Crash
        real(self, entries)

    world.a.tag(ann(world), TAG)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", die)
        with pytest.raises(Crash):
            world.sync()
    world.restart()
    world.now += 3600
    world.settle()
    assert len(world.b.actions) == 1


def test_a_process_that_dies_between_the_note_and_the_sending(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent after all: not there when it must be is not there."""
    world.a.tag(ann(world), TAG)

    def die(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr("tests.twin.TwinOutreaches.send", die)
        with pytest.raises(Crash):
            world.sync()
    world.restart()
    assert [each.state for each in acts(world)] == ["sending"]
    world.now += 3600
    world.settle()
    assert len(world.b.actions) == 1


def test_what_may_have_arrived_is_not_looked_for_before_it_can_be_found(world: World) -> None:
    """The platform lists it late; sent again at once it would be there twice."""
    world.a.tag(ann(world), TAG)
    world.b.fail("lost", on="act")
    world.sync()
    arrived, world.b.actions = world.b.actions, []
    world.sync()  # a minute later
    assert (world.b.actions, [each.state for each in acts(world)]) == ([], ["sending"])
    world.b.actions = arrived
    world.now += outreach.LAG
    assert world.sync().books["b"].outreaches == 0
    assert len(world.b.actions) == 1
    assert told(world) == ["outreach_owed", "outreach_found"]


def test_a_restored_copy_of_the_database_sends_nothing_again(world: World) -> None:
    """The event is read again, looked up, and found."""
    world.store.close()
    copy = world.folder / "copy.db"
    shutil.copy(world.folder / "state.db", copy)
    world.restart()
    world.a.tag(ann(world), TAG)
    world.settle()
    _restore(world, copy)
    world.settle()
    assert len(world.b.actions) == 1
    assert [each.state for each in acts(world)] == ["sent"]


def test_a_restored_copy_where_the_feed_tells_no_times(new_world: Callable[..., World]) -> None:
    """The record was edited again meanwhile, so the event seems later than it was; it is found all the same."""
    world = small(new_world, evidence=False)
    world.store.close()
    copy = world.folder / "copy.db"
    shutil.copy(world.folder / "state.db", copy)
    world.restart()
    world.a.tag(ann(world), TAG)
    world.settle()
    world.a.edit(ann(world), city="Rome")
    world.settle()
    _restore(world, copy)
    world.settle()
    assert len(world.b.actions) == 1


def _restore(world: World, copy: Any) -> None:
    world.store.close()
    for old in world.folder.glob("state.db-*"):
        old.unlink()
    shutil.copy(copy, world.folder / "state.db")
    world.store = Store(f"sqlite:///{world.folder}/state.db")


def test_a_lost_database_sends_nothing_again(world: World) -> None:
    world.a.tag(ann(world), TAG)
    world.settle()
    world.store.close()
    for old in world.folder.glob("state.db*"):
        old.unlink()
    world.store = Store(f"sqlite:///{world.folder}/state.db")
    world.settle()
    world.sync(full=True)
    assert len(world.b.actions) == 1


def test_two_rules_on_one_campaign_are_two_outreaches_also_when_an_answer_is_lost(world: World) -> None:
    """Each is found as itself: what the one recorded is not taken for the other."""
    eve = world.a.add(first="Eve", phone="+12025550102", email="eve@example.org")
    world.settle()
    world.a.edit(eve, custom={"shoe": "42"}, opt_in={"email": True})
    world.b.fail("lost", on="act")
    world.sync()
    world.sync()  # too early to look for the one; the other must not be found as it
    for _ in range(3):
        world.now += 3600
        world.sync()
    assert [(action.campaign, bool(action.words)) for action in world.b.actions] == [(CALLS, True), (CALLS, False)]


# held


def test_a_person_is_asked_where_the_look_up_cannot_see_everything(world: World) -> None:
    world.a.tag(ann(world), TAG)
    world.b.fail("lost", on="act")
    world.sync()
    world.b.sees_all = False
    world.now += 3600
    world.sync()
    (hold,) = world.holds("outreach")
    assert [each.state for each in acts(world)] == ["held"]
    with pytest.raises(SkipRecord, match="no choice"):
        world.decide(hold, "approve")
    world.decide(hold, "arrived")
    world.settle()
    assert len(world.b.actions) == 1
    assert [each.state for each in acts(world)] == ["sent"]


def test_one_that_cannot_be_looked_up_waits_with_the_reason_and_the_others_go_on(world: World) -> None:
    world.a.add(first="Eve", phone="+12025550102")
    world.settle()
    for id_ in list(world.a.rows):
        world.a.tag(id_, TAG)
    world.b.fail(SkipRecord("500 nothing to see"), on="find")
    world.sync()
    assert len(world.b.actions) == 1
    assert [each.reason for each in acts(world, "owed")] == ["cannot be looked up: 500 nothing to see"]
    world.sync()
    assert len(world.b.actions) == 2
    assert [each.reason for each in acts(world, "sent")] == [None, None]


@pytest.mark.parametrize(("choice", "count"), [("again", 1), ("drop", 0)])
def test_what_a_person_decides_is_done(world: World, choice: str, count: int) -> None:
    world.a.tag(ann(world), TAG)
    world.b.fail("before", on="act")
    world.sync()
    world.b.sees_all = False
    world.now += 3600
    world.sync()
    world.decide(world.holds("outreach")[0], choice)
    world.settle()
    assert (len(world.b.actions), world.holds("outreach")) == (count, [])


def test_a_person_who_insists_is_asked_again_if_that_answer_is_lost_too(world: World) -> None:
    world.a.tag(ann(world), TAG)
    world.b.sees_all = False
    world.sync()
    world.decide(world.holds("outreach")[0], "again")
    world.b.fail("lost", on="act")
    for _ in range(3):
        world.now += 3600
        world.sync()
    assert len(world.b.actions) == 1
    assert len(world.holds("outreach")) == 1


def test_one_whose_answer_is_always_lost_ends_with_a_person(world: World) -> None:
    world.a.tag(ann(world), TAG)
    world.b.fail("before", on="act", times=100)
    for _ in range(outreach.TRIES + 2):
        world.now += 3600
        world.sync()
    assert world.b.calls["act"] == outreach.TRIES
    assert world.holds("outreach")[0].detail["why"] == outreach.TOO_OFTEN


def test_a_bulk_import_of_a_tag_trips_the_fuse(new_world: Callable[..., World]) -> None:
    """Nobody is recorded until a person says so; and then as many as they say."""
    world = small(new_world, rules=Rules(fuse={**FUSE, "outreach": Limit(3, 5)}))
    for number in range(5):
        world.a.add(first=f"N{number}", phone=f"+1202555011{number}")
    world.settle()
    for id_ in list(world.a.rows):
        world.a.tag(id_, TAG)
    report = world.sync()
    assert ("b", "outreach", 6) in report.tripped
    assert world.b.actions == []
    (hold,) = world.holds("fuse")
    world.decide(hold, "approve", only=2)
    world.sync()
    assert len(world.b.actions) == 2
    (hold,) = world.holds("fuse")
    world.decide(hold, "reject")
    world.settle()
    world.sync(full=True)
    assert len(world.b.actions) == 2
    assert sorted(each.state for each in acts(world)) == ["dropped"] * 4 + ["sent"] * 2


def test_what_cannot_be_sent_is_a_dead_letter_with_its_reason(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SkipRecord("404 there is no such campaign")

    world.a.tag(ann(world), TAG)
    with monkeypatch.context() as patch:
        patch.setattr("tests.twin.TwinOutreaches.send", refuse)
        report = world.sync()
    assert (report.outcome, report.books["b"].refused) == ("partial", 1)
    (row,) = acts(world, "dead")
    assert row.reason == "404 there is no such campaign"
    world.sync(full=True)
    assert world.b.actions == []


def test_a_rule_taken_away_leaves_its_owed_outreaches_dead(world: World) -> None:
    world.a.tag(ann(world), TAG)
    world.b.fail("later", on="find")
    world.sync()
    world.remap("b", MAPPING)
    world.settle()
    assert [each.reason for each in acts(world, "dead")] == ["the mapping has no rule wrote_letter any more"]


def test_the_kinds_of_the_fuse_have_limits() -> None:
    assert {*KINDS, "merge", "vanish", "outreach"} == set(FUSE)
