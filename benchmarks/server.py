"""A server of canned pages: as much of Strive as reading needs, as fast as one core goes.

    python -m benchmarks.server --members 100000        prints its port, serves until it is ended

Pages of up to `CANNED` members are built once and then only sent; above that they are made as they are asked for
(2 ms a page, on the other core). Head and body leave in one write, and asyncio turns Nagle's algorithm off:
split in two, every page would wait 40 ms for the client's delayed ACK.

`GET /_bench/edit` makes one member in a hundred change, in their rows and in the change log.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from urllib.parse import parse_qs, urlsplit

from benchmarks.members import EVERY, change, row

CANNED = 100_000
_BEYOND = re.compile(r"(?:^|[(,])id\.gt\.(\d+)|^gt\.(\d+)")
_ROOT = b'{"swagger":"2.0","paths":{"/":{"get":{}},"/members":{"get":{}},"/member_changes":{"get":{}}}}'

Query = dict[str, list[str]]


class Pages:
    """What the server has: `count` members with ids from 1, and a change log that is empty before the edits."""

    def __init__(self, count: int) -> None:
        self.count, self.after = count, False
        self._kept: dict[tuple[int, int], bytes] = {}

    def edit(self) -> None:
        self.after = True
        self._kept.clear()

    def warm(self, limit: int) -> None:
        """Build every page of this size beforehand, so that no client waits for it."""
        for first in range(0, min(self.count, CANNED) + 1, limit):
            self.page(first, limit)

    def page(self, beyond: int, limit: int) -> bytes:
        """The members above this id."""
        key = (beyond, limit)
        if key in self._kept:
            return self._kept[key]
        made = self._rows(range(beyond + 1, min(beyond + limit, self.count) + 1))
        if self.count <= CANNED:
            self._kept[key] = made
        return made

    def _rows(self, ids: range | list[int]) -> bytes:
        return ("[" + ",".join([row(each, after=self.after) for each in ids]) + "]").encode()

    def members(self, query: Query) -> bytes:
        limit = int(query.get("limit", ["1000"])[0])
        asked = query.get("id", ["gt.0"])[0]
        if asked.startswith("in."):
            return self._rows([int(each) for each in asked[4:-1].split(",")])
        beyond = int(asked.removeprefix("gt.")) if asked.startswith("gt.") else 0
        return self.page(int(query["offset"][0]) if "offset" in query else beyond, limit)

    def changes(self, query: Query) -> bytes:
        """The log above the ids asked for. Nothing is ever committed late here, so `or=` says the same as `id=`."""
        length = self.count // EVERY if self.after else 0
        limit = int(query.get("limit", ["1000"])[0])
        if query.get("order") == ["id.desc"]:
            ids = range(length, max(length - limit, 0), -1)
        else:
            beyond = max(map(_beyond, [*query.get("id", []), *query.get("or", [])]), default=0)
            ids = range(beyond + 1, min(beyond + limit, length) + 1)
        return ("[" + ",".join([change(each, (each - 1) * EVERY + 7) for each in ids]) + "]").encode()


def _beyond(said: str) -> int:
    found = _BEYOND.search(said)
    return int(found[1] or found[2]) if found else 0


class Wire(asyncio.Protocol):
    """One connection. Only GET comes here, so a request ends with its head."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._got = pages, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            head, _, self._got = self._got.partition(b"\r\n\r\n")
            status, body = self._answer(head.split(b" ", 2)[1].decode())
            self._out.write(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                            % (status, len(body), body))  # fmt: skip

    def _answer(self, target: str) -> tuple[bytes, bytes]:
        asked = urlsplit(target)
        query = parse_qs(asked.query)
        match asked.path:
            case "/members":
                return b"200 OK", self._pages.members(query)
            case "/member_changes":
                return b"200 OK", self._pages.changes(query)
            case "/":
                return b"200 OK", _ROOT
            case "/_bench/edit":
                self._pages.edit()
                return b"200 OK", b"{}"
        return b"404 Not Found", b'{"code":"PGRST205","message":"no such table"}'


async def serve(pages: Pages) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Wire(pages), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("--members", type=int, required=True)
    parser.add_argument("--page", type=int, default=1000)
    given = parser.parse_args()
    pages = Pages(given.members)
    if given.members <= CANNED:
        pages.warm(given.page)
    asyncio.run(serve(pages))


if __name__ == "__main__":
    main()
