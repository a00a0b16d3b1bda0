"""The books of a run: every record read is accounted for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Books:
    """What one connection read and was sent in one run."""

    read: int = 0
    changed: int = 0
    unchanged: int = 0
    out_of_scope: int = 0
    held: int = 0
    failed: int = 0
    vanished: int = 0
    merged: int = 0
    created: int = 0
    updated: int = 0
    opted_out: int = 0
    outreaches: int = 0
    refused: int = 0
    calls: int = 0
    throttled: int = 0  # of the calls: answered with 429
    pages: int = 0
    paused: str | None = None  # why the connection was left alone, in words
    reasons: dict[str, int] = field(default_factory=dict)  # why records failed or were held: how many

    def count(self, outcome: str, reason: str | None = None) -> None:
        self.read += 1
        setattr(self, outcome, getattr(self, outcome) + 1)
        if reason is not None:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1

    @property
    def balanced(self) -> bool:
        """read = changed + unchanged + out of scope + held + failed"""
        accounted = self.changed + self.unchanged + self.out_of_scope + self.held + self.failed
        return self.read == accounted

    @property
    def sent(self) -> int:
        return self.created + self.updated + self.opted_out + self.outreaches

    def counted(self) -> dict[str, int]:
        """What is not nothing: for the log."""
        return {key: value for key, value in self.as_dict().items() if isinstance(value, int) and value}

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Report:
    """What a run did."""

    run: int = 0
    books: dict[str, Books] = field(default_factory=dict)
    outcome: str = "done"  # done, partial (some failed or held), later, failed
    dry_run: bool = False
    waiting: list[str] = field(default_factory=list)  # connections not yet read whole: only opt-outs are sent
    quiet: list[str] = field(default_factory=list)  # connections in their quiet hours: the same
    tripped: list[tuple[str, str, int]] = field(default_factory=list)  # (connection, kind, count)
    told: dict[str, list[float]] = field(default_factory=dict)  # by connection: seconds from a "no" to its being told

    @property
    def sent(self) -> int:
        return sum(each.sent for each in self.books.values())

    @property
    def balanced(self) -> bool:
        return all(each.balanced for each in self.books.values())
