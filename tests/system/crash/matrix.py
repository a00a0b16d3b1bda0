"""One scenario of the crash matrix: `python -m tests.system.crash.matrix SCENARIO --every 1 --part 0/2`.

Count the points of an uninterrupted run; then, for each: begin from the same platforms and database, run until
the process dies there, run again until it is quiet, and compare with the uninterrupted run. A process that has
imported everything forks a child for each run: real processes, really killed. It has no thread of its own.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from daemon.cli import COMMANDS, main
from tests.system.crash.keeper import Keeper
from tests.system.crash.points import KINDS, Kind, Points, arm
from tests.system.crash.scenarios import SCENARIOS, Scenario
from tests.system.crash.state import canonical, differences

RUNS = 4
"""So many runs may follow a kill, the last of them sending nothing."""


@dataclass
class Result:
    """What became of one scenario. `passed_by`: points that this order of threads did not reach."""

    scenario: str
    points: dict[str, int]
    killed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    passed_by: int = 0
    failures: list[str] = field(default_factory=list)


class Matrix:
    """One scenario in a folder of its own, with a sandbox of its own."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        acts = {"people": scenario.people, "meanwhile": scenario.meanwhile or (lambda _: None)}
        self.keeper = Keeper(acts)
        self.last = ""

    def rosterd(self, *arguments: str, points: Points | None = None) -> int:
        """`rosterd ARGUMENTS` in a process of its own. Its exit code, or minus the signal that killed it."""
        child = os.fork()
        if child == 0:
            self._child(arguments, points)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.last = (self.folder / "stdout").read_text()
        return code

    def _child(self, arguments: tuple[str, ...], points: Points | None) -> None:
        code = 1
        try:
            os.chdir(self.folder)
            for number, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            if points is not None:
                arm(points)
            main(list(arguments), prog_name="rosterd")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            if points is not None:
                (self.folder / "points.json").write_text(json.dumps(points.counts))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def sync(self, *more: str) -> int:
        """A run to its end. How many pushes it sent."""
        code = self.rosterd(*self.scenario.command, "--json", *more)
        if code not in (0, 3):
            raise AssertionError(f"exit {code}: {(self.folder / 'stderr').read_text()[-2000:]}")
        return int(json.loads(self.last)["sent"])

    def settle(self) -> int:
        """Run until a run sends nothing. How many runs that took."""
        for run in range(1, RUNS + 1):
            if self.sync() == 0:
                return run
        raise AssertionError(f"still sending after {RUNS} runs")

    def prepare(self) -> None:
        """Up to the moment before the run that will be killed."""
        scenario = self.scenario
        self.keeper("serve")
        if self.rosterd("init", "--sandbox", self.keeper.url):
            raise AssertionError((self.folder / "stderr").read_text())
        self.keeper("people")
        if scenario.configure:
            scenario.configure(self.folder)
        if scenario.meanwhile:
            self.settle()
            self.keeper("meanwhile")
        self.keeper("rest")
        if scenario.reconfigure:
            scenario.reconfigure(self.folder)
        start = self.folder / "start"
        start.mkdir()
        for file in self.folder.glob("state.db*"):
            shutil.copy2(file, start)

    def begin(self) -> None:
        """Everything as it was before the run that will be killed."""
        for file in self.folder.glob("state.db*"):
            file.unlink()
        for file in (self.folder / "start").iterdir():
            shutil.copy2(file, self.folder)
        self.keeper("clone")

    def uninterrupted(self) -> dict[str, int]:
        """The run as it should be: remembers how it ends, and returns how many points of each kind it passes."""
        self.begin()
        code = self.rosterd(*self.scenario.command, "--json", points=Points())
        if code not in (0, 3) or json.loads(self.last)["sent"] == 0:
            raise AssertionError(f"exit {code}: {self.last} {(self.folder / 'stderr').read_text()[-2000:]}")
        self.settle()
        self.scenario.expect(canonical(self.keeper.get("state")))
        self.wanted = self.look()
        self.keeper("end")
        found: dict[str, int] = json.loads((self.folder / "points.json").read_text())
        return found

    def look(self) -> dict[str, Any]:
        """The platforms, what harm was done to them, and what we remember, without ids and times."""
        return canonical(self.keeper.get("state"), self.keeper.get("harm"), self.folder / "state.db")

    def kill(self, kind: Kind, number: int) -> tuple[bool, list[str]]:
        """Whether it died there, and what was wrong afterwards."""
        self.begin()
        try:
            code = self.rosterd(*self.scenario.command, "--json", points=Points(kind, number))
            wrong = [] if code in (0, 3, -signal.SIGKILL) else [f"exit {code}"]
            self.settle()
            wrong += differences(self.wanted, self.look())
        except AssertionError as problem:
            return True, [str(problem)]
        finally:
            self.keeper("end")
        return code == -signal.SIGKILL, wrong


def run(name: str, folder: Path, *, every: int = 1, part: tuple[int, int] = (0, 1)) -> Result:
    """One scenario. `every`: only every so many-th point. `part` (i, n): the i-th of n equal shares."""
    matrix = Matrix(SCENARIOS[name], folder)
    matrix.prepare()
    result = Result(name, matrix.uninterrupted())
    for kind, number in chosen(result.points, every, part):
        died, wrong = matrix.kill(kind, number)
        result.killed[kind] += died
        result.passed_by += not died
        result.failures += [f"{kind} {number}: {what}" for what in wrong]
    matrix.keeper.quit()
    return result


def chosen(points: dict[str, int], every: int, part: tuple[int, int]) -> Iterator[tuple[Kind, int]]:
    everything = [(kind, number) for kind in KINDS for number in range(1, points.get(kind, 0) + 1)]
    yield from everything[part[0] * every :: part[1] * every]


def load_everything() -> None:
    """Before the first fork: what a run imports and computes once."""
    for command in COMMANDS:
        importlib.import_module(f"daemon.commands.{command}")
    for module in ("daemon.platforms.strive", "daemon.platforms.telerivet", "sqlalchemy.dialects.sqlite", "rich.table"):
        importlib.import_module(module)
    from daemon.platforms.http import tls, user_agent

    tls()
    user_agent()


def command(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--part", default="0/1", help="i/n")
    given = parser.parse_args(arguments)
    index, parts = map(int, given.part.split("/"))
    load_everything()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        result = run(given.scenario, Path(folder), every=given.every, part=(index, parts))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    command()
