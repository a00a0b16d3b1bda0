"""The crash matrix, scenario by scenario, as asked for on standard input: `python -m tests.system.crash.matrix`.

Count the points of an uninterrupted run; then, for each: begin from the same platforms and database, run until
the process dies there, run again until it is quiet, and compare with the uninterrupted run. A process that has
imported everything forks a child for each run: real processes, really killed. It has no thread of its own.

A line in:  {"name": "cold start", "sample": 6} or {"name": "cold start", "part": [0, 2]}. A line out: a `Result`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from daemon import assemble
from daemon.cli import COMMANDS, main
from tests.system.crash.every import SCENARIOS
from tests.system.crash.keeper import Clock, Keeper
from tests.system.crash.people import Scenario
from tests.system.crash.points import KINDS, Point, Points, arm
from tests.system.crash.state import canonical, differences

RUNS = 4
"""So many runs may follow a kill, the last of them sending nothing."""


@dataclass
class Result:
    """What became of one scenario, or of this worker's part of it. `passed_by`: points that a run ended before."""

    scenario: str
    points: int
    killed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    passed_by: int = 0
    failures: list[str] = field(default_factory=list)


class Matrix:
    """One scenario in a folder of its own, with a sandbox of its own."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        acts = {"people": scenario.people, "meanwhile": scenario.meanwhile or (lambda _: None)}
        self.keeper = Keeper(acts)
        self.clock = Clock()
        self.began = 0.0
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
            assemble.roster = functools.partial(assemble.roster, clock=self.clock)
            main(list(arguments), prog_name="rosterd")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            if points is not None:
                told = {"points": points.all(), "modules": sorted(sys.modules)}
                (self.folder / "points.json").write_text(json.dumps(told))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def sync(self, *more: str) -> int:
        """A run to its end. How many pushes it sent."""
        code = self.rosterd(*self.scenario.command, "--json", *more)
        if code not in (0, 3):
            raise AssertionError(f"exit {code}: {(self.folder / 'stderr').read_text()[-2000:]}")
        return int(json.loads(self.last)["sent"])

    def settle(self, apart: float = 0.0) -> int:
        """Run until a run sends nothing. How many runs that took. `apart`: so many seconds pass before each."""
        for run in range(1, RUNS + 1):
            self.later(apart)
            if self.sync() == 0:
                return run
        raise AssertionError(f"still sending after {RUNS} runs")

    def later(self, seconds: float) -> None:
        """Time passes, for the platforms and for us."""
        if seconds:
            self.clock.ahead += seconds
            self.keeper(f"later {seconds}")

    def prepare(self) -> None:
        """Up to the moment before the run that will be killed."""
        scenario = self.scenario
        self.keeper("serve")
        only = [word for name in scenario.platforms for word in ("--only", name)]
        if self.rosterd("init", "--sandbox", self.keeper.url, *only):
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
        """Everything as it was before the run that will be killed, the time too: a feed reads what is young again."""
        for file in self.folder.glob("state.db*"):
            file.unlink()
        for file in (self.folder / "start").iterdir():
            shutil.copy2(file, self.folder)
        self.keeper("clone")
        self.began = self.began or time.time()
        self.clock.ahead = 0.0
        self.later(self.began - time.time())

    def uninterrupted(self) -> list[Point]:
        """The run as it should be: remembers how it ends, and returns the points it passes."""
        self.begin()
        code = self.rosterd(*self.scenario.command, "--json", points=Points())
        if code not in (0, 3) or json.loads(self.last)["sent"] == 0:
            raise AssertionError(f"exit {code}: {self.last} {(self.folder / 'stderr').read_text()[-2000:]}")
        self.settle(self.scenario.apart)
        self.scenario.expect(canonical(self.state()))
        self.wanted = self.look()
        self.keeper("end")
        told = json.loads((self.folder / "points.json").read_text())
        load(told["modules"])
        return [Point(*each) for each in told["points"]]

    def look(self) -> dict[str, Any]:
        """The platforms, what harm was done to them, and what we remember, without ids and times."""
        return canonical(self.state(), self.keeper.get("harm"), self.folder / "state.db")

    def state(self) -> dict[str, Any]:
        """The platforms as they show themselves, the outreaches at the scenario's campaign among it."""
        campaign = self.scenario.campaign
        told = {"outreaches": self.keeper.outreaches(campaign)} if campaign else {}
        return {**self.keeper.get("state"), **told}

    def kill(self, point: Point) -> tuple[bool, list[str]]:
        """Whether it died there, and what was wrong afterwards."""
        self.begin()
        try:
            code = self.rosterd(*self.scenario.command, "--json", points=Points(point))
            wrong = [] if code in (0, 3, -signal.SIGKILL) else [f"exit {code}"]
            self.settle(self.scenario.apart)
            wrong += differences(self.wanted, self.look())
        except AssertionError as problem:
            return True, [str(problem)]
        finally:
            self.keeper("end")
        return code == -signal.SIGKILL, wrong


def run(name: str, folder: Path, *, sample: int | None = None, part: Sequence[int] = (0, 1)) -> Result:
    """One scenario. `sample`: only about so many points, evenly spread. `part` (i, n): the i-th of n equal shares."""
    matrix = Matrix(SCENARIOS[name], folder)
    matrix.prepare()
    points = chosen(matrix.uninterrupted(), sample, part)
    result = Result(name, len(points))
    for point in points:
        died, wrong = matrix.kill(point)
        result.killed[point.kind] += died
        result.passed_by += not died
        result.failures += [f"{point}: {what}" for what in wrong]
    matrix.keeper.quit()
    return result


def chosen(points: list[Point], sample: int | None, part: Sequence[int]) -> list[Point]:
    every = max(1, len(points) // sample) if sample else 1
    return points[every // 2 :: every][part[0] :: part[1]]


def load(modules: Iterable[str]) -> None:
    """Import in the parent what a child had to, so that the next ones need not."""
    for name in modules:
        if name not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def serve() -> None:
    load(f"daemon.commands.{command}" for command in COMMANDS)
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asdict(run(folder=Path(folder), **json.loads(line)))), flush=True)


if __name__ == "__main__":
    serve()
