"""The end of a run, for people and for programs: the books, and what to look at."""

from __future__ import annotations

from typing import Any

from daemon.output import plural, say, table
from daemon.sync.books import Books, Report
from daemon.sync.resolve import WHY

COLUMNS = ("connection", "read#", "changed#", "unchanged#", "out of scope#", "held#", "failed#")
SENT = ("created#", "updated#", "opted out#", "outreaches#", "refused#", "calls#")


def as_dict(done: Report) -> dict[str, Any]:
    tripped = [{"connection": name, "kind": kind, "count": count} for name, kind, count in done.tripped]
    return {
        "run": done.run,
        "outcome": done.outcome,
        "dry_run": done.dry_run,
        "sent": done.sent,
        "balanced": done.balanced,
        "waiting": done.waiting,
        "quiet": done.quiet,
        "tripped": tripped,
        "connections": {name: each.as_dict() for name, each in done.books.items()},
    }


def counts(done: Report) -> dict[str, dict[str, int]]:
    """The books without what is nothing: for the log."""
    return {name: each.counted() for name, each in done.books.items()}


def show(done: Report, holds: dict[str, int]) -> None:
    """`holds`: what waits for a person by now, by kind, also from earlier runs."""
    reading(done)
    if waiting := sum(holds.values()):
        say(f"{plural(waiting, 'hold waits', 'holds wait')} for a person; see: rosterd holds list")
    say(_last_word(done), bold=True)


def reading(done: Report) -> None:
    """What was read, what went wrong with it, and what must wait."""
    books_table(done)
    reasons(done)
    later(done)


def books_table(done: Report) -> None:
    table((*COLUMNS, *SENT), [_row(name, each) for name, each in done.books.items()])
    if not done.balanced:
        say("The books do not balance: records were read and not accounted for. Please report this.", bold=True)


def _row(name: str, books: Books) -> list[Any]:
    read = [books.read, books.changed, books.unchanged, books.out_of_scope, books.held, books.failed]
    sent = [books.created, books.updated, books.opted_out, books.outreaches, books.refused, books.calls]
    return [name, *(f"{number:,}" for number in [*read, *sent])]


def reasons(done: Report) -> None:
    """Why records failed or were held, and where to look further."""
    for name, each in done.books.items():
        for reason, count in sorted(each.reasons.items(), key=lambda item: -item[1]):
            say(f"{name}: {plural(count, 'record')}: {WHY.get(reason, reason)}")
        if each.vanished:
            say(f"{name}: {plural(each.vanished, 'record')} gone from the platform; nobody was deleted elsewhere")
    if any(each.failed for each in done.books.values()):
        say("  see: rosterd status")
    if any(each.refused for each in done.books.values()):
        say("  see: rosterd outbox list --state dead")


def later(done: Report) -> None:
    """What is still to come: connections that pause or wait to be read, and what the fuse holds."""
    for name, each in done.books.items():
        if each.paused:
            say(f"{name} is left alone: {each.paused}")
            if each.paused.startswith("a person is needed"):
                say(f"  when that is mended: rosterd sync --connection {name}  (it tries at once)")
    if done.waiting:
        say(f"only opt-outs are sent yet: {', '.join(done.waiting)} must be read whole first")
    for name in done.quiet:
        say(f"{name} has its quiet hours: only opt-outs were sent, the rest waits for the next sync after them")
    for name, kind, count in done.tripped:
        say(f"the fuse holds {count:,} pushes of kind {kind} to {name}; see: rosterd holds list --kind fuse")


def _last_word(done: Report) -> str:
    sent = "nothing to send" if not done.sent else f"{plural(done.sent, 'push', 'pushes')} sent"
    words = {
        "done": f"done: {sent}",
        "partial": f"done, but not everything: {sent}",
        "later": f"not finished: {sent}; run again later",
        "failed": f"failed: {sent}; somebody is needed",
    }
    return words[done.outcome]
