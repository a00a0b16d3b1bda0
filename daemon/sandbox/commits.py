"""Transactions, and the ones that show late.

In a database ids and `now()` are taken when a transaction begins, and others see it when it commits. A reader
whose cursor has passed by then never sees the row unless it reads an overlap again. `late` makes such writes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from daemon.sandbox.table import Data, Key, Table

Clock = Callable[[], float]


@dataclass
class Transaction:
    """Writes that show together. `keys` are the rows it has locked until then."""

    keys: set[Hashable] = field(default_factory=set)
    writes: list[tuple[Table, Key, Data | None, bool]] = field(default_factory=list)

    def put(self, table: Table, key: Key, data: Data, *, seen: bool = False) -> None:
        self.writes.append((table, key, data, seen))

    def drop(self, table: Table, key: Key) -> None:
        self.writes.append((table, key, None, False))

    def apply(self) -> None:
        for table, key, data, seen in self.writes:
            if data is None:
                table.drop(key)
            else:
                table.put(key, data, seen=seen)


@dataclass
class _Pending:
    transaction: Transaction
    at_request: int | None
    at_time: float | None


class Commits:
    """Applies transactions, at once or late. The model that owns it holds the lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._requests = 0
        self._pending: list[_Pending] = []
        self._late = threading.local()

    @contextmanager
    def late(self, requests: int | None = None, seconds: float | None = None) -> Iterator[None]:
        """What this thread writes inside shows after so many more requests, or so many seconds."""
        self._late.how = (requests, seconds)
        try:
            yield
        finally:
            self._late.how = None

    def submit(self, transaction: Transaction) -> None:
        how = getattr(self._late, "how", None)
        if how is None:
            transaction.apply()
            return
        requests, seconds = how
        self._pending.append(
            _Pending(
                transaction,
                None if requests is None else self._requests + requests,
                None if seconds is None else self._clock() + seconds,
            )
        )

    def settle(self, *keys: Hashable) -> None:
        """Commit what has locked one of these rows: a second writer waits for the first."""
        self._commit(lambda pending: not pending.transaction.keys.isdisjoint(keys))

    def settle_all(self) -> None:
        self._commit(lambda _: True)

    def begin_request(self) -> None:
        """A request begins: commit what is due by now, and count it."""
        if self._pending:
            self._commit(self._due)
        self._requests += 1

    @property
    def pending(self) -> int:
        """How many writes do not show yet."""
        return len(self._pending)

    def _due(self, pending: _Pending) -> bool:
        by_request = pending.at_request is not None and self._requests >= pending.at_request
        return by_request or (pending.at_time is not None and self._clock() >= pending.at_time)

    def _commit(self, due: Callable[[_Pending], bool]) -> None:
        ready = [pending for pending in self._pending if due(pending)]
        self._pending = [pending for pending in self._pending if pending not in ready]
        for pending in ready:
            pending.transaction.apply()
