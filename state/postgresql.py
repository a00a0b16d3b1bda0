"""What is PostgreSQL's own: how it is reached, that one writes at a time, and what its errors mean to a person."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, text

from state.errors import StateError

NAMES = ("postgresql", "postgres", "postgresql+psycopg")
"""How its addresses may begin."""
REACHED_WITHIN = 10
"""Seconds to get a connection in."""
STALLED = 30.0
"""Seconds. A writer that says nothing for so long within a transaction is cut off: nobody else could write, and the
others' leases (60 seconds, unless configured otherwise) would run out."""

_KEY = 7263846  # any number that only rosterd uses
_ONE_WRITER = text(
    "select set_config('idle_in_transaction_session_timeout', :stalled, true),"
    # What is committed must outlive a crash of the server: else a lease, or that something is about to be sent, is
    # forgotten while its worker goes on.
    " set_config('synchronous_commit', case setting when 'off' then 'on' else setting end, true),"
    " pg_advisory_xact_lock(:key) from current_setting('synchronous_commit') as setting"
)
_NOTICED = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 4}
"""A server that vanished without a word is noticed within 40 seconds ..."""
_UNANSWERED = 40_000
"""... also by what was sent to it and not acknowledged (milliseconds)."""
_LOOK = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def engine(url: URL) -> Engine:
    """Raises StateError when the driver is missing."""
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",  # each statement sees what was committed before it: see `one_writer`
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=16,
            hide_parameters=True,
            connect_args=_arguments(url),
        )
    except ImportError:
        hint = "pip install 'rosterd[postgresql]'"
        raise StateError("for PostgreSQL the driver psycopg is needed, and is missing", hint=hint) from None


def _arguments(url: URL) -> dict[str, Any]:
    """What we ask of each connection, but for what the address itself says."""
    wanted: dict[str, Any] = {"connect_timeout": REACHED_WITHIN, "application_name": "rosterd", **_NOTICED}
    wanted["tcp_user_timeout"] = _UNANSWERED
    if not _stays_here(url) and "PGSSLMODE" not in os.environ:
        wanted["sslmode"] = "require"  # everybody's phone numbers do not cross a network in the clear
    return {name: value for name, value in wanted.items() if name not in url.query}


def _stays_here(url: URL) -> bool:
    """Whether the way to the server stays on this machine."""
    asked = url.query.get("host") or url.host or os.environ.get("PGHOST", "")
    hosts = asked.split(",") if isinstance(asked, str) else asked
    return all(not host or host.startswith(("/", "@", "127.")) or host in ("localhost", "::1") for host in hosts)


def one_writer(connection: Connection, stalled: float = STALLED) -> None:
    """Wait until nobody else writes; let the next one write when this transaction ends.

    A page is read, decided about and written. Two pages at once, of two workers, would each decide on what the other
    is about to change: two contacts for one person, an opt-out that meets neither. What we wait for is the platforms,
    never the database, so one writer is no loss. It must be the first statement, and the transaction READ COMMITTED:
    what is read after it was committed before it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_WRITER, {"stalled": f"{stalled * 1000:.0f}ms", "key": _KEY})


def looking(connection: Connection) -> Connection:
    """Read only, and of one moment whatever is written meanwhile."""
    return connection.execution_options(**_LOOK) if connection.dialect.name == "postgresql" else connection


# what went wrong


def first_line(said: str) -> str:
    """Without what was tried, line by line, for each address of the server."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[0] if lines else "it does not say why"


HINTS = (
    ("no password supplied", "give it in ROSTERD_STATE__URL, in url_file, or as the systemd credential state__url"),
    (
        "password authentication failed",
        "is the password in state.url right? Characters like @ / : are written %40 %2F %3A",
    ),
    (r"FATAL: .* does not exist", "make it first: docs/postgresql.md has the two commands"),
    ("permission denied", "the user must own the database, or its schema: docs/postgresql.md"),
    ("must be owner", "the user must own the tables: docs/postgresql.md"),
    (r"no pg_hba\.conf entry", "the server lets nobody in from here: add a line to its pg_hba.conf"),
    ("does not support SSL", "add ?sslmode=disable to state.url, if nobody can listen on the way there"),
    ("invalid connection option", "after the ? of state.url stand options of libpq, like host or sslmode"),
)
