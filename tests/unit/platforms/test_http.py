"""The HTTP layer against real sockets: every answer becomes what happens next."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from daemon.errors import AnswerLost, NeedsPerson, RetryLater, RosterdError, SkipRecord
from daemon.platforms.answers import ApiError
from daemon.platforms.gate import Gate
from daemon.platforms.http import Api, retry_after
from daemon.sandbox.sandbox import Sandbox
from tests.unit.platforms.conftest import Script, reply

OK = reply("200 OK", b'{"fine": true}')
NOW = 1_800_000_000.0


class Sleeps(list[float]):
    """Sleeps that take no time."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def slept() -> Sleeps:
    return Sleeps()


@pytest.fixture
def api(script: Script, slept: Sleeps) -> Iterator[Api]:
    gate = Gate(None, sleep=slept)
    api = Api(script.url, gate=gate, sleep=slept, clock=lambda: NOW, timeout=2, cap=1000, headers={"X-Key": "secret"})
    yield api
    api.close()


def test_an_answer_is_parsed(script: Script, api: Api) -> None:
    script.says(reply("200 OK", b'[1, "\xc3\xa9"]', "X-Thing: A"))
    answer = api.request("GET", "/people", safe=True)
    assert (answer.status, answer.data, answer.headers["x-thing"]) == (200, [1, "é"], "A")
    assert (api.calls, api.throttled) == (1, 0)


def test_an_answer_packed_with_gzip_is_unpacked(script: Script, api: Api) -> None:
    script.says(reply("200 OK", gzip.compress(b'{"a": 1}'), "Content-Encoding: gzip"))
    assert api.request("GET", "/", safe=True).data == {"a": 1}
    assert b"Accept-Encoding: gzip\r\n" in script.requests[0]


def test_what_is_sent(script: Script, api: Api) -> None:
    """A plus sign is encoded, or the server would read a space."""
    script.says(OK)
    params = [("phone_number", "eq.+12025550101"), ("id", "in.(1,2)"), ("vars[a b]", "é&=")]
    api.request("POST", "/people", params=params, json={"name": "Zoë"}, headers={"Prefer": "x"}, safe=False)
    line, _, rest = script.requests[0].partition(b"\r\n")
    query = b"phone_number=eq.%2B12025550101&id=in.(1,2)&vars%5Ba%20b%5D=%C3%A9%26%3D"
    assert line == b"POST /people?" + query + b" HTTP/1.1"
    assert b"Prefer: x" in rest
    assert b"Content-Type: application/json" in rest
    assert b"User-Agent: rosterd" in rest
    assert rest.endswith('{"name":"Zoë"}'.encode())


def test_an_empty_answer_is_fine_where_none_is_expected(script: Script, api: Api) -> None:
    script.says(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert api.request("PUT", "/x", safe=True, expect_json=False).data is None


BROKEN = {
    "a web page": (reply("200 OK", b"<!doctype html><p>Welcome"), "a web page instead of JSON"),
    "no JSON": (reply("200 OK", b'{"a": '), "an answer that is not JSON"),
    "nothing": (reply("200 OK"), "an empty answer"),
    "too much": (reply("200 OK", b"[" + b"1," * 600 + b"1]"), "an answer above 1000 bytes"),
    "a bomb": (reply("200 OK", gzip.compress(b" " * 10**7), "Content-Encoding: gzip"), "an answer above 1000 bytes"),
    "cut off": (reply("200 OK", b'{"a": 1}').replace(b"Length: 8", b"Length: 9"), "RemoteProtocolError"),
    "cut off, packed": (
        reply("200 OK", gzip.compress(b'{"a": 1}')[:-6], "Content-Encoding: gzip"),
        "a truncated answer",
    ),
    "packed wrongly": (reply("200 OK", b"no gzip", "Content-Encoding: gzip"), "an answer that cannot be unpacked"),
    "packed otherwise": (reply("200 OK", b"x", "Content-Encoding: br"), "an answer packed as br"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n", "RemoteProtocolError"),
    "nobody there": (None, "RemoteProtocolError"),
    "a strange status": (reply("299 Odd", b""), "an empty answer"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_unusable_answer_is_asked_for_again_if_that_is_safe(script: Script, api: Api, kind: str) -> None:
    broken, words = BROKEN[kind]
    script.says(broken, OK)
    assert api.request("GET", "/", safe=True).data == {"fine": True}
    script.says(broken)
    with pytest.raises(RetryLater, match=words) as caught:
        api.request("GET", "/", safe=True)
    assert not isinstance(caught.value, AnswerLost)
    assert len(script.requests) == 2 + 4


@pytest.mark.parametrize("kind", BROKEN)
def test_an_unusable_answer_to_a_write_is_a_lost_answer(script: Script, api: Api, kind: str) -> None:
    script.says(BROKEN[kind][0], OK)
    with pytest.raises(AnswerLost):
        api.request("POST", "/", json={}, safe=False)
    assert len(script.requests) == 1


def test_a_bomb_is_never_unpacked_whole(script: Script, api: Api) -> None:
    script.says(reply("200 OK", gzip.compress(b" " * 20_000_000), "Content-Encoding: gzip"))
    tracemalloc.start()
    with pytest.raises(RetryLater, match="above 1000 bytes"):
        api.request("GET", "/", safe=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Unavailable", "504 Timeout", "408 Timeout"])
def test_a_server_error_may_have_done_the_work(script: Script, api: Api, status: str) -> None:
    script.says(reply(status, b"<html>"), OK)
    assert api.request("GET", "/", safe=True).data == {"fine": True}
    script.says(reply(status, b"<html>"), OK)
    with pytest.raises(AnswerLost, match=status[:3]):
        api.request("POST", "/", json={}, safe=False)


@pytest.mark.parametrize("status", ["429 Slow Down", "425 Too Early"])
def test_a_refusal_for_now_is_repeated_even_for_a_write(script: Script, api: Api, status: str) -> None:
    script.says(reply(status), OK)
    assert api.request("POST", "/", json={}, safe=False).data == {"fine": True}


def test_retry_after_is_waited_out(script: Script, api: Api, slept: Sleeps) -> None:
    script.says(reply("429 Slow Down", b"", "Retry-After: 7"), OK)
    api.request("POST", "/", json={}, safe=False)
    assert max(slept) == pytest.approx(7, abs=0.5)
    assert (api.throttled, api.outcomes["200"]) == (1, 1)


def test_a_503_that_says_when_to_come_back_did_nothing(script: Script, api: Api) -> None:
    script.says(reply("503 Unavailable", b"", "Retry-After: 1"), OK)
    assert api.request("POST", "/", json={}, safe=False).data == {"fine": True}


def test_a_long_wait_is_handed_back_at_once(script: Script, api: Api, slept: Sleeps) -> None:
    script.says(reply("429 Slow Down", b"", "Retry-After: 3600"))
    with pytest.raises(RetryLater) as caught:
        api.request("GET", "/", safe=True)
    assert caught.value.after == 3600
    assert (len(script.requests), slept) == (1, [])


def test_both_forms_of_retry_after() -> None:
    assert retry_after("120", NOW) == 120
    assert retry_after(formatdate(NOW + 90, usegmt=True), NOW) == 90
    assert retry_after(formatdate(NOW - 90, usegmt=True), NOW) == 0
    assert retry_after("soon", NOW) is None
    assert retry_after("", NOW) is None


def test_waits_between_tries_grow_and_are_jittered(script: Script, api: Api, slept: Sleeps) -> None:
    script.says(None)
    with pytest.raises(RetryLater):
        api.request("GET", "/", safe=True)
    assert len(slept) == 3
    assert all(wait <= 2.0**place for place, wait in enumerate(slept))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_needs_a_person_and_the_body_is_not_told(script: Script, api: Api, status: int) -> None:
    script.says(reply(f"{status} No", b'{"error": "bad key secret"}'))
    with pytest.raises(NeedsPerson) as caught:
        api.request("GET", "/people?x=1", safe=True)
    assert str(status) in str(caught.value)
    assert "secret" not in str(caught.value) + caught.value.hint
    assert "people" not in str(caught.value)


def test_an_unpaid_account_needs_a_person(script: Script, api: Api) -> None:
    script.says(reply("402 Payment Required", b"{}"))
    with pytest.raises(NeedsPerson, match="402"):
        api.request("GET", "/", safe=True)


@pytest.mark.parametrize("to", ["https://evil.example/steal?phone=1", "/elsewhere", "//evil.example/x", "http://["])
def test_a_redirect_is_never_followed(script: Script, api: Api, to: str) -> None:
    script.says(reply("302 Found", b"", f"Location: {to}"))
    with pytest.raises(NeedsPerson) as caught:
        api.request("GET", "/", safe=True)
    assert len(script.requests) == 1
    for secret in ("steal", "phone", "elsewhere", "/x"):
        assert secret not in str(caught.value)


def test_a_refused_request_carries_the_vendors_code_but_no_data(script: Script, api: Api) -> None:
    body = (
        b'{"code": "23505", "message": "duplicate key value violates unique constraint \\"members_phone_key\\" for '
        b'Ada Lovelace", "details": "Key (phone)=(+12025550101) already exists.", "hint": "see ada@example.org or '
        b"(202) 555-0101 or 'Countess'\"}"
    )
    script.says(reply("409 Conflict", body))
    with pytest.raises(ApiError) as caught:
        api.request("POST", "/", json={"name": "Ada Lovelace", "deep": [{"x": "Countess"}]}, safe=False)
    error = caught.value
    assert (error.status, error.code) == (409, "23505")
    assert isinstance(error, SkipRecord)
    assert "members_phone_key" in str(error)
    for private in ("Ada", "Lovelace", "12025550101", "ada@", "555", "Countess"):
        assert private not in str(error)


def test_a_telerivet_refusal_names_the_parameter(script: Script, api: Api) -> None:
    body = b'{"error": {"message": "Invalid value \'Ada\'", "code": "invalid_param", "param": "phone_number"}}'
    script.says(reply("400 Bad Request", body))
    with pytest.raises(ApiError, match=r"400 invalid_param Invalid value … \(parameter phone_number\)"):
        api.request("POST", "/", json={}, safe=False)


def test_a_refusal_without_a_usable_body_is_still_one(script: Script, api: Api) -> None:
    for body in (b"<html>", b"", b"[1]", b'"no"', b'{"error": "nope"}'):
        script.says(reply("404 Not Found", body))
        with pytest.raises(ApiError, match="404"):
            api.request("GET", "/", safe=True)


def test_a_server_that_is_not_there_is_tried_later_even_for_a_write(slept: Sleeps) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    api = Api(f"http://127.0.0.1:{port}", gate=Gate(None), sleep=slept)
    with pytest.raises(RetryLater, match="cannot be reached") as caught:
        api.request("POST", "/", json={}, safe=False)
    assert not isinstance(caught.value, AnswerLost)
    assert api.calls == 4
    api.close()


def test_a_server_that_hangs_is_given_up(sandbox_api: tuple[Sandbox, Api]) -> None:
    sandbox, api = sandbox_api
    sandbox.faults.add("hang", times=None, seconds=5)
    began = time.monotonic()
    with pytest.raises(AnswerLost, match="ReadTimeout"):
        api.request("POST", "/strive/rpc/ping", json={}, safe=False)
    assert time.monotonic() - began < 3


def test_an_answer_that_drips_is_given_up_at_the_deadline(sandbox_api: tuple[Sandbox, Api]) -> None:
    sandbox, api = sandbox_api
    sandbox.faults.add("slow", times=None, seconds=4)
    with pytest.raises(AnswerLost, match="longer than"):
        api.request("POST", "/strive/rpc/ping", json={}, safe=False)


@pytest.fixture
def sandbox_api(slept: Sleeps) -> Iterator[tuple[Sandbox, Api]]:
    with Sandbox(empty=True) as sandbox:
        headers = {"Authorization": "Bearer sandbox-strive-key"}
        api = Api(sandbox.url, gate=Gate(None), sleep=slept, timeout=1, deadline=1, headers=headers)
        yield sandbox, api
        api.close()


def test_a_certificate_nobody_vouches_for_needs_a_person(slept: Sleeps) -> None:
    """Trying again would not help, and it must not look like a server that is down."""
    with Tls() as port:
        api = Api(f"https://localhost:{port}", gate=Gate(None), sleep=slept, timeout=5)
        with pytest.raises(NeedsPerson, match="certificate"):
            api.request("GET", "/", safe=True)
        api.close()
    assert not slept


def test_a_value_that_is_no_json_concerns_the_record(api: Api) -> None:
    with pytest.raises(SkipRecord):
        api.request("POST", "/", json={"name": "\ud800"}, safe=False)
    assert api.calls == 0


def test_errors_name_no_path_and_no_query(script: Script, api: Api) -> None:
    for answer in (None, reply("500 Oops"), reply("401 No"), reply("404 No", b"{}"), reply("200 OK", b"<p>")):
        script.says(answer)
        with pytest.raises(RosterdError) as caught:
            api.request("GET", "/people", params={"email": "eq.ada@example.org"}, safe=True)
        assert "people" not in str(caught.value)
        assert "ada" not in str(caught.value)


class Tls:
    """A TLS server with a certificate of its own making."""

    def __enter__(self) -> int:
        import ssl
        import subprocess
        import tempfile

        self._folder = tempfile.TemporaryDirectory()
        key, cert = f"{self._folder.name}/key", f"{self._folder.name}/cert"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def _serve(self) -> None:
        import ssl

        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._context.wrap_socket(connection, server_side=True).close()
                except (ssl.SSLError, OSError):
                    continue

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self._folder.cleanup()
