"""The page's HTTP: bounded whatever a client does, and whatever the database does."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from daemon import logs
from daemon.errors import Busy
from daemon.service import http_wire
from daemon.service.http import Server
from daemon.service.metrics import Metrics
from tests.system.page_world import TOKEN, PageWorld


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageWorld]:
    with PageWorld(tmp_path_factory.mktemp("up"), f'token = "{TOKEN}"', empty=True) as world:
        world.sync()
        yield world


@pytest.fixture
def away(tmp_path: Path) -> Iterator[PageWorld]:
    """A page whose visitors wait a third of a second for the database."""
    with PageWorld(tmp_path, f'token = "{TOKEN}"', patience=0.3, empty=True) as world:
        world.sync()
        yield world


def talk(world: PageWorld, sent: bytes, *, seconds: float = 15.0) -> bytes:
    """Everything that is answered to these bytes, until the connection ends."""
    with socket.create_connection(("127.0.0.1", world.server.port or 0), timeout=seconds) as line:
        line.sendall(sent)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(65536):
                got += part
        return got


# what is asked


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics"])
def test_head_tells_what_get_would(up: PageWorld, path: str) -> None:
    """All of it but the body."""
    got, head = up.get(path), up.raw("HEAD", path)
    assert (head.status, head.text) == (got.status, "")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/nowhere", "/healthz/", "/holds/", "/holds/0", "/holds/1/x", "/..", "/%2e%2e/x"])
def test_a_path_that_leads_nowhere(up: PageWorld, path: str) -> None:
    assert up.get(path).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/", "GET, HEAD"),
        ("DELETE", "/holds/1", "GET, POST, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
        ("GET", "/outbox", "POST"),
        ("PATCH", "/contacts", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/sign-in", "GET, HEAD, POST"),
    ],
)
def test_what_cannot_be_done_there(up: PageWorld, method: str, path: str, allowed: str) -> None:
    reply = up.raw(method, path)
    assert (reply.status, reply.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),  # somebody talks TLS
        (b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"501"),
        (b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8193\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
    ],
)
def test_what_is_no_request_of_ours(up: PageWorld, sent: bytes, status: bytes) -> None:
    """It is refused with a plain line, and the headers that everything has."""
    got = talk(up, sent)
    if got or len(sent) < http_wire.MOST:  # what is too long is not read to its end: the answer may be lost
        assert got.split(b" ", 2)[1] == status
        assert b"Content-Security-Policy: default-src 'none'" in got
    assert up.get("/healthz").status == 200


def test_a_form_with_thousands_of_fields_is_no_form(up: PageWorld) -> None:
    origin = f"http://127.0.0.1:{up.server.port}"
    assert "Nobody was found" in up.raw("POST", "/contacts", "asked=c1&" + "a=b&" * 1000, Origin=origin).text


def test_a_form_that_broke_off_decides_nothing(up: PageWorld) -> None:
    """Of `id=12` only `id=1` came: that is another push."""
    asked: list[str] = []
    up.server._desk.retry, before = asked.append, up.server._desk.retry
    head = f"POST /outbox HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 5\r\n\r\n"
    with socket.create_connection(("127.0.0.1", up.server.port or 0), timeout=5) as line:
        line.sendall(f"{head}id=1".encode())
        line.shutdown(socket.SHUT_WR)
        while line.recv(65536):
            pass
    up.server._desk.retry = before
    assert asked == []


def test_a_connection_is_one_request(up: PageWorld) -> None:
    """What follows the first is not read: nothing can be smuggled in behind it."""
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
    got = talk(up, one + one)
    assert got.count(b"HTTP/1.") == 1


# who is slow


def test_a_client_that_drips_is_left(up: PageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However steadily: there is an end to the time for a whole request."""
    monkeypatch.setattr(http_wire, "SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", up.server.port or 0), timeout=5) as line:
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            for letter in b"GET / HTTP/1.1\r\nX: " + b"x" * 100:
                line.sendall(bytes([letter]))
                time.sleep(0.05)
                line.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    if not line.recv(1):
                        break
        assert time.monotonic() - begun < 2


def test_one_too_many_is_told_to_come_again(up: PageWorld) -> None:
    """And is answered as soon as there is room."""
    with contextlib.ExitStack() as open_lines:
        for _ in range(http_wire.AT_ONCE):
            open_lines.enter_context(socket.create_connection(("127.0.0.1", up.server.port or 0)))
        _until(lambda: b" 503 " in talk(up, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    _until(lambda: up.get("/healthz").status == 200)


def _until(true: Any) -> None:
    ends = time.monotonic() + 5
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


# the database is away


def within_a_second(world: PageWorld, path: str) -> Any:
    begun = time.monotonic()
    reply = world.get(path)
    assert time.monotonic() - begun < 1.5
    return reply


def test_a_database_that_hangs_keeps_nobody_waiting(away: PageWorld) -> None:
    """Each question is answered in time; the service itself still says that it lives. Then all is as before."""
    go_on = threading.Event()

    @event.listens_for(away.store.engine, "begin")
    def hang(_: object) -> None:
        go_on.wait(20)

    for _ in range(6):  # more than may wait at once
        ready = within_a_second(away, "/readyz")
        assert (ready.status, "the database does not answer" in ready.text) == (503, True)
    assert within_a_second(away, "/healthz").status == 200
    assert "rosterd_database_up 0.0" in within_a_second(away, "/metrics").text
    home = within_a_second(away, "/")
    assert (home.status, "The database does not answer" in home.text) == (503, True)
    tried = away.post("/outbox", {"id": "1"}, Authorization=f"Bearer {TOKEN}")
    assert (tried.status, "It may be done yet" in tried.text) == (503, True)
    go_on.set()
    event.remove(away.store.engine, "begin", hang)
    _until(lambda: away.get("/readyz").status == 200)
    _until(lambda: "rosterd_database_up 1.0" in away.get("/metrics").text)


def test_a_database_that_is_gone_is_said(away: PageWorld) -> None:
    """With what the database says, and without the statement: that holds people."""
    for file in away.folder.glob("*.db*"):
        file.rename(file.with_suffix(".gone"))
    away.store.engine.dispose()
    ready = away.get("/readyz")
    assert (ready.status, json.loads(ready.text)["ready"]) == (503, False)
    home = away.get("/")
    assert (home.status, "The database does not answer" in home.text) == (503, True)
    assert "SELECT" not in home.text.upper().replace("SELECTED", "")
    assert away.get("/healthz").status == 200


def test_a_service_that_does_not_say_how_it_is_is_not_well(away: PageWorld) -> None:
    away.server._desk._health = lambda: (time.sleep(5), (True, ""))[1]
    assert within_a_second(away, "/healthz").status == 503


def test_what_nobody_thought_of_is_answered_too(up: PageWorld, capfd: pytest.CaptureFixture[str]) -> None:
    """The log has the reason, without what was asked for; the next question is answered as ever."""
    logs.configure("json")

    def broken() -> tuple[bool, str]:
        raise LookupError("ada@example.org")

    up.server._desk._health, before = broken, up.server._desk._health
    reply = up.get("/healthz?who=ada@example.org")
    up.server._desk._health = before
    assert (reply.status, "the log says how" in reply.text) == (500, True)
    (line,) = [json.loads(each) for each in capfd.readouterr().err.splitlines()]
    assert (line["event"], "LookupError" in json.dumps(line), "ada@" in json.dumps(line)) == (
        "page.failed",
        True,
        False,
    )
    assert up.get("/healthz").status == 200


# listening


@contextlib.contextmanager
def not_up(world: PageWorld) -> Iterator[None]:
    """Up to where its server would start, and down again."""
    try:
        yield
    finally:
        world.__exit__()


def test_a_port_that_is_taken_is_said_with_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        world = PageWorld(tmp_path, f'listen = "127.0.0.1:{port}"', empty=True)
        with not_up(world), pytest.raises(Busy) as refused:
            world.__enter__()
    assert f"127.0.0.1:{port} is taken by process {os.getpid()} (" in str(refused.value)
    assert "listen" in refused.value.hint


def test_an_address_of_another_machine_is_said(tmp_path: Path) -> None:
    world = PageWorld(tmp_path, f'listen = "192.0.2.1:0"\ntoken = "{TOKEN}"', empty=True)
    with not_up(world), pytest.raises(Busy, match=r"192\.0\.2\.1:0 is no address of this machine"):
        world.__enter__()


def test_listening_nowhere(tmp_path: Path) -> None:
    with PageWorld(tmp_path, 'listen = ""', empty=True) as world:
        assert world.server.port is None
        world.server.reload(world.configure())
        assert world.get("/healthz").status == 200
        world.server.reload(world.configure('listen = ""'))
        assert world.server.port is None


def test_other_settings_take_effect_while_it_runs(tmp_path: Path) -> None:
    """The token at once, the address without a gap; one that cannot be had leaves everything as it was."""
    with PageWorld(tmp_path, empty=True) as world:
        before = world.server.port
        world.server.reload(world.configure(f'token = "{TOKEN}"'))
        assert world.server.port == before
        cookie = world.sign_in()
        with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(Busy):
            world.server.reload(world.configure(f'listen = "127.0.0.1:{other.getsockname()[1]}"'))
        assert world.server.port == before
        assert "Sign out" in world.get("/", Cookie=cookie).text
        world.server.reload(world.configure(f'listen = "localhost:0"\ntoken = "{TOKEN}"'))
        assert world.server.port != before
        assert "Sign out" in world.get("/", Cookie=cookie).text
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", before or 0), timeout=1)


def test_an_address_that_is_open_to_others_is_never_without_the_token(tmp_path: Path) -> None:
    """Not even for the moment in which it replaces one that was not."""
    with PageWorld(tmp_path, empty=True) as world:
        first: list[int] = []

        class Log:
            def info(self, *_: object, port: int, **__: object) -> None:
                first.append(_status(port))

        world.server._log = Log()  # type: ignore[assignment]
        world.server.reload(world.configure(f'listen = "0.0.0.0:0"\ntoken = "{TOKEN}"'))
        assert first == [401]


def _status(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return int(line.recv(65536).split(b" ", 2)[1])


def test_the_same_port_is_opened_to_others_and_closed_again(tmp_path: Path) -> None:
    """Nobody can listen on it twice. Where that fails, the old address is as it was."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with PageWorld(tmp_path, f'listen = "127.0.0.1:{port}"', empty=True) as world:
        world.server.reload(world.configure(f'listen = "0.0.0.0:{port}"\ntoken = "{TOKEN}"'))
        assert (_status(port), world.server.port) == (401, port)
        with pytest.raises(Busy):
            world.server.reload(world.configure(f'listen = "192.0.2.1:{port}"\ntoken = "{TOKEN}"'))
        assert (_status(port), world.server.port) == (401, port)
        world.server.reload(world.configure(f'listen = "127.0.0.1:{port}"'))
        assert _status(port) == 200


def test_stopped_it_answers_no_more(tmp_path: Path) -> None:
    """And may be stopped again."""
    with PageWorld(tmp_path, empty=True) as world:
        port = world.server.port
        world.server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port or 0), timeout=1)
        world.server.stop()
        world.server.start()
        assert world.get("/healthz").status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6(tmp_path: Path) -> None:
    with (
        PageWorld(tmp_path, 'listen = "[::1]:0"', empty=True) as world,
        socket.create_connection(("::1", world.server.port or 0), timeout=5) as line,
    ):
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")
        assert b" 200 " in line.recv(65536)


def test_it_answers_while_a_transaction_is_open(up: PageWorld) -> None:
    """A page of a reading is being kept: looking waits for no writer."""
    with up.store.transaction() as tx:
        tx.connections.put("strive", asked_at=1.0)
        assert up.get("/").status == 200
        assert up.get("/readyz").status == 200


def test_two_pages_share_nothing(up: PageWorld) -> None:
    """A second server on the same database, as a second worker has it, with metrics of its own."""
    other = Server(
        up.settings,
        up.store,
        Metrics(),
        clock=lambda: up.now,
        health=lambda: (True, ""),
        roster=lambda: up.roster,
    )
    other.start()
    try:
        assert other.port not in (None, up.server.port)
    finally:
        other.stop()
