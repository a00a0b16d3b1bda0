"""Where a run can die: before and after every HTTP call, before and after every commit.

Patched into the child alone, after the fork: production code knows nothing of this.
"""

from __future__ import annotations

import collections
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.engine.default import DefaultDialect

from daemon.platforms.http import Api
from daemon.sync import cycle

Kind = Literal["http_before", "http_after", "commit_before", "commit_after"]
KINDS: tuple[Kind, ...] = ("http_before", "http_after", "commit_before", "commit_after")
WORDS = {
    "http_before": "before a request is sent",
    "http_after": "after the server did the work",
    "commit_before": "before a commit",
    "commit_after": "after a commit",
}


RUN = "run"
"""Where a point is that belongs to no connection: the thread that starts, plans and ends the run."""


@dataclass(frozen=True)
class Point:
    """The `number`-th point of its kind that this connection passes.

    Counted for each connection by itself: its own calls and commits come in one order, whatever the other does.
    """

    kind: Kind
    where: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.where} {self.number}"


class Points:
    """Counts the points a process passes, and kills it at one of them."""

    def __init__(self, die_at: Point | None = None) -> None:
        self.counts: collections.Counter[tuple[Kind, str]] = collections.Counter()
        self.here = threading.local()
        self._die_at = die_at
        self._turn = threading.Lock()

    def reach(self, kind: Kind) -> None:
        with self._turn:
            where = getattr(self.here, "name", RUN)
            self.counts[kind, where] += 1
            if Point(kind, where, self.counts[kind, where]) == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()  # no instruction after this one

    def all(self) -> list[tuple[Kind, str, int]]:
        """Every point passed so far."""
        counts = sorted(self.counts.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1]))
        return [(kind, where, number) for (kind, where), count in counts for number in range(1, count + 1)]


def arm(points: Points) -> None:
    """Let this process pass the points at the one place that sends, and at the one that commits."""
    exchange, commit = Api._exchange, DefaultDialect.do_commit

    def counted_exchange(self: Api, request: Any) -> Any:
        points.reach("http_before")
        answer = exchange(self, request)
        points.reach("http_after")
        return answer

    def counted_commit(self: DefaultDialect, connection: Any) -> None:
        points.reach("commit_before")
        commit(self, connection)
        points.reach("commit_after")

    Api._exchange = counted_exchange  # type: ignore[method-assign]
    DefaultDialect.do_commit = counted_commit  # type: ignore[method-assign]
    for step in ("_read", "_deliver"):
        setattr(cycle, step, _named(points, getattr(cycle, step)))


def _named(points: Points, step: Callable[..., None]) -> Callable[..., None]:
    """What a connection's thread does, under the name of the connection."""

    def named(run: Any, turn: cycle.Turn, *more: Any) -> None:
        points.here.name = turn.side.name
        step(run, turn, *more)

    return named
