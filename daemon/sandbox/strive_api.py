"""Strive over HTTP: a PostgREST server with the routes the connectors need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson

from daemon.sandbox import strive_writes
from daemon.sandbox.harm import SaysNo
from daemon.sandbox.postgrest import (
    Columns,
    PostgrestError,
    Query,
    bound,
    compile_filter,
    parse,
    points,
    timestamp,
    unsupported,
)
from daemon.sandbox.strive import CAMPAIGN, StriveModel
from daemon.sandbox.strive_tables import COLUMNS, INT, TIME
from daemon.sandbox.table import Row, Table
from daemon.sandbox.wire import BadBodyError, Request, Response, answer

_REFUSALS = {
    401: ("PGRST301", "JWSError JWSInvalidSignature"),
    402: ("SANDBOX", "Payment Required"),
    403: ("42501", "permission denied for table members"),
    429: ("SANDBOX", "Too Many Requests"),
    500: ("40001", "could not serialize access due to concurrent update"),
    503: ("PGRST000", "Database connection error"),
}
_RANGE = re.compile(r"^(\d+)-(\d*)$")
_COUNTS = re.compile(r"count=(exact|planned|estimated)")  # our planner's guess is always right
_ARRAY = {"", "*/*", "application/json"}
_OBJECT = {"application/vnd.pgrst.object+json", "application/vnd.pgrst.object"}


class StriveApi:
    """Answers requests. `path` is what follows the host on the real platform."""

    def __init__(self, model: StriveModel, other: SaysNo, key: str) -> None:
        self.model = model
        self.other = other
        self.key = key

    def respond(self, request: Request) -> Response:
        if request.method == "HEAD":  # as GET, without the body
            return replace(self.respond(replace(request, method="GET")), body=b"")
        with self.model.lock:
            self.model.commits.begin_request()
            try:
                self._authorize(request)
                return self._route(request)
            except PostgrestError as problem:
                return answer(problem.status, problem.body)
            except BadBodyError as problem:
                return answer(400, PostgrestError(400, "PGRST102", "Empty or invalid json", str(problem)).body)

    def refusal(self, status: int) -> Response:
        code, message = _REFUSALS[status]
        return answer(status, PostgrestError(status, code, message).body)

    def _authorize(self, request: Request) -> None:
        given = request.headers.get("authorization")
        if given is None:
            raise PostgrestError(401, "PGRST302", "Anonymous access is disabled")
        if given != f"Bearer {self.key}":
            raise PostgrestError(401, "PGRST301", "JWSError JWSInvalidSignature")

    def _route(self, request: Request) -> Response:
        name = request.path.strip("/")
        single = _single(request)
        match (request.method, name):
            case ("GET", ""):
                return self._root()
            case ("GET" | "POST", "rpc/ping"):
                return answer(200, "pong")
            case ("GET", _):
                return self._read(request, *self._table(name), single=single)
            case _ if single:
                raise unsupported("a single object as the answer to a write")
            case ("POST", "members"):
                return self._post_members(request)
            case ("PATCH", "members"):
                return self._patch_members(request)
            case ("POST", "groups"):
                return self._post_group(request)
        self._table(name)
        raise PostgrestError(403, "42501", f"permission denied for table {name}")

    # Reading ------------------------------------------------------------------------------------------------

    def _public(self) -> dict[str, str]:
        """Public name of a table -> ours."""
        names = {name: name for name in COLUMNS if name != "changes"}
        return names | ({self.model.change_log: "changes"} if self.model.change_log else {})

    def _table(self, name: str) -> tuple[Table, Columns, str]:
        ours = self._public().get(name)
        if ours is None:
            text = f"Could not find the table 'public.{name}' in the schema cache"
            raise PostgrestError(404, "PGRST205", text)
        return self.model.tables[ours], COLUMNS[ours], name

    def _root(self) -> Response:
        tables = {name: COLUMNS[ours] for name, ours in self._public().items()}
        verbs = {"members": ("get", "post", "patch"), "groups": ("get", "post")}
        paths: dict[str, Any] = {
            f"/{name}": {verb: {"tags": [name]} for verb in verbs.get(name, ("get",))} for name in tables
        }
        paths |= {"/": {"get": {}}, "/rpc/ping": {"get": {}, "post": {}}}
        body = {"swagger": "2.0", "info": {"title": "standard public schema", "version": "12.2.0"}}
        definitions = {name: _definition(columns) for name, columns in tables.items()}
        raw = orjson.dumps({**body, "paths": paths, "definitions": definitions})
        return Response(200, raw, content_type="application/openapi+json; charset=utf-8")

    def _read(self, request: Request, table: Table, columns: Columns, name: str, *, single: bool) -> Response:
        query = parse(request.params, name, columns)
        _use_range(query, request.headers.get("range"))
        limit = self._limit(query)
        counted = _counted(request)
        matching = _matching(table, columns, query)
        rows = list(islice(matching, query.offset, None if counted or limit is None else query.offset + limit))
        total = query.offset + len(rows) if counted and rows else None
        if counted:
            total = total if total is not None else sum(1 for _ in _matching(table, columns, query))
            _check_offset(query.offset, total)
            rows = rows[:limit]
        status = 206 if total is not None and len(rows) < total else 200
        bounds = _content_range(query.offset, len(rows), total)
        if single and len(rows) != 1:
            text = "Cannot coerce the result to a single JSON object"
            raise PostgrestError(406, "PGRST116", text, f"The result contains {len(rows)} rows")
        body = _encode(table, _seen(rows), columns, query)
        return Response(status, body[1:-1] if single else body, (bounds,))

    def _limit(self, query: Query) -> int | None:
        limits = [limit for limit in (query.limit, self.model.max_rows) if limit is not None]
        return min(limits) if limits else None

    # Writing ------------------------------------------------------------------------------------------------

    def _post_members(self, request: Request) -> Response:
        table, columns, name = self._table("members")
        query = parse(request.params, name, columns)
        ids = strive_writes.post_members(self.model, self.other, request.json)
        bounds = _content_range(0, 0, len(ids) if _counted(request) else None)
        if "return=representation" not in request.headers.get("prefer", ""):
            return Response(201, headers=(bounds,))
        self.model.commits.settle_all()
        made = _seen(table.rows[key] for key in dict.fromkeys(ids))
        return Response(201, _encode(table, made, columns, query), (bounds,))

    def _patch_members(self, request: Request) -> Response:
        table, columns, name = self._table("members")
        query = parse(request.params, name, columns)
        prefer = request.headers.get("prefer", "")
        matched = list(_matching(table, columns, query))
        self._check_affected(prefer, len(matched))
        strive_writes.patch_members(self.model, query, matched, request.json)
        rows = [row for old in matched if (row := table.get(old.key)) is not None and row is not old]
        bounds = _content_range(0, len(rows), len(rows) if _counted(request) else None)
        if "return=representation" not in prefer:
            return Response(204, headers=(bounds,))
        return Response(200, _encode(table, _seen(rows), columns, query), (bounds,))

    def _check_affected(self, prefer: str, rows: int) -> None:
        asked = re.search(r"max-affected=(\d+)", prefer)
        if asked is None or "handling=strict" not in prefer or self.model.max_affected == "ignored":
            return
        if self.model.max_affected == "refused":
            text = "Invalid preferences given with handling=strict"
            raise PostgrestError(400, "PGRST122", text, f"Invalid preferences: {asked[0]}")
        if rows > int(asked[1]):
            text = "Query result exceeds max-affected preference constraint"
            raise PostgrestError(400, "PGRST124", text, f"The query affects {rows} rows")

    def _post_group(self, request: Request) -> Response:
        body = request.json
        if not isinstance(body, dict) or not isinstance(body.get("name"), str) or not body["name"]:
            text = 'null value in column "name" of relation "groups" violates not-null constraint'
            raise PostgrestError(400, "23502", text)
        if body.get("campaign_id") != CAMPAIGN:
            raise PostgrestError(403, "42501", 'new row violates row-level security policy for table "groups"')
        if self.model.tables["groups"].find("name", body["name"]):
            raise PostgrestError(409, "23505", "duplicate key value violates unique constraint")
        group = self.model.make_group(body["name"])
        if "return=representation" not in request.headers.get("prefer", ""):
            return Response(201)
        table, columns, _ = self._table("groups")
        return Response(201, _encode(table, [table.rows[group["id"]]], columns, Query()))


def _single(request: Request) -> bool:
    """Whether the client wants one object instead of an array. Raises PostgrestError for what we cannot make."""
    accepted = [part.partition(";")[0].strip() for part in request.headers.get("accept", "").split(",")]
    if _OBJECT.isdisjoint(accepted) and _ARRAY.isdisjoint(accepted):
        raise unsupported(f"answers as {request.headers['accept']}")
    return not _OBJECT.isdisjoint(accepted)


def _counted(request: Request) -> bool:
    return _COUNTS.search(request.headers.get("prefer", "")) is not None


def _matching(table: Table, columns: Columns, query: Query) -> Iterator[Row]:
    """The rows a query asks for, in its order, as lazily as the indexes allow."""
    tests = [compile_filter(node) for node in query.filters]
    rows, ordered = _candidates(table, columns, query)
    found = (row for row in rows if all(test(row.data) for test in tests))
    return found if ordered or not query.order else iter(_sorted(found, query))


def _candidates(table: Table, columns: Columns, query: Query) -> tuple[Iterator[Row], bool]:
    """Rows that may match, and whether they come in the order asked for."""
    for name in columns:
        values = points(query.filters, name) if table.has_index(name) else None
        if values is not None:
            return (row for value in dict.fromkeys(values) for row in table.find(name, value)), False
    directions = {descending for _, descending, _ in query.order}
    order = table.order_for(tuple(name for name, _, _ in query.order)) if len(directions) == 1 else None
    if order is None or columns[order[0]] not in (INT, TIME):
        return iter(table), False
    low, high = (bound(query.filters, order[0], low=low) for low in (True, False))
    return table.walk(order, low, high, backwards=directions == {True}), True


def _sorted(rows: Iterator[Row], query: Query) -> list[Row]:
    result = list(rows)
    for name, descending, nulls_first in reversed(query.order):
        filled = [row for row in result if row.data[name] is not None]
        blank = [row for row in result if row.data[name] is None]
        filled.sort(key=lambda row: row.data[name], reverse=descending)
        result = blank + filled if nulls_first else filled + blank
    return result


def _seen(rows: Iterable[Row]) -> list[Row]:
    """Rows the client is about to read."""
    shown = list(rows)
    for row in shown:
        row.seen = True
    return shown


def _encode(table: Table, rows: list[Row], columns: Columns, query: Query) -> bytes:
    if query.select is None:
        return b"[" + b",".join([row.encode(table.encoder) for row in rows]) + b"]"
    return orjson.dumps([_project(row, columns, query.select) for row in rows])


def _project(row: Row, columns: Columns, select: list[tuple[str, str]]) -> dict[str, Any]:
    shown = {}
    for alias, name in select:
        value = row.data[name]
        shown[alias] = timestamp(value) if columns[name] == TIME and value is not None else value
    return shown


def _use_range(query: Query, header: str | None) -> None:
    match = _RANGE.match(header or "")
    if match and query.limit is None:
        query.offset = int(match[1])
        query.limit = int(match[2]) - query.offset + 1 if match[2] else None


def _check_offset(offset: int, total: int) -> None:
    if offset > total:
        text = f"An offset of {offset} was requested, but there are only {total} rows."
        raise PostgrestError(416, "PGRST103", "Requested range not satisfiable", text)


def _content_range(offset: int, rows: int, total: int | None) -> tuple[str, str]:
    span = f"{offset}-{offset + rows - 1}" if rows else "*"
    return "Content-Range", f"{span}/{'*' if total is None else total}"


def _definition(columns: Columns) -> dict[str, Any]:
    kinds = {"integer": "integer", "boolean": "boolean", "json": None, "jsonb": None}
    properties = {
        name: {"format": kind, **({"type": type_} if (type_ := kinds.get(kind, "string")) else {})}
        for name, kind in columns.items()
    }
    return {"type": "object", "properties": properties}
