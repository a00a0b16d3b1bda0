"""Whether the plan is whole: no part of it may pass the fuse for the whole of it.

A reading plans page by page. Its connection is marked (`reading_since`) from the first page that is kept until the
reading has come to its end, whoever reads, and however often somebody is killed over it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from daemon.sync import accounts, fuse
from daemon.sync.roster import Roster
from daemon.sync.turn import Cycle
from state.model import Account
from state.store import Tx

PATIENCE = 300.0
"""Seconds after which what is owed is counted although somebody reads: of many connections one is always being read."""
GIVEN_UP = 3600.0
"""Seconds since its beginning after which a reading that was cut off is no part of anything any more: what it planned
is counted by itself, and the edits of a day do not add up to a mass change."""


def check_fuse(cycle: Cycle, *, reading: str | None = None) -> bool:
    """The whole plan, before the first write. Where only chosen pushes go, the others are counted by the next run.
    False where it cannot be said yet: somebody else than `reading` is in the middle of one, and will look after it.
    """
    if cycle.report.waiting or cycle.options.these is not None:
        return False
    with cycle.roster.store.transaction() as tx:
        known = tx.connections.all()
        if _plan_under_way(cycle, tx, known, but=reading):
            return False
        now = cycle.roster.clock()
        since = in_parts_since(known, tx.leases.holders(), cycle.roster, now)
        passed = tx.passed.all(since)
        cycle.report.tripped = fuse.check(tx, cycle.roster, passed)
        tx.passed.put(passed if since is not None else {}, at=now)
    return True


def _plan_under_way(cycle: Cycle, tx: Tx, known: dict[str, Account], *, but: str | None) -> bool:
    """Whether somebody is in the middle of a reading, or of the walk through everybody. A command has read what it
    could, and is not there to see the rest of it."""
    roster, served, at_work = cycle.roster, cycle.options.served is not None, tx.leases.holders().keys()
    if roster.keeper is not None and any(known[name].plan_after is not None for name in roster.sides):
        return True
    if served:
        now = roster.clock()
        return bool(waited_for(known, at_work, roster, now) - {but}) and not waited_long(tx, now)
    others = at_work - cycle.turns.keys()
    return any(known[name].reading_since is not None for name in others if name in known)


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
