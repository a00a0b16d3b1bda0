"""One run, from what changed to what was sent. `run` is the table of contents.

    per connection:  feed page -> map -> resolve -> merge -> plan -> keep    (one transaction a page)
    then, over all:  plan for new people, fuse
    per connection:  outbox -> render -> push -> receipt -> record           (one transaction a batch)

Two promises hold wherever the process dies: nothing is sent before the intention is on disk, and no cursor moves
before everything it has shown us is on disk. A crash repeats work, never loses it.

A command runs over all connections at once. The service runs one connection at a time, many side by side, perhaps in
several processes: the same steps, and the fuse waits until nobody is in the middle of a reading.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from daemon.errors import NeedsPerson, Overtaken, RetryLater, RosterdError, Stopping
from daemon.platforms.base import Connector
from daemon.sync import accounts, feeds, newcomers, outreach, whole
from daemon.sync.books import Books, Report
from daemon.sync.closing import end
from daemon.sync.deliver import deliver, deliver_no, postpone
from daemon.sync.delivery import Delivery, Stop
from daemon.sync.leases import Held
from daemon.sync.reading import Pass
from daemon.sync.roster import Roster, Side
from daemon.sync.turn import Cycle, Options, Turn
from state.engine import StateError
from state.model import Account

__all__ = ["Options", "run"]

log = structlog.get_logger("rosterd.sync")

DEFAULT = Options()
ROUNDS = 3
T = TypeVar("T")


def run(
    roster: Roster,
    options: Options = DEFAULT,
    *,
    stop: Stop | None = None,
    progress: Callable[[str, str, Books], None] = lambda *_: None,
) -> Report:
    """Bring every connection to the same picture of every person, as far as this run gets."""
    cycle = Cycle(roster, options, Report(), stop or threading.Event(), progress)
    try:
        begin(cycle)
        intake(cycle)
        _over_all(cycle, newcomers.plan_new_people)
        _over_all(cycle, whole.check_fuse)
        delivery(cycle)
    except BaseException:
        with contextlib.suppress(SQLAlchemyError):  # what went wrong first is what matters
            end(cycle, broken=True)
        raise
    end(cycle)
    return cycle.report


def begin(cycle: Cycle) -> None:
    """Open the run; make the accounts in the database agree with the configuration; claim the connections."""
    roster, report, options = cycle.roster, cycle.report, cycle.options
    names = [name for name in roster.sides if not options.only or name in options.only]
    with roster.store.transaction() as tx:
        begun = roster.clock()
        report.run = tx.runs.begin(begun, worker=options.served, about=names)
        accounts.introduce(tx, roster)
    held = {name: _claim(cycle, name) for name in names}
    taken = {name for name in names if roster.keeper is None or held[name] is not None}
    with roster.store.transaction() as tx:
        known = accounts.prepare(tx, roster, report.run, taken)
        tx.runs.killed(taken, begun, but=report.run)
    for name in names:
        books = report.books[name] = Books()
        now = roster.clock()
        insist = name in options.only and options.served is None
        books.paused = (
            "another worker is at it"
            if name not in taken
            else accounts.resting(known[name], roster.sides[name], now, insist=insist)
        )
        if books.paused is None:
            cycle.turns[name] = _turn(cycle, roster.sides[name], held[name], books, known)


def _claim(cycle: Cycle, name: str) -> Held | None:
    keeper = cycle.roster.keeper
    held = keeper.claim(cycle.roster.group(name)) if keeper is not None else None
    if held is not None:
        cycle.held.append(held)
    return held


def _turn(cycle: Cycle, side: Side, held: Held | None, books: Books, known: dict[str, Account]) -> Turn:
    roster, account = cycle.roster, known[side.name]
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
    # A clock that was set back must not make a window that ends before it begins.
    reading.window = (min(account.polled_at or 0.0, started) - side.overlap, started)
    return Turn(side, account, books, connector, reading, started, held)


def _keep_facts(roster: Roster, name: str, connector: Connector) -> None:
    with roster.store.transaction() as tx:
        tx.connections.put(name, facts=connector.facts)


# intake


def intake(cycle: Cycle) -> None:
    """Read every connection, all at once, each in its own thread."""
    _everywhere(cycle, lambda turn: _read(cycle, turn))


def _read(cycle: Cycle, turn: Turn) -> None:
    turn.connector.breathe = lambda: _between(cycle, turn)
    try:
        feeds.read(cycle, turn, _between)
    finally:
        turn.connector.breathe = lambda: None
    if turn.account.reading_since is not None and not cycle.stop.is_set():
        # One that was cut off keeps its mark: whoever goes on with it has the plan counted when it is whole.
        with cycle.roster.store.transaction() as tx:
            tx.connections.put(turn.side.name, reading_since=None)
        turn.account.reading_since = None


def _between(cycle: Cycle, turn: Turn) -> None:
    """In a long run a "no" goes out between two pages, and a long sweep makes room: it may take an hour."""
    if cycle.options.served is None:
        return
    if turn.side.writes:
        _if_it_can(turn, lambda: deliver_no(_delivery(cycle, turn, cycle.stop)))
    if not turn.aside:
        feeds.make_room(cycle, turn, _between, _meanwhile)


def _meanwhile(cycle: Cycle, turn: Turn) -> None:
    """What a sweep has planned so far is counted as what the whole of it will have, and may go."""
    if whole.check_fuse(cycle, reading=turn.side.name):
        _if_it_can(turn, lambda: _deliver(cycle, turn, cycle.until(turn)))


def _if_it_can(turn: Turn, send: Callable[[], None]) -> None:
    """Where a key may read and not write, the reading goes on: a "no" must be heard although another cannot be told.
    The delivery after it says what is wrong."""
    if turn.cannot_write:
        return
    try:
        send()
    except (RetryLater, NeedsPerson) as problem:
        if isinstance(problem, Stopping | Overtaken) or getattr(problem, "after", None) is not None:
            raise
        turn.cannot_write = True


# delivery


def delivery(cycle: Cycle) -> None:
    """Send what is owed, every connection at once. While one has not yet been read whole, only a "no" goes out: it
    overruns nobody's word and makes nobody, and must not wait for a bad key elsewhere. (The one that was not read has
    failed its turn, and gets nothing.)

    What one platform answers may be news for another: as long as there is something due, look again; in a long run
    only until it is time to make room.
    """
    until = {name: cycle.until(turn) for name, turn in cycle.turns.items()}
    for _ in range(ROUNDS):
        if not cycle.options.send or all(each.is_set() for each in until.values()):
            return
        _everywhere(cycle, lambda turn: _deliver(cycle, turn, until[turn.side.name]))
        if cycle.report.waiting or cycle.options.these is not None or not _something_due(cycle):
            return
        if not _over_all(cycle, whole.check_fuse):
            return


def _something_due(cycle: Cycle) -> bool:
    now = cycle.roster.clock()
    open_turns = [turn for turn in cycle.turns.values() if turn.side.writes and turn.problem is None]
    with cycle.roster.store.look() as tx:
        return any(tx.outbox.due(turn.side.name, now, 1) for turn in open_turns)


def _deliver(cycle: Cycle, turn: Turn, until: Stop) -> None:
    these = cycle.options.these
    if not turn.side.writes or turn.problem is not None:
        return
    turn.reading.news = True
    turn.reading.primed = not cycle.report.waiting
    each = _delivery(cycle, turn, until)
    quiet = turn.side.windows.quiet(cycle.roster.clock())
    each.only_no = bool(cycle.report.waiting) or quiet
    deliver(each)
    if these is None and not each.only_no:  # a plan has no outreaches
        outreach.deliver(each)
    if quiet and turn.side.name not in cycle.report.quiet:
        cycle.report.quiet.append(turn.side.name)
    if cycle.options.served is not None and not each.stop.is_set():
        postpone(each)
    cycle.progress(turn.side.name, "sent", turn.books)


def _delivery(cycle: Cycle, turn: Turn, until: Stop) -> Delivery:
    options = cycle.options
    each = Delivery(cycle.roster, turn.reading, turn.connector, until, turn.read_all_at, options.these)
    each.served = options.served is not None
    each.as_fresh = turn.as_fresh
    return each


# threads


def _everywhere(cycle: Cycle, do: Callable[[Turn], None]) -> None:
    """One thread a connection. A connection that is down, busy or refuses our key pauses alone, and so does one that
    shows a defect of ours."""
    turns = list(cycle.turns.values())
    if len(turns) == 1:
        _alone(cycle, turns[0], do)
        return
    with ThreadPoolExecutor(
        max_workers=cycle.roster.at_once or max(1, len(turns)), thread_name_prefix="connection"
    ) as pool:
        for done in [pool.submit(_alone, cycle, turn, do) for turn in turns]:
            done.result()


def _alone(cycle: Cycle, turn: Turn, do: Callable[[Turn], None]) -> None:
    if turn.problem is not None:
        return
    try:
        with cycle.holding(turn):
            do(turn)
    except (RetryLater, NeedsPerson) as problem:
        turn.problem = problem
    except (RosterdError, SQLAlchemyError, StateError):
        raise
    except Exception as defect:  # one connection must not stop the others for months
        log.exception("connection.defect", connection=turn.side.name)
        turn.problem = accounts.defect(defect)


def _over_all(cycle: Cycle, do: Callable[[Cycle], T]) -> T | None:
    """A step over all connections is fenced, too: by any of our leases. None where none is ours any more: whoever has
    overtaken us takes the step."""
    ours = [turn for turn in cycle.turns.values() if not isinstance(turn.problem, Overtaken)]
    for turn in ours:
        try:
            with cycle.holding(turn):
                return do(cycle)
        except Overtaken as problem:
            turn.problem = problem
    return None if cycle.turns else do(cycle)
