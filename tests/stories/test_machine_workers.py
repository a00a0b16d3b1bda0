"""The machine of test_machine, with three workers who take turns at the connections, one within another: at any call
of a turn another worker takes a turn elsewhere, or the lease is lost and another worker takes the same connection.

What holds there must hold here: all sides agree in the end, nothing is sent twice, no opt-out is undone, nobody is made
twice, whoever was overtaken writes nothing, and in the end nobody holds anything.

A call that was begun under a lease is over before somebody else has the connection: so long is a lease
(docs/workers.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import event
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import select, update

from daemon.sync import cycle
from daemon.sync.leases import Keeper
from daemon.sync.turn import Options
from state.store import Store
from state.tables import connections, metadata
from tests.postgres import Shelf
from tests.stories.test_machine import PERSON, SIDE, SMS, Person, invent
from tests.stories.test_machine import Roster as Machine
from tests.twin import Crash
from tests.twin_platform import WRITES

FULL = os.environ.get("ROSTERD_TEST_WORKERS") == "full"
SECONDS = 3600.0
"""A lease of ours is lost when a story says so, not by the time a test takes."""


@dataclass
class Worker:
    """One process: its own door to the database, its own leases. Its turn at `at`, while it has one."""

    store: Store
    keeper: Keeper
    at: str = ""


class Workers(Machine):
    workers: list[Worker]
    born: int = 0

    @initialize(there=st.lists(st.tuples(SIDE, PERSON, SMS), min_size=3, max_size=9))
    def open(self, there: list[tuple[str, Person, bool | None]]) -> None:
        super().open(there)
        self.workers = [self.worker() for _ in range(3)]

    def worker(self) -> Worker:
        self.born += 1
        store = Store(self.world.store.url, exclusive=False)
        return Worker(store, Keeper(store, f"w{self.born}", SECONDS))

    # turns

    @rule(
        number=st.integers(0, 2),
        side=SIDE,
        when=st.integers(1, 7),
        what=st.sampled_from(["beside", "lost", "answer lost"]),
        other=st.integers(1, 2),
        its=SIDE,
        full=st.booleans(),
    )
    def turn(self, number: int, side: str, when: int, what: str, other: int, its: str, full: bool) -> None:
        """A turn; at its `when`th call something happens: another worker takes a turn at `its` side; or at the same,
        since the lease was lost before that call, or while its answer was on its way."""
        mine, another = self.workers[number], self.workers[(number + other) % 3]
        written: list[object] = []

        def meanwhile() -> None:
            if what != "beside":
                self.lose(mine)
            self.take(another, side if what != "beside" else its)
            if what != "beside":
                written.append(self.all_that_is_written())

        self.take(mine, side, full=full, when=when, late=what == "answer lost", meanwhile=meanwhile)
        if written:
            assert self.all_that_is_written() == written[0], "whoever was overtaken has written something"
            event(f"overtaken: {what}")

    def all_that_is_written(self) -> object:
        """But for a run's own row, which tells of itself."""
        tables = [table for name, table in metadata.tables.items() if name != "runs"]
        with self.world.store.look() as tx:
            return {table.name: sorted(map(repr, tx.db.execute(select(table)))) for table in tables}

    def take(
        self,
        worker: Worker,
        side: str,
        *,
        full: bool = False,
        when: int = 0,
        late: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.world.now += 60
        twin, keeper = self.world.twins[side], worker.keeper
        before_call, after_work, left = twin.before_call, twin.after_work, [when]

        def call(verb: str) -> None:
            left[0] -= 1
            if left[0] == 0 and not late:
                meanwhile()
            keeper.check(frozenset({side}))
            if left[0] == 0 and late and verb not in WRITES:
                meanwhile()
            before_call(verb)

        def worked(kind: str | None) -> None:
            if left[0] == 0 and late:
                meanwhile()
            after_work(kind)

        twin.before_call, twin.after_work, worker.at = call, worked, side  # type: ignore[method-assign]
        try:
            self.cycle(worker, Options(full=full, only=frozenset({side}), served=keeper.owner))
        finally:
            worker.at = ""
            twin.before_call, twin.after_work = before_call, after_work  # type: ignore[method-assign]

    def cycle(self, worker: Worker, options: Options) -> None:
        roster = replace(self.world.roster, store=worker.store, keeper=worker.keeper)
        try:
            report = cycle.run(roster, options)
        except Crash:
            self.die(worker)
            return
        assert report.balanced

    def lose(self, worker: Worker) -> None:
        """It is stopped, its time is over, and it goes on."""
        with self.world.store.transaction() as tx:
            mine = connections.c.owner == worker.keeper.owner
            tx.db.execute(update(connections).where(mine).values(lease_until=0.0))
        for held in worker.keeper._held.values():
            held.until = float("-inf")

    def die(self, worker: Worker) -> None:
        """A process was killed. What it had is free when its time is over."""
        self.lose(worker)
        worker.keeper._held.clear()
        worker.keeper.close()
        worker.store.close()
        place = self.workers.index(worker)
        self.workers[place] = self.worker()

    def run(self, **options: Any) -> None:
        """A command beside them."""
        self.world.now += 60
        command = self.worker()
        self.workers.append(command)
        try:
            self.cycle(command, Options(**options))
        finally:
            for each in self.workers[3:]:
                each.keeper.close()
                each.store.close()
            del self.workers[3:]

    # always

    @precondition(lambda self: hasattr(self, "workers"))
    @invariant()
    def nobody_keeps_what_he_does_not_need(self) -> None:
        with self.world.store.look() as tx:
            assert tx.leases.holders() == {}
        for worker in self.workers:
            assert worker.keeper._held == {}

    def teardown(self) -> None:
        for worker in getattr(self, "workers", ()):
            worker.keeper.close()
            worker.store.close()
        super().teardown()


@pytest.mark.timeout(600)
def test_whoever_takes_the_turns_all_sides_agree_in_the_end() -> None:
    invent(Workers, 300 if FULL else 12)


@pytest.mark.timeout(600)
def test_the_same_on_postgresql(shelf: Shelf) -> None:
    with ExitStack() as lent:

        class OnPostgreSQL(Workers):
            def database(self) -> str:
                lent.close()
                return lent.enter_context(shelf.lent())

        invent(OnPostgreSQL, 60 if FULL else 3)
