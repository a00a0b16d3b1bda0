"""`python -m tests.soak`: the soak in simulated time. Ends with 1, the seed and the story when something is wrong."""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import structlog

from tests.soak.ledger import Told
from tests.soak.story import Story
from tests.soak.world import NAMES, RATES, SoakWorld

LINES: Counter[str] = Counter()
DEFECTS: list[Any] = []


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=48.0, help="simulated ones [48]")
    parser.add_argument("--people", type=int, default=80, help="at the start [80]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--acts", type=float, help="what people do in an hour [a quarter of the people, 120 at most]")
    parser.add_argument("--slower", type=float, default=1.0, help="by how much each `every` is longer than usual [1]")
    parser.add_argument("--url", default="", help="of an empty PostgreSQL database [SQLite]")
    parser.add_argument("--json", action="store_true", help="the figures alone")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # or the order of sets would differ from run to run
        again = [sys.executable, "-m", "tests.soak", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - ourselves
    structlog.configure(processors=[_count])
    acts = given.acts or min(120.0, given.people / 4)
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        world = SoakWorld(Path(folder), given.people, given.seed, given.url, slower=given.slower)
        story = Story(world, given.hours, acts, random.Random(f"{given.seed} story"), LINES)
        story.run()
        if world.process is not None:
            world.process.kill()
    found = figures(story, time.monotonic() - began, time.process_time() - cpu)
    wrong = [*world.complaints, *steady(story), *(f"a defect: {each}" for each in DEFECTS)]
    show(found, as_json=given.json)
    if wrong:
        print(f"\nWRONG, with --hours {given.hours:g} --people {given.people} --seed {given.seed}:", file=sys.stderr)
        print("\n".join(wrong[:40]), "", "What happened:", *world.told, sep="\n", file=sys.stderr)
    return int(bool(wrong))


def _count(_: Any, method: str, event: Any) -> Any:
    """Every line that the service would have written."""
    LINES[str(event.get("event"))] += 1
    if method == "exception" or event.get("exc_info"):
        DEFECTS.append((event, repr(sys.exc_info()[1])))
    raise structlog.DropEvent


def steady(story: Story) -> list[str]:
    """Memory and open files are as in the first half; what is kept and logged grows with the time alone."""
    half = len(story.samples) // 2
    first, second = story.samples[2:half], story.samples[half:]
    if not first:
        return []
    wrong = []
    before, after = first[half // 4 :], second[half // 2 :]
    grown = statistics.median(s.rss for s in after) / statistics.median(s.rss for s in before)
    if grown > 1.15:
        wrong.append(f"memory grew by {grown - 1:.0%} between the halves: {[round(s.rss) for s in story.samples]}")
    if max(s.files for s in second) > max(s.files for s in first) + 2:
        wrong.append(f"open files: {[s.files for s in story.samples]}")
    return wrong


def figures(story: Story, seconds: float, cpu: float) -> dict[str, Any]:
    world = story.world
    hours = (world.time.now() - world.began) / 3600
    back = [waited for _, _, waited in world.weather.recovered()]
    calls = {name: site.calls.total() for name, site in world.sites.items()}
    return {
        "hours simulated": round(hours, 1),
        "real seconds": round(seconds, 1),
        "processor seconds": round(cpu, 1),
        "people": len(world.crowd.people),
        "done by people": dict(world.crowd.done),
        "troubles": dict(world.counts),
        "struck": {name: dict(site.struck) for name, site in world.sites.items() if site.struck},
        "pushes": {name: dict(site.arrived) for name, site in world.sites.items() if site.arrived},
        "opt-outs told, nothing wrong": told(world.ledger.smooth),
        "... of them, behind a backlog": told([each for each in world.ledger.smooth if each.backlog]),
        "opt-outs told, something wrong": told(world.ledger.rough),
        "lag / every, nothing wrong": {"p50": _at(story.lags, 0.5), "max": _at(story.lags, 1.0)},
        "back after a trouble s": {"p50": _at(back, 0.5), "max": _at(back, 1.0)},
        "calls": calls,
        "calls / budget": {name: round(calls[name] / (RATES[name] * hours * 3600), 4) for name in NAMES},
        "blind writes, racing a person": sum(site.blind_writes for site in world.sites.values()),
        "429, of a busy spell": sum(site.refusals["busy"] for site in world.sites.values()),
        "429, avoidable": sum(site.refusals["avoidable"] for site in world.sites.values()),
        "alerts": dict(Counter(f"{news.kind} {news.state}" for news in world.news)),
        "rss MB by hour": [round(s.rss) for s in story.samples[:: max(1, len(story.samples) // 12)]],
        "files": [min(s.files for s in story.samples), max(s.files for s in story.samples)],
        "log lines an hour": round(LINES.total() / hours),
        "rows of runs and journal": story.samples[-1].rows,
    }


def told(found: list[Told]) -> dict[str, float]:
    seconds = [each.seconds for each in found]
    late = [each.late for each in found]
    return {
        "count": len(found),
        "p50 s": _at(seconds, 0.5),
        "p99 s": _at(seconds, 0.99),
        "max s": _at(seconds, 1.0),
        "over the promise": sum(each > 0 for each in late),
    }


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0


def show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    for name, what in found.items():
        print(f"{name:<34}{json.dumps(what)}")


if __name__ == "__main__":
    raise SystemExit(main())
