"""What `db check` finds: each thing that should not be, and nothing where all is well."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from state import check as module
from state.check import Finding, check
from state.model import Account, Contact, Hold, Link, Owed
from state.store import Store

PHONE = ("phone", "+12025550101")
RECORD = "insert into {} values ('phone', '+12025550101', 'strive', '1'"
WRONG = {
    "records belong to a contact that was merged": ["update contacts set merged_into = 2 where id = 1"],
    "into one that does not exist": ["update contacts set merged_into = 99 where id = 2"],
    "or into themselves: 2": ["update contacts set merged_into = 2 where id = 2"],
    "merged contacts still have phones": ["update contacts set merged_into = 2 where id = 1"],
    "owed to a connection that is not known: 1": ["update outbox set connection = 'gone'"],
    "pushes are about a contact that does not exist: 1": ["update outbox set contact_id = 99"],
    "decisions are about a contact that does not exist: strive/1": [
        "insert into decisions values ('strive', '1', 99, 'same', 1.0)"
    ],
    "open holds are about a record that is gone: 1": ["update links set state = 'vanished', contact_id = null"],
    "kept as if they were nobody's: strive/1": [f"{RECORD.format('strays')})"],
    'as a "no" that outlived its record: strive/1': [f"{RECORD.format('suppressions')}, 'unsubscribed', 'held', 1.0)"],
    "contact c2 exists, but only 1 numbers": ["update counters set value = 1"],
}


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, url: str, roomy: None) -> Iterator[Store]:
    with closing(Store(url if request.param == "sqlite" else request.getfixturevalue("pg_url"))) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the disk of this machine has left."""
    monkeypatch.setattr(module, "LITTLE", 0)


def fill(store: Store) -> None:
    with store.transaction() as tx:
        tx.contacts.reserve(2)
        tx.contacts.add([Contact(1, {}, 0.0), Contact(2, {}, 0.0)])
        tx.contacts.add_identifiers([(*PHONE, 1)])
        tx.connections.add(Account("strive", "strive", "7"))
        tx.links.add([Link("strive", "1", "linked", 1)])
        tx.outbox.add([Owed("strive", 1, 1, "1", "update", {})])
        tx.holds.open(Hold("record:strive:1", "match", {"contacts": [1]}, "strive", "1"))


def run(store: Store, *statements: str) -> None:
    with store.transaction() as tx:
        for statement in statements:
            tx.db.execute(text(statement))


def test_all_is_well(store: Store) -> None:
    assert check(store) == []


@pytest.mark.parametrize("what", WRONG)
def test_what_the_tables_do_not_agree_about(store: Store, what: str) -> None:
    run(store, *WRONG[what])
    found = [each for each in check(store, quick=True) if what in each.text]
    assert [each.level for each in found] == ["wrong"]
    assert found[0].hint
    assert "555" not in found[0].text


def test_many_are_counted_and_a_few_are_named(store: Store) -> None:
    with store.transaction() as tx:
        tx.outbox.add(Owed("gone", 1, 1, str(number), "update", {}) for number in range(2000))
        first = [str(push.id) for push in tx.outbox.listed(connection="gone", limit=5)]
    (found,) = check(store, quick=True)
    said = f"2,000 pushes are owed to a connection that is not known: {', '.join(first)}, ..."
    assert found.text == said


# SQLite


@pytest.fixture
def here(url: str) -> Iterator[Store]:
    with closing(Store(url)) as opened:
        fill(opened)
        yield opened


def of(found: list[Finding], what: str) -> list[tuple[str, str]]:
    return [(each.level, each.text) for each in found if each.what == what]


def test_a_row_that_belongs_to_nothing(here: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("insert into identifiers values ('phone', '+12025550102', 99)")
    assert "of identifiers belongs to nothing in contacts" in of(check(here), "tables")[0][1]


def test_a_file_that_others_may_open(here: Store, path: Path) -> None:
    path.chmod(0o640)
    ((level, said),) = of(check(here, quick=True), "mode")
    assert (level, said) == ("wrong", f"others than its owner may open {path} (040)")


def test_a_disk_that_is_nearly_full(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LITTLE", 1 << 60)
    assert of(check(here, quick=True), "disk")[0][0] == "wrong"


def test_a_log_that_never_shrinks(here: Store, path: Path, roomy: None) -> None:
    log = path.with_name("state.db-wal")
    with log.open("r+b") as file:
        file.truncate(module.LONG_LOG + 1)
    assert of(check(here, quick=True), "log")[0][0] == "note"


def test_damage_is_found_and_nothing_else_is_asked(here: Store, path: Path, roomy: None) -> None:
    with here.transaction() as tx:
        tx.contacts.add(Contact(number, {}, 0.0) for number in range(3, 3000))
    here.close()
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096)
    with closing(Store(f"sqlite:///{path}", exclusive=False)) as looking:
        assert {each.what for each in check(looking)} == {"damage"}


def test_a_database_that_nobody_upgraded(here: Store, roomy: None) -> None:
    run(here, "update alembic_version set version_num = '0001'")
    (found,) = check(here)
    assert (found.what, found.hint) == ("revision", "rosterd db upgrade")
