"""Sets of row ids that stay small when written down: bulk imports number their rows one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

Run = tuple[int, int, float]  # first id, last id, latest time among them (seconds since 1970)


class Runs:
    """Ids with times, as runs of neighbours. At most `most` runs: then the oldest grow together.

    What grew together counts as seen, gap and all; that gives up on rows that would show very late.
    """

    def __init__(self, runs: Iterable[Sequence[float]] = (), most: int = 1000) -> None:
        self._runs: list[Run] = [(int(run[0]), int(run[1]), run[2]) for run in runs]
        self._most = most

    def __contains__(self, id_: int) -> bool:
        place = bisect_right(self._runs, id_, key=lambda run: run[0])
        return place > 0 and id_ <= self._runs[place - 1][1]

    def add(self, ids: Iterable[tuple[int, float]]) -> None:
        """Take in ids with their times."""
        found: list[Run] = []
        for first, last, at in sorted([*self._runs, *((id_, id_, at) for id_, at in ids)]):
            if found and first <= found[-1][1] + 1:
                found[-1] = (found[-1][0], max(last, found[-1][1]), max(at, found[-1][2]))
            else:
                found.append((first, last, at))
        while len(found) > self._most:
            (first, _, at), (_, last, later) = found[:2]
            found[:2] = [(first, last, max(at, later))]
        self._runs = found

    def forget(self, before: float) -> None:
        """Drop the runs whose latest time is before this one."""
        self._runs = [run for run in self._runs if run[2] >= before]

    def gaps(self) -> Iterator[tuple[int, int]]:
        """The ids that are missing: (after this one, before that one), from 0 up to the last run."""
        after = 0
        for first, last, _ in self._runs:
            yield after, first
            after = last

    def as_json(self) -> list[list[float]]:
        return [list(run) for run in self._runs]
