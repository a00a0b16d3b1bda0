"""Ways through a collection that comes in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from daemon.errors import RetryLater
from daemon.platforms.answers import Answer, mapping, rows


def by_marker(ask: Callable[[str], Answer], marker: str = "") -> Iterator[tuple[list[Any], str]]:
    """Pages of `{data, truncated, next_marker}`, each with the marker of the one after it; "" at the end.

    A page that says it is truncated may be followed by an empty one (Telerivet docs, 'Retrieving a list of
    objects'). A marker that comes twice would go round for ever: that is an error, and so is none at all.
    """
    been = {marker}
    while True:
        answer = ask(marker)
        page, following = rows(answer, "data"), mapping(answer).get("next_marker")
        if not mapping(answer).get("truncated") or not page:
            yield page, ""
            return
        if not isinstance(following, str) or following in been:
            raise RetryLater("the platform's pages do not come to an end")
        been.add(following)
        yield page, following
        marker = following
