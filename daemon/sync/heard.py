"""What a record says, in our words: read once from the wire, then handed through the rooms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from daemon.platforms.base import Evidence, Record
from daemon.sync.resolve import Identifier, identifiers
from daemon.sync.roster import Side
from mappings.contact import View, is_placeholder
from state.model import storable, storable_or_none


@dataclass(slots=True)
class Heard:
    """One reading of one record. `window`: the span of time in which its edits must have happened."""

    external_id: str
    view: View
    problems: tuple[str, ...]  # "field: what is wrong", without the value
    version: str | None
    at: float | None
    digest: str
    window: tuple[float, float]
    evidence: Mapping[str, Evidence] = field(default_factory=dict)  # by canonical field
    granularity: float = 0.0
    receipt: bool = False  # the platform's answer to our own write
    invited: bool = False  # found by our own look-up: its scope is not asked
    _identifiers: set[Identifier] | None = None
    _undated: dict[bool, tuple[float, str]] = field(default_factory=dict)

    @property
    def identifiers(self) -> set[Identifier]:
        """What in this reading can say who it is about."""
        if self._identifiers is None:
            self._identifiers = identifiers(self.view)
        return self._identifiers

    def when(self, name: str, first: bool) -> tuple[float, str]:
        """When this field got its value, as far as the feed tells, and how.

        Clamped to the window: a clock that runs ahead must not win for ever. On first contact an unknown time is
        0: we do not know, so anything dated is newer. Later it is the time of reading: it moved since the last one.
        """
        evidence = self.evidence.get(name)
        if evidence is not None:
            return self._clamped(evidence.at, first), evidence.how
        if first not in self._undated:  # the same for every field the feed has no word about
            self._undated[first] = self._when_undated(first)
        return self._undated[first]

    def _when_undated(self, first: bool) -> tuple[float, str]:
        if self.at is not None:
            # An edit must not lose against one made earlier in the same second elsewhere, for being rounded down.
            return self._clamped(self.at if first else self.at + self.granularity, first), "record"
        return self._clamped(0.0 if first else self.window[1], first), "read"

    def happened(self, name: str) -> tuple[int, int]:
        """Between which two whole seconds this came about. The later one is what the feed tells of the field, else of
        the record, else the time of reading. It may be too late: the feed tells of a whole list of tags when any of
        them moved last. So whoever looks for what came of it must look as far back as the reading before."""
        earliest, latest = self.window
        evidence = self.evidence.get(name)
        at = evidence.at if evidence is not None else self.at if self.at is not None else latest
        at = min(at, latest)
        return int(max(0.0, min(earliest, at))), int(max(0.0, at))

    def _clamped(self, at: float, first: bool) -> float:
        earliest, latest = self.window
        return min(at, latest) if first else max(earliest, min(at, latest))


def hear(
    side: Side,
    records: Iterable[Record],
    window: tuple[float, float],
    *,
    receipt: bool = False,
    invited: bool = False,
) -> list[Heard]:
    """Read records through the connection's mapping."""
    mark = fingerprint(side)
    heard = []
    for record in records:
        reading = side.mapping.read(record.wire)
        _unsay(reading.view)
        problems = tuple(f"{problem.field}: {problem.text}" for problem in reading.problems)
        heard.append(
            Heard(
                external_id=storable(record.external_id),
                view=reading.view,
                problems=problems,
                version=storable_or_none(record.version),
                at=record.at,
                digest=mark + _digest(reading.view, problems),
                window=window,
                granularity=side.capabilities.granularity,
                evidence=_evidence(side, record),
                receipt=receipt,
                invited=invited,
            )
        )
    return heard


def _unsay(view: View) -> None:
    """A phone or email that was typed only because a form insisted says nothing: it is no news to anybody, replaces
    nobody's real one, and is replaced by it."""
    for kind in ("phone", "email"):
        value = view.get(kind)
        if isinstance(value, str) and is_placeholder(kind, value):
            del view[kind]


def _evidence(side: Side, record: Record) -> dict[str, Evidence]:
    return {name: evidence for key, evidence in record.evidence.items() for name in side.mapping.canonical(key)}


def _digest(view: View, problems: tuple[str, ...]) -> str:
    body = orjson.dumps([view, problems], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def fingerprint(side: Side) -> str:
    """Changes when the mapping does; the first characters of every digest, so that a changed mapping rereads."""
    body = orjson.dumps([dict(side.mapping.digest), side.reads], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(body, digest_size=4).hexdigest() + ":"
