"""What is answered to which question: the routes of the page, and who may take them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from prometheus_client import CONTENT_TYPE_LATEST

from daemon import logs
from daemon.errors import RosterdError
from daemon.service import look
from daemon.service.page_access import STRANGER, Access, Visitor
from daemon.service.page_desk import Desk
from daemon.service.page_frame import EVERY, Frame, message, sign_in
from daemon.service.page_hold import hold_page
from daemon.service.page_home import home
from daemon.service.page_parts import Html, el
from daemon.service.page_person import found_page, person_page
from daemon.service.patience import Unanswered

HTML, JSON, TEXT = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8"
_RETURN = re.compile(r"/(?:(?:holds|contacts)/[1-9]\d{0,17})?")
"""Where a person who has signed in may be sent: our own pages, and nowhere else."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as far as it matters. Header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""

    def asked(self, name: str) -> str:
        """A field of the form, or blank."""
        return _first(self.body.decode("utf-8", "replace"), name)

    def told(self, name: str) -> str:
        """A part of the query, or blank."""
        return _first(self.query, name)

    @property
    def forwarded(self) -> bool:
        return not self.headers.keys().isdisjoint(("forwarded", "x-forwarded-for", "x-forwarded-host"))


def _first(encoded: str, name: str) -> str:
    try:
        return parse_qs(encoded, max_num_fields=20).get(name, [""])[0]
    except ValueError:  # more fields than any form of ours has
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()


def page_answer(body: Html, status: int = 200) -> Answer:
    return Answer(status, body.encode())


def json_answer(status: int, body: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(body, ensure_ascii=False).encode() + b"\n", JSON)


def _elsewhere(to: str, *headers: tuple[str, str]) -> Answer:
    return Answer(303, b"", TEXT, (("Location", to), *headers))


class Site:
    """All that can be asked."""

    def __init__(self, access: Access, desk: Desk) -> None:
        self._access, self._desk, self.public = access, desk, access.public
        self._log = logs.logger("rosterd.page")

    @cached_property
    def _routes(self) -> list[tuple[re.Pattern[str], dict[str, Callable[..., Answer]]]]:
        return [
            (re.compile(r"/"), {"GET": self._home}),
            (re.compile(r"/readyz"), {"GET": self._readyz}),
            (re.compile(r"/metrics"), {"GET": self._metrics}),
            (re.compile(r"/contacts"), {"POST": self._find}),
            (re.compile(r"/contacts/([1-9]\d{0,17})"), {"GET": self._person, "POST": self._reveal_person}),
            (re.compile(r"/holds/([1-9]\d{0,17})"), {"GET": self._hold, "POST": self._decide}),
            (re.compile(r"/outbox"), {"POST": self._retry}),
            (re.compile(r"/sign-out"), {"POST": self._sign_out}),
        ]

    def answer(self, asked: Question) -> Answer:
        """The answer to any question. Never raises for what a visitor, or a database that is away, can bring about."""
        if not self._access.knows_host(asked.headers.get("host")):
            words = b"This name does not lead here. Ask for 127.0.0.1 or localhost; a proxy must pass it on as Host.\n"
            return Answer(421, words, TEXT)
        if asked.method == "HEAD":
            return self.answer(replace(asked, method="GET"))
        if asked.path == "/healthz":
            return self._healthz(asked)
        if asked.method == "POST" and not self._ours(asked):
            return Answer(403, b"This form was not sent from a page of rosterd.\n", TEXT)
        if asked.path == "/sign-in":
            return self._sign_in(asked)
        return self._for(asked, self._visitor(asked))

    def _visitor(self, asked: Question) -> Visitor:
        return self._access.visitor(asked.headers.get("authorization"), asked.headers.get("cookie"))

    def _ours(self, asked: Question) -> bool:
        """A form from our own page; or a program's, which shows the token each time and is sent by no browser."""
        headers = asked.headers
        if "authorization" in headers:
            return True
        return self._access.same_origin(headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site"))

    def _frame(self, asked: Question, who: Visitor) -> Frame:
        every = EVERY if asked.path == "/" and asked.told("every") else None
        return Frame(who, self._access.has_token, self._desk.now, asked.path, every)

    def _for(self, asked: Question, who: Visitor) -> Answer:
        if not self._access.may_look(who, forwarded=asked.forwarded):
            return self._unknown(asked)
        found = next(((one, ways) for way, ways in self._routes if (one := way.fullmatch(asked.path))), None)
        if found is None:
            return Answer(404, b"There is no such page.\n", TEXT)
        matched, ways = found
        if asked.method not in ways:
            allowed = ", ".join([*ways, "HEAD"] if "GET" in ways else ways)
            return Answer(405, b"That cannot be done here.\n", TEXT, (("Allow", allowed),))
        numbers = [int(each) for each in matched.groups()]
        return self._tried(asked, who, lambda: ways[asked.method](asked, who, *numbers))

    def _tried(self, asked: Question, who: Visitor, work: Callable[[], Answer]) -> Answer:
        try:
            return work()
        except RosterdError as problem:
            hint = el("p", problem.hint, class_="note") if problem.hint else None
            return page_answer(message(self._frame(asked, who), "Not done", str(problem), hint), 409)
        except Unanswered as problem:
            return self._away(asked, who, str(problem))
        except self._desk.away as problem:
            return self._away(asked, who, self._desk.why(problem))

    def _away(self, asked: Question, who: Visitor, why: str) -> Answer:
        if asked.path == "/readyz":
            return json_answer(503, {"ready": False, "why": f"the database does not answer: {why}"})
        words = (
            "It is tried again with every look. What is under way goes on by itself as soon as the database is back."
        )
        if asked.method == "POST":
            words = "It may be done yet, or not: look at it again in a moment."
        frame = self._frame(asked, who)
        return page_answer(message(frame, "The database does not answer", f"It says: {why}.", words), 503)

    def _unknown(self, asked: Question) -> Answer:
        """Somebody without the token, where it is asked for."""
        headers = (("WWW-Authenticate", 'Bearer realm="rosterd"'),)
        if asked.path in ("/readyz", "/metrics"):
            return Answer(401, b"The token is asked for: Authorization: Bearer ...\n", TEXT, headers)
        form = sign_in(self._frame(replace(asked, path="/sign-in"), STRANGER), _safe_return(asked.path))
        return replace(page_answer(form, 401), headers=headers)

    # for machines

    def _healthz(self, asked: Question) -> Answer:
        if asked.method != "GET":
            return Answer(405, b"That cannot be done here.\n", TEXT, (("Allow", "GET, HEAD"),))
        ok, says = self._desk.health()
        tells = self._access.may_look(self._visitor(asked), forwarded=asked.forwarded)
        return json_answer(200 if ok else 503, {"ok": ok, "says": says} if tells else {"ok": ok})

    def _readyz(self, _: Question, __: Visitor) -> Answer:
        found, at = self._desk.standings()
        ready = look.all_ready(found)
        connections = {one.name: look.as_dict(one, at=at) for one in found if one.state != "off"}
        return json_answer(200 if ready else 503, {"ready": ready, "connections": connections})

    def _metrics(self, _: Question, __: Visitor) -> Answer:
        return Answer(200, self._desk.metrics(), CONTENT_TYPE_LATEST)

    # for people

    def _home(self, asked: Question, who: Visitor) -> Answer:
        seen, counted, promise = self._desk.overview()
        return page_answer(home(self._frame(asked, who), seen, counted, promise))

    def _find(self, asked: Question, who: Visitor) -> Answer:
        found = self._desk.find(asked.asked("asked"), by_name=who.trusted)
        if len(found) == 1:
            return _elsewhere(f"/contacts/{found[0].id}")
        return page_answer(found_page(self._frame(asked, who), found))

    def _person(self, asked: Question, who: Visitor, number: int, *, revealed: bool = False) -> Answer:
        found = self._desk.person(number)
        if found is None:
            return page_answer(message(self._frame(asked, who), f"There is no contact c{number}"), 404)
        return page_answer(person_page(self._frame(asked, who), found, revealed=revealed))

    def _reveal_person(self, asked: Question, who: Visitor, number: int) -> Answer:
        if refused := self._may_decide(asked, who):
            return refused
        self._log.info("contact.revealed", contact=f"c{number}", peer=asked.peer)
        return self._person(asked, who, number, revealed=True)

    def _hold(self, asked: Question, who: Visitor, number: int, *, revealed: bool = False) -> Answer:
        found = self._desk.hold(number)
        if found is None:
            return page_answer(message(self._frame(asked, who), f"There is no hold {number}"), 404)
        return page_answer(hold_page(self._frame(asked, who), *found, revealed=revealed))

    # with the token only

    def _may_decide(self, asked: Question, who: Visitor) -> Answer | None:
        """None for one who may; the answer for all others."""
        if not who.trusted:
            return self._unknown(asked)
        if not self._access.stamped(who, asked.asked("stamp")):
            frame = self._frame(asked, who)
            return page_answer(message(frame, "Not done", "This form is of another session. Open the page anew."), 403)
        return None

    def _decide(self, asked: Question, who: Visitor, number: int) -> Answer:
        if refused := self._may_decide(asked, who):
            return refused
        if asked.asked("do") == "reveal":
            self._log.info("hold.revealed", hold=number, peer=asked.peer)
            return self._hold(asked, who, number, revealed=True)
        words = " ".join(asked.asked("choice").split())
        done = self._desk.decide(number, words)
        self._log.info("hold.decided", hold=number, choice=words, peer=asked.peer)
        return page_answer(message(self._frame(asked, who), "Decided", f"Hold {number}: {done}.", kind="done"))

    def _retry(self, asked: Question, who: Visitor) -> Answer:
        if refused := self._may_decide(asked, who):
            return refused
        push = asked.asked("id").strip()
        self._desk.retry(push)
        self._log.info("push.retried", push=push, peer=asked.peer)
        words = f"Push {push} goes with the next run."
        return page_answer(message(self._frame(asked, who), "It is tried again", words, kind="done"))

    # signing in and out

    def _sign_in(self, asked: Question) -> Answer:
        frame = self._frame(asked, self._visitor(asked))
        if not self._access.has_token:
            return page_answer(message(frame, "There is no token", "This page only shows: nobody can sign in."), 404)
        if asked.method == "GET":
            return page_answer(sign_in(frame, _safe_return(asked.told("to"))))
        if asked.method != "POST":
            return Answer(405, b"That cannot be done here.\n", TEXT, (("Allow", "GET, HEAD, POST"),))
        to = _safe_return(asked.asked("to"))
        if not self._access.is_token(asked.asked("token").strip()):
            self._log.warning("page.wrong_token", peer=asked.peer)
            return page_answer(sign_in(frame, to, wrong=True), 403)
        self._log.info("page.signed_in", peer=asked.peer)
        return _elsewhere(to, ("Set-Cookie", self._access.cookie(self._access.session(), secure=_secure(asked))))

    def _sign_out(self, asked: Question, who: Visitor) -> Answer:
        if who.session is None or not self._access.stamped(who, asked.asked("stamp")):
            return _elsewhere("/")
        return _elsewhere("/", ("Set-Cookie", self._access.cookie("", secure=_secure(asked))))


def _safe_return(to: str) -> str:
    return to if _RETURN.fullmatch(to) else "/"


def _secure(asked: Question) -> bool:
    """Whether the browser came by https, through a proxy: then the cookie is never to go in the clear."""
    return asked.headers.get("x-forwarded-proto", "").lower() == "https"
