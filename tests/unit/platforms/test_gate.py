"""The budget of calls."""

from __future__ import annotations

import random
import threading

import pytest

from daemon.platforms.gate import Gate


class Time:
    """A clock that sleeping moves; it wakes a little late, like real ones."""

    def __init__(self, late: float = 0.0) -> None:
        self.now, self.late = 100.0, late
        self.dice = random.Random(1)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.dice.uniform(0, self.late)


def passes(gate: Gate, time: Time, count: int) -> list[float]:
    found = []
    for _ in range(count):
        gate.acquire()
        found.append(time.now)
    return found


def busiest(times: list[float], window: float) -> int:
    """The most passes in any window."""
    return max(sum(1 for other in times if 0 <= other - one < window - 1e-9) for one in times)


@pytest.mark.parametrize("late", [0.0, 0.2])
@pytest.mark.parametrize(("rate", "window"), [(20.0, 1.0), (3.0, 1.0), (1.0, 1.0), (0.5, 2.0)])
def test_no_window_ever_holds_more_than_the_rate(rate: float, window: float, late: float) -> None:
    time = Time(late)
    gate = Gate(rate, clock=time.clock, sleep=time.sleep)
    times = passes(gate, time, 100)
    assert busiest(times, window) <= max(1, rate)
    assert times[-1] - times[0] == pytest.approx(99 / rate, rel=0.35)


def test_without_a_rate_nobody_waits() -> None:
    time = Time()
    gate = Gate(None, clock=time.clock, sleep=time.sleep)
    assert passes(gate, time, 1000)[-1] == 100.0


def test_a_pause_holds_everybody_and_the_longest_counts() -> None:
    time = Time()
    gate = Gate(None, clock=time.clock, sleep=time.sleep)
    gate.pause(30)
    gate.pause(5)
    assert passes(gate, time, 2) == [130.0, 130.0]


def test_an_adaptive_gate_halves_and_recovers_slowly() -> None:
    time = Time()
    gate = Gate(4, adaptive=True, clock=time.clock, sleep=time.sleep)
    gate.refused()
    assert gate.share == 0.5
    times = passes(gate, time, 40)
    assert busiest(times, 2.0) <= 4
    for _ in range(34):
        gate.went_well()
    assert 0.95 < gate.share < 1.0
    for _ in range(10):
        gate.went_well()
    assert gate.share == 1.0


def test_an_adaptive_gate_never_closes_for_good() -> None:
    gate = Gate(4, adaptive=True)
    for _ in range(100):
        gate.refused()
    assert gate.share == Gate.SLOWEST


def test_a_published_rate_is_kept_whatever_the_server_says() -> None:
    gate = Gate(4)
    gate.refused()
    assert gate.share == 1.0


def test_threads_share_the_budget() -> None:
    gate = Gate(20)
    passed: list[float] = []

    def work() -> None:
        import time

        for _ in range(6):
            gate.acquire()
            passed.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 30
    assert busiest(passed, 0.98) <= 20


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_a_rate_is_above_zero(rate: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Gate(rate)
