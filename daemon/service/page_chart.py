"""Charts as inline SVG: no script, and the same numbers as a table for those who do not see them.

The drawing is stretched to the width there is; words stand beside it as text, so that they are readable on a phone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from daemon.service.page_parts import Html, el, table
from daemon.words import span
from state.hours import HourRow

HOURS = 48
HEIGHT = 100.0
GAP = 0.18


class Hour(NamedTuple):
    """All connections' hour. `mean`, `slowest`: seconds from an opt-out being said to being told; 0 when none was."""

    hour: int
    changed: int
    sent: int
    told: int
    mean: float
    slowest: float


def by_hour(rows: Iterable[HourRow], now: float) -> list[Hour]:
    """Every hour of the chart, the empty ones too."""
    last = int(now // 3600)
    found: dict[int, list[HourRow]] = {hour: [] for hour in range(last - HOURS + 1, last + 1)}
    for row in rows:
        if row.hour in found:
            found[row.hour].append(row)
    return [_hour(hour, some) for hour, some in found.items()]


def _hour(hour: int, rows: list[HourRow]) -> Hour:
    told = sum(row.told for row in rows)
    mean = sum(row.told_after for row in rows) / told if told else 0.0
    slowest = max((row.told_slowest for row in rows), default=0.0)
    return Hour(hour, sum(row.changed for row in rows), sum(row.sent for row in rows), told, mean, slowest)


def changes(hours: Sequence[Hour]) -> Html:
    """Records that changed, upwards, and pushes sent, downwards, on one scale."""
    most = max([1, *(max(one.changed, one.sent) for one in hours)])
    middle = HEIGHT / 2
    bars = [_rect("bar", place, middle - one.changed / most * middle, middle) for place, one in enumerate(hours)]
    bars += [_rect("bar2", place, middle, middle + one.sent / most * middle) for place, one in enumerate(hours)]
    read, sent = sum(one.changed for one in hours), sum(one.sent for one in hours)
    said = f"In the last {HOURS} hours {read:,} records changed and {sent:,} pushes went out; at most {most:,} an hour."
    rows = [[_clock(one.hour), one.changed, one.sent] for one in reversed(hours) if one.changed or one.sent]
    return el(
        "figure",
        el("div", f"{most:,} an hour", class_="top"),
        _plot("changes", "Changes per hour", said, [*bars, _line("zero", middle)]),
        _axis(hours),
        el("ul", _swatch("bar", "records changed, up"), _swatch("bar2", "pushes sent, down"), class_="legend"),
        _as_table(("hour", "changed#", "sent#"), rows, "Changes per hour"),
        class_="chart",
    )


def propagation(hours: Sequence[Hour], promise: float) -> Html:
    """How long opt-outs took, on average and at the slowest, against what is promised."""
    top = max([promise * 1.25, *(one.slowest for one in hours)])
    marks: list[Html] = []
    for place, one in enumerate(hours):
        if one.told:
            marks.append(_rect("over" if one.mean > promise else "bar", place, _y(one.mean, top), HEIGHT))
            marks.append(_tick(place, _y(one.slowest, top)))
    told, late = sum(one.told for one in hours), sum(one.slowest > promise for one in hours)
    said = f"{told:,} opt-outs were passed on in the last {HOURS} hours; {_late(late)} the promise of {span(promise)}."
    rows = [_told_row(one, promise) for one in reversed(hours) if one.told]
    return el(
        "figure",
        el("div", span(top), class_="top"),
        _plot("optouts", "Opt-out propagation", said, [*marks, _line("promise", _y(promise, top))]),
        _axis(hours),
        el(
            "ul",
            _swatch("bar", "average of an hour"),
            _swatch("slow", "its slowest"),
            _swatch("promise", f"the promise: {span(promise)}"),
            class_="legend",
        ),
        _as_table(("hour", "opt-outs#", "average#", "slowest#", ""), rows, "Opt-out propagation"),
        class_="chart",
    )


def _late(hours: int) -> str:
    if not hours:
        return "none took longer than"
    return f"in {hours} {'hour' if hours == 1 else 'hours'} the slowest took longer than"


def _told_row(one: Hour, promise: float) -> list[object]:
    kept = "over the promise" if one.slowest > promise else "kept"
    return [_clock(one.hour), one.told, span(one.mean), span(one.slowest), kept]


# drawing


def _y(value: float, top: float) -> float:
    return HEIGHT * (1 - value / top)


def _rect(kind: str, place: int, top: float, bottom: float) -> Html:
    """A bar; nothing for nothing, and never too low to be seen."""
    if bottom - top <= 0:
        return Html("")
    if bottom - top < 1:
        top, bottom = (bottom - 1, bottom) if kind != "bar2" else (top, top + 1)
    left, width = place + GAP / 2, 1 - GAP
    return el("rect", class_=kind, x=f"{left:.2f}", y=f"{top:.2f}", width=f"{width:.2f}", height=f"{bottom - top:.2f}")


def _tick(place: int, y: float) -> Html:
    return el(
        "line",
        class_="slow",
        x1=f"{place + GAP / 2:.2f}",
        x2=f"{place + 1 - GAP / 2:.2f}",
        y1=f"{y:.2f}",
        y2=f"{y:.2f}",
    )


def _line(kind: str, y: float) -> Html:
    return el("line", class_=kind, x1="0", x2=str(HOURS), y1=f"{y:.2f}", y2=f"{y:.2f}")


def _plot(name: str, title: str, said: str, marks: Sequence[Html]) -> Html:
    words = el("title", title, id=f"{name}-title"), el("desc", said, id=f"{name}-desc")
    svg = el(
        "svg",
        *words,
        *marks,
        viewBox=f"0 0 {HOURS} {HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )
    return el("div", svg, class_="plot")


def _swatch(kind: str, words: str) -> Html:
    if kind in ("slow", "promise"):
        drawn = el("line", class_=kind, x1="0", x2="12", y1="6", y2="6")
    else:
        drawn = el("rect", class_=kind, width="12", height="12", rx="2")
    return el("li", el("svg", drawn, viewBox="0 0 12 12", aria_hidden="true"), words)


def _axis(hours: Sequence[Hour]) -> Html:
    shown = [*(_clock(hours[place].hour) for place in (0, HOURS // 4, HOURS // 2, 3 * HOURS // 4)), "now"]
    return el("div", *(el("span", each) for each in shown), class_="axis", aria_hidden="true")


def _clock(hour: int) -> str:
    return time.strftime("%a %H:%M", time.localtime(hour * 3600))


def _as_table(heads: Sequence[str], rows: Sequence[Sequence[object]], label: str) -> Html:
    if not rows:
        return Html("")
    return el("details", el("summary", "As a table"), table(heads, rows, label=label, cards=False))
