"""Telerivet over HTTP: the routes the connectors need."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson

from daemon.sandbox import telerivet_query as queries
from daemon.sandbox.harm import SaysNo
from daemon.sandbox.table import Data, Row
from daemon.sandbox.telerivet import TelerivetModel
from daemon.sandbox.telerivet_record import PROJECT, TelerivetError, invalid, missing
from daemon.sandbox.telerivet_writes import ContactWrites
from daemon.sandbox.wire import BadBodyError, Request, Response, answer

_REFUSALS = {
    401: ("Invalid API key", "unauthorized"),
    402: ("Your account is unpaid or one of its limits was exceeded", "payment_required"),
    403: ("Permission denied", "forbidden"),
    429: ("Your account has exceeded its API rate limit", "rate_limit"),
    500: ("Something went wrong on our end, try again later", "internal_error"),
    503: ("API is temporarily offline for maintenance", "unavailable"),
}
_ROUTES: dict[str, tuple[str, ...]] = {
    "": ("get",),
    "/contacts": ("get", "post"),
    "/contacts/{contact_id}": ("get", "post", "delete"),
    "/import_contacts": ("post",),
    "/groups": ("get", "post"),
    "/groups/{group_id}": ("get",),
    "/groups/{group_id}/contacts": ("get",),
    "/groups/{group_id}/contacts/{contact_id}": ("put", "delete"),
}
_DYNAMIC_ROUTES: dict[str, tuple[str, ...]] = {"/create_group": ("post",), "/groups/{group_id}": ("get", "post")}

Route = Callable[[Request, list[str]], Response]


class TelerivetApi:
    """Answers requests. `path` is what follows the host on the real platform, beginning with /v1."""

    def __init__(self, model: TelerivetModel, other: SaysNo, key: str) -> None:
        self.model = model
        self.key = key
        self.writes = ContactWrites(model, other.says_no)

    def respond(self, request: Request) -> Response:
        with self.model.lock:
            self.model.commits.begin_request()
            try:
                if request.path == "/openapi.json":
                    return self._openapi()
                self._authorize(request)
                return self._route(request)
            except TelerivetError as problem:
                return answer(problem.status, problem.body)
            except BadBodyError:
                return answer(400, invalid("the body is not valid JSON", "body").body)

    def refusal(self, status: int) -> Response:
        message, code = _REFUSALS[status]
        return answer(status, TelerivetError(status, message, code).body)

    def _authorize(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        wanted = base64.b64encode(f"{self.key}:".encode()).decode()
        by_header = scheme.lower() == "basic" and given == wanted
        if not by_header and dict(request.params).get("api_key") != self.key:
            raise TelerivetError(401, *_REFUSALS[401])
        if self.model.unpaid:
            raise TelerivetError(402, *_REFUSALS[402])

    def _routes(self) -> dict[str, tuple[str, ...]]:
        return _ROUTES | (_DYNAMIC_ROUTES if self.model.dynamic_groups else {})

    def _openapi(self) -> Response:
        paths = {
            f"/v1/projects/{{project_id}}{path}": {
                verb: {"responses": {"200": {"description": "OK"}}} for verb in verbs
            }
            for path, verbs in self._routes().items()
        }
        info = {"title": "Telerivet REST API", "version": "1"}
        return answer(200, {"openapi": "3.0.0", "info": info, "paths": paths})

    def _route(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if parts[:2] != ["v1", "projects"] or len(parts) < 3:
            raise missing("URL")
        if parts[2] != PROJECT:
            raise missing("project")
        shape, ids = _shape(parts[3:])
        verbs = self._routes().get(shape)
        if verbs is None:
            raise missing("URL")
        if request.method.lower() not in verbs:
            raise TelerivetError(405, f"{request.method} is not allowed for this URL", "method_not_allowed")
        handler: Route = getattr(self, _HANDLERS[shape, request.method])
        return handler(request, ids)

    # Contacts -----------------------------------------------------------------------------------------------

    def _project(self, _request: Request, _ids: list[str]) -> Response:
        return answer(200, {"id": PROJECT, "name": "Sandbox", "timezone_id": "America/New_York", "vars": {}})

    def _list_contacts(self, request: Request, _ids: list[str]) -> Response:
        params = queries.php(request.params)
        return Response(200, queries.contacts_page(self.model, params, queries.tests(params)))

    def _post_contact(self, request: Request, _ids: list[str]) -> Response:
        return self._show(self.writes.get_or_create(request.json))

    def _get_contact(self, _request: Request, ids: list[str]) -> Response:
        return self._show(self._contact(ids[0]))

    def _update_contact(self, request: Request, ids: list[str]) -> Response:
        return self._show(self.writes.update(self._contact(ids[0]), request.json))

    def _delete_contact(self, _request: Request, ids: list[str]) -> Response:
        self._contact(ids[0])
        self.model.delete_contact(ids[0])
        return answer(200, {})

    def _import(self, request: Request, _ids: list[str]) -> Response:
        made = self.writes.import_contacts(request.json)
        return answer(200, {"contacts": [{"id": contact_id} for contact_id in made]})

    # Groups -------------------------------------------------------------------------------------------------

    def _list_groups(self, request: Request, _ids: list[str]) -> Response:
        return Response(200, queries.groups_page(self.model, queries.php(request.params)))

    def _post_group(self, request: Request, _ids: list[str]) -> Response:
        return self._show_group(self.model.group(_name(request.json)))

    def _create_group(self, request: Request, _ids: list[str]) -> Response:
        body, name = request.json, _name(request.json)
        if self.model.group_table.find("name", name.casefold()):
            raise invalid("a group with this name exists", "name")
        if body.get("filters") is not None:
            queries.dynamic_tests(body["filters"])
        return self._show_group(self.model.make_group(name, body.get("filters")))

    def _get_group(self, _request: Request, ids: list[str]) -> Response:
        return self._show_group(self._group(ids[0]))

    def _update_group(self, request: Request, ids: list[str]) -> Response:
        group, body, columns = self._group(ids[0]), request.json, {}
        if "name" in body:
            columns["name"] = _name(body)
        if "filters" in body:
            if not group["dynamic"]:
                raise invalid("this group is not dynamic", "filters")
            queries.dynamic_tests(body["filters"])
            columns["_filters"] = body["filters"]
        return self._show_group(self.model.change_group(group, columns))

    def _group_contacts(self, request: Request, ids: list[str]) -> Response:
        group, params = self._group(ids[0]), queries.php(request.params)
        checks = queries.tests(params)
        if group["dynamic"]:
            checks += queries.dynamic_tests(group["_filters"])
        else:
            checks.append(lambda data: group["id"] in data["group_ids"])
        return Response(200, queries.contacts_page(self.model, params, checks))

    def _add_to_group(self, _request: Request, ids: list[str]) -> Response:
        self.writes.set_group(self._contact(ids[1]), self._group(ids[0]), member=True)
        return answer(200, {})

    def _remove_from_group(self, _request: Request, ids: list[str]) -> Response:
        self.writes.set_group(self._contact(ids[1]), self._group(ids[0]), member=False)
        return answer(200, {})

    # --------------------------------------------------------------------------------------------------------

    def _contact(self, contact_id: str) -> Row:
        try:
            return self.model.contact_table.rows[contact_id]
        except KeyError:
            raise missing("contact") from None

    def _group(self, group_id: str) -> Data:
        row = self.model.group_table.get(group_id)
        if row is None:
            raise missing("group")
        return row.data

    def _show(self, row: Row) -> Response:
        row.seen = True
        return Response(200, row.encode(self.model.contact_table.encoder))

    def _show_group(self, group: Data) -> Response:
        return Response(200, orjson.dumps(self.model.shown_group(group)))


_HANDLERS = {
    ("", "GET"): "_project",
    ("/contacts", "GET"): "_list_contacts",
    ("/contacts", "POST"): "_post_contact",
    ("/contacts/{contact_id}", "GET"): "_get_contact",
    ("/contacts/{contact_id}", "POST"): "_update_contact",
    ("/contacts/{contact_id}", "DELETE"): "_delete_contact",
    ("/import_contacts", "POST"): "_import",
    ("/groups", "GET"): "_list_groups",
    ("/groups", "POST"): "_post_group",
    ("/create_group", "POST"): "_create_group",
    ("/groups/{group_id}", "GET"): "_get_group",
    ("/groups/{group_id}", "POST"): "_update_group",
    ("/groups/{group_id}/contacts", "GET"): "_group_contacts",
    ("/groups/{group_id}/contacts/{contact_id}", "PUT"): "_add_to_group",
    ("/groups/{group_id}/contacts/{contact_id}", "DELETE"): "_remove_from_group",
}


def _shape(parts: list[str]) -> tuple[str, list[str]]:
    """The path with its ids taken out, and the ids."""
    names = {"contacts": "{contact_id}", "groups": "{group_id}"}
    shape, ids = "", []
    for place, part in enumerate(parts):
        if place % 2:
            ids.append(part)
            part = names.get(parts[place - 1], "?")
        shape += f"/{part}"
    return shape, ids


def _name(body: Any) -> str:
    if not isinstance(body, dict) or not isinstance(body.get("name"), str) or not body["name"].strip():
        raise invalid("name must be a string", "name")
    return str(body["name"])
