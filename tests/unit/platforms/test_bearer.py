"""Access by a token: fetched, renewed when it runs out, fetched anew when it is refused, and never told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.errors import NeedsPerson, RetryLater
from daemon.platforms.bearer import EARLY
from daemon.platforms.colony_door import Login, bearer
from daemon.platforms.gate import Gate
from daemon.platforms.http import Api
from daemon.sandbox.colony import CLIENT, USERNAME
from daemon.sandbox.sandbox import Sandbox

PASSWORD, SECRET = "sandbox-colony-password", "sandbox-colony-secret"
TOKEN, LISTS = "/oauth2/access_token/", "/contact/contactlists/"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(empty=True, clock=clock) as running:
        running.colony.token_seconds = 3600
        yield running


def api(sandbox: Sandbox, clock: Clock, *, password: str = PASSWORD, secret: str = SECRET) -> Api:
    login = Login(USERNAME, password, CLIENT, secret, "read")
    return Api(
        sandbox.base_url("colony"),
        gate=Gate(None),
        sleep=lambda _: None,
        timeout=5,
        authorize=bearer(login, TOKEN, clock=clock),
        secrets=(password, secret),
    )


def grants(sandbox: Sandbox) -> list[str]:
    """How tokens were asked for, in order."""
    forms = [call.wrote for call in sandbox.calls("colony", "POST")]
    return ["refresh" if "grant_type=refresh_token" in form else "password" for form in forms]


def read(one: Api) -> int:
    return one.request("GET", LISTS, safe=True).status


def test_one_token_serves_many_requests(sandbox: Sandbox, clock: Clock) -> None:
    one = api(sandbox, clock)
    assert [read(one) for _ in range(3)] == [200] * 3
    assert grants(sandbox) == ["password"]
    one.close()


def test_a_token_is_renewed_before_it_runs_out(sandbox: Sandbox, clock: Clock) -> None:
    """So early that a request that is on its way still arrives in time."""
    one = api(sandbox, clock)
    read(one)
    clock.now += 3600 - EARLY - 1
    read(one)
    assert grants(sandbox) == ["password"]
    clock.now += 2
    read(one)
    assert grants(sandbox) == ["password", "refresh"]
    assert [call.status for call in sandbox.calls("colony", "GET")] == [200] * 3
    one.close()


def test_a_token_that_is_refused_is_renewed_once_and_the_request_asked_again(sandbox: Sandbox, clock: Clock) -> None:
    one = api(sandbox, clock)
    read(one)
    sandbox.accounts["colony"].api.tokens.forget()  # type: ignore[attr-defined]
    assert read(one) == 200
    assert grants(sandbox) == ["password", "refresh"]
    assert [call.status for call in sandbox.calls("colony", "GET")] == [200, 401, 200]
    one.close()


def test_where_renewing_is_refused_the_password_is_asked_for_again(sandbox: Sandbox, clock: Clock) -> None:
    one = api(sandbox, clock)
    read(one)
    sandbox.accounts["colony"].api.tokens.forget(refresh=True)  # type: ignore[attr-defined]
    assert read(one) == 200
    assert grants(sandbox) == ["password", "refresh", "password"]
    one.close()


def test_a_token_that_is_always_refused_needs_a_person_and_does_not_go_round(sandbox: Sandbox, clock: Clock) -> None:
    one = api(sandbox, clock)
    sandbox.faults.add("401", platform="colony", method="GET", times=None)
    with pytest.raises(NeedsPerson):
        read(one)
    assert grants(sandbox) == ["password", "refresh"]
    one.close()


@pytest.mark.parametrize("wrong", [{"password": "not-the-password"}, {"secret": "not-the-secret"}])
def test_a_refused_login_needs_a_person_and_tells_no_secret(
    sandbox: Sandbox, clock: Clock, wrong: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    one = api(sandbox, clock, **wrong)
    with pytest.raises(NeedsPerson) as caught:
        read(one)
    told = f"{caught.value}{caught.value.hint}{caught.value.__cause__}{caplog.text}"
    assert "refused" in told
    for word in (PASSWORD, SECRET, CLIENT, *wrong.values()):
        assert word not in told
    assert sandbox.calls("colony", "GET") == []
    one.close()


def test_a_login_that_is_busy_is_tried_later(sandbox: Sandbox, clock: Clock) -> None:
    one = api(sandbox, clock)
    sandbox.faults.add("503", platform="colony", method="POST", times=20)
    with pytest.raises(RetryLater):
        read(one)
    one.close()


def test_a_lost_answer_of_a_login_is_asked_for_again(sandbox: Sandbox, clock: Clock) -> None:
    one = api(sandbox, clock)
    sandbox.faults.add("lost", platform="colony", method="POST")
    assert read(one) == 200
    one.close()


def test_the_tokens_of_a_login_are_in_no_error(
    sandbox: Sandbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    one = api(sandbox, clock)
    read(one)
    for fault in ("500", "403", "html", "truncated"):
        sandbox.faults.add(fault, platform="colony", method="GET", times=8)
        with pytest.raises((NeedsPerson, RetryLater)) as caught:
            read(one)
        sandbox.faults.clear()
        assert "sandbox-" not in f"{caught.value}{caught.value.hint}{caplog.text}"
    one.close()


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_refused_login_speaks_of_the_login_and_not_of_a_key(sandbox: Sandbox, clock: Clock, status: str) -> None:
    one = api(sandbox, clock)
    sandbox.faults.add(status, platform="colony", method="POST", times=9)
    with pytest.raises(NeedsPerson, match="refused our login") as caught:
        read(one)
    assert "user name" in caught.value.hint
    assert "key" not in f"{caught.value} {caught.value.hint}"
    one.close()


@pytest.mark.parametrize("status", ["401", "403"])
def test_who_may_log_in_and_not_look_is_not_sent_to_check_a_key(sandbox: Sandbox, clock: Clock, status: str) -> None:
    one = api(sandbox, clock)
    sandbox.faults.add(status, platform="colony", method="GET", times=9)
    with pytest.raises(NeedsPerson, match="let us log in") as caught:
        read(one)
    assert "key" not in f"{caught.value} {caught.value.hint}"
    one.close()
