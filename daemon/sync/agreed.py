"""One configuration at a time, of however many workers.

What is planned depends on all connections and all mappings. Two workers that go by different ones would each set the
other's work back, and read everything again for it; and what one takes in would not be owed where the other's mapping
says it should. So the configuration that was loaded last counts: the others finish the page in hand, leave everything
to those who go by it, and say so. And nobody begins while somebody with another one still has a connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from daemon.errors import Busy
from daemon.sync import accounts
from daemon.sync.roster import Roster, Rules, Side
from state.store import Tx
from state.workers import WorkerRow

HINT = "have each worker read it anew (SIGHUP), or stop it"


def name_of(roster: Roster) -> str:
    """Equal where the same would be read, merged and sent. How often, and when, is each worker's own affair."""
    said = [*(_side(roster.sides[name]) for name in sorted(roster.sides)), _rules(roster.rules)]
    return hashlib.blake2b(repr(said).encode(), digest_size=6).hexdigest()


def _side(side: Side) -> tuple[object, ...]:
    mapped = sorted(accounts.rules(side).items())
    return side.name, side.platform, side.account, side.priority, side.budget, mapped


def _rules(rules: Rules) -> tuple[object, ...]:
    limits = [(kind, limit.rows, limit.percent) for kind, limit in sorted(rules.fuse.items())]
    upward = rules.upward.rows, rules.upward.percent
    return rules.max_shared, sorted(rules.ignored), rules.consent_scope, upward, limits


def newer(tx: Tx, me: str, configuration: str, loaded_at: float) -> WorkerRow | None:
    """Another worker that goes by another configuration, and loaded it after we loaded ours."""
    others = _others(tx, me, configuration)
    return next((worker for worker in others if worker.loaded_at > loaded_at), None)


def may_begin(tx: Tx, me: str, configuration: str, loaded_at: float) -> bool:
    """Whether we may, now that we hold our lease. Both sides look after they have written down what the other looks
    for (a configuration, a lease), so that one of them sees the other."""
    holders = {owner for owner, _ in tx.leases.holders().values()}
    others = _others(tx, me, configuration)
    return not any(worker.loaded_at > loaded_at or worker.name in holders for worker in others)


def _others(tx: Tx, me: str, configuration: str) -> Sequence[WorkerRow]:
    return [
        worker
        for worker in tx.workers.all()
        if worker.name != me and worker.alive and worker.configuration not in ("", configuration)
    ]


def same_as_workers(roster: Roster) -> None:
    """A command plans like the workers beside it, or not at all. Raises Busy."""
    with roster.store.look() as tx:
        others = _others(tx, "", name_of(roster))
    if others:
        names = ", ".join(worker.name for worker in others)
        raise Busy(f"a worker goes by another configuration than this one: {names}", hint=HINT)
