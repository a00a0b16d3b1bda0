"""Numbers in words, for people: in logs, on the page, in the database's reasons."""

from __future__ import annotations


def span(seconds: float) -> str:
    """A length of time in words, two units at most: `45 s`, `2 min`, `1 h 30 min`, `3 d`."""
    left = max(0, round(seconds))
    units = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
    for place, (size, unit) in enumerate(units):
        if left >= size:
            count, rest = divmod(left, size)
            smaller, its = units[place + 1] if place + 1 < len(units) else (1, "")
            more = f" {rest // smaller} {its}" if rest // smaller and count < 10 else ""
            return f"{count} {unit}{more}"
    return "0 s"
