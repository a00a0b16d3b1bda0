"""A worker and a database in trouble: when it looks again. And what it says of a turn."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from daemon.service.metrics import Metrics
from daemon.service.worker import RELAPSE, TROUBLE_WAIT, Running, Worker
from daemon.sync.roster import Roster
from state.store import Store

FULL = OSError(errno.ENOSPC, "No space left on device")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/state.db")
    yield made
    made.close()


def worker(store: Store, clock: Clock) -> Worker:
    return Worker("w", store, Roster(store, {}), Metrics(), threading.Event(), monotonic=clock)


def recovers_after(found: Worker, clock: Clock, most: float = 200.0) -> float:
    """Seconds until it takes the database for well again; it is looked at four times a second."""
    began = clock.now
    while found.ailing is not None:
        found.look()
        clock.now += 0.25
        assert clock.now - began < most
    return clock.now - began


def test_trouble_that_comes_back_at_once_is_waited_out_longer(store: Store) -> None:
    """Room for a try, and not for a turn: it is not said twice a second for as long as that lasts."""
    clock = Clock()
    found = worker(store, clock)
    waits = []
    with structlog.testing.capture_logs() as said:
        for _ in range(8):
            found.fell_ill(FULL)
            found.fell_ill(FULL)  # another turn under way meets the same
            waits.append(recovers_after(found, clock))
    assert waits == sorted(waits)
    assert waits[0] < TROUBLE_WAIT[0] + 1
    assert TROUBLE_WAIT[1] <= waits[-1] < TROUBLE_WAIT[1] + 1
    assert [line["event"] for line in said] == ["database.trouble", "database.recovered"] * 8
    clock.now += RELAPSE + 1
    found.fell_ill(FULL)
    assert recovers_after(found, clock) < TROUBLE_WAIT[0] + 1, "that was another trouble"


def test_nothing_is_due_while_it_ails(store: Store) -> None:
    clock = Clock()
    found = worker(store, clock)
    found.fell_ill(FULL)
    assert found.ailing is not None
    assert "full" in found.ailing.trouble.text
    assert found.look() == {}
    assert found.looked_at == float("-inf"), "it has not been asked"
    clock.now += TROUBLE_WAIT[0]
    found.look()
    assert found.ailing is None
    assert found.looked_at == clock.now


def test_a_turn_that_hangs_is_told_by_the_minute() -> None:
    """In STATUS=, long before it counts as stuck; not more often, for each change is work for systemd."""
    turn = Running(started=0.0, moved=100.0, doing="read 1,200")
    assert turn.words(159.0) == "read 1,200"
    assert turn.words(160.0) == turn.words(219.0) == "read 1,200, nothing new for 1 min"
