"""What goes over the wire in the sandbox: a request, a response, and the query string all platforms read."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus

import orjson

JSON = "application/json; charset=utf-8"
REASONS = {status.value: status.phrase for status in HTTPStatus}


class BadBodyError(ValueError):
    """The body is not the JSON it should be."""


@dataclass(frozen=True)
class Request:
    """One request as it came in. `path` is without the platform's prefix; header names are lower-case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @cached_property
    def params(self) -> list[tuple[str, str]]:
        """The query as pairs. An unencoded `+` becomes a space, as on every server of this kind."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]

    @cached_property
    def json(self) -> Any:
        """The body. Raises BadBodyError."""
        raw = self.body
        try:
            if self.headers.get("content-encoding") == "gzip":
                raw = gzip.decompress(raw)
            return orjson.loads(raw)
        except (orjson.JSONDecodeError, OSError, EOFError) as problem:
            raise BadBodyError(str(problem)) from problem

    @property
    def written(self) -> Any:
        """What the request log keeps of the body: the JSON, the text if it is none, or None."""
        try:
            return self.json if self.body else None
        except BadBodyError:
            return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Response:
    """One answer. `headers` come on top of Content-Type and Content-Length."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON

    def head(self, length: int | None = None, *, close: bool = False) -> bytes:
        """The status line and headers. `length` lets a fault lie about the length of the body."""
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}"]
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Type: {self.content_type}")
            lines.append(f"Content-Length: {len(self.body) if length is None else length}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(status: int, value: Any, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A JSON answer."""
    return Response(status, orjson.dumps(value), headers)
