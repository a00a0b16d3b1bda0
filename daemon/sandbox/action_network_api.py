"""Action Network over HTTP: the routes the connectors need.

Entry point, people, tags and taggings, custom fields, advocacy campaigns and outreaches (Action Network docs, v2).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import orjson

from daemon.sandbox.action_network import ActionNetworkModel
from daemon.sandbox.action_network_harm import HarmWatch
from daemon.sandbox.action_network_outreach import Outreaches, linked_person, names
from daemon.sandbox.action_network_people import Watch, taken_apart
from daemon.sandbox.action_network_query import PAGE, Page, Selection
from daemon.sandbox.action_network_record import (
    BASE,
    CURIES,
    ActionNetworkError,
    BadPayloadError,
    CountedTable,
    href,
    missing,
    stamp,
)
from daemon.sandbox.harm import SaysNo
from daemon.sandbox.table import Data, Row
from daemon.sandbox.wire import BadBodyError, Request, Response, answer

if TYPE_CHECKING:
    from daemon.sandbox.accounts import Account, Ground

KEY = "sandbox-action-network-key"
ROOT = ("api", "v2")
_PREFIX = "/action_network/api/v2"  # where links lead: the sandbox's own prefix, and the platform's
_TEXT = {
    401: "API Key invalid or not present",
    403: "API Key invalid or not present",
    402: "Payment required",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}
_TOP = ("people", "tags", "advocacy_campaigns", "metadata")


class ActionNetworkApi:
    """Answers requests. `path` is what follows the host on the real platform, beginning with /api/v2."""

    def __init__(self, model: ActionNetworkModel, others: SaysNo, key: str) -> None:
        self.model = model
        self.key = key
        self.watch: Watch = HarmWatch(model, others)
        self.outreaches = Outreaches(model, model.writes)
        self.selection = Selection()

    def respond(self, request: Request) -> Response:
        with self.model.lock:
            self.model.begin_request()
            try:
                return self._with_links(request, self._work(request))
            except BadPayloadError as problem:
                return answer(500 if self.model.bad_is_500 else 400, problem.body)
            except ActionNetworkError as problem:
                return answer(problem.status, problem.body)

    def refusal(self, status: int) -> Response:
        """Of a bad key the platform repeats the key: such a body belongs in no log (seen by a public client)."""
        return answer(status, {"error": _TEXT[status] + (f": {self.key}" if status in (401, 403) else "")})

    def _work(self, request: Request) -> Response:
        parts = tuple(request.path.strip("/").split("/"))
        if parts[:2] != ROOT:
            raise ActionNetworkError(404, "Not found")
        given = request.headers.get("osdi-api-token", "")
        if given != self.key:
            return self._without_key(request, parts[2:], given)
        if request.method != "GET" and dict(request.params).get("background_request") == "true":
            return self._in_background(request, parts[2:])
        return self._route(request, parts[2:])

    def _without_key(self, request: Request, parts: tuple[str, ...], given: str) -> Response:
        """A blind POST to an outreach helper works and says nothing (docs, "Record Outreach Helper"); the rest is
        refused."""
        if not given and request.method == "POST" and len(parts) == 3 and parts[2] == "outreaches":
            self._route(request, parts)
            return answer(200, {})
        return answer(403, {"error": f"{_TEXT[403]}: {given}"})

    def _in_background(self, request: Request, parts: tuple[str, ...]) -> Response:
        """Success at once; what became of it nobody hears."""
        with contextlib.suppress(ActionNetworkError):
            self._route(request, parts)
        return answer(200, {})

    def _with_links(self, request: Request, response: Response) -> Response:
        base = f"http://{request.headers.get('host', 'localhost')}{_PREFIX}".encode()
        return Response(response.status, response.body.replace(BASE.encode(), base))

    # Routes -------------------------------------------------------------------------------------------------

    def _route(self, request: Request, parts: tuple[str, ...]) -> Response:
        match (request.method, *parts):
            case ("GET",):
                return self._entry()
            case (_, "people", *rest):
                return self._people(request, rest)
            case (_, "tags", *rest):
                return self._tags(request, rest)
            case (_, "advocacy_campaigns", *rest):
                return self._campaigns(request, rest)
            case ("GET", "metadata"):
                return _document({"_links": {"action_network:custom_fields": href("metadata", "custom_fields")}})
            case ("GET", "metadata", "custom_fields"):
                return self._custom_fields()
        raise ActionNetworkError(404, "Not found")

    def _people(self, request: Request, rest: list[str]) -> Response:
        match (request.method, *rest):
            case ("GET",):
                return self._list_people(request)
            case ("POST",):
                return self._signup(_body(request))
            case ("GET", own):
                return self._show(self.model.people_table, self._found("people", own))
            case ("PUT", own):
                changed = self.model.writes.update(self._locked(own), taken_apart(_body(request)), self.watch)
                return self._show(self.model.people_table, self._found("people", changed))
            case ("GET", own, ("taggings" | "outreaches") as noun):
                self._found("people", own)
                return self._list(request, noun, "person", own, f"people/{own}/{noun}")
            case ("GET", own, "outreaches", outreach):
                return self._show(self.model.outreach_table, self._part("outreaches", outreach, person=own))
        raise ActionNetworkError(404, "Not found")

    def _tags(self, request: Request, rest: list[str]) -> Response:
        model = self.model
        match (request.method, *rest):
            case ("GET",):
                return self._list(request, "tags")
            case ("POST",):
                return self._show(model.tag_table, model.tag_table.rows[model.make_tag(_name(request))["_id"]])
            case ("GET", tag):
                return self._show(model.tag_table, self._found("tags", tag))
            case ("GET", tag, "taggings"):
                self._found("tags", tag)
                return self._list(request, "taggings", "tag", tag, f"tags/{tag}/taggings")
            case ("POST", tag, "taggings"):
                return self._make_tagging(self._found("tags", tag), _body(request))
            case ("GET", tag, "taggings", tagging):
                return self._show(model.tagging_table, self._part("taggings", tagging, tag=tag))
            case ("DELETE", tag, "taggings", tagging):
                model.untag_person(self._part("taggings", tagging, tag=tag))
                return answer(200, {"notice": "This tagging was successfully deleted"})
        raise ActionNetworkError(404, "Not found")

    def _campaigns(self, request: Request, rest: list[str]) -> Response:
        table = self.model.outreach_table
        match (request.method, *rest):
            case ("GET",):
                return self._list(request, "advocacy_campaigns")
            case ("POST",):
                return self._make_campaign(_body(request))
            case ("GET", own):
                return self._show(self.model.campaign_table, self._found("advocacy_campaigns", own))
            case ("GET", own, "outreaches"):
                self._found("advocacy_campaigns", own)
                return self._list(request, "outreaches", "campaign", own, f"advocacy_campaigns/{own}/outreaches")
            case ("POST", own, "outreaches"):
                campaign = self._found("advocacy_campaigns", own)
                return self._show(table, self.outreaches.record(campaign, _body(request), self.watch))
            case ("GET", own, "outreaches", outreach):
                return self._show(table, self._part("outreaches", outreach, campaign=own))
            case ("PUT", own, "outreaches", outreach):
                row = self._part("outreaches", outreach, campaign=own)
                return self._show(table, self.outreaches.update(row, _body(request)))
        raise ActionNetworkError(404, "Not found")

    # Reading ------------------------------------------------------------------------------------------------

    def _entry(self) -> Response:
        links = {f"osdi:{name}": href(name) for name in _TOP} | {"self": href(), "curies": CURIES}
        helper = {"osdi:person_signup_helper": href("people")}
        about = {"motd": "The sandbox", "vendor_name": "Action Network", "product_name": "Action Network"}
        return _document({**about, "osdi_version": "1.1.1", "max_pagesize": PAGE, "_links": links | helper})

    def _custom_fields(self) -> Response:
        fields = [
            {"name": name, "created_date": stamp(at), "modified_date": stamp(at), "notes": None, "numeric_id": place}
            for place, (name, at) in enumerate(self.model.field_times.items(), 1)
        ]
        links = {"self": href("metadata", "custom_fields"), "curies": CURIES}
        return _document({"_links": links, "action_network:custom_fields": fields})

    def _list_people(self, request: Request) -> Response:
        params, model = dict(request.params), self.model
        table, page = model.people_table, Page(params)
        rows = self.selection.rows(table, params.get("filter", ""))
        if params.get("filter") and model.search_lag:
            rows = [row for row in rows if not model.lags(row.data, model.search_lag)]
        shown = page.cut(rows)
        for row in shown:
            row.seen = True
        return Response(200, page.answer(table, shown, "people", None))

    def _list(self, request: Request, noun: str, index: str = "", value: str = "", path: str = "") -> Response:
        """A collection with totals. Tags and taggings pass over a filter."""
        params, table = dict(request.params), self._table(noun)
        filter_ = params.get("filter", "") if noun in ("outreaches", "advocacy_campaigns") else ""
        rows, page = self.selection.rows(table, filter_, index, value), Page(params)
        return Response(200, page.answer(table, page.cut(rows), path or noun, len(rows)))

    def _table(self, noun: str) -> CountedTable:
        tables = {"people": self.model.people_table, "tags": self.model.tag_table}
        tables |= {"taggings": self.model.tagging_table, "outreaches": self.model.outreach_table}
        return {**tables, "advocacy_campaigns": self.model.campaign_table}[noun]

    def _found(self, noun: str, own: str) -> Row:
        row = self._table(noun).get(own)
        if row is None:
            raise missing(_SINGULAR[noun], own)
        return row

    def _part(self, noun: str, own: str, **of: str) -> Row:
        """A row that belongs where the path says."""
        row = self._found(noun, own)
        if any(row.data[name] != value for name, value in of.items()):
            raise missing(_SINGULAR[noun], own)
        return row

    def _show(self, table: CountedTable, row: Row) -> Response:
        row.seen = True
        return Response(200, row.encode(table.encoder))

    # Writing ------------------------------------------------------------------------------------------------

    def _locked(self, own: str) -> Row:
        """A person to write to, after whoever writes to them now: what shows only then nobody could have read."""
        seen = self._found("people", own).seen
        self.model.commits.settle(own)
        row = self._found("people", own)
        row.seen |= seen
        return row

    def _signup(self, body: Data) -> Response:
        """The person signup helper."""
        add, remove = names(body, "add_tags"), names(body, "remove_tags")
        person = self.model.writes.upsert(taken_apart(body.get("person")), self.watch)
        self.model.change_tags(person, add, remove)
        return self._show(self.model.people_table, self._found("people", person))

    def _make_tagging(self, tag: Row, body: Data) -> Response:
        person = linked_person(body)
        if person is None:
            raise BadPayloadError("a tagging needs a link to a person")
        self._found("people", person)
        tagging = self.model.tag_person(tag.key, person)
        return self._show(self.model.tagging_table, self.model.tagging_table.rows[tagging])

    def _make_campaign(self, body: Data) -> Response:
        title, kind = body.get("title"), body.get("type", "email")
        if not isinstance(title, str) or not title or kind not in ("email", "phone"):
            raise BadPayloadError("an advocacy campaign needs a title, and a type of email or phone")
        return self._show(
            self.model.campaign_table, self._found("advocacy_campaigns", self.model.campaign(title, kind))
        )


_SINGULAR = {
    "people": "person",
    "tags": "tag",
    "taggings": "tagging",
    "outreaches": "outreach",
    "advocacy_campaigns": "advocacy_campaign",
}


def _body(request: Request) -> Data:
    try:
        body = request.json
    except BadBodyError:
        raise BadPayloadError("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise BadPayloadError("the body must be a hash")
    return body


def _name(request: Request) -> str:
    name = _body(request).get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadPayloadError("a tag needs a name")
    return name.strip()


def _document(body: Data) -> Response:
    return Response(200, orjson.dumps(body).replace(b"\\u0000", BASE.encode()))


def action_network(ground: Ground, others: SaysNo) -> Account:
    from daemon.sandbox.accounts import Account

    model = ActionNetworkModel(ground.harm, ground.lock, ground.clock)
    return Account(
        "action_network",
        "Action Network",
        model,
        ActionNetworkApi(model, others, KEY),
        {},
        {"api_key": KEY},
        model.people,
        "people",
        (
            *("add_person", "edit_person", "opt_out", "opt_in", "bounce", "complain", "tag", "untag"),
            *("delete_person", "custom_field", "campaign", "person", "people", "outreaches"),
        ),
        (*("nulls_clear", "bad_is_500", "search_lag", "tag_lag", "taggings_touch", "locality_slips", "tidy"),),
    )
