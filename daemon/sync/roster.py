"""What a run works with: the store, and each connection with everything that is known of it beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from daemon.platforms.base import Capabilities, Channel, Connector, Facts
from daemon.platforms.gate import Gate
from daemon.sync.leases import Keeper
from daemon.sync.windows import Windows
from mappings.mapping import Mapping as FieldMapping
from mappings.outreach import OutreachRule
from state.store import Store


class LimitLike(Protocol):
    """Trips when a count is above both `rows` and `percent` of what the connection holds."""

    @property
    def rows(self) -> int: ...
    @property
    def percent(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Limit:
    rows: int
    percent: float


FUSE: Mapping[str, LimitLike] = {
    "create": Limit(500, 50),
    "update": Limit(500, 20),
    "blank": Limit(50, 5),
    "rekey": Limit(50, 5),
    "merge": Limit(50, 5),
    "vanish": Limit(50, 5),
    "outreach": Limit(100, 5),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What applies to every connection."""

    max_shared: int = 3
    ignored: frozenset[str] = frozenset()
    consent_scope: str = "all"  # or "connection": a "no" stays where it was said
    upward: LimitLike = Limit(20, 5)
    fuse: Mapping[str, LimitLike] = field(default_factory=lambda: FUSE)


@dataclass(frozen=True)
class Side:
    """One connection: what its mapping says, cut down to what its platform can do."""

    name: str
    platform: str
    mapping: FieldMapping
    capabilities: Capabilities
    connect: Callable[[Facts], Connector]
    direction: str = "both"
    priority: int = 0
    overlap: float = 120.0
    every: float = 300.0
    full_every: float = 7 * 86400.0
    account: str = ""
    budget: str = ""  # names the credential: connections that share one are one worker's
    windows: Windows = field(default_factory=Windows)
    updatable: frozenset[str] = field(init=False)
    creatable: frozenset[str] = field(init=False)
    makes_nobody: str = field(init=False)  # why no new record is ever made here, in words; blank: they are

    def __post_init__(self) -> None:
        for name, keys in (("updatable", self.capabilities.update), ("creatable", self.capabilities.create)):
            object.__setattr__(self, name, frozenset(f for key in keys for f in self.mapping.written(key)))
        object.__setattr__(self, "makes_nobody", self._makes_nobody())

    @property
    def reads(self) -> bool:
        """Whether its edits count. An `out` connection is still read: who is there, and every "no"."""
        return self.direction != "out"

    @property
    def writes(self) -> bool:
        return self.direction != "in"

    @property
    def creates(self) -> bool:
        return not self.makes_nobody

    def _makes_nobody(self) -> str:
        if not self.writes:
            return "this connection is only read"
        if not self.capabilities.create:
            return f"{self.platform} makes no new records for us"
        if lacking := sorted(self.capabilities.required - self.creatable):
            return f"its mapping does not write {' and '.join(lacking)}, which {self.platform} asks for"
        if self.creatable.isdisjoint(("phone", "email")):
            return "its mapping writes neither phone nor email: nobody could find the record again"
        return ""

    @property
    def outreach(self) -> tuple[OutreachRule, ...]:
        """The rules for outreaches to be recorded here."""
        return self.mapping.spec.outreach if self.writes and self.capabilities.outreach else ()

    def takes_no(self, channel: Channel) -> bool:
        return self.writes and channel in self.capabilities.consent_write

    def policy(self, name: str) -> str:
        return self.mapping.policy(name) if self.reads else "never"


@dataclass(frozen=True)
class Roster:
    """Everything a run needs."""

    store: Store
    sides: Mapping[str, Side]
    rules: Rules = Rules()
    clock: Callable[[], float] = time.time
    at_once: int | None = None  # how many connections are read, or written to, at once; None: all of them
    keeper: Keeper | None = None  # of our leases, where several workers share the database
    gates: Mapping[str, Gate] = field(default_factory=dict)  # by connection: its credential's budget of calls

    def group(self, name: str) -> frozenset[str]:
        """The connections that share this one's credential, itself included: they are claimed together."""
        mine = self.sides[name].budget
        return frozenset(n for n, side in self.sides.items() if n == name or (mine and side.budget == mine))

    @property
    def priorities(self) -> dict[str, int]:
        return {name: side.priority for name, side in self.sides.items()}
