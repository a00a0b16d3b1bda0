"""The one door: who may open it, what the file looks like, and that a copy is whole."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from state.engine import Locked, StateError, sqlite_path
from state.model import Account, Contact, Owed
from state.store import Store, Tx


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def add_one(tx: Tx) -> None:
    """A contact and what is owed about it: two tables that must agree."""
    number = tx.contacts.reserve(1)
    tx.contacts.add([Contact(number, {}, 0.0)])
    tx.outbox.add([Owed("strive", 2, number, None, "create", {})])


# private


def test_only_its_owner_may_read_the_database(path: Path, url: str) -> None:
    """Nor what stands beside it: the log of writes holds the same phone numbers."""
    before = os.umask(0)
    try:
        with closing(Store(url)) as store, store.transaction() as tx:
            add_one(tx)
            files = sorted(each.name for each in path.parent.iterdir())
            assert files == ["state.db", "state.db-shm", "state.db-wal", "state.db.lock"]
            assert {mode(each) for each in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_a_database_that_others_could_read_is_made_private(path: Path, url: str) -> None:
    path.touch(mode=0o644)
    with closing(Store(url)):
        assert mode(path) == 0o600


def test_missing_folders_are_made_and_are_private_too(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/var/rosterd/state.db")):
        assert mode(tmp_path / "var" / "rosterd") == 0o700


# one process a file

HOLD = """\
import sys
from state.model import Account
from state.store import Store
store = Store(sys.argv[1])
with store.transaction() as tx:
    tx.connections.add(Account("kept", "strive", "7"))
with store.transaction() as tx:
    tx.connections.add(Account("half done", "strive", "7"))
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_second_store_on_the_same_file_is_told_who_holds_it(url: str, python: Callable[..., Any]) -> None:
    child = python(HOLD, url)
    assert child.stdout.readline() == "ready\n"
    with pytest.raises(Locked, match=rf"in use by process {child.pid}$") as problem:
        Store(url)
    assert "stop it" in problem.value.hint
    with closing(Store(url, exclusive=False)) as looking, looking.look() as tx:
        assert list(tx.connections.all()) == ["kept"]


def test_kill_9_lets_go_of_the_file_and_leaves_nothing_half_done(url: str, python: Callable[..., Any]) -> None:
    child = python(HOLD, url)
    assert child.stdout.readline() == "ready\n"
    child.kill()
    child.wait()
    with closing(Store(url)) as store, store.look() as tx:
        assert list(tx.connections.all()) == ["kept"]
        assert store.check() == []


def test_one_process_cannot_hold_it_twice_but_again(url: str) -> None:
    with closing(Store(url)), pytest.raises(Locked, match=f"process {os.getpid()}"):
        Store(url)
    Store(url).close()


def test_a_store_that_cannot_be_opened_lets_go_of_the_file(path: Path, url: str) -> None:
    path.write_text("this is no database, but it is long enough to look at" * 10)
    with pytest.raises(StateError, match=r"is damaged \(file is not a database\)") as problem:
        Store(url)
    assert "rosterd db check" in problem.value.hint
    path.unlink()
    Store(url).close()


# where it is


def test_looking_makes_no_database(path: Path, url: str) -> None:
    with pytest.raises(StateError, match=r"no database at .*state\.db yet") as problem:
        Store(url, exclusive=False)
    assert problem.value.hint == "rosterd sync makes it"
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"cannot open the database .*file/state.db") as problem:
        Store(f"sqlite:///{tmp_path}/file/state.db")
    assert "state.url" in problem.value.hint


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_no_state(url: str) -> None:
    with pytest.raises(StateError, match="kept in a file"):
        Store(url)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/state.db", Path("/var/state.db")),
        ("sqlite:///state.db", Path("state.db")),
        ("postgresql://h/d", None),
    ],
)
def test_the_file_behind_a_url(url: str, path: Path | None) -> None:
    assert sqlite_path(url) == path


# how it is written


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 10000), ("synchronous", 1)]
)
def test_every_connection_is_prepared(url: str, pragma: str, value: Any) -> None:
    with closing(Store(url)) as store, store.look() as one, store.look() as two:
        for tx in (one, two):
            assert tx.db.execute(text(f"pragma {pragma}")).scalar() == value


def test_a_transaction_takes_its_place_in_the_row_before_it_reads(url: str, path: Path) -> None:
    """Else it would read, find that another wrote in between, and fail at once whatever the timeout."""
    with closing(Store(url)) as store, closing(sqlite3.connect(path, timeout=0)) as other:
        locked = pytest.raises(sqlite3.OperationalError, match="locked")
        with store.transaction(), locked:
            other.execute("begin immediate")


def test_nobody_of_ours_writes_while_the_file_is_looked_after(url: str) -> None:
    """A thread waits its turn, however long that takes; SQLite's own patience ends after ten seconds."""
    order: list[str] = []
    with closing(Store(url)) as store:

        def write() -> None:
            with store.transaction() as tx:
                order.append("written")
                add_one(tx)

        with store.bare():
            writer = threading.Thread(target=write)
            writer.start()
            writer.join(0.1)
            order.append("looked after")
        writer.join()
    assert order == ["looked after", "written"]


# copies


def test_a_copy_is_whole_while_another_writes(path: Path, url: str, tmp_path: Path) -> None:
    stop = threading.Event()
    with closing(Store(url)) as store:

        def write() -> None:
            while not stop.is_set():
                with store.transaction() as tx:
                    add_one(tx)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            counts = [_whole(store, tmp_path / f"copy{n}.db") for n in range(5)]
        finally:
            stop.set()
            writer.join()
        assert counts == sorted(counts)
        assert _whole(store, tmp_path / "last.db") > counts[0]


def _whole(store: Store, path: Path) -> int:
    store.copy_to(path)
    with closing(Store(f"sqlite:///{path}", exclusive=False)) as copy, copy.look() as tx:
        assert copy.check() == []
        contacts = tx.contacts.count()
        assert [push.contact_id for push in tx.outbox.listed(limit=100_000)] == list(range(1, contacts + 1))
        return contacts


def test_a_copy_can_be_opened_in_the_place_of_the_original(url: str, tmp_path: Path) -> None:
    with closing(Store(url)) as store:
        with store.transaction() as tx:
            tx.connections.add(Account("strive", "strive", "7"))
        store.copy_to(tmp_path / "backup" / "copy.db")
    with closing(Store(f"sqlite:///{tmp_path}/backup/copy.db")) as copy, copy.transaction() as tx:
        assert list(tx.connections.all()) == ["strive"]


def test_a_copy_is_private_from_its_first_byte(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only once it is complete."""
    before = os.umask(0)
    try:
        with closing(Store(url)) as store:
            monkeypatch.setattr(Path, "chmod", lambda *_: None)
            store.copy_to(tmp_path / "copy.db")
    finally:
        os.umask(before)
    assert mode(tmp_path / "copy.db") == 0o600


# what is wrong with it


@pytest.mark.parametrize("page", [1, 20])
def test_check_finds_damage(path: Path, url: str, page: int) -> None:
    """Wherever it is: some is too bad for SQLite to look further."""
    with closing(Store(url)) as store:
        with store.transaction() as tx:
            tx.contacts.add(Contact(n, {}, 0.0) for n in range(1, 2000))
        assert store.check() == []
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(b"\xff" * 4096)
    with closing(Store(url, exclusive=False)) as store:
        assert store.check() != []


def test_check_of_what_is_no_database(path: Path, url: str) -> None:
    path.write_text("this is no database, but it is long enough to look at" * 10)
    with closing(Store(url, exclusive=False)) as store:
        assert store.check() == ["file is not a database"]


def test_a_closed_store_can_be_closed_again(url: str) -> None:
    store = Store(url)
    store.close()
    store.close()


def test_an_error_of_the_database_undoes_the_transaction(url: str) -> None:
    with closing(Store(url)) as store:
        with pytest.raises(DBAPIError):
            _write_then_fail(store)
        with store.look() as tx:
            assert tx.contacts.count() == 0


def _write_then_fail(store: Store) -> None:
    with store.transaction() as tx:
        add_one(tx)
        tx.db.execute(text("insert into nowhere values (1)"))


# leases


def test_whoever_opens_the_file_alone_finds_no_lease_in_it(url: str) -> None:
    """Its holder was killed: nobody has to wait for its lease to run out."""
    with closing(Store(url)) as store, store.transaction() as tx:
        tx.connections.add(Account("strive", "strive", "7"))
        assert tx.leases.claim(["strive"], "w1", 60.0)
        tx.workers.seen("w1", "1.0", 0.0, "reading strive")
    with closing(Store(url, exclusive=False)) as looking, looking.look() as tx:
        assert list(tx.leases.holders()) == ["strive"]
    with closing(Store(url)) as store, store.transaction() as tx:
        assert (tx.leases.holders(), tx.workers.all()) == ({}, [])
        again = tx.leases.claim(["strive"], "w2", 60.0)
        assert again is not None
        assert again.term == 2
