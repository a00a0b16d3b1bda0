"""A contact of Telerivet: what can be read and written of it, and how it becomes a record."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from daemon.errors import RetryLater
from daemon.platforms.answers import Answer, ApiError, mapping
from daemon.platforms.base import Capabilities, Facts, Record
from daemon.platforms.paging import by_marker

if TYPE_CHECKING:
    from daemon.platforms.http import Api

PLAIN = ("name", "phone_number", "send_blocked")
VALUE_BYTES = 4096
MOST_VARS = 100
_VAR_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")

CAPABILITIES = Capabilities(
    granularity=0.999,  # time_updated is in whole seconds (Telerivet docs, 'Contact')
    read=frozenset({*PLAIN, "vars", "groups"}),
    update=frozenset({"name", "phone_number", "vars"}),
    create=frozenset({"name", "phone_number", "vars"}),
    consent_read=frozenset({"sms"}),
    consent_write=frozenset({"sms"}),
    add_tags=True,
    remove_tags=True,
    batch=200,
    feed="all contacts, or a dynamic group where the account has them",
)


class Project:
    """One project's routes, and its groups: ids on the wire, names in our records. The names are facts."""

    def __init__(self, api: Api, project_id: str, facts: Facts, feed_group: str) -> None:
        self._api, self._facts, self._feed_group = api, facts, feed_group
        self.date = ""  # the server's clock, as of its last answer
        self._root = f"/v1/projects/{urllib.parse.quote(project_id, safe='')}"

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self._checked(self._api.request("GET", self._root + path, params=params, safe=True))

    def post(self, path: str, body: Mapping[str, Any], *, safe: bool = False) -> Answer:
        """`safe`: this body may be sent twice."""
        return self._checked(self._api.request("POST", self._root + path, json=dict(body), safe=safe))

    def member(self, method: str, group: str, contact: str) -> None:
        """PUT a contact into a group or DELETE it from there. Twice is as good as once."""
        path = self._root + group_path(group) + contact_path(contact)
        self._api.request(method, path, safe=True, expect_json=False)

    def contact(self, external_id: str) -> Answer | None:
        """A contact as it is now; None if there is none."""
        try:
            return self.get(contact_path(external_id))
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise

    def pages(self, path: str, marker: str = "") -> Iterator[tuple[list[Any], str]]:
        """A collection, 500 at a time (the most Telerivet gives)."""
        size = {"page_size": "500"}
        return by_marker(lambda at: self.get(path, {**size, "marker": at} if at else size), marker)

    def refresh_groups(self) -> None:
        groups = [row for page, _ in self.pages("/groups") for row in page if isinstance(row, dict)]
        self._facts["groups"] = {
            row["id"]: [row.get("name"), bool(row.get("dynamic"))] for row in groups if isinstance(row.get("id"), str)
        }

    @property
    def groups(self) -> dict[str, list[Any]]:
        """Name and whether it is dynamic, by id."""
        known: dict[str, list[Any]] = self._facts.setdefault("groups", {})
        return known

    def tags(self, ids: Any) -> list[dict[str, str]]:
        """Groups as a record shows them: without those that compute themselves, ours among them."""
        named = ((one, self.groups.get(one, [None, False])) for one in ids if isinstance(one, str))
        real = [(name, one) for one, (name, dynamic) in named if isinstance(name, str) and not dynamic]
        return [{"id": one, "name": name} for name, one in sorted(real) if name != self._feed_group]

    def group_id(self, name: str) -> str | None:
        """The ordinary group of this name, if we know one."""
        return next((one for one, group in self.groups.items() if group == [name, False]), None)

    def ensure_group(self, name: str) -> str:
        """The id of the ordinary group of this name; made if there is none (get-or-create, so repeatable)."""
        known = self.group_id(name)
        if known is not None:
            return known
        made = self.post("/groups", {"name": name}, safe=True)
        if mapping(made).get("dynamic"):
            raise ApiError(400, "", f"the group {name!r} computes its members itself; nobody can be added to it")
        return self.learn_group(made, dynamic=False)

    def learn_group(self, made: Answer, *, dynamic: bool) -> str:
        """Remember a group the platform just made for us."""
        group = mapping(made)
        if not isinstance(group.get("id"), str):
            raise RetryLater("the platform made a group and did not say which")
        self.groups[group["id"]] = [group.get("name"), dynamic]
        return str(group["id"])

    def record(self, row: Mapping[str, Any]) -> Record:
        """A contact as a record. Asks for the groups again when it meets one it does not know."""
        ids = row.get("group_ids")
        if isinstance(ids, list) and any(one not in self.groups for one in ids):
            self.refresh_groups()
            for one in ids:  # still unknown: hidden from this key. Do not ask again for each contact
                self.groups.setdefault(one, [None, False])
        return Record(row["id"], self._wire(row), _version(row), _time(row))

    def _wire(self, row: Mapping[str, Any]) -> dict[str, Any]:
        wire = {key: row[key] for key in PLAIN if key in row}
        if "vars" in row:  # an empty object comes as [] from some PHP servers
            wire["vars"] = row["vars"] if isinstance(row["vars"], dict) else {}
        if isinstance(row.get("group_ids"), list):
            wire["groups"] = self.tags(row["group_ids"])
        return wire

    def _checked(self, answer: Answer) -> Answer:
        """`error` is only there when there was one, whatever the status (Telerivet docs, 'Errors')."""
        self.date = answer.headers.get("date", "")
        if isinstance(answer.data, dict) and isinstance(error := answer.data.get("error"), dict):
            raise ApiError(400, str(error.get("code") or ""), "the platform answered with an error")
        return answer


def contact_path(external_id: str) -> str:
    return f"/contacts/{_part(external_id)}"


def group_path(group: str) -> str:
    return f"/groups/{_part(group)}"


def is_contact(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str) and bool(row["id"])


def trouble(wire: Mapping[str, Any], allowed: frozenset[str]) -> str:
    """Why Telerivet would refuse these fields; blank if it would not (Telerivet docs, 'Storing Custom Data')."""
    if beyond := sorted(set(wire) - allowed):
        return f"Telerivet does not let us write {', '.join(beyond)}"
    given = wire.get("vars") or {}
    if bad := sorted(name for name in given if not _VAR_NAME.fullmatch(name)):
        return f"no name of a Telerivet variable: {', '.join(bad)}"
    if long := sorted(name for name, value in given.items() if _size(value) > VALUE_BYTES):
        return f"longer than the {VALUE_BYTES} bytes of a Telerivet variable: {', '.join(long)}"
    return f"more than {MOST_VARS} variables" if len(given) > MOST_VARS else ""


def same_number(one: Any, other: str) -> bool:
    """Whether two spellings are the same international number. A short or local one equals nothing."""
    return isinstance(one, str) and _digits(one) == _digits(other) and len(_digits(one)) > 7


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number).removeprefix("00")


def _size(value: Any) -> int:
    return len(value.encode()) if isinstance(value, str) else 0


def _part(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _time(row: Mapping[str, Any]) -> float | None:
    at = row.get("time_updated")
    return float(at) if isinstance(at, (int, float)) else None


def _version(row: Mapping[str, Any]) -> str | None:
    at = row.get("time_updated")
    return None if at is None else str(at)
