"""Rows go to the driver as they are: in its own marks, names quoted where they must be, known ones left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Dialect, MetaData, String, Table, create_engine, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import IntegrityError

from state.bulk import _insert, add_rows

ORDERS = Table("order", MetaData(), Column("key", String, primary_key=True), Column("to", String))


@pytest.mark.parametrize(
    ("dialect", "marks"), [(SQLiteDialect_pysqlite(), "(?, ?)"), (PGDialect_psycopg(), "(%s, %s)")]
)
def test_each_engine_gets_its_own_marks_and_quotes(dialect: Dialect, marks: str) -> None:
    said = _insert(dialect, ORDERS, ("key", "to"), True)
    assert said.startswith('INSERT INTO "order" (')
    assert '"to")' in said
    assert said.endswith(f"VALUES {marks} ON CONFLICT DO NOTHING")


@pytest.fixture
def db() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        ORDERS.create(connection)
        yield connection
    engine.dispose()


def test_values_arrive_in_the_order_of_the_columns_and_what_is_known_stays(db: Connection) -> None:
    add_rows(db, ORDERS, ("to", "key"), [("Ann", "1")])
    add_rows(db, ORDERS, ("to", "key"), [("Bob", "1"), ("Cy", "2")], known_ok=True)
    add_rows(db, ORDERS, ("to", "key"), [])
    assert db.execute(select(ORDERS).order_by(ORDERS.c.key)).all() == [("1", "Ann"), ("2", "Cy")]


def test_a_row_that_is_known_is_an_error_unless_said_otherwise(db: Connection) -> None:
    with pytest.raises(IntegrityError):
        add_rows(db, ORDERS, ("key", "to"), [("1", "Ann"), ("1", "Bob")])
