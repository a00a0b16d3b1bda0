"""Rows by the thousand.

SQLAlchemy prepares each row of an `executemany` for itself (names, types, defaults), which takes longer than SQLite
takes to store it. Our columns are plain text and numbers, so the rows go to the driver as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table


def add_rows(
    db: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]], *, known_ok: bool = False
) -> None:
    """Insert rows whose values are in the order of `columns`. `known_ok`: one that is there already stays as it is."""
    many = list(rows)
    if many:
        db.exec_driver_sql(_insert(db.dialect, table, tuple(columns), known_ok), many)


@functools.lru_cache(64)
def _insert(dialect: Dialect, table: Table, columns: tuple[str, ...], known_ok: bool) -> str:
    quote = dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in columns)
    marks = ", ".join(["?" if dialect.paramstyle == "qmark" else "%s"] * len(columns))
    known = " ON CONFLICT DO NOTHING" if known_ok else ""
    return f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks}){known}"  # noqa: S608 names from tables.py
