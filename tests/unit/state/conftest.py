"""A path for a database, and processes that hold one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


Process = subprocess.Popen[str]


@pytest.fixture
def python() -> Iterator[Callable[..., Process]]:
    """Start Python with this code and arguments; killed at the end of the test, if it still runs."""
    started: list[Process] = []

    def start(code: str, *arguments: str) -> Process:
        pipe = subprocess.PIPE
        child = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        started.append(child)
        return child

    yield start
    for child in started:
        with child:
            child.kill()
