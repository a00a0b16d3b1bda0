"""A folder with two key files and an environment that says nothing about rosterd."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.settings.samples import Write, secret


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test."""
    for name in list(os.environ):
        if name.upper().startswith("ROSTERD_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    secret(tmp_path / "strive.key", "strive-key\n")
    secret(tmp_path / "telerivet.key", "telerivet-key\n")
    for name in ("action_network.key", "colony.password", "colony.secret", "carium.password"):
        secret(tmp_path / name, f"{name}-text\n")
    return tmp_path


@pytest.fixture
def write(home: Path) -> Write:
    """Write config.toml, readable by everybody unless told otherwise."""

    def do(text: str, mode: int = 0o644) -> Path:
        path = Path("config.toml")
        path.write_bytes(text.encode())
        path.chmod(mode)
        return path

    return do
