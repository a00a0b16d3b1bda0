"""A disk that is full, that can only be read, that is gone, that has lost bytes: said once, in words; nothing lost.

On a real small disk where we may mount one; a process whose files may not grow stands for it everywhere.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox import Sandbox
from tests.system.cli_world import Done, Shell, environment, sandbox_and_shell

MOUNTS = os.geteuid() == 0 and shutil.which("mount") is not None


def _mounted(disk: Path, size: str) -> bool:
    asked = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(disk)]
    return MOUNTS and subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB, mounted if we may."""
    place = tmp_path / "disk"
    place.mkdir(mode=0o700)
    mounted = _mounted(place, "12m")
    yield place
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def world(tmp_path: Path, disk: Path) -> Iterator[tuple[Sandbox, Shell]]:
    """Ten people who have been synced; the database is on the disk, all else is not."""
    home = tmp_path / "home"
    home.mkdir()
    with sandbox_and_shell(home, empty=True) as (sandbox, shell):
        for number in range(10):
            sandbox.strive.add_member(phone_number=f"+120255501{number:02}", first_name="Ann", last_name=f"No{number}")
        config = home / "config.toml"
        text = config.read_text()
        assert 'url = "sqlite:///state.db"' in text
        config.write_text(text.replace("sqlite:///state.db", f"sqlite:///{disk}/db/state.db"))
        shell("sync")
        yield sandbox, Shell(home, process=True)


def edit_everybody(sandbox: Sandbox, city: str) -> None:
    for member in sandbox.strive.members():
        sandbox.strive.edit_member(member["id"], city=city)


def cities(sandbox: Sandbox) -> set[Any]:
    return {contact["vars"].get("city") for contact in sandbox.telerivet.contacts()}


# full


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0")
    yield
    ballast.unlink()


def limited(shell: Shell, size: int = 64 << 10) -> Done:
    """A sync whose files may not grow beyond that, as under a quota."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run(
        shell.command("sync"),
        cwd=shell.folder,
        env=environment(),
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_no_room_is_said_and_the_next_run_goes_on(world: tuple[Sandbox, Shell]) -> None:
    """Under a limit for files, which every machine has: exit 75, one error with a hint, and no harm."""
    sandbox, shell = world
    edit_everybody(sandbox, "Rome")
    done = limited(shell)
    _must_have_said(done, "the disk of the database is full")
    _goes_on(sandbox, shell, "Rome")


@pytest.mark.skipif(not MOUNTS, reason="only root mounts a disk; the test above is for everybody")
def test_a_full_disk(world: tuple[Sandbox, Shell], disk: Path) -> None:
    sandbox, shell = world
    with filled(disk):
        edit_everybody(sandbox, "Rome")
        for _ in range(2):
            _must_have_said(shell("sync", code=75), "the disk of the database is full")
        assert cities(sandbox) == {None}
        assert "0 MB are free" in shell("db", "check", code=1).stdout
    _goes_on(sandbox, shell, "Rome")


@pytest.mark.skipif(not MOUNTS, reason="only root mounts a disk")
def test_a_backup_onto_a_full_disk(world: tuple[Sandbox, Shell], disk: Path, tmp_path: Path) -> None:
    """Nothing half-made stays there, and the one from before is untouched."""
    _, shell = world
    small = tmp_path / "small"
    small.mkdir()
    assert _mounted(small, "100k")
    try:
        (small / "backup.db").write_text("from before")
        done = shell("db", "backup", small / "backup.db", "--force", code=75)
        assert "there is no room for it" in done.stderr
        assert [each.name for each in small.iterdir()] == ["backup.db"]
        assert (small / "backup.db").read_text() == "from before"
    finally:
        subprocess.run(["umount", str(small)], check=True)


def _must_have_said(done: Done, what: str) -> None:
    """Once, with what to do; neither a traceback nor anybody's name."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode == 75, done.stderr
    assert len(errors) == 1, done.stderr
    assert what in errors[0]
    assert "hint: make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert "555" not in done.stderr
    assert "INSERT" not in done.stderr


def _goes_on(sandbox: Sandbox, shell: Shell, city: str) -> None:
    inside = Shell(shell.folder)
    done = inside.json("sync")
    assert (done["outcome"], done["balanced"]) == ("done", True)
    assert cities(sandbox) == {city}
    assert inside.json("sync")["sent"] == 0
    assert not any(sandbox.harm().values())
    assert not [each for each in inside.json("db", "check", code=None)["findings"] if each["what"] != "disk"]


# only to be read


@pytest.fixture
def stranger(world: tuple[Sandbox, Shell], disk: Path) -> Iterator[AbstractContextManager[None]]:
    """The disk becomes read-only: mounted so by root, and for others by its permissions."""

    @contextmanager
    def read_only() -> Iterator[None]:
        if MOUNTS:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        else:
            (disk / "db").chmod(0o500)
            (disk / "db" / "state.db").chmod(0o400)
        yield
        if MOUNTS:
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        else:
            (disk / "db").chmod(0o700)
            (disk / "db" / "state.db").chmod(0o600)

    return read_only()


def test_a_disk_that_can_only_be_read(
    world: tuple[Sandbox, Shell], disk: Path, stranger: AbstractContextManager[None]
) -> None:
    """Said in words, at once: nothing is read from a platform that could not be kept."""
    sandbox, shell = world
    edit_everybody(sandbox, "Oslo")
    calls = len(sandbox.calls())
    with stranger:
        done = shell("sync", code=1)
        assert "error: " in done.stderr
        assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr
        assert "hint: " in done.stderr
        assert len(sandbox.calls()) == calls
    _goes_on(sandbox, shell, "Oslo")


# gone


def test_the_folder_is_deleted_under_a_running_sync(world: tuple[Sandbox, Shell], disk: Path) -> None:
    """SQLite would go on writing into what nobody can open any more; we stop, and send nothing that is not kept."""
    sandbox, shell = world
    edit_everybody(sandbox, "Bern")
    watcher = threading.Thread(target=_move_when_called, args=(sandbox, len(sandbox.calls()), disk))
    watcher.start()
    done = shell("sync", code=75)
    watcher.join()
    assert "error: the database is away (its file was deleted, moved or replaced)" in done.stderr
    assert not (disk / "db").exists()
    (disk / "away").rename(disk / "db")
    _goes_on(sandbox, shell, "Bern")


def _move_when_called(sandbox: Sandbox, before: int, disk: Path) -> None:
    """As soon as the run has asked a platform, its folder is elsewhere."""
    for _ in range(20_000):
        if len(sandbox.calls()) > before:
            (disk / "db").rename(disk / "away")
            return
        time.sleep(0.001)


# damaged


def test_a_file_that_lost_its_end(world: tuple[Sandbox, Shell], disk: Path) -> None:
    sandbox, shell = world
    path, here = disk / "db" / "state.db", Shell(shell.folder)
    here("db", "backup", disk.parent / "good.db")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // 4096 * 4096)
    calls = len(sandbox.calls())
    done = shell("sync", code=1)
    assert "error: the database is damaged (database disk image is malformed)" in done.stderr
    assert "rosterd db restore" in done.stderr
    assert "damage" in {each["what"] for each in here.json("db", "check", code=1)["findings"]}
    assert not [call for call in sandbox.calls()[calls:] if call.wrote]
    assert "is damaged" in here("db", "backup", disk.parent / "bad.db", code=1).stderr
    assert not (disk.parent / "bad.db").exists()
    here("db", "restore", disk.parent / "good.db", "--yes")
    edit_everybody(sandbox, "Kyiv")
    _goes_on(sandbox, shell, "Kyiv")
