"""Action Network's collections: OData-like filters and pages by number.

A filter is `field op 'value'` with eq, gt or lt; ` and ` joins several (undocumented, works in practice). The rows
come in no order to rely on: here as they lie in the heap, so that whoever is written moves to the end.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import orjson

from daemon.sandbox.action_network_record import (
    BASE,
    CURIES,
    BadPayloadError,
    CountedTable,
    folded_email,
    href,
    seconds_of,
    stored_phone,
)
from daemon.sandbox.table import Data, Row

PAGE = 25
Test = Callable[[Data], bool]
Condition = tuple[str, str, str]

_VALUES = {True: "(?:[^']|'')*", False: ".*?"}  # whether a quote in a value is doubled, or stands as it is
_CONDITIONS = {
    doubled: re.compile(rf"\s*(\w+)\s+(eq|gt|lt)\s+'({value})'\s*(and\b|$)", re.IGNORECASE)
    for doubled, value in _VALUES.items()
}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {"eq": operator.eq, "gt": operator.gt, "lt": operator.lt}
_DATES = {"created_date": "_created", "modified_date": "_modified"}
_EVERYWHERE = ("identifier", *_DATES)
_PEOPLE = (*_EVERYWHERE, "family_name", "given_name", "email_address", "phone_number", "region", "postal_code")
FILTERS = {"people": _PEOPLE, "outreaches": _EVERYWHERE, "advocacy_campaigns": _EVERYWHERE}
"""What can be filtered by what; tags and taggings by nothing."""


def conditions(text: str, fields: tuple[str, ...], *, doubled: bool = True) -> list[Condition]:
    """The filter taken apart. Raises BadPayloadError for what the platform does not know."""
    found: list[Condition] = []
    place = 0
    while place < len(text) or not found:
        match = _CONDITIONS[doubled].match(text, place)
        if match is None or match[1] not in fields:
            raise BadPayloadError(f"invalid filter: {text}")
        value = match[3].replace("''", "'") if doubled else match[3]
        found.append((match[1], match[2].lower(), value))
        place = match.end()
    return found


def _text(name: str) -> Callable[[Data], str]:
    if name in ("region", "postal_code"):
        return lambda data: str(data["address"].get(name) or "")
    column = {"email_address": "email", "phone_number": "phone"}.get(name, name)
    return lambda data: str(data[column] or "")


def _test(condition: Condition, fold: Callable[[str], str]) -> Test:
    name, op, value = condition
    compare = _OPERATORS[op]
    if name in _DATES:
        column, seconds = _DATES[name], seconds_of(value)
        return lambda data: compare(data[column], seconds)
    if name == "identifier":
        return lambda data: any(compare(one, value) for one in data["identifiers"])
    get, wanted = _text(name), stored_phone(value) or value if name == "phone_number" else value
    return lambda data: compare(fold(get(data)), fold(wanted))


class Selection:
    """Rows that fit, kept until the table changes: a scan of many pages filters once.

    Of filters, nothing is documented of these:
    `doubled`: whether a quote in a value is doubled (as a client does it);
    `exact`: whether capitals count.
    """

    doubled = True
    exact = False

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], tuple[CountedTable, int, list[Row]]] = {}

    def rows(self, table: CountedTable, filter_: str, index: str = "", value: str = "") -> list[Row]:
        """The rows of a table, or those under an index, that fit the filter. Raises BadPayloadError."""
        key = (table.name, f"{index}={value}", filter_)
        kept = self._kept.get(key)
        if kept is not None and kept[0] is table and kept[1] == table.writes:
            return kept[2]
        scope = self._scope(table, index, value) if index else None
        whole = list(table) if scope is None and not filter_ else scope
        rows = self._filtered(table, scope, filter_) if filter_ else whole or []
        if len(self._kept) > 8:
            self._kept.clear()
        self._kept[key] = (table, table.writes, rows)
        return rows

    def _scope(self, table: CountedTable, index: str, value: str) -> list[Row]:
        return sorted(table.find(index, value), key=lambda row: int(row.data["_serial"]))

    def _filtered(self, table: CountedTable, scope: list[Row] | None, text: str) -> list[Row]:
        asked = conditions(text, FILTERS[table.name], doubled=self.doubled)
        tests = [_test(condition, str if self.exact else str.casefold) for condition in asked]
        candidates = _candidates(table, asked) if scope is None else scope
        fitting = [row for row in candidates if all(test(row.data) for test in tests)]
        return sorted(fitting, key=lambda row: int(row.data["_place"]))


def _candidates(table: CountedTable, asked: list[Condition]) -> Iterator[Row]:
    """Rows among which are all that fit: few, where an index helps."""
    for name, op, value in asked:
        if op == "eq" and name == "identifier" and table.has_index("identifier"):
            return iter(table.find("identifier", value))
        if op == "eq" and name == "email_address":
            return iter(table.find("email", folded_email(value)))
        if op == "eq" and name == "phone_number":
            return iter(table.find("phone", stored_phone(value) or value))
    recent = [seconds_of(value) for name, op, value in asked if name == "modified_date" and op == "gt"]
    if recent and table.order_for(("_modified",)):
        return table.walk(("_modified",), max(recent) + 1)
    return iter(table)


class Page:
    """The page a request asks for: `page` from 1 and `per_page`, at most 25. What is no number is the default."""

    def __init__(self, params: dict[str, str]) -> None:
        self.number = _whole(params.get("page"), 1)
        self.size = min(_whole(params.get("per_page"), PAGE), PAGE)
        self.kept: dict[str, str] = {name: params[name] for name in ("per_page", "filter") if name in params}

    def cut(self, rows: list[Row]) -> list[Row]:
        start = (self.number - 1) * self.size
        return rows[start : start + self.size]

    def answer(self, table: CountedTable, rows: list[Row], path: str, total: int | None) -> bytes:
        """The collection. Every page but an empty one has a next link, also the last (as clients found)."""
        noun = f"osdi:{table.name}"
        head: Data = {"per_page": self.size, "page": self.number}
        if total is not None:
            head |= {"total_pages": -(-total // self.size), "total_records": total}
        links: Data = {"self": href(path), "curies": CURIES}
        if rows:
            following = self.kept | {"page": str(self.number + 1)}
            links["next"] = href(f"{path}?{urlencode(following)}")
        encoded = [row.encode(table.encoder) for row in rows]
        raw = orjson.dumps(links).replace(b"\\u0000", BASE.encode())
        inner = b'{"' + noun.encode() + b'":[' + b",".join(encoded) + b"]}"
        return orjson.dumps(head)[:-1] + b',"_links":' + raw + b',"_embedded":' + inner + b"}"


def _whole(text: str | None, default: int) -> int:
    return max(int(text), 1) if text and text.isdecimal() else default
