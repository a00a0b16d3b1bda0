"""What the page asks of the database and of the service, and lets nobody wait for long."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from daemon import explain
from daemon.errors import SkipRecord
from daemon.output import when
from daemon.service import look, look_people
from daemon.service.look import Standing
from daemon.service.look_figures import Figures, figures
from daemon.service.look_lists import Overview, overview
from daemon.service.metrics import Metrics
from daemon.service.page_chart import HOURS
from daemon.service.page_hold import picked
from daemon.service.patience import Bounded, Kept, Unanswered
from daemon.settings import Settings
from daemon.sync import again, verdicts
from daemon.sync.roster import Roster
from state.engine import StateError
from state.model import Contact, Hold
from state.store import Store, Tx
from state.trouble import trouble_of

T = TypeVar("T")
PATIENCE = 5.0
"""Seconds that somebody waits for the database."""
AT_ONCE = 4
COUNTED = 10.0
"""Seconds that counts are good for."""


class Desk:
    """Every reading and every decision, each within `PATIENCE`.

    Raises Unanswered when it takes longer, and one of `away` when the database says that it cannot.
    """

    away = (SQLAlchemyError, StateError)

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        health: Callable[[], tuple[bool, str]],
        roster: Callable[[], Roster],
        patience: float = PATIENCE,
    ) -> None:
        self._settings, self._store, self._metrics = settings, store, metrics
        self._clock, self._health, self._roster = clock, health, roster
        self._bounded = Bounded(patience=patience, most=AT_ONCE)
        self._alive = Bounded(patience=patience, most=AT_ONCE)  # not behind those who wait for the database
        self._counted = Kept(self._count, seconds=COUNTED)
        metrics.watch(self._figures)

    @property
    def now(self) -> float:
        return self._clock()

    def take(self, settings: Settings) -> None:
        """From now on, these settings."""
        self._settings = settings
        self._counted.forget()

    @staticmethod
    def why(problem: Exception) -> str:
        """Without the statement and its parameters, which are people."""
        return trouble_of(problem).text if isinstance(problem, DBAPIError) else str(problem) or type(problem).__name__

    # reading

    def _look(self, read: Callable[[Tx], T]) -> T:
        def asked() -> T:
            with self._store.look() as tx:
                return read(tx)

        return self._bounded(asked)

    def _count(self) -> Figures:
        return self._look(lambda tx: figures(tx, self._settings, self.now))

    def _figures(self) -> Figures | None:
        """For the metrics: they are told also while the database is away."""
        try:
            return self._counted.get()
        except (Unanswered, *self.away):
            return None

    def health(self) -> tuple[bool, str]:
        try:
            return self._alive(self._health)
        except Unanswered:
            return False, "the service does not say how it is"

    def metrics(self) -> bytes:
        return self._metrics.exposition()

    def standings(self) -> tuple[list[Standing], float]:
        now = self.now
        return self._look(lambda tx: look.standings(tx, self._settings, now)), now

    def overview(self) -> tuple[Overview, Figures, float]:
        """What is shown one by one, what is counted, and the promise about opt-outs in seconds."""
        seen = self._look(lambda tx: overview(tx, self._settings, self.now, hours=HOURS))
        return seen, self._counted.get(), look.promise(self._settings)

    def find(self, asked: str, *, by_name: bool) -> list[Contact]:
        return self._look(lambda tx: look_people.find(tx, self._settings, asked, by_name=by_name))

    def person(self, number: int) -> look_people.Person | None:
        return self._look(lambda tx: look_people.person(tx, number))

    def hold(self, number: int) -> tuple[Hold, explain.Concerned] | None:
        def read(tx: Tx) -> tuple[Hold, explain.Concerned] | None:
            found = tx.holds.get(number)
            return None if found is None else (found, explain.concerned(tx, found))

        return self._look(read)

    # deciding: as `rosterd holds decide` and `rosterd outbox retry` do

    def _change(self, work: Callable[[Tx, Roster], T]) -> T:
        def asked() -> T:
            roster = self._roster()
            with self._store.transaction() as tx:
                return work(tx, roster)

        try:
            return self._bounded(asked)
        finally:
            self._counted.forget()

    def decide(self, number: int, words: str) -> str:
        """Carry out a choice, given as it is typed after `rosterd holds decide ID`; returns what was done."""

        def work(tx: Tx, roster: Roster) -> str:
            hold = tx.holds.get(number)
            if hold is None:
                raise SkipRecord(f"there is no hold {number}", hint="it may have closed by itself")
            if hold.state != "open":
                raise SkipRecord(f"hold {number} was decided on {when(hold.decided_at)}")
            choice = picked(hold, words)
            if choice is None:
                raise SkipRecord(f"that is no choice for hold {number} ({hold.kind})", hint="open it anew, and choose")
            return verdicts.decide(tx, roster, hold, choice)

        return self._change(work)

    def retry(self, push: str) -> None:
        """Owe a refused push again: `17`, or `o17` for an outreach."""
        if not re.fullmatch(r"o?[1-9]\d{0,17}", push):
            raise SkipRecord("that is no push")
        wanted: list[int | str] = [push if push.startswith("o") else int(push)]

        def work(tx: Tx, roster: Roster) -> None:
            again.retry(tx, again.pushes(tx, wanted), again.outreaches(tx, wanted), at=roster.clock())

        self._change(work)
