"""From settings to a roster: every setting that the sync obeys gets there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon import assemble
from daemon.errors import Busy, NeedsPerson, StopSync
from daemon.settings import Fuse, Settings
from daemon.sync import cycle
from daemon.sync.roster import FUSE
from state.store import Store

STRIVE = {"platform": "strive", "campaign_id": 273, "api_key": "strive-key-1"}
TELERIVET = {"platform": "telerivet", "project_id": "PJ2ad0100821a98bea", "api_key": "telerivet-key"}


def settings(folder: Path, **more: Any) -> Settings:
    tree = {"state": {"url": f"sqlite:///{folder}/state.db"}, "connections": {"a": STRIVE, "b": TELERIVET}}
    return Settings.model_validate({**tree, **more}, context={"folder": folder})


def test_sides_get_the_settings_of_their_connections(tmp_path: Path) -> None:
    """Direction, priority, overlap, how often to read everything; switched off means not there."""
    changed = {**STRIVE, "direction": "in", "priority": 3, "overlap": "90s", "full_every": "2d"}
    made = settings(tmp_path, connections={"a": changed, "b": {**TELERIVET, "enabled": False}})
    store = assemble.open_store(made.state.url)
    roster = assemble.roster(made, store)
    store.close()
    assert list(roster.sides) == ["a"]
    side = roster.sides["a"]
    assert (side.direction, side.priority, side.overlap) == ("in", 3, 90.0)
    assert side.full_every == timedelta(days=2).total_seconds()
    assert side.account == "strive:273@api.strivemessaging.org"
    assert not side.writes


def test_rules_get_the_settings_of_the_whole(tmp_path: Path) -> None:
    """Identity, consent and fuse; what is ignored is kept in the form it is matched by."""
    made = settings(
        tmp_path,
        identity={"max_shared": 2, "ignore": ["(202) 555-0199", "Office@Example.ORG"]},
        consent={"scope": "connection", "upward": {"rows": 7, "percent": 1}},
        fuse={"update": {"rows": 11, "percent": 2}},
    )
    rules = assemble.rules(made)
    assert (rules.max_shared, rules.consent_scope, rules.upward.rows) == (2, "connection", 7)
    assert rules.ignored == {"+12025550199", "office@example.org"}
    assert (rules.fuse["update"].rows, rules.fuse["create"].rows) == (11, 500)


def test_the_mapping_knows_what_the_platform_can_hold(tmp_path: Path) -> None:
    """A name longer than Strive takes is reported before it is sent."""
    made = settings(tmp_path)
    store = assemble.open_store(made.state.url)
    side = assemble.roster(made, store).sides["a"]
    store.close()
    assert side.mapping.write({"city": "x" * 255}).problems == ()
    assert [problem.field for problem in side.mapping.write({"city": "x" * 256}).problems] == ["city"]


def test_a_connection_that_is_pointed_at_another_account_is_noticed(tmp_path: Path) -> None:
    """Records of one campaign are not those of another: nothing is read or written."""
    made = settings(tmp_path)
    store = assemble.open_store(made.state.url)
    roster = assemble.roster(made, store)
    with store.transaction() as tx:
        from daemon.sync import accounts

        accounts.introduce(tx, roster)
    other = assemble.roster(settings(tmp_path, connections={"a": {**STRIVE, "campaign_id": 9}, "b": TELERIVET}), store)
    with pytest.raises(NeedsPerson, match="connection a was 273 at "):
        cycle.run(other)
    store.close()


def test_a_database_in_use_and_one_that_is_not_there(tmp_path: Path) -> None:
    """Busy to write beside another process; StopSync to look at what does not exist."""
    url = f"sqlite:///{tmp_path}/state.db"
    with pytest.raises(StopSync, match="no database"):
        assemble.open_store(url, exclusive=False)
    held = Store(url)
    with pytest.raises(Busy, match="in use"):
        assemble.open_store(url)
    assemble.open_store(url, exclusive=False).close()
    held.close()


def test_a_database_nobody_has_upgraded_is_not_looked_at(tmp_path: Path) -> None:
    """An empty file, as a crash at the very first start leaves it."""
    (tmp_path / "state.db").touch()
    with pytest.raises(StopSync, match="revision none") as caught:
        assemble.open_store(f"sqlite:///{tmp_path}/state.db", exclusive=False)
    assert caught.value.hint == "rosterd db upgrade"


def test_the_fuse_as_it_comes_is_the_same_in_the_settings_and_in_the_sync() -> None:
    """One who builds a roster by hand, as a test does, has the limits that a user has."""
    told = Fuse()
    assert {kind: (limit.rows, limit.percent) for kind, limit in FUSE.items()} == {
        kind: (getattr(told, kind).rows, getattr(told, kind).percent) for kind in Fuse.model_fields
    }
