"""What goes wrong, and when: so that what is late may be judged by whether it could have been in time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tests.soak.clock import Clock


@dataclass
class Trouble:
    """`until`: when it was over, and the first turn went well again; None: it is not."""

    since: float
    until: float | None = None
    ended: bool = False  # the cause is; the first good turn is yet to come


class Weather:
    """Troubles of connections, by name: from the beginning of each until their first turn after it that went well."""

    def __init__(self, clock: Clock, names: tuple[str, ...]) -> None:
        self._clock, self.names = clock, names
        self.troubles: dict[str, list[Trouble]] = defaultdict(list)

    def begins(self, name: str, seconds: float) -> None:
        trouble = Trouble(self._clock.now())
        self.troubles[name].append(trouble)

        def end() -> None:
            trouble.ended = True

        self._clock.after(seconds, end)

    def everywhere(self, seconds: float) -> None:
        for name in self.names:
            self.begins(name, seconds)

    def well(self, name: str) -> None:
        for trouble in self.troubles[name]:
            if trouble.ended and trouble.until is None:
                trouble.until = self._clock.now()

    def last(self, name: str, since: float) -> float | None:
        """When the last trouble of this connection was over that reached into the time from `since` to now; None:
        there was none."""
        found = [t for t in self.troubles[name] if t.until is None or t.until >= since]
        return max((self._clock.now() if t.until is None else t.until for t in found), default=None)
