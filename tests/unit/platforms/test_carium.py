"""Carium on the wire: what is asked, byte by byte, and what is made of answers that are not as they should be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.errors import NeedsPerson, RetryLater
from daemon.platforms import carium
from daemon.platforms.answers import ApiError, refusal
from daemon.platforms.gate import Gate
from daemon.platforms.http import Api
from tests.unit.platforms.conftest import Script, reply

USER = {"id": "u1", "type": "users", "attributes": {"first-name": "Ada", "phone-unsubscribed": False}}


def ok(value: Any) -> bytes:
    return reply("200 OK", json.dumps(value).encode())


def consent(user: str, state: str) -> dict[str, Any]:
    return {"id": f"c-{user}", "attributes": {"user-id": user, "type": "sms", "state": state}}


@pytest.fixture
def connector(script: Script) -> Iterator[carium.Carium]:
    api = Api(
        script.url,
        gate=Gate(None),
        sleep=lambda _: None,
        headers={"Accept": carium.MEDIA_TYPE},
        authorize=carium.bearer("somebody", "hunter-two"),
        secrets=("hunter-two",),
    )
    connector = carium.Carium(api, username="somebody", facts={})
    yield connector
    connector.close()


def test_what_is_asked(script: Script, connector: carium.Carium) -> None:
    script.says(ok({"access-token": "t-1", "refresh-token": "r-1"}), ok({"data": USER}), ok({"data": []}))
    (record,) = connector.fetch(["u1"])
    login, user, consents = (each.decode() for each in script.requests)
    assert login.startswith("POST /identity/v1/login/ HTTP/1.1\r\n")
    assert json.loads(login.partition("\r\n\r\n")[2]) == {"username": "somebody", "password": "hunter-two"}
    assert "authorization:" not in login.lower()
    assert user.startswith("GET /courier/v1/users/u1/ HTTP/1.1\r\n")
    assert consents.startswith(
        "GET /courier/v1/user-consents/?page%5Blimit%5D=1000&filter%5Buser-id%5D=u1 HTTP/1.1\r\n"
    )
    for asked in (user, consents):
        assert "\r\naccept: application/vnd.api+json\r\n" in asked.lower()
        assert "\r\nauthorization: bearer t-1\r\n" in asked.lower()
    assert record.wire["first-name"] == "Ada"


@pytest.mark.parametrize(
    "login",
    [
        {"access-token": "t-1", "expires-in": 60},
        {"data": {"access-token": "t-1"}},
        {"data": {"type": "logins", "attributes": {"access-token": "t-1", "expires-in": "soon"}}},
    ],
)
def test_the_token_may_be_wrapped(script: Script, connector: carium.Carium, login: Any) -> None:
    script.says(ok(login), ok({"data": USER}), ok({"data": []}))
    assert len(list(connector.fetch(["u1"]))) == 1
    assert b"bearer t-1" in script.requests[1].lower()


@pytest.mark.parametrize(
    "login", [{}, {"data": []}, {"access-token": 7}, {"access-token": "a\nb"}, {"access-token": ""}]
)
def test_a_login_without_a_token_is_tried_later(script: Script, connector: carium.Carium, login: Any) -> None:
    script.says(ok(login))
    with pytest.raises(RetryLater, match="without a token"):
        list(connector.fetch(["u1"]))


def test_a_filter_that_is_ignored_is_not_believed(script: Script, connector: carium.Carium) -> None:
    everybody = [consent("u2", "declined"), consent("u1", "accepted"), "x", {"id": "c"}]
    script.says(ok({"access-token": "t-1"}), ok({"data": USER}), ok({"data": everybody}))
    (record,) = connector.fetch(["u1"])
    assert record.wire["sms_consent"] == "accepted"


@pytest.mark.parametrize("answer", [[], {"data": None}, {"data": {**USER, "id": "u2"}}, {"data": {"id": "u1"}}])
def test_an_answer_about_something_else_is_no_answer(script: Script, connector: carium.Carium, answer: Any) -> None:
    script.says(ok({"access-token": "t-1"}), ok(answer))
    with pytest.raises(RetryLater):
        list(connector.fetch(["u1"]))


def test_a_token_that_is_refused_twice_needs_a_person(script: Script, connector: carium.Carium) -> None:
    """Logged in again once, and no more."""
    no = reply("401 Unauthorized", b'{"errors":[{"code":"unauthorized","detail":"t-1 of somebody"}]}')
    script.says(ok({"access-token": "t-1"}), no, ok({"access-token": "t-2"}), no)
    with pytest.raises(NeedsPerson) as caught:
        list(connector.fetch(["u1"]))
    assert [each.split()[0] for each in script.requests] == [b"POST", b"GET", b"POST", b"GET"]
    assert "t-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([{"code": "invalid", "detail": "Ada Lovelace", "source": {"parameter": "ada@example.org"}}], "400 invalid"),
        ([{"code": "a"}, {"code": "b.c-d"}, {"code": "a"}], "400 a,b.c-d"),
        ([{"code": "1042"}], "400 1042"),
        ([{"code": "ada@example.org"}, {"code": "+12025550101"}, {"code": "2025550101"}], "400"),
        ([{"code": "Ada Lovelace"}, {"code": None}, "Ada", {"detail": "Ada"}], "400"),
        ("Ada", "400"),
    ],
)
def test_of_an_error_only_its_codes_are_told(errors: Any, told: str) -> None:
    """Detail, source and meta quote what was sent or stored."""
    problem = refusal(400, {"errors": errors}, None)
    assert isinstance(problem, ApiError)
    assert str(problem) == told
