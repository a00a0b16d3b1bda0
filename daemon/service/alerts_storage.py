"""Trouble with the database itself. It cannot be kept there, so it is remembered here until it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from daemon.service import alerts_words as words
from state.alerts import Alert


class Storage:
    """At most one trouble; and one that is over, until it is kept in the database as an alert that has healed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._now: Alert | None = None
        self._over: Alert | None = None
        self._in_hand = False

    def say(self, trouble: str | None) -> None:
        """It cannot be used, or (None) can again. Back in trouble before its end was kept, it is the same trouble."""
        with self._lock:
            if trouble is None:
                if self._now is not None:
                    at = self._clock()
                    self._over, self._now = replace(self._now, healed_at=at, tries=0, due_at=at), None
                return
            text, hint = words.storage(trouble)
            before = self._now or self._over
            if before is None:
                now = self._clock()
                before = Alert("storage", "storage", None, text, hint, since=now, due_at=now)
            self._now, self._over = replace(before, text=text, hint=hint, healed_at=None), None

    def take(self, now: float) -> Alert | None:
        """What is to be told of the trouble now. Whoever takes it says with `told` how it went."""
        with self._lock:
            due = self._now is not None and self._now.owes and self._now.due_at <= now
            self._in_hand = due
            return self._now if due else None

    def due(self, now: float) -> bool:
        with self._lock:
            return self._now is not None and self._now.owes and self._now.due_at <= now and not self._in_hand

    def told(self, how: Callable[[Alert], Alert]) -> None:
        """The trouble that was in hand, which may be over by now, after it was told."""
        with self._lock:
            self._in_hand = False
            if self._now is not None:
                self._now = how(self._now)
            elif self._over is not None:
                self._over = how(self._over)

    @property
    def over(self) -> Alert | None:
        """What is to be kept: trouble that is over, and that nobody is telling of just now."""
        with self._lock:
            return None if self._in_hand else self._over

    def kept(self, alert: Alert) -> None:
        with self._lock:
            if self._over is alert:
                self._over = None
