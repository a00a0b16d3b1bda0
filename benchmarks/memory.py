"""The largest resident size of one backfill: it must not grow with the number of people."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.process import Rosterd, serving
from benchmarks.report import Section, say, table


def measure(members: int, largest: int) -> Section:
    """At a tenth of `members`, at `members`, and at `largest` (0: not)."""
    rows = []
    for count in sorted({members // 10, members, largest} - {0}):
        with tempfile.TemporaryDirectory() as folder, serving(count) as url:
            ours = Rosterd(Path(folder) / "rosterd", url)
            done = ours.sync()
            size = ours.database.stat().st_size / 1e6
        say(f"memory at {count:,}: {done.peak:.0f} MB")
        rows.append([f"{count:,}", f"{done.peak:.0f}", f"{done.wall:.0f}", f"{done.cpu:.0f}", f"{size:,.0f}"])
    heads = ["members", "peak MB", "s", "CPU s", "database MB"]
    notes = "Aim: at most 150 MB, whatever the number."
    return Section("Memory of a backfill", table(heads, rows), notes)
