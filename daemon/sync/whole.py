"""Whether the plan is whole: no part of it may pass the fuse for the whole of it.

A reading plans page by page. Its connection is marked (`reading_since`) from the first page that is kept until the
reading has come to its end, whoever reads, and however often somebody is killed over it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from daemon.sync import accounts
from daemon.sync.roster import Roster
from state.model import Account
from state.store import Tx

GIVEN_UP = 3600.0
"""Seconds since its beginning after which a reading that was cut off is no part of anything any more: what it planned
is counted by itself, and the edits of a day do not add up to a mass change."""


def waited_for(known: Mapping[str, Account], at_work: Collection[str], roster: Roster, now: float) -> set[str]:
    """Connections whose reading is not at its end, and is worth waiting for: somebody is at it, or it was cut off by a
    kill and whoever is next goes on at once. Not one that rests after a failure: the others go on meanwhile."""
    return {name for name in _marked(known) if name in at_work or _next_at_once(known[name], roster, now)}


def begun(known: Mapping[str, Account], at_work: Collection[str], now: float) -> list[float]:
    """When each of the readings began of whose plan there may be more to come: somebody is at it, or it was cut off a
    while ago and will be gone on with."""
    return [
        known[name].reading_since or 0.0
        for name in _marked(known)
        if name in at_work or not _given_up(known[name], now)
    ]


def give_up(tx: Tx, known: Mapping[str, Account], names: Collection[str], now: float) -> None:
    """Forget readings of these connections that were cut off too long ago: what is read now is a plan of its own."""
    for name in names:
        if known[name].reading_since is not None and _given_up(known[name], now):
            known[name].reading_since = None
            tx.connections.put(name, reading_since=None)


def _given_up(account: Account, now: float) -> bool:
    return not 0 <= now - (account.reading_since or 0.0) < GIVEN_UP


def _marked(known: Mapping[str, Account]) -> set[str]:
    return {name for name, account in known.items() if account.reading_since is not None}


def _next_at_once(account: Account, roster: Roster, now: float) -> bool:
    side = roster.sides.get(account.name)
    return side is not None and accounts.resting(account, side, now, insist=False) is None
