"""A sandbox with nobody in it, and a clock of its own."""

from collections.abc import Iterator

import pytest

from daemon.sandbox import Sandbox
from tests.unit.sandbox.conftest import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # These clients obey the proxy of whoever runs the tests; the sandbox is on this machine.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Sandbox(empty=True, clock=clock) as sandbox:
        yield sandbox
