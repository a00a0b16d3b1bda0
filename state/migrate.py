"""Bringing the database to the shape this program needs. Migrations ship in the wheel and run at start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from state.engine import engine
from state.errors import StateError
from state.postgresql import one_writer

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The newest migration. Kept here so that an up-to-date database starts without importing alembic (0.6 s)."""


def revision(connection: Connection) -> str | None:
    """The migration the database is at, or None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("select version_num from alembic_version")).scalar()
    return found


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring the database to HEAD in one transaction; returns (from, to). Refuses one newer than the program."""
    # Foreign keys stay off: with them on, altering a table on SQLite would delete the rows that refer to it.
    plain = engine(url, foreign_keys=False)
    try:
        with plain.begin() as connection:
            one_writer(connection)  # starters wait for each other
            before = revision(connection)
            if before != HEAD:
                _refuse_newer(before)
                _upgrade(connection)
        return before, HEAD
    finally:
        plain.dispose()


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def known_revisions() -> set[str]:
    """Every shape of the database that this program can read, or bring up to date."""
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _refuse_newer(before: str | None) -> None:
    if before is not None and before not in known_revisions():
        raise StateError(
            f"the database is at revision {before}, which this version of rosterd does not know",
            hint="it was written by a newer rosterd: upgrade the program, or restore a backup",
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
