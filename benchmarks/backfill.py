"""A first reading, side by side with dlt and with the floor; then a second: quiet, and with one per cent changed."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.members import EVERY
from benchmarks.process import Rosterd, Spent, count, edit, median, run, serving
from benchmarks.report import Section, say, table

PAGE = 1000

MORE = """\
What the three do for a member is not the same. The floor stores its columns. dlt stores them too, by way of files, and
merges by id. rosterd reads each field into its canonical form, asks who this is by phone, email and ids elsewhere,
settles every field and the consent, and writes a contact, its identifiers, what Strive said, and the journal: about
eight rows in four tables where the others write one."""

Runner = Callable[[str, Path], Spent]


def measure(members: int, rounds: int) -> list[Section]:
    """The three of them one after the other, `rounds` times; then the second readings on the last state."""
    spent: dict[str, list[Spent]] = {name: [] for name in RUNNERS}
    with tempfile.TemporaryDirectory() as folder, serving(members) as url:
        for number in range(rounds):
            for name, runner in RUNNERS.items():
                done = runner(url, Path(folder) / f"{name}-{number}")
                spent[name].append(done)
                say(f"round {number + 1} of {rounds}, {name}: {done.wall:.1f} s, {done.peak:.0f} MB")
                _must_have_read(name, done, members)
        again = _again(url, Path(folder) / "again", members)
    return [_backfill(members, rounds, spent), again]


def _rosterd(url: str, folder: Path) -> Spent:
    return Rosterd(folder, url).sync()


def _dlt(url: str, folder: Path) -> Spent:
    folder.mkdir()
    return run("-m", "benchmarks.with_dlt", url, str(folder))


def _floor(url: str, folder: Path) -> Spent:
    folder.mkdir()
    return run("-m", "benchmarks.floor", url, str(folder / "floor.db"))


RUNNERS: dict[str, Runner] = {"rosterd": _rosterd, "dlt": _dlt, "floor": _floor}


def _must_have_read(name: str, done: Spent, members: int) -> None:
    got = count(done.said, "changed") if name == "rosterd" else int(done.said.split()[-1])
    if got != members:
        raise RuntimeError(f"{name} has {got} of {members} members")


def _backfill(members: int, rounds: int, spent: dict[str, list[Spent]]) -> Section:
    middle = {name: median(each) for name, each in spent.items()}
    rows = [
        [
            name,
            *(f"{value:.1f}" for value in (each.wall, each.cpu)),
            f"{members / each.wall:,.0f}",
            f"{each.peak:.0f}",
            f"{middle['dlt'].wall / each.wall:.2f}",
            f"{middle['dlt'].cpu / each.cpu:.2f}",
        ]
        for name, each in middle.items()
    ]
    pairs = [theirs.wall / ours.wall for ours, theirs in zip(spent["rosterd"], spent["dlt"], strict=True)]
    heads = ["", "s", "CPU s", "members/s", "peak MB", "× dlt (s)", "× dlt (CPU)"]
    by_pair = ", ".join(f"{each:.2f}" for each in pairs)
    calls, fewest = count(spent["rosterd"][0].said, "calls"), math.ceil(members / PAGE) + 2
    title = f"Cold backfill of {members:,} Strive members into an empty SQLite state"
    notes = (
        f"Medians of {rounds} rounds, interleaved. rosterd against dlt, pair by pair: {by_pair} (aim 1.25). "
        f"rosterd made {calls} calls, where {fewest} would do: the pages, the empty one that ends them, and "
        f"where the log ends.\n\n{MORE}"
    )
    return Section(title, table(heads, rows), notes)


# again


def _again(url: str, folder: Path, members: int) -> Section:
    """Two copies of one state, so that the edits are news to the feed of one and to the full reading of the other."""
    feed, full = Rosterd(folder / "feed", url), Rosterd(folder / "full", url)
    feed.sync()
    for file in feed.database.parent.glob("state.db*"):
        shutil.copy(file, full.database.parent)
    rows = [
        _row("nothing changed, by the feed", feed.sync(), 0),
        _row("nothing changed, everything read (`--full`)", full.sync("--full"), 0),
    ]
    edit(url)
    rows.append(_row("1 % changed, by the feed", feed.sync(), members // EVERY))
    rows.append(_row("1 % changed, everything read (`--full`)", full.sync("--full"), members // EVERY))
    heads = ["", "s", "CPU s", "peak MB", "read", "changed", "calls"]
    return Section(f"A second run over {members:,} members", table(heads, rows))


def _row(what: str, done: Spent, changed: int) -> list[str]:
    numbers = [count(done.said, name) for name in ("read", "changed", "calls")]
    if numbers[1] != changed:
        raise RuntimeError(f"{what}: {numbers[1]} changed, not {changed}")
    return [what, f"{done.wall:.1f}", f"{done.cpu:.1f}", f"{done.peak:.0f}", *(f"{each:,}" for each in numbers)]
