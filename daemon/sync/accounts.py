"""The connections as the database knows them: kept in step with the configuration, paused, and due."""

from __future__ import annotations

import random
from collections.abc import Collection

import structlog

from daemon.errors import NeedsPerson, Overtaken, RosterdError, Stopping, Unexpected
from daemon.sync.books import Books
from daemon.sync.roster import Roster, Side
from daemon.words import span
from state.model import Account, Noted
from state.store import Tx

log = structlog.get_logger("rosterd.sync")

NEEDED = "a person is needed"
"""How the reason of a pause begins that does not end by itself."""
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 3600.0
"""Seconds. A connection that keeps failing is tried again at least this often."""
LONGEST_REST = 86400.0
"""Seconds. Who asks for more is asked once a day; a rest that ends later was written by a clock set back since."""
DOUBLINGS = 10
"""More of them make no pause longer; after a month of failures they would make a number that no float can hold."""


def introduce(tx: Tx, roster: Roster) -> None:
    """Add connections that the database does not know yet."""
    known = tx.connections.all()
    for name, side in roster.sides.items():
        if name not in known:
            tx.connections.add(Account(name, side.platform, side.account, mapping=rules(side), plan_after=0))


def prepare(tx: Tx, roster: Roster, run: int | None, names: Collection[str]) -> dict[str, Account]:
    """Notice mappings of these connections that changed: they are read again, and planned again."""
    known = tx.connections.all()
    for name, side in roster.sides.items():
        if name in names:
            same_account(known[name], side)
            _mapping_changed(tx, known[name], side, roster.clock(), run)
    for name in known.keys() - roster.sides.keys():
        if known[name].plan_after != 0:  # switched off: whoever is met meanwhile is planned when it is back
            tx.connections.put(name, plan_after=0)
    if not all(known[name].primed for name in roster.sides):
        # New people met meanwhile are not planned for anybody yet: everybody is walked once all have been read.
        for name in roster.sides:
            known[name].plan_after = 0
            tx.connections.put(name, plan_after=0)
    return known


def same_account(account: Account, side: Side) -> None:
    """Raises NeedsPerson when the connection is pointed at another account than the records are of."""
    if account.account and side.account and account.account != side.account:
        raise NeedsPerson(
            f"connection {side.name} was {_words(account.account)} and is now {_words(side.account)}",
            hint="records of one account are not those of another: give the new account a connection of its own",
        )


def _words(account: str) -> str:
    """Not as it is kept, `platform:number@host`: the log would take that for somebody's mail address."""
    number, _, host = account.partition(":")[2].rpartition("@")
    return f"{number} at {host}"


def rules(side: Side) -> dict[str, str]:
    """What, when it changes, means that everybody is read and planned again."""
    return {**side.mapping.digest, "direction": side.direction}


def _mapping_changed(tx: Tx, account: Account, side: Side, now: float, run: int | None) -> None:
    before, after = account.mapping, rules(side)
    changed = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
    if not changed:
        return
    account.mapping = after
    account.remap = sorted({*account.remap, *changed})
    account.plan_after = 0
    if account.sweep == account.swept:
        account.swept_at = 0.0  # a full sweep is due at once
    else:
        account.cursor = {}  # the one under way began with the old mapping: from the start again
    values = {
        "cursor": account.cursor,
        "mapping": after,
        "remap": account.remap,
        "plan_after": 0,
        "swept_at": account.swept_at,
    }
    tx.connections.put(account.name, **values)
    tx.journal.add([Noted("mapping_changed", {"fields": changed}, connection=account.name, at=now, run=run)])
    log.info("mapping.changed", connection=account.name, fields=changed)


def resting(account: Account, side: Side, now: float, *, insist: bool) -> str | None:
    """Why this connection is left alone now; None if it is not. `insist`: a person named it on the command line."""
    if not insist and side.windows.resting(now):
        return f"maintenance; tried again in {span(side.windows.resting_until(now) - now)}"
    until = paused_until(account, now)
    if until <= now or (insist and needs_person(account)):
        return None
    return f"{account.paused_why}; tried again in {span(until - now)}"


def paused_until(account: Account, now: float) -> float:
    """Until when it rests after a failure; 0 when it need not."""
    until = account.paused_until or 0.0
    return until if until <= now + LONGEST_REST else 0.0


def needs_person(account: Account) -> bool:
    """Whether it rests until somebody has mended something."""
    return account.paused_until is not None and (account.paused_why or "").startswith(NEEDED)


def poll_due(account: Account, side: Side, now: float) -> bool:
    """Whether `every` has passed since the last complete reading; a reading that was broken off is always due."""
    under_way = account.sweep > account.swept or account.reading_since is not None
    return under_way or feed_due(account, side, now)


def feed_due(account: Account, side: Side, now: float) -> bool:
    """Whether `every` has passed, or somebody asked. A time to come is one of a clock that was set back since."""
    if account.asked_at is not None or account.polled_at is None:
        return True
    return not 0 <= now - account.polled_at < side.every


def sweep_due(account: Account, side: Side, now: float) -> bool:
    return not account.primed or account.swept_at is None or now - account.swept_at >= side.full_every


def close_turn(
    tx: Tx, account: Account, problem: RosterdError | None, now: float, books: Books, *, patient: bool = False
) -> None:
    """Remember how a connection's part in a run ended. A failure is said once, and its end once. `patient`: the next
    try comes by itself, and must not come at once.

    A turn that got on before it failed is no failure more in a row: one answer in fifty that gets lost would else keep
    a backlog waiting for an hour, and every "no" with it.
    """
    if isinstance(problem, Stopping | Overtaken):
        books.paused = str(problem)
        return
    if account.asked_at is not None:
        tx.connections.put(account.name, asked_at=None)
    if problem is None:
        if account.failures:
            log.info("connection.recovered", connection=account.name, failures=account.failures)
        tx.connections.put(account.name, failures=0, paused_until=None, paused_why=None, ok_at=now)
        return
    person = isinstance(problem, NeedsPerson)
    why = f"{NEEDED}: {problem}" if person else str(problem)
    before = 0 if books.pages or books.sent else account.failures
    until = now + _pause(before, problem, patient=patient)
    say = log.error if person else log.warning
    if account.failures == 0 or account.paused_why != why:
        say("connection.failed", connection=account.name, error=str(problem), hint=problem.hint)
    books.paused = why
    values = {"failures": before + 1, "paused_until": until, "paused_why": why}
    tx.connections.put(account.name, **values)


def defect(problem: Exception) -> Unexpected:
    """Something that should not have happened, as what happens next: this connection is tried again later."""
    what = f"something went wrong in rosterd itself ({type(problem).__name__})"
    return Unexpected(what, hint="please report what the log says about it")


def _pause(failures: int, problem: RosterdError, *, patient: bool) -> float:
    asked: float | None = getattr(problem, "after", None)
    if asked is not None:
        return min(asked, LONGEST_REST)
    if isinstance(problem, NeedsPerson):
        return LONGEST_PAUSE
    # After a first failure the next command may try at once; then less and less often.
    return (
        0.0
        if failures == 0 and not patient
        else random.uniform(0.5, 1.0) * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, DOUBLINGS))
    )
