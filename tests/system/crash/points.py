"""Where a run can die: before and after every HTTP call, before and after every commit.

Patched into the child alone, after the fork: production code knows nothing of this.
"""

from __future__ import annotations

import collections
import os
import signal
import threading
from typing import Any, Literal

from sqlalchemy.engine.default import DefaultDialect

from daemon.platforms.http import Api

Kind = Literal["http_before", "http_after", "commit_before", "commit_after"]
KINDS: tuple[Kind, ...] = ("http_before", "http_after", "commit_before", "commit_after")
WORDS = {
    "http_before": "before a request is sent",
    "http_after": "after the server did the work",
    "commit_before": "before a commit",
    "commit_after": "after a commit",
}


class Points:
    """Counts the points a process passes, over all its threads, and kills it at the n-th of one kind."""

    def __init__(self, kind: Kind | None = None, number: int = 0) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self._die_at = (kind, number)
        self._turn = threading.Lock()

    def reach(self, kind: Kind) -> None:
        with self._turn:
            self.counts[kind] += 1
            if (kind, self.counts[kind]) == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()  # no instruction after this one


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
