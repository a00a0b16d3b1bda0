"""One group of Action Network: its routes, what its answers look like, and what of it is remembered."""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from daemon.errors import AnswerLost, RetryLater
from daemon.platforms import drift
from daemon.platforms.action_network_outreach import embedded, own_id
from daemon.platforms.action_network_person import Json, is_id, is_person, person_id
from daemon.platforms.answers import Answer, ApiError, mapping, reading
from daemon.platforms.base import Facts

if TYPE_CHECKING:
    from daemon.platforms.http import Api

ROOT = "/api/v2"
PAGE = 25
"""The most rows Action Network gives at once (Action Network docs, 'General concepts')."""
LAST = 256
"""So many people are remembered as last read: somewhat more than are read before one batch of writes."""


class Group:
    """What one API key opens. `base_url` is needed because a tagging names its person by a whole address.

    `ahead`: by how many seconds our clock runs before the server's, at most; 0 if it is behind.
    """

    def __init__(self, api: Api, base_url: str, facts: Facts, clock: Callable[[], float], page: int = PAGE) -> None:
        self.api, self.facts = api, facts
        self._base, self._clock, self._page = base_url.rstrip("/"), clock, page
        self.ahead = 0.0
        self._last: dict[str, Json] = {}

    def now(self) -> float:
        """Our clock or the server's, whichever is behind: a fast one would skip what is stored just now."""
        return self._clock() - self.ahead

    def url(self, path: str) -> str:
        return self._base + ROOT + path

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self._timed(self.api.request("GET", ROOT + path, params=params, safe=True))

    def send(self, method: str, path: str, body: Json | None = None) -> Answer:
        """Write. All that is written here may be written twice: it says how things are to be."""
        answer = self.api.request(method, ROOT + path, json=body, safe=True, expect_json=method != "DELETE")
        return self._timed(answer)

    def _timed(self, answer: Answer) -> Answer:
        try:
            theirs = email.utils.parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (TypeError, ValueError):
            return answer
        self.ahead = max(0.0, self._clock() - theirs)
        return answer

    # collections

    def steps(
        self, path: str, kind: str, *, where: str = "", at: int = 0, last: Collection[str] = ()
    ) -> Iterator[drift.Step]:
        """A collection from its beginning, or from where a step before left off. Of people Action Network tells no
        total, and gives a link to a next page also on the last one: their end is a page with nothing new."""
        more = {"filter": where} if where else {}

        def ask(page: int, size: int) -> tuple[list[Any], int | None]:
            answer = self.get(path, {"page": str(page), "per_page": str(size), **more})
            total = mapping(answer).get("total_records")
            return embedded(answer, kind), total if isinstance(total, int) else None

        return drift.steps(ask, _name, size=self._page, at=at, last=last)

    def rows(self, path: str, kind: str) -> Iterator[Json]:
        for step in self.steps(path, kind):
            yield from (row for row in step.rows if isinstance(row, dict))

    def find(self, field: str, value: str) -> list[Json]:
        """People by an exact value. What comes back is to be compared again.

        How a quote stands in a filter and whether capitals count is not documented, and whoever is not found would be
        made anew. So a value that has either is asked for in each spelling.
        """
        found = self._where(f"{field} eq {quoted(value)}")
        for other in _otherwise(value):
            if not found:
                with contextlib.suppress(ApiError):  # not understood so
                    found = self._where(f"{field} eq {other}")
        return found

    def _where(self, condition: str) -> list[Json]:
        params = {"filter": condition, "per_page": str(PAGE)}
        return [row for row in embedded(self.get("/people", params), "osdi:people") if is_person(row)]

    def must_answer(self) -> None:
        """Ask for anybody. RetryLater: nobody can be read just now, so what went wrong is no one person's fault."""
        with reading("the people"):
            self.get("/people", {"per_page": "1"})

    # people

    def person(self, external_id: str) -> Json | None:
        """A person as they are now; None if there is none."""
        if not is_id(external_id):
            return None
        try:
            answer = self.get(f"/people/{external_id}")
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise
        if not is_person(answer.data):
            raise RetryLater("the platform answered with something other than a person")
        return self._remember(mapping(answer))

    def save(self, method: str, path: str, body: Json) -> Json:
        """Write a person; what the platform says it stored. Without a key it answers every write with success and an
        empty object (Action Network docs, 'Person Signup Helper'), so that is no answer."""
        answer = self.send(method, path, body)
        if not is_person(answer.data):
            raise AnswerLost("the platform took a write and did not say what it stored")
        return self._remember(mapping(answer))

    def last(self, external_id: str, version: str | None) -> Json | None:
        """The person as last read, if that was this version; else as they are now. None: they are gone."""
        row = self._last.get(external_id)
        if row is not None and version is not None and row.get("modified_date") == version:
            return row
        return self.person(external_id)

    def _remember(self, row: Json) -> Json:
        one = person_id(row)
        self._last.pop(one, None)
        self._last[one] = row
        if len(self._last) > LAST:
            del self._last[next(iter(self._last))]
        return row

    # custom fields

    def learn_fields(self) -> list[str]:
        """The custom fields the group has. Others it drops without a word."""
        rows = mapping(self.get("/metadata/custom_fields")).get("action_network:custom_fields")
        if not isinstance(rows, list):
            raise RetryLater("the platform answered with something other than its custom fields")
        names = [row.get("name") for row in rows if isinstance(row, dict)]
        self.facts["custom_fields"] = sorted(name for name in names if isinstance(name, str))
        return list(self.facts["custom_fields"])

    def unknown_fields(self, names: Collection[str]) -> list[str]:
        """Those of these custom fields that the group lacks."""
        if set(names) - set(self.facts.get("custom_fields", ())):
            return sorted(set(names) - set(self.learn_fields()))
        return []


def quoted(value: str) -> str:
    """A value in a filter. That a quote is doubled is what a client does; the documentation does not say."""
    return "'" + value.replace("'", "''") + "'"


def _otherwise(value: str) -> list[str]:
    """Other ways to write a value in a filter; none for most."""
    small = value.lower()
    ways = (quoted(value), quoted(small), f"'{value}'", f"'{small}'")
    return list(dict.fromkeys(ways))[1:]


def _name(row: Any) -> str:
    """What tells rows apart: their id, or what they are where there is none."""
    found = own_id(row) if isinstance(row, dict) else None
    return found or hashlib.blake2b(orjson.dumps(row), digest_size=8).hexdigest()
