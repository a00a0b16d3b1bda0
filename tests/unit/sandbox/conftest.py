"""A sandbox nobody is in, a clock that stands still, and clients that speak plain HTTP."""

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from daemon.sandbox import Sandbox
from daemon.sandbox.telerivet_record import PROJECT


@dataclass
class Answer:
    status: int
    raw: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Client:
    """Sends one request on a connection of its own. Attributes may be changed to misbehave."""

    port: int
    prefix: str
    authorization: str
    timeout: float = 10

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body)
        names = {"Authorization": self.authorization} if self.authorization else {}
        names |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        with closing(connection):
            connection.request(method, self.prefix + path, raw, names)
            with connection.getresponse() as response:
                return Answer(response.status, response.read(), dict(response.headers))

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of a read that has to work."""
        answer = self("GET", path, **headers)
        assert answer.status in (200, 206), answer.raw
        return answer.json


@dataclass
class TokenClient(Client):
    """Sends its key as Action Network wants it; blank: not at all."""

    token: str = "sandbox-action-network-key"

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        token = {"OSDI_API_Token": self.token} if self.token else {}
        return super().__call__(method, path, body, **token, **headers)


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.25

    def __call__(self) -> float:
        return self.time

    def tick(self, seconds: float = 1) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(empty=True, clock=clock) as running:
        yield running


@pytest.fixture
def strive(sandbox: Sandbox) -> Client:
    return Client(int(sandbox.url.rsplit(":", 1)[1]), "/strive", "Bearer sandbox-strive-key")


@pytest.fixture
def telerivet(sandbox: Sandbox) -> Client:
    key = base64.b64encode(b"sandbox-telerivet-key:").decode()
    prefix = f"/telerivet/v1/projects/{PROJECT}"
    return Client(int(sandbox.url.rsplit(":", 1)[1]), prefix, f"Basic {key}")


@pytest.fixture
def action_network(sandbox: Sandbox) -> TokenClient:
    return TokenClient(int(sandbox.url.rsplit(":", 1)[1]), "/action_network/api/v2", "")


@pytest.fixture
def control(sandbox: Sandbox) -> Client:
    return Client(int(sandbox.url.rsplit(":", 1)[1]), "/_sandbox", "")
