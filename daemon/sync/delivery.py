"""One connection's delivery in one run: what it goes by, and whom a batch is about."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from daemon.platforms.base import Connector
from daemon.platforms.gate import Freshness
from daemon.sync.people import People
from daemon.sync.planned import Selection
from daemon.sync.reading import Pass
from daemon.sync.render import Passes
from daemon.sync.roster import Roster, Side
from state.model import Owed
from state.store import Tx

BATCH = 200
SHORT_BATCH = 40
"""In a long run: what is more urgent waits for no more than these. Also where a platform takes many a call: new people
are looked up one by one there, too, and 200 of them took two minutes."""


class Stop(Protocol):
    """Says when to end, like an event."""

    def is_set(self) -> bool: ...


@dataclass(slots=True)
class Delivery:
    """One connection's delivery in one run."""

    roster: Roster
    reading: Pass
    connector: Connector
    stop: Stop
    read_at: float | None = None  # when a complete reading of the connection began in this run, if there was one
    these: Selection | None = None  # only these, past the fuse; None: whatever is owed and has passed it
    only_no: bool = False  # opt-outs alone: not every connection has been read whole, or it is night there
    served: bool = False  # a turn of a long run: a "no" does not wait for the end of a backlog
    as_fresh: Callable[[Freshness], AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
    tried: set[int] = field(default_factory=set)  # rows of the outbox that were, whatever became of them
    said_no: set[int] = field(default_factory=set)  # ... of them those that are a "no"
    refreshed: set[str] = field(default_factory=set)
    again: bool = False

    @property
    def side(self) -> Side:
        return self.reading.side

    @property
    def states(self) -> tuple[str, ...]:
        """Of the rows of the outbox that may be sent."""
        return ("open",) if self.these is None else ("open", "held")

    @property
    def size(self) -> int:
        """How many pushes make a batch."""
        return SHORT_BATCH if self.served else BATCH

    @property
    def passes(self) -> Passes:
        return (lambda *_: True) if self.these is None else self.these.passes


def people_of(tx: Tx, delivery: Delivery, rows: Sequence[Owed]) -> People:
    """Everybody these pushes are about, and whoever shares a phone or an email with them."""
    people = People(tx, delivery.roster, now=delivery.roster.clock(), run=delivery.reading.run)
    people.load_records(delivery.side.name, {row.external_id for row in rows if row.external_id})
    people.load_contacts({row.contact_id for row in rows if row.contact_id is not None})
    keys = {i for c in list(people.contacts) for i in people.identifiers_of(c)}
    people.load_owners(keys)
    return people
