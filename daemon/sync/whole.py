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

PATIENCE = 300.0
"""Seconds after which what is owed is counted although somebody reads: of many connections one is always being read."""
GIVEN_UP = 3600.0
"""Seconds since its beginning after which a reading that was cut off is no part of anything any more: what it planned
is counted by itself, and the edits of a day do not add up to a mass change."""


def waited_for(known: Mapping[str, Account], at_work: Collection[str], roster: Roster, now: float) -> set[str]:
    """Connections whose reading is not at its end, and is worth waiting for: somebody is at it, or it was cut off by a
    kill and whoever is next goes on at once. Not one that rests, though another of its credential has its turn: the
    others go on meanwhile."""
    return {name for name in _marked(known) if _goes_on(known[name], at_work, roster, now)}


def waited_long(tx: Tx, now: float) -> bool:
    """Whether something waits for too long for a moment in which nobody reads."""
    since = tx.outbox.uncounted_since()
    return since is not None and now - since >= PATIENCE


def in_parts_since(known: Mapping[str, Account], at_work: Collection[str], roster: Roster, now: float) -> float | None:
    """When the first of the readings began whose plan may be a part of more to come; None: there is none."""
    under_way = waited_for(known, at_work, roster, now).intersection(at_work)
    marked = {name: known[name].reading_since or 0.0 for name in _marked(known)}
    return min((at for name, at in marked.items() if name in under_way or 0 <= now - at < GIVEN_UP), default=None)


def _marked(known: Mapping[str, Account]) -> set[str]:
    return {name for name, account in known.items() if account.reading_since is not None}


def _goes_on(account: Account, at_work: Collection[str], roster: Roster, now: float) -> bool:
    side = roster.sides.get(account.name)
    if side is None:
        return account.name in at_work
    return accounts.resting(account, side, now, insist=False) is None
