"""Two sound connections, and how to write a key file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Write = Callable[..., Path]
STRIVE = """\
[connections.strive]
platform = "strive"
campaign_id = 273
api_key_file = "strive.key"
"""
TELERIVET = """\
[connections.telerivet]
platform = "telerivet"
project_id = "PJ2ad0100821a98bea"
api_key_file = "telerivet.key"
"""


def secret(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)
