"""Those who are told, over real sockets: a web server and a mail server that keep what they get."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


@dataclass
class Hook:
    """What a webhook got, and what it answers: a status, further heads, and after how many seconds."""

    status: int = 204
    heads: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, dict(self.headers.items()), body))
                time.sleep(hook.wait)
                self.send_response(hook.status)
                for name, value in hook.heads.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks/rosterd"


def certificate(folder: Path) -> Path:
    """A key and a certificate for localhost in one file, that who reads it trusts."""
    key, made = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    made.write_text(made.read_text() + key.read_text())
    return made


@dataclass
class Mailbox:
    """A mail server. `refuses`: addresses it has not; `tls`: its certificate; `fails`: a verb that it answers with 451,
    or, if it is QUIT, by hanging up."""

    refuses: set[str] = field(default_factory=set)
    fails: str = ""
    hangs: bool = False
    tls: Path | None = None
    at_once: bool = False
    got: list[tuple[list[str], bytes]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), contextlib.ExitStack() as open_wires:  # they may hang up
                    mailbox._serve(self, open_wires)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._over = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(self.tls))
        return context

    def _serve(self, handler: Any, open_wires: contextlib.ExitStack) -> None:
        if self.hangs:
            self._over.wait(20)
            return
        wire = handler.connection
        if self.at_once:
            wire = open_wires.enter_context(
                self._context().wrap_socket(wire, server_side=True, do_handshake_on_connect=False)
            )
        lines, to = wire.makefile("rb"), list[str]()

        def answer(text: str) -> None:
            wire.sendall(text.encode() + b"\r\n")

        answer("220 mail.example.org")
        while line := lines.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            self.said.append(verb)
            if verb == self.fails == "QUIT":
                return
            if verb == self.fails:
                answer("451 not now, says ada@example.org")
            elif verb == "EHLO":
                offers = ["mail.example.org", *(["STARTTLS"] if self.tls and not self.at_once else []), "AUTH PLAIN"]
                wire.sendall(
                    b"".join(f"250{'-' if n < len(offers) - 1 else ' '}{o}\r\n".encode() for n, o in enumerate(offers))
                )
            elif verb == "STARTTLS":
                answer("220 go on")
                wire = open_wires.enter_context(
                    self._context().wrap_socket(wire, server_side=True, do_handshake_on_connect=False)
                )
                lines = wire.makefile("rb")
            elif verb == "AUTH":
                answer("235 welcome" if rest == "PLAIN AHJvc3RlcmQAcy1lY3JldA==" else "535 who?")
            elif verb == "RCPT":
                address = rest.partition("<")[2].rstrip(">")
                if address in self.refuses:
                    answer("550 no such mailbox")
                else:
                    to.append(address)
                    answer("250 ok")
            elif verb == "DATA":
                answer("354 go on")
                body = b""
                while (part := lines.readline()) not in (b".\r\n", b""):
                    body += part
                self.got.append((to, body))
                to = []
                answer("250 kept")
            elif verb == "QUIT":
                answer("221 bye")
                return
            else:
                answer("250 ok")
