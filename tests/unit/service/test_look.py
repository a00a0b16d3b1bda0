"""How a connection stands, by what is known of it and the time it is."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon import settings
from daemon.service import look, look_people
from daemon.service.look_figures import figures
from daemon.service.look_lists import SHOWN, overview
from daemon.settings_parts import Connection
from daemon.sync.plan import DISMISSED
from daemon.words import span
from state.model import CREATE_LANE, Account, Owed
from state.store import Store

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()  # a Wednesday


@pytest.fixture
def connection(tmp_path: Path) -> Any:
    """Make `[connections.strive]` with more keys."""

    def make(more: str = "") -> Connection:
        file = tmp_path / "config.toml"
        file.write_text(
            f'[connections.strive]\nplatform = "strive"\ncampaign_id = 273\napi_key = "example-key"\n{more}\n'
        )
        file.chmod(0o600)
        return settings.load(file).connections["strive"]

    return make


def account(**more: Any) -> Account:
    known = {"sweep": 1, "swept": 1, "swept_at": NOW - 9000, "polled_at": NOW - 60, "ok_at": NOW - 30}
    return Account("strive", "strive", "273", **(known | more))


@pytest.mark.parametrize(
    ("more", "state", "ready", "why"),
    [
        ({}, "fine", True, ""),
        ({"polled_at": NOW - 1800}, "fine", True, ""),
        ({"polled_at": NOW - 1801}, "late", False, "not read to the end within 30 min"),
        ({"swept": 0, "polled_at": None}, "first", False, "the first complete reading is under way"),
        ({"sweep": 0, "swept": 0, "polled_at": None}, "first", False, "not read yet"),
        ({"failures": 1, "paused_why": "busy"}, "failing", True, "the last turn failed: busy"),
        (
            {"failures": 3, "paused_why": "busy", "paused_until": NOW + 90},
            "paused",
            True,
            "failed 3 times in a row: busy; tried again in 1 min 30 s",
        ),
        (
            {"failures": 3, "paused_why": "busy", "polled_at": NOW - 7200},
            "late",
            False,
            "not read to the end within 30 min; failed 3 times in a row: busy",
        ),
        ({"swept": 0, "polled_at": None, "failures": 1, "paused_why": "busy"}, "failing", False, "the first complete"),
    ],
)
def test_how_a_connection_stands(connection: Any, more: dict[str, Any], state: str, ready: bool, why: str) -> None:
    """Ready: read to the end within its bound, whatever failed since."""
    found = look.standing(connection(), account(**more), NOW)
    assert (found.state, found.ready) == (state, ready)
    assert found.why.startswith(why)
    assert bool(found.why) == bool(why)


def test_one_that_the_database_has_not_met_is_not_ready(connection: Any) -> None:
    found = look.standing(connection(), None, NOW)
    assert (found.state, found.ready, found.lag) == ("first", False, None)


def test_one_that_is_switched_off_keeps_nobody_from_being_ready(connection: Any) -> None:
    off = look.standing(connection("enabled = false"), account(polled_at=NOW - 1e6), NOW)
    assert off.state == "off"
    assert look.all_ready([off, look.standing(connection(), account(), NOW)])
    assert not look.all_ready([off, look.standing(connection(), None, NOW)])


@pytest.mark.parametrize(("hours", "state"), [(1.5, "fine"), (2.1, "late")])
def test_one_that_is_read_seldom_is_late_only_after_twice_as_long(connection: Any, hours: float, state: str) -> None:
    """Else it would be late before it is due: every hour, and half an hour until late."""
    found = look.standing(connection('every = "1h"'), account(polled_at=NOW - hours * 3600), NOW)
    assert (found.state, found.bound) == (state, 7200)


def test_maintenance_makes_nobody_late(connection: Any) -> None:
    """Its time does not count: afterwards the next reading has what was left of its bound."""
    one = connection('maintenance = ["wed 10:00-11:50"]')
    before = account(polled_at=NOW - 123 * 60)  # 09:57
    assert look.standing(one, before, NOW - 1800).state == "resting"
    assert look.standing(one, before, NOW).state == "fine"
    assert look.standing(one, before, NOW).ready
    assert look.standing(one, before, NOW + 16 * 60).ready
    assert look.standing(one, before, NOW + 18 * 60).state == "late"
    assert look.standing(connection(), before, NOW).state == "late"


def test_maintenance_excuses_nobody_who_was_late_before(connection: Any) -> None:
    one = connection('maintenance = ["wed 10:00-11:50"]')
    assert look.standing(one, account(polled_at=NOW - 3 * 3600), NOW - 1800).state == "late"


@pytest.mark.parametrize(("days", "state"), [(1.05, "fine"), (1.15, "late"), (90, "late")])
def test_a_bound_longer_than_the_time_between_two_maintenances(connection: Any, days: float, state: str) -> None:
    """It lies in one of them whenever one looks back."""
    one = connection('maintenance = ["02:00-04:00"]\nlate_after = "24h"')
    assert look.standing(one, account(polled_at=NOW - days * 86400), NOW).state == state


def test_one_that_is_always_left_alone_is_never_late(connection: Any) -> None:
    one = connection('maintenance = ["00:00-24:00"]')
    assert look.standing(one, account(polled_at=NOW - 90 * 86400), NOW).state == "resting"


@pytest.mark.parametrize(
    ("windows", "zone", "inside"),
    [
        ([], "UTC", False),
        (["11:59-12:01"], "UTC", True),
        (["12:00-13:00"], "UTC", True),
        (["11:00-12:00"], "UTC", False),
        (["mon,tue 00:00-24:00"], "UTC", False),
        (["wed 00:00-24:00"], "UTC", True),
        (["22:00-12:30"], "UTC", True),  # begun yesterday
        (["tue 22:00-12:30"], "UTC", True),
        (["wed 22:00-12:30"], "UTC", False),  # begins tonight
        (["06:30-07:30"], "America/New_York", True),
        (["01:00-02:00", "11:30-12:30"], "UTC", True),
    ],
)
def test_whether_a_moment_lies_within_a_window(connection: Any, windows: list[str], zone: str, inside: bool) -> None:
    """By the clocks there; a window that goes over midnight belongs to the day it begins on."""
    one = connection(f"quiet_hours = {windows}\ntimezone = '{zone}'")
    assert look.standing(one, account(), NOW).quiet is inside


def test_what_a_person_has_left_hides_nothing_that_was_refused_since(connection: Any, tmp_path: Path) -> None:
    """More of those than the page has room for."""
    connection()
    config = settings.load(tmp_path / "config.toml")
    with closing(Store(f"sqlite:///{tmp_path}/state.db")) as store, store.transaction() as tx:
        tx.connections.add(account())
        reasons = [DISMISSED] * (SHOWN + 1) + ["its phone is taken there"]
        tx.outbox.add(
            Owed("strive", CREATE_LANE, None, f"c:{number}", "create", {}, "dead", reason=reason, created_at=NOW)
            for number, reason in enumerate(reasons)
        )
        assert [push.why for push in overview(tx, config, NOW, hours=48).dead] == ["its phone is taken there"]
        assert [one.pushes for one in figures(tx, config, NOW).owed] == [1]


def test_whoever_works_counts_whatever_our_own_clock_says(connection: Any, tmp_path: Path) -> None:
    """When somebody was last heard of is known by the database's clock."""
    connection()
    config = settings.load(tmp_path / "config.toml")
    with closing(Store(f"sqlite:///{tmp_path}/state.db")) as store, store.transaction() as tx:
        tx.workers.seen("w1", "1", 0.0, "idle")
        ahead = tx.workers.clock() + 3600
        assert figures(tx, config, ahead).workers == 1
        assert overview(tx, config, ahead, hours=48).doing == [("w1", "idle")]


def test_whatever_is_asked_for_postgresql_answers(connection: Any, tmp_path: Path, pg_url: str) -> None:
    """Numbers as long as an address lets through, and letters that no text of its can hold."""
    connection()
    config, most = settings.load(tmp_path / "config.toml"), 10**18 - 1
    with closing(Store(pg_url)) as store, store.look() as tx:
        for asked in (f"c{most}", "\0", "Ada\0", "ada\0@example.org", "\ud800"):
            assert look_people.find(tx, config, asked, by_name=True) == []
        assert look_people.person(tx, most) is None
        assert tx.holds.get(most) is None
        assert tx.outbox.get([most]) == []
        assert tx.outreaches.get([most]) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (1800, "30 min"),
        (5400, "1 h 30 min"),
        (86400 * 3 + 3600, "3 d 1 h"),
        (86400 * 30 + 3600, "30 d"),
    ],
)
def test_a_length_of_time_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words
