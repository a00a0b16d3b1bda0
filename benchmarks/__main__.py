"""`python -m benchmarks`: measure, and write the tables to RESULTS.md (`--quick`: a smoke test, printed only)."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import backfill, calls, five, memory, report, where

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 members, one round, nothing written")
    parser.add_argument("--members", type=int, help="how many, side by side [100,000; quick: 10,000]")
    parser.add_argument("--rounds", type=int, help="how often [3; quick: 1]")
    parser.add_argument("--largest", type=int, help="how many for the memory of one run [1,000,000; quick: none]")
    parser.add_argument("--only", choices=("five", "calls"), help="this alone, printed only")
    given = parser.parse_args()
    members = given.members or (10_000 if given.quick else 100_000)
    rounds = given.rounds or (1 if given.quick else 3)
    largest = given.largest if given.largest is not None else (0 if given.quick else 1_000_000)
    began = time.monotonic()
    asked = 2_750 if given.quick else 10_250
    sections: list[report.Section] = []
    if given.only is None:
        sections += backfill.measure(members, rounds)
        sections += [where.measure(min(members, 20_000)), memory.measure(members, largest)]
    if given.only != "calls":
        sections += five.measure(members)
    if given.only != "five":
        sections.append(calls.measure(asked))
    text = report.page(sections, sys.argv[1:], time.monotonic() - began)
    print(f"\n{text}")
    if not (given.quick or given.only):
        _, heading, service = RESULTS.read_text().partition(report.SERVICE)
        RESULTS.write_text(f"{text}\n{heading}{service}")  # measured by other commands, which stand there


if __name__ == "__main__":
    main()
