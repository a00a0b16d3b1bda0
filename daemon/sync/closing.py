"""The end of a run: its books, what is remembered of each connection, and the leases given back."""

from __future__ import annotations

import structlog

from daemon.errors import NeedsPerson, Overtaken, Unexpected
from daemon.sync import accounts
from daemon.sync.turn import Cycle, Turn

log = structlog.get_logger("rosterd.sync")


def end(cycle: Cycle, *, broken: bool = False) -> None:
    """Close the run and its books, and give the connections back."""
    try:
        _close_run(cycle, broken=broken)
    finally:
        for held in cycle.held:
            if cycle.roster.keeper is not None:
                cycle.roster.keeper.release(held)


def _close_run(cycle: Cycle, *, broken: bool) -> None:
    """Say a connection's failure once, and its end once."""
    roster, report = cycle.roster, cycle.report
    for turn in cycle.turns.values():
        turn.books.calls, turn.books.throttled = turn.connector.calls, turn.connector.throttled
        turn.connector.close()
        report.told[turn.side.name] = turn.reading.told_after
    for turn in cycle.turns.values():
        _close(cycle, turn, broken=broken)
    with roster.store.transaction() as tx:
        report.outcome = "failed" if broken else outcome(cycle)
        books = {name: each.as_dict() for name, each in report.books.items()}
        tx.runs.end(report.run, roster.clock(), report.outcome, books)
    if not report.balanced:
        log.error("run.books_do_not_balance", run=report.run, books=books)


def _close(cycle: Cycle, turn: Turn, *, broken: bool) -> None:
    """Remember how the turn ended. A connection that another worker has is theirs to write."""
    roster = cycle.roster
    try:
        if not isinstance(turn.problem, Overtaken):
            with cycle.holding(turn), roster.store.transaction() as tx:
                if not broken or turn.problem is not None:
                    served = cycle.options.served is not None
                    accounts.close_turn(tx, turn.account, turn.problem, roster.clock(), turn.books, patient=served)
                tx.connections.put(turn.side.name, facts=turn.connector.facts)
                tx.hours.add(turn.side.name, int(roster.clock() // 3600), **_hour(turn))
    except Overtaken as problem:
        turn.problem = problem
    finally:
        if isinstance(turn.problem, Overtaken):
            turn.books.paused = str(turn.problem)


def _hour(turn: Turn) -> dict[str, float]:
    books, told = turn.books, turn.reading.told_after
    counts = {"read": books.read, "changed": books.changed, "sent": books.sent}
    calls = {"calls": books.calls, "throttled": books.throttled}
    return {
        **counts,
        **calls,
        "told": len(told),
        "told_after": sum(told),
        "told_slowest": max(told, default=0.0),
    }


def outcome(cycle: Cycle) -> str:
    """done; partial: some records failed, are held or were refused; later: a connection asked us to wait;
    failed: a person is needed, or the books do not balance."""
    report = cycle.report
    problems = [turn.problem for turn in cycle.turns.values() if turn.problem is not None]
    if any(isinstance(problem, NeedsPerson | Unexpected) for problem in problems) or not report.balanced:
        return "failed"
    if problems or cycle.stop.is_set() or any(each.paused for each in report.books.values()):
        return "later"
    if report.tripped or any(each.failed or each.held or each.refused for each in report.books.values()):
        return "partial"
    return "done"
