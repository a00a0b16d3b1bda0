"""Telerivet's queries: PHP-style parameters, filters with modifiers, pages by marker or offset.

A filter the platform does not know, such as `time_updated[min]`, is ignored without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

from daemon.sandbox.table import Data, Row
from daemon.sandbox.telerivet import TelerivetModel
from daemon.sandbox.telerivet_record import invalid

Test = Callable[[Data], bool]
Params = dict[str, Any]

_KEYS = re.compile(r"([^\[\]]+)")
_TEXT = frozenset({"eq", "ne", "prefix", "not_prefix", "gte", "gt", "lt", "lte", "exists", "null"})
_TIME = frozenset({"eq", "min", "max", "exists"})
_COUNT = frozenset({"eq", "ne", "min", "max"})
KNOWN: dict[str, frozenset[str]] = {
    "name": _TEXT - {"exists", "null"},
    "phone_number": _TEXT - {"null"},
    "time_created": frozenset({"eq", "min", "max"}),
    "last_message_time": _TIME,
    "last_incoming_message_time": _TIME,
    "last_outgoing_message_time": _TIME,
    "incoming_message_count": _COUNT,
    "outgoing_message_count": _COUNT,
    "send_blocked": frozenset({"eq"}),
}
_VARS = _TEXT | {"min", "max"}
_SORTS = ("default", "name", "phone_number", "last_message_time")
DYNAMIC = frozenset(KNOWN) | {"id", "time_updated", "conversation_status", "vars", "group", "not_group"}
_DYNAMIC_OPERATORS = frozenset({"eq", "ne", "prefix", "not_prefix", "gte", "lt", "exists", "not_exists"})


def php(pairs: Iterable[tuple[str, str]]) -> Params:
    """`a[b][c]=x` as nested dicts."""
    result: Params = {}
    for name, value in pairs:
        *path, last = _KEYS.findall(name) or [name]
        place = result
        for key in path:
            inner = place.setdefault(key, {})
            place = inner if isinstance(inner, dict) else place.update({key: {"eq": inner}}) or place[key]
        place[last] = value
    return result


def flag(value: Any) -> bool:
    return value in ("1", "true", True, 1)


def tests(params: Params) -> list[Test]:
    """One test for each filter the contact query documents; every other parameter is ignored."""
    found = [
        test
        for name, modifiers in KNOWN.items()
        if name in params
        for test in _tests(_getter(name), params[name], modifiers)
    ]
    variables = params.get("vars")
    for name, given in (variables if isinstance(variables, dict) else {}).items():
        found += _tests(_var_getter(name), given, _VARS)
    if "group_id" in params:
        found.append(lambda data: params["group_id"] in data["group_ids"])
    return found


def dynamic_tests(filters: Any) -> list[Test]:
    """The tests of a dynamic group. Raises TelerivetError for what a dynamic group cannot filter by."""
    if not isinstance(filters, dict):
        raise invalid("filters must be an object", "filters")
    found: list[Test] = []
    for name, given in filters.items():
        if name.startswith("vars."):  # Telerivet's Python client 1.9.6, "createGroup": or nested under `vars`
            found += _dynamic("vars", name.removeprefix("vars."), given)
            continue
        if name not in DYNAMIC:
            raise invalid(f"unknown filter {name}", "filters")
        inner = given.items() if name == "vars" and isinstance(given, dict) else [(name, given)]
        for key, value in inner:
            found += _dynamic(name, key, value)
    return found


def _dynamic(name: str, key: str, value: Any) -> list[Test]:
    if name in ("group", "not_group"):
        return [lambda data: (value in data["group_ids"]) == (name == "group")]
    if isinstance(value, dict) and not set(value) <= _DYNAMIC_OPERATORS:
        raise invalid(f"unknown operator in the filter {key}", "filters")
    return _tests(_var_getter(key) if name == "vars" else _getter(name), value, _DYNAMIC_OPERATORS)


def _getter(name: str) -> Callable[[Data], Any]:
    return lambda data: data[name]


def _var_getter(name: str) -> Callable[[Data], Any]:
    return lambda data: data["vars"].get(name)


def _tests(get: Callable[[Data], Any], given: Any, modifiers: frozenset[str]) -> list[Test]:
    chosen = given if isinstance(given, dict) else {"eq": given}
    return [_test(get, op, value) for op, value in chosen.items() if op in modifiers]


def _test(get: Callable[[Data], Any], op: str, wanted: Any) -> Test:
    if op in ("exists", "null", "not_exists"):
        expected = flag(wanted) == (op == "exists")
        return lambda data: (get(data) not in (None, "")) == expected
    compare = _OPERATORS[op]
    return lambda data: compare(get(data), wanted)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _both(value: Any, wanted: Any) -> tuple[Any, Any] | None:
    """The two sides made comparable: as booleans or numbers where the stored value is one, else as words."""
    if value is None:
        return None
    if isinstance(value, bool):
        return value, flag(wanted)
    if isinstance(value, (int, float)):
        number = _number(wanted)
        return None if number is None else (float(value), number)
    return str(value).casefold(), str(wanted).casefold()


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(value: Any, wanted: Any) -> bool:
        sides = _both(value, wanted)
        return sides is not None and test(*sides)

    return compare


def _numeric(test: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def compare(value: Any, wanted: Any) -> bool:
        number, limit = _number(value), _number(wanted)
        return number is not None and limit is not None and test(number, limit)

    return compare


_equal = _compare(lambda a, b: bool(a == b))
_starts = _compare(lambda a, b: str(a).startswith(str(b)))
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "ne": lambda value, wanted: not _equal(value, wanted),
    "prefix": _starts,
    "not_prefix": lambda value, wanted: not _starts(value, wanted),
    "gte": _compare(lambda a, b: bool(a >= b)),
    "gt": _compare(lambda a, b: bool(a > b)),
    "lt": _compare(lambda a, b: bool(a < b)),
    "lte": _compare(lambda a, b: bool(a <= b)),
    "min": _numeric(lambda a, b: a >= b),
    "max": _numeric(lambda a, b: a < b),
}


def contacts_page(model: TelerivetModel, params: Params, checks: list[Test]) -> bytes:
    """One page of contacts, or their count."""
    rows = _sorted_rows(model, params)
    found = (row for row in rows if all(test(row.data) for test in checks))
    if flag(params.get("count")):
        return orjson.dumps({"count": sum(1 for _ in found)})
    page = _cut(model, found, params)
    for row in page:
        row.seen = True
    encoder = model.contact_table.encoder
    return _result(model, [row.encode(encoder) for row in page], page, params)


def _sorted_rows(model: TelerivetModel, params: Params) -> Iterator[Row]:
    sort, down = _sort(params), params.get("sort_dir") == "desc"
    if sort == "default" and not down:
        return model.in_order(_after(model, params))
    key = _sort_key(sort)
    rows = sorted(model.in_order(), key=key, reverse=down)
    marker = params.get("marker")
    places = [place for place, row in enumerate(rows) if row.key == marker]
    return iter(rows[places[0] + 1 :] if places else rows)


def _sort_key(sort: str) -> Callable[[Row], Any]:
    if sort == "default":
        return lambda row: row.data["_serial"]
    return lambda row: (str(row.data[sort] or "").casefold(), row.data["_serial"])


def _sort(params: Params) -> str:
    sort = str(params.get("sort", "default"))
    if sort not in _SORTS:
        raise invalid(f"invalid sort {sort}", "sort")
    return sort


def _after(model: TelerivetModel, params: Params) -> int:
    """The place behind which the page begins. The row of the marker may be gone; its place is not."""
    marker = params.get("marker")
    if marker is None:
        return 0
    if marker not in model.places:
        raise invalid("invalid marker", "marker")
    return model.places[marker]


def page_size(model: TelerivetModel, params: Params) -> int:
    size = _whole(params, "page_size", 50)
    if size < 1:
        raise invalid("page_size must be at least 1", "page_size")
    return min(size, model.page_max)


def _whole(params: Params, name: str, default: int) -> int:
    try:
        return int(params.get(name, default))
    except (TypeError, ValueError):
        raise invalid(f"{name} must be a whole number", name) from None


def _cut(model: TelerivetModel, rows: Iterator[Row], params: Params) -> list[Row]:
    offset = _whole(params, "offset", 0)
    return list(islice(rows, offset, offset + page_size(model, params)))


def _result(model: TelerivetModel, encoded: list[bytes], page: list[Row], params: Params) -> bytes:
    truncated = len(page) == page_size(model, params)
    rest = {"truncated": truncated, "next_marker": page[-1].key if truncated else None}
    rest |= {"sort": params.get("sort", "default"), "sort_dir": params.get("sort_dir", "asc")}
    return b'{"data":[' + b",".join(encoded) + b"]," + orjson.dumps(rest)[1:]


def groups_page(model: TelerivetModel, params: Params) -> bytes:
    """One page of groups, or their count."""
    rows = model.group_table.walk(("_serial",), _after(model, params) + 1)
    name, dynamic = params.get("name"), params.get("dynamic")
    checks = _tests(_getter("name"), name, KNOWN["name"]) if name is not None else []
    checks += _tests(_getter("dynamic"), dynamic, frozenset({"eq"})) if dynamic is not None else []
    found = (row for row in rows if all(test(row.data) for test in checks))
    if flag(params.get("count")):
        return orjson.dumps({"count": sum(1 for _ in found)})
    page = _cut(model, found, params)
    return _result(model, [orjson.dumps(model.shown_group(row.data)) for row in page], page, params)
