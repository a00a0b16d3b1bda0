"""Reading one connection in one run: a sweep, and what its feed says.

A sweep reads everything, and may take an hour where a platform allows few calls. In a long run it makes room between
its pages: its own place is kept in `cursor`, the feed's beside it in `feed`, and the feed is read when that is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from daemon.platforms.base import Page
from daemon.platforms.gate import Freshness
from daemon.sync import accounts, vanish
from daemon.sync.heard import hear
from daemon.sync.intake import take_in
from daemon.sync.turn import LOOK_UP, Cycle, Turn
from state.model import Noted
from state.store import Tx

Between = Callable[[Cycle, Turn], None]


def read(cycle: Cycle, turn: Turn, between: Between) -> None:
    """Read what is due. `between`: what is more urgent than the next page."""
    account, side, options = turn.account, turn.side, cycle.options
    if options.due and not accounts.poll_due(account, side, turn.started):
        return
    if accounts.sweep_due(account, side, turn.started) or options.full or account.sweep > account.swept:
        by_itself = options.served is not None and turn.has_feed
        if by_itself and accounts.feed_due(account, side, turn.started):
            _feed(cycle, turn, between)
        _sweep(cycle, turn, between)
        if by_itself or turn.connector.feed_is_sweep or cycle.stop.is_set():
            return
    turn.read_all_at = turn.started if turn.connector.feed_is_sweep else turn.read_all_at
    _feed(cycle, turn, between)


def _feed(cycle: Cycle, turn: Turn, between: Between) -> None:
    """What changed. While a sweep is under way the feed's place is kept beside the sweep's."""
    account, began = turn.account, cycle.roster.clock()
    beside = account.feed is not None
    cursor = account.cursor if account.feed is None else account.feed
    with turn.as_fresh(Freshness.PROFILE):
        _keep_pages(cycle, turn, turn.connector.changes(cursor), between, beside=beside)
    if not cycle.stop.is_set():
        account.polled_at = began
        with cycle.roster.store.transaction() as tx:
            tx.connections.put(turn.side.name, polled_at=began)


def _sweep(cycle: Cycle, turn: Turn, between: Between) -> None:
    """Read everything the connection holds: begun here, or gone on with where it was left."""
    account = turn.account
    resume = account.sweep > account.swept
    if not resume:
        _begin_sweep(cycle, turn)
    turn.reading.sweep = account.sweep
    turn.reading.sweeping = True
    turn.looked_up = cycle.roster.clock()
    with turn.as_fresh(Freshness.BACKFILL):
        _keep_pages(cycle, turn, turn.connector.sweep(account.cursor, resume=resume), between)
    turn.reading.sweeping = False
    turn.read_all_at = None if resume else turn.started  # only now: what was sent meanwhile may have been ahead of it


def make_room(cycle: Cycle, turn: Turn, between: Between, meanwhile: Between) -> None:
    """In a long sweep, now and then: read the feed if that is due, and do `meanwhile` what else there is."""
    now = cycle.roster.clock()
    if not turn.reading.sweeping or not turn.has_feed or 0 <= now - turn.looked_up < LOOK_UP:
        return
    turn.reading.sweeping, turn.aside = False, True
    try:
        if accounts.feed_due(turn.account, turn.side, now):
            _feed(cycle, turn, between)
        meanwhile(cycle, turn)
    finally:
        turn.reading.sweeping, turn.aside = True, False
        turn.looked_up = cycle.roster.clock()


def _begin_sweep(cycle: Cycle, turn: Turn) -> None:
    account = turn.account
    account.feed = account.cursor if turn.has_feed else None
    account.sweep += 1
    with cycle.roster.store.transaction() as tx:
        tx.connections.put(account.name, sweep=account.sweep, feed=account.feed)


def _keep_pages(cycle: Cycle, turn: Turn, pages: Iterable[Page], between: Between, *, beside: bool = False) -> None:
    """Keep each page in one transaction: what it says, then the cursor, last."""
    since = turn.reading.window[0]
    for page in pages:
        turn.reading.window = (since, max(since, cycle.roster.clock()))
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
        if cycle.stop.is_set():
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
    values = {"swept": account.sweep, "swept_at": turn.started, "remap": []}
    if account.feed is None:  # else the feed keeps its own time
        account.polled_at = turn.started
        values["polled_at"] = turn.started
    account.swept, account.swept_at, account.remap, account.feed = account.sweep, turn.started, [], None
    tx.connections.put(account.name, **values, feed=None)
