"""HTTP that nobody can lean on: a connection is one request, bounded in bytes and in time, and they are few at once."""

from __future__ import annotations

import io
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from daemon import logs
from daemon.service.page_site import TEXT, Answer, Question
from daemon.service.page_style import POLICY

AT_ONCE = 16
"""Requests that are answered at the same time; one more is told to come again."""
BODY = 8 * 1024
DIGITS = len(str(BODY))
MOST = 32 * 1024
"""Bytes of a whole request."""
SECONDS = 10.0
"""For a request to have come in, and again for its answer to be taken."""
_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),  # with no-referrer, browsers would say "Origin: null" for our own forms
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class _TooMuch(Exception):
    """A request of more bytes than any that is meant for us."""


class _Patient(io.RawIOBase):
    """What a client sends, up to `MOST` bytes and until `SECONDS` are over, however slowly it drips."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._left = connection, MOST
        self._until = time.monotonic() + SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        self._connection.settimeout(seconds)
        count = self._connection.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise _TooMuch
        return count


class Handler(BaseHTTPRequestHandler):
    """One request. HTTP/1.0: the connection ends with its answer, so none can be kept open."""

    server: Bounded
    server_version, sys_version = "rosterd", ""
    default_request_version = "HTTP/1.0"  # what cannot be read is answered with a status line and headers too
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = TEXT

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Patient(self.connection))

    def handle(self) -> None:
        try:
            super().handle()
        except _TooMuch:
            self.close_connection = True
            self.requestline, self.request_version, self.command = "", "HTTP/1.0", ""
            self.send_error(431)
        except ConnectionError:
            self.close_connection = True  # the client has gone

    def version_string(self) -> str:
        return self.server_version

    def end_headers(self) -> None:
        for name, value in _HEADERS:
            self.send_header(name, value)
        super().end_headers()

    def _answer(self) -> None:
        body = self._body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Question(self.command, path, query, headers, body, str(self.client_address[0]))
        try:
            answer = self.server.answer(asked)
        except Exception as problem:  # noqa: BLE001 - nothing we thought of: who asks gets an answer, the log the reason
            logs.logger("rosterd.page").error("page.failed", exc_info=problem)
            answer = Answer(500, b"That went wrong; the log says how.\n", TEXT)
        self._send(answer)

    def _body(self) -> bytes | None:
        """What was sent with it; None when that was answered already: it is no form that could be ours."""
        if "transfer-encoding" in self.headers:
            self.send_error(411)
            return None
        length = self.headers.get("content-length", "0")
        if not length.isascii() or not length.isdecimal() or len(self.headers.get_all("content-length", [])) > 1:
            self.send_error(400, "Bad Content-Length")
            return None
        if len(length) > DIGITS or int(length) > BODY:
            self.send_error(413)
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # it broke off: what came may mean something else than the whole
            self.send_error(400, "Broken off")
            return None
        return body

    def _send(self, answer: Answer) -> None:
        self.connection.settimeout(SECONDS)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Nothing: a path may say whom somebody looked for."""


class Bounded(ThreadingHTTPServer):
    """A listening socket and the threads that answer on it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, answer: Callable[[Question], Answer]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answer = answer
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Without the look-up of our own name that http.server makes: the network may be slow, or not there."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self._turn_away(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def _turn_away(self, request: Any) -> None:
        try:
            request.settimeout(0)
            request.send(_BUSY)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        """A connection that broke in the middle, or the like: nobody is there to be answered."""
        logs.logger("rosterd.page").debug("page.broken_off", exc_info=True)
