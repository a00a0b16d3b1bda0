"""Who goes next through one budget, what a server says of it, and what is known of its use."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from daemon.errors import Overtaken
from daemon.platforms.gate import Freshness, Gate, Guarded
from tests.unit.platforms.test_gate import Time, passes


class Door:
    """A gate whose first caller stands in it until the test lets them pass."""

    def __init__(self) -> None:
        self.open, self.inside = threading.Event(), threading.Event()
        self.gate = Gate(1.0, sleep=self._sleep)
        self.order: list[str] = []
        self._threads: list[threading.Thread] = []
        self.gate.acquire()  # from now on everybody waits
        self.comes("first", Freshness.BACKFILL)
        assert self.inside.wait(5)

    def _sleep(self, _: float) -> None:
        self.inside.set()
        assert self.open.wait(5)

    def comes(self, name: str, freshness: Freshness, gate: Guarded | None = None) -> None:
        """Somebody more waits, behind all who do already."""
        before = len(self.gate._waiting)

        def pass_through() -> None:
            self.gate.acquire(freshness) if gate is None else gate.acquire()
            self.order.append(name)

        self._threads.append(threading.Thread(target=pass_through, daemon=True))
        self._threads[-1].start()
        if name != "first":
            _until(lambda: len(self.gate._waiting) == before + 1)

    def opens(self) -> list[str]:
        self.open.set()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        return self.order


def _until(test: Callable[[], bool]) -> None:
    for _ in range(5000):
        if test():
            return
        threading.Event().wait(0.001)
    raise AssertionError


def test_the_freshest_goes_first_and_among_equals_who_came_first() -> None:
    door = Door()
    for name, freshness in [
        ("sweep 1", Freshness.BACKFILL),
        ("edit 1", Freshness.PROFILE),
        ("sweep 2", Freshness.BACKFILL),
        ("no 1", Freshness.CONSENT),
        ("edit 2", Freshness.PROFILE),
        ("no 2", Freshness.CONSENT),
    ]:
        door.comes(name, freshness)
    assert door.opens() == ["first", "no 1", "no 2", "edit 1", "edit 2", "sweep 1", "sweep 2"]


def test_a_guard_says_how_fresh_its_call_is() -> None:
    door = Door()
    usual, urgent = Guarded(door.gate), Guarded(door.gate)
    urgent.freshness = Freshness.CONSENT
    door.comes("usual", Freshness.PROFILE, usual)
    door.comes("urgent", Freshness.PROFILE, urgent)
    assert door.opens() == ["first", "urgent", "usual"]


def test_a_wait_that_is_broken_off_lets_the_next_one_in() -> None:
    """A stop is raised out of the sleep of whoever is first: nobody stands behind a closed door for ever."""

    def stop(_: float) -> None:
        raise Overtaken("asked to end")

    gate = Gate(1.0, sleep=stop)
    gate.acquire()
    for _ in range(3):
        with pytest.raises(Overtaken):
            gate.acquire()


def test_a_guard_asks_before_the_wait_and_after_it() -> None:
    """The wait may have been long: the lease can be lost meanwhile."""
    time, answers = Time(), [True, False]

    def may() -> None:
        if not answers.pop(0):
            raise Overtaken("another worker has it")

    gate = Gate(1.0, clock=time.clock, sleep=time.sleep)
    guarded = Guarded(gate, may=may)
    with pytest.raises(Overtaken):
        guarded.acquire()
    assert answers == []
    answers[:] = [False]
    before = time.now
    with pytest.raises(Overtaken):
        guarded.acquire()
    assert time.now == before, "it did not even wait"


# what a server says


def test_none_left_until_the_window_begins_anew() -> None:
    time = Time()
    gate = Gate(10, clock=time.clock, sleep=time.sleep)
    gate.told(remaining=0, reset=20)
    assert passes(gate, time, 1) == [120.0]


def test_what_is_left_is_spread() -> None:
    """Four calls for twenty seconds: somebody else uses the credential too. Nothing is refused, nothing squandered."""
    time = Time()
    gate = Gate(10, clock=time.clock, sleep=time.sleep)
    times = []
    for left in (4, 3, 2, 1, 0):
        gate.told(remaining=left, reset=120.0 - time.now)
        times += passes(gate, time, 1)
    assert times == [pytest.approx(100 + 4 * n) for n in (1, 2, 3, 4, 5)]


def test_enough_left_changes_nothing() -> None:
    time = Time()
    gate = Gate(10, clock=time.clock, sleep=time.sleep)
    gate.told(remaining=200, reset=20)
    assert passes(gate, time, 10)[-1] == 100.0
    unlimited = Gate(None, clock=time.clock, sleep=time.sleep)
    unlimited.told(remaining=1, reset=20)
    assert passes(unlimited, time, 1) == [100.0]


# what is known of it


def test_how_much_is_used() -> None:
    """Of the calls that a minute allows, those of the last minute."""
    time = Time()
    gate = Gate(0.5, clock=time.clock, sleep=time.sleep)
    assert gate.used == 0.0
    passes(gate, time, 15)
    assert gate.used == pytest.approx(15 / 30)
    time.now += 61
    assert gate.used == 0.0
    assert Gate(None).used == 0.0


def test_two_who_share_a_credential_go_at_the_slower_rate() -> None:
    time = Time()
    gate = Gate(10, clock=time.clock, sleep=time.sleep)
    gate.slow_to(1)
    gate.slow_to(5)
    assert gate.rate == 1
    assert passes(gate, time, 3) == [100.0, 101.0, 102.0]
