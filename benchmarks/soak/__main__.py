"""`python -m benchmarks.soak`: `rosterd run` against `rosterd sandbox` in real time, with faults, edits and kills.

At the end every platform is compared with every other, and what the service said of itself with what the sandbox saw.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.five import NO_FUSE
from benchmarks.sandboxed import config
from benchmarks.soak.people import PLATFORMS, SAYS_NO, TOLD, Crowd, Sandbox, disagreements
from benchmarks.soak.service import Service, free_port, sandbox

RATES = {"strive": 3, "telerivet": 3, "action_network": 4, "colony": 2, "carium": 2}
"""Calls a second, as a connection comes."""
PROMISE = 60.0
"""Seconds beyond `every` until a "no" is everywhere."""
LATE = 300.0
STEP = 0.5
KEPT = 12.0
"""Seconds that /metrics may be old: what must be counted is not counted for every scrape."""
UNDISTURBED = 0.3
"""The share of the time, the last, in which nobody kills it: what one process counted is compared with the sandbox."""


@dataclass
class Told:
    target: str
    seconds: float
    killed: bool  # the service was killed or restarted meanwhile


@dataclass
class Soak:
    """`end`: when people stop."""

    box: Sandbox
    crowd: Crowd
    service: Service
    every: float
    dice: random.Random
    begin: float = field(default_factory=time.time)
    open: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    resources: list[tuple[float, float, int, float]] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    base: dict[str, int] = field(default_factory=dict)
    told_before: int = 0
    last_kill: float = 0.0

    def run(self, minutes: float) -> None:
        end = self.begin + 60 * minutes
        self._start()
        calm = self.begin + 60 * minutes * (1 - UNDISTURBED)
        plan = {"act": self.begin + 5, "sample": self.begin + 10, "round": self.begin + 15, "kill": self.begin + 90}
        while (now := time.time()) < end:
            if now >= plan["act"]:
                self._act()
                plan["act"] = now + self.dice.expovariate(1 / 2.0)
            if now >= plan["sample"]:
                self._sample()
                plan["sample"] = now + 5
            if now >= plan["round"]:
                self.crowd.look_round(self.box.everybody())
                plan["round"] = now + 10
            if now >= plan["kill"] and now < calm:
                self._disturb()
                plan["kill"] = time.time() + self.dice.uniform(20, 150)
            self._look_for_no()
            time.sleep(STEP)

    # the service

    def _start(self) -> None:
        self.base, self.told_before = self.box.calls(), len(self.told)
        self.service.start()
        self.last_kill = time.time()

    def _disturb(self) -> None:
        what = self.dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
        if what == signal.SIGHUP:
            self.service.reload()
            return
        seconds = self.service.end(what)
        if what == signal.SIGTERM:
            self.ends.append(seconds)
        self._start()

    # people

    def _act(self) -> None:
        said = self.crowd.act()
        if said is None:
            return
        phone, origin = said
        for name in TOLD:
            id_ = self.crowd.ids[phone].get(name)
            if name != origin and id_ is not None and not SAYS_NO[name](self.box.shown(name, id_)):
                self.open[phone, name] = time.time(), origin

    def _look_for_no(self) -> None:
        for (phone, name), (since, _) in list(self.open.items()):
            if SAYS_NO[name](self.box.shown(name, self.crowd.ids[phone][name])):
                del self.open[phone, name]
                self.told.append(Told(name, time.time() - since, self.last_kill > since))

    # what it says of itself

    def _sample(self) -> None:
        now = time.time()
        rss, files, cpu = self.service.resources()
        self.resources.append((now - self.begin, rss, files, cpu))
        began = time.monotonic()
        metrics = self.service.metrics()
        self.scrapes.append(time.monotonic() - began)
        status, ready = self.service.ready()
        page = self.service.ask("")
        self.seen[f"readyz {status}"] += 1
        first = not metrics.get("rosterd_connection_lag_seconds")  # nothing has been read whole yet
        if first and status == 503 and page[0] == 200:
            return
        if first or page[0] != 200 or status not in (200, 503):
            self.wrong.append(
                f"{now - self.begin:.0f} s: not answered: metrics {bool(metrics)}, /readyz {status}, / {page[0]}"
            )
            return
        self._lags(metrics, now)
        self._agree(metrics, ready, page[1], now)

    def _lags(self, metrics: dict[str, dict[str, float]], now: float) -> None:
        for labels, lag in metrics["rosterd_connection_lag_seconds"].items():
            self.lags.append(lag)
            if lag > LATE:
                self.wrong.append(f"{now - self.begin:.0f} s: {labels} lags {lag:.0f} s behind")

    def _agree(self, metrics: dict[str, dict[str, float]], ready: dict[str, Any], page: str, now: float) -> None:
        """The three say the same, as far as a second between them allows."""
        lags = metrics["rosterd_connection_lag_seconds"]
        connections = ready.get("connections", {})
        for name in PLATFORMS:
            one, lag = connections.get(name, {}), lags.get(f'connection="{name}"')
            if name not in page:
                self.wrong.append(f"{name} is not on the page")
            said = one.get("lag_seconds")
            both = lag is not None and said is not None
            if both and abs(said - lag) > KEPT and min(said, lag) > KEPT:  # else it was read in between
                self.wrong.append(
                    f"{now - self.begin:.0f} s: {name} lags {lag:.0f} s by /metrics, {said:.0f} s by /readyz"
                )

    # the end

    def finish(self) -> None:
        """Nobody edits any more, and nothing goes wrong: soon all agree, and then nothing moves."""
        self.box.ask("faults", {"clear": True})
        until = time.time() + 4 * self.every + 120
        while True:
            everybody = self.box.everybody()
            self._look_for_no()
            left = disagreements(everybody, self.crowd.said_no, set())
            if not left or time.time() > until:
                break
            time.sleep(2)
        self.wrong += left[:20]
        self.wrong += [
            f"{phone} said no at {origin}, and {name} never heard" for (phone, name), (_, origin) in self.open.items()
        ]
        time.sleep(2.5 * self.every)
        if self.box.everybody() != everybody:
            self.wrong.append("something was written though nobody had edited anything")
        harm = self.box.ask("harm")
        if any(harm["harm"].values()):
            self.wrong.append(f"harm: {harm}")
        self._counted()
        self.ends.append(self.service.end(signal.SIGTERM))

    def _counted(self) -> None:
        """What this process counted, with what the sandbox saw of it. Tried anew while a turn is under way."""
        for _ in range(40):
            before, metrics, after = self.box.calls(), self.service.metrics(), self.box.calls()
            counted = {name: metrics["rosterd_calls_total"].get(f'connection="{name}"', 0.0) for name in PLATFORMS}
            served = {name: float(after[name] - self.base[name]) for name in PLATFORMS}
            if before == after and counted == served:
                break
            time.sleep(0.5)
        else:
            self.wrong.append(f"calls counted {counted}, served {served}")
        heard = sum(metrics.get("rosterd_optout_propagation_seconds_count", {}).values())
        if heard < len(self.told) - self.told_before:
            self.wrong.append(f"{heard:.0f} opt-outs told by /metrics, {len(self.told) - self.told_before} seen")
        self.seen["calls of the last process, counted"] = int(sum(counted.values()))
        self.seen["calls of the last process, served"] = int(sum(served.values()))
        self.seen["opt-outs of the last process, told by /metrics"] = int(heard)
        self.seen["opt-outs of the last process, seen"] = len(self.told) - self.told_before

    def figures(self, minutes: float) -> dict[str, Any]:
        calls = self.box.calls()
        counts, harm = self.box.ask("counts"), self.box.ask("harm")
        seconds = time.time() - self.begin
        faults = sum(
            n for by in counts.values() for status, n in by.items() if status not in ("200", "201", "204", "206")
        )
        last = [each for each in self.resources if each[0] > self.last_kill - self.begin]
        half = len(last) // 2
        return {
            "minutes": round(minutes, 1),
            "people": self.crowd.count,
            "done by people": dict(self.crowd.done),
            "the service": dict(self.service.ended),
            "requests": sum(calls.values()),
            "... that went wrong": faults,
            "429 served": sum(by.get("429", 0) for by in counts.values()),
            "calls / budget": {name: round(calls[name] / (RATES[name] * seconds), 3) for name in PLATFORMS},
            "opt-outs told": _told(self.told, self.every),
            "... not restarted meanwhile": _told([one for one in self.told if not one.killed], self.every),
            "lag s": {"p50": _at(self.lags, 0.5), "p99": _at(self.lags, 0.99), "max": _at(self.lags, 1.0)},
            "rss MB of the last process": [
                round(statistics.median(r[1] for r in part)) for part in (last[:half], last[half:]) if part
            ],
            "rss MB, most": round(max(each[1] for each in self.resources)),
            "open files, most": max(each[2] for each in self.resources),
            "processor share of the last process": round(
                last[-1][3] / max(1.0, last[-1][0] - (self.last_kill - self.begin)), 3
            ),
            "a scrape, s": {"p50": _at(self.scrapes, 0.5), "max": _at(self.scrapes, 1.0)},
            "ends after SIGTERM, s": [round(each, 2) for each in self.ends],
            "said": dict(self.seen),
            "harm": sum(harm["harm"].values()),
            "blind writes": harm["blind_writes"],
        }


def _told(told: list[Told], every: float) -> dict[str, float]:
    seconds = [one.seconds for one in told]
    shares = {"p50 s": _at(seconds, 0.5), "p99 s": _at(seconds, 0.99), "max s": _at(seconds, 1.0)}
    return {"count": len(told), **shares, "over the promise": sum(each > every + PROMISE for each in seconds)}


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0


def _settings(folder: Path, url: str, every: float, port: int) -> Path:
    about = Sandbox(url).ask("")
    accounts = {
        name: {**about[name], "rate": RATES[name], "every": f"{every:g}s", "late_after": f"{LATE:g}s"}
        for name in PLATFORMS
    }
    return config(folder, accounts, f'[service]\nlisten = "127.0.0.1:{port}"\n\n{NO_FUSE}')


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--people", type=int, default=400, help="at the start")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two readings of a connection")
    parser.add_argument("--faults", type=float, default=0.03, help="the share of requests that goes wrong")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where database and log are left [a new one, removed]")
    given = parser.parse_args()
    with contextlib.ExitStack() as opened:
        folder = given.folder or opened.enter_context(tempfile.TemporaryDirectory())
        url = opened.enter_context(sandbox(given.faults, given.seed))
        box, port = Sandbox(url), free_port()
        crowd = Crowd(box, given.seed)
        crowd.gather(given.people)
        service = Service(_settings(Path(folder), url, given.every, port), port, Path(folder) / "log")
        soak = Soak(box, crowd, service, given.every, random.Random(given.seed))
        try:
            soak.run(given.minutes)
            soak.finish()
        finally:
            if service.process is not None and service.process.poll() is None:
                service.process.kill()
        found = soak.figures(given.minutes)
        lines = (Path(folder) / "log").read_text().splitlines()
    found["log lines a minute"] = round(len(lines) / given.minutes)
    for name, what in found.items():
        print(f"{name:<38}{json.dumps(what)}")
    defects = [line for line in lines if "defect" in line or "Traceback" in line]
    wrong = [*soak.wrong, *defects[:5]]
    if wrong:
        print("\nWRONG:", *wrong[:40], sep="\n", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
