"""The HTTP/1.1 server of the sandbox: threads, keep-alive, one send an answer, and faults where they are set.

Headers and body leave in one `sendall` with Nagle's algorithm off: split over two packets, every small answer
would wait 40 ms for the client's delayed ACK.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import traceback
from collections.abc import Callable
from typing import Protocol, cast

from daemon.sandbox.faults import Fault
from daemon.sandbox.wire import REASONS, Request, Response, answer

_LONGEST_LINE = 65536
_RESET = struct.pack("ii", 1, 0)
_PAGE = b"<!doctype html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"


class App(Protocol):
    """What the server serves."""

    def platform_of(self, path: str) -> str:
        """Which platform a path belongs to; blank: none, and then no fault strikes."""

    def take_fault(self, platform: str, request: Request) -> Fault | None: ...

    def respond(self, platform: str, request: Request) -> Response: ...

    def refusal(self, platform: str, status: int) -> Response:
        """The platform's own error body for a status."""

    def log(self, platform: str, request: Request, status: int, fault: Fault | None) -> None: ...

    def crashed(self, trace: str) -> None:
        """A bug of the sandbox itself, which must not pass for a fault of the platform."""


class Server(socketserver.ThreadingTCPServer):
    """Listens on loopback only; `stop` ends it and every connection it has."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, app: App, port: int = 0) -> None:
        self.app = app
        self.stopping = threading.Event()
        self.live: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        for connection, thread in list(self.live.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)
        self.server_close()

    def handle_error(self, _request: object, _client_address: object) -> None:
        self.app.crashed(traceback.format_exc())


class Handler(socketserver.StreamRequestHandler):
    """One connection: requests one after the other until either side closes."""

    disable_nagle_algorithm = True
    rbufsize = 1 << 16

    def setup(self) -> None:
        super().setup()
        self.owner = cast(Server, self.server)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.owner.live[self.connection] = threading.current_thread()

    def finish(self) -> None:
        self.owner.live.pop(self.connection, None)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            while not self.owner.stopping.is_set():
                request = self._read()
                if request is None or not self._exchange(request):
                    return

    def _read(self) -> Request | None:
        """The next request; None when the client is done, or talks something else than HTTP."""
        words = self.rfile.readline(_LONGEST_LINE).split()
        if len(words) != 3:
            return None
        headers = self._read_headers()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        path, _, query = words[1].decode("latin-1").partition("?")
        return Request(words[0].decode("latin-1"), path, query, headers, body)

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while True:
            line = self.rfile.readline(_LONGEST_LINE)
            if line in (b"\r\n", b"\n", b""):
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()

    def _exchange(self, request: Request) -> bool:
        """Answer one request; True when the connection stays open."""
        app = self.owner.app
        platform = app.platform_of(request.path)
        fault = app.take_fault(platform, request) if platform else None
        if fault is None:
            response = self._work(platform, request)
            app.log(platform, request, response.status, None)
            close = request.headers.get("connection", "").lower() == "close"
            self._send(response.head(close=close) + response.body)
            return not close
        return self._play(fault, platform, request)

    def _work(self, platform: str, request: Request) -> Response:
        try:
            return self.owner.app.respond(platform, request)
        except Exception:  # noqa: BLE001 - a bug of ours is kept, and raised when the sandbox stops
            self.owner.app.crashed(traceback.format_exc())
            return answer(500, {"message": "the sandbox itself failed; see Sandbox.errors"})

    def _play(self, fault: Fault, platform: str, request: Request) -> bool:
        done = self._work(platform, request) if fault.does_the_work else None
        refusal = None if fault.kind in _PLAYS else self._refusal(fault, platform)
        status = refusal.status if refusal else done.status if done and fault.kind == "slow" else 0
        self.owner.app.log(platform, request, status, fault)
        if refusal is not None:
            self._send(refusal.head() + refusal.body)
            return True
        _PLAYS[fault.kind](self, fault, done or answer(200, {}))
        return False

    def _refusal(self, fault: Fault, platform: str) -> Response:
        """The answer of a fault that is an answer."""
        if fault.kind in ("html", "502"):
            status = 200 if fault.kind == "html" else 502
            title = b"Welcome" if status == 200 else REASONS[status].encode()
            return Response(status, _PAGE % (title, title), content_type="text/html")
        if fault.kind == "empty":
            return Response(200)
        if fault.kind == "redirect":
            to = str(fault.options.get("to", "http://elsewhere.example.org/"))
            return Response(302, headers=(("Location", to),), content_type="text/html")
        body = self.owner.app.refusal(platform, int(fault.kind))
        if fault.kind != "429":
            return body
        return Response(429, body.body, (("Retry-After", str(fault.options.get("retry_after", 1))),))

    def _send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def lose(self, _fault: Fault, _done: Response) -> None:
        """Close without an answer: that is all."""

    def reset(self, _fault: Fault, _done: Response) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()

    def hang(self, fault: Fault, _done: Response) -> None:
        self.owner.stopping.wait(float(fault.options.get("seconds", 30)))

    def truncate(self, _fault: Fault, done: Response) -> None:
        half = len(done.body) // 2
        self._send(done.head(max(len(done.body), 2)) + done.body[:half])

    def drip(self, fault: Fault, done: Response) -> None:
        data, drops = done.head(close=True) + done.body, 10
        size = len(data) // drops + 1
        for start in range(0, len(data), size):
            self.owner.stopping.wait(float(fault.options.get("seconds", 1)) / drops)
            self._send(data[start : start + size])


_PLAYS: dict[str, Callable[[Handler, Fault, Response], None]] = {
    "lost": Handler.lose,
    "reset": Handler.reset,
    "hang": Handler.hang,
    "truncated": Handler.truncate,
    "slow": Handler.drip,
}
