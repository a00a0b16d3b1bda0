"""A sandbox with nobody in it, and a clock of its own."""

from collections.abc import Iterator

import pytest

from daemon.sandbox import Sandbox


class Clock:
    """Seconds since 1970; stands still unless told."""

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
def sandbox(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # These clients obey the proxy of whoever runs the tests; the sandbox is on this machine.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Sandbox(empty=True, clock=clock) as sandbox:
        yield sandbox
