"""Reading one connection in one run: a sweep or a part of one, and what its feed says.

A sweep reads everything, and may take hours where a platform allows few calls. In a long run it yields: its place is
kept in `cursor`, the feed's in `feed`, and the feed is read between its parts. It is begun anew at its place each time,
since a connector may have looked something up at the beginning that is old by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from daemon.platforms.base import Page
from daemon.platforms.gate import Freshness
from daemon.sync import accounts, vanish
from daemon.sync.deliver import Stop
from daemon.sync.heard import hear
from daemon.sync.intake import take_in
from daemon.sync.turn import Cycle, Turn
from state.model import Noted
from state.store import Tx

Between = Callable[[Cycle, Turn], None]


def read(cycle: Cycle, turn: Turn, between: Between) -> None:
    """Read what is due. `between`: what is more urgent than the next page."""
    account, side, options = turn.account, turn.side, cycle.options
    if options.due and not accounts.poll_due(account, side, turn.started):
        return
    if accounts.sweep_due(account, side, turn.started) or options.full or account.sweep > account.swept:
        if account.feed is not None and accounts.feed_due(account, side, turn.started):
            _feed(cycle, turn, between)
        _sweep(cycle, turn, between)
        if turn.connector.feed_is_sweep or cycle.stop.is_set() or account.sweep > account.swept:
            return
    turn.read_all_at = turn.started if turn.connector.feed_is_sweep else turn.read_all_at
    _feed(cycle, turn, between)


def _feed(cycle: Cycle, turn: Turn, between: Between) -> None:
    """What changed. While a sweep is under way the feed's place is kept beside the sweep's."""
    beside = turn.account.feed
    with turn.as_fresh(Freshness.PROFILE):
        if beside is None:
            _keep_pages(cycle, turn, turn.connector.changes(turn.account.cursor), between, cycle.stop)
        else:
            _keep_pages(cycle, turn, turn.connector.changes(beside), between, cycle.stop, beside=True)
    if not cycle.stop.is_set():
        turn.account.polled_at = turn.started
        with cycle.roster.store.transaction() as tx:
            tx.connections.put(turn.side.name, polled_at=turn.started)


def _sweep(cycle: Cycle, turn: Turn, between: Between) -> None:
    """Read everything the connection holds: begun here, or gone on with where it was left."""
    account = turn.account
    resume = account.sweep > account.swept
    if not resume:
        _begin_sweep(cycle, turn)
    turn.reading.sweep = account.sweep
    turn.reading.sweeping = True
    turn.read_all_at = None if resume else turn.started
    # Before it has been read whole once, or where the feed is a sweep itself, nothing fresher could be read meanwhile.
    yields = account.primed and not turn.connector.feed_is_sweep
    until = cycle.until(turn) if yields else cycle.stop
    with turn.as_fresh(Freshness.BACKFILL):
        _keep_pages(cycle, turn, turn.connector.sweep(account.cursor, resume=resume), between, until)
    turn.reading.sweeping = False


def _begin_sweep(cycle: Cycle, turn: Turn) -> None:
    account = turn.account
    account.sweep += 1
    account.feed = account.cursor if account.primed and not turn.connector.feed_is_sweep else None
    with cycle.roster.store.transaction() as tx:
        tx.connections.put(account.name, sweep=account.sweep, feed=account.feed)


def _keep_pages(
    cycle: Cycle, turn: Turn, pages: Iterable[Page], between: Between, until: Stop, *, beside: bool = False
) -> None:
    """Keep each page in one transaction: what it says, then the cursor, last."""
    for page in pages:
        heard = hear(turn.side, page.records, turn.reading.window)
        turn.reading.news = turn.account.primed
        with cycle.roster.store.transaction() as tx:
            take_in(tx, cycle.roster, turn.reading, heard)
            _note_broken(tx.journal.add, turn, page, cycle.roster.clock())
            if page.sweep_done and turn.reading.sweeping:
                _sweep_done(cycle, turn, tx)
            kept: dict[str, Any] = {"feed" if beside else "cursor": page.cursor}
            if heard and turn.account.reading_since is None:
                # What it plans is not the whole plan yet: the fuse of no other turn may let a part of it pass.
                kept["reading_since"] = turn.account.reading_since = cycle.roster.clock()
            tx.connections.put(turn.side.name, **kept, facts=turn.connector.facts)
        if beside:
            turn.account.feed = page.cursor
        else:
            turn.account.cursor = page.cursor
        turn.books.pages += 1
        cycle.progress(turn.side.name, "read", turn.books)
        if until.is_set():
            return
        between(cycle, turn)


def _note_broken(add: Callable[[list[Noted]], None], turn: Turn, page: Page, at: float) -> None:
    for what, why in page.broken:
        turn.books.count("failed", why)
        detail = {"record": what, "reason": why}
        add([Noted("failed", detail, connection=turn.side.name, at=at, run=turn.reading.run)])


def _sweep_done(cycle: Cycle, turn: Turn, tx: Tx) -> None:
    account = turn.account
    vanish.after_sweep(tx, cycle.roster, turn.reading)
    account.swept, account.swept_at, account.remap, account.feed = account.sweep, turn.started, [], None
    values = {"swept": account.swept, "swept_at": account.swept_at, "remap": [], "feed": None}
    tx.connections.put(account.name, **values, polled_at=turn.started)
