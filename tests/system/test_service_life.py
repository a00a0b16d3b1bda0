"""`rosterd run` from its start to its end: what it says to systemd, and signals at awkward moments."""

from __future__ import annotations

import contextlib
import itertools
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command

from state import migrate
from state.engine import engine
from tests.system.cli_world import environment
from tests.system.service_world import ServiceWorld, service_world, wait_for


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServiceWorld]:
    with service_world(tmp_path) as world:
        yield world


def test_it_says_how_it_is_from_start_to_end(world: ServiceWorld) -> None:
    """READY once it has begun, WATCHDOG while it works, STATUS what it does, STOPPING last; one line for each start
    and end of a run."""
    world.people(3)
    with world.serve(watchdog=0.8) as service:
        service.ready()
        assert service.lines("service.started")
        service.manager.wait("STATUS", r"^at work: (strive|telerivet) \(")
        service.manager.wait("STATUS", r"^idle; next: (strive|telerivet) at \d\d:\d\d:\d\d")
        service.saw("run.finished", connection="telerivet", created=3, outcome="done", calls=lambda n: n > 3)
        wait_for(lambda: len(service.manager.times("WATCHDOG")) > 4, "WATCHDOG")
        assert service.ends(signal.SIGTERM) == 0
    beats = service.manager.times("WATCHDOG")
    assert max(b - a for a, b in itertools.pairwise(beats)) < 4, "systemd would have taken it for hung"
    assert service.manager.heard.all()[-1]["STOPPING"] == "1"
    begun, ended = (len(service.lines(f"run.{what}")) for what in ("started", "finished"))
    assert begun == ended
    assert service.lines("service.stopped", drained=True)
    assert service.plain == []
    world.agrees()


def test_a_database_of_the_release_before_is_upgraded_and_that_is_said(world: ServiceWorld) -> None:
    """Once: who looks why the new version cannot be taken back finds it in the log."""
    world.people(1)
    made = engine(f"sqlite:///{world.folder}/state.db", foreign_keys=False)
    with made.begin() as connection:
        before = migrate._config()
        before.attributes["connection"] = connection
        command.upgrade(before, "0002")
    made.dispose()
    with world.serve() as service:
        service.saw("database.upgraded", before="0002", now=migrate.HEAD)
        wait_for(lambda: len(world.sandbox.telerivet) == 1, "the contact")
        assert service.ends(signal.SIGTERM) == 0
    with world.serve() as service:
        service.idle()
        assert not service.lines("database.upgraded")
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()


def test_an_idle_one_says_nothing_and_ends_at_once(world: ServiceWorld) -> None:
    """Each STATUS is work for systemd, and for everybody who watches it there."""
    world.defaults(every="1h")
    with world.serve(watchdog=0.2) as service:
        service.manager.wait("STATUS", "^idle; next: ")
        for name in ("strive", "telerivet"):
            service.saw("run.finished", connection=name)
        wait_for(lambda: len(service.manager.times("WATCHDOG")) > 12)
        said = [message["STATUS"] for message in service.manager.heard.all() if "STATUS" in message]
        assert len(said[-8:]) < 8 or len(set(said[-8:])) > 2, said
        assert len(said) < 9, said
        began = time.monotonic()
        assert service.ends(signal.SIGINT) == 0
        assert time.monotonic() - began < 3, "nothing was in hand"


# ends


def test_a_stop_before_it_is_ready(world: ServiceWorld) -> None:
    """As soon as it listens to signals at all: before that, the kernel ends it as it does every process."""
    with world.serve() as service:
        wait_for(lambda: _caught(service.pid, signal.SIGTERM), "the handler")
        assert service.ends(signal.SIGTERM) == 0
    assert not service.lines("run.started")


def _caught(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) & 1 << (number - 1))


def test_a_stop_during_a_slow_page(world: ServiceWorld) -> None:
    """The page in hand is kept; the next start goes on after it."""
    world.people(3)
    world.sandbox.faults.add("slow", platform="strive", path="members", seconds=2)
    with world.serve() as service:
        wait_for(lambda: world.sandbox.faults.struck, "the slow answer")
        assert service.ends(signal.SIGTERM) == 0
        assert service.lines("service.stopping", running=["strive"])
        assert service.lines("service.stopped", drained=True)
    assert len(world.shell.json("contacts", "find", "Ann")) == 3
    world.agrees()


def test_a_stop_during_a_batch(world: ServiceWorld) -> None:
    """What the platform has taken is written down: the next start sends nothing twice."""
    world.people(30)
    world.sandbox.faults.add("slow", platform="telerivet", method="POST", seconds=2)
    with world.serve() as service:
        wait_for(lambda: world.sandbox.faults.struck, "the slow answer")
        assert service.ends(signal.SIGTERM) == 0
        assert service.lines("service.stopped", drained=True)
    assert len(world.sandbox.telerivet) == 30
    before = len(world.sandbox.calls("telerivet", "POST"))
    with world.serve() as service:
        service.saw("run.finished", connection="telerivet")
        assert service.ends(signal.SIGTERM) == 0
    assert len(world.sandbox.calls("telerivet", "POST")) == before
    world.agrees()


def test_a_stop_during_a_long_retry_after(world: ServiceWorld) -> None:
    """Nobody sits it out: it is not of the page or batch in hand."""
    world.people(3)
    world.sandbox.faults.add("429", platform="strive", retry_after=40, times=2)
    with world.serve() as service:
        wait_for(lambda: world.sandbox.faults.struck, "the refusal")
        began = time.monotonic()
        assert service.ends(signal.SIGTERM) == 0
        assert time.monotonic() - began < 4
    world.sandbox.faults.clear()
    world.agrees()


def test_a_stop_that_is_not_heard_in_time(world: ServiceWorld) -> None:
    """An answer that does not come: after `drain` it ends all the same, and says so."""
    world.people(3)
    world.table("service", drain="1s")
    world.sandbox.faults.add("hang", platform="strive", path="members", seconds=60)
    with world.serve() as service:
        wait_for(lambda: world.sandbox.faults.struck, "the hanging call")
        began = time.monotonic()
        assert service.ends(signal.SIGTERM) == 0
        assert 0.9 < time.monotonic() - began < 5
        assert service.lines("service.stopped", drained=False)
    world.agrees()


def test_a_stop_while_an_alert_is_told_to_nobody(world: ServiceWorld) -> None:
    """An alert's command hangs: the end does not wait for it either."""
    world.table("service", drain="1s")
    world.table("alerts", command=["/bin/sleep", "50"])
    world.sandbox.faults.add("401", platform="strive", times=None)
    with world.serve() as service:
        service.saw("connection.failed", connection="strive")
        wait_for(lambda: _children(service.pid), "the command")
        began = time.monotonic()
        assert service.ends(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5


def _children(pid: int) -> list[str]:
    """Of any of its threads."""
    found: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += (task / "children").read_text().split()
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(world: ServiceWorld, number: signal.Signals) -> None:
    world.people(3)
    world.sandbox.faults.add("hang", platform="strive", path="members", seconds=60)
    with world.serve() as service:
        wait_for(lambda: world.sandbox.faults.struck, "the hanging call")
        service.signal(number)
        service.saw("service.stopping")
        began = time.monotonic()
        assert service.ends(number) == 128 + number
        assert time.monotonic() - began < 2
    world.agrees()


def test_ctrl_c_on_a_terminal_is_not_ugly(world: ServiceWorld) -> None:
    """What a person sees who tries it by hand: pretty lines, no traceback, no ^C echo of ours, exit 0."""
    screen, ours = pty.openpty()
    process = subprocess.Popen(
        world.shell.command("run"),
        cwd=world.folder,
        env=environment(TERM="xterm"),
        stdin=ours,
        stdout=ours,
        stderr=ours,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 it calls the kernel, and nothing else
    )
    os.close(ours)
    seen = _read_until(screen, "service.started")
    os.write(screen, b"\x03")
    seen += _read_until(screen, None)
    assert process.wait(10) == 0, seen
    os.close(screen)
    assert "Traceback" not in seen
    assert "service.stopped" in seen
    assert "{" not in seen.replace("{}", ""), "JSON is not for people"


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(screen: int, word: str | None) -> str:
    """What is shown up to this word; None: to the end."""
    seen = b""
    while word is None or word.encode() not in seen:
        try:
            piece = os.read(screen, 4096)
        except OSError:  # nobody has the terminal open any more
            break
        if not piece:
            break
        seen += piece
    return seen.decode()


# goes on


def test_a_restart_forgets_nothing_and_reads_nothing_early(world: ServiceWorld) -> None:
    """What is due stands in the database: what was read a moment ago is not read again because we have restarted, and
    a retry that waits goes on waiting."""
    world.people(3)
    world.defaults(every="1h")
    with world.serve() as service:
        wait_for(lambda: len(world.sandbox.telerivet) == 3, "the contacts")
        service.idle()
        assert service.ends(signal.SIGTERM) == 0
    calls = len(world.sandbox.calls())
    with world.serve() as service:
        service.manager.wait("STATUS", "^idle; next: ")
        assert service.ends(signal.SIGTERM) == 0
    assert len(world.sandbox.calls()) == calls


def test_run_now(world: ServiceWorld) -> None:
    """SIGUSR1 reads everything, whatever `every` says, and once."""
    world.people(2)
    world.defaults(every="1h")
    with world.serve() as service:
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "the contacts")
        service.idle()
        world.people(1, start=2)
        mark = service.mark()
        service.signal(signal.SIGUSR1)
        service.saw("service.run_now", start=mark)
        for name in ("strive", "telerivet"):
            service.saw("run.finished", connection=name, start=mark)
        wait_for(lambda: len(world.sandbox.telerivet) == 3, "the third")
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()
