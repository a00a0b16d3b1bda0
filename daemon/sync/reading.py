"""One reading of one connection in one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from daemon.sync.books import Books
from daemon.sync.fuse import limit_of
from daemon.sync.heard import fingerprint
from daemon.sync.roster import LimitLike, Side
from state.store import Tx


@dataclass(slots=True)
class Pass:
    """One reading of one connection: what must be remembered from page to page."""

    side: Side
    run: int | None
    books: Books
    sweep: int = 0  # the number of the sweep last begun: who is met now was met since
    sweeping: bool = False  # this is that sweep: everybody met is marked, the unchanged ones too
    primed: bool = False  # every connection has been read whole: new people may be planned
    news: bool = False  # this one has been: what it says from now on has happened, and is not history
    remap: frozenset[str] = frozenset()  # fields whose mapping changed since the last sweep
    lifted: int = 0  # how many "no" this connection has lifted in this run
    merges: int = 0
    window: tuple[float, float] = (0.0, float("inf"))  # when its edits must have happened
    told: set[tuple[str, str]] = field(default_factory=set)  # (record, channel) that heard a "no" from us in this run
    told_after: list[float] = field(default_factory=list)  # ... and how many seconds after it was said
    facts: dict[str, Any] = field(default_factory=dict)  # of the account, kept with each page
    mark: str = field(init=False)
    _holding: int | None = None

    def __post_init__(self) -> None:
        self.mark = fingerprint(self.side)

    def within(self, limit: LimitLike, count: int, tx: Tx) -> bool:
        """Whether so many may pass. What the connection holds is only counted, once, when it matters."""
        if count > limit.rows and self._holding is None:
            self._holding = tx.links.holding(self.side.name)
        return count <= limit_of(limit, self._holding or 0)
