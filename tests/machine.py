"""What some tests need of the machine beside Python. Nothing is skipped silently where `.ci/run` installs it."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(program: str, package: str) -> str:
    """The path of a program. Without it the test is skipped, naming the Debian package that has it; in CI it fails."""
    found = shutil.which(program)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {program}: install Debian's package {package}")
    return found
