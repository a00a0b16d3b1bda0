"""What we say to systemd, as it arrives at a socket like systemd's."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.service.notify import LONGEST, Notify


class Manager:
    """The end systemd holds."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Every datagram since last asked."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@rosterd-test-{os.getpid()}"
    made = Manager(address)
    yield made
    made.socket.close()


def test_a_whole_life(manager: Manager) -> None:
    """From the start through a reload to the end, each in one datagram, so that none is read without its status."""
    notify = Notify(manager.address, watchdog=10.0)
    assert notify.watched
    assert notify.watchdog_every == 5.0
    assert notify.extend(90)
    assert notify.ready("3 connections")
    assert notify.watchdog()
    assert notify.reloading(lambda: 12_345_678)
    assert notify.ready("4 connections")
    assert notify.stopping("after the page at hand")
    assert notify.failed("the disk is full", errno.ENOSPC)
    assert manager.heard() == [
        "EXTEND_TIMEOUT_USEC=90000000",
        "READY=1\nSTATUS=3 connections",
        "WATCHDOG=1",
        "RELOADING=1\nMONOTONIC_USEC=12345",
        "READY=1\nSTATUS=4 connections",
        "STOPPING=1\nSTATUS=after the page at hand",
        f"ERRNO={errno.ENOSPC}\nSTATUS=the disk is full",
    ]


def test_the_time_of_a_reload_is_that_of_systemds_clock(manager: Manager) -> None:
    """systemd throws away a RELOADING whose time lies before its own signal."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notify(manager.address).reloading()
    [heard] = manager.heard()
    said = int(heard.rpartition("=")[2])
    assert before <= said <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_the_same_status_is_said_once(manager: Manager) -> None:
    """A loop may say what it does as often as it likes; ready says it all the same."""
    notify = Notify(manager.address)
    for text in ("reading strive", "reading  strive\n", "waiting", "waiting"):
        assert notify.status(text)
    assert notify.ready("waiting")
    assert notify.status("waiting")
    assert manager.heard() == ["STATUS=reading strive", "STATUS=waiting", "READY=1\nSTATUS=waiting"]


@pytest.mark.parametrize(
    "text", ["all well\nSTOPPING=1", "all well\r\nMAINPID=1", "a\0b\x1b[2Jc\u2028WATCHDOG=trigger"]
)
def test_a_status_cannot_say_anything_else(manager: Manager, text: str) -> None:
    """What a platform wrote may come to stand in it."""
    Notify(manager.address).status(text)
    [heard] = manager.heard()
    assert len(heard.splitlines()) == 1
    assert heard.startswith("STATUS=a")
    assert heard.removeprefix("STATUS=").isprintable()


def test_a_long_status_is_cut_and_a_strange_one_is_sent_as_text(manager: Manager) -> None:
    notify = Notify(manager.address)
    notify.status("é" * 500)
    notify.status("half a letter: \ud800")
    long, strange = manager.heard()
    assert long == "STATUS=" + "é" * (LONGEST - 1) + "…"
    assert strange == "STATUS=half a letter: ?"


def test_nobody_listens() -> None:
    """By hand, in tests, under another supervisor: nothing is said, nothing goes wrong."""
    notify = Notify.from_environment({})
    assert not notify.watched
    assert notify.watchdog_every is None
    assert not any([notify.ready("x"), notify.status("x"), notify.watchdog(), notify.reloading(), notify.extend(1)])


@pytest.mark.parametrize("address", ["/nowhere/at/all", "@rosterd-nobody", "/" + "x" * 200, "vsock:2:1234", "relative"])
def test_a_socket_that_is_not_there_is_no_failure(address: str) -> None:
    notify = Notify.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    assert not notify.ready("up")
    assert not notify.watchdog()


def test_what_was_not_heard_is_said_again(tmp_path: Path) -> None:
    """The manager was being replaced by a newer one: its socket is back a moment later."""
    notify = Notify(str(tmp_path / "notify"))
    assert not notify.status("reading")
    manager = Manager(str(tmp_path / "notify"))
    assert notify.status("reading")
    assert manager.heard() == ["STATUS=reading"]
    manager.socket.close()


def test_a_manager_that_does_not_read_holds_nobody_up(manager: Manager) -> None:
    """Its queue is full: we go on after a moment."""
    notify = Notify(manager.address)
    began = time.monotonic()
    sent = [notify.status(f"{number}") for number in range(10_000) if time.monotonic() - began < 0.5]
    assert sent[0]
    assert not sent[-1]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("usec", "pid", "every"),
    [
        ("30000000", "", 15.0),
        ("30000000", "ours", 15.0),
        ("30000000", "1", None),
        ("0", "", None),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_the_watchdog_is_for_the_process_it_names(tmp_path: Path, usec: str, pid: str, every: float | None) -> None:
    pid = str(os.getpid()) if pid == "ours" else pid
    environ = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid, "HOME": "/"}
    assert Notify.from_environment(environ).watchdog_every == every
    assert environ == {"HOME": "/"}


def test_a_child_cannot_speak_for_us(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert command inherits our environment; it finds no socket in it."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    notify = Notify.from_environment()
    shown = subprocess.check_output([sys.executable, "-c", "import os; print(*os.environ)"], text=True)
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(shown.split())
    assert notify.ready()
    assert manager.heard() == ["READY=1"]
