"""PostgreSQL itself: its shape, who writes when, what becomes of a writer or a server that is gone, and a copy."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from state import copy, migrate, postgresql
from state.engine import StateError, engine
from state.migrate import HEAD, revision, upgrade
from state.model import Account, Contact, Entry, Link, Outreach, Owed
from state.store import Store
from state.tables import metadata
from state.trouble import trouble_of
from tests.contract.state_suite import _write_everywhere as write_everywhere
from tests.postgres import admin, database
from tests.unit.state.test_plans import ASKED

Asked = list[tuple[Any, ...]]


@pytest.fixture
def store(pg_url: str) -> Iterator[Store]:
    with closing(Store(pg_url)) as opened:
        yield opened


def rows(url: str, query: str) -> Asked:
    with admin(url) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


# its shape


def shape(url: str) -> list[Asked]:
    """Columns, indexes and constraints, but for their order and alembic's own."""
    return [[row for row in rows(url, query) if "alembic" not in str(row[0])] for query in SHAPE]


SHAPE = (
    "select table_name, column_name, data_type, is_nullable, column_default, collation_name"
    " from information_schema.columns where table_schema = 'public' order by 1, 2",
    "select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1",
    "select conname, pg_get_constraintdef(oid) from pg_constraint"
    " where connamespace = 'public'::regnamespace order by 1",
)


def test_from_nothing_to_the_newest(empty_database: str) -> None:
    assert upgrade(empty_database) == (None, HEAD)
    assert upgrade(empty_database) == (HEAD, HEAD)
    made = engine(empty_database)
    with made.connect() as connection:
        assert revision(connection) == HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    made.dispose()


def test_the_migrations_make_exactly_what_the_models_would(postgres: str, pg_url: str, empty_database: str) -> None:
    made = engine(empty_database)
    with made.begin() as connection:
        metadata.create_all(connection)
    made.dispose()
    created = shape(empty_database)
    assert all(created)
    assert shape(pg_url) == created


def test_texts_are_compared_byte_by_byte(pg_url: str) -> None:
    """Whatever the language of the server: SQLite and PostgreSQL sort alike, and no upgrade of the machine can make an
    index wrong."""
    texts = "select column_name, collation_name from information_schema.columns where table_schema = 'public'"
    found = rows(pg_url, f"{texts} and data_type in ('text', 'character varying') and table_name <> 'alembic_version'")
    assert len(found) > 50
    assert {collation for _, collation in found} == {"C"}


def test_a_database_of_the_first_shape_keeps_what_it_has(empty_database: str) -> None:
    made = engine(empty_database)
    with made.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("insert into contacts (id, fields, created_at) values (7, '{}', 1.0)"))
    made.dispose()
    with closing(Store(empty_database)) as store, store.transaction() as tx:
        assert [contact.id for contact in tx.contacts.all()] == [7]
        assert len(tx.outreaches.add([Outreach("a", "r", 7, 5, 5, "tag A")])) == 1


def test_a_database_of_a_newer_program_is_refused_untouched(pg_url: str) -> None:
    with admin(pg_url) as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
        try:
            with pytest.raises(StateError, match="revision 9999, which this version of rosterd does not know"):
                Store(pg_url)
            assert rows(pg_url, "select version_num from alembic_version") == [("9999",)]
        finally:
            connection.execute(text("update alembic_version set version_num = :head"), {"head": HEAD})
    Store(pg_url).close()


def test_a_migration_that_fails_leaves_nothing(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = migrate._upgrade

    def fail(connection: Any) -> None:
        real(connection)
        raise RuntimeError("the power went")

    monkeypatch.setattr(migrate, "_upgrade", fail)
    with pytest.raises(RuntimeError):
        upgrade(empty_database)
    assert shape(empty_database) == [[], [], []]


START = """\
import sys, alembic.command
from state.migrate import upgrade
print("ready", flush=True)
sys.stdin.read()
print(upgrade(sys.argv[1]))
"""


def test_of_those_who_start_at_once_one_migrates(empty_database: str, python: Callable[..., Any]) -> None:
    starters = [python(START, empty_database) for _ in range(2)]
    assert [starter.stdout.readline() for starter in starters] == ["ready\n"] * 2
    for starter in starters:
        starter.stdin.close()
    said = sorted(starter.stdout.read().strip() for starter in starters)
    assert said == [str((HEAD, HEAD)), str((None, HEAD))]


# what every page asks is looked up


@pytest.fixture(scope="module")
def peopled(shelf: Any) -> Iterator[Store]:
    """Enough of everything that the planner has a choice."""
    with shelf.lent() as url, closing(Store(url)) as store:
        with store.transaction() as tx:
            many = range(1, 4001)
            tx.contacts.add(Contact(n, {"city": Entry("x", 1.0, "a", "r")}, 0.0) for n in many)
            tx.contacts.add_identifiers(("phone", f"+1202{n}", n) for n in many)
            tx.links.add(Link("a", str(n), "linked", n) for n in many)
            tx.links.set_strays("a", {str(n): [("phone", f"+1303{n}")] for n in many})
            tx.links.suppress("a", {str(n): {("phone", f"+1303{n}"): ("unsubscribed", "held")} for n in many}, at=0.0)
            tx.outbox.add(Owed("a", 1, n, str(n), "update", {}, "dead") for n in many)
        with store.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("analyze"))
        yield store


@pytest.mark.parametrize("what", ASKED)
def test_nothing_is_scanned(peopled: Store, what: str) -> None:
    from sqlalchemy import event

    asked: Asked = []
    with peopled.transaction() as tx:

        def note(*call: Any) -> None:
            asked.append((call[2], call[3]))

        event.listen(peopled.engine, "before_cursor_execute", note)
        try:
            ASKED[what](tx)
        finally:
            event.remove(peopled.engine, "before_cursor_execute", note)
        # Of tables with a row or two the planner would read all: what is asked is whether there is another way.
        tx.db.exec_driver_sql("set local enable_seqscan = off")
        plans = [
            str(row[0]) for said, values in asked for row in tx.db.exec_driver_sql(f"explain {said}", values).all()
        ]
    assert any("Index" in plan for plan in plans), plans
    assert not [plan for plan in plans if "Seq Scan" in plan], plans


# one writer


def test_one_writes_at_a_time_and_whoever_looks_does_not_wait(store: Store, pg_url: str) -> None:
    order: list[str] = []
    with closing(Store(pg_url)) as other:

        def write() -> None:
            with other.transaction() as tx:
                order.append(f"second sees {[each.id for each in tx.contacts.all()]}")

        thread = threading.Thread(target=write)
        with store.transaction() as tx:
            thread.start()
            tx.contacts.add([Contact(1, {}, 0.0)])
            time.sleep(0.1)
            with other.look() as looking:
                assert looking.contacts.count() == 0
            order.append("first")
        thread.join()
    assert order == ["first", "second sees [1]"]


def test_what_is_committed_is_on_disk_whatever_the_server_is_used_to(store: Store) -> None:
    """The server of the tests confirms before it writes; a crash would forget a lease that somebody relies on."""
    with store.look() as tx:
        assert tx.db.execute(text("show synchronous_commit")).scalar() == "off"
    with store.transaction() as tx:
        assert tx.db.execute(text("show synchronous_commit")).scalar() == "on"
    with store.transaction() as tx:
        tx.db.execute(text("set session synchronous_commit = 'remote_apply'"))
    with store.transaction() as tx:  # more than we ask for is left
        assert tx.db.execute(text("show synchronous_commit")).scalar() in ("on", "remote_apply")


def test_a_writer_that_stalls_is_cut_off(store: Store, pg_url: str) -> None:
    """A suspended machine must not stop all others. What it had begun is undone."""
    store.stalled = 0.1

    def stall(store: Store, other: Store) -> None:
        with store.transaction() as tx:
            tx.contacts.add([Contact(1, {}, 0.0)])
            with other.transaction() as mine:  # waits until the first is cut off
                mine.contacts.add([Contact(2, {}, 0.0)])
            tx.contacts.add([Contact(3, {}, 0.0)])

    with closing(Store(pg_url)) as other:
        with pytest.raises(DBAPIError) as problem:
            stall(store, other)
        assert trouble_of(problem.value).passing
    with store.transaction() as tx:
        assert [each.id for each in tx.contacts.all()] == [2]


WORK = """\
import sys
from state.model import Contact
from state.store import Store
store = Store(sys.argv[1])
with store.transaction() as tx:
    lease = tx.leases.claim(["a"], "killed", 0.3)
with store.holding(lease), store.transaction() as tx:
    tx.contacts.add([Contact(1, {}, 0.0)])
    print("within", flush=True)
    sys.stdin.read()
"""


def test_a_worker_that_is_killed_is_taken_over_within_its_lease(store: Store, python: Callable[..., Any]) -> None:
    """It is killed within a transaction: of that nothing is left, neither a row nor a lock."""
    with store.transaction() as tx:
        tx.connections.add(Account("a", "strive", "7"))
    worker = python(WORK, store.url)
    assert worker.stdout.readline() == "within\n"
    worker.kill()
    worker.wait()
    killed = time.monotonic()
    taken = None
    while taken is None:
        with store.transaction() as tx:
            taken = tx.leases.claim(["a"], "other", 60.0)
    assert time.monotonic() - killed < 2.0
    assert taken.term == 2
    with store.look() as tx:
        assert tx.contacts.count() == 0


def test_a_connection_that_was_cut_is_replaced_unnoticed(store: Store, pg_url: str) -> None:
    with store.transaction() as tx:
        tx.contacts.add([Contact(1, {}, 0.0)])
    with admin(pg_url) as connection:
        cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> "
        connection.exec_driver_sql(f"{cut} pg_backend_pid()")
    with store.transaction() as tx:
        assert tx.contacts.count() == 1


def test_how_it_is_reached(store: Store) -> None:
    with store.transaction() as tx:
        shown = {
            name: tx.db.execute(text(f"show {name}")).scalar()
            for name in ("application_name", "transaction_isolation", "idle_in_transaction_session_timeout")
        }
    assert shown == {
        "application_name": "rosterd",
        "transaction_isolation": "read committed",
        "idle_in_transaction_session_timeout": "30s",
    }
    with store.look() as tx:
        assert tx.db.execute(text("show transaction_isolation")).scalar() == "repeatable read"
        assert tx.db.execute(text("show transaction_read_only")).scalar() == "on"


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql://db.example.org/rosterd", "require"),
        ("postgresql:///rosterd?host=db.example.org", "require"),
        ("postgresql://db.example.org/rosterd?sslmode=disable", None),
        ("postgresql:///rosterd", None),
        ("postgresql://localhost/rosterd", None),
        ("postgresql://127.0.0.1:5433/rosterd", None),
        ("postgresql:///rosterd?host=/run/postgresql", None),
    ],
)
def test_nothing_crosses_a_network_in_the_clear(url: str, sslmode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGSSLMODE", "PGHOST"):
        monkeypatch.delenv(name, raising=False)
    assert postgresql._arguments(make_url(url)).get("sslmode") == sslmode


def test_what_the_address_says_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = postgresql._arguments(make_url("postgresql:///rosterd?connect_timeout=3&application_name=north"))
    assert not {"connect_timeout", "application_name"} & asked.keys()


# a copy


@contextmanager
def copied(store: Store, path: Path) -> Iterator[Store]:
    store.copy_to(path)
    with closing(Store(f"sqlite:///{path}", exclusive=False)) as opened:
        yield opened


def test_a_copy_has_every_row_of_every_table(store: Store, tmp_path: Path) -> None:
    with store.transaction() as tx:
        write_everywhere(tx)
        tx.workers.seen("w1", "1", 0.0, "idle")
        tx.db.execute(metadata.tables["hours"].insert().values(dict.fromkeys(metadata.tables["hours"].c.keys(), 1)))
        alert = {"key": "k", "kind": "late", "text": "é", "hint": "", "since": 1.5, "tries": 0, "due_at": 0.0}
        tx.db.execute(metadata.tables["alerts"].insert().values(alert))
    with copied(store, tmp_path / "copy.db") as other, other.look() as theirs, store.look() as ours:
        for table in metadata.sorted_tables:
            mine = ours.db.execute(table.select()).all()
            assert mine, table.name
            assert theirs.db.execute(table.select()).all() == mine
        assert other.check() == []


def test_a_copy_is_of_one_moment(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches, while another writes two tables that must agree."""
    monkeypatch.setattr(copy, "ROWS", 10)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with store.transaction() as tx:
                number = tx.contacts.reserve(1)
                tx.contacts.add([Contact(number, {}, 0.0)])
                tx.outbox.add([Owed("strive", 2, number, None, "create", {})])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        time.sleep(0.1)
        with copied(store, tmp_path / "copy.db") as other, other.look() as tx:
            count = tx.contacts.count()
            assert count > 10
            assert [push.contact_id for push in tx.outbox.listed(limit=10_000)] == list(range(1, count + 1))
    finally:
        stop.set()
        writer.join()
    with store.look() as tx:
        assert tx.contacts.count() > count


def test_a_copy_can_be_worked_on(store: Store, tmp_path: Path) -> None:
    with store.transaction() as tx:
        tx.connections.add(Account("strive", "strive", "7"))
        tx.contacts.add([Contact(tx.contacts.reserve(1), {}, 0.0)])
        tx.outbox.add([Owed("strive", 2, 1, None, "create", {})])
    store.copy_to(tmp_path / "copy.db")
    with closing(Store(f"sqlite:///{tmp_path}/copy.db")) as copy_, copy_.transaction() as tx:
        assert tx.contacts.reserve(1) == 2
        tx.outbox.add([Owed("strive", 1, 1, "x", "update", {})])
        assert len({push.id for push in tx.outbox.listed()}) == 2


def test_a_server_says_the_reason_in_its_first_line(postgres: str) -> None:
    with database(postgres) as url:
        gone = url
    with pytest.raises(StateError, match=re.escape(f'database "{make_url(gone).database}" does not exist')):
        Store(gone)
