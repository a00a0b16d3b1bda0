"""The ways to tell: a command, a webhook, a mail. Each ends in bounded time, or raises `Untold` saying why nothing
arrived."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import IO

import orjson

from daemon.errors import NeedsPerson, RetryLater
from daemon.service.alerts_words import News, masked
from daemon.settings import Settings

Way = Callable[[News], str]
"""Tells it, and says how it went. Raises Untold."""
Ways = Mapping[str, Way]

WEBHOOK_SECONDS = 10.0
COMMAND_SECONDS = 30.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT = ("HOME", "LANG", "TZ")
"""What else a command sees of our environment: nothing that could be a key."""


class Untold(Exception):
    """It did not arrive."""


def ways(settings: Settings) -> Ways:
    """Every way that is configured, by name."""
    from daemon.service.alerts_mail import mail

    wanted, found = settings.alerts, dict[str, Way]()
    if wanted.command:
        found["command"] = partial(command, wanted.command)
    if wanted.webhook and wanted.webhook_secret:
        found["webhook"] = partial(webhook, wanted.webhook, wanted.webhook_secret.get_secret_value())
    if wanted.email_to:
        found["email"] = partial(mail, wanted)
    return found


# a webhook


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What only who knows the secret can have said, and only then: a copy that is sent again later shows its age."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def webhook(url: str, secret: str, news: News) -> str:
    from daemon.platforms import http

    body, timestamp = orjson.dumps(news.as_dict()), str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-Rosterd-Timestamp": timestamp,
        "X-Rosterd-Signature": signature(secret, timestamp, body),
    }
    try:
        status = http.post(url, body, headers, timeout=WEBHOOK_SECONDS)
    except (RetryLater, NeedsPerson) as problem:
        raise Untold(f"{problem}; {problem.hint}" if problem.hint else str(problem)) from None
    if not 200 <= status < 300:
        why = ", and is not followed elsewhere" if 300 <= status < 400 else ""
        raise Untold(f"it answered {status}{why}")
    return f"it answered {status}"


# a command


def command(words: list[str], news: News, *, seconds: float = COMMAND_SECONDS) -> str:
    """Run it with the alert on standard input. It and all it began are killed when its time is over."""
    environment = {"PATH": PATH, **{name: os.environ[name] for name in KEPT if name in os.environ}}
    try:
        process = subprocess.Popen(  # noqa: S603 the words are the administrator's, and no shell sees them
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    except OSError as problem:
        raise Untold(f"{words[0]} cannot be run: {problem.strerror}") from None
    return _ended(process, orjson.dumps(news.as_dict()), words[0], seconds)


def _ended(process: subprocess.Popen[bytes], text: bytes, name: str, seconds: float) -> str:
    assert process.stdin is not None
    assert process.stderr is not None
    said = _Tail(process.stderr)
    with contextlib.suppress(BrokenPipeError), process.stdin:  # it need not listen
        process.stdin.write(text)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise Untold(f"{name} took longer than {seconds:g} seconds and was killed") from None
    finally:
        complaint = masked(said.text())
    if code:
        raise Untold(f"{name} ended with {code}" + (f": {complaint}" if complaint else ""))
    return "it ended with 0"


class _Tail:
    """The beginning of what a process complains, read on the side: it is never kept waiting, nor waited for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while some := os.read(stream.fileno(), 4096):
                self._kept = (self._kept + some)[:300]

    def text(self) -> str:
        self._thread.join(0.2)  # what it leaves running in the background may hold the pipe open for ever
        return self._kept.decode(errors="replace")
