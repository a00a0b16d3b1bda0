"""SIGHUP: the configuration and the mappings are read anew, and what is wrong with them is said and left alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.service_world import Service, ServiceWorld, service_world, wait_for


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServiceWorld]:
    with service_world(tmp_path) as world:
        world.people(2)
        world.defaults(every="1h")
        yield world


def reload(service: Service) -> int:
    """Ask for it, and wait until it is over; the place in the log where it began."""
    mark, heard = service.mark(), len(service.manager.heard)
    service.signal(signal.SIGHUP)
    service.manager.wait("READY", start=heard)
    return mark


def refused(service: Service, *words: str) -> None:
    mark = reload(service)
    said = service.saw("config.refused", start=mark)
    for word in words:
        assert word in " ".join([*said["problems"], said["hint"]]), said
    assert "the one before stays in force" in service.manager.heard.all(lambda m: "READY" in m)[-1]["STATUS"]
    assert not service.lines("config.reloaded", start=mark)


def test_mistakes_are_refused_with_their_place(world: ServiceWorld) -> None:
    """Whatever is wrong, it goes on with what it had, and says where the mistake is."""
    good = world.config.read_text()
    mapping = world.folder / "mappings" / "strive.yaml"
    rules = mapping.read_text()
    with world.serve() as service:
        service.idle()
        world.config.write_text(good.replace('every = "1h"', 'every = "soon"'))
        refused(service, "config.toml:", "'soon' is not a duration")
        world.config.write_text(good + "\n[")
        refused(service, "config.toml:")
        world.config.write_bytes(b"\xff\xfe")
        refused(service, "config.toml")
        world.config.unlink()
        refused(service, "config.toml")
        world.config.write_text(good)
        mapping.write_text(rules + "\nfields: {phone: [}\n")
        refused(service, "strive.yaml:")
        mapping.write_text(rules)
        world.config.write_text(good.replace("state.db", "other.db"))
        refused(service, "state.url has changed", "needs a restart")
        assert not (world.folder / "other.db").exists()
        # Records of one account are not those of another.
        world.config.write_text(good.replace("campaign_id = 273", "campaign_id = 999"))
        refused(service, "connection strive was 273 at 127.0.0.1", "is now 999 at", "a connection of its own")
        world.people(1, start=2)
        service.signal(signal.SIGUSR1)
        wait_for(lambda: len(world.sandbox.telerivet) == 3, "the third")
        service.idle()
        # Whoever looks tomorrow is told too: until the file is mended, a restart would fail.
        assert "the configuration has mistakes" in service.manager.heard.all(lambda m: "STATUS" in m)[-1]["STATUS"]
        world.config.write_text(good)
        reload(service)
        assert "mistakes" not in service.manager.heard.all(lambda m: "STATUS" in m)[-1]["STATUS"]
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()


def test_what_is_said_while_it_reloads(world: ServiceWorld) -> None:
    """RELOADING with the time it began, on the clock systemd compares with, then READY; and a stop that comes meanwhile
    is heard."""
    with world.serve() as service:
        service.idle()
        before, heard = time.monotonic(), len(service.manager.heard)
        reload(service)
        said = service.manager.heard.all(start=heard)
        began = next(message for message in said if "RELOADING" in message)
        assert before <= int(began["MONOTONIC_USEC"]) / 1e6 <= time.monotonic()
        names = [name for message in said for name in message if name != "STATUS"]
        assert names == ["RELOADING", "MONOTONIC_USEC", "READY"]
        heard = len(service.manager.heard)
        service.signal(signal.SIGHUP)
        service.manager.wait("RELOADING", start=heard)
        assert service.ends(signal.SIGTERM) == 0
        assert service.manager.heard.all()[-1]["STOPPING"] == "1"


def test_a_good_one_takes_effect_at_once(world: ServiceWorld) -> None:
    """A connection that is switched on, one that is switched off, another `every`, another log level, another address
    of the page: without a restart. Where the page cannot move, nothing of it is in force, not even half."""
    world.table("connections.telerivet", enabled=False)
    world.table("service", listen="127.0.0.1:0")
    with world.serve() as service:
        service.idle()
        assert world.polls("telerivet") == 0
        assert service.get("/healthz")[0] == 200
        world.table("connections.telerivet", enabled=True)
        mark = reload(service)
        assert service.saw("config.reloaded", start=mark)["connections"] == ["strive", "telerivet"]
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "the new connection")
        service.idle()

        good = world.config.read_text()
        taken = world.sandbox.url.removeprefix("http://")
        world.table("service", listen=taken)
        world.table("connections.strive", enabled=False)
        refused(service, taken, "is taken by")
        assert service.get("/healthz")[0] == 200
        world.config.write_text(good)

        world.table("connections.strive", every="1s")
        mark = reload(service)
        for _ in range(2):
            service.saw("run.finished", connection="strive", start=mark)
            mark = service.mark()

        world.table("connections.strive", enabled=False)
        world.table("log", level="warning")
        mark = reload(service)
        wait_for(lambda: "strive" not in service.manager.heard.all(lambda m: "STATUS" in m)[-1]["STATUS"])
        assert not service.lines("config.reloaded", start=mark), "the new level counts"
        calls = world.polls("strive")
        world.edit_all("Oslo")
        service.signal(signal.SIGUSR1)
        before = world.polls("telerivet")
        wait_for(lambda: world.polls("telerivet") > before, "telerivet is read")
        assert world.polls("strive") == calls, "it is switched off"

        world.table("log", level="info")
        world.table("service", listen="")
        mark = reload(service)
        with pytest.raises(OSError, match=r"refused|reset"):
            service.get("/healthz")
        assert service.ends(signal.SIGTERM) == 0
    world.table("connections.strive", enabled=True)
    world.agrees()
    assert set(world.cities()) == {"Oslo"}


def test_a_key_that_was_mended_is_tried_at_once(world: ServiceWorld) -> None:
    """A connection that waits for a person is tried again as soon as somebody has been at the configuration, not when
    its hour is over."""
    key = world.folder / "strive.key"
    good = key.read_text()
    key.write_text("wrong-" + good)
    with world.serve() as service:
        service.saw("connection.failed", connection="strive", error=lambda text: "key" in text)
        service.saw("run.finished", connection="strive", outcome="failed")
        mark = reload(service)
        service.saw("run.finished", connection="strive", outcome="failed", start=mark)
        key.write_text(good)
        mark = reload(service)
        service.saw("connection.recovered", connection="strive", start=mark)
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "what was waiting")
        assert len(service.lines("connection.failed", connection="strive")) == 1, "the same, said once"
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()


def test_a_storm_of_signals_during_a_turn(world: ServiceWorld) -> None:
    world.sandbox.faults.add("slow", platform="strive", path="members", seconds=2)
    with world.serve() as service:
        wait_for(lambda: world.sandbox.faults.struck, "the slow page")
        for _ in range(100):
            service.signal(signal.SIGHUP)
            service.signal(signal.SIGUSR1)
            time.sleep(0.005)
        wait_for(lambda: len(world.sandbox.telerivet) == 2, "the contacts")
        service.idle()
        assert 1 <= len(service.lines("config.reloaded")) <= 100
        assert not service.lines("config.refused")
        assert len(service.lines("run.finished")) < 40
        assert service.ends(signal.SIGTERM) == 0
    world.agrees()
