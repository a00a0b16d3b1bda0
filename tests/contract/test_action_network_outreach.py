"""Action Network's outreaches, call by call: found by person, campaign and moment; sent with nothing but who it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from daemon.errors import AnswerLost, RetryLater, SkipRecord
from daemon.platforms import action_network_outreach
from daemon.platforms.action_network_outreach import Recorder, identity, payload, seconds, stamp
from daemon.platforms.base import Acted, Action, ActionsFound
from daemon.platforms.gate import Gate
from daemon.platforms.http import Api

CAMPAIGN = "f77e736b-d295-4e68-96ec-a765090c6523"
OTHER = "0b2de1b1-3b4c-4e7a-9a52-1c1f0d1f6a01"
ANN = "17be9a36-bb9a-4f68-94a8-40523b9dab27"
ID = "38ec0365-f996-42a0-b26a-dbed24cf927f"
AT = 1_395_943_125  # 2014-03-27T17:58:45Z
SAMPLE = {
    "identifiers": [f"action_network:{ID}"],
    "created_date": "2014-03-27T17:58:45Z",
    "modified_date": "2014-03-27T17:58:45Z",
    "type": "email",
    "targets": [{"given_name": "Joe", "family_name": "Schmoe"}],
    "action_network:person_id": "c945d6fe-929e-11e3-a2e9-12313d316c29",
    "action_network:advocacy_campaign_id": CAMPAIGN,
    "_links": {
        "osdi:advocacy_campaign": {"href": f"https://actionnetwork.org/api/v2/advocacy_campaigns/{CAMPAIGN}"},
        "osdi:person": {"href": f"https://actionnetwork.org/api/v2/people/{ANN}"},
    },
}
"""The answer of the vendor's own example, in which the person has two ids."""
PERSON = {
    "identifiers": [f"action_network:{ANN}"],
    "given_name": "Ann",
    "email_addresses": [
        {"primary": False, "address": "old@example.org", "status": "subscribed"},
        {"primary": True, "address": "ann@example.org", "status": "unsubscribed"},
    ],
    "phone_numbers": [{"primary": True, "number": "12025550101", "status": "subscribed"}],
}


def action(**more: Any) -> Action:
    return Action(ANN, CAMPAIGN, AT, {"title": "Senator"}, {}, {}, **more)


class Server:
    """Answers by method and path, without the query; what it has no answer to is 404. Only the first page has rows."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked, self.sent = answers, list[str](), list[Any]()

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        self.asked.append(f"{method} {path}")
        self.sent += [json.loads(body)] if body else []
        found = self.answers.get(f"{method} {path}")
        if found is None:
            return 404, {"error": "not found"}
        rows = found if isinstance(found, list) else None
        if rows is not None:
            return 200, {"_embedded": {"osdi:outreaches": rows if query.startswith("page=1&") else []}}
        return 200, found


@contextmanager
def recorder(answers: dict[str, Any]) -> Iterator[tuple[Recorder, Server, list[Any]]]:
    server = Server(answers)

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, answer = server.answer(self.command, self.path, body)
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = respond  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    api = Api(f"http://127.0.0.1:{http.server_port}", gate=Gate(None), sleep=lambda _: None)
    made: list[Any] = []
    try:
        yield Recorder(api, made.append), server, made
    finally:
        api.close()
        http.shutdown()
        http.server_close()
        thread.join()


MINE = f"GET /people/{ANN}/outreaches"
THEIRS = f"GET /advocacy_campaigns/{CAMPAIGN}/outreaches"


@pytest.mark.parametrize(
    ("since", "until", "ids"), [(AT, AT, (ID,)), (AT - 9, AT + 9, (ID,)), (AT + 1, AT + 9, ()), (0, AT - 1, ())]
)
def test_an_outreach_is_found_by_its_moment(since: int, until: int, ids: tuple[str, ...]) -> None:
    with recorder({MINE: [SAMPLE]}) as (door, _, _):
        assert door.find(ANN, CAMPAIGN, since, until) == ActionsFound(ids, complete=True)


def test_what_the_person_did_for_another_campaign_is_another_outreach() -> None:
    with recorder({MINE: [SAMPLE, {"identifiers": "?", "created_date": None}]}) as (door, _, _):
        assert door.find(ANN, OTHER, AT, AT) == ActionsFound((), complete=True)


def test_more_pages_than_can_be_looked_through_are_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_network_outreach, "MOST_PAGES", 1)
    with recorder({MINE: [SAMPLE]}) as (door, _, _):
        assert door.find(ANN, CAMPAIGN, 0, 1) == ActionsFound((), complete=False)


def test_where_a_persons_outreaches_are_not_listed_the_campaigns_are_looked_through() -> None:
    foreign = {**SAMPLE, "identifiers": ["action_network:else"], "_links": {}, "action_network:person_id": "else"}
    with recorder({THEIRS: [foreign, SAMPLE], f"GET /people/{ANN}": PERSON}) as (door, server, _):
        assert door.find(ANN, CAMPAIGN, AT, AT) == ActionsFound((ID,), complete=True)
        assert server.asked == [MINE, f"GET /people/{ANN}", THEIRS, THEIRS]


def test_a_person_who_is_gone_has_none_and_is_sent_nothing() -> None:
    with recorder({}) as (door, server, _):
        assert door.find(ANN, CAMPAIGN, AT, AT) is None
        assert door.send(action()) is None
        assert not any(asked.startswith("POST") for asked in server.asked)


def test_a_look_up_that_is_refused_concerns_this_person_alone() -> None:
    with recorder({}) as (door, server, _):
        server.answer = lambda *_: (400, {"error": "no"})  # type: ignore[method-assign]
        with pytest.raises(SkipRecord):
            door.find(ANN, CAMPAIGN, AT, AT)


@pytest.mark.parametrize("junk", [{}, {"_embedded": {}}, {"_embedded": {"osdi:outreaches": None}}])
def test_an_answer_that_is_no_page_does_not_say_that_nothing_was_recorded(junk: Any) -> None:
    """Else an outreach whose answer was lost would be sent again."""
    with recorder({}) as (door, server, _):
        server.answer = lambda *_: (200, junk)  # type: ignore[method-assign]
        with pytest.raises(RetryLater):
            door.find(ANN, CAMPAIGN, AT, AT)


def test_it_is_sent_with_the_persons_primary_email_and_no_status() -> None:
    posted = f"POST /advocacy_campaigns/{CAMPAIGN}/outreaches"
    with recorder({f"GET /people/{ANN}": PERSON, posted: SAMPLE}) as (door, server, made):
        sent = Action(
            ANN,
            CAMPAIGN,
            AT,
            {"title": "Senator"},
            {"subject": "Hello", "message": "Ann here"},
            {"source": "rosterd"},
            ("advocate",),
            ("inactive",),
        )
        assert door.send(sent) == Acted(ID, ANN)
        assert made == [("advocate",)]
        assert server.sent == [
            {
                "targets": [{"title": "Senator"}],
                "subject": "Hello",
                "message": "Ann here",
                "created_date": "2014-03-27T17:58:45Z",
                "person": {"email_addresses": [{"address": "ann@example.org"}]},
                "action_network:referrer_data": {"source": "rosterd"},
                "add_tags": ["advocate"],
                "remove_tags": ["inactive"],
            }
        ]


def test_an_answer_without_an_id_may_have_been_recorded_or_not() -> None:
    """As if no key had been sent: an empty object, which looks like success."""
    posted = f"POST /advocacy_campaigns/{CAMPAIGN}/outreaches"
    with recorder({f"GET /people/{ANN}": PERSON, posted: {}}) as (door, _, _), pytest.raises(AnswerLost):
        door.send(action())


def test_an_outreach_that_went_to_another_record_says_so() -> None:
    posted = f"POST /advocacy_campaigns/{CAMPAIGN}/outreaches"
    answer = {"identifiers": [f"action_network:{ID}"], "action_network:person_id": "other"}
    with recorder({f"GET /people/{ANN}": PERSON, posted: answer}) as (door, _, _):
        assert door.send(action()) == Acted(ID, "other")


def test_somebody_without_email_is_named_by_phone_and_somebody_without_either_not_at_all() -> None:
    assert identity({**PERSON, "email_addresses": []}) == {"phone_numbers": [{"number": "12025550101"}]}
    with pytest.raises(SkipRecord):
        identity({"email_addresses": None, "phone_numbers": [{"primary": True, "status": "subscribed"}]})


def test_what_is_not_said_is_not_sent() -> None:
    person = identity(PERSON)
    assert set(payload(action(), person)) == {"targets", "created_date", "person"}


def test_times_as_the_platform_writes_them() -> None:
    assert (stamp(AT), seconds("2014-03-27T17:58:45Z"), seconds(None), seconds("soon")) == (
        "2014-03-27T17:58:45Z",
        AT,
        -1,
        -1,
    )
