"""Starting what is measured: each a process of its own, so that its time and its memory are its alone."""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.members import CAMPAIGN, KEY

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}


@dataclass(frozen=True)
class Spent:
    """What one process took: seconds on the clock, seconds of processor, its largest resident size in MB."""

    wall: float
    cpu: float
    peak: float
    said: str = ""


def run(*command: str, env: dict[str, str] | None = None, fine: Sequence[int] = (0,)) -> Spent:
    """Run Python with these arguments to its end. Raises RuntimeError with what it said when it ends otherwise than
    with one of the codes that are `fine`.

    The peak is the kernel's (wait4). A child begins with its parent's peak, so this process imports nothing big.
    """
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, *command], stdout=out, stderr=out, env={**ENVIRONMENT, **(env or {})}, cwd=ROOT
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it again
        out.seek(0)
        said = out.read().decode()
    if child.returncode not in fine:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{said[-3000:]}")
    return Spent(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def median(spent: Sequence[Spent]) -> Spent:
    """Each number's median by itself."""
    return Spent(*(statistics.median(getattr(each, name) for each in spent) for name in ("wall", "cpu", "peak")))


@contextlib.contextmanager
def serving(members: int) -> Iterator[str]:
    """A server of canned pages; gives its address."""
    command = [sys.executable, "-m", "benchmarks.server", "--members", str(members)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as child:
        try:
            assert child.stdout is not None
            yield f"http://127.0.0.1:{int(child.stdout.readline())}"
        finally:
            child.terminate()


def edit(base_url: str) -> None:
    """Let one member in a hundred change."""
    with urllib.request.urlopen(f"{base_url}/_bench/edit") as answer:
        answer.read()


class Rosterd:
    """`rosterd`, configured for one Strive account that is only read, with a state of its own."""

    def __init__(self, folder: Path, base_url: str) -> None:
        folder.mkdir(parents=True)
        self.database = folder / "state.db"
        self.config = folder / "config.toml"
        self.config.write_text(f"""\
[state]
url = "sqlite:///{self.database}"

[connections.strive]
platform = "strive"
campaign_id = {CAMPAIGN}
base_url = "{base_url}"
direction = "in"
rate = 1000
""")

    def sync(self, *options: str, through: Sequence[str] = ("-m", "daemon.cli")) -> Spent:
        env = {"ROSTERD_CONNECTIONS__STRIVE__API_KEY": KEY, "ROSTERD_LOG": "error"}
        return run(*through, "-c", str(self.config), "sync", "--json", *options, env=env)


def count(said: str, name: str) -> int:
    """A number of the one connection in what `rosterd sync --json` said."""
    found = re.search(rf'"{name}":\s*(\d+)', said)
    if found is None:
        raise RuntimeError(f"no {name} in:\n{said[-2000:]}")
    return int(found[1])
