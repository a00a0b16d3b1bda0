"""Strive: the members of one campaign, behind PostgREST. Reading is here, writing in `strive_writes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.errors import RetryLater
from daemon.platforms.answers import ApiError, reading
from daemon.platforms.base import Connector, Cursor, Evidence, Facts, Outcome, Page, Push, Record
from daemon.platforms.postgrest import Tables
from daemon.platforms.strive_feed import LOGS, REMOVALS, LogFeed, Position, RowFeed
from daemon.platforms.strive_member import CAPABILITIES, record
from daemon.platforms.strive_writes import Writer

if TYPE_CHECKING:
    from daemon.platforms.http import Api


class Strive(Connector):
    """One campaign. `overlap`: seconds a feed is read back each time, for rows that are committed late.

    `page`: rows a page. The server may give less (Strive does not say; 1000 is what PostgREST hosts allow).
    A quiet `changes` costs one call, and one more where the account shows the log of group removals.
    """

    platform = "strive"
    capabilities = CAPABILITIES

    def __init__(self, api: Api, *, campaign_id: int, overlap: float = 300.0, facts: Facts, page: int = 1000) -> None:
        self._api, self._campaign = api, campaign_id
        self._overlap = overlap
        self.facts = facts
        self.account = f"strive:{campaign_id}@{api.host}"
        self._tables = Tables(api, campaign_id, facts, page)
        self._writer = Writer(api, campaign_id, self._tables)

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        """Members by id. The end is an empty page: any other may have been cut short by the server."""
        under_way = resume and "sweep" in cursor
        cursor = dict(cursor) if under_way else {**self._positions(cursor), "sweep": 0}
        while page := self._next(cursor["sweep"]):
            ids = [row["id"] for row in page if isinstance(row, dict) and isinstance(row.get("id"), int)]
            if not ids or max(ids) <= cursor["sweep"]:
                raise RetryLater("members do not come in the order asked for")
            cursor = {**cursor, "sweep": max(ids)}
            yield self._page(page, {}, cursor)
        yield Page((), {key: value for key, value in cursor.items() if key != "sweep"}, sweep_done=True)

    def _next(self, after: int) -> list[Any]:
        with reading("the members"):
            return self._tables.select("members", {"id": f"gt.{after}"}, order="id.asc")

    def _positions(self, cursor: Cursor) -> Cursor:
        """Where the feeds stand: where they were left, or else where they end now, before the sweep."""
        with reading("the feed"):
            return {name: cursor.get(name) or feed.newest() for name, feed in self._feeds().items()}

    def _feeds(self) -> Mapping[str, LogFeed | RowFeed]:
        names = self._tables.names()
        log = next((table for table in LOGS if table in names), None)
        main = LogFeed(self._tables, log, self._overlap) if log else RowFeed(self._tables, self._overlap)
        if REMOVALS not in names:
            return {"feed": main}
        return {"feed": main, "removals": LogFeed(self._tables, REMOVALS, self._overlap, "member_removed_on")}

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        """What the feeds name. A feed's table that is gone is looked for again, once."""
        try:
            for page in self._changes(cursor):
                cursor = page.cursor
                yield page
        except ApiError as problem:
            if problem.status == 404:
                self._tables.forget()
            with reading("the feed"):
                yield from self._changes(cursor)

    def _changes(self, cursor: Cursor) -> Iterator[Page]:
        for name, feed in self._feeds().items():
            start: Position = cursor.get(name) or {"table": feed.table}
            if start.get("table") != feed.table:  # another table than last time: go on from its time
                start = {"table": feed.table, "at": start.get("at")}
            for moved in feed.read(start):
                cursor = {**cursor, name: moved.position}
                rows = [row for page in self._tables.by_id("members", moved.ids) for row in page]
                yield self._page([*moved.rows, *rows], moved.evidence, cursor)

    @property
    def feed_is_sweep(self) -> bool:
        return False

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        ids = [int(one) for one in external_ids if one.isdecimal()]
        with reading("the members"):
            for page in self._tables.by_id("members", ids):
                yield from self._page(page, {}, {}).records

    def _page(self, rows: Iterable[Any], evidence: Mapping[int, Mapping[str, Evidence]], at: Cursor) -> Page:
        records, broken = [], []
        for row in rows:
            if trouble := self._trouble(row):
                broken.append((str(row.get("id", "?")) if isinstance(row, dict) else "?", trouble))
            else:
                records.append(record(row, evidence.get(row["id"], {})))
        return Page(records, at, broken=broken)

    def _trouble(self, row: Any) -> str:
        if not isinstance(row, dict):
            return "not an object"
        if not isinstance(row.get("id"), int):
            return "no id"
        if row.get("campaign_id", self._campaign) != self._campaign:
            return "of another campaign"
        return ""

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        return self._writer.push(pushes)

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        """Key, campaign, feed, and whether Strive also syncs with Action Network by itself."""
        self._api.request("GET", "/rpc/ping", safe=True, expect_json=False)
        yield "key", True, "accepted"
        members = self._tables.select("members", {}, limit=1)
        some = "has members" if members else "shows no members: is the number right?"
        yield "campaign", bool(members), f"campaign {self._campaign} {some}"
        self._tables.forget()
        feed = self._feeds()["feed"]
        yield "feed", True, f"changes are read from {feed.table}"
        if REMOVALS not in self._tables.names():
            yield "groups", True, "removals from groups show only in a full reading"
        if isinstance(feed, LogFeed) and self._has_action_network(feed.table):
            loop = "writing here too; connecting Action Network to rosterd as well makes a loop"
            yield "integrations", False, f"Strive's own Action Network integration is {loop}"

    def _has_action_network(self, log: str) -> bool:
        rows = self._tables.select(log, {}, order="id.desc")
        return any(isinstance(row, dict) and row.get("change_type") == "actionNetwork" for row in rows)

    def close(self) -> None:
        self._api.close()

    @property
    def calls(self) -> int:
        return self._api.calls

    @property
    def throttled(self) -> int:
        return self._api.throttled
