"""What is due, and when: read from the database, so that a restart forgets nothing. Timers only wake us.

A connection's next turn comes when its feed is to be read, when something that may be sent is owed to it, when a retry
is due, or when somebody asks for it; and never before the time it was told to rest. Outreaches go along with it: they
are in no hurry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.sync import accounts, whole
from daemon.sync.roster import Roster, Side
from state.model import Account
from state.store import Tx

JITTER = 0.1
"""Of `every`: connections that began together drift apart, and a fleet of rosters does not call at one second."""
LONGEST_JITTER = 30.0
"""Seconds. How soon an opt-out is heard is promised."""
STAGGER = 1.0
"""Seconds between two connections that are both late, as after a long stop: all at once would be a stampede."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What waits in the outbox of a connection: `first` is when the first of it may go (None: nothing of it is there).

    no        a "no"
    passed    past the fuse
    uncounted not yet counted by the fuse
    """

    no: float | None = None
    passed: float | None = None
    uncounted: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand for all connections: `primed`, all have been read whole; `reading`, one is being read."""

    primed: bool
    reading: bool


def turns(tx: Tx, roster: Roster, now: float) -> dict[str, float]:
    """For each connection, when its next turn is due (seconds since 1970; now or earlier: at once). Those that another
    worker is at are left out."""
    known, at_work = tx.connections.all(), tx.leases.holders()
    free = _free(roster, {name: owner for name, (owner, _) in at_work.items()})
    primed = all(name in known and known[name].primed for name in roster.sides)
    standing = Standing(primed, bool(whole.waited_for(known, at_work, roster, now)))
    owed = {name: Owed(*tx.outbox.first_due(name, now)) for name, side in free.items() if side.writes}
    return {
        name: next_turn(known.get(name), side, owed.get(name, Owed()), standing, now) for name, side in free.items()
    }


def _free(roster: Roster, owners: Mapping[str, str]) -> dict[str, Side]:
    """Those that no other worker has, nor one that shares its credential: there is nothing to try until he lets go."""
    me = None if roster.keeper is None else roster.keeper.owner
    others = {name for name, owner in owners.items() if owner != me}
    return {name: side for name, side in roster.sides.items() if others.isdisjoint(roster.group(name))}


def next_turn(account: Account | None, side: Side, owed: Owed, standing: Standing, now: float) -> float:
    """When this connection's next turn is due."""
    if account is None:
        return now
    due = min([next_reading(account, side, now), *_sending(account, side, owed, standing, now)])
    return max(due, rests_until(account, side, now))


def next_reading(account: Account, side: Side, now: float) -> float:
    """When its feed is to be read, or the sweep under way to go on."""
    polled = account.polled_at
    cut_off = account.sweep > account.swept or account.reading_since is not None
    if account.asked_at is not None or cut_off or polled is None or polled > now:
        return now
    return polled + side.every + min(JITTER * side.every, LONGEST_JITTER) * spread(side.name, int(polled))


def _sending(account: Account, side: Side, owed: Owed, standing: Standing, now: float) -> list[float]:
    moments = [owed.no]
    if standing.primed and not side.windows.quiet(now):
        moments.append(owed.passed)
        if not standing.reading:  # whoever reads has it counted when he is done
            moments.append(owed.uncounted)
    elif standing.primed and (owed.passed is not None or owed.uncounted is not None):
        moments.append(side.windows.quiet_until(now))
    if standing.primed and account.plan_after is not None and not standing.reading:
        moments.append(now)
    return [moment for moment in moments if moment is not None]


def rests_until(account: Account, side: Side, now: float) -> float:
    """Until when it is left alone; 0 when it need not be."""
    until = accounts.paused_until(account, now)
    return max(until, side.windows.resting_until(now)) if side.windows.resting(now) else until


def spread(name: str, number: int) -> float:
    """Between 0 and 1, always the same for the same name and number."""
    return int.from_bytes(hashlib.blake2b(f"{name}:{number}".encode(), digest_size=4).digest(), "big") / 2**32


def staggered(moments: Mapping[str, float], now: float) -> dict[str, float]:
    """Of turns that are late, at the start of a service: when each may come. The latest first, one after another."""
    late = sorted((at, name) for name, at in moments.items() if at <= now)
    return {name: now + STAGGER * place for place, (_, name) in enumerate(late)}
