"""Turns of the service: what is urgent does not wait for what is long, and no part of a plan passes for the whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.platforms.base import Cursor, OptOut, Page, Push
from daemon.service import due
from daemon.service.metrics import Metrics
from daemon.service.worker import Worker
from daemon.sync import cycle
from daemon.sync.books import Report
from daemon.sync.leases import Keeper
from daemon.sync.roster import Limit, Roster, Rules, Side
from daemon.sync.turn import Options
from daemon.sync.windows import Stretch, Windows
from state.model import Account, Owed
from tests.stories.world import World
from tests.twin import FULL, TwinConnector, TwinPlatform, without

ALWAYS = (Stretch(frozenset(range(7)), 0, 24 * 60),)


class Served(World):
    """Twins whose turns are taken as the service takes them. `seconds`: how long a lease holds."""

    def __init__(self, folder: Path, *names: str, seconds: float = 60.0, **options: Any) -> None:
        super().__init__(folder, *names, **options)
        self.keeper = Keeper(self.store, "w1", seconds)
        self.sides: dict[str, Callable[[Side], Side]] = {}

    @property
    def roster(self) -> Roster:
        made = super().roster
        sides = {name: self.sides.get(name, lambda side: side)(side) for name, side in made.sides.items()}
        return replace(made, sides=sides, keeper=self.keeper)

    def turn(self, name: str, *, keeper: Keeper | None = None) -> Report:
        """One connection's turn, a little later."""
        self.now += 1
        roster = self.roster if keeper is None else replace(self.roster, keeper=keeper)
        report = cycle.run(roster, Options(only=frozenset({name}), due=True, served="w1"))
        assert report.balanced
        assert {n: twin.harm for n, twin in self.twins.items() if twin.harm} == {}
        return report

    def turns(self) -> None:
        """Everybody's, until nothing is due any more."""
        for _ in range(10):
            with self.store.look() as tx:
                late = [n for n, at in due.turns(tx, self.roster, self.now).items() if at <= self.now]
            if not late:
                return
            for name in late:
                self.turn(name)
        raise AssertionError("there is always something due")

    def account(self, name: str) -> Account:
        with self.store.look() as tx:
            return tx.connections.all()[name]


@pytest.fixture
def new_served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def make(**options: Any) -> Served:
        made.append(Served(tmp_path, "a", "b", **options))
        return made[-1]

    yield make
    for world in made:
        world.keeper.close()
        world.store.close()


@pytest.fixture
def served(new_served: Callable[..., Served]) -> Served:
    return new_served()


def people(twin: TwinPlatform, count: int) -> list[str]:
    return [twin.add(phone=f"+1202555{1000 + n}", first=f"Ada{n}", city="Rome", sms=True) for n in range(count)]


def during(twin: TwinPlatform, verb: str, number: int, do: Callable[[], object]) -> None:
    """As the twin is called the `number`th time from now with this verb, something else happens."""
    left = [number]

    def hook(called: str) -> None:
        left[0] -= called == verb
        if left[0] == 0 and called == verb:
            left[0] = -1
            do()

    twin.before_call = hook


def told(twin: TwinPlatform) -> list[Push]:
    return [push for push in twin.pushes if isinstance(push, OptOut) and push.channel == "sms"]


# a "no" does not wait


def test_a_no_goes_out_between_two_pages_of_a_sweep(served: Served) -> None:
    """b is in the middle of reading everything, which may take an hour, as somebody says no at a."""
    everybody = people(served.a, 6)
    served.turns()
    served.b.page = 1
    served.now += 8 * 86400  # a full sweep is due at b
    seen: list[int] = []

    def stop_at_a() -> None:
        served.a.opt_out(everybody[0])
        served.turn("a")
        during(served.b, "sweep", 2, lambda: seen.append(len(told(served.b))))

    during(served.b, "sweep", 2, stop_at_a)
    served.turn("b")
    assert seen == [1]  # told before the page after the next was asked for
    assert served.b.undone() == []


def test_a_no_goes_out_between_two_batches_of_a_backlog(served: Served) -> None:
    served.options["a"]["settings"]["every"] = 1.0
    everybody = people(served.a, 300)
    served.turns()
    for id_ in everybody:
        served.a.edit(id_, city="Turin")
    served.now += 300
    served.turn("a")
    first: list[Push] = []

    def look(push: Push) -> None:
        if not first:
            served.a.opt_out(everybody[7])
            served.turn("a")
        first.append(push)

    served.b.before_push = look
    served.turn("b")
    assert all(row["city"] == "Turin" for row in served.b.rows.values())
    place = next(place for place, push in enumerate(first) if isinstance(push, OptOut))
    assert place <= 40  # behind the batch in hand, and before the others


def test_a_backlog_makes_room_for_the_next_reading(served: Served) -> None:
    """It goes on in the next turn, and does not take one slice of time after another in this one."""
    served.options["b"]["settings"]["every"] = 60.0
    everybody = people(served.a, 300)
    served.turns()
    for id_ in everybody:
        served.a.edit(id_, city="Turin")
    served.now += 300
    served.turn("a")

    def takes_a_second(_: Push) -> None:
        served.now += 1

    served.b.before_push = takes_a_second
    began = served.now
    served.turn("b")
    assert served.now - began <= 60 + 40 + 5  # until its feed is due, and the batch in hand
    assert 0 < len(served.outbox()) < 300


def test_what_is_said_at_a_connection_is_heard_while_it_is_swept(served: Served) -> None:
    """Its feed goes on beside the sweep: a "no" of somebody whom the sweep has passed is not left to the next one."""
    served.options["b"]["settings"]["every"] = 60.0
    people(served.a, 6)
    served.turns()
    served.b.page = 1
    served.now += 8 * 86400
    (passed, *_) = sorted(served.b.rows, key=int)
    heard: list[bool] = []

    def says_no() -> None:
        served.b.opt_out(passed)
        served.now += 70
        during(
            served.b,
            "sweep",
            2,
            lambda: heard.append(any(c.get("consent.sms") == "unsubscribed" for c in served.contacts())),
        )

    during(served.b, "sweep", 4, says_no)
    served.turn("b")
    assert heard == [True]
    assert served.account("b").swept == served.account("b").sweep
    assert served.account("b").feed is None
    served.turn("a")
    assert len(told(served.a)) == 1


def test_a_sweep_that_is_killed_keeps_the_place_of_its_feed(served: Served) -> None:
    served.options["b"]["settings"]["every"] = 60.0
    everybody = people(served.a, 6)
    served.turns()
    served.b.page = 1
    served.now += 8 * 86400
    before = served.account("b").cursor
    served.b.fail("later", on="sweep", after=3)
    served.turn("b")
    assert served.account("b").sweep > served.account("b").swept
    assert served.account("b").feed is not None
    assert served.account("b").feed != before or before == served.account("b").feed
    served.a.edit(everybody[0], city="Turin")
    served.b.opt_out(sorted(served.b.rows, key=int)[1])
    served.now += 300
    served.turns()
    assert served.account("b").swept == served.account("b").sweep
    assert served.contact(given_name="Ada1").get("consent.sms") == "unsubscribed"
    assert served.contact(given_name="Ada0").get("city") == "Turin"


class LooksUpFirst(TwinConnector):
    """Reads all there is, and shows it in pages afterwards: what it shows may be old by then."""

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        pages = list(super().sweep(cursor, resume=resume))
        for page in pages:
            self.site.call("shown")
            yield page

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        return self.sweep(cursor)

    @property
    def feed_is_sweep(self) -> bool:
        return True


def test_an_old_page_does_not_lift_a_no_told_meanwhile(served: Served) -> None:
    """A platform whose pages are looked up beforehand shows a "yes" from before our "no": nobody lifted it."""
    everybody = people(served.a, 6)
    served.sides["b"] = lambda side: replace(side, connect=lambda facts: LooksUpFirst(served.b, facts))
    served.turns()
    served.b.page = 2
    served.now += 300
    during(served.b, "shown", 2, lambda: (served.a.opt_out(everybody[5]), served.turn("a")))
    served.turn("b")
    assert len(told(served.b)) == 1
    served.now += 600
    served.turns()
    assert len(told(served.b)) == 1  # nor is it told again
    assert served.contact(given_name="Ada5").get("consent.sms") == "unsubscribed"


# no part of a plan passes for the whole


def test_the_fuse_waits_for_the_end_of_a_reading(new_served: Callable[..., Served]) -> None:
    """A bad import at a is read page by page, while b takes turn after turn: nothing of it may slip through."""
    rules = Rules(
        fuse={kind: Limit(20, 5) for kind in ("create", "update", "blank", "rekey", "merge", "vanish", "outreach")}
    )
    served = new_served(rules=rules)
    everybody = people(served.a, 60)
    served.turns()
    assert len(served.b.rows) == 60
    served.a.page = 10
    for id_ in everybody:
        served.a.edit(id_, city="")
        served.a.edit(id_, city="Nowhere")
    served.now += 300
    pushes = len(served.b.pushes)
    served.a.before_call = lambda verb: verb == "changes" and served.turn("b")
    served.turn("a")
    served.a.heal()
    served.turns()
    assert served.b.pushes[pushes:] == []
    assert [hold.detail["count"] for hold in served.holds("fuse")] == [60]


def test_what_the_fuse_lets_pass_goes_as_soon_as_the_reading_is_over(served: Served) -> None:
    everybody = people(served.a, 30)
    served.turns()
    served.a.page = 10
    for id_ in everybody:
        served.a.edit(id_, city="Turin")
    served.now += 300
    counts: list[int] = []

    def meanwhile(verb: str) -> None:
        if verb == "changes":
            served.turn("b")
            counts.append(sum(row["city"] == "Turin" for row in served.b.rows.values()))

    served.a.before_call = meanwhile
    served.turn("a")
    assert set(counts) == {0}
    served.a.heal()
    served.turn("b")
    assert all(row["city"] == "Turin" for row in served.b.rows.values())


def test_a_reader_who_died_does_not_stop_the_others_for_ever(new_served: Callable[..., Served]) -> None:
    """The mark of a reading counts as long as somebody is at it or will be at once; not while it rests."""
    served = new_served(seconds=1.0)
    people(served.a, 3)
    served.turns()
    with served.store.transaction() as tx:
        lease = tx.leases.claim(["a"], "w2", 0.3)
        tx.connections.put("a", reading_since=served.now)
    assert lease is not None
    served.b.edit(next(iter(served.b.rows)), city="Turin")
    served.now += 300
    assert served.turn("b").tripped == []
    assert [row.approved for row in served.outbox()] == [0]
    with served.store.look() as tx:  # nor does anybody come back every second to find that out
        assert due.turns(tx, served.roster, served.now + 1).get("a") is None
        assert due.turns(tx, served.roster, served.now + 1)["b"] > served.now + 1
    time.sleep(0.4)
    served.a.fail("later", on="changes")
    served.turn("a")
    served.turn("b")
    assert [row.approved for row in served.outbox()] == [1]
    served.now += 300
    served.turns()
    assert served.account("a").reading_since is None
    assert [row["city"] for row in served.a.rows.values()].count("Turin") == 1


# what goes wrong


def test_a_connection_that_fails_is_not_tried_at_once(served: Served) -> None:
    people(served.a, 1)
    served.turns()
    served.now += 300
    served.b.fail("later", on="any", times=100)
    served.turn("b")
    calls = served.b.calls.total()
    with served.store.look() as tx:
        assert due.turns(tx, served.roster, served.now)["b"] > served.now + 5
    assert served.turn("b").books["b"].paused
    assert served.b.calls.total() == calls


def test_a_backlog_gets_on_though_answers_get_lost(served: Served) -> None:
    """Each turn something is sent before an answer is lost: that is no reason to wait for longer and longer."""
    people(served.a, 60)
    served.b.capabilities = without(FULL, batch=1)
    began = served.now
    for _ in range(20):  # some of the turns are a's, which has nothing to do
        if not served.b._faults:
            served.b.fail("lost", on="push", after=4)
        served.now = max(served.now, next_turn(served))
        served.turns()
        if len(served.b.rows) == 60:
            break
    assert len(served.b.rows) == 60
    assert served.now - began < 400
    assert served.account("b").failures <= 1


def next_turn(served: Served) -> float:
    with served.store.look() as tx:
        return min(due.turns(tx, served.roster, served.now).values())


def lost_races(served: Served) -> tuple[Owed, str]:
    """An edit for b, where somebody is always faster, after one turn of b: what is still owed, and to whom."""
    (ada,) = people(served.a, 1)
    served.turns()
    (there,) = served.b.rows
    served.b.before_push = lambda push: served.b.edit(there, notes=str(served.b.calls.total()))
    served.a.edit(ada, city="Turin")
    served.now += 300
    served.turn("a")
    served.turn("b")
    (row,) = [row for row in served.outbox() if row.connection == "b"]
    return row, there


def test_a_push_that_always_loses_its_race_is_tried_less_and_less(served: Served) -> None:
    row, there = lost_races(served)
    assert row.due_at > served.now + 20
    calls = served.b.calls["push"]
    served.turn("b")
    assert served.b.calls["push"] == calls
    served.b.heal()
    served.now += 1000
    served.turns()
    assert served.b.rows[there]["city"] == "Turin"


def test_a_push_that_waits_goes_at_once_when_it_changes(served: Served) -> None:
    """It lost its races while somebody was typing. The races of one turn count once, and what is edited next is not
    kept waiting for it."""
    row, there = lost_races(served)
    assert 20 < row.due_at - served.now < 40
    served.b.heal()
    served.a.edit(next(iter(served.a.rows)), city="Rome")
    with served.store.transaction() as tx:
        tx.connections.put("a", asked_at=served.now)
    served.turns()
    assert served.b.rows[there]["city"] == "Rome"


def test_a_defect_stops_one_connection_alone(served: Served) -> None:
    (ada,) = people(served.a, 1)
    served.turns()
    served.now += 300
    served.b.fail(ZeroDivisionError("ours"), on="changes")
    report = served.turn("b")
    assert report.outcome == "failed"
    assert served.account("b").failures == 1
    assert "something went wrong in rosterd itself (ZeroDivisionError)" in (served.account("b").paused_why or "")
    served.a.edit(ada, city="Turin")
    assert served.turn("a").outcome == "done"
    served.now += 300
    served.turns()
    assert served.account("b").failures == 0
    assert [row["city"] for row in served.b.rows.values()] == ["Turin"]


def test_a_turn_that_could_not_even_begin_is_counted_as_failed(served: Served) -> None:
    """Pointed at another account: nothing is read, and who looks at the numbers sees it."""
    served.sides["b"] = lambda side: replace(side, account="twin:8@example.org")
    served.turns()
    served.sides["b"] = lambda side: replace(side, account="twin:9@example.org")
    metrics = Metrics()
    worker = Worker("w1", served.store, served.roster, metrics, threading.Event())
    assert worker.turn("b") is None
    assert 'rosterd_turns_total{connection="b",outcome="failed"} 1.0' in metrics.exposition().decode()
    assert served.account("b").failures == 1


def test_whoever_lost_the_connection_in_a_call_writes_nothing_of_it(new_served: Callable[..., Served]) -> None:
    """Another worker has read it meanwhile: the page in hand is thrown away, and so is the end of the turn."""
    served = new_served(seconds=0.2)
    people(served.a, 2)
    served.turns()
    other = Keeper(served.store, "w2", 60.0)
    (ada, _) = served.a.rows
    served.a.edit(ada, city="Turin")
    served.now += 300

    def overtake() -> None:
        served.keeper._ending.set()  # our heart stops: the machine is suspended
        time.sleep(0.3)
        served.now += 1
        served.turn("a", keeper=other)

    during(served.a, "changes", 1, overtake)
    report = served.turn("a")
    assert report.outcome == "later"
    assert report.books["a"].paused
    assert report.books["a"].pages == 0
    assert served.account("a").failures == 0
    other.close()


def test_a_connection_that_another_worker_has_is_left_to_it(served: Served) -> None:
    people(served.a, 1)
    served.turns()
    with served.store.transaction() as tx:
        assert tx.leases.claim(["a"], "w2", 60.0)
    calls = served.a.calls.total()
    report = served.turn("a")
    assert (report.outcome, report.books["a"].paused) == ("later", "another worker is at it")
    assert served.a.calls.total() == calls


# when


def test_whoever_asks_is_served_at_once_and_once(served: Served) -> None:
    people(served.a, 1)
    served.turns()
    with served.store.transaction() as tx:
        tx.connections.put("a", asked_at=served.now)
    with served.store.look() as tx:
        assert due.turns(tx, served.roster, served.now)["a"] == served.now
    calls = served.a.calls["changes"]
    served.turn("a")
    assert served.a.calls["changes"] == calls + 1
    served.turns()
    assert served.a.calls["changes"] == calls + 1


def test_at_night_only_a_no_is_sent(served: Served) -> None:
    ada, bob = people(served.a, 2)
    served.turns()
    served.sides["b"] = lambda side: replace(side, windows=Windows(quiet_hours=ALWAYS))
    served.a.edit(ada, city="Turin")
    served.a.opt_out(bob)
    served.now += 300
    served.turn("a")
    report = served.turn("b")
    assert report.quiet == ["b"]
    assert len(told(served.b)) == 1
    assert "Turin" not in {row["city"] for row in served.b.rows.values()}
    with served.store.look() as tx:
        assert due.turns(tx, served.roster, served.now)["b"] > served.now  # nobody comes back every second
    served.sides.clear()
    served.turns()
    assert "Turin" in {row["city"] for row in served.b.rows.values()}


def test_in_its_maintenance_a_platform_is_left_alone(served: Served) -> None:
    people(served.a, 1)
    served.turns()
    served.sides["b"] = lambda side: replace(side, windows=Windows(maintenance=ALWAYS))
    served.now += 300
    calls = served.b.calls.total()
    assert "maintenance" in (served.turn("b").books["b"].paused or "")
    assert served.b.calls.total() == calls
    with served.store.look() as tx:
        assert due.turns(tx, served.roster, served.now)["b"] > served.now + 3600


def test_how_long_a_no_took_is_known(served: Served) -> None:
    (ada,) = people(served.a, 1)
    served.turns()
    served.now += 290
    served.a.opt_out(ada)
    served.now += 20
    served.turn("a")
    report = served.turn("b")
    assert report.told["b"] == [pytest.approx(22, abs=2)]
    with served.store.look() as tx:
        hours = {hour.connection: hour for hour in tx.hours.since(0) if hour.told}
    assert (hours["b"].told, hours["b"].told_slowest) == (1, pytest.approx(22, abs=2))
