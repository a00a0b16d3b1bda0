"""What the service does for its database between other work: a little at a time, and by night what takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from daemon.service.keeping import Keeping, at_night, next_night
from daemon.service.run import Service
from daemon.service.worker import Running
from daemon.settings import Settings, mappings
from state import upkeep
from state.model import Noted
from state.store import Store
from state.tables import journal

DAY = 86400.0
NOON = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))
NIGHT = time.mktime((2026, 3, 5, 2, 30, 0, 0, 0, -1))


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path}/state.db")) as opened:
        yield opened


def settings(tmp_path: Path, **keep: object) -> Settings:
    one = {"platform": "strive", "campaign_id": 273, "api_key": "strive-key-1"}
    state = {"url": f"sqlite:///{tmp_path}/state.db"}
    tree = {"state": state, "keep": {"rows": 10, **keep}, "connections": {"strive": one}}
    return Settings.model_validate(tree, context={"folder": tmp_path})


def add_old(store: Store, count: int, at: float = NOON - 500 * DAY) -> None:
    with store.transaction() as tx:
        tx.journal.add([Noted("took", {}, 1, at=at)] * count)


def left(store: Store) -> int:
    with store.look() as tx:
        return len(tx.db.execute(select(journal.c.id)).all())


def test_old_rows_go_in_steps_and_are_told_of_once(store: Store, tmp_path: Path) -> None:
    add_old(store, 25)
    keeping = Keeping(settings(tmp_path), store, clock=Clock(NOON))
    with capture_logs() as logs:
        steps = [(keeping.step(), left(store)) for _ in range(4)]
    assert steps == [(True, 15), (True, 5), (False, 0), (False, 0)]
    assert logs == [{"event": "keeping.pruned", "journal": 25, "log_level": "info"}]


def test_it_comes_again_the_next_night(store: Store, tmp_path: Path) -> None:
    clock = Clock(NOON)
    keeping = Keeping(settings(tmp_path), store, clock=clock)
    assert not keeping.step()
    add_old(store, 3)
    clock.now = keeping.due_at - 1
    assert not keeping.step()
    assert left(store) == 3
    clock.now = keeping.due_at
    keeping.step()
    assert left(store) == 0
    assert at_night(clock.now)
    assert clock.now < keeping.due_at <= clock.now + DAY + 3600


def test_a_restart_in_the_middle_goes_on(store: Store, tmp_path: Path) -> None:
    """Nothing is written down but the rows themselves."""
    add_old(store, 25)
    clock = Clock(NOON)
    assert Keeping(settings(tmp_path), store, clock=clock).step()
    again = Keeping(settings(tmp_path), store, clock=clock)
    while again.step():
        pass
    assert left(store) == 0


def test_the_ages_are_as_configured(store: Store, tmp_path: Path) -> None:
    add_old(store, 1, NOON - 20 * DAY)
    Keeping(settings(tmp_path, journal="30d"), store, clock=Clock(NOON)).step()
    assert left(store) == 1
    Keeping(settings(tmp_path, journal="10d"), store, clock=Clock(NOON)).step()
    assert left(store) == 0


def test_a_clock_that_jumps_costs_nothing_young(store: Store, tmp_path: Path) -> None:
    """Back: it waits. Nothing is done twice."""
    clock = Clock(NOON)
    keeping = Keeping(settings(tmp_path), store, clock=clock)
    add_old(store, 1, NOON - 1)
    keeping.step()
    clock.now -= 1000 * DAY
    assert not keeping.step()
    assert left(store) == 1


# the file


@pytest.fixture
def hollow(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Most of the file is room that was given up; a small file counts as a large one here."""
    monkeypatch.setattr(upkeep, "WORTH", 1 << 20)
    add_old(store, 40_000)
    with store.transaction() as tx:
        tx.db.execute(text("delete from journal"))
    return store


def size(store: Store) -> int:
    assert store.path is not None
    return store.path.stat().st_size


def test_a_hollow_file_shrinks_at_night_and_says_so_once(hollow: Store, tmp_path: Path) -> None:
    clock = Clock(NIGHT)
    keeping = Keeping(settings(tmp_path), hollow, clock=clock)
    with capture_logs() as logs:
        keeping.step()
        clock.now = keeping.due_at
        keeping.step()
    assert [each["event"] for each in logs] == ["keeping.shrunk"]
    assert size(hollow) < 1 << 20
    assert hollow.check() == []


def test_not_by_day(hollow: Store, tmp_path: Path) -> None:
    before = upkeep.room(hollow).size
    Keeping(settings(tmp_path), hollow, clock=Clock(NOON)).step()
    assert upkeep.room(hollow).size == before


def test_nor_for_little(store: Store, tmp_path: Path) -> None:
    add_old(store, 2000)
    with store.transaction() as tx:
        tx.db.execute(text("delete from journal"))
    before = upkeep.room(store)
    assert before.free > before.size / 4
    Keeping(settings(tmp_path), store, clock=Clock(NIGHT)).step()
    assert upkeep.room(store).size == before.size


def test_nor_where_there_is_no_room_to_do_it_in(hollow: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = upkeep.room(hollow).size
    monkeypatch.setattr(upkeep.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with capture_logs() as logs:
        Keeping(settings(tmp_path), hollow, clock=Clock(NIGHT)).step()
    assert upkeep.room(hollow).size == before
    (said,) = logs
    assert (said["event"], said["log_level"]) == ("keeping.not_shrunk", "warning")
    assert "0 MB are free" in said["why"]


def test_writers_wait_while_it_shrinks_and_lose_nothing(hollow: Store, tmp_path: Path) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            add_old(hollow, 1, NIGHT)
            written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        Keeping(settings(tmp_path), hollow, clock=Clock(NIGHT)).step()
    finally:
        stop.set()
        writer.join()
    assert left(hollow) == len(written)
    assert upkeep.room(hollow).size < 1 << 20


def test_the_log_is_brought_into_the_file(store: Store, tmp_path: Path) -> None:
    add_old(store, 500, NOON)
    log = tmp_path / "state.db-wal"
    assert log.stat().st_size > 0
    Keeping(settings(tmp_path), store, clock=Clock(NOON)).step()
    assert log.stat().st_size == 0


def test_no_statistics_are_gathered(store: Store, tmp_path: Path) -> None:
    """Those of a small table make SQLite walk through it, also when it has become a large one."""
    add_old(store, 50, NOON)
    for now in (NOON, NIGHT):
        Keeping(settings(tmp_path), store, clock=Clock(now)).step()
    with store.look() as tx:
        assert tx.db.execute(text("select count(*) from sqlite_schema where name like 'sqlite_stat%'")).scalar() == 0


def test_on_postgresql_one_worker_prunes_at_a_time(pg_url: str, tmp_path: Path) -> None:
    """And there is no file to look after."""
    clock = Clock(NOON)
    with closing(Store(pg_url)) as one, closing(Store(pg_url)) as other:
        add_old(one, 5)
        with one.engine.begin() as busy:
            busy.execute(text("select pg_advisory_xact_lock(7263847)"))
            assert not Keeping(settings(tmp_path), other, clock=clock).step()
            assert left(one) == 5
        Keeping(settings(tmp_path), other, clock=clock).step()
        assert left(one) == 0


# when


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_every_night_comes_once(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the nights when the clocks change."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        now, nights = 1_770_000_000.0, []
        for _ in range(400):
            now = next_night(now)
            nights.append(now)
        gaps = {round((later - earlier) / 3600, 1) for earlier, later in pairwise(nights)}
        assert all(23 <= gap <= 25 for gap in gaps)
        assert all(at_night(night) or time.localtime(night).tm_hour in (1, 3) for night in nights)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_old_rows_go_also_where_something_is_always_under_way(tmp_path: Path) -> None:
    """Of many connections one always has its turn; then it is a few rows a minute, and the file is left as it is."""
    found = settings(tmp_path)
    service = Service(lambda: (found, mappings(found)))
    with closing(Store(found.state.url)) as store:
        add_old(store, 25, at=1.0)
        service._prepare(store)
        service.worker.running["strive"] = Running(0.0, 0.0)
        service._keep()
        assert left(store) == 15
        service._keep()
        service._keep()
        assert left(store) == 0
        service.worker.running.clear()
        add_old(store, 25, at=1.0)
        service.keeping._due = 0.0
        service._keep()
        assert left(store) == 0
