"""Which platforms there are, and how a configured connection becomes a connector."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.errors import NeedsPerson
from daemon.platforms import strive_member, telerivet_contact
from daemon.platforms.base import Capabilities, Connector, Facts

if TYPE_CHECKING:
    from daemon.platforms.gate import Gate
    from daemon.platforms.http import Api

Sleep = Callable[[float], object]
Clock = Callable[[], float]
Gates = dict[tuple[str, str], "Gate"]
"""By (base url, credential): the budget belongs to the credential, not to the connection."""


@dataclass(frozen=True, slots=True)
class Line:
    """What every connector talks through: the credential's budget and the clocks."""

    gate: Gate
    clock: Clock
    sleep: Sleep

    def api(self, base_url: str, **more: Any) -> Api:
        """An `Api` on this line; `more` as `Api` takes it."""
        from daemon.platforms.http import Api

        return Api(base_url, gate=self.gate, clock=self.clock, sleep=self.sleep, **more)


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of service.

    build     a connector for the settings of one connection
    tailored  what this one connection can do, where that depends on its settings
    adaptive  it publishes no rate, so ours is halved when it complains
    """

    capabilities: Capabilities
    build: Callable[[Any, Facts, Line], Connector]
    tailored: Callable[[Any], Capabilities] | None = None
    adaptive: bool = False


def capabilities(platform: str) -> Capabilities:
    """What a platform can do, as it comes. Raises KeyError for one we do not know."""
    return PLATFORMS[platform].capabilities


def able(settings: Any) -> Capabilities:
    """What one configured connection can do."""
    platform = PLATFORMS[settings.platform]
    return platform.tailored(settings) if platform.tailored else platform.capabilities


def budget(settings: Any, gates: Gates, *, sleep: Sleep = time.sleep) -> Gate:
    """The budget of a connection's credential. Two campaigns behind one key share it, at the lower of their rates.

    `gates` is filled by this function, once for each connection, before the first call.
    """
    from daemon.platforms.gate import Gate

    credential = settings.base_url, settings.credential
    known = gates.get(credential)
    if known is None:
        known = gates[credential] = Gate(settings.rate, adaptive=PLATFORMS[settings.platform].adaptive, sleep=sleep)
    elif settings.rate is not None:
        known.slow_to(settings.rate)
    return known


def connect(
    settings: Any, facts: Facts, *, gate: Gate | None = None, clock: Clock = time.time, sleep: Sleep = time.sleep
) -> Connector:
    """A connector for one `[connections.NAME]` table of the settings. Makes no call. `gate`: one of its own if none."""
    line = Line(gate or budget(settings, {}, sleep=sleep), clock, sleep)
    return PLATFORMS[settings.platform].build(settings, facts, line)


def _key(settings: Any) -> str:
    key: str = settings.api_key.get_secret_value()
    if not (key.isascii() and key.isprintable()):
        raise NeedsPerson(f"the API key of {settings.name} has characters no key has", hint="copy it again")
    return key


def _strive(settings: Any, facts: Facts, line: Line) -> Connector:
    from daemon.platforms.strive import Strive

    api = line.api(settings.base_url, headers={"Authorization": f"Bearer {_key(settings)}"})
    overlap = settings.overlap.total_seconds()
    return Strive(api, campaign_id=settings.campaign_id, overlap=overlap, facts=facts)


def _telerivet(settings: Any, facts: Facts, line: Line) -> Connector:
    from daemon.platforms.telerivet import Telerivet

    return Telerivet(
        line.api(settings.base_url, auth=(_key(settings), "")),
        project_id=settings.project_id,
        feed=settings.feed,
        overlap=settings.overlap.total_seconds(),
        facts=facts,
        clock=line.clock,
    )


PLATFORMS: dict[str, Platform] = {
    "strive": Platform(strive_member.CAPABILITIES, _strive),
    "telerivet": Platform(telerivet_contact.CAPABILITIES, _telerivet, adaptive=True),
}
