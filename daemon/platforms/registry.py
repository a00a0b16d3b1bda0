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
"""By (base url, key): the budget belongs to the credential, not to the connection."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of service. `adaptive`: it publishes no rate, so ours is halved when it complains."""

    capabilities: Capabilities
    build: Callable[[Any, Api, Facts, Clock], Connector]
    headers: Callable[[str], dict[str, str]] | None = None  # how the key travels: as a header ...
    adaptive: bool = False


def capabilities(platform: str) -> Capabilities:
    """What a platform can do. Raises KeyError for one we do not know."""
    return PLATFORMS[platform].capabilities


def budget(settings: Any, gates: Gates, *, sleep: Sleep = time.sleep) -> Gate:
    """The budget of a connection's credential. Two campaigns behind one key share it, at the lower of their rates.

    `gates` is filled by this function, once for each connection, before the first call.
    """
    from daemon.platforms.gate import Gate

    credential = settings.base_url, settings.api_key.get_secret_value()
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
    from daemon.platforms.http import Api

    platform = PLATFORMS[settings.platform]
    key = settings.api_key.get_secret_value()
    if not (key.isascii() and key.isprintable()):
        raise NeedsPerson(f"the API key of {settings.name} has characters no key has", hint="copy it again")
    api = Api(
        settings.base_url,
        gate=gate or budget(settings, {}, sleep=sleep),
        headers=platform.headers(key) if platform.headers else None,
        auth=None if platform.headers else (key, ""),  # ... or as the user of HTTP Basic
        clock=clock,
        sleep=sleep,
    )
    return platform.build(settings, api, facts, clock)


def _strive(settings: Any, api: Api, facts: Facts, _: Clock) -> Connector:
    from daemon.platforms.strive import Strive

    overlap = settings.overlap.total_seconds()
    return Strive(api, campaign_id=settings.campaign_id, overlap=overlap, facts=facts)


def _telerivet(settings: Any, api: Api, facts: Facts, clock: Clock) -> Connector:
    from daemon.platforms.telerivet import Telerivet

    return Telerivet(
        api,
        project_id=settings.project_id,
        feed=settings.feed,
        overlap=settings.overlap.total_seconds(),
        facts=facts,
        clock=clock,
    )


PLATFORMS: dict[str, Platform] = {
    "strive": Platform(strive_member.CAPABILITIES, _strive, headers=lambda key: {"Authorization": f"Bearer {key}"}),
    "telerivet": Platform(telerivet_contact.CAPABILITIES, _telerivet, adaptive=True),
}
