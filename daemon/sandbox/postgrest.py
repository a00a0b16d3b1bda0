"""The dialect of PostgREST that the sandbox's Strive speaks: filters, logic trees, order, limit, select.

What the dialect knows and the sandbox does not (full text search, embedding, casts, JSON paths) is refused
with 501 and the code SANDBOX, never ignored: a test must not pass because a filter was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from daemon.sandbox.table import Data

Columns = Mapping[str, str]  # name -> PostgreSQL type
Test = Callable[[Data], bool]

RESERVED = {"select", "order", "limit", "offset", "columns", "on_conflict"}
_LOGIC = re.compile(r"^(not\.)?(and|or)\((.*)\)$", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PostgrestError(Exception):
    """An error as the platform words it: HTTP status, code (SQLSTATE or PGRSTxxx), message."""

    def __init__(
        self, status: int, code: str, message: str, details: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "details": details, "hint": hint, "message": message}


def unsupported(what: str) -> PostgrestError:
    return PostgrestError(501, "SANDBOX", f"the sandbox does not have: {what}")


@dataclass(frozen=True)
class Condition:
    """`column.op.value`, perhaps negated. Values have the column's type already."""

    column: str
    op: str
    values: tuple[Any, ...]
    negated: bool = False


@dataclass(frozen=True)
class Logic:
    """`and(…)` or `or(…)`. A negation was pushed down to the conditions."""

    kind: str
    children: tuple[Filter, ...]


Filter = Condition | Logic


@dataclass
class Query:
    """One read or the WHERE of a PATCH."""

    filters: list[Filter] = field(default_factory=list)
    order: list[tuple[str, bool, bool]] = field(default_factory=list)  # column, descending, nulls first
    limit: int | None = None
    offset: int = 0
    select: list[tuple[str, str]] | None = None  # (name in the answer, column)


def parse(params: Sequence[tuple[str, str]], table: str, columns: Columns) -> Query:
    """Raises PostgrestError."""
    query = Query()
    for name, value in params:
        if name in RESERVED:
            _reserved(query, name, value, table, columns)
        elif name.removeprefix("not.") in ("or", "and"):
            query.filters.append(_logic(f"{name}{value}", table, columns, negated=False))
        else:
            query.filters.append(_condition(name, value, table, columns, quoted=False, negated=False))
    return query


def _reserved(query: Query, name: str, value: str, table: str, columns: Columns) -> None:
    if name == "select":
        query.select = _select(value, table, columns)
    elif name == "order":
        query.order = [_order(term, table, columns) for term in value.split(",")]
    elif name == "limit":
        query.limit = _count(value)
    elif name == "offset":
        query.offset = _count(value)
    else:
        raise unsupported(f"the parameter {name}")


def _count(value: str) -> int:
    if not value.isdigit():
        raise PostgrestError(400, "PGRST100", f'"failed to parse limit or offset ({value})" (line 1, column 1)')
    return int(value)


def _known(name: str, table: str, columns: Columns) -> str:
    if name not in columns:
        if "->" in name or "(" in name or "::" in name:
            raise unsupported(f"JSON paths, embedding and casts ({name})")
        raise PostgrestError(400, "42703", f"column {table}.{name} does not exist")
    return name


def _select(value: str, table: str, columns: Columns) -> list[tuple[str, str]] | None:
    if value in ("", "*"):
        return None
    chosen = []
    for term in value.split(","):
        alias, _, name = term.strip().rpartition(":") if "::" not in term else ("", "", term)
        chosen.append((alias or name, _known(name, table, columns)))
    return chosen


def _order(term: str, table: str, columns: Columns) -> tuple[str, bool, bool]:
    name, *modifiers = term.split(".")
    if not set(modifiers) <= {"asc", "desc", "nullsfirst", "nullslast"}:
        raise PostgrestError(400, "PGRST100", f'"failed to parse order ({term})" (line 1, column 1)')
    descending = "desc" in modifiers
    nulls_first = "nullsfirst" in modifiers or (descending and "nullslast" not in modifiers)
    return _known(name, table, columns), descending, nulls_first


def _logic(text: str, table: str, columns: Columns, *, negated: bool) -> Filter:
    """One element of a logic tree: a nested tree or a condition."""
    match = _LOGIC.match(text)
    if match is None:
        name, _, rest = text.partition(".")
        return _condition(name, rest, table, columns, quoted=True, negated=negated)
    negated ^= match[1] is not None
    kind = {"and": "or", "or": "and"}[match[2]] if negated else match[2]
    parts = [part.strip() for part in split(match[3])]
    return Logic(kind, tuple(_logic(part, table, columns, negated=negated) for part in parts))


def _condition(name: str, text: str, table: str, columns: Columns, *, quoted: bool, negated: bool) -> Condition:
    _known(name, table, columns)
    if text.startswith("not."):
        text, negated = text[4:], not negated
    op, dot, value = text.partition(".")
    if not dot or op not in _OPERATORS:
        word, bracket, _ = op.partition("(")
        if word in _REFUSED or (bracket and word in _OPERATORS):
            raise unsupported(f"the operator {op}")
        raise PostgrestError(400, "PGRST100", f'"failed to parse filter ({text})" (line 1, column 1)')
    return Condition(name, op, _values(op, value, columns[name], quoted=quoted), negated)


def _values(op: str, value: str, kind: str, *, quoted: bool) -> tuple[Any, ...]:
    if op == "in":
        if not (value.startswith("(") and value.endswith(")")):
            raise PostgrestError(400, "PGRST100", f'"failed to parse filter (in.{value})" (line 1, column 4)')
        inside = value[1:-1]
        return tuple(literal(kind, unquote(part)) for part in split(inside)) if inside else ()
    if op == "is":
        if value not in _IS:
            raise PostgrestError(400, "PGRST100", f'"failed to parse filter (is.{value})" (line 1, column 4)')
        return (_IS[value],)
    text = unquote(value) if quoted else value
    return (pattern(op, text),) if op in ("like", "ilike") else (literal(kind, text),)


def split(text: str) -> list[str]:
    """Cut at the commas that are outside quotes and parentheses."""
    parts, depth, quoted, start = [], 0, False, 0
    place = 0
    while place < len(text):
        letter = text[place]
        if quoted and letter == "\\":
            place += 1
        elif letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += (letter == "(") - (letter == ")")
            if letter == "," and depth == 0:
                parts.append(text[start:place])
                start = place + 1
        place += 1
    return [*parts, text[start:]]


def unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def pattern(op: str, text: str) -> re.Pattern[str]:
    pieces = [".*" if c in "*%" else "." if c == "_" else re.escape(c) for c in text]
    return re.compile("".join(pieces), re.DOTALL | (re.IGNORECASE if op == "ilike" else 0))


def literal(kind: str, text: str) -> Any:
    """A value of a PostgreSQL type from its text. Raises PostgrestError as PostgreSQL would."""
    if kind in ("integer", "bigint"):
        if not re.fullmatch(r"\s*[+-]?\d+\s*", text):
            raise PostgrestError(400, "22P02", f'invalid input syntax for type {kind}: "{text}"')
        return int(text)
    if kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise PostgrestError(400, "22P02", f'invalid input syntax for type boolean: "{text}"')
        return _BOOLEANS[text.lower()]
    if kind == "timestamp with time zone":
        return moment(text)
    if kind in ("json", "jsonb"):
        raise unsupported(f"comparing {kind} columns")
    return text


def moment(text: str) -> int:
    """Microseconds since 1970. A `+` that became a space is a syntax error here, as it is there."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        message = f'invalid input syntax for type timestamp with time zone: "{text}"'
        raise PostgrestError(400, "22007", message) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    gap = parsed - _EPOCH
    return (gap.days * 86400 + gap.seconds) * 1_000_000 + gap.microseconds


@lru_cache(maxsize=4096)
def _whole(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def timestamp(micros: int) -> str:
    """As PostgREST writes it: microseconds with trailing zeros cut, and no dot when none are left."""
    second, rest = divmod(micros, 1_000_000)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{_whole(second)}{fraction}+00:00"


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, tuple[Any, ...]], bool | None]:
    return lambda value, given: None if value is None else test(value, given[0])


_OPERATORS: dict[str, Callable[[Any, tuple[Any, ...]], bool | None]] = {
    "eq": _compare(lambda a, b: bool(a == b)),
    "neq": _compare(lambda a, b: bool(a != b)),
    "gt": _compare(lambda a, b: bool(a > b)),
    "gte": _compare(lambda a, b: bool(a >= b)),
    "lt": _compare(lambda a, b: bool(a < b)),
    "lte": _compare(lambda a, b: bool(a <= b)),
    "like": _compare(lambda a, b: b.fullmatch(a) is not None),
    "ilike": _compare(lambda a, b: b.fullmatch(a) is not None),
    "in": lambda value, given: None if value is None else value in given,
    "is": lambda value, given: value is given[0],
    "isdistinct": lambda value, given: value != given[0],
}
_REFUSED = {"match", "imatch", "fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj"}
_IS: dict[str, Any] = {"null": None, "true": True, "false": False, "unknown": None}
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def compile_filter(node: Filter) -> Test:
    """A function that says whether a row matches. NULL compares to nothing, negated or not."""
    if isinstance(node, Logic):
        tests = [compile_filter(child) for child in node.children]
        combine = all if node.kind == "and" else any
        return lambda data: combine(test(data) for test in tests)
    name, values, compare = node.column, node.values, _OPERATORS[node.op]
    if node.negated:
        return lambda data: compare(data[name], values) is False
    return lambda data: compare(data[name], values) is True


def bound(nodes: Sequence[Filter], name: str, *, low: bool) -> Any:
    """The tightest limit that holds for a column in every row that matches; None if there is none."""
    found = [limit for node in nodes if (limit := _bound(node, name, low=low)) is not None]
    if not found:
        return None
    return max(found) if low else min(found)


def _bound(node: Filter, name: str, *, low: bool) -> Any:
    if isinstance(node, Condition):
        ops = ("eq", "gt", "gte") if low else ("eq", "lt", "lte")
        usable = node.column == name and node.op in ops and not node.negated
        return node.values[0] if usable else None
    if node.kind == "and":
        return bound(node.children, name, low=low)
    limits = [_bound(child, name, low=low) for child in node.children]
    if not limits or any(limit is None for limit in limits):
        return None
    return min(limits) if low else max(limits)


def points(nodes: Sequence[Filter], name: str) -> tuple[Any, ...] | None:
    """The values a column is tied to by `eq` or `in`; None if it is not."""
    for node in nodes:
        if isinstance(node, Condition) and node.column == name and not node.negated and node.op in ("eq", "in"):
            return node.values
    return None
