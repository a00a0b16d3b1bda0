"""A backup is whole, private and nobody's in use; put back, the old one is kept beside it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from state import backup as module
from state.backup import backup, backup_into
from state.engine import Locked, StateError
from state.migrate import HEAD
from state.model import Account, Contact, Owed
from state.restore import restore
from state.store import Store, Tx
from state.tables import connections, workers
from state.trouble import Troubled

NOW = 1_770_000_000.0


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store(url)) as opened:
        with opened.transaction() as tx:
            tx.connections.add(Account("strive", "strive", "7", swept=1, sweep=1, swept_at=5.0))
        yield opened


def add_people(tx: Tx, count: int) -> None:
    first = tx.contacts.reserve(count)
    tx.contacts.add(Contact(number, {}, 0.0) for number in range(first, first + count))
    tx.outbox.add(Owed("strive", 2, number, None, "create", {}) for number in range(first, first + count))


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def count_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        (people,) = db.execute("select count(*) from contacts").fetchone()
        assert db.execute("select count(*) from outbox").fetchone() == (people,)
        return int(people)


# what it is


def test_a_backup_is_one_private_file_that_opens(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    with store.transaction() as tx:
        add_people(tx, 10)
    made = backup(store, folder / "a.db")
    assert names(folder) == ["a.db"]
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    with closing(Store(f"sqlite:///{made}")) as copy, copy.look() as tx:
        assert tx.contacts.count() == 10


def test_nobody_works_on_a_backup(store: Store, tmp_path: Path) -> None:
    """A lease is of a process beside the original. In the original it stays."""
    with store.transaction() as tx:
        tx.db.execute(update(connections).values(owner="one", lease_until=9e9, term=3))
        tx.db.execute(insert(workers).values(name="one", version="1", started_at=1.0, seen_at=1.0, doing=""))
    made = backup(store, tmp_path / "a.db")
    held = "select count(*) from workers union all select count(*) from connections where owner is not null"
    with closing(sqlite3.connect(made)) as db:
        assert db.execute(held).fetchall() == [(0,), (0,)]
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        assert db.execute(held).fetchall() == [(1,), (1,)]


def test_writers_go_on_while_it_is_made(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is of one moment all the same: each write would else begin the copy anew, for ever."""
    monkeypatch.setattr(module, "STEP", 4)
    with store.transaction() as tx:
        add_people(tx, 3000)
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            with store.transaction() as tx:
                add_people(tx, 5)
            written.append(5)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [count_in(backup(store, tmp_path / f"{number}.db")) for number in range(3)]
        during = len(written)
    finally:
        stop.set()
        writer.join()
    assert counts == sorted(counts)
    assert counts[0] >= 3000
    assert during > 3


def test_it_is_of_the_moment_it_began(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes after each of its steps; each write would else begin the copy anew, and it would never end."""
    with store.transaction() as tx:
        add_people(tx, 3000)
    written = []

    def write(*_: int) -> None:
        with store.transaction() as tx:
            add_people(tx, 1)
        written.append(1)

    class Copying(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **how: Any) -> None:
            super().backup(target, progress=lambda *_: write() if len(written) < 500 else None, **how)

    monkeypatch.setattr(module, "STEP", 4)
    monkeypatch.setattr(
        module, "bare", lambda path: sqlite3.connect(path, timeout=10, isolation_level=None, factory=Copying)
    )
    assert count_in(backup(store, tmp_path / "a.db")) == 3000
    assert 10 < len(written) < 500


# how it gets its name


def test_what_is_there_is_not_replaced_unless_told(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    target.write_text("mine")
    with pytest.raises(StateError, match="there already") as problem:
        backup(store, target)
    assert "--force" in problem.value.hint
    assert target.read_text() == "mine"
    backup(store, target, force=True)
    assert count_in(target) == 0


def test_nor_what_came_meanwhile(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.db"
    settle = module.settle
    monkeypatch.setattr(module, "settle", lambda part: (settle(part), target.write_text("mine")))
    with pytest.raises(StateError, match="there already"):
        backup(store, target)
    assert target.read_text() == "mine"
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


@pytest.mark.parametrize("name", ["state.db", "state.db-wal", "state.db.lock", "link.db"])
def test_the_database_itself_is_never_replaced(store: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "state.db")
    with pytest.raises(StateError, match="the database"):
        backup(store, tmp_path / name, force=True)
    assert store.check() == []


def test_a_folder_that_is_not_there_is_not_made(store: Store, tmp_path: Path) -> None:
    """A disk that is not mounted must not be filled from below."""
    with pytest.raises(StateError, match="there is no folder") as problem:
        backup(store, tmp_path / "mnt" / "a.db")
    assert "mounted" in problem.value.hint
    assert not (tmp_path / "mnt").exists()


def test_a_damaged_database_makes_no_backup(store: Store, path: Path, tmp_path: Path) -> None:
    with store.transaction() as tx:
        add_people(tx, 3000)
    store.close()
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096)
    looking = Store(f"sqlite:///{path}", exclusive=False)
    with closing(looking), pytest.raises(Troubled, match="damaged") as problem:
        backup(looking, tmp_path / "a.db")
    assert problem.value.trouble.kind == "damaged"
    assert not [name for name in names(tmp_path) if name.startswith((".a.db", "a.db"))]


# in a folder


def test_so_many_are_kept_and_nothing_else_is_touched(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    others = ["rosterd-20200101T000000Z.db.gz", "rosterd-2020.db", "notes.txt", "xrosterd-20200101T000000Z.db"]
    for name in others:
        (folder / name).touch()
    made = [backup_into(store, folder, now=NOW + day * 86400, keep=2) for day in range(4)]
    assert [len(removed) for _, removed in made] == [0, 0, 1, 1]
    assert names(folder) == sorted([*others, made[2][0].name, made[3][0].name])
    assert made[0][0].name == "rosterd-20260202T024000Z.db"


def test_none_is_removed_before_there_are_so_many(store: Store, tmp_path: Path) -> None:
    """Eight nights after it was set up to keep fourteen."""
    folder = tmp_path / "kept"
    folder.mkdir()
    made = [backup_into(store, folder, now=NOW + day * 86400, keep=14) for day in range(8)]
    assert [removed for _, removed in made] == [[]] * 8
    assert names(folder) == [path.name for path, _ in made]


def test_a_clock_that_went_back_does_not_cost_the_new_one(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    backup_into(store, folder, now=NOW)
    made, removed = backup_into(store, folder, now=NOW - 1e6, keep=1)
    assert names(folder) == [made.name]
    assert len(removed) == 1


def test_older_ones_stay_when_the_new_one_fails(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    made, _ = backup_into(store, folder, now=NOW)

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "settle", full)
    with pytest.raises(Troubled, match="there is no room for it"):
        backup_into(store, folder, now=NOW + 60, keep=1)
    assert names(folder) == [made.name]


KILLED = """\
import os, signal, sys
from pathlib import Path
from state import backup
from state.store import Store
backup.settle = lambda part: os.kill(os.getpid(), signal.SIGKILL)
backup.backup_into(Store(sys.argv[1], exclusive=False), Path(sys.argv[2]), now=float(sys.argv[3]))
"""


def test_a_killed_backup_is_no_backup_and_is_swept_up(
    store: Store, url: str, tmp_path: Path, python: Callable[..., Any]
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    python(KILLED, url, str(folder), str(NOW)).wait()
    (part,) = folder.iterdir()
    assert part.name.endswith(".part")
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    written = part.stat().st_mtime
    made, _ = backup_into(store, folder, now=written + 60)
    assert part.exists()
    later, _ = backup_into(store, folder, now=written + 2 * 86400)
    assert names(folder) == sorted([made.name, later.name])


# putting one back


@pytest.fixture
def kept(store: Store, tmp_path: Path) -> Path:
    """A backup with one person; the database has two since."""
    with store.transaction() as tx:
        add_people(tx, 1)
    made = backup(store, tmp_path / "kept.db")
    with store.transaction() as tx:
        add_people(tx, 1)
    return made


def test_a_backup_takes_the_place_and_the_old_one_stays(store: Store, kept: Path, path: Path) -> None:
    """With what its log had not brought into it yet: the process that wrote last was killed."""
    blocked = sqlite3.connect(path)
    blocked.execute("begin")
    blocked.execute("select * from contacts").fetchall()
    store.close()
    old = restore(kept, path, now=NOW)
    blocked.close()
    assert old is not None
    assert old.name == "state.db.before-restore-20260202T024000Z"
    assert (count_in(path), count_in(old)) == (1, 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert count_in(kept) == 1


def test_after_a_restore_everything_is_read_again(store: Store, kept: Path, path: Path, url: str) -> None:
    """What was said since the backup, a "no" above all, is on the platforms only. The cursor stays: it repeats."""
    store.close()
    restore(kept, path, now=NOW)
    with closing(Store(url)) as opened, opened.look() as tx:
        account = tx.connections.all()["strive"]
    assert account.primed
    assert account.swept_at is None


def test_a_sweep_that_was_under_way_begins_anew(store: Store, path: Path, tmp_path: Path, url: str) -> None:
    """What it had read before the backup may have changed since. The feed goes on from where it was."""
    under_way = {"sweep": 3, "swept": 2, "cursor": {"after": 5000}, "feed": {"since": "2026-01-01"}}
    with store.transaction() as tx:
        tx.connections.put("strive", **under_way)
    made = backup(store, tmp_path / "kept.db")
    store.close()
    restore(made, path, now=NOW)
    with closing(Store(url)) as opened, opened.look() as tx:
        account = tx.connections.all()["strive"]
    assert account.cursor == {}
    assert account.feed == {"since": "2026-01-01"}


NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put back what is another's")
@pytest.mark.parametrize("there", [True, False])
def test_what_root_puts_back_is_the_services(store: Store, kept: Path, path: Path, tmp_path: Path, there: bool) -> None:
    """`sudo rosterd db restore` beside a service that runs as a user of its own, also where its database was lost."""
    store.close()
    target = path if there else tmp_path / "service" / "state.db"
    target.parent.mkdir(exist_ok=True)
    os.chown(path if there else target.parent, NOBODY, NOBODY)
    restore(kept, target, now=NOW)
    for each in (target, *([] if there else [target.with_name("state.db.lock")])):
        assert (each.stat().st_uid, each.stat().st_gid) == (NOBODY, NOBODY), each


def test_a_restore_into_nothing(store: Store, kept: Path, tmp_path: Path) -> None:
    assert restore(kept, tmp_path / "new" / "state.db", now=NOW) is None
    assert count_in(tmp_path / "new" / "state.db") == 1


def test_a_database_in_use_is_not_replaced(store: Store, kept: Path, path: Path) -> None:
    with pytest.raises(Locked):
        restore(kept, path, now=NOW)
    assert count_in(path) == 2


def test_what_is_no_good_backup_changes_nothing(store: Store, kept: Path, path: Path, tmp_path: Path) -> None:
    store.close()
    before = path.read_bytes()
    bad = {name: tmp_path / name for name in ("text", "empty", "other", "newer", "cut")}
    bad["text"].write_text("this is no database, but long enough to look at" * 100)
    bad["empty"].touch()
    with closing(sqlite3.connect(bad["other"])) as db:
        db.execute("create table t (a)")
    backup_bytes = kept.read_bytes()
    bad["newer"].write_bytes(backup_bytes)
    with closing(sqlite3.connect(bad["newer"])) as db, db:
        db.execute("update alembic_version set version_num = '9999'")
    bad["cut"].write_bytes(backup_bytes[: len(backup_bytes) // 2])
    for name, words in {
        "text": "damaged",
        "empty": "no database of rosterd",
        "other": "no database of rosterd",
        "newer": "does not know",
        "cut": "damaged",
    }.items():
        with pytest.raises(StateError, match=words):
            restore(bad[name], path, now=NOW)
    with pytest.raises(StateError, match="there is no file"):
        restore(tmp_path / "nowhere", path, now=NOW)
    with pytest.raises(StateError, match="the database itself"):
        restore(path, path, now=NOW)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*before-restore*"))


# PostgreSQL


def test_a_backup_of_postgresql_is_a_file_too(pg_url: str, tmp_path: Path) -> None:
    """It opens as SQLite, with everything in it but who works on the original."""
    with closing(Store(pg_url)) as store:
        with store.transaction() as tx:
            tx.connections.add(Account("strive", "strive", "7", owner="one", lease_until=9e9, term=3))
            add_people(tx, 10)
            tx.db.execute(insert(workers).values(name="one", version="1", started_at=1.0, seen_at=1.0, doing=""))
        made = backup(store, tmp_path / "a.db")
    assert count_in(made) == 10
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert names(tmp_path) == ["a.db"]
    with closing(Store(f"sqlite:///{made}")) as copy, copy.transaction() as tx:
        assert tx.connections.all()["strive"].owner is None
        assert tx.contacts.reserve(1) == 11


def test_a_postgresql_of_another_shape_is_for_pg_dump(pg_url: str, tmp_path: Path) -> None:
    with closing(Store(pg_url)) as store:
        with store.transaction() as tx:
            tx.db.execute(text("update alembic_version set version_num = '0001'"))
        try:
            with pytest.raises(StateError, match="at revision 0001") as problem:
                backup(store, tmp_path / "a.db")
        finally:
            with store.transaction() as tx:
                tx.db.execute(text("update alembic_version set version_num = :head"), {"head": HEAD})
    assert "pg_dump" in problem.value.hint
    assert not list(tmp_path.iterdir())
