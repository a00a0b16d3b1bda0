"""What a service meets in months: long sweeps, long pauses, workers that died, connections that are always busy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import RetryLater
from daemon.platforms.base import OptOut, Push
from daemon.service import due
from daemon.sync.leases import Held, Keeper
from daemon.sync.roster import FUSE, Limit, Rules
from daemon.sync.turn import LOOK_UP
from tests.stories.test_served import Served, during, people, told
from tests.twin import FULL, without
from tests.twin_rows import Row


@pytest.fixture
def new_served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def make(*names: str, **options: Any) -> Served:
        made.append(Served(tmp_path, *(names or ("a", "b")), **options))
        return made[-1]

    yield make
    for world in made:
        world.keeper.close()
        world.store.close()


def next_turn(served: Served, name: str) -> float:
    with served.store.look() as tx:
        return due.turns(tx, served.roster, served.now)[name]


@pytest.mark.parametrize("failures", [8, 2000])
def test_a_connection_that_never_comes_back_is_tried_once_an_hour(
    new_served: Callable[..., Served], failures: int
) -> None:
    served = new_served()
    people(served.a, 1)
    served.turns()
    with served.store.transaction() as tx:
        tx.connections.put("b", failures=failures)
    served.now += 400
    served.b.fail("later", on="changes")
    assert served.turn("b").outcome == "later"
    assert served.now + 1700 < next_turn(served, "b") <= served.now + 3600


@pytest.mark.parametrize("attempts", [8, 2000])
def test_a_push_that_never_wins_is_tried_once_an_hour(new_served: Callable[..., Served], attempts: int) -> None:
    served = new_served()
    (ada,) = people(served.a, 1)
    served.turns()
    (there,) = served.b.rows
    served.a.edit(ada, city="Turin")
    served.now += 300
    served.turn("a")
    with served.store.transaction() as tx:
        row = tx.outbox.listed(connection="b")[0]
        row.attempts = attempts
        tx.outbox.put([row])
    served.b.before_push = lambda push: served.b.edit(there, notes=str(served.b.calls.total()))
    assert served.turn("b").outcome == "done"
    row = next(row for row in served.outbox() if row.connection == "b")
    assert row.due_at == pytest.approx(served.now + 3600, abs=60)


def test_what_a_sweep_has_not_come_to_is_read_before_it_is_written(new_served: Callable[..., Served]) -> None:
    """A sweep that makes room has not read everything: an edit behind it must not be overrun."""
    served = new_served(b={"capabilities": without(FULL, compare_and_swap=False)})
    everybody = people(served.a, 40)
    served.turns()
    served.b.page = 5
    served.now += 8 * 86400
    for id_ in everybody:
        served.a.edit(id_, city="Turin")
    served.turn("a")
    late = max(served.b.rows, key=int)

    def meanwhile(verb: str) -> None:
        if verb == "sweep":
            served.now += LOOK_UP / 2
            if served.b.rows[late]["city"] == "Rome":
                served.b.edit(late, city="Milan")

    served.b.before_call = meanwhile
    served.turn("b")
    assert served.b.blind_writes == 0
    assert served.b.rows[late]["city"] == "Milan"


def test_a_pause_of_days_is_kept(new_served: Callable[..., Served]) -> None:
    """The platform says when to come back: in two days. He is asked once a day, not every
    second."""
    served = new_served()
    people(served.a, 1)
    served.turns()
    served.now += 400
    served.b.fail(RetryLater("closed for the holidays", after=2 * 86400.0), on="changes")
    served.turn("b")
    assert served.turn("b").books["b"].paused
    assert next_turn(served, "b") == pytest.approx(served.now + 86400, abs=60)


def test_a_pause_of_a_clock_that_was_set_back_is_over(new_served: Callable[..., Served]) -> None:
    served = new_served()
    people(served.a, 1)
    served.turns()
    with served.store.transaction() as tx:
        tx.connections.put("b", paused_until=served.now + 400 * 86400, paused_why="away")
    served.now += 400
    assert next_turn(served, "b") <= served.now
    assert served.turn("b").books["b"].paused is None


def test_a_reading_broken_off_at_one_connection_does_not_stop_another_of_the_same_key(
    new_served: Callable[..., Served],
) -> None:
    """a and b share a credential, so whoever works at b holds a as well. The process was killed as it read a, and a
    is now left alone for a while: nobody is in the middle of reading it."""
    served = new_served()
    for name in ("a", "b"):
        served.sides[name] = lambda side: replace(side, budget="one")
    people(served.a, 2)
    served.turns()
    with served.store.transaction() as tx:
        tx.connections.put("a", reading_since=served.now, paused_until=served.now + 9999, paused_why="away")
    served.b.edit(next(iter(served.b.rows)), city="Turin")
    served.now += 400
    served.turns()
    assert [(row.connection, row.approved) for row in served.outbox()] == [("a", 1)]


def test_a_yes_after_our_no_is_heard_though_the_turn_goes_on(new_served: Callable[..., Served]) -> None:
    """A turn may last an hour. Who is told "no" in it, and says yes there after that, is told again."""
    served = new_served(b={"feed_is_sweep": True, "evidence": False})
    everybody = people(served.a, 6)
    served.turns()
    served.b.page = 2
    served.now += 400
    last = max(served.b.rows, key=int)

    def says_no_and_yes() -> None:
        served.a.opt_out(everybody[-1])
        served.turn("a")
        during(served.b, "sweep", 2, lambda: served.b.opt_in(last))

    during(served.b, "sweep", 1, says_no_and_yes)
    served.turn("b")
    for _ in range(3):
        served.now += 8 * 86400
        served.turns()
    assert served.contact(given_name="Ada5").get("consent.sms") == "unsubscribed"
    assert served.b.says_no(last)
    assert len(told(served.b)) == 2


def test_a_sweep_begun_by_an_older_release_goes_on_where_it_was(new_served: Callable[..., Served]) -> None:
    """That one kept one place for both: the feed, read beside the sweep, would put its own there."""
    served = new_served()
    people(served.a, 6)
    served.turns()
    account = served.account("b")
    with served.store.transaction() as tx:
        tx.connections.put("b", sweep=account.sweep + 1, cursor={**account.cursor, "after": 3}, feed=None)
    served.b.page = 1
    served.now += 400
    calls = served.b.calls["sweep"]
    during(served.b, "sweep", 2, lambda: setattr(served, "now", served.now + 400))
    served.b.fail("later", on="sweep", after=2)
    served.turn("b")
    served.now += 400
    served.turn("b")
    assert served.b.calls["sweep"] - calls == 3 + 2  # one of them refused
    assert served.account("b").swept == account.sweep + 1


def test_an_edit_does_not_wait_for_a_moment_in_which_nobody_reads(new_served: Callable[..., Served]) -> None:
    """Of many connections that are read whole each time, one is always in the middle of it."""
    served = new_served("a", "b", "c", "d")
    (ada,) = people(served.a, 1)
    served.turns()
    others = Keeper(served.store, "w2", 9999.0)
    held = {name: others.claim(frozenset({name})) for name in ("c", "d")}
    assert all(held.values())
    served.a.edit(ada, city="Turin")
    for minute in range(60):
        served.now += 60
        with served.store.transaction() as tx:  # c and d by turns, and each begins before the other has ended
            tx.connections.put("cd"[minute % 2], reading_since=served.now)
        for name in ("a", "b"):
            served.turn(name)
    others.close()
    assert [row["city"] for row in served.b.rows.values()] == ["Turin"]


def test_what_passes_the_fuse_in_parts_is_counted_as_one(new_served: Callable[..., Served]) -> None:
    """A bad import is read for hours, and another connection all the while: it stops at the limit."""
    served = new_served("a", "b", "c", rules=Rules(fuse={**FUSE, "update": Limit(20, 5)}))
    everybody = people(served.a, 60)
    served.turns()
    served.a.page = 6
    others = Keeper(served.store, "w2", 99999.0)
    assert others.claim(frozenset({"c"}))
    for id_ in everybody:
        served.a.edit(id_, city="Nowhere")
    served.now += 400

    def meanwhile(verb: str) -> None:
        if verb == "changes":
            served.now += 300
            served.turn("b")

    with served.store.transaction() as tx:
        tx.connections.put("c", reading_since=served.now)
    served.a.before_call = meanwhile
    served.turn("a")
    served.a.heal()
    others.close()
    served.now += 400
    served.turns()
    assert sum(row["city"] == "Nowhere" for row in served.b.rows.values()) <= 20
    assert "b" in {hold.connection for hold in served.holds("fuse")}


def test_a_sweep_of_hours_is_one_plan(new_served: Callable[..., Served]) -> None:
    """It finds a bad import that no feed told of, a few at a time."""
    served = new_served(rules=Rules(fuse={**FUSE, "update": Limit(20, 5)}))
    everybody = people(served.a, 60)
    served.turns()
    served.a.page = 2
    served.now += 8 * 86400
    for id_ in everybody:
        before = served.a.rows[id_]
        served.a.rows[id_] = Row({**before, "city": "Nowhere"}, before.version + 1, served.now)

    def meanwhile(verb: str) -> None:
        served.now += 400 * (verb == "sweep")

    served.a.before_call = meanwhile
    served.turn("a")
    served.a.heal()
    served.now += 400
    served.turn("b")
    assert sum(row["city"] == "Nowhere" for row in served.b.rows.values()) <= 20
    assert [hold.connection for hold in served.holds("fuse")] == ["b"]


@pytest.mark.parametrize("fault", ["person", "later", "lost"])
def test_a_no_that_cannot_be_told_does_not_stop_the_reading(new_served: Callable[..., Served], fault: str) -> None:
    """A key that may read and not write: what is said there is heard all the same, and not a page an hour."""
    served = new_served()
    everybody = people(served.a, 6)
    for id_ in everybody:
        served.a.opt_out(id_)
    for n in range(6):
        served.b.add(phone=f"+1202555{1000 + n}", sms=True)
    served.turn("a")
    served.b.page = 1
    served.b.fail(fault, on="push", times=2)
    report = served.turn("b")
    assert report.books["b"].read >= 6
    assert served.account("b").primed
    assert served.account("b").failures == 1
    assert served.b.calls["push"] == 2, "tried once on the way, and once at the end"
    served.b.heal()
    served.now += 7200
    served.turns()
    assert all(map(served.b.says_no, served.b.rows))


def test_a_clock_set_back_does_not_stop_a_sweep_from_making_room(new_served: Callable[..., Served]) -> None:
    served = new_served(b={"every": 60.0})
    people(served.a, 6)
    served.turns()
    served.b.page = 1
    served.now += 8 * 86400
    (passed, *_) = sorted(served.b.rows, key=int)
    during(served.b, "sweep", 4, lambda: (setattr(served, "now", served.now - 86400), served.b.opt_out(passed)))
    served.turn("b")
    assert [c.get("consent.sms") for c in served.contacts()].count("unsubscribed") == 1


def test_a_clock_set_back_does_not_make_one_turn_of_a_backlog(new_served: Callable[..., Served]) -> None:
    served = new_served(b={"capabilities": without(FULL, batch=1), "every": 60.0})
    everybody = people(served.a, 250)
    served.turns()
    for id_ in everybody:
        served.a.edit(id_, city="Turin")
    served.now += 400
    served.turn("a")
    pushes = len(served.b.pushes)

    def slow(push: Push) -> None:
        del push
        served.now += 1 - 86400 * (len(served.b.pushes) == pushes + 5)

    served.b.before_push = slow
    served.turn("b")
    assert len(served.b.pushes) - pushes <= 40 + 2 * 80, "three slices, of as long as `every`"


def test_a_reading_is_not_fresh_for_a_clock_that_was_set_back(new_served: Callable[..., Served]) -> None:
    """It looks as if it were of the future: whoever is written in bulk is read again all the same."""
    served = new_served(b={"capabilities": without(FULL, compare_and_swap=False), "feed_is_sweep": True})
    everybody = people(served.a, 30)
    served.turns()
    for id_ in everybody:
        served.a.edit(id_, city="Turin")
    served.a.opt_out(everybody[0])
    served.now += 300
    served.turn("a")
    late = max(served.b.rows, key=int)

    def set_back(push: Push) -> None:
        if isinstance(push, OptOut) and served.b.rows[late]["city"] == "Rome":
            served.b.edit(late, city="Milan")
            served.now -= 3600

    served.b.before_push = set_back
    served.turn("b")
    assert served.b.blind_writes == 0


class LosesIt(Keeper):
    """Another worker takes the connection over just before the `at`-th step of a turn."""

    def __init__(self, served: Served, at: int) -> None:
        super().__init__(served.store, "w1", 60.0)
        self.store, self.left = served.store, at

    def holding(self, held: Held) -> AbstractContextManager[None]:
        self.left -= 1
        if self.left == 0:
            with self.store.transaction() as tx:
                assert tx.leases.claim(held.lease.names, "w1", 60.0)  # a later term of it: that of somebody else
        return super().holding(held)


@pytest.mark.parametrize("at", [2, 3])
def test_who_has_lost_its_connection_takes_no_step_over_all_of_them(new_served: Callable[..., Served], at: int) -> None:
    """Not the walk through everybody, nor the count of the fuse: another's turn sees to that."""
    served = new_served()
    (ada,) = people(served.a, 1)
    served.turns()
    served.a.edit(ada, city="Turin")
    served.now += 300
    served.turn("a")
    with served.store.transaction() as tx:
        tx.connections.put("b", plan_after=0 if at == 2 else None)
        tx.outbox.put([replace(row, approved=0) for row in tx.outbox.listed()])
    with contextlib.closing(LosesIt(served, at)) as keeper:
        assert served.turn("b", keeper=keeper).outcome == "later"
    assert served.account("b").plan_after == (0 if at == 2 else None)
    assert [row.approved for row in served.outbox()] == [0]
    assert [row["city"] for row in served.b.rows.values()] == ["Rome"]
