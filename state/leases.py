"""Leases: which worker has which connections, and until when. The row of a connection is its lease.

Several workers share one database (PostgreSQL). A worker claims a connection for so many seconds, renews the claim as
it works, and lets go. One that was not heard of in time has lost it: another claims it, with a higher term.

A worker may be stopped anywhere (a suspended machine, a long pause) and go on later, believing it still has its lease.
So the lease is also a *fence*: `Store.holding` begins every transaction of the worker with the renewal. It matches no
row once another has claimed: nothing of the late worker's is written. And it locks the rows until the transaction
ends: nobody claims between our looking and our commit.

The time is the database's. The clocks of several machines differ by more than a lease lasts.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Float, cast, extract, func, literal, select, update

from state.errors import StateError
from state.tables import connections


@dataclass(frozen=True)
class Lease:
    """These connections are `owner`'s, for `seconds` from each renewal. `term`: higher with each claim."""

    names: tuple[str, ...]
    owner: str
    term: int
    seconds: float


class LeaseLost(StateError):
    """Another may have these connections by now: what was about to be written is thrown away."""


def now(db: Connection) -> ColumnElement[float]:
    """The database's clock, in seconds since 1970; it runs on within a transaction."""
    if db.dialect.name == "postgresql":
        return cast(extract("epoch", func.clock_timestamp()), Float)
    return literal(time.time(), Float)  # SQLite has the clock of its machine: ours


class Leases:
    """Who works on which connections, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def claim(self, names: Collection[str], owner: str, seconds: float) -> Lease | None:
        """All of these connections for `owner`, or none: those of one credential go together, since one holder is
        one budget of calls. None when another has one of them, or one is not known.

        Claimed again by its own holder it is a new lease; the one before is lost.
        """
        wanted = tuple(dict.fromkeys(names))
        columns, at = connections.c, now(self._db)
        free = columns.owner.is_(None) | (columns.owner == owner) | (columns.lease_until <= at)
        # Rows that another transaction has locked are another's: skipped, not waited for.
        query = select(columns.term).where(columns.name.in_(wanted), free).with_for_update(skip_locked=True)
        terms = [term or 0 for (term,) in self._db.execute(query)]
        if not wanted or len(terms) != len(wanted):
            return None
        lease = Lease(wanted, owner, max(terms) + 1, seconds)
        values = {"owner": owner, "term": lease.term, "lease_until": now(self._db) + seconds}
        self._db.execute(update(connections).where(columns.name.in_(wanted)).values(values))
        return lease

    def renew(self, lease: Lease) -> bool:
        """For so many seconds more; False when it is not ours any more, also if nobody has claimed it since."""
        columns, at = connections.c, now(self._db)
        mine = (columns.name.in_(lease.names), columns.owner == lease.owner, columns.term == lease.term)
        more = update(connections).where(*mine, columns.lease_until > at).values(lease_until=at + lease.seconds)
        return self._db.execute(more).rowcount == len(lease.names)

    def release(self, lease: Lease) -> None:
        """Let go of it, as far as it is still ours."""
        columns = connections.c
        mine = (columns.name.in_(lease.names), columns.owner == lease.owner, columns.term == lease.term)
        self._db.execute(update(connections).where(*mine).values(owner=None, lease_until=None))

    def release_all(self) -> None:
        """Nobody has any: we are alone on this database (SQLite), so whoever had one is gone."""
        taken = connections.c.owner.is_not(None)
        self._db.execute(update(connections).where(taken).values(owner=None, lease_until=None))

    def holders(self) -> dict[str, tuple[str, float]]:
        """Who has which connection, and for how many seconds more."""
        columns = connections.c
        left = (columns.lease_until - now(self._db)).label("seconds_left")
        query = select(columns.name, columns.owner, left).where(columns.owner.is_not(None)).order_by(columns.name)
        return {name: (owner, left) for name, owner, left in self._db.execute(query) if left > 0}
