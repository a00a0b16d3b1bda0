"""Strive's feeds: what moved since a position.

LOG FEED   an append-only table (`member_changes`, `member_change_log`, `member_group_delete_log`) read by id.
           It says which field changed, when, and how; the members it names are then read by id.
ROW FEED   the members themselves by `updated_at`, for accounts that show no log. No evidence per field.
POSITION   a JSON-able dict; part of the connector's cursor.

Both read an overlap again: PostgreSQL takes ids and `now()` when a transaction begins and shows the row when
it commits, so a row may turn up behind the newest we have seen. What was taken before is remembered in the
position (as runs of ids, so it stays small) and not asked for again: a quiet poll is one empty page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from daemon.errors import RetryLater
from daemon.platforms.base import Evidence
from daemon.platforms.postgrest import Row, Tables, seconds, stamp
from daemon.platforms.runs import Runs
from daemon.platforms.strive_member import COLUMNS

Position = dict[str, Any]
LOGS = ("member_changes", "member_change_log")
REMOVALS = "member_group_delete_log"
MOST_STAMPS = 1000
MOST_GAPS = 20  # more would make the address too long


@dataclass(frozen=True, slots=True)
class Moved:
    """One page of a feed. Members come as `rows` where the feed has them whole, otherwise as `ids`."""

    position: Position
    ids: tuple[int, ...] = ()
    rows: tuple[Any, ...] = ()
    evidence: dict[int, dict[str, Evidence]] = field(default_factory=dict)


class LogFeed:
    """Reads a log by id, and again what is not older than `overlap` seconds before the newest row seen."""

    def __init__(self, tables: Tables, table: str, overlap: float, at: str = "updated_at") -> None:
        self.table, self._tables, self._overlap, self._at = table, tables, overlap, at

    def newest(self) -> Position:
        """Where the log ends now. One call."""
        page = self._tables.select(self.table, {}, order="id.desc", limit=1)
        if not page:
            return {"table": self.table, "id": 0}
        return {"table": self.table, "id": _id(page[0]), "at": page[0].get(self._at), "seen": []}

    def read(self, start: Position) -> Iterator[Moved]:
        """Pages of rows not taken before. One call where nothing moved."""
        newest, at, seen = start.get("id") or 0, start.get("at"), Runs(start.get("seen", ()))
        last = 0
        while page := self._tables.select(self.table, self._filters(start, last), order="id.asc"):
            if _id(page[-1]) <= last:
                raise RetryLater(f"{self.table} does not come in the order asked for")
            fresh = [row for row in page if _id(row) not in seen]
            last = _id(page[-1])
            newest, at = max(newest, last), self._latest(at, page)
            seen.add((_id(row), seconds(row.get(self._at)) or 0.0) for row in fresh)
            seen.forget((seconds(at) or 0.0) - self._overlap)
            if fresh:
                position = {"table": self.table, "id": newest, "at": at, "seen": seen.as_json()}
                yield self._moved(fresh, position)
            if self._tables.surely_last(page):
                return

    def _latest(self, at: Any, page: list[Row]) -> Any:
        return max([at, *(row.get(self._at) for row in page)], key=lambda one: seconds(one) or 0.0)

    def _filters(self, start: Position, last: int) -> dict[str, str]:
        """Beyond the newest id, or young enough to have been committed late and not seen yet."""
        newest, at = start.get("id"), seconds(start.get("at"))
        young = None if at is None else f"{self._at}.gte.{stamp(at - self._overlap)}"
        beyond = {"id": f"gt.{last}"}
        if newest is None:  # the position was made on another table: only its time means anything here
            return beyond if young is None else {**beyond, "or": f"({young})"}
        if young is None or last >= newest:
            return {"id": f"gt.{max(last, newest)}"}
        gaps = list(Runs(start.get("seen", ())).gaps()) or [(0, newest)]
        gaps = gaps if len(gaps) <= MOST_GAPS else [(0, newest)]
        late = ",".join(f"and({young},id.gt.{after},id.lt.{before})" for after, before in gaps)
        return {**(beyond if last else {}), "or": f"(id.gt.{newest},{late})"}

    def _moved(self, fresh: list[Row], position: Position) -> Moved:
        evidence: dict[int, dict[str, Evidence]] = {}
        for row in fresh:
            if isinstance(member := row.get("member_id"), int):
                evidence.setdefault(member, {}).update(self._evidence(row))  # in order of ids: the latest stays
        return Moved(position, ids=tuple(evidence), evidence=evidence)

    def _evidence(self, row: Row) -> dict[str, Evidence]:
        at = seconds(row.get(self._at))
        if at is None:
            return {}
        if self.table == REMOVALS:
            return {"groups": Evidence(at, str(row.get("delete_source") or "removed"))}
        how = str(row.get("change_type") or "unknown")
        return {key: Evidence(at, how) for key in changed_keys(row)}


class RowFeed:
    """Reads members by (updated_at, id), and again those of the last `overlap` seconds before the newest."""

    table = "members"

    def __init__(self, tables: Tables, overlap: float) -> None:
        self._tables, self._overlap = tables, overlap

    def newest(self) -> Position:
        """Where the members end now. One call."""
        page = self._tables.select("members", {}, order="updated_at.desc.nullslast,id.desc", limit=1)
        return {"table": "members", "at": page[0].get("updated_at") if page else None, "seen": {}}

    def read(self, start: Position) -> Iterator[Moved]:
        """Pages of members not taken before in their present state."""
        newest, seen = start.get("at"), {at: Runs(runs) for at, runs in start.get("seen", {}).items()}
        filters = self._since(newest)
        while page := self._tables.select("members", filters, order="updated_at.asc,id.asc"):
            fresh = [row for row in page if row.get("id") not in seen.get(row.get("updated_at"), ())]
            for row in page:
                seen.setdefault(str(row.get("updated_at")), Runs()).add([(_id(row), 0.0)])
            newest = max(newest or "", str(page[-1].get("updated_at")), key=lambda at: seconds(at) or 0.0)
            if fresh:
                yield Moved(self._position(newest, seen), rows=tuple(fresh))
            if self._tables.surely_last(page):
                return
            filters = _after(filters, page[-1])

    def _since(self, newest: Any) -> dict[str, str]:
        at = seconds(newest)
        return {"updated_at": f"gte.{stamp(0.0 if at is None else at - self._overlap)}"}

    def _position(self, newest: str, seen: dict[str, Runs]) -> Position:
        edge = (seconds(newest) or 0.0) - self._overlap
        young = sorted((at for at in seen if (seconds(at) or 0.0) >= edge), key=lambda at: seconds(at) or 0.0)
        kept = {at: seen[at].as_json() for at in young[-MOST_STAMPS:]}
        return {"table": "members", "at": newest, "seen": kept}


def changed_keys(row: Row) -> list[str]:
    """The member fields a log row is about, from either shape of the log (Strive docs, 'Data Dictionary')."""
    if isinstance(row.get("key"), str):
        keys = [row["key"]]
    else:
        keys = [*as_object(row.get("previous_value")), *as_object(row.get("new_value"))]
    return list(dict.fromkeys(key if key in COLUMNS else "custom" for key in keys))


def new_values(row: Row) -> dict[str, Any]:
    """What a log row says its fields became."""
    if isinstance(row.get("key"), str):
        return {row["key"]: row.get("updated_value")}
    return as_object(row.get("new_value"))


def as_object(value: Any) -> dict[str, Any]:
    """A jsonb column; some rows hold their JSON as a string."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def _after(filters: dict[str, str], row: Row) -> dict[str, str]:
    """Keyset: beyond this row. The time goes back to the server exactly as it came."""
    at, id_ = row.get("updated_at"), _id(row)
    beyond = {"or": f"(updated_at.gt.{at},and(updated_at.eq.{at},id.gt.{id_}))"}
    if beyond == filters:
        raise RetryLater("members do not come in the order asked for")
    return beyond


def _id(row: Any) -> int:
    found = row.get("id") if isinstance(row, dict) else None
    if not isinstance(found, int):
        raise RetryLater("a row of the feed carries no id")
    return found
