"""Nobody waits for long, and nothing is asked more often than it is worth."""

from __future__ import annotations

import threading
import time

import pytest

from daemon.service.patience import Bounded, Kept, Unanswered


def test_an_answer_and_a_problem_come_through() -> None:
    asked = Bounded(patience=5, most=1)
    assert asked(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        asked(lambda: 1 / 0)
    assert asked(lambda: None) is None


def test_what_hangs_is_waited_for_no_longer_than_that() -> None:
    """And asking again does not pile up threads; when it goes on, there is room again."""
    asked, go_on = Bounded(patience=0.1, most=2), threading.Event()
    before = threading.active_count()
    begun = time.monotonic()
    for _ in range(4):
        with pytest.raises(Unanswered):
            asked(lambda: go_on.wait(10))
    assert time.monotonic() - begun < 2
    assert threading.active_count() == before + 2
    go_on.set()
    ends = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < ends:
        time.sleep(0.01)
    assert asked(lambda: 7) == 7


def test_where_no_thread_can_be_had_no_place_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Bounded(patience=0.1, most=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_more)
        with pytest.raises(RuntimeError):
            asked(lambda: 7)
    assert asked(lambda: 7) == 7


def _no_more(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


class Reading:
    """Something that takes `takes` seconds to read, by a clock that we turn."""

    def __init__(self) -> None:
        self.now, self.takes, self.times, self.fails = 0.0, 0.1, 0, False
        self.kept = Kept(self.read, seconds=10, timer=lambda: self.now)

    def read(self) -> int:
        self.now += self.takes
        self.times += 1
        if self.fails:
            raise OSError("away")
        return self.times


def test_it_is_read_anew_when_it_is_old() -> None:
    reading = Reading()
    assert [reading.kept.get(), reading.kept.get()] == [1, 1]
    reading.now += 9.9
    assert reading.kept.get() == 1
    reading.now += 0.2
    assert reading.kept.get() == 2


def test_what_takes_long_is_read_seldom() -> None:
    """At most a twentieth of the time goes into it."""
    reading = Reading()
    reading.takes = 3.0
    reading.kept.get()
    reading.now += 59
    assert reading.kept.get() == 1
    reading.now += 2
    assert reading.kept.get() == 2


def test_a_problem_is_kept_for_a_moment_only() -> None:
    """So that those who wait do not all run into it; and then it is tried again."""
    reading = Reading()
    reading.kept.get()
    reading.fails, reading.now = True, 100.0
    for _ in range(3):
        with pytest.raises(OSError, match="away"):
            reading.kept.get()
    assert reading.times == 2
    reading.fails, reading.now = False, 102.0
    assert reading.kept.get() == 3


def test_what_was_changed_is_read_anew() -> None:
    reading = Reading()
    reading.kept.get()
    reading.kept.forget()
    assert reading.kept.get() == 2
