"""Colony over HTTP, as a Django REST framework service answers: the routes the connector needs, and those it must not
touch, which count as harm.

Published (Colony REST API docs): `/oauth2/access_token/`, `/contact/contactlists/`, `/contact/contactlists/contact/`,
the parameter `file` of the import, the filter `originator`, and what each route is for. All other paths are ours.
"""

from __future__ import annotations

import csv
import email.message
import email.parser
import email.policy
import io
import itertools
import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlencode

from daemon.sandbox.colony import TEXTS, ColonyModel
from daemon.sandbox.colony_login import ColonyError, Tokens, refused
from daemon.sandbox.harm import SaysNo, same_phone
from daemon.sandbox.table import Data, Row
from daemon.sandbox.wire import BadBodyError, Request, Response, answer

_NUMBER = re.compile(r"[1-9]\d{6,14}")
Handler = Callable[[Request, int], Response]


class ColonyApi:
    """Answers requests. `path` is what follows the host on the real platform."""

    def __init__(self, model: ColonyModel, others: SaysNo, password: str, secret: str) -> None:
        self.model, self.others, self.tokens = model, others, Tokens(model, password, secret)
        self._routes: dict[str, dict[str, Handler]] = {
            "/contact/contactlists/": {"GET": self._lists},
            "/contact/contactlists/{id}/": {"GET": self._one_list, "DELETE": self._delete_list},
            "/contact/contactlists/contact/": {"GET": self._contacts, "POST": self._create},
            "/contact/contactlists/contact/{id}/": {
                "GET": self._contact,
                "PATCH": self._patch,
                "PUT": self._put,
                "DELETE": self._delete,
            },
            "/contact/contactlists/import/": {"GET": self._nothing, "POST": self._import},
            "/contact/optouts/": {"GET": self._optouts, "POST": self._opt_out},
            "/contact/optouts/{id}/overwrite/": {"POST": self._overwrite, "PUT": self._overwrite},
            "/contact/messages/send/": {"POST": self._send},
            "/contact/messages/sendbulk/": {"POST": self._send},
            "/contact/deployments/": {"GET": self._nothing, "POST": self._send},
        }

    def respond(self, request: Request) -> Response:
        with self.model.lock:
            self.model.commits.begin_request()
            try:
                if request.path == "/oauth2/access_token/":
                    return self.tokens.give(request)
                return self._route(request)
            except ColonyError as problem:
                return answer(problem.status, problem.body)
            except BadBodyError:
                return answer(400, {"detail": "JSON parse error"})

    def refusal(self, status: int) -> Response:
        return answer(status, refused(status).body)

    # Routes -------------------------------------------------------------------------------------------------

    def _route(self, request: Request) -> Response:
        scope = self.tokens.scope(request)
        found = re.search(r"/(\d+)/", request.path)
        handlers = self._routes.get(re.sub(r"/\d+/", "/{id}/", request.path))
        if handlers is None:
            raise refused(404)
        if request.method == "OPTIONS":
            return self._options(request, handlers, "write" in scope)
        if request.method not in handlers:
            raise ColonyError(405, {"detail": f'Method "{request.method}" not allowed.'})
        if request.method != "GET" and "write" not in scope:
            raise refused(403)
        return handlers[request.method](request, int(found[1]) if found else 0)

    def _options(self, request: Request, handlers: dict[str, Handler], writes: bool) -> Response:
        """The metadata of Django REST framework: the fields only for what this token may write."""
        about: Data = {"name": request.path.strip("/").rpartition("/")[2], "description": ""}
        about |= {"renders": ["application/json"], "parses": ["application/json", "multipart/form-data"]}
        contacts = request.path.startswith("/contact/contactlists/contact/")
        actions = {method: _FIELDS for method in ("POST", "PUT") if method in handlers} if contacts and writes else {}
        body = about | ({"actions": actions} if actions else {})
        return answer(200, body, (("Allow", ", ".join([*handlers, "HEAD", "OPTIONS"])),))

    def _page(self, request: Request, rows: Iterable[Any], count: int, show: Callable[[Any], Data]) -> Response:
        """`{count, next, previous, results}`."""
        params = dict(request.params)
        size = min(_whole(params.get("page_size"), self.model.page_max), self.model.page_max)
        number = _whole(params.get("page"), 1)
        start = (number - 1) * size
        if start and start >= count:
            raise refused(404)
        shown = [show(row) for row in itertools.islice(rows, start, start + size)]
        onwards = self._address(request, params, number + 1) if start + size < count else None
        back = self._address(request, params, number - 1) if number > 1 else None
        return answer(200, {"count": count, "next": onwards, "previous": back, "results": shown})

    def _address(self, request: Request, params: dict[str, str], number: int) -> str:
        host = request.headers.get("host", "api.colonyhq.com")
        return f"http://{host}/colony{request.path}?{urlencode({**params, 'page': number})}"

    # Reading ------------------------------------------------------------------------------------------------

    def _nothing(self, request: Request, _id: int) -> Response:
        return self._page(request, [], 0, lambda row: row)

    def _lists(self, request: Request, _id: int) -> Response:
        table = self.model.list_table
        return self._page(request, table, len(table), lambda row: _public(row.data))

    def _one_list(self, _request: Request, id_: int) -> Response:
        row = self.model.list_table.get(id_)
        if row is None:
            raise refused(404)
        return answer(200, _public(row.data))

    def _contacts(self, request: Request, _id: int) -> Response:
        params, table = dict(request.params), self.model.contact_table
        number, address = params.get("mobile_number"), params.get("email")
        if number is not None or address is not None:
            rows = [row for row in table if _fits(row.data, number, address)]
            return self._page(request, rows, len(rows), self._seen)
        if "contact_list" not in params:
            return self._page(request, table, len(table), self._seen)
        keys = self.model.members(_whole(params["contact_list"], 0))
        return self._page(request, (table.rows[key] for key in keys), len(keys), self._seen)

    def _seen(self, row: Row) -> Data:
        row.seen = True
        return self.model.shown(row.data)

    def _contact(self, _request: Request, id_: int) -> Response:
        return answer(200, self._seen(self._row(id_)))

    def _optouts(self, request: Request, _id: int) -> Response:
        table, wanted = self.model.optout_table, dict(request.params).get("originator")
        rows = list(table) if wanted is None else table.find("originator", wanted)
        return self._page(request, rows, len(rows), lambda row: _public(row.data))

    # Writing ------------------------------------------------------------------------------------------------

    def _create(self, request: Request, _id: int) -> Response:
        body = self._checked(request.json, whole=True)
        lists = self._lists_in(request.json)
        return answer(201, self._seen(self._row(self._insert(body, lists))))

    def _lists_in(self, body: Data) -> list[int]:
        wanted = body.get("contact_list")
        row = self.model.list_table.get(wanted if isinstance(wanted, int) else _whole(wanted, 0))
        if row is None or row.data["saved_query"] is not None:
            raise ColonyError(400, {"contact_list": ["Invalid pk - object does not exist."]})
        return [row.data["id"]]

    def _insert(self, columns: Data, lists: list[int]) -> int:
        harm, model, phone = self.model.harm, self.model, columns.get("mobile_number")
        if model.has_phone(phone) or model.has_email(columns.get("email")):
            harm.add("duplicates", "colony: made a contact whose phone or email exists")
        self._watch_no(phone, "made a reachable contact who said no elsewhere")
        return model.insert(columns, lists, by_api=True)

    def _watch_no(self, phone: str | None, what: str) -> None:
        number = same_phone(phone)
        if number is not None and self.others.says_no(number) and not self.model.says_no(number):
            self.model.harm.add("resubscribed", f"colony: {what}")

    def _patch(self, request: Request, id_: int) -> Response:
        columns = self._checked(request.json, whole=False)
        row = self._watched(id_, columns)
        self.model.write(row, columns, by_api=True)
        return answer(200, self._seen(self._row(id_)))

    def _put(self, request: Request, id_: int) -> Response:
        columns = self._checked(request.json, whole=True)
        row = self._watched(id_, columns)
        lost = [name for name in TEXTS if row.data[name] is not None and columns.get(name) is None]
        if lost:
            self.model.harm.add("fields_nulled", f"colony: a PUT to {id_} blanked what it left out", len(lost))
        self.model.write(row, {**dict.fromkeys(TEXTS), **columns}, by_api=True)
        return answer(200, self._seen(self._row(id_)))

    def _watched(self, id_: int, columns: Data) -> Row:
        """The row to be changed, and what harm that is."""
        row, harm, phone = self._row(id_), self.model.harm, columns.get("mobile_number")
        self.model.commits.settle(id_)
        row = self._row(id_)
        if phone is not None and same_phone(phone) != same_phone(row.data["mobile_number"]):
            if self.model.has_phone(phone, besides=id_):
                harm.add("wrong_person", f"colony: gave {id_} the phone of another contact")
            old, new = same_phone(row.data["mobile_number"]), same_phone(phone)
            if self.model.says_no(old) and not self.model.says_no(new):
                harm.add("resubscribed", f"colony: {id_} had said no, and got a number that has not")
        if columns and not row.seen:
            harm.blind(f"colony: wrote to {id_}, not read since it changed")
        return row

    def _delete(self, _request: Request, id_: int) -> Response:
        self._row(id_)
        self.model.harm.add("records_deleted", f"colony: deleted contact {id_}")
        self.model.delete_contact(str(id_))
        return Response(204)

    def _delete_list(self, _request: Request, id_: int) -> Response:
        row = self.model.list_table.get(id_)
        if row is None:
            raise refused(404)
        self.model.harm.add("records_deleted", f"colony: deleted list {id_}")
        self.model.delete_list(row.data["title"])
        return Response(204)

    def _import(self, request: Request, _id: int) -> Response:
        """Takes the file and says no more than that it was taken; rows that are no contacts are left out in silence."""
        form = _multipart(request)
        if "file" not in form:
            raise ColonyError(400, {"file": ["No file was submitted."]})
        lists = self._lists_in({"contact_list": form.get("contact_list")})
        for line in csv.DictReader(io.StringIO(form["file"])):
            columns = {name: value or None for name, value in line.items() if name in TEXTS}
            if _NUMBER.fullmatch(columns.get("mobile_number") or ""):
                self._import_one(columns, lists)
        return answer(200, {})

    def _import_one(self, columns: Data, lists: list[int]) -> None:
        with self.model.late(self.model.import_after) if self.model.import_after else nullcontext():
            self._insert(columns, lists)

    def _opt_out(self, request: Request, _id: int) -> Response:
        body = request.json
        originator = body.get("originator") if isinstance(body, dict) else None
        if not isinstance(originator, str) or not (_NUMBER.fullmatch(originator) or "@" in originator):
            raise ColonyError(400, {"originator": ["Enter a valid value."]})
        made = int(self.model.add_optout(originator, str(body.get("reason") or "")))
        row = self.model.optout_table.get(made)
        return answer(201, _public(row.data) if row else {})

    def _overwrite(self, _request: Request, id_: int) -> Response:
        row = self.model.optout_table.get(id_)
        if row is None:
            raise refused(404)
        self.model.harm.add("optouts_overwritten", f"colony: lifted opt-out {id_}")
        self.model.overwrite(row)
        return answer(200, {})

    def _send(self, _request: Request, _id: int) -> Response:
        self.model.harm.add("messages_sent", "colony: messages were sent")
        return answer(200, {})

    # --------------------------------------------------------------------------------------------------------

    def _row(self, id_: int) -> Row:
        row = self.model.contact_table.get(id_)
        if row is None:
            raise refused(404)
        return row

    def _checked(self, body: Any, *, whole: bool) -> Data:
        """The columns that are given; names it does not know it ignores. Raises ColonyError with errors by field."""
        if not isinstance(body, dict):
            raise ColonyError(400, {"non_field_errors": ["Invalid data. Expected a dictionary."]})
        columns = {name: body[name] for name in TEXTS if name in body}
        errors = {name: ["Not a valid string."] for name, v in columns.items() if not isinstance(v, (str, type(None)))}
        phone = columns.get("mobile_number")
        if phone is None and (whole or "mobile_number" in columns):
            errors["mobile_number"] = ["This field is required."]
        elif isinstance(phone, str) and not _NUMBER.fullmatch(phone):
            errors["mobile_number"] = ["Enter a valid number."]
        if errors:
            raise ColonyError(400, errors)
        return columns


_KINDS = {name: {"type": "string", "required": name == "mobile_number", "read_only": False} for name in TEXTS}
_GIVEN = dict.fromkeys(("id", "company", "date_created", "date_updated", "contact_lists"))
_FIELDS: Data = {name: {"type": "field", "required": False, "read_only": True} for name in _GIVEN}
_FIELDS |= _KINDS | {"contact_list": {"type": "field", "required": True, "read_only": False}}


def _fits(data: Data, number: str | None, address: str | None) -> bool:
    return number in (None, data["mobile_number"]) and address in (None, data["email"])


def _public(data: Data) -> Data:
    return {name: value for name, value in data.items() if name[0] != "_"}


def _whole(text: Any, default: int) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() else default


def _multipart(request: Request) -> dict[str, str]:
    """The fields of a form with files, as texts."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    parts = [part for part in message.iter_parts() if isinstance(part, email.message.EmailMessage)]
    named = [(part.get_param("name", header="content-disposition"), part.get_payload(decode=True)) for part in parts]
    return {str(name): raw.decode() for name, raw in named if isinstance(raw, bytes)}
