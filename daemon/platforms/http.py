"""The one place that speaks HTTP, and the only module that imports httpx.

Every answer becomes one of: an `Answer`; an `ApiError` (this request is refused, the rest may go on); or what
happens next for the whole connection (`RetryLater`, `AnswerLost`, `NeedsPerson`). Nothing here logs, and no
error names a path, a query or a body: they carry keys, addresses and phone numbers.
"""

from __future__ import annotations

import collections
import email.utils
import functools
import importlib.metadata
import random
import ssl
import time
import urllib.parse
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import httpx
import orjson

from daemon.errors import AnswerLost, NeedsPerson, RetryLater, SkipRecord
from daemon.platforms.answers import Answer, key_refused, login_refused, not_allowed, refusal, unpaid
from daemon.platforms.gate import Gate, Guarded

Params = Mapping[str, str] | Sequence[tuple[str, str]]
Authorize = Callable[["Api", bool], Mapping[str, str]]
"""Headers that let us in; asked with True when the platform has just refused those it gave before (401)."""

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
YEAR = 366 * 86400.0
NEVER_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class _Body(NamedTuple):
    json: Any
    form: Mapping[str, str] | None
    files: Mapping[str, tuple[str, bytes, str]] | None


class UnusableError(Exception):
    """Something came back, but not an answer: cut off, too big, a web page."""


@functools.cache
def tls() -> ssl.SSLContext:
    """One context for all clients: building one costs 15 ms."""
    return httpx.create_ssl_context()


def user_agent() -> str:
    try:
        return f"rosterd/{importlib.metadata.version('rosterd')}"
    except importlib.metadata.PackageNotFoundError:  # run from a tree that was never installed
        return "rosterd"


class Api:
    """One server and one credential.

    timeout   seconds for connecting, and between two pieces of an answer
    deadline  seconds for one whole answer
    cap       bytes of one answer, after unpacking
    max_wait  seconds of Retry-After that are waited out here; for longer the caller gets `RetryLater`
    clock     seconds since 1970 (Retry-After may be a date)
    authorize where the key is not fixed but fetched: asked before each request, and again after a 401
    secrets   what `authorize` works with, so that no error repeats it
    parks     statuses that, repeated to the last try, are the fault of the one request and not of the platform
    """

    def __init__(
        self,
        base_url: str,
        *,
        gate: Gate | Guarded,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float = 30.0,
        deadline: float = 120.0,
        cap: int = 64 << 20,
        tries: int = 4,
        max_wait: float = 60.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        user_agent: str = user_agent(),
        authorize: Authorize | None = None,
        secrets: Sequence[str] = (),
        parks: frozenset[int] = frozenset(),
    ) -> None:
        ours = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        self._client = httpx.Client(
            base_url=base_url,
            headers={**ours, **(headers or {})},
            auth=auth,
            timeout=timeout,
            verify=tls(),
            follow_redirects=False,  # our key is in the headers of every request
        )
        credentials = [*(headers or {}).values(), *(auth or ())]
        self._secrets = [word for one in (*credentials, *secrets) for word in one.split()]  # some echo keys
        self._authorize, self._parks = authorize, parks
        self.host = urllib.parse.urlsplit(base_url).netloc.rpartition("@")[2]
        self._gate, self._deadline, self._cap, self._tries = gate, deadline, cap, tries
        self._max_wait, self._clock, self._sleep = max_wait, clock, sleep
        self.outcomes: collections.Counter[str] = collections.Counter()

    @property
    def calls(self) -> int:
        """How many requests were begun."""
        return self.outcomes.total()

    @property
    def throttled(self) -> int:
        """How many of them were answered with 429."""
        return self.outcomes["429"]

    def close(self) -> None:
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool,
        expect_json: bool = True,
        anonymous: bool = False,
    ) -> Answer:
        """Ask until there is an answer, within reason.

        The body is `json`, or a `form`, or `files` (name: file name, content, media type). `anonymous`: without
        asking `authorize`, which makes its own requests so.

        `safe`: asking twice does what asking once does, so an answer that got lost is asked for again. Where
        it is not, a lost answer raises `AnswerLost`. What surely did nothing (no connection, 429, 503 with
        Retry-After) is repeated in either case.
        """
        request = self._build(method, path, params, _Body(json, form, files), headers)
        fetched = None if anonymous else self._authorize
        renewed = False
        for attempt in range(1, self._tries + 1):
            try:
                if fetched is not None:
                    request.headers.update(fetched(self, False))
                status, found, body = self._exchange(request)
                if status == 401 and fetched is not None and not renewed:
                    renewed = True
                    request.headers.update(fetched(self, True))
                    status, found, body = self._exchange(request)
                if status in self._parks and attempt == self._tries:
                    raise refusal(status, None, None)
                if status in (401, 403):
                    raise self._kept_out(status, login=anonymous)
                if status in BUSY:
                    self._busy(status, found, safe, last=attempt == self._tries)
                else:
                    sent = [json, form, _values(params), self._secrets]
                    return self._settle(status, found, body, expect_json, sent)
            except NEVER_REACHED as problem:
                self._unreached(problem, last=attempt == self._tries)
            except (httpx.TransportError, UnusableError) as problem:
                self._broken(problem, safe, last=attempt == self._tries)
            self._sleep(random.uniform(0, min(30.0, 2.0 ** (attempt - 1))))
        raise AssertionError("the last attempt returns or raises")

    def _build(
        self, method: str, path: str, params: Params | None, body: _Body, headers: Mapping[str, str] | None
    ) -> httpx.Request:
        query = urllib.parse.urlencode(params or {}, quote_via=urllib.parse.quote, safe="(),.:*")
        url = f"{path}?{query}" if query else path
        if body.json is None:
            return self._client.build_request(method, url, data=body.form, files=body.files, headers=headers)
        try:
            content = orjson.dumps(body.json)
        except TypeError as problem:
            raise SkipRecord("a value of this record cannot be written as JSON") from problem
        extra = {"Content-Type": "application/json", **(headers or {})}
        return self._client.build_request(method, url, content=content, headers=extra)

    def _exchange(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        self._gate.acquire()
        end = time.monotonic() + self._deadline
        outcome = "broken"
        try:
            answer = self._client.send(request, stream=True)
            try:
                body = self._read(answer, end)
            finally:
                answer.close()
            outcome = str(answer.status_code)
            self._heed(answer.headers)
        finally:
            self.outcomes[outcome] += 1
        return answer.status_code, answer.headers, body

    def _heed(self, headers: httpx.Headers) -> None:
        """What a server says of our budget before it has to refuse us."""
        for prefix in ("ratelimit", "x-ratelimit"):
            remaining, reset = (headers.get(f"{prefix}-{what}", "").strip() for what in ("remaining", "reset"))
            if remaining.isdecimal() and reset.isdecimal():
                seconds = float(reset)
                if seconds > YEAR:  # some name a time instead of a span
                    seconds = max(0.0, seconds - self._clock())
                self._gate.told(float(remaining), min(seconds, self._max_wait))
                return

    def _read(self, answer: httpx.Response, end: float) -> bytes:
        """The body, bounded in bytes and in time. httpx itself would unpack a bomb whole."""
        packing = answer.headers.get("content-encoding", "identity").lower()
        if packing not in ("gzip", "identity"):
            raise UnusableError(f"an answer packed as {packing[:20]}")
        unpack = zlib.decompressobj(31) if packing == "gzip" else None
        out = bytearray()
        for raw in answer.iter_raw():  # as it arrives: waiting for full blocks would outwait the deadline
            out += _unpack(unpack, raw, self._cap - len(out) + 1) if unpack else raw
            if len(out) > self._cap:
                raise UnusableError(f"an answer above {self._cap} bytes")
            if time.monotonic() > end:
                raise UnusableError(f"an answer that took longer than {self._deadline:g} seconds")
        if unpack and out and not unpack.eof:
            raise UnusableError("a truncated answer")
        return bytes(out)

    def _busy(self, status: int, headers: httpx.Headers, safe: bool, *, last: bool) -> None:
        """Wait for a server that says it cannot just now, or raise."""
        wait = retry_after(headers.get("retry-after", ""), self._clock())
        surely_not_done = status in (425, 429) or (status == 503 and wait is not None)
        if status == 429:
            self._gate.refused()
        if not (safe or surely_not_done):
            raise AnswerLost(f"{self.host} answered {status} to a write", after=wait)
        if last or (wait or 0.0) > self._max_wait:
            raise RetryLater(f"{self.host} is busy ({status})", after=wait)
        if wait:
            self._gate.pause(wait)

    def _unreached(self, problem: httpx.TransportError, *, last: bool) -> None:
        _must_be_trusted(self.host, problem)
        if last:
            raise RetryLater(f"{self.host} cannot be reached ({type(problem).__name__})") from None

    def _broken(self, problem: Exception, safe: bool, *, last: bool) -> None:
        what = str(problem) if isinstance(problem, UnusableError) else type(problem).__name__
        if not safe:
            raise AnswerLost(f"{self.host} took a write but its answer was lost ({what})") from None
        if last:
            raise RetryLater(f"{self.host} gave no usable answer ({what})") from None

    def _settle(self, status: int, headers: httpx.Headers, body: bytes, expect_json: bool, sent: Any) -> Answer:
        if 200 <= status < 300:
            data = _parse(body) if expect_json or body else None
            self._gate.went_well()
            return Answer(status, data, {name.lower(): value for name, value in headers.items()})
        if 300 <= status < 400:
            self._sent_elsewhere(headers.get("location", ""))
        if status == 402:
            raise unpaid(self.host)
        if 400 <= status < 500:
            raise refusal(status, _parse_or_none(body), sent)
        raise UnusableError(f"status {status}")

    def _kept_out(self, status: int, *, login: bool) -> NeedsPerson:
        """401 and 403: what there is to check depends on how we get in."""
        if self._authorize is None:
            return key_refused(self.host, status)
        return (login_refused if login else not_allowed)(self.host, status)

    def _sent_elsewhere(self, location: str) -> NoReturn:
        raise NeedsPerson(
            f"{self.host} sends us on to {self._origin(location)}",
            hint="rosterd does not take its key elsewhere: if the move is genuine, change base_url",
        )

    def _origin(self, location: str) -> str:
        """Scheme and host only: the rest of a Location may carry what we asked for."""
        try:
            target = self._client.base_url.join(location)
        except httpx.InvalidURL:
            return "nowhere"
        return f"{target.scheme}://{target.host}"


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> int:
    """POST once, to somebody who is no platform; returns the status. No redirect is followed, no answer is read.

    `timeout`: seconds for connecting, and for each step after that. Raises RetryLater when nothing came of it,
    NeedsPerson where a certificate cannot be trusted. No error names more of the address than its host.
    """
    host = urllib.parse.urlsplit(url).netloc
    ours = {"User-Agent": user_agent(), **headers}
    try:
        with (
            httpx.Client(timeout=timeout, verify=tls(), follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=ours) as answer,
        ):
            return answer.status_code
    except httpx.TransportError as problem:
        _must_be_trusted(host, problem)
        raise RetryLater(f"{host} cannot be reached ({type(problem).__name__})") from None


def _must_be_trusted(host: str, problem: BaseException) -> None:
    cause = _certificate_trouble(problem)
    if cause is not None:
        raise NeedsPerson(
            f"{host} shows a certificate we cannot trust: {cause.verify_message}",
            hint="check the address and the clock; a private authority goes into SSL_CERT_FILE",
        ) from None


def retry_after(value: str, now: float) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110, 10.2.3); None if it says nothing usable."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError):
        return None


def _unpack(unpack: Any, raw: bytes, most: int) -> bytes:
    try:
        return bytes(unpack.decompress(raw, most))
    except zlib.error:
        raise UnusableError("an answer that cannot be unpacked") from None


def _parse(body: bytes) -> Any:
    if not body.strip():
        raise UnusableError("an empty answer")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        page = body.lstrip()[:1] == b"<"
        raise UnusableError("a web page instead of JSON" if page else "an answer that is not JSON") from None


def _parse_or_none(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _certificate_trouble(problem: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while problem is not None and not isinstance(problem, ssl.SSLCertVerificationError):
        problem = problem.__cause__ or problem.__context__
    return problem


def _values(params: Params | None) -> list[str]:
    pairs = params.items() if isinstance(params, Mapping) else params or ()
    return [value for _, value in pairs]
