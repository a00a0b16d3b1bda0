"""The page with the numbers."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass

SERVICE = "# The service\n"
"""From this heading on the page is measured by commands of its own."""


@dataclass(frozen=True)
class Section:
    """One table under its title, and what to know about it."""

    title: str
    table: str
    notes: str = ""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown: the first column is words, the others are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(sections: Sequence[Section], arguments: Sequence[str], seconds: float) -> str:
    parts = [f"## {each.title}\n\n{each.table}\n" + (f"\n{each.notes}\n" if each.notes else "") for each in sections]
    return "\n".join([_head(arguments, seconds), *parts])


def _head(arguments: Sequence[str], seconds: float) -> str:
    command = " ".join(["python -m benchmarks", *arguments])
    return f"""\
# Results

Made by `{command}` (`make bench`) in {seconds / 60:.0f} minutes.
{_machine()}; its load over the last five minutes was {os.getloadavg()[1]:.1f} at the end. Well above 2, other work was
in the way: then compare within a table, the seconds of processor before those on the clock.

To repeat it: `make bench`; with `ARGS=--quick` on few people, printed only; with `ARGS="--only five"` or `ARGS="--only
calls"` that part alone.

Every measured program is a process of its own; memory is its largest resident size as the kernel counted it. Where it
reads Strive alone, that is a server of canned pages in yet another process, 1000 members a page, without TLS or
compression: a member is made up, has 20 columns, and matches nobody else. Five platforms are the sandbox, in a process
of its own too.
"""


def _machine() -> str:
    return f"Machine: {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
