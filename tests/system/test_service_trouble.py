"""What goes wrong around a running service: platforms, the database, the clock. Said once, and its end once."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.wire import Request, Response, answer
from tests.system.service_world import Service, ServiceWorld, service_world, wait_for
from tests.system.test_disk_trouble import MOUNTS, _mounted, filled


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServiceWorld]:
    with service_world(tmp_path) as world:
        yield world


# platforms


def test_a_platform_that_is_down_and_comes_back(world: ServiceWorld) -> None:
    """One line when it fails, one when it is well again, less and less calls between; the other is read all the time,
    and what was waiting arrives."""
    world.people(2)
    with world.serve(patience={"LOOK": 0.2}) as service:
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "the contacts")
        world.sandbox.faults.add("401", platform="telerivet", times=None)
        service.saw("connection.failed", connection="telerivet", error=lambda text: "refused our key" in text)
        calls, mark = world.polls("telerivet"), service.mark()
        world.edit_all("Oslo")
        for _ in range(3):
            service.saw("run.finished", connection="strive", start=mark)
            mark = service.mark()
        assert world.polls("telerivet") == calls, "a key that is refused is not tried over and over"
        world.sandbox.faults.clear()
        service.signal(signal.SIGUSR1)
        service.saw("connection.recovered", connection="telerivet", failures=1)
        wait_for(lambda: set(world.cities()) == {"Oslo"}, "what was waiting")
        assert len(service.lines("connection.failed")) == len(service.lines("connection.recovered")) == 1
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()


def test_a_platform_that_asks_to_wait(world: ServiceWorld) -> None:
    """For longer than a turn should last: no busy loop, though `every` is a second. The pause stands in the database: a
    restart forgets neither that nor what was said."""
    world.sandbox.faults.add("429", platform="telerivet", retry_after=100, times=None)
    with world.serve() as service:
        service.saw("connection.failed", connection="telerivet", error=lambda text: "busy (429)" in text)
        assert service.ends(signal.SIGTERM) == 0
    assert world.polls("telerivet") == 1
    with world.serve() as service:
        for _ in range(3):
            mark = service.mark()
            service.saw("run.finished", connection="strive", start=mark)
        assert service.ends(signal.SIGTERM) == 0
        assert not service.lines("connection.failed")
    assert world.polls("telerivet") == 1


def test_a_key_that_is_mended_before_a_start(world: ServiceWorld) -> None:
    """It is tried at once, and not when its hour is over."""
    world.sandbox.faults.add("401", platform="telerivet", times=None)
    with world.serve() as service:
        service.saw("run.finished", connection="telerivet", outcome="failed")
        assert service.ends(signal.SIGTERM) == 0
    world.sandbox.faults.clear()
    with world.serve() as service:
        service.saw("connection.recovered", connection="telerivet", failures=1)
        assert service.ends(signal.SIGTERM) == 0


def test_an_answer_of_a_shape_that_nobody_expected(world: ServiceWorld) -> None:
    """Whatever a defect of ours makes of it, it concerns this connection alone, and is not tried in a loop."""
    world.people(2)
    api: Any = world.sandbox.accounts["telerivet"].api
    real: Callable[[Request], Response] = api.respond
    api.respond = lambda request: answer(200, {"data": [[1], None, {"id": {}}], "paging": 7, "next_marker": [3]})
    with world.serve(patience={"FIRST_PAUSE": 6.0}) as service:
        service.saw("connection.failed", connection="telerivet")
        calls, mark = world.polls("telerivet"), service.mark()
        for _ in range(3):
            service.saw("run.finished", connection="strive", outcome="done", start=mark)
            mark = service.mark()
        assert world.polls("telerivet") <= calls + 3
        api.respond = real
        service.saw("connection.recovered", connection="telerivet", within=40)
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "the contacts")
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()


def test_a_write_that_the_database_refuses(world: ServiceWorld) -> None:
    """A row of one connection that must not be: the database is well, so the others go on, and the one is tried again
    later, not in a loop."""
    world.people(2)
    world.shell("sync")
    with closing(sqlite3.connect(world.folder / "state.db")) as db:
        bad = "new.connection = 'telerivet' and new.external_id is not null"
        db.execute(f"create trigger bad before insert on links when {bad} begin select raise(abort, 'no'); end")
    world.sandbox.telerivet.add_contact(phone_number="+12025550150", name="Bob Bad")
    with world.serve(defects=True, patience={"FIRST_PAUSE": 8.0}) as service:
        service.saw("connection.failed", connection="telerivet", error=lambda text: "rosterd itself" in text)
        calls, mark = world.polls("telerivet"), service.mark()
        for _ in range(4):
            service.saw("run.finished", connection="strive", outcome="done", start=mark)
            mark = service.mark()
        assert world.polls("telerivet") <= calls + 3
        assert len(service.lines("turn.defect")) <= 2
        assert not service.lines("database.trouble")
        assert service.ends(signal.SIGTERM) == 0
    with closing(sqlite3.connect(world.folder / "state.db")) as db:
        db.execute("drop trigger bad")
    with world.serve() as service:
        service.saw("connection.recovered", connection="telerivet", within=40)
        wait_for(lambda: len(world.sandbox.strive) == 3, "Bob")
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()


# a turn that hangs


def test_a_turn_that_hangs_is_not_petted(world: ServiceWorld) -> None:
    """WATCHDOG stops, so that systemd restarts us; /healthz says which turn it is. The signal for that ends it."""
    world.people(2)
    world.table("service", listen="127.0.0.1:0", drain="1s")
    world.sandbox.faults.add("hang", platform="strive", path="members", seconds=60)
    with world.serve(watchdog=0.4, patience={"STUCK": 1.5}) as service:
        wait_for(lambda: world.sandbox.faults.struck, "the hanging call")
        found = wait_for(lambda: (said := service.get("/healthz"))[0] == 503 and said, "bad health")
        assert "the turn of strive hangs" in found[1]
        beats = len(service.manager.times("WATCHDOG"))
        assert beats >= 1, "it was well at first"
        wait_for(lambda: time.monotonic() - service.manager.times("WATCHDOG")[-1] > 1.5, "silence")
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()


# the clock


def test_a_clock_that_jumps(world: ServiceWorld, tmp_path: Path) -> None:
    """An hour on, and an hour back: it goes on within seconds, reads what is due once and no more, and says so."""
    world.people(2)
    world.defaults(every="2s")
    clock = tmp_path / "clock"
    clock.write_text("-3600")
    with world.serve(patience={"STAGGER": 1.5}, env={"CLOCK": str(clock)}) as service:
        service.saw("run.started")
        jumps(service, clock, -7200.0)  # the others are late too, and staggered by the clock before
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "the contacts")
        jumps(service, clock, -3600.0)
        world.edit_all("Oslo")
        wait_for(lambda: set(world.cities()) == {"Oslo"}, "the edits", within=10)
        assert service.ends(signal.SIGTERM) == 0
    clock.unlink()
    world.agrees()


def jumps(service: Service, clock: Path, wrong: float) -> None:
    """From now on the clock is wrong by so much: both connections are read within seconds, and not in a storm."""
    by, mark = wrong - float(clock.read_text()), service.mark()
    clock.write_text(str(wrong))
    assert abs(service.saw("clock.jumped", start=mark)["seconds"] - by) < 3
    began, mark = time.monotonic(), service.mark()
    for _ in range(2):
        for name in ("strive", "telerivet"):
            service.saw("run.finished", connection=name, start=mark, within=10)
    seconds = time.monotonic() - began
    assert seconds < 10
    assert len(service.lines("run.finished", start=mark)) <= 2 * (seconds / 2 + 1) + 4, service.told()


# the database


@pytest.fixture
def on_a_small_disk(tmp_path: Path) -> Iterator[tuple[ServiceWorld, Path]]:
    """The database is on a disk of its own where we may mount one, otherwise in a folder of its own."""
    home, disk = tmp_path / "home", tmp_path / "disk"
    home.mkdir()
    disk.mkdir(mode=0o700)
    mounted = _mounted(disk, "12m")
    try:
        with service_world(home) as world:
            world.replace("sqlite:///state.db", f"sqlite:///{disk}/db/state.db")
            world.people(10)
            yield world, disk
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def _no_room(service: Service, disk: Path) -> Iterator[None]:
    """The disk is full; where we may mount none, the files of the process may not grow, as under a quota."""
    if MOUNTS:
        with filled(disk):
            yield
        return
    soft, hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (64 << 10, hard))
    yield
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _gone(_: Service, disk: Path) -> Iterator[None]:
    """As if its disk had been unmounted."""
    (disk / "db").rename(disk / "elsewhere")
    yield
    (disk / "elsewhere").rename(disk / "db")


@pytest.mark.parametrize(("away", "kind"), [(_no_room, "full"), (_gone, "away")])
def test_a_database_that_cannot_be_used_for_a_while(
    on_a_small_disk: tuple[ServiceWorld, Path], away: Callable[..., AbstractContextManager[None]], kind: str
) -> None:
    """Said once, in the log and in STATUS; no turn is begun, no platform asked; it goes on by itself."""
    world, disk = on_a_small_disk
    with world.serve(watchdog=0.6) as service:
        wait_for(lambda: len(world.sandbox.telerivet) == 10, "the contacts")
        with away(service, disk):
            world.edit_all("Oslo")
            service.saw("database.trouble", kind=kind)
            service.manager.wait("STATUS", f"^waiting: the (disk of the )?database is {kind}")
            calls, lines, beats = len(world.sandbox.calls()), service.mark(), len(service.manager.times("WATCHDOG"))
            wait_for(lambda: len(service.manager.times("WATCHDOG")) > beats + 6, "it is alive")
            assert len(world.sandbox.calls()) - calls <= 6, "turns that were under way may end"
            assert service.mark() - lines <= 8, service.told()
        service.saw("database.recovered")
        wait_for(lambda: set(world.cities()) == {"Oslo"}, "the edits")
        assert service.ends(signal.SIGTERM) == 0
    assert len(service.lines("database.trouble")) == len(service.lines("database.recovered")) == 1
    world.agrees()


# long


def test_hundreds_of_turns_leak_nothing(world: ServiceWorld) -> None:
    """Files, threads and memory are as they were."""
    world.people(5)
    with world.serve("-v", patience={"LOOK": 0.02, "STAGGER": 0.0}) as service:
        wait_for(lambda: len(world.sandbox.telerivet) == 5, "the contacts")

        def turns(count: int) -> None:
            wanted = len(service.lines("run.finished")) + count
            while len(service.lines("run.finished")) < wanted:
                service.signal(signal.SIGUSR1)
                mark = service.mark()
                service.saw("run.finished", start=mark)

        turns(60)
        files, threads, memory = service.open_files(), _threads(service), service.memory()
        turns(240)
        assert service.open_files() <= files + 3
        assert _threads(service) <= threads + 3
        assert service.memory() - memory < 8 << 20, f"{(service.memory() - memory) >> 10} kB more"
        assert service.ends(signal.SIGTERM) == 0


def _threads(service: Service) -> int:
    return len(list(Path(f"/proc/{service.pid}/task").iterdir()))
