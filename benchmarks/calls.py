"""API calls of a run on five platforms, against the fewest that each of them allows (see `fewest`).

On the sandbox, counted in its own request log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fewest import FEWEST, IDLE, Work
from benchmarks.report import Section, say, table
from benchmarks.sandboxed import PLATFORMS, TITLES
from benchmarks.scene import WRITTEN, Scene, scene

TITLE_OF = dict(zip(PLATFORMS, TITLES, strict=True))
NEW, SOME = 100, 10
"""So many people join at once; so many edits are more than one and fewer than an import is worth."""
HIGH = 1.10

WORDS = """\
A cell is what was made and the fewest that the platform's API allows; the last column is of all five together. What the
fewest are made of stands in `benchmarks/fewest.py`, a function for each platform. The accounts hold the same people,
alike: all have one tag, a fifth a second, a quarter a consent at Carium. Colony and Carium are only read, so theirs are
the calls of reading everything, each time. *The run after* a change: the platforms show what was written as changed,
and Action Network shows no tags with a person, so these are asked for, one call each. Who joins has a name, a phone and
an email."""
WHY = """\
Why:

- *Action Network, backfill.* People and taggings come in no promised order, and page numbers drift while they change.
  So every page begins before the end of the one before it, and must show one of its rows again, or it is gone back: a
  third more calls, with more people too. Reading all of it twice and comparing would double them.
- *Strive and Telerivet, backfill.* Calls that do not grow with the people: what the account offers, one on either, once
  for an account; and at Strive the logs right after the reading, for what was edited meanwhile (here, who came in its
  last five minutes).
- *Telerivet, ten edits.* From 2 to 24 updates are a reading and a writing each, where one import after the reading of
  the same run would do. The import tells ids and not what it stored, so it is left to where it saves much."""


@dataclass(frozen=True)
class Step:
    """What happens before a run, and the work that makes; platforms that are not named have none.

    `settled`: a run is made before, uncounted, in which what the one before it wrote comes back.
    """

    what: str
    happen: Callable[[], object]
    work: Mapping[str, Work]
    settled: bool = True


Row = tuple[str, dict[str, tuple[int, int]]]  # what; by platform: calls made, and the fewest


def measure(people: int) -> Section:
    """At a tenth of `people` the first reading, and at `people` everything."""
    rows: list[Row] = []
    for count in (people // 10, people):
        with tempfile.TemporaryDirectory() as folder, scene(count, Path(folder)) as here:
            steps = _steps(here)
            rows += [_row(here, step) for step in (steps if count == people else steps[:1])]
            if count == people:
                _must_have_arrived(here)
    heads = ["made / fewest", *TITLES, "÷"]
    shown = table(heads, [_shown(row) for row in rows])
    notes = f"{WORDS}\n\nAbove {HIGH:.2f}:\n\n{_above(rows)}\n\n{WHY}"
    return Section(f"API calls, {people:,} people on five platforms", shown, notes)


def _row(here: Scene, step: Step) -> Row:
    if step.settled:
        here.settle()
    step.happen()
    made = here.sync()
    row = {name: (made[name], FEWEST[name](here.held[name], step.work.get(name, IDLE))) for name in PLATFORMS}
    say(f"calls, {step.what}: " + ", ".join(f"{name} {one} / {other}" for name, (one, other) in row.items()))
    return step.what, row


def _steps(here: Scene) -> list[Step]:
    some = max(1, here.people // 100)
    everybody = dict.fromkeys(PLATFORMS, Work(whole=True))
    steps = [
        Step(f"backfill of {here.people:,}", lambda: None, everybody, settled=False),
        Step("nothing changed", lambda: None, {}),
        *(_edit(here, name, number, 1) for number, name in enumerate(PLATFORMS)),
        _edit(here, "strive", 20, SOME),
        *(_opt_out(here, name, number) for number, name in enumerate(PLATFORMS)),
    ]
    for name in PLATFORMS:
        steps.append(_edit(here, name, 100, some))
        if name == "strive":
            steps.append(Step("... and the run after", lambda: None, _echo(some), settled=False))
    join = {"strive": Work(moved=NEW), **dict.fromkeys(WRITTEN[1:], Work(creates=NEW))}
    new = range(here.people, here.people + NEW)
    return [*steps, Step(f"{NEW} people join on Strive", lambda: here.join_strive(new), join)]


def _edit(here: Scene, name: str, first: int, many: int) -> Step:
    """Some people are edited by hand: all others are to be told."""
    work = Work(renames=many) if name == "carium" else Work(updates=many)
    what = {1: "one edit", SOME: "ten edits"}.get(many, f"1 % edited ({many} people)")
    numbers = range(first, first + many)
    told = {each: work for each in WRITTEN if each != name}
    text = _text(name, many)
    return Step(f"{what} on {TITLE_OF[name]}", lambda: here.edit(name, numbers, text), {**told, name: Work(moved=many)})


def _text(name: str, many: int) -> str:
    return f"{TITLE_OF[name].replace(' ', '')}{many}"


def _opt_out(here: Scene, name: str, number: int) -> Step:
    told = {each: Work(optouts=1) for each in WRITTEN if each != name}
    what = f"one opt-out on {TITLE_OF[name]}"
    return Step(what, lambda: here.opt_out(name, 50 + number), {**told, name: Work(moved=1)})


def _echo(many: int) -> dict[str, Work]:
    """What was written has changed the records, and their feeds say so."""
    return {"action_network": Work(moved=many)}


def _must_have_arrived(here: Scene) -> None:
    here.settle()
    some = max(1, here.people // 100)
    for platform in WRITTEN:
        words, silent = here.words(platform), here.silent(platform)
        lost = {name for name in PLATFORMS if words[_text(name, 1)] != 1}
        if lost or words[_text("carium", some)] != some or silent != len(PLATFORMS):
            raise RuntimeError(f"{platform}: {silent} opt-outs arrived; of {lost} an edit did not: {words}")


def _above(rows: list[Row]) -> str:
    """One platform's part in one run, where it is far from the fewest."""
    high = [
        [f"{what}: {TITLE_OF[name]}", str(made), str(fewest), f"{made / fewest:.2f}"]
        for what, calls in rows
        for name, (made, fewest) in calls.items()
        if made > HIGH * fewest
    ]
    return table(["", "made", "fewest", "÷"], high)


def _shown(row: Row) -> list[str]:
    what, calls = row
    made, fewest = (sum(each[number] for each in calls.values()) for number in (0, 1))
    return [what, *(f"{one} / {other}" for one, other in calls.values()), f"{made / fewest:.2f}"]
