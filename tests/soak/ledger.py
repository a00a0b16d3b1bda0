"""Every "no", from the moment somebody says it until each other platform knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.soak.clock import Clock
from tests.soak.sites import Site
from tests.soak.weather import Weather


@dataclass(frozen=True)
class Told:
    """`late`: seconds beyond what was promised; below zero: in time. `backlog`: much else was owed there."""

    origin: str
    target: str
    seconds: float
    late: float
    backlog: bool


class Ledger:
    """`every`: seconds between two readings, by connection. `behind`: whether much else is owed to it."""

    def __init__(
        self,
        clock: Clock,
        sites: Mapping[str, Site],
        weather: Weather,
        every: Mapping[str, float],
        behind: Callable[[str], bool],
    ) -> None:
        self._clock, self._sites, self._weather, self._every, self._behind = clock, sites, weather, every, behind
        self.open: dict[tuple[str, str, str], tuple[float, str, bool]] = {}
        self.smooth: list[Told] = []  # nothing was wrong meanwhile, on either side
        self.rough: list[Told] = []
        for name, site in sites.items():
            site.told_no = lambda id_, channel, name=name: self.told(name, id_, channel)  # type: ignore[misc]

    def said(self, origin: str, id_: str, channel: str) -> None:
        """Somebody has just said no here: whoever knows them elsewhere is to be told."""
        self.open.pop((origin, id_, channel), None)
        phone = self._sites[origin].rows[id_]["phone"]
        for name, site in self._sites.items():
            if name == origin or channel not in site.capabilities.consent_write:
                continue
            for other in site.find(phone=phone):
                if not site.says_no(other, channel):
                    said = (self._clock.now(), origin, self._behind(name))
                    self.open.setdefault((name, other, channel), said)

    def unsaid(self, origin: str, id_: str, channel: str) -> None:
        """They have taken it back before everybody knew."""
        phone = self._sites[origin].rows[id_]["phone"]
        mine = {(name, other) for name, site in self._sites.items() for other in site.find(phone=phone)}
        self.open = {key: what for key, what in self.open.items() if (key[0], key[1]) not in mine or key[2] != channel}

    def told(self, target: str, id_: str, channel: str) -> None:
        found = self.open.pop((target, id_, channel), None)
        if found is None:
            return
        since, origin, behind = found
        now = self._clock.now()
        troubles = [each for name in (origin, target) if (each := self._weather.last(name, since)) is not None]
        free = max([since, *troubles])
        late = now - free - (self._every[origin] + 60.0)
        told = Told(origin, target, now - since, late, behind or self._behind(target))
        (self.rough if troubles else self.smooth).append(told)

    def forgotten(self) -> list[str]:
        """Those that were never told, though the record is still there."""
        return [
            f"{channel} of {name}/{id_}, said at {origin}"
            for (name, id_, channel), (_, origin, _) in self.open.items()
            if id_ in self._sites[name].rows and not self._sites[name].says_no(id_, channel)
        ]
