"""One run, from what changed to what was sent. `run` is the table of contents.

    per connection:  feed page -> map -> resolve -> merge -> plan -> keep    (one transaction a page)
    then, over all:  plan for new people, fuse
    per connection:  outbox -> render -> push -> receipt -> record           (one transaction a batch)

Two promises hold wherever the process dies: nothing is sent before the intention is on disk, and no cursor moves
before everything it has shown us is on disk. A crash repeats work, never loses it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import structlog

from daemon.errors import NeedsPerson, RetryLater, RosterdError
from daemon.platforms.base import Connector, Page
from daemon.sync import accounts, fuse, optouts, outreach, plan, vanish
from daemon.sync.books import Books, Report
from daemon.sync.deliver import Delivery, deliver
from daemon.sync.heard import hear
from daemon.sync.intake import take_in
from daemon.sync.people import People
from daemon.sync.planned import Selection
from daemon.sync.reading import Pass
from daemon.sync.roster import Roster, Side
from state.model import Account, Noted
from state.store import Tx

log = structlog.get_logger("rosterd.sync")

PLAN_PAGE = 500
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Options:
    """`full`: read everything, whatever the schedule says. `due`: read only where `every` has passed since the last
    time; what is owed is sent all the same. `only`: these connections (all when empty). `these`: nothing is sent but
    these pushes, which a person has looked at: the fuse has no say in them."""

    full: bool = False
    due: bool = False
    only: frozenset[str] = frozenset()
    send: bool = True
    these: Selection | None = None


@dataclass(slots=True)
class Turn:
    """One connection's part in one run."""

    side: Side
    account: Account
    books: Books
    connector: Connector
    reading: Pass
    started: float
    read_all_at: float | None = None
    problem: RosterdError | None = None


@dataclass(slots=True)
class Cycle:
    """One run under way."""

    roster: Roster
    options: Options
    report: Report
    stop: threading.Event
    progress: Callable[[str, str, Books], None]
    turns: dict[str, Turn] = field(default_factory=dict)


def run(
    roster: Roster,
    options: Options = Options(),
    *,
    stop: threading.Event | None = None,
    progress: Callable[[str, str, Books], None] = lambda *_: None,
) -> Report:
    """Bring every connection to the same picture of every person, as far as this run gets."""
    cycle = Cycle(roster, options, Report(), stop or threading.Event(), progress)
    begin(cycle)
    try:
        intake(cycle)
        plan_new_people(cycle)
        check_fuse(cycle)
        delivery(cycle)
    except BaseException:
        end(cycle, broken=True)
        raise
    end(cycle)
    return cycle.report


def begin(cycle: Cycle) -> None:
    """Open the run; make the accounts in the database agree with the configuration."""
    roster, report = cycle.roster, cycle.report
    with roster.store.transaction() as tx:
        report.run = tx.runs.begin(roster.clock())
        known = accounts.prepare(tx, roster, report.run)
    for name, side in roster.sides.items():
        if cycle.options.only and name not in cycle.options.only:
            continue
        books = report.books[name] = Books()
        account = known[name]
        if reason := accounts.resting(account, roster.clock(), insist=name in cycle.options.only):
            books.paused = reason
            continue
        cycle.turns[name] = _turn(cycle, side, account, books, known)


def _turn(cycle: Cycle, side: Side, account: Account, books: Books, known: dict[str, Account]) -> Turn:
    roster = cycle.roster
    reading = Pass(
        side,
        cycle.report.run,
        books,
        sweep=account.sweep,
        primed=all(known[name].primed for name in roster.sides),
        remap=frozenset(account.remap),
    )
    connector = side.connect(account.facts)
    reading.facts = connector.facts
    connector.keep_facts = partial(_keep_facts, roster, side.name, connector)
    started = roster.clock()
    reading.window = ((account.polled_at or 0.0) - side.overlap, started)
    return Turn(side, account, books, connector, reading, started)


def _keep_facts(roster: Roster, name: str, connector: Connector) -> None:
    with roster.store.transaction() as tx:
        tx.connections.put(name, facts=connector.facts)


# intake


def intake(cycle: Cycle) -> None:
    """Read every connection, all at once, each in its own thread."""
    _everywhere(cycle, lambda turn: _read(cycle, turn))


def _read(cycle: Cycle, turn: Turn) -> None:
    account = turn.account
    if cycle.options.due and not accounts.poll_due(account, turn.side, turn.started):
        return
    due = accounts.sweep_due(account, turn.side, turn.started) or cycle.options.full
    if due or account.sweep > account.swept:
        _sweep(cycle, turn)
        if turn.connector.feed_is_sweep or cycle.stop.is_set():
            return
    turn.read_all_at = turn.started if turn.connector.feed_is_sweep else turn.read_all_at
    _keep_pages(cycle, turn, turn.connector.changes(account.cursor))
    if not cycle.stop.is_set():
        with cycle.roster.store.transaction() as tx:
            tx.connections.put(turn.side.name, polled_at=turn.started)


def _sweep(cycle: Cycle, turn: Turn) -> None:
    """Read everything the connection holds: begun here, or gone on with where a run was broken off."""
    account, store = turn.account, cycle.roster.store
    resume = account.sweep > account.swept
    if not resume:
        account.sweep += 1
        with store.transaction() as tx:
            tx.connections.put(account.name, sweep=account.sweep)
    turn.reading.sweep = account.sweep
    turn.reading.sweeping = True
    turn.read_all_at = turn.started
    _keep_pages(cycle, turn, turn.connector.sweep(account.cursor, resume=resume))
    turn.reading.sweeping = False


def _keep_pages(cycle: Cycle, turn: Turn, pages: Iterable[Page]) -> None:
    """Keep each page in one transaction: what it says, then the cursor, last."""
    for page in pages:
        heard = hear(turn.side, page.records, turn.reading.window)
        turn.reading.news = turn.account.primed
        with cycle.roster.store.transaction() as tx:
            take_in(tx, cycle.roster, turn.reading, heard)
            _note_broken(tx.journal.add, turn, page, cycle.roster.clock())
            if page.sweep_done and turn.reading.sweeping:
                _sweep_done(cycle, turn, tx)
            tx.connections.put(turn.side.name, cursor=page.cursor, facts=turn.connector.facts)
        turn.account.cursor = page.cursor
        turn.books.pages += 1
        cycle.progress(turn.side.name, "read", turn.books)
        if cycle.stop.is_set():
            return


def _note_broken(add: Callable[[list[Noted]], None], turn: Turn, page: Page, at: float) -> None:
    for what, why in page.broken:
        turn.books.count("failed", why)
        add(
            [
                Noted(
                    "failed",
                    {"record": what, "reason": why},
                    connection=turn.side.name,
                    at=at,
                    run=turn.reading.run,
                )
            ]
        )


def _sweep_done(cycle: Cycle, turn: Turn, tx: Tx) -> None:
    account = turn.account
    vanish.after_sweep(tx, cycle.roster, turn.reading)
    account.swept, account.swept_at, account.remap = account.sweep, turn.started, []
    values = {"swept": account.swept, "swept_at": account.swept_at, "remap": [], "polled_at": turn.started}
    tx.connections.put(account.name, **values)


# plan


def plan_new_people(cycle: Cycle) -> None:
    """Once every connection has been read whole: who is missing where? Walks all contacts, page by page, when a
    connection is new or its scope changed; goes on where it was broken off."""
    roster = cycle.roster
    with roster.store.look() as tx:
        known = tx.connections.all()
    cycle.report.waiting = [name for name in roster.sides if not known[name].primed]
    if cycle.report.waiting:
        return
    for name, side in roster.sides.items():
        after = known[name].plan_after
        while after is not None and not cycle.stop.is_set():
            after = _plan_page(cycle, side, after)


def _plan_page(cycle: Cycle, side: Side, after: int) -> int | None:
    with cycle.roster.store.transaction() as tx:
        page = tx.contacts.walk(after, PLAN_PAGE) if side.writes else []
        next_after = page[-1].id if page else None
        missing = tx.links.unlinked_contacts(side.name, [contact.id for contact in page]) if side.creates else set()
        said_no = {contact.id for contact in page if optouts.said_no(contact)}
        people = People(tx, cycle.roster, now=cycle.roster.clock(), run=cycle.report.run)
        people.load_contacts(missing | said_no)
        for number in sorted(missing):
            plan.create(people, people.contacts[number], side)
        for number in sorted(said_no):
            optouts.say_again(people, people.contacts[number])
        optouts.reach_strays(people)
        people.flush()
        tx.connections.put(side.name, plan_after=next_after)
    return next_after


def check_fuse(cycle: Cycle) -> None:
    """The whole plan, before the first write. Where only chosen pushes go, the others are counted by the next run."""
    if cycle.report.waiting or cycle.options.these is not None:
        return
    with cycle.roster.store.transaction() as tx:
        cycle.report.tripped = fuse.check(tx, cycle.roster)


# delivery


def delivery(cycle: Cycle) -> None:
    """Send what is owed, every connection at once. While one has not yet been read whole, only a "no" goes out: it
    overruns nobody's word and makes nobody, and must not wait for a bad key elsewhere. (The one that was not read has
    failed its turn, and gets nothing.)

    What one platform answers may be news for another: as long as there is something due, look again.
    """
    for _ in range(ROUNDS):
        if not cycle.options.send or cycle.stop.is_set():
            return
        _everywhere(cycle, lambda turn: _deliver(cycle, turn))
        if cycle.report.waiting or cycle.options.these is not None or not _something_due(cycle):
            return
        check_fuse(cycle)


def _something_due(cycle: Cycle) -> bool:
    now = cycle.roster.clock()
    open_turns = [turn for turn in cycle.turns.values() if turn.side.writes and turn.problem is None]
    with cycle.roster.store.look() as tx:
        return any(tx.outbox.due(turn.side.name, now, 1) for turn in open_turns)


def _deliver(cycle: Cycle, turn: Turn) -> None:
    waiting, these = cycle.report.waiting, cycle.options.these
    if not turn.side.writes or turn.problem is not None:
        return
    turn.reading.news = True
    turn.reading.primed = not waiting
    delivery = Delivery(cycle.roster, turn.reading, turn.connector, cycle.stop, turn.read_all_at, these)
    delivery.only_no = bool(waiting)
    deliver(delivery)
    if these is None and not waiting:  # a plan has no outreaches
        outreach.deliver(delivery)
    cycle.progress(turn.side.name, "sent", turn.books)


# the end


def _everywhere(cycle: Cycle, do: Callable[[Turn], None]) -> None:
    """One thread a connection. A connection that is down, busy or refuses our key pauses alone."""

    def alone(turn: Turn) -> None:
        if turn.problem is not None:
            return
        try:
            do(turn)
        except (RetryLater, NeedsPerson) as problem:
            turn.problem = problem

    turns = list(cycle.turns.values())
    with ThreadPoolExecutor(
        max_workers=cycle.roster.at_once or max(1, len(turns)), thread_name_prefix="connection"
    ) as pool:
        for done in [pool.submit(alone, turn) for turn in turns]:
            done.result()


def end(cycle: Cycle, *, broken: bool = False) -> None:
    """Close the run and its books; say a connection's failure once, and its end once."""
    roster, report = cycle.roster, cycle.report
    for turn in cycle.turns.values():
        turn.books.calls = turn.connector.calls
        turn.connector.close()
    with roster.store.transaction() as tx:
        for turn in cycle.turns.values():
            accounts.close_turn(tx, turn.account, turn.problem, roster.clock(), turn.books)
            tx.connections.put(turn.side.name, facts=turn.connector.facts)
        report.outcome = "failed" if broken else outcome(cycle)
        books = {name: each.as_dict() for name, each in report.books.items()}
        tx.runs.end(report.run, roster.clock(), report.outcome, books)
    if not report.balanced:
        log.error("run.books_do_not_balance", run=report.run, books=books)


def outcome(cycle: Cycle) -> str:
    """done; partial: some records failed, are held or were refused; later: a connection asked us to wait;
    failed: a person is needed, or the books do not balance."""
    report = cycle.report
    problems = [turn.problem for turn in cycle.turns.values() if turn.problem is not None]
    if any(isinstance(problem, NeedsPerson) for problem in problems) or not report.balanced:
        return "failed"
    if problems or cycle.stop.is_set() or any(each.paused for each in report.books.values()):
        return "later"
    if report.tripped or any(each.failed or each.held or each.refused for each in report.books.values()):
        return "partial"
    return "done"
