"""What else is done while a service runs, and what it ends with when it cannot begin."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.service_world import ServiceWorld, service_world, wait_for


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServiceWorld]:
    with service_world(tmp_path) as world:
        yield world


def test_others_beside_a_service(world: ServiceWorld) -> None:
    """Looking is always possible. A second service, or a sync by hand, is told who holds the database, and that the
    work is being done."""
    world.people(2)
    with world.serve() as service:
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "the contacts")
        with world.serve() as second:
            assert second.ends() == 75
            assert f"the database is in use by process {service.pid}" in second.plain[0]
            assert not second.lines("service.started")
        done = world.shell("sync", code=75)
        assert f"the database is in use by process {service.pid}" in done.stderr
        assert "a running service does this by itself" in done.stderr
        assert f"kill -USR1 {service.pid}" in done.stderr
        assert "Holds are decided beside it: rosterd holds list" in done.stderr
        world.shell("holds", "decide", "7", "same", code=1)  # there is none: it was looked for
        assert len(world.shell.json("contacts", "find", "Ann")) == 2
        for words in (["status"], ["holds", "list"], ["outbox", "list"], ["db", "check"], ["check"]):
            world.shell(*words)
        world.shell("db", "backup", world.folder / "backup.db")
        assert (world.folder / "backup.db").stat().st_size > 0
        assert service.ends(signal.SIGTERM) == 0
        assert not service.lines("database.trouble")
    world.agrees()


def test_what_cannot_begin_says_why(world: ServiceWorld) -> None:
    """78: mend the configuration; 75: try again later; 2: wrong usage. No traceback, nothing called, no READY."""
    taken = world.sandbox.url.removeprefix("http://")
    world.table("service", listen=taken)
    with world.serve() as service:
        assert service.ends() == 75
        assert f"{taken} is taken by" in service.plain[0]
        assert not service.manager.times("READY")
    world.table("service", listen="")
    with world.serve("--nonsense") as service:
        assert service.ends() == 2
    world.defaults(every="soon")
    with world.serve() as service:
        assert service.ends() == 78
        assert "config.toml:" in service.plain[0]
        assert not service.manager.times("READY")
    assert not world.sandbox.calls()


def test_quiet_hours_and_maintenance(world: ServiceWorld) -> None:
    """At night a "no" is sent, and nothing else; in maintenance nobody is called; and `status` says so."""
    members = world.people(2)
    world.shell("sync")
    world.table("connections.telerivet", quiet_hours=["00:00-24:00"])
    with world.serve() as service:
        world.sandbox.strive.edit_member(members[0], city="Oslo")
        world.sandbox.strive.opt_out(members[1])
        service.saw("run.finished", connection="telerivet", opted_out=1)
        service.idle()
        assert set(world.cities()) == {"Rome"}
        assert [each["send_blocked"] for each in world.sandbox.telerivet.contacts()].count(True) == 1
        assert "quiet hours" in world.shell("status").stdout

        world.table("connections.telerivet", maintenance=["00:00-24:00"])
        world.table("connections.strive", every="1s")
        mark = service.mark()
        service.signal(signal.SIGHUP)
        service.saw("config.reloaded", start=mark)
        service.idle()
        calls = world.polls("telerivet")
        for _ in range(3):
            mark = service.mark()
            service.saw("run.finished", connection="strive", start=mark)
        assert world.polls("telerivet") == calls
        assert "maintenance" in world.shell("status").stdout

        world.table("connections.telerivet", maintenance=[], quiet_hours=[])
        service.signal(signal.SIGHUP)
        wait_for(lambda: sorted(world.cities()) == ["Oslo", "Rome"], "what was owed")
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()
