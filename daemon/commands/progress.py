"""How far a run is: a live line for each connection on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import logging
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from daemon.output import say
from daemon.sync.books import Books

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

EVERY = 5.0
"""Seconds between two plain lines about one connection."""


class Progress:
    """Called from the threads of a run: progress(connection, "read" or "sent", books)."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._said: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = _bars() if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
            _log_through(sys.__stderr__, sys.stderr)  # rich's stand-in, which writes above the live lines
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            _log_through(sys.stderr, sys.__stderr__)
            self._bars.stop()

    def __call__(self, connection: str, what: str, books: Books) -> None:
        with self._turn:
            if self._bars is not None:
                self._draw(self._bars, connection, books)
            elif what == "sent" or time.monotonic() - self._said.get(connection, 0.0) >= EVERY:
                self._said[connection] = time.monotonic()
                say(f"{connection}: {_words(books)}", err=True)

    def _draw(self, bars: Bars, connection: str, books: Books) -> None:
        if connection not in self._tasks:
            self._tasks[connection] = bars.add_task(connection, total=None, words="")
        bars.update(self._tasks[connection], words=_words(books))


def _log_through(before: TextIO | None, after: TextIO | None) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(after)


def _words(books: Books) -> str:
    sent = f", {books.sent:,} sent" if books.sent else ""
    return f"{books.read:,} read, {books.changed:,} changed{sent}"


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[words]}"))
    return Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
