"""A copy of a PostgreSQL database as an SQLite file: what a dry run works on."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select

from state.bulk import add_rows
from state.engine import engine
from state.migrate import upgrade
from state.tables import metadata

ROWS = 1000
"""At a time: the copy of a million people needs no more memory than that of a few."""


def copy(source: Connection, path: Path) -> None:
    """Every row of every table, as this one transaction sees them. `path`: an empty file."""
    url = f"sqlite:///{path}"
    upgrade(url)
    target = engine(url, foreign_keys=False)  # which the source has looked at already
    try:
        with target.begin() as db:
            for table in metadata.sorted_tables:
                columns = [column.name for column in table.columns]
                found = source.execute(select(table).execution_options(yield_per=ROWS))
                for batch in found.partitions():
                    add_rows(db, table, columns, map(tuple, batch))
    finally:
        target.dispose()
