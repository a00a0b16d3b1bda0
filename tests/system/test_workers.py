"""Several workers on one PostgreSQL: killed, stopped, added, ended, cut off, under load and with faults. Whatever
happens, nothing is lost, nothing is sent twice, and a connection has one worker at a time.

ROSTERD_TEST_WORKERS=full: longer, with more people.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from daemon.sandbox.faults import SOAK
from tests.postgres import own_server
from tests.system.service_world import Service, wait_for
from tests.system.workers_world import LEASE, SLACK, WorkersWorld, workers_world

FULL = os.environ.get("ROSTERD_TEST_WORKERS") == "full"


@pytest.mark.timeout(600)
def test_workers_come_and_go_under_load(tmp_path: Path, pg_url: str) -> None:
    """Each goes at its most awkward moment. The others have its connections within the lease time, or at once where
    it ended in order."""
    with workers_world(tmp_path, pg_url) as world:
        world.start_all(3)
        world.all_read()
        with world.load():
            for number in range(3 if FULL else 1):
                world.sandbox.faults.random(0.03, seed=number, kinds=SOAK if FULL else ("429",))
                killed_between_a_call_and_its_commit(world)
                stopped_for_longer_than_its_lease(world)
                world.start()
                killed_in_the_middle_of_a_reading(world)
                ended_in_order(world)
                world.start_all(2 if FULL else 0)
        world.agree()
        world.one_at_a_time()
        world.no_run_is_left_open()


def killed_between_a_call_and_its_commit(world: WorkersWorld) -> None:
    """A contact was made, and nobody has heard of it."""
    world.hang("telerivet", "POST", "/contacts", seconds=60)
    killed = world.kill(world.hung())
    world.taken_over("telerivet", killed, within=LEASE + SLACK)


def stopped_for_longer_than_its_lease(world: WorkersWorld) -> None:
    """Its answer is there when it goes on. It writes nothing of it, and begins no call."""
    world.hang("strive", "PATCH", "/members", kind="slow", seconds=1)
    stopped = world.pause(world.hung("slow"))
    world.taken_over("strive", stopped, within=LEASE + SLACK)
    mark = stopped.service.mark()
    stopped.service.signal(signal.SIGCONT)
    stopped.service.saw("run.finished", start=mark, connection="strive", outcome="later")


def killed_in_the_middle_of_a_reading(world: WorkersWorld) -> None:
    """Some pages are kept, and more are to come: what they plan is not the whole plan."""
    world.sandbox.strive.max_rows = 5
    killed = world.kill_reader("strive", "/member_changes")
    assert world.accounts()["strive"].reading_since is not None
    world.sandbox.strive.max_rows = 1000
    world.taken_over("strive", killed, within=LEASE + SLACK)


def ended_in_order(world: WorkersWorld) -> None:
    """It finishes the page in hand, and gives back what it has."""
    world.hang("telerivet", "GET", "/contacts", kind="slow", seconds=1)
    ending = world.hung("slow")
    assert ending.ends(signal.SIGTERM) == 0
    assert ending.lines("service.stopped", drained=True)
    world.taken_over("telerivet", world.gone(ending), within=LEASE / 2 + SLACK / 3, free=True)


# the database


@pytest.mark.timeout(600)
def test_the_database_is_away(tmp_path: Path) -> None:
    """At the start, in a crash, in a restart, and for long: it is said once, waited for, and all goes on by itself."""
    with own_server() as server, workers_world(tmp_path, server.url) as world:
        # SQLAlchemy drops a connection that breaks while it is being made, without closing it.
        world.tolerated = ("ignore::ResourceWarning",)
        server.stop()
        for _ in range(2):
            world.start(ready=False)
        for each in world.workers:
            each.saw("database.waiting", within=40)
            each.manager.wait("STATUS", "waiting for the database")
        wait_for(lambda: all("EXTEND_TIMEOUT_USEC" in str(each.manager.heard.all()) for each in world.workers))
        server.start()
        for each in world.workers:
            world.ready(each)
            assert len(each.lines("database.waiting")) == 1
        world.all_read()
        with world.load():
            for crash, seconds in ((True, 0.0), (False, 20.0 if FULL else 6.0)):
                marks = [each.mark() for each in world.workers]
                moves(world)
                server.stop(crash=crash)
                away(world.workers, marks)
                time.sleep(seconds)
                server.start()
                back(world.workers, marks)
                moves(world)
        world.agree()
        world.one_at_a_time()
        world.no_run_is_left_open()


def moves(world: WorkersWorld) -> None:
    """Until something was written on both sides."""
    start = len(world.seen)
    for platform in ("strive", "telerivet"):
        wait_for(
            lambda name=platform: any(s.platform == name and s.method != "GET" for s in world.seen[start:]),  # type: ignore[misc]
            f"a write to {platform}",
            within=60,
        )


def away(workers: list[Service], marks: list[int]) -> None:
    for each, mark in zip(workers, marks, strict=True):
        said = each.saw("database.trouble", start=mark, within=30)
        assert said["kind"] == "away"
        each.manager.wait("STATUS", "^waiting: the database is away", within=30)


def back(workers: list[Service], marks: list[int]) -> None:
    for each, mark in zip(workers, marks, strict=True):
        each.saw("database.recovered", start=mark, within=60)
        assert len(each.lines("database.trouble", start=mark)) == 1
        assert not each.lines("turn.defect", start=mark)


# one configuration


@pytest.mark.timeout(300)
def test_the_configuration_loaded_last_counts(tmp_path: Path, pg_url: str) -> None:
    """Two hosts, each with its own files. Somebody changes a mapping and adds a connection on the one, and a while
    later on the other: nothing is read over and over, and who has the old one leaves it to the other."""
    with workers_world(tmp_path, pg_url, platforms=("strive", "telerivet", "action_network"), people=5) as world:
        switch_off(world.config, "action_network")
        second = copy_of(world)
        one, other = world.start(), world.start("-c", str(second))
        world.all_read()
        world.quiet()
        before = {name: account.sweep for name, account in world.accounts().items()}

        config = world.config.read_text()
        world.config.write_text(config.replace("enabled = false\n", ""))
        mapping = tmp_path / "mappings" / "telerivet.yaml"
        mapping.write_text(mapping.read_text().replace("\nfields:\n", "\nfields:\n  notes: off\n"))
        one.signal(signal.SIGHUP)
        one.saw("config.reloaded")
        said = other.saw("configuration.outdated")
        assert said["worker"] == world.name(one)
        other.manager.wait("STATUS", "^waiting: .* goes by a newer configuration")
        world.all_read()
        wait_for(
            lambda: len(world.sandbox.accounts["action_network"].everybody()) == 5, "everybody there, too", within=40
        )
        world.quiet()
        swept = {name: account.sweep for name, account in world.accounts().items()}
        assert swept == {**before, "telerivet": before["telerivet"] + 1, "action_network": 1}
        mark = len(world.seen)
        wait_for(lambda: len(world.seen) > mark + 12)
        assert {seen.pid for seen in world.seen[mark:]} == {one.pid}
        assert len(other.lines("configuration.outdated")) == 1
        assert {name: account.sweep for name, account in world.accounts().items()} == swept

        done = world.shell("-c", second, "sync", code=75)
        assert "goes by another configuration" in done.stderr
        assert {name: account.sweep for name, account in world.accounts().items()} == swept

        copy_of(world)
        other.signal(signal.SIGHUP)
        other.saw("config.reloaded")
        one.ends(signal.SIGTERM)
        world.taken_over("strive", world.gone(one), within=LEASE + SLACK, free=True)
        world.quiet()
        assert {name: account.sweep for name, account in world.accounts().items()} == swept
        world.one_at_a_time()


def switch_off(config: Path, name: str) -> None:
    config.write_text(config.read_text().replace(f"[connections.{name}]\n", f"[connections.{name}]\nenabled = false\n"))


def copy_of(world: WorkersWorld) -> Path:
    """The other host's files, as they are here now."""
    there = world.folder / "second"
    (there / "mappings").mkdir(parents=True, exist_ok=True)
    for file in (world.config, *world.folder.glob("*.key"), *(world.folder / "mappings").iterdir()):
        copied = there / file.relative_to(world.folder)
        copied.write_bytes(file.read_bytes())
        copied.chmod(0o600)
    return there / "config.toml"


# the fuse, and a person beside them


@pytest.mark.timeout(600)
def test_a_bad_import_trips_the_fuse_before_anything_of_it_is_sent(tmp_path: Path, pg_url: str) -> None:
    """It is read page by page by one, which is killed in the middle, while the others look every second. Then a person
    decides, beside them."""
    count = 10_000 if FULL else 1_200
    with workers_world(tmp_path, pg_url, people=10) as world:
        world.start_all(3)
        world.all_read()
        wait_for(lambda: len(world.sandbox.telerivet.contacts()) == 10, "the ten", within=40)
        world.sandbox.strive.max_rows = count // 12
        imported(world, count)
        killed = world.kill_reader("strive", "/member_changes")
        assert 0 < world.owed("telerivet") < count
        world.taken_over("strive", killed, within=LEASE + SLACK)
        (hold,) = wait_for(lambda: world.look(lambda tx: tx.holds.listed(kind="fuse")), "the fuse", within=120)
        world.quiet(runs=2)
        assert (hold.connection, hold.detail["kind"], hold.detail["count"]) == ("telerivet", "create", count)
        assert len(world.sandbox.telerivet.contacts()) == 10
        status_says_who_is_at_what(world)
        a_sync_leaves_to_a_worker_what_it_has(world)
        world.shell("holds", "decide", hold.id, "reject")
        assert world.owed("telerivet") == 0
        move_the_first(world, 10, "Turin")
        wait_for(lambda: set(world.cities()) == {"Turin"}, "Turin", within=40)
        assert len(world.sandbox.telerivet.contacts()) == 10
        world.one_at_a_time()


def imported(world: WorkersWorld, count: int) -> None:
    """All at once, as one file."""
    with world.sandbox.strive.lock:
        for number in range(count):
            world.sandbox.strive.add_member(
                phone_number=f"+1202{5570000 + number}", first_name="Ann", last_name=f"Import{number}"
            )


def move_the_first(world: WorkersWorld, count: int, city: str) -> None:
    for member in world.sandbox.strive.members()[:count]:
        world.sandbox.strive.edit_member(member["id"], city=city)


def a_sync_leaves_to_a_worker_what_it_has(world: WorkersWorld) -> None:
    world.hang("strive", "GET", "", kind="slow", seconds=4)
    world.hung("slow")
    done = world.shell("sync", "--connection", "strive", code=75)
    assert "strive is left alone: another worker is at it" in done.stdout


def status_says_who_is_at_what(world: WorkersWorld) -> None:
    world.hang("telerivet", "GET", "", kind="slow", seconds=4)
    at_it = world.name(world.hung("slow"))
    status = world.shell.json("status")
    there = {each["name"]: each for each in status["workers"]}
    gone = next(world.name(each) for each in world.workers if each.process.poll() is not None)
    assert set(map(world.name, world.workers)) == set(there)
    assert "telerivet" in there[at_it]["at"]
    assert all(each["alive"] and each["doing"] for each in there.values() if each["name"] != gone)
    assert [each["worker"] for each in status["connections"] if each["name"] == "telerivet"] == [at_it]
    shown = world.shell("status").stdout
    assert "Workers" in shown
    assert at_it in shown
