"""What goes wrong, and when: so that what is late may be judged by whether it could have been in time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tests.soak.clock import Clock


@dataclass
class Trouble:
    """`ended`: when its cause was over; `until`: when the first turn after that went well. None: not yet."""

    since: float
    ended: float | None = None
    until: float | None = None


class Weather:
    """Troubles of connections, by name: from the beginning of each until their first turn after it that went well."""

    def __init__(self, clock: Clock, names: tuple[str, ...]) -> None:
        self._clock, self.names = clock, names
        self.troubles: dict[str, list[Trouble]] = defaultdict(list)

    def begins(self, name: str, seconds: float) -> None:
        trouble = Trouble(self._clock.now())
        self.troubles[name].append(trouble)

        def end() -> None:
            trouble.ended = self._clock.now()

        self._clock.after(seconds, end)

    def everywhere(self, seconds: float) -> None:
        for name in self.names:
            self.begins(name, seconds)

    def well(self, name: str) -> None:
        for trouble in self.troubles[name]:
            if trouble.ended is not None and trouble.until is None:
                trouble.until = self._clock.now()

    def recovered(self) -> list[tuple[str, float, float]]:
        """Of each trouble that no other met: whose, how long it was, and how long until a turn went well."""
        found = []
        for name, mine in self.troubles.items():
            for one in mine:
                if one.ended is None or one.until is None:
                    continue
                if not any(o is not one and o.since <= one.until and (o.until or one.until) > one.since for o in mine):
                    found.append((name, one.ended - one.since, one.until - one.ended))
        return found

    def last(self, name: str, since: float) -> float | None:
        """When the last trouble of this connection was over that reached into the time from `since` to now; None:
        there was none."""
        found = [t for t in self.troubles[name] if t.until is None or t.until >= since]
        return max((self._clock.now() if t.until is None else t.until for t in found), default=None)
