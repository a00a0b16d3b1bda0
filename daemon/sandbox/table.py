"""Rows in memory, with the indexes that keep a hundred thousand of them quick to page through.

ROW      one row: its data, its JSON (encoded once), and whether an API client has read it as it is now.
INDEX    value -> keys of the rows that have it (there may be several values a row, or none).
ORDER    a sorted list of (columns..., key), kept up to date with every write, for keyset paging.

Rows lie in the order they were last written, like in a PostgreSQL heap: reading pages by offset without
an order skips and repeats rows when somebody writes in between. That is a trap of the real platform.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Data = dict[str, Any]
Key = Any
Indexer = Callable[[Data], Iterable[Hashable]]
Encoder = Callable[[Data], bytes]


class Row:
    """One row. Its data is never changed in place: a write puts a new row."""

    __slots__ = ("_encoded", "data", "key", "seen")

    def __init__(self, key: Key, data: Data, *, seen: bool = False) -> None:
        self.key = key
        self.data = data
        self.seen = seen
        self._encoded: bytes | None = None

    def encode(self, encoder: Encoder) -> bytes:
        if self._encoded is None:
            # Copied, because orjson's result keeps the whole buffer it was written into: 8 KB for 600 bytes.
            self._encoded = bytes(memoryview(encoder(self.data)))
        return self._encoded


def column(name: str) -> Indexer:
    """An index on one column; blank values are left out."""
    return lambda data: () if data[name] is None else (data[name],)


class Table:
    """Rows by key, with indexes and orders. Not thread-safe: its model holds the lock."""

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        *,
        indexes: Mapping[str, Indexer] | None = None,
        orders: Sequence[tuple[str, ...]] = (),
    ) -> None:
        self.name = name
        self.encoder = encoder
        self.rows: dict[Key, Row] = {}
        self._indexers = dict(indexes or {})
        self._indexes: dict[str, dict[Hashable, set[Key] | tuple[Key, ...]]] = {index: {} for index in self._indexers}
        self._orders: dict[tuple[str, ...], list[tuple[Any, ...]]] = {order: [] for order in orders}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def get(self, key: Key) -> Row | None:
        return self.rows.get(key)

    def put(self, key: Key, data: Data, *, seen: bool = False) -> None:
        """Insert or replace a row; it moves to the end of the heap."""
        self.drop(key)
        self.rows[key] = Row(key, data, seen=seen)
        for name, indexer in self._indexers.items():
            self._enter(name, indexer(data), key)
        for order, entries in self._orders.items():
            entry = (*(data[name] for name in order), key)
            if not entries or entry > entries[-1]:
                entries.append(entry)
            else:
                insort(entries, entry)

    def drop(self, key: Key) -> None:
        """Take a row out, if it is there."""
        row = self.rows.pop(key, None)
        if row is None:
            return
        for name, indexer in self._indexers.items():
            self._leave(name, indexer(row.data), key)
        for order, entries in self._orders.items():
            del entries[bisect_left(entries, (*(row.data[name] for name in order), key))]

    def find(self, index: str, value: Hashable) -> list[Row]:
        """The rows with this value, by key."""
        return [self.rows[key] for key in sorted(self._indexes[index].get(value, ()))]

    def count(self, index: str, value: Hashable) -> int:
        return len(self._indexes[index].get(value, ()))

    def has_index(self, name: str) -> bool:
        return name in self._indexers

    def add_index(self, name: str, indexer: Indexer) -> None:
        """Index what is there and what will come."""
        self._indexers[name] = indexer
        self._indexes[name] = {}
        for row in self:
            self._enter(name, indexer(row.data), row.key)

    def order_for(self, columns: tuple[str, ...]) -> tuple[str, ...] | None:
        """An order that begins with these columns, if there is one."""
        return next((order for order in self._orders if order[: len(columns)] == columns), None)

    def walk(
        self, order: tuple[str, ...], low: Any = None, high: Any = None, *, backwards: bool = False
    ) -> Iterator[Row]:
        """Rows in order, the first column between `low` and `high` (inclusive; both whole numbers)."""
        entries = self._orders[order]
        start = 0 if low is None else bisect_left(entries, (low,))
        stop = len(entries) if high is None else bisect_left(entries, (high + 1,))
        places = range(stop - 1, start - 1, -1) if backwards else range(start, stop)
        for place in places:
            yield self.rows[entries[place][-1]]

    def _enter(self, name: str, values: Iterable[Hashable], key: Key) -> None:
        index = self._indexes[name]
        for value in values:
            # Nearly all have one key, and a tuple of one is a quarter of a set. Groups have many: those are sets.
            keys = index.get(value)
            if keys is None:
                index[value] = (key,)
            elif isinstance(keys, tuple):
                index[value] = {*keys, key}
            else:
                keys.add(key)

    def _leave(self, name: str, values: Iterable[Hashable], key: Key) -> None:
        index = self._indexes[name]
        for value in values:
            keys = index.get(value)
            if isinstance(keys, set):
                keys.discard(key)
            if not keys or keys == (key,):
                index.pop(value, None)
