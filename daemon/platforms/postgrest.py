"""Reading PostgREST tables (Strive docs, 'Filtering'; PostgREST docs, 'Tables and Views').

Three things to know. The server may cut any page shorter than asked for, so only an empty page is the end. An
unencoded `+` is a space (`Api` encodes it). Times are kept as the strings they came in: as floats they would
lose their last digits, and with them rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from daemon.errors import NeedsPerson, RetryLater
from daemon.platforms.answers import Answer, ApiError, mapping, rows
from daemon.platforms.base import Facts, chunks

if TYPE_CHECKING:
    from daemon.platforms.http import Api

Row = dict[str, Any]
Filters = Mapping[str, str]
CHUNK = 200  # ids in one `in.(…)`: keeps the address below 4 kB


class Tables:
    """The tables of one campaign. Every reading is bound to the campaign; nothing is written here."""

    def __init__(self, api: Api, campaign_id: int, facts: Facts, page: int) -> None:
        self.api, self.campaign_id, self.page = api, campaign_id, page
        self._facts = facts

    def select(self, table: str, filters: Filters, *, order: str = "", limit: int | None = None) -> list[Any]:
        """One page. Rows that are no objects are left in: the caller says what is broken about them."""
        ordered = {"order": order} if order else {}
        params = {
            "campaign_id": f"eq.{self.campaign_id}",
            **filters,
            **ordered,
            "limit": str(limit or self.page),
        }
        found = rows(self.api.request("GET", f"/{table}", params=params, safe=True))
        self._facts["largest_page"] = max(len(found), self._facts.get("largest_page", 0))
        return found

    def surely_last(self, page: list[Any]) -> bool:
        """Whether this page cannot have been cut short, because the server has sent a longer one before.

        Good enough for a feed, where a mistake only delays: the next poll goes on where this one ended.
        """
        return len(page) < int(self._facts.get("largest_page", 0))

    def by_id(self, table: str, ids: Iterable[int]) -> Iterator[list[Any]]:
        """The rows with these ids, in pages. A missing one is asked for until the answer is empty."""
        for chunk in chunks(ids, CHUNK):
            wanted = list(chunk)
            while wanted:
                found = self.select(table, {"id": f"in.({','.join(map(str, wanted))})"}, order="id.asc")
                got = {row.get("id") for row in found if isinstance(row, dict)}
                if not found:
                    break
                if not got.intersection(wanted):  # taken for "gone", a change that is in the feed would be lost
                    raise RetryLater("the platform answered with other rows than those asked for")
                yield found
                wanted = [one for one in wanted if one not in got]

    def one_by_id(self, table: str, id_: int) -> Row | None:
        """This row as it is now."""
        page = self.select(table, {"id": f"eq.{id_}"})
        return page[0] if page else None

    def names(self) -> frozenset[str]:
        """The tables this key may see, from the OpenAPI document at the root. Asked once, then a fact."""
        if "tables" not in self._facts:
            self._facts["tables"] = sorted(self._discover())
        return frozenset(self._facts["tables"])

    def forget(self) -> None:
        """A table we knew is gone: look again."""
        self._facts.pop("tables", None)

    def _discover(self) -> set[str]:
        try:
            document = mapping(self.api.request("GET", "/", safe=True))
        except ApiError:  # some servers do not publish their document: ask for each table we can use
            return {table for table in KNOWN if self.exists(table)}
        return {path.strip("/") for path in document.get("paths") or {} if path.count("/") == 1 and path != "/"}

    def exists(self, table: str) -> bool:
        try:
            self.select(table, {}, limit=1)
        except ApiError as problem:
            if problem.status != 404:
                raise
            return False
        return True


KNOWN = (
    "member_changes",
    "member_change_log",
    "members",
    "member_group_delete_log",
    "subscription_events",
)


def one_row(answer: Answer) -> Row | None:
    """The row a write answers with; None when its filter matched nothing. More than one must never happen."""
    found = rows(answer)
    if len(found) > 1:
        raise NeedsPerson(f"a write to one member changed {len(found)} rows; its filter was not obeyed")
    if found and not isinstance(found[0], dict):
        raise RetryLater("the platform answered a write with something other than a row")
    return found[0] if found else None


def seconds(stamp: Any) -> float | None:
    """A timestamptz as JSON (`2023-10-18T12:37:59.611+00:00`) in seconds since 1970; None if it is none."""
    try:
        when = datetime.fromisoformat(stamp)
    except (TypeError, ValueError):
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def stamp(at: float) -> str:
    """A lower bound for a filter: the whole second before, written without a `+`."""
    return datetime.fromtimestamp(math.floor(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
