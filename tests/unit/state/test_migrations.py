"""The shape of the database: made from nothing, kept in step with the models, refused when it is of the future."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from state import migrate
from state.engine import StateError, engine
from state.migrate import HEAD, revision, upgrade
from state.model import Outreach
from state.store import Store
from state.tables import metadata


def shape(path: Path) -> dict[str, str]:
    """{table or index: how it was made}, less the order of the lines and the bookkeeping of alembic."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select name, sql from sqlite_master where sql is not null").fetchall()
    # A column that was added later stands on the last line, behind a comma.
    made = {name: sorted(line.strip(" \t,)") for line in re.split(r"\n|, ", sql)) for name, sql in rows}
    return {
        name: "\n".join(filter(None, lines))
        for name, lines in made.items()
        if not name.startswith(("alembic", "sqlite"))
    }


def test_from_nothing_to_the_newest(url: str) -> None:
    assert upgrade(url) == (None, HEAD)
    assert upgrade(url) == (HEAD, HEAD)
    made = engine(url)
    with made.connect() as connection:
        assert revision(connection) == HEAD
    made.dispose()


def test_the_newest_is_what_the_constant_says() -> None:
    """Without alembic, an up-to-date database would be taken for an old one for ever, or the reverse."""
    assert ScriptDirectory.from_config(migrate._config()).get_current_head() == HEAD
    assert ScriptDirectory.from_config(migrate._config()).get_bases() == ["0001"]


def test_the_models_and_the_migrations_agree(url: str) -> None:
    """Alembic would have nothing to add."""
    upgrade(url)
    made = engine(url)
    with made.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    made.dispose()


def test_the_migrations_make_exactly_what_the_models_would(tmp_path: Path) -> None:
    """Also what alembic does not compare: primary keys, their numbering, the columns' limits."""
    upgrade(f"sqlite:///{tmp_path}/migrated.db")
    made = engine(f"sqlite:///{tmp_path}/created.db")
    metadata.create_all(made)
    made.dispose()
    assert shape(tmp_path / "migrated.db") == shape(tmp_path / "created.db")


def test_a_database_of_the_first_shape_keeps_what_it_has(url: str, path: Path) -> None:
    """And can do what the newest can."""
    made = engine(url)
    with made.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("insert into contacts (id, fields, created_at) values (7, '{}', 1.0)"))
    made.dispose()
    assert "outreaches" not in shape(path)
    assert upgrade(url) == ("0001", HEAD)
    store = Store(url)
    with store.transaction() as tx:
        assert [contact.id for contact in tx.contacts.all()] == [7]
        assert len(tx.outreaches.add([Outreach("a", "r", 7, 5, 5, "tag A")])) == 1
    store.close()


def test_a_database_of_a_newer_program_is_refused_untouched(url: str, path: Path) -> None:
    Store(url).close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("update alembic_version set version_num = '9999'")
    before = shape(path)
    with pytest.raises(StateError, match="revision 9999, which this version of rosterd does not know") as problem:
        Store(url)
    assert "upgrade the program" in problem.value.hint
    assert shape(path) == before
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("update alembic_version set version_num = ?", (HEAD,))
    Store(url).close()  # the refusal let go of the file


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = migrate._upgrade

    def fail(connection: Any) -> None:
        real(connection)
        raise RuntimeError("the power went")

    monkeypatch.setattr(migrate, "_upgrade", fail)
    with pytest.raises(RuntimeError):
        upgrade(url)
    assert shape(path) == {}
    monkeypatch.undo()
    assert upgrade(url) == (None, HEAD)


def test_a_migration_does_not_follow_foreign_keys(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With them on, SQLite empties the tables that refer to one that is rebuilt."""
    seen: list[int] = []
    monkeypatch.setattr(
        migrate, "_upgrade", lambda connection: seen.append(connection.execute(text("pragma foreign_keys")).scalar())
    )
    upgrade(url)
    assert seen == [0]


def test_a_database_that_is_up_to_date_is_opened_without_alembic(url: str, python: Callable[..., Any]) -> None:
    """It takes longer to import than all the rest."""
    Store(url).close()
    code = "import sys; from state.store import Store; Store(sys.argv[1]).close(); print('alembic' in sys.modules)"
    answer, _ = python(code, url).communicate(timeout=30)
    assert answer == "False\n"
