"""Action Network: outreaches on advocacy campaigns, by the record outreach helper.

The helper creates or updates the person who is inline, and subscribes somebody new (Action Network docs, 'Record
Outreach Helper'). So only people who are there are named, by what their record says at that moment and by nothing
else: an email stays with its owner, no phone moves, no name is overwritten. A status is never sent.

Outreaches are not deduplicated (same page). They are found again by campaign and `created_date`, which the helper
takes from us.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from daemon.errors import AnswerLost, RetryLater, SkipRecord
from daemon.platforms.answers import Answer, ApiError, mapping, reading
from daemon.platforms.base import Acted, Action, ActionsFound

if TYPE_CHECKING:
    from daemon.platforms.http import Api

PER_PAGE = 25
MOST_PAGES = 200
"""Pages looked through for one outreach, 25 on each; what lies beyond is not known."""
SYSTEM = "action_network:"

Json = dict[str, Any]


class Recorder:
    """The outreaches of one group. `root`: what every path begins with. `ensure_tags` makes tags that are not there
    yet: the helper ignores unknown ones."""

    def __init__(self, api: Api, ensure_tags: Callable[[Sequence[str]], object], *, root: str = "") -> None:
        self._api, self._ensure_tags, self._root = api, ensure_tags, root

    def find(self, external_id: str, campaign: str, since: int, until: int) -> ActionsFound | None:
        walk = self._walk(f"/people/{external_id}/outreaches")
        if walk is None:
            if self._person(external_id) is None:
                return None
            walk = self._of_campaign(campaign, external_id)
        rows, complete = walk
        meant = [row for row in rows if since <= seconds(row.get("created_date")) <= until]
        ids = [own_id(row) for row in meant if campaign in (_linked(row, "advocacy_campaign") or {campaign})]
        return ActionsFound(tuple(each for each in ids if each), complete)

    def _of_campaign(self, campaign: str, external_id: str) -> tuple[list[Json], bool]:
        """The long way, for an account that does not list a person's outreaches. No campaign: nothing was recorded."""
        rows, complete = self._walk(f"/advocacy_campaigns/{campaign}/outreaches") or ([], True)
        return [row for row in rows if external_id in _linked(row, "person")], complete

    def send(self, action: Action) -> Acted | None:
        person = self._person(action.external_id)
        if person is None:
            return None
        body = payload(action, identity(person))
        self._ensure_tags(action.add_tags)
        path = f"/advocacy_campaigns/{action.campaign}/outreaches"
        answer = mapping(self._api.request("POST", self._root + path, json=body, safe=False))
        found = own_id(answer)
        if found is None:  # as if no key had been sent (Action Network docs: the response is then an empty object)
            raise AnswerLost("an outreach was answered without its id")
        whose = _linked(answer, "person")
        return Acted(found, action.external_id if action.external_id in whose else min(whose, default=None))

    def knows(self, campaign: str) -> bool:
        with reading("the campaign"):
            return self._one(f"/advocacy_campaigns/{campaign}") is not None

    def _person(self, external_id: str) -> Json | None:
        return self._one(f"/people/{external_id}")

    def _one(self, path: str) -> Json | None:
        try:
            return mapping(self._api.request("GET", self._root + path, safe=True))
        except ApiError as problem:
            if problem.status != 404:
                raise
        return None

    def _walk(self, path: str) -> tuple[list[Json], bool] | None:
        """Every row of a collection, and whether it was read to its end. None: there is no such collection."""
        rows: list[Json] = []
        for page in range(1, MOST_PAGES + 1):
            params = {"page": str(page), "per_page": str(PER_PAGE)}
            try:
                answer = self._api.request("GET", self._root + path, params=params, safe=True)
            except ApiError as problem:
                if problem.status != 404:
                    raise
                return None
            found = embedded(answer, "osdi:outreaches")
            if not found:
                return rows, True
            rows += (row for row in found if isinstance(row, dict))
        return rows, False


def embedded(answer: Answer, kind: str) -> list[Any]:
    """The rows of a page. Anything else is no answer to our question."""
    inner = mapping(answer).get("_embedded")
    rows = inner.get(kind) if isinstance(inner, dict) else None
    if not isinstance(rows, list):
        raise RetryLater("the platform answered with something other than a page")
    return rows


def payload(action: Action, person: Json) -> Json:
    """The body of the helper. `targets` is always an array of one (Action Network docs, 'Field names')."""
    body: Json = {
        "targets": [dict(action.target)],
        **action.words,
        "created_date": stamp(action.at),
        "person": person,
    }
    if action.referrer:
        body["action_network:referrer_data"] = dict(action.referrer)
    if action.add_tags:
        body["add_tags"] = list(action.add_tags)
    if action.remove_tags:
        body["remove_tags"] = list(action.remove_tags)
    return body


def identity(person: Json) -> Json:
    """What names this person to the helper: their email, else their phone, as the record says it. Raises SkipRecord
    for somebody who has neither."""
    for key, inner in (("email_addresses", "address"), ("phone_numbers", "number")):
        given = [each for each in person.get(key) or () if isinstance(each, dict) and each.get(inner)]
        if given:
            first = next((each for each in given if each.get("primary")), given[0])
            return {key: [{inner: first[inner]}]}
    raise SkipRecord("the record has neither email nor phone, so nobody can be named")


def own_id(row: Json) -> str | None:
    """The platform's own id among `identifiers`, which hold "system:id"."""
    found = row.get("identifiers")
    ours = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    return next((each.removeprefix(SYSTEM) for each in ours if each.startswith(SYSTEM)), None)


def _linked(row: Json, what: str) -> set[str]:
    """The ids this row gives for what it belongs to: of the link, and of the key beside it. In the vendor's own sample
    the two differ for the person."""
    links = row.get("_links")
    link = links.get(f"osdi:{what}") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else None
    said = [href.rstrip("/").rpartition("/")[2] if isinstance(href, str) else None, row.get(f"{SYSTEM}{what}_id")]
    return {each for each in said if isinstance(each, str) and each}


def stamp(at: int) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(written: object) -> int:
    """A time of the platform in whole seconds since 1970; -1 for what is none."""
    try:
        return int(dt.datetime.fromisoformat(str(written)).timestamp())
    except ValueError:
        return -1
