"""How the twin stores: its rows, its change log, and what is written now but shows late."""

from __future__ import annotations

import bisect
import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.platforms.base import Wire

Tags = list[dict[str, str]]


class Row(dict[str, Any]):
    """A record as it stands: its wire, and which version of it that is since when."""

    def __init__(self, wire: Wire, version: int, at: float) -> None:
        super().__init__(wire)
        self.version, self.at = version, at


@dataclass(order=True)
class Entry:
    """One line of the change log."""

    seq: int
    id: str = field(compare=False)
    keys: tuple[str, ...] = field(compare=False)
    at: float = field(compare=False)
    how: str = field(compare=False)


class TwinRows:
    """The rows by id, and the log. Two threads of one run never write to one twin."""

    def __init__(self, clock: Callable[[], float] | None, tidy: Callable[[Wire], Wire] | None) -> None:
        ticks = itertools.count(1_700_000_000)
        self.clock: Callable[[], float] = clock or (lambda: float(next(ticks)))
        self.tidy = tidy
        self.rows: dict[str, Row] = {}
        self.log: list[Entry] = []
        self._pending: list[tuple[str, Callable[[], None]]] = []
        self._late = False
        self._ids, self._seqs = itertools.count(1), itertools.count(1)

    # Looking

    def wires(self) -> dict[str, Wire]:
        """All records as they are, copies, by id."""
        return {id_: copy.deepcopy(dict(row)) for id_, row in self.rows.items()}

    def find(self, **columns: Any) -> list[str]:
        """The ids of the records that have these values."""
        return [id_ for id_, row in self.rows.items() if all(row.get(key) == value for key, value in columns.items())]

    def one(self, **columns: Any) -> Row:
        """The one record that has these values."""
        (found,) = self.find(**columns)
        return self.rows[found]

    def tags(self, id_: str) -> set[str]:
        return {tag["name"] for tag in self.rows[id_]["tags"]}

    def twins(self, phone: str | None, email: str | None) -> list[str]:
        """The records that have this phone or this email."""
        return [id_ for id_, row in self.rows.items() if _same(row, phone, email)]

    # Late commits

    @contextlib.contextmanager
    def late(self) -> Iterator[None]:
        """What people write inside takes its place in the log now and shows at `commit`."""
        self._late = True
        try:
            yield
        finally:
            self._late = False

    def commit(self) -> None:
        """Everything written late shows from here on."""
        pending, self._pending = self._pending, []
        for _, apply in pending:
            apply()

    def _settle(self, id_: str) -> None:
        """A second writer waits for the first."""
        mine = [apply for pending, apply in self._pending if pending == id_]
        self._pending = [one for one in self._pending if one[0] != id_]
        for apply in mine:
            apply()

    # Writing

    def _insert(self, wire: Wire, how: str, *, late: bool = True) -> str:
        id_ = str(next(self._ids))
        wire = self.tidy(wire) if self.tidy else wire
        self._keep(id_, Row(wire, 1, self.clock()), tuple(wire), how, late=late)
        return id_

    def _write(self, id_: str, values: Wire, how: str, *, late: bool = True, said: tuple[str, ...] = ()) -> bool:
        """Returns whether anything changed. `said`: keys that go into the log even if they did not."""
        self._settle(id_)
        old = self.rows[id_]
        wire = {**old, **{key: _merged(old.get(key), value) for key, value in values.items()}}
        wire = self.tidy(wire) if self.tidy else wire
        keys = tuple(key for key in wire | old if key in said or wire.get(key) != old.get(key))
        if keys:
            self._keep(id_, Row(wire, old.version + 1, self.clock()), keys, how, late=late)
        return bool(keys)

    def _keep(self, id_: str, row: Row, keys: tuple[str, ...], how: str, *, late: bool) -> None:
        entry = Entry(next(self._seqs), id_, keys, row.at, how)

        def apply() -> None:
            self.rows[id_] = row
            bisect.insort(self.log, entry)

        if self._late and late:
            self._pending.append((id_, apply))
        else:
            apply()


def with_tags(tags: Tags, names: Sequence[str]) -> Tags:
    have = {tag["name"] for tag in tags}
    return [*tags, *({"name": name} for name in dict.fromkeys(names) if name not in have)]


def without_tags(tags: Tags, names: Sequence[str]) -> Tags:
    return [tag for tag in tags if tag["name"] not in names]


def _merged(old: Any, new: Any) -> Any:
    """Dicts key by key; a custom key set to None goes away, a consent one is kept."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {key: value for key, value in {**old, **new}.items() if value is not None or key in ("sms", "email")}


def _same(wire: Wire, phone: str | None, email: str | None) -> bool:
    same_phone = phone is not None and _digits(wire["phone"]) == _digits(phone) != ""
    same_email = email is not None and (wire["email"] or "").strip().casefold() == email.strip().casefold() != ""
    return same_phone or same_email


def _digits(phone: str | None) -> str:
    return "".join(sign for sign in phone or "" if sign.isdigit())
