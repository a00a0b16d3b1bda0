"""Whatever the file holds, the answer is the settings or a list of problems, never a crash."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import BadConfig
from daemon.example import _toml
from daemon.settings import load, shown
from daemon.settings_models import Settings
from daemon.settings_platforms import PLATFORMS

KEYS = sorted(
    {*Settings.model_fields, "rows", "percent", "update", "level", "a", "max_shared", "ignore", "url"}.union(
        *(model.model_fields for model in PLATFORMS.values())
    )
)
VALUES = st.one_of(
    st.sampled_from(
        [
            "strive",
            "telerivet",
            "5m",
            "k",
            "sqlite:///x.db",
            "http://[",
            "https://x.example.org",
            "~nosuchuser/x",
            "a\0b",
            "",
        ]
    ),
    st.integers(-1, 10**9),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
)
TREES = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


def _file(tree: dict[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in tree.items())


@settings(max_examples=150, deadline=None)
@given(
    tree=st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), TREES, max_size=4),
    connection=st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6),
    platform=st.sampled_from([*PLATFORMS, 3, ["strive"], None]),
)
def test_settings_or_problems_with_a_place(tree: dict[str, Any], connection: dict[str, Any], platform: object) -> None:
    if platform is not None:
        connection = {**connection, "platform": platform}
    tree = {**tree, "connections": {"a": connection}}
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {}, clear=True):
        path = Path(folder, "config.toml")
        path.write_text(_file(tree))
        problems = _problems(path)
        assert problems is None or problems
        assert all(line.startswith(f"{path}:") for line in problems or ())


def _problems(path: Path) -> list[str] | None:
    try:
        shown(load(path))
    except BadConfig as error:
        return error.problems
    return None
