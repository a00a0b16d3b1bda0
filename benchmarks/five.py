"""A first reading of five platforms at once, whose people overlap; and bringing everybody everywhere after it."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import where
from benchmarks.process import Spent
from benchmarks.report import Section, say, table
from benchmarks.sandboxed import PLATFORMS, TITLES, Five, asked, books, platforms

OVERLAP = 130.0
"""Seconds. Some of the sandbox's people say no while it is filled, and Action Network's feed reaches two minutes back:
those who said it before are no news."""
NO_FUSE = "[fuse]\n" + "\n".join(f"{kind} = {{rows = 100000000}}" for kind in ("create", "update", "blank", "rekey"))

READ = """\
One run that reads everything and writes nothing, with no limit of calls but what the sandbox gives. *At the rate*: the
calls divided by what a connection makes a second as it comes; all go on at the same time, so the longest is what a user
waits for. Who is on several platforms is one contact: there are {contacts:,} contacts then. The sandbox's people are
messy on purpose (see `daemon/sandbox/population.py`): {held:,} records wait for a person, and {failed:,} have no phone
number one could call."""
TOLD = """\
The run after that reading: everybody is made where they are missing, and what one platform knew is told to the others.
The fuse was open; as it comes it would have asked first. Colony and Carium are only read."""
BOUNDED = """\
Aim: memory is bounded by the pages in hand, one a platform, and not by the number of people."""


def measure(people: int) -> list[Section]:
    """Reading at a tenth of `people` and at `people`; writing at a tenth."""
    few = people // 10
    with tempfile.TemporaryDirectory() as folder, platforms(people) as many_url, platforms(few) as url:
        time.sleep(OVERLAP)
        five = Five(Path(folder) / "large", many_url)
        large = _read(five, people)
        sections, grown = [_reading(people, large, five)], [_grown(people, large, _size(five))]
        five = Five(Path(folder) / "small", url, more=NO_FUSE)
        grown.insert(0, _grown(few, _read(five, few), _size(five)))
        watched = Five(Path(folder) / "watched", url).sync(only_read=True, through=("-m", "benchmarks.where"))
        told = five.sync()
        _no_harm(many_url)
        _no_harm(url)
    heads = ["people", "records", "s", "CPU s", "records/s", "peak MB", "database MB"]
    sections.append(Section("Memory and time of that reading", table(heads, grown), BOUNDED))
    sections.append(where.section(f"Where its time goes ({few:,} people)", watched, _records(watched), "record"))
    return [*sections, _telling(few, told)]


def _read(five: Five, people: int) -> Spent:
    done = five.sync(only_read=True)
    say(f"five platforms, {people:,} people: {done.wall:.0f} s, {done.cpu:.0f} s of processor, {done.peak:.0f} MB")
    return done


def _records(done: Spent) -> int:
    return sum(each["read"] for each in books(done).values())


def _size(five: Five) -> float:
    return five.database.stat().st_size / 1e6


def _grown(people: int, done: Spent, size: float) -> list[str]:
    records = _records(done)
    numbers = (people, records, done.wall, done.cpu, records / done.wall, done.peak, size)
    return [f"{each:,.0f}" for each in numbers]


def _reading(people: int, done: Spent, five: Five) -> Section:
    found = books(done)
    columns = [[found[name]["read"]] for name in PLATFORMS]
    held, failed = (sum(each[what] for each in found.values()) for what in ("held", "failed"))
    with sqlite3.connect(five.database) as db:
        ((contacts,),) = db.execute("select count(*) from contacts where merged_into is null").fetchall()
    notes = READ.format(contacts=contacts, held=held, failed=failed)
    title = f"First reading of {people:,} people across five platforms"
    return Section(title, _by_platform(["records"], columns, found), f"{_clock(done)}\n\n{notes}")


def _telling(people: int, done: Spent) -> Section:
    found = books(done)
    heads = ["created", "updated", "opted out"]
    columns = [[found[name][what.replace(" ", "_")] for what in heads] for name in PLATFORMS]
    title = f"Bringing everybody everywhere ({people:,} people)"
    return Section(title, _by_platform(heads, columns, found), f"{_clock(done)}\n\n{TOLD}")


def _clock(done: Spent) -> str:
    calls = sum(each["calls"] for each in books(done).values())
    return (
        f"Together: {_records(done):,} records read, {calls:,} calls, {done.wall:.0f} s on the clock, {done.cpu:.0f} s "
        f"of processor, {done.peak:.0f} MB at most."
    )


def _by_platform(heads: list[str], columns: list[list[int]], found: dict[str, Any]) -> str:
    rates = _rates()
    rows = []
    for name, title, numbers in zip(PLATFORMS, TITLES, columns, strict=True):
        calls = found[name]["calls"]
        shown = [*numbers, calls]
        rows.append([title, *(f"{each:,}" for each in shown), f"{rates[name]:g}", _span(calls / rates[name])])
    return table(["", *heads, "calls", "rate (calls/s)", "at the rate"], rows)


def _rates() -> dict[str, float]:
    """Calls a second, as a connection comes."""
    from daemon.settings_platforms import PLATFORMS as MODELS

    return {name: float(MODELS[name].model_fields["rate"].default) for name in PLATFORMS}


def _span(seconds: float) -> str:
    hours, minutes = seconds / 3600, seconds / 60
    return f"{hours:.1f} h" if hours >= 1.5 else f"{minutes:.0f} min" if minutes >= 2 else f"{seconds:.0f} s"


def _no_harm(url: str) -> None:
    harm = asked(url, "harm")
    if harm["blind_writes"] or any(harm["harm"].values()):
        raise RuntimeError(f"harm was done: {harm}")
