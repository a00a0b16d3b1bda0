"""Alerts: what breaks is told once, and its end once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import TimeoutError as NoneLeft

from daemon.service import alerts_teller as teller
from state.store import Store
from tests.stories.alerts_world import DAY, HOUR, MINUTE, NOON, World


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/state.db")
    yield opened
    opened.close()


@pytest.fixture
def world(tmp_path: Path, store: Store) -> Iterator[World]:
    world = World(tmp_path, store)
    yield world
    world.alarms.close()


# failed


def test_a_connection_that_fails_for_long_is_told_once_and_its_end_once(world: World) -> None:
    assert world.look() == []
    world.fails()
    assert world.look(15) == []
    assert world.look(4 * MINUTE) == []
    assert world.look(1 * MINUTE) == ["failed:strive broken"]
    assert world.look(15) == []
    world.works()
    assert world.look(15) == ["failed:strive healed"]
    assert world.look(15) == []
    world.fails()
    assert world.look(15) == []
    assert world.look(5 * MINUTE) == ["failed:strive broken"]
    assert len(world.alerts) == 2


def test_a_short_hiccup_wakes_nobody(world: World) -> None:
    for _ in range(4):
        world.fails()
        assert world.look(15) == []
        world.works()
        assert world.look(4 * MINUTE) == []
    assert world.alerts == []


def test_where_a_person_is_needed_they_are_told_at_once(world: World) -> None:
    world.fails(why="a person is needed: api.example.org refuses the key")
    world.alarms.look()
    world.alarms.close()
    (news,) = world.person.heard
    assert news.text == "strive cannot be synced: a person is needed: api.example.org refuses the key"
    assert news.hint.startswith("rosterd check")
    assert "then systemctl reload rosterd" in news.hint  # or it would wait for its next try, in an hour
    world.works()
    world.alarms.look()
    world.alarms.close()
    assert world.person.heard[-1].text.startswith("strive works again (broken since 2026-")


def test_one_that_failed_before_we_came_has_failed_since_it_last_went_well(world: World) -> None:
    """A restart is no new beginning; a failure that is the first has just begun, however long ago it was read."""
    world.put("strive", ok_at=NOON - HOUR)
    world.fails(times=3)
    assert world.look(by=world.worker()) == ["failed:strive broken"]
    assert world.alerts[0].since == NOON - HOUR
    world.put("telerivet", ok_at=NOON - HOUR)
    world.fails("telerivet", times=1)
    assert world.look(by=world.worker()) == []


def test_a_clock_that_is_set_back_heals_nothing(world: World) -> None:
    """It still fails: since a time to come, by the clock as it is now."""
    world.fails()
    assert world.look() == []
    assert world.look(5 * MINUTE) == ["failed:strive broken"]
    assert world.look(-2 * HOUR) == []
    assert world.look(15, by=world.worker()) == []
    world.works()
    assert world.look(15) == ["failed:strive healed"]
    assert len(world.alerts) == 1


def test_no_person_and_no_secret_is_in_an_alert(world: World) -> None:
    """Whatever a platform puts into its error, and whatever the log is allowed to show."""
    why = "a person is needed: ada@example.org +1 202 555 0101\nsays Bearer abcdef123456 example-key"
    world.fails(why=why)
    world.alarms.look()
    world.alarms.close()
    assert world.person.heard[0].text == (
        "strive cannot be synced: a person is needed: <email> <phone> says Bearer <secret> <secret>"
    )
    assert world.alerts[0].text == world.person.heard[0].text


def test_a_reason_that_changes_is_shown_but_not_told_again(world: World) -> None:
    world.fails()
    world.look()
    assert world.look(5 * MINUTE) == ["failed:strive broken"]
    world.fails(why="a person is needed: the account is unpaid")
    assert world.look(15) == []
    assert "unpaid" in world.alerts[0].text


# fuses and opt-outs


def test_a_tripped_fuse_is_told_until_a_person_has_decided(world: World) -> None:
    hold = world.trips()
    world.trips("create")
    world.alarms.look()
    world.alarms.close()
    assert {news.hint for news in world.person.heard} == {
        f"rosterd holds show {hold}",
        f"rosterd holds show {hold + 1}",
    }
    assert sorted(world.person.said) == ["fuse:strive:create broken", "fuse:strive:update broken"]
    world.decides()
    assert world.look(15) == ["fuse:strive:update healed"]
    world.decides("create")
    assert world.look(15) == ["fuse:strive:create healed"]


def test_a_fuse_that_trips_again_at_once_is_another_mass_change(world: World) -> None:
    world.trips()
    assert world.look() == ["fuse:strive:update broken"]
    world.now += 5
    world.decides()
    world.trips()
    assert world.look(5) == ["fuse:strive:update healed", "fuse:strive:update broken"]


def test_an_opt_out_that_is_refused_is_told_until_none_is_left(world: World) -> None:
    """One alert however many they are; an edit that is refused is none."""
    world.owes("1", state="dead", lane=1)
    world.owes("2", state="open")
    assert world.look() == []
    world.owes("3", state="dead")
    assert world.look(15) == ["consent_dead:telerivet broken"]
    world.owes("4", state="dead")
    assert world.look(15) == []
    assert "2 opt-outs" in world.alerts[0].text
    with world.store.transaction() as tx:
        tx.outbox.drop([push.id or 0 for push in tx.outbox.listed(state="dead") if push.lane == 0])
    assert world.look(15) == ["consent_dead:telerivet healed"]


# late


def test_a_connection_that_is_not_read_in_time_is_late(world: World) -> None:
    world.is_read()
    assert world.look(29 * MINUTE) == []
    world.is_read("telerivet")
    assert world.look(1 * MINUTE) == []
    assert world.look(15) == ["late:strive broken"]
    assert world.alerts[0].since == NOON
    world.is_read("strive")
    assert world.look(15) == ["late:strive healed"]


def test_one_that_fails_is_not_called_late_as_well(world: World) -> None:
    """Not either when it is back and has not read everything yet; unless it was late before."""
    world.is_read("strive")
    world.fails()
    world.look()
    assert world.look(40 * MINUTE) == ["failed:strive broken"]
    world.works()
    assert world.look(15) == ["failed:strive healed"]
    assert world.look(29 * MINUTE) == []
    assert world.look(2 * MINUTE) == ["late:strive broken"]
    world.fails()
    assert world.look(15) == []
    assert world.look(5 * MINUTE) == ["failed:strive broken"]


def test_a_first_reading_may_take_its_time(world: World) -> None:
    world.put("strive", swept=0, polled_at=None)
    world.put("telerivet", swept=0)
    assert world.look(DAY) == []


def test_a_service_that_has_just_started_may_catch_up(world: World) -> None:
    """A machine that was off all night wakes nobody in the morning."""
    world.is_read()
    world.now += DAY
    back = world.worker()
    assert world.look(by=back) == []
    assert world.look(29 * MINUTE, by=back) == []
    assert world.look(2 * MINUTE, by=back) == ["late:strive broken", "late:telerivet broken"]


def test_a_platform_in_its_maintenance_window_is_not_late(world: World) -> None:
    world.is_read("strive")
    world.resting.add("strive")
    assert world.look(HOUR) == []
    world.resting.clear()
    assert world.look(15) == ["late:strive broken"]


def test_after_a_maintenance_window_there_is_time_to_catch_up(world: World) -> None:
    """The window is asked about the whole time that may pass: it ended at one."""
    world.is_read("strive")
    alarms = world.alarms
    alarms._watch._resting = lambda _, at: at < NOON + HOUR
    assert world.look(HOUR + 29 * MINUTE, by=alarms) == []
    assert world.look(2 * MINUTE, by=alarms) == ["late:strive broken"]


def test_one_that_is_read_every_hour_is_not_late_in_between(world: World) -> None:
    world.settings = world.configured(instead=("campaign_id = 273", 'campaign_id = 273\nevery = "1h"'))
    alarms = world.worker()
    world.is_read("strive")
    assert world.look(115 * MINUTE, by=alarms) == []
    assert world.look(10 * MINUTE, by=alarms) == ["late:strive broken"]
    assert world.alerts[0].text.endswith("which should not be longer ago than 2h")


def test_maintenance_every_night_does_not_excuse_what_is_not_read_for_days(world: World) -> None:
    """With a bound of a day there is a window in every one of them."""
    world.settings = world.configured(instead=("campaign_id = 273", 'campaign_id = 273\nlate_after = "24h"'))
    alarms = world.worker()
    alarms._watch._resting = lambda _, at: 2 * HOUR <= at % DAY < 4 * HOUR
    world.is_read("strive")
    assert world.look(25.5 * HOUR, by=alarms) == []
    assert world.look(HOUR, by=alarms) == ["late:strive broken"]


def test_one_that_fails_is_late_where_nobody_is_told_that_it_fails(world: World) -> None:
    world.settings = world.configured('[alerts]\non = ["late"]\n')
    alarms = world.worker()
    world.is_read("strive")
    world.fails()
    assert world.look(31 * MINUTE, by=alarms) == ["late:strive broken"]


def test_a_database_that_has_no_connection_left_is_asked_again(world: World) -> None:
    """Not what a driver says: nobody was asked."""
    world.fails(why="a person is needed: the key is refused")

    def none_left(_: object) -> None:
        if threading.current_thread().name == "alerts":
            raise NoneLeft("QueuePool limit reached")

    event.listen(world.store.engine, "begin", none_left)
    assert world.look() == []
    event.remove(world.store.engine, "begin", none_left)
    assert world.look(15) == ["failed:strive broken"]


# its own norm


def three_weeks(world: World, changed: int = 20) -> None:
    world.changes("strive", dict.fromkeys(range(world.hour - 21 * 24, world.hour), changed))


def test_a_feed_that_went_silent_is_told_and_that_it_speaks_again(world: World) -> None:
    three_weeks(world)
    assert world.look() == []
    for passed in range(8):
        world.changes("strive", {world.hour: 0})
        world.is_read()
        heard = world.look()
        assert heard == (["silent:strive broken"] if passed == 6 else []), passed
        world.now += HOUR
    assert world.alerts[0].since == NOON
    world.now += 40 * DAY  # so long that nothing of what was usual is left
    world.changes("strive", {world.hour: 0})
    world.is_read()
    assert world.look() == []
    world.now += HOUR
    world.changes("strive", {world.hour: 1})
    world.is_read()
    assert world.look() == ["silent:strive healed"]


def test_what_is_not_read_is_not_silent(world: World) -> None:
    """It fails, or is late; that is what is said."""
    three_weeks(world)
    world.is_read("strive")
    world.fails()
    world.look()
    for _ in range(12):
        world.changes("strive", {world.hour: 0})
        world.look()
        world.now += HOUR
    assert {alert.kind for alert in world.alerts} == {"failed"}


def test_far_more_changes_than_ever_are_told_and_that_it_is_over(world: World) -> None:
    """It is over once an hour and the one before are as usual; what is compared with does not move meanwhile."""
    three_weeks(world)
    heard = []
    for changed in (200, 201, 5000, 5000, 5000, 20, 20, 20):
        world.changes("strive", {world.hour: changed})
        world.is_read()
        heard.append(world.look())
        world.now += HOUR
    assert heard == [[], ["unusual:strive broken"], [], [], [], [], ["unusual:strive healed"], []]
    assert world.alerts[0].since == NOON + HOUR
    assert "more than 200 records" in world.alerts[0].text


def test_a_new_level_is_usual_after_a_while(world: World) -> None:
    three_weeks(world)
    told: dict[int, list[str]] = {}
    for passed in range(15 * 24):
        world.changes("strive", {world.hour: 500})
        world.is_read()
        if heard := world.look():
            told[passed] = heard
        world.now += HOUR
    (broke, how), (over, healed) = told.items()
    assert (broke, how, healed) == (0, ["unusual:strive broken"], ["unusual:strive healed"])
    assert 7 * 24 <= over <= 12 * 24


@pytest.mark.parametrize(
    "reads_anew",
    [{"remap": ["email"]}, {"swept": 0}, {"swept_at": NOON - MINUTE}],
    ids=lambda values: next(iter(values)),
)
def test_reading_everything_anew_is_no_burst(world: World, reads_anew: dict[str, object]) -> None:
    """After a change of the mapping, the first time, or after a sweep that has just ended."""
    three_weeks(world)
    world.changes("strive", {world.hour: 100_000})
    world.put("strive", **reads_anew)
    assert world.look() == []


def test_catching_up_after_a_failure_is_no_burst(world: World) -> None:
    three_weeks(world)
    world.is_read("strive")
    world.fails()
    world.look()
    assert world.look(5 * MINUTE) == ["failed:strive broken"]
    for _ in range(48):
        world.changes("strive", {world.hour: 0})
        assert world.look(HOUR) == []
    world.works()
    world.is_read("strive")
    world.changes("strive", {world.hour + 1: 960})
    world.now += HOUR
    assert world.look() == ["failed:strive healed"]
    assert world.look(MINUTE) == []


# who is told, and when


def test_what_heals_before_anybody_heard_of_it_is_never_mentioned(world: World) -> None:
    world.person.down = "it is out of order"
    world.trips()
    assert world.look() == []
    assert world.alerts[0].tries == 1
    world.decides()
    world.person.down = ""
    assert world.look(HOUR) == []
    assert (world.alerts[0].told_at, world.alerts[0].healed_told_at) == (None, None)


def test_a_way_that_fails_is_tried_again_less_and_less_often(world: World) -> None:
    world.person.down = "it is out of order"
    world.trips()
    tries = []
    for _ in range(400):
        before = world.alerts[0].tries if world.alerts else 0
        world.look()
        if world.alerts[0].tries > before:
            tries.append(world.now - NOON)
        world.now += 30
    assert [round(then - now) for now, then in itertools.pairwise(tries)][:9] == [
        *(30, 60, 120, 240, 480, 960, 1920),
        *(3600, 3600),
    ]
    world.person.down = ""
    assert world.look(HOUR) == ["fuse:strive:update broken"]
    assert world.alerts[0].tries == 0


def test_a_way_that_fails_does_not_stop_the_others(world: World) -> None:
    """Each hears it once, whatever becomes of the other; of the end too."""
    world.ways["mail"] = world.mailbox
    world.mailbox.down = "it is out of order"
    world.trips()
    assert world.look() == ["fuse:strive:update broken"]
    assert world.look(30) == []
    world.mailbox.down = ""
    assert world.look(60) == []
    assert world.mailbox.said == ["fuse:strive:update broken"]
    world.mailbox.down = "again"
    world.decides()
    assert world.look(15) == ["fuse:strive:update healed"]
    world.mailbox.down = ""
    assert world.look(30) == []
    assert world.mailbox.said == ["fuse:strive:update healed"]
    assert (world.look(DAY), world.mailbox.said) == ([], [])


def test_a_way_that_fails_is_asked_once_for_many_alerts(world: World) -> None:
    """A mail server that is away costs one time-out, not one for each."""
    world.person.down = "it is out of order"
    asked = []
    world.person.while_told = lambda: asked.append(world.now)
    for kind in ("create", "update", "blank"):
        world.trips(kind)
    world.look()
    assert (len(asked), [alert.tries for alert in world.alerts]) == (1, [1, 1, 1])
    world.person.down = ""
    assert len(world.look(30)) == 3


def test_a_way_that_hangs_holds_up_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the look, not the other ways; while it hangs it is not asked again."""
    monkeypatch.setattr(teller, "DEADLINE", 1.0)
    world.ways["mail"] = world.mailbox
    over, asked = threading.Event(), []
    world.mailbox.while_told = lambda: (asked.append(world.now), over.wait(20))
    world.trips()
    began = time.monotonic()
    world.alarms.look()
    assert time.monotonic() - began < 0.9
    world.alarms.close()
    assert world.person.said == ["fuse:strive:update broken"]
    world.trips("create")
    assert world.look(30) == ["fuse:strive:create broken"]
    assert len(asked) == 1
    over.set()
    world.alarms._teller._hanging["mail"].join(20)
    assert world.look(HOUR) == []
    assert sorted(set(world.mailbox.said)) == ["fuse:strive:create broken", "fuse:strive:update broken"]


def test_who_never_heard_that_it_broke_is_not_told_that_it_healed(world: World) -> None:
    world.ways["mail"] = world.mailbox
    world.mailbox.down = "it is out of order"
    world.trips()
    assert world.look() == ["fuse:strive:update broken"]
    world.decides()
    world.mailbox.down = ""
    world.look(15)
    assert world.look(teller.IN_HAND) == ["fuse:strive:update healed"]
    assert world.mailbox.said == []


def test_a_way_that_stays_broken_is_given_up_when_another_has_told(world: World) -> None:
    world.ways["mail"] = world.mailbox
    world.mailbox.down = "it is out of order"
    world.trips()
    asked = []
    world.mailbox.while_told = lambda: asked.append(world.now)
    for _ in range(60):
        world.look(HOUR)
    assert len(asked) == teller.ENOUGH + 1
    assert not world.alerts[0].owes


def test_of_several_workers_one_tells(world: World) -> None:
    """Also when all look at the same moment, while the first is still telling."""
    others = [world.worker() for _ in range(3)]
    world.trips()

    def others_look() -> None:
        for each in others:
            each.look()

    world.person.while_told = others_look
    assert world.look() == ["fuse:strive:update broken"]
    world.person.while_told = lambda: None
    for each in others:
        assert world.look(15, by=each) == []
    assert len(world.alerts) == 1


def test_of_workers_that_see_the_same_at_the_same_moment_one_tells(world: World) -> None:
    """The second comes with what it read before the first took it in hand."""
    ways, world.ways = world.ways, {}
    world.trips()
    world.look(by=world.worker())
    with world.store.look() as tx:
        (seen,) = tx.alerts.due(world.now, 9)
    world.ways = ways
    slow = world.worker()
    assert world.look(by=world.worker()) == ["fuse:strive:update broken"]
    slow._teller._tell_one(seen, set())
    assert world.person.said == []


def test_what_a_killed_worker_was_telling_another_tells(world: World) -> None:
    """Told is what has been told, not what was to be."""
    world.trips()
    ways, world.ways = world.ways, {}
    assert world.look(by=world.worker()) == []
    with world.store.transaction() as tx:
        (alert,) = tx.alerts.due(world.now, 1)
        assert tx.alerts.claim(alert, until=world.now + teller.IN_HAND)
    world.ways = ways
    assert world.look(by=world.worker()) == []
    assert world.look(teller.IN_HAND, by=world.worker()) == ["fuse:strive:update broken"]


def test_what_heals_while_it_is_being_told_is_told_afterwards(world: World) -> None:
    other = world.worker()
    world.trips()

    def heals_meanwhile() -> None:
        world.person.while_told = lambda: None
        world.decides()
        other.look()

    world.person.while_told = heals_meanwhile
    assert world.look() == ["fuse:strive:update broken"]
    other.close()
    assert world.look(15) == ["fuse:strive:update healed"]


def test_what_heals_while_some_are_not_told_yet_is_told_to_the_others(world: World) -> None:
    """At once: nobody waits for the next try at those who never heard of it."""
    other = world.worker()
    world.ways["mail"] = world.mailbox
    world.mailbox.down = "it is out of order"
    world.trips()

    def heals_meanwhile() -> None:
        world.person.while_told = lambda: None
        world.decides()
        other.look()

    world.person.while_told = heals_meanwhile
    assert world.look() == ["fuse:strive:update broken"]
    assert world.look(15) == ["fuse:strive:update healed"]


def test_when_nothing_changes_nothing_is_written(world: World) -> None:
    """Looking takes no turn from those who write: every worker does it every few seconds."""
    world.trips()
    world.look()
    said: list[str] = []
    event.listen(world.store.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    world.look(15)
    assert said
    assert [text for text in said if not text.startswith(("SELECT", "BEGIN"))] == []
    assert "BEGIN IMMEDIATE" not in said


# configuration


def test_what_is_switched_off_is_over_and_said_so(world: World) -> None:
    """A pager that was told it broke must not stay red for ever."""
    world.fails(why="a person is needed: a new key")
    hold = world.trips()
    assert hold
    assert sorted(world.look()) == ["failed:strive broken", "fuse:strive:update broken"]
    world.alarms.reload(world.configured('[alerts]\non = ["failed"]\n'))
    world.alarms.look()
    world.alarms.close()
    (news,) = world.person.heard
    assert news.text == "fuse:strive:update is watched no longer: the configuration has switched it off"
    assert world.person.said == ["fuse:strive:update healed"]
    off = ('platform = "strive"', 'platform = "strive"\nenabled = false')
    world.alarms.reload(world.configured(instead=off))
    assert world.look(15) == ["failed:strive healed"]


def test_without_a_way_it_is_kept_and_told_when_there_is_one(world: World) -> None:
    world.ways.clear()
    world.trips()
    assert world.look() == []
    assert (world.alerts[0].tries, world.alerts[0].told_at) == (0, None)
    world.ways["pager"] = world.person
    assert world.look(DAY) == ["fuse:strive:update broken"]


# the database itself


def trouble(world: World, what: str | None) -> list[str]:
    world.alarms.storage(what)
    world.alarms.close()
    return world.person.said


def test_trouble_with_the_database_is_told_without_it(world: World) -> None:
    """Once, and its end once; afterwards it stands among the alerts."""
    assert trouble(world, "database or disk is full") == ["storage broken"]
    assert trouble(world, "database or disk is full") == []
    world.now += HOUR
    assert trouble(world, None) == []
    assert world.look() == ["storage healed"]
    assert world.look(DAY) == []
    (alert,) = [each for each in world.alerts if each.kind == "storage"]
    assert (alert.since, alert.healed_at) == (NOON, NOON + HOUR)
    assert alert.text == "the database cannot be used: database or disk is full"


def test_trouble_that_ends_before_anybody_heard_is_never_mentioned(world: World) -> None:
    world.person.down = "the network is away too"
    assert trouble(world, "server closed the connection") == []
    world.person.down = ""
    trouble(world, None)
    assert world.look(15) == []
    assert world.look(HOUR) == []


def test_trouble_nobody_could_be_told_of_is_told_when_they_can(world: World) -> None:
    world.person.down = "the network is away too"
    assert trouble(world, "read-only file system") == []
    world.person.down = ""
    assert trouble(world, "read-only file system") == []
    world.now += 30
    assert trouble(world, "read-only file system") == ["storage broken"]


def test_trouble_that_comes_back_before_its_end_was_told_is_the_same(world: World) -> None:
    assert trouble(world, "disk full") == ["storage broken"]
    trouble(world, None)
    world.now += MINUTE
    assert trouble(world, "disk full") == []
    trouble(world, None)
    assert world.look(15) == ["storage healed"]


def test_trouble_that_ends_while_it_is_told_ends_for_who_was_told(world: World) -> None:
    def works_again() -> None:
        world.person.while_told = lambda: None
        world.alarms.storage(None)
        world.alarms.look()

    world.person.while_told = works_again
    assert trouble(world, "disk full") == ["storage broken"]
    assert world.look(15) == ["storage healed"]


def test_trouble_is_not_told_where_it_is_not_asked_for(world: World) -> None:
    world.alarms.reload(world.configured('[alerts]\non = ["failed"]\n'))
    assert trouble(world, "disk full") == []


def test_trouble_that_is_no_longer_asked_for_is_over_when_it_is(world: World) -> None:
    assert trouble(world, "disk full") == ["storage broken"]
    world.alarms.reload(world.configured('[alerts]\non = ["failed"]\n'))
    trouble(world, None)
    assert world.look() == ["storage healed"]
