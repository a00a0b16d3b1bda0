"""What ails a database, by real errors of real drivers; and whether it is well again."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from state.model import Contact
from state.store import Store
from state.trouble import Trouble, Troubled, trouble_of, writable


def caught(do: Callable[[], object]) -> Trouble:
    with pytest.raises((DBAPIError, sqlite3.Error, Troubled)) as problem:
        do()
    found = problem.value
    return found.trouble if isinstance(found, Troubled) else trouble_of(found)


def write(store: Store) -> None:
    with store.transaction() as tx:
        number = tx.contacts.reserve(1)
        tx.contacts.add([Contact(number, {}, 0.0)])


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store(url)) as opened:
        write(opened)
        yield opened


# SQLite


def test_a_lock_that_is_not_let_go_of_is_busy(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with store.bare() as db:
            db.execute("pragma busy_timeout=0")
        found = caught(lambda: write(store))
        assert (found.kind, found.passing) == ("busy", True)
        assert (writable(store) or found).kind == "busy"
    assert writable(store) is None


def test_no_more_pages_is_full(store: Store) -> None:
    with store.bare() as db:
        db.execute("pragma max_page_count=1")
    rows = [Contact(number, {}, 0.0) for number in range(10, 50_000)]

    def fill() -> None:
        with store.transaction() as tx:
            tx.contacts.add(rows)

    found = caught(fill)
    assert (found.kind, found.passing) == ("full", True)
    assert "(database or disk is full)" in found.text
    assert "room" in found.hint


def test_a_deleted_file_is_away_and_nothing_is_written_into_it(store: Store, path: Path, tmp_path: Path) -> None:
    shutil.move(path, tmp_path / "elsewhere.db")
    found = caught(lambda: write(store))
    assert (found.kind, found.passing) == ("away", True)
    assert (writable(store) or found).kind == "away"
    shutil.move(tmp_path / "elsewhere.db", path)
    assert writable(store) is None
    write(store)


def test_a_replaced_file_is_not_written_to_either(store: Store, path: Path) -> None:
    """It may be a restored one: what we have in mind is of the other."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)
    assert caught(lambda: write(store)).kind == "away"


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    with closing(Store(f"sqlite:///{folder}/state.db")) as store:
        store.engine.dispose()
        shutil.rmtree(folder)
        found = caught(lambda: write(store))
        assert (found.kind, found.passing) == ("away", True)
        assert (writable(store) or found).kind == "away"


def test_a_file_that_lost_bytes_is_damaged(store: Store, path: Path) -> None:
    store.close()
    with path.open("r+b") as file:
        file.truncate(8192)
    found = caught(lambda: Store(f"sqlite:///{path}"))
    assert (found.kind, found.passing) == ("damaged", False)
    assert "restore" in found.hint


def test_a_file_that_can_only_be_read(store: Store, path: Path) -> None:
    read = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    with closing(read):
        assert caught(lambda: read.execute("delete from contacts")).kind == "read_only"


def test_no_statement_and_no_person_is_in_the_words(store: Store) -> None:
    def twice() -> None:
        with store.transaction() as tx:
            tx.db.execute(text("insert into nowhere values ('ada@example.org')"))

    found = caught(twice)
    assert found.kind == "other"
    assert "ada@" not in found.text + found.hint
    assert "insert" not in found.text


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "full"),
        (errno.EROFS, "read_only"),
        (errno.EACCES, "refused"),
        (errno.ENOENT, "away"),
        (errno.EIO, "other"),
    ],
)
def test_what_the_file_system_says(number: int, kind: str) -> None:
    assert trouble_of(OSError(number, os.strerror(number))).kind == kind


# is it well again?


def test_a_try_leaves_nothing(store: Store, path: Path) -> None:
    before = sorted(each.name for each in path.parent.iterdir())
    assert writable(store) is None
    assert sorted(each.name for each in path.parent.iterdir()) == before
    with store.look() as tx:
        assert [row[0] for row in tx.db.execute(text("select name from counters"))] == ["contacts"]


def test_a_disk_with_a_few_bytes_left_is_not_well(store: Store, limited: Callable[[int], Any]) -> None:
    """A small write fits into what the log has spare, and says nothing."""
    with limited(512 << 10):
        write(store)
        found = writable(store)
    assert found is not None
    assert found.kind == "full"
    assert writable(store) is None


@pytest.fixture
def limited() -> Callable[[int], Any]:
    """Files of this process may not grow beyond so many bytes for a while."""
    import resource
    from contextlib import contextmanager

    @contextmanager
    def within(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return within


# PostgreSQL


def test_postgresql_says_who_it_does_not_let_in(postgres: str, pg_url: str) -> None:
    url = make_url(postgres)
    unknown = caught(lambda: Store(url.set(database="no_such").render_as_string(hide_password=False)))
    assert (unknown.kind, unknown.passing) == ("refused", False)
    assert "no_such" in unknown.text
    stranger = caught(lambda: Store(url.set(username="nobody_here").render_as_string(hide_password=False)))
    assert stranger.kind == "refused"


def test_postgresql_that_is_not_there_is_away(tmp_path: Path) -> None:
    found = caught(lambda: Store(f"postgresql://postgres@/postgres?host={tmp_path}"))
    assert (found.kind, found.passing) == ("away", True)


def test_postgresql_that_cuts_us_off_is_away_and_well_again(pg_url: str) -> None:
    """As when it is shut down: the connection in hand is lost, a new one is made."""
    with closing(Store(pg_url)) as store:

        def cut_off() -> None:
            with store.transaction() as tx:
                number = tx.db.execute(text("select pg_backend_pid()")).scalar()
                with store.engine.connect() as other:
                    other.execute(text("select pg_terminate_backend(:number, 5000)"), {"number": number})
                tx.db.execute(text("select 1"))

        assert caught(cut_off).kind == "away"
        assert writable(store) is None


def test_postgresql_that_can_only_be_read(pg_url: str) -> None:
    """As a standby, or one whose disk ran full and was set so by its keeper."""
    with closing(Store(pg_url)) as store:

        def read_only() -> None:
            with store.transaction() as tx:
                tx.db.execute(text("set transaction read only"))
                tx.contacts.reserve(1)

        assert caught(read_only).kind == "read_only"
        with store.engine.connect() as plain, suppress(DBAPIError):
            plain.execute(text("set default_transaction_read_only = on"))
            plain.commit()
        found = writable(store)
        assert found is not None
        assert found.kind == "read_only"


def test_postgresql_never_tells_a_row(pg_url: str) -> None:
    with closing(Store(pg_url)) as store:

        def twice() -> None:
            with store.transaction() as tx:
                for _ in range(2):
                    tx.db.execute(text("insert into identifiers values ('email', 'ada@example.org', 1)"))

        def wrong() -> None:
            with store.transaction() as tx:
                tx.db.execute(text("select cast(:it as bigint)"), {"it": "ada@example.org"})

        for do in (twice, wrong):
            found = caught(do)
            assert found.kind == "other"
            assert "ada@" not in found.text + found.hint
