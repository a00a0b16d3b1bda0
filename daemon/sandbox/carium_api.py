"""Carium over HTTP: the login, the reads a connector needs, and the writes that none may ever make."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from daemon.sandbox.carium import USERNAME, CariumModel
from daemon.sandbox.harm import same_email
from daemon.sandbox.table import Row, Table
from daemon.sandbox.wire import BadBodyError, Request, Response

JSON_API = "application/vnd.api+json"
_LONGEST = 1000
_REFUSALS = {
    401: ("unauthorized", "the access token is missing, wrong or has run out"),
    402: ("payment-required", "the subscription of the organization has ended"),
    403: ("forbidden", "the user may not do that"),
    429: ("throttled", "too many requests"),
    500: ("internal-error", "something went wrong"),
    503: ("unavailable", "try again later"),
}

Route = Callable[[Request, str], Response]


class CariumError(Exception):
    """An error as the platform words it. Its `detail` quotes what was sent, as real ones do."""

    def __init__(self, status: int, code: str, detail: str, parameter: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        source = {"parameter": parameter} if parameter else {}
        error = {"code": code, "detail": detail, "meta": {}, "source": source, "status": status}
        self.body = {"errors": [error]}


class CariumApi:
    """Answers requests. `path` is what follows the host on the real platform: /identity/v1/... or /courier/v1/..."""

    def __init__(self, model: CariumModel, password: str) -> None:
        self.model, self.password = model, password
        self._tokens: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "users/"): self._list_users,
            ("GET", "users/{id}/"): self._get_user,
            ("GET", "user-consents/"): self._list_consents,
            ("GET", "text-number-info/"): self._number_info,
            ("PATCH", "users/{id}/"): self._patch_user,
            ("POST", "user-consents/"): self._text_somebody,
            ("POST", "text-number-info/"): self._look_up,
            ("POST", "purge-data/"): self._purge,
        }

    def respond(self, request: Request) -> Response:
        with self.model.lock:
            self.model.commits.begin_request()
            try:
                if request.path == "/identity/v1/login/":
                    return self._login(request)
                self._authorize(request)
                return self._route(request)
            except CariumError as problem:
                return _answer(problem.status, problem.body)
            except BadBodyError:
                return _answer(400, CariumError(400, "invalid-json", "the body is not valid JSON").body)

    def refusal(self, status: int) -> Response:
        return _answer(status, CariumError(status, *_REFUSALS[status]).body)

    # Access -------------------------------------------------------------------------------------------------

    def _login(self, request: Request) -> Response:
        if request.method != "POST":
            raise CariumError(405, "method-not-allowed", f"{request.method} is not allowed here")
        body = request.json
        given = (body.get("username"), body.get("password")) if isinstance(body, dict) else None
        if given != (USERNAME, self.password):
            raise CariumError(401, "invalid-credentials", f"the login {given} was refused")
        token = f"sandbox-carium-token-{next(self._numbers)}"
        self._tokens[token] = self.model.clock() + self.model.token_seconds
        renew = f"sandbox-carium-refresh-{token.rpartition('-')[2]}"
        return _answer(200, {"access-token": token, "refresh-token": renew})

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self.model.clock() >= self._tokens.get(token, 0.0):
            raise CariumError(401, *_REFUSALS[401])

    def _route(self, request: Request) -> Response:
        found = re.fullmatch(r"/courier/v1/([a-z-]+)/(?:([^/]+)/)?", request.path)
        if found is None:
            raise CariumError(404, "not-found", f"nothing at {request.path}")
        shape = f"{found[1]}/{{id}}/" if found[2] else f"{found[1]}/"
        route = self._routes.get((request.method, shape))
        if route is not None:
            return route(request, found[2] or "")
        if any(known == shape for _, known in self._routes):
            raise CariumError(405, "method-not-allowed", f"{request.method} is not allowed here")
        raise CariumError(404, "not-found", f"nothing at {request.path}")

    # Reads --------------------------------------------------------------------------------------------------

    def _list_users(self, request: Request, _id: str) -> Response:
        wanted = _filters(request, "email", "individual-id", "username")
        tests: dict[str, Callable[[Mapping[str, Any], str], bool]] = {
            "email": lambda data, value: same_email(data["email"]) == same_email(value),
            "individual-id": lambda data, value: data["primary-individual-id"] == value,
            "username": lambda data, value: data["username"] == value,
        }
        checks = [lambda data, test=tests[name], value=value: test(data, value) for name, value in wanted.items()]
        return self._list(request, self.model.user_table, checks)

    def _get_user(self, _request: Request, id_: str) -> Response:
        table = self.model.user_table
        return _answer(200, {"data": orjson.Fragment(self._user(id_).encode(table.encoder)), "meta": {}})

    def _list_consents(self, request: Request, _id: str) -> Response:
        wanted = _filters(request, "organization-id", "user-id")
        checks = [lambda data, name=name, value=value: data[name] == value for name, value in wanted.items()]
        return self._list(request, self.model.consent_table, checks)

    def _number_info(self, request: Request, _id: str) -> Response:
        number = dict(request.params).get("number")
        if number is None:
            raise CariumError(400, "required", "number is required", "number")
        self._check_number(number)
        known = self.model.numbers.get(number)
        return self._page(request, self.model.numbers, [known] if known else [])

    def _list(self, request: Request, table: Table, checks: list[Any]) -> Response:
        """In the order of the heap: none is promised."""
        fits = [row for row in table if all(check(row.data) for check in checks)] if checks else list(table)
        return self._page(request, table, fits)

    def _page(self, request: Request, table: Table, found: list[Row]) -> Response:
        limit, offset = _whole(request, "page[limit]", 1, _LONGEST, 100), _whole(request, "page[offset]", 0, None, 0)
        shown = found[offset : offset + min(limit, self.model.page_max)]
        meta = {"page[total]": len(found)} if self.model.page_total else {}
        rows = [orjson.Fragment(row.encode(table.encoder)) for row in shown]
        return _answer(200, {"data": rows, "meta": meta})

    def _user(self, id_: str) -> Row:
        row = self.model.user_table.get(id_)
        if row is None:
            raise CariumError(404, "not-found", f"there is no user {id_}")
        return row

    def _check_number(self, number: Any) -> None:
        if not isinstance(number, str) or not re.fullmatch(r"\+1\d{10}", number):
            raise CariumError(400, "invalid", f"{number} is no US number in E.164", "number")

    # What does harm -----------------------------------------------------------------------------------------

    def _patch_user(self, request: Request, id_: str) -> Response:
        """Deprecated; of a user's attributes it takes only `notifications`."""
        self._user(id_)
        given = _attributes(request)
        self.model.harm.add("carium_writes", f"PATCH users {id_}")
        if beyond := sorted(given.keys() - {"notifications"}):
            raise CariumError(400, "read-only", f"{', '.join(beyond)} cannot be written")
        self.model.edit_user(id_, notifications=given.get("notifications"))
        return self._get_user(request, id_)

    def _text_somebody(self, request: Request, _id: str) -> Response:
        """Begins a dialogue by SMS. A state cannot be given."""
        user = str(_attributes(request).get("user-id"))
        self._user(user)
        self.model.harm.add("people_texted", f"POST user-consents for {user}")
        made = self.model.consent(user, "pending")
        return self._made(self.model.consent_table, self.model.consent_table.rows[made])

    def _look_up(self, request: Request, _id: str) -> Response:
        number = _attributes(request).get("number")
        self._check_number(number)
        self.model.harm.add("carium_writes", "POST text-number-info")
        return self._made(self.model.numbers, self.model.number_info(str(number)))

    def _purge(self, request: Request, _id: str) -> Response:
        given = _attributes(request)
        whose = self.model.user_table.find("individual", str(given.get("entity-id")))
        self.model.harm.add("data_purged", f"POST purge-data {given.get('entity-id')}", max(1, len(whose)))
        for row in whose:
            self.model.delete_user(row.key)
        return _answer(201, None)

    def _made(self, table: Table, row: Row) -> Response:
        return _answer(201, {"data": orjson.Fragment(row.encode(table.encoder)), "meta": {}})


def _answer(status: int, value: Any) -> Response:
    return Response(status, orjson.dumps(value), content_type=JSON_API)


def _filters(request: Request, *names: str) -> dict[str, str]:
    """The filters given. One that is not known is refused."""
    given = {name[7:-1]: value for name, value in request.params if name.startswith("filter[")}
    if unknown := sorted(given.keys() - set(names)):
        raise CariumError(400, "invalid", f"no such filter: {', '.join(unknown)}", f"filter[{unknown[0]}]")
    return given


def _whole(request: Request, name: str, low: int, high: int | None, default: int) -> int:
    text = dict(request.params).get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
        raise CariumError(400, "invalid", f"{text} is out of range", name)
    return int(text)


def _attributes(request: Request) -> dict[str, Any]:
    body = request.json
    data = body.get("data") if isinstance(body, dict) else None
    found = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise CariumError(400, "invalid", "data.attributes is required")
    return found
