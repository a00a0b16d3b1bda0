"""kill -9 anywhere, run again, and everything is as if nothing had happened.

The matrix (tests/system/crash) kills `rosterd sync` before and after every HTTP call and every commit: all of them
with `make crash`, which prints the counts; a fixed sample otherwise. Below it, `rosterd sync` as installed, killed
from outside while a platform keeps it waiting.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox import Sandbox
from tests.system.cli_world import ROOT, Shell, environment, sandbox_and_shell
from tests.system.crash.every import SCENARIOS
from tests.system.crash.people import at_strive, at_telerivet, phone
from tests.system.crash.points import KINDS, WORDS
from tests.system.crash.scenarios import cold_people, expect_cold
from tests.system.crash.state import canonical

FULL = os.environ.get("ROSTERD_TEST_CRASH") == "full"
SAMPLE = 4
PARTS = 2
"""Processes at once for the full matrix."""


@pytest.fixture(scope="module")
def table() -> Iterator[list[dict[str, Any]]]:
    """What became of each scenario, printed at the end of the full matrix."""
    rows: list[dict[str, Any]] = []
    yield rows
    if FULL:
        print("\n".join(["", *(lines(rows) if rows else ())]))


class Worker:
    """A process that works on the matrix, one scenario at a time. It starts when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, **what: Any) -> None:
        if self._process is None:
            command = [sys.executable, "-m", "tests.system.crash.matrix"]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment(), **pipes)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.end()
            raise AssertionError("the matrix itself failed; see its standard error")
        return dict(json.loads(line))

    def end(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=30)
        self._process = None


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Worker]]:
    made = [Worker() for _ in range(PARTS if FULL else 1)]
    yield made
    for worker in made:
        worker.end()


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_anywhere_it_ends_the_same(name: str, table: list[dict[str, Any]], workers: list[Worker]) -> None:
    """Platforms, contacts, outbox and holds are as after the uninterrupted run; no harm done; the last run is quiet."""
    found = matrix(name, workers)
    table.append(found)
    assert not found["failures"], "\n".join(found["failures"][:10])
    died, points = sum(found["killed"].values()), found["points"]
    assert died + found["passed_by"] == points >= SAMPLE
    assert found["passed_by"] <= died // 4, "the points are not where they were counted"


def matrix(name: str, workers: list[Worker]) -> dict[str, Any]:
    """One scenario, shared by the workers; what they found, added up."""
    for number, worker in enumerate(workers):
        worker.ask(name=name, sample=None if FULL else SAMPLE, part=[number, len(workers)])
    whole, *parts = [worker.answer() for worker in workers]
    for part in parts:
        whole["killed"] = {kind: whole["killed"][kind] + part["killed"][kind] for kind in KINDS}
        for count in ("points", "passed_by"):  # each worker counts its own: seconds fall differently
            whole[count] += part[count]
        whole["failures"] += part["failures"]
    return whole


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    width = max(len(row["scenario"]) for row in rows) + 1
    yield f"{'killed':<{width}}" + "".join(f"{WORDS[kind]:>31}" for kind in KINDS) + f"{'failures':>10}"
    for row in rows:
        killed = "".join(f"{row['killed'][kind]:>31}" for kind in KINDS)
        yield f"{row['scenario']:<{width}}{killed}{len(row['failures']):>10}"
    total = "".join(f"{sum(row['killed'][kind] for row in rows):>31}" for kind in KINDS)
    yield f"{'in all':<{width}}{total}{sum(len(row['failures']) for row in rows):>10}"


CALLS = [
    ("strive", "GET", "^/members", False),
    ("strive", "POST", "^/members", True),
    ("telerivet", "POST", "/contacts", True),
    ("strive", "PATCH", "^/members", True),
]
MORE = [(platform, method, path, not done) for platform, method, path, done in CALLS]


@pytest.mark.parametrize(("platform", "method", "path", "done"), [*CALLS, *(MORE if FULL else ())])
def test_the_installed_program_killed_while_it_waits(
    tmp_path: Path, platform: str, method: str, path: str, done: bool
) -> None:
    """SIGKILL from outside in the middle of a call of the first run, the work there done or not: the next runs bring
    what an undisturbed one brings, and then there is nothing left to send."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        cold_people(sandbox)
        sandbox.faults.add("hang", platform=platform, method=method, path=path, work=done, seconds=60)
        kill_while_it_hangs(sandbox, shell)
        shell.json("sync", code=3)
        assert shell.json("sync", code=3)["sent"] == 0
        state = {"strive": sandbox.strive.members(), "telerivet": sandbox.telerivet.contacts()}
        expect_cold(canonical(state))
        assert not any(sandbox.harm().values()), sandbox.harm_log.details
        assert sandbox.blind_writes == 0


def kill_while_it_hangs(sandbox: Sandbox, shell: Shell) -> None:
    with shell.start("sync") as process:
        deadline = time.monotonic() + 30
        while not any(call.fault == "hang" for call in sandbox.calls()):
            assert time.monotonic() < deadline, "the call to be killed in was never made"
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=30)
    sandbox.faults.clear()


def test_a_create_of_ours_is_not_taken_for_somebodys_no(tmp_path: Path) -> None:
    """Killed after Strive made a member (unsubscribed, for nobody opted in): the person is not blocked at Telerivet.
    A member that somebody else made there, opted out, in the same moment is a real "no"."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        ours, theirs = at_telerivet(sandbox, 0), at_telerivet(sandbox, 1)
        sandbox.faults.add("hang", platform="strive", method="POST", path="^/members", work=True, seconds=60)
        kill_while_it_hangs(sandbox, shell)
        made = sandbox.strive.members()
        assert [each["phone_number"] for each in made] == [phone(0)]
        sandbox.strive.opt_out(at_strive(sandbox, 1, city="Rome"))
        shell("sync")
        assert shell.json("sync")["sent"] == 0
        assert not sandbox.telerivet.contact(ours)["send_blocked"]
        assert sandbox.telerivet.contact(theirs)["send_blocked"]
        sandbox.strive.opt_in(made[0]["id"])  # and what the person says there later counts
        sandbox.strive.opt_out(made[0]["id"])
        shell("sync")
        assert sandbox.telerivet.contact(ours)["send_blocked"]


def test_an_import_whose_end_we_did_not_see_is_not_sent_again(tmp_path: Path) -> None:
    """Killed after Colony took a file of new contacts, which show a while later: the next run waits, and says so."""
    with sandbox_and_shell(tmp_path, platforms=("strive", "colony"), empty=True) as (sandbox, shell):
        for number in range(27):
            at_strive(sandbox, number, opt_in=True)
        config = tmp_path / "config.toml"
        writes = 'direction = "both"\nscope = "read+write"\npaths.create_optout = "/contact/optouts/"\n'
        writes += 'paths.import_csv = "/contact/contactlists/import/"\n'
        config.write_text(config.read_text().replace("[connections.colony]\n", f"[connections.colony]\n{writes}"))
        sandbox.colony.import_after = 40
        sandbox.faults.add("hang", platform="colony", method="POST", path="/import", work=True, seconds=60)
        kill_while_it_hangs(sandbox, shell)
        waits = shell("sync", code=75)
        assert "may still be at work" in waits.stderr
        with sandbox.colony.lock:
            sandbox.colony.commits.settle_all()
        assert len(sandbox.colony.contacts()) == 27
        assert len([call for call in sandbox.calls("colony", "POST") if "import" in call.path]) == 1
        assert not any(sandbox.harm().values()), sandbox.harm_log.details
