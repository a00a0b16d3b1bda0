"""Our hold on connections: one worker at a time works at a connection, and knows when it no longer does.

The database decides (`state.leases`): every transaction of a turn begins by renewing its lease there, or fails. What
the database cannot see is an HTTP call. So this process also keeps its own time of each lease, and begins no call that
could outlive it; and it renews from a thread of its own, so that a long wait for a platform costs no lease.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from daemon.errors import Overtaken
from state.leases import Lease, LeaseLost
from state.store import Store

log = structlog.get_logger("rosterd.sync")

RENEWALS = 3
"""So often a lease is renewed within its time."""
MARGIN = 1 / 3
"""Of a lease's time: with less than that left no call is begun."""


def uptime() -> float:
    """Seconds that also pass while the machine sleeps, which the monotonic clock of Linux leaves out."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def owner() -> str:
    """Names this process among all that work on the database, for people too."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"


@dataclass(slots=True)
class Held:
    """A lease of ours. `users`: two connections of one credential share it. `until`: on our own clock, at least."""

    lease: Lease
    until: float
    users: int = 1


class Keeper:
    """Claims, renews and gives back the leases of this process.

    `owner`: names this process among all that work on the database. `seconds`: how long a lease holds unrenewed.
    """

    def __init__(self, store: Store, owner: str, seconds: float, *, clock: Callable[[], float] = uptime) -> None:
        self.owner, self._store, self._seconds, self._clock = owner, store, seconds, clock
        self._held: dict[frozenset[str], Held] = {}
        self._turn = threading.Lock()
        # Whoever stalls within a transaction for as long as its lease has lost it: there is nothing to wait for.
        store.stalled = min(store.stalled, seconds)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def claim(self, names: frozenset[str]) -> Held | None:
        """Take these connections, all or none; None when another worker has one of them."""
        with self._turn:
            held = self._held.get(names)
            if held is not None:
                held.users += 1
                return held
            began = self._clock()
            with self._store.transaction() as tx:
                lease = tx.leases.claim(sorted(names), self.owner, self._seconds)
            if lease is None:
                return None
            held = self._held[names] = Held(lease, began + self._seconds)
            self._keep_renewing()
            return held

    def release(self, held: Held) -> None:
        """Give it back, once its last user has. While the database is away it is left to run out: whoever ends a turn
        has better things to raise."""
        with self._turn:
            held.users -= 1
            if held.users or self._held.get(frozenset(held.lease.names)) is not held:
                return
            del self._held[frozenset(held.lease.names)]
        with contextlib.suppress(SQLAlchemyError), self._store.transaction() as tx:  # else it runs out by itself
            tx.leases.release(held.lease)

    @contextlib.contextmanager
    def holding(self, held: Held) -> Iterator[None]:
        """This thread's transactions are the lease's. Raises Overtaken when it is not ours any more."""
        try:
            with self._store.holding(held.lease):
                yield
        except LeaseLost as problem:
            self._drop(held)
            raise Overtaken(str(problem), hint=problem.hint) from None

    def check(self, names: frozenset[str]) -> None:
        """Before a call: raises Overtaken where another worker may have begun."""
        held = self._held.get(names)
        if held is None or held.until - self._clock() < self._seconds * MARGIN:
            raise Overtaken("the lease of this connection could not be renewed in time", hint="another worker goes on")

    def _drop(self, held: Held) -> None:
        with self._turn:
            if self._held.get(frozenset(held.lease.names)) is held:
                del self._held[frozenset(held.lease.names)]

    # renewing

    def _keep_renewing(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(self._seconds / (RENEWALS + 1)):
            for held in list(self._held.values()):
                try:
                    self.renew(held)
                except SQLAlchemyError:
                    continue  # away for a moment: tried again; `check` knows the time
                except Exception:  # this thread must outlive it: without it every lease would be lost
                    log.exception("lease.defect", connections=list(held.lease.names))

    def renew(self, held: Held) -> None:
        """Once more its whole time; forgotten when it is not ours any more."""
        began = self._clock()
        with self._store.transaction() as tx:
            ours = tx.leases.renew(held.lease)
        if ours:
            held.until = began + self._seconds
        elif self._held.get(frozenset(held.lease.names)) is held:
            log.warning("lease.lost", connections=list(held.lease.names))
            self._drop(held)

    def close(self, *, in_use: bool = False) -> None:
        """Stop renewing, and give everything back. What is still `in_use`, in the middle of a call that may yet arrive,
        is left to run out: whoever takes it over must not be faster than that call."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        for held in [] if in_use else list(self._held.values()):
            held.users = 1
            self.release(held)
