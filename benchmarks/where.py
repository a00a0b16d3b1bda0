"""Where the time of a backfill goes: stop-watches on the seams between the rooms.

python -m benchmarks.where -c CONFIG sync    runs rosterd like this, and says it on standard error

A stop-watch counts the processor time of its thread, less what other watches inside it count. Each costs about a
microsecond, so the watched run is slower than a plain one: read the shares, not the sum.
"""

from __future__ import annotations

import collections
import functools
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.process import Rosterd, Spent, serving
from benchmarks.report import Section, table

SEAMS = {
    "HTTP and JSON": ["daemon.platforms.http:Api.request"],
    "mapping": ["daemon.sync.cycle:hear"],
    "resolve": [
        "daemon.sync.intake:_who",
        "daemon.sync.people:People.identifiers_of",
        "daemon.sync.people:People.index",
    ],
    "merge": ["daemon.sync.intake:_absorb"],
    "consent": ["daemon.sync.optouts:recompute", "daemon.sync.optouts:guard", "daemon.sync.optouts:load"],
    "plan": ["daemon.sync.plan:owe", "daemon.sync.plan:moved", "daemon.sync.plan:settle"],
    "packing rows": ["daemon.sync.people:People.flush", "state.model:Contact.packed"],
    "database": [
        "sqlalchemy.engine.base:Connection.execute",
        "sqlalchemy.engine.base:Connection.exec_driver_sql",
        "sqlalchemy.engine.base:Connection._commit_impl",
    ],
    "the rest of taking in": ["daemon.sync.cycle:take_in", "daemon.sync.intake:prepare"],
    "the rest of the run": ["daemon.sync.cycle:_keep_pages"],
}


def measure(members: int) -> Section:
    with tempfile.TemporaryDirectory() as folder, serving(members) as url:
        done = Rosterd(Path(folder) / "rosterd", url).sync(through=("-m", "benchmarks.where"))
    return section(f"Where the time of a backfill goes ({members:,} members)", done, members, "member")


def section(title: str, done: Spent, many: int, noun: str) -> Section:
    """What the watches said in the output of a run that read so many."""
    spent = {name: float(seconds) for seconds, name in re.findall(r"^watched ([\d.]+) (.+)$", done.said, re.MULTILINE)}
    start = done.cpu - sum(spent.values())
    rows = [
        [name, f"{seconds / many * 1e6:.0f}", f"{seconds / sum(spent.values()):.0%}"]
        for name, seconds in sorted(spent.items(), key=lambda each: -each[1])
    ]
    notes = f"Starting the program, its imports and its database come on top once: {start:.1f} s of processor."
    return Section(title, table(["", f"µs a {noun}", "share"], rows), notes)


class Watches:
    """Processor time by name, each without what is watched inside it."""

    def __init__(self) -> None:
        self.spent: collections.Counter[str] = collections.Counter()
        self._inside = threading.local()

    def put_on(self, name: str, seam: str) -> None:
        owner, attribute = _find(seam)
        setattr(owner, attribute, self._watched(name, getattr(owner, attribute)))

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            outer: float = getattr(self._inside, "total", 0.0)
            self._inside.total = 0.0
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - began
                self.spent[name] += took - self._inside.total
                self._inside.total = outer + took

        return watched


def _find(seam: str) -> tuple[Any, str]:
    """The module or class a seam is in, and its name there."""
    module, _, path = seam.partition(":")
    __import__(module)
    owner: Any = sys.modules[module]
    *outer, last = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    return owner, last


def main() -> None:
    from daemon.cli import main as rosterd

    watches = Watches()
    for name, seams in SEAMS.items():
        for seam in seams:
            watches.put_on(name, seam)
    try:
        rosterd()
    finally:
        for name, seconds in watches.spent.items():
            print(f"watched {seconds:.6f} {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
