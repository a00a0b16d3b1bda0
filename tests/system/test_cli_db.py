"""`rosterd db` as it is typed: backup and restore, check, prune and vacuum; beside whoever holds the database."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from daemon.sandbox import Sandbox
from state.engine import FileLock
from state.keep import PRUNABLE
from tests.system.cli_world import Shell, add, sandbox_and_shell


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Sandbox, Shell]]:
    """Ada on both sides, Bo on Strive; all synced."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        sandbox.strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Sample")
        sandbox.strive.add_member(phone_number="+12025550102", first_name="Bo", last_name="Sample")
        sandbox.telerivet.add_contact("Ada Sample", "+12025550101", {"city": "Rome"})
        shell("sync")
        yield sandbox, shell


@contextmanager
def in_use(shell: Shell) -> Iterator[None]:
    lock = FileLock(shell.folder / "state.db")
    lock.take()
    try:
        yield
    finally:
        lock.release()


# backups


def test_a_backup_beside_a_running_service(both: tuple[Sandbox, Shell]) -> None:
    _, shell = both
    with in_use(shell):
        told = shell("db", "backup", "before.db").stdout
        assert "before.db" in told
        assert "rosterd db restore before.db" in told
        assert "add --force" in shell("db", "backup", "before.db", code=1).stderr
        assert shell.json("db", "backup", "before.db", "--force")["file"] == "before.db"
    assert stat.S_IMODE((shell.folder / "before.db").stat().st_mode) == 0o600
    with closing(sqlite3.connect(shell.folder / "before.db")) as db:
        assert db.execute("select count(*) from contacts").fetchone() == (2,)


def test_backups_in_a_folder(both: tuple[Sandbox, Shell]) -> None:
    _, shell = both
    (shell.folder / "kept").mkdir()
    old = shell.folder / "kept" / "rosterd-20200101T000000Z.db"
    old.touch()
    made = shell.json("db", "backup", "kept", "--keep", "1")
    assert made["removed"] == ["kept/rosterd-20200101T000000Z.db"]
    assert [each.name for each in (shell.folder / "kept").iterdir()] == [Path(made["file"]).name]
    assert "--keep is for a folder" in shell("db", "backup", "x.db", "--keep", "1", code=2).stderr


def test_a_backup_before_an_upgrade(both: tuple[Sandbox, Shell]) -> None:
    """The program is newer than the database: this is when a backup is wanted most."""
    _, shell = both
    with closing(sqlite3.connect(shell.folder / "state.db")) as db, db:
        db.execute("update alembic_version set version_num = '0001'")
    shell("db", "backup", "old.db")
    with closing(sqlite3.connect(shell.folder / "old.db")) as db:
        assert db.execute("select version_num from alembic_version").fetchone() == ("0001",)


def test_an_opt_out_since_the_backup_survives_its_restore(both: tuple[Sandbox, Shell]) -> None:
    """It is on the platforms, and is read again before anything is sent; nobody is made twice, nothing undone."""
    sandbox, shell = both
    shell("db", "backup", "old.db")
    ada, bo = (member["id"] for member in sandbox.strive.members())
    sandbox.strive.opt_out(ada)
    sandbox.strive.edit_member(bo, city="Oslo")
    sandbox.strive.add_member(phone_number="+12025550103", first_name="Cy", last_name="Sample")
    shell("sync")
    people = len(sandbox.telerivet.contacts())
    shell("db", "restore", "old.db", "--yes")
    assert shell.json("db", "check", "--quick", code=None)["findings"] == []
    done = shell.json("sync")
    assert done["outcome"] == "done"
    shell.json("sync")
    there = {contact["name"]: contact for contact in sandbox.telerivet.contacts()}
    assert len(sandbox.telerivet.contacts()) == people == 3
    assert there["Ada Sample"]["send_blocked"]
    assert there["Bo Sample"]["vars"]["city"] == "Oslo"
    assert not any(sandbox.harm().values())
    assert shell.json("sync")["sent"] == 0


def test_a_restore_asks_and_waits_for_nobody_to_use_it(both: tuple[Sandbox, Shell]) -> None:
    _, shell = both
    shell("db", "backup", "old.db")
    before = (shell.folder / "state.db").read_bytes()
    assert shell("db", "restore", "old.db", code=130).stdout == ""
    with in_use(shell):
        assert "in use by process" in shell("db", "restore", "old.db", "--yes", code=75).stderr
    assert "there is no file" in shell("db", "restore", "older.db", "--yes", code=1).stderr
    assert (shell.folder / "state.db").read_bytes() == before
    kept = shell.json("db", "restore", "old.db", "--yes")["kept"]
    assert Path(kept).read_bytes() == before


# looking


def test_check_says_what_to_do(both: tuple[Sandbox, Shell]) -> None:
    _, shell = both
    with in_use(shell):
        assert "the database is whole" in shell("db", "check").stdout
        with closing(sqlite3.connect(shell.folder / "state.db")) as db, db:
            db.execute("update links set contact_id = 99 where connection = 'strive'")
        (shell.folder / "state.db").chmod(0o644)
        told = shell("db", "check", code=1).stdout
    assert "wrong: 2 records belong to a contact that does not exist: strive/" in told
    assert "chmod 600" in told
    assert "problems" in told
    assert "555" not in told
    found = shell.json("db", "check", "--quick", code=1)
    assert not found["whole"]
    assert {each["what"] for each in found["findings"]} >= {"tables", "mode"}


# tidying


def test_prune_by_hand(both: tuple[Sandbox, Shell]) -> None:
    """Beside a running service; what explains something stays, and a contact can still tell its story."""
    _, shell = both
    add(shell.folder / "config.toml", '[keep]\njournal = "30d"\nruns = "30d"\n')
    with closing(sqlite3.connect(shell.folder / "state.db")) as db, db:
        db.execute("update journal set at = at - 86400 * 60")
        db.execute("update runs set started_at = started_at - 86400 * 60, ended_at = ended_at - 86400 * 60")
        before = dict(db.execute("select event, count(*) from journal group by event"))
    with in_use(shell):
        would = shell.json("db", "prune", "--dry-run")
        old = sum(count for name, count in before.items() if name in PRUNABLE)
        assert would == {"dry_run": True, "rows": {"journal": old, "runs": 1}}
        assert shell.json("db", "prune") == {"dry_run": False, "rows": would["rows"]}
        assert "nothing is old enough" in shell("db", "prune").stdout
    with closing(sqlite3.connect(shell.folder / "state.db")) as db:
        after = dict(db.execute("select event, count(*) from journal group by event"))
    assert after == {name: count for name, count in before.items() if name not in PRUNABLE}
    assert "a record of somebody new" in shell("contacts", "show", "c1").stdout
    assert shell.json("status")["runs"] == []
    assert shell.json("sync")["sent"] == 0


def test_vacuum_gives_room_back(both: tuple[Sandbox, Shell]) -> None:
    _, shell = both
    path = shell.folder / "state.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table ballast (a)")
        db.execute("insert into ballast values (zeroblob(4000000))")
    with closing(sqlite3.connect(path)) as db:
        db.execute("drop table ballast")
        db.commit()
    with in_use(shell):
        assert "in use by process" in shell("db", "vacuum", code=75).stderr
    done = shell.json("db", "vacuum")
    assert done["before"] > 4_000_000 > done["after"] == path.stat().st_size


def test_vacuum_says_what_it_lacks(both: tuple[Sandbox, Shell], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5 << 20}))
    done = both[1]("db", "vacuum", code=75)
    assert "error: a vacuum needs" in done.stderr
    assert "SQLITE_TMPDIR" in done.stderr


@pytest.mark.parametrize("typed", [("backup", "x.db"), ("check",), ("prune",)])
def test_without_a_database(both: tuple[Sandbox, Shell], typed: tuple[str, ...]) -> None:
    _, shell = both
    (shell.folder / "state.db").unlink()
    assert "there is no database at" in shell("db", *typed, code=1).stderr
    assert not (shell.folder / "state.db").exists()
