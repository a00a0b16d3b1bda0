"""Which platforms there are, and how a configured connection becomes a connector."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.errors import NeedsPerson
from daemon.platforms import action_network_person, carium_user, colony_shape, strive_member, telerivet_contact
from daemon.platforms.base import Capabilities, Connector, Facts

if TYPE_CHECKING:
    from daemon.platforms.gate import Gate, Guarded
    from daemon.platforms.http import Api

Sleep = Callable[[float], object]
Clock = Callable[[], float]
Gates = dict[tuple[str, str], "Gate"]
"""By (base url, credential): the budget belongs to the credential, not to the connection."""


@dataclass(frozen=True, slots=True)
class Line:
    """What every connector talks through: the credential's budget and the clocks."""

    gate: Gate | Guarded
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


def sensitive(platform: str) -> bool:
    """Whether what this platform holds is health data."""
    return PLATFORMS[platform].capabilities.sensitive


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
    settings: Any,
    facts: Facts,
    *,
    gate: Gate | Guarded | None = None,
    clock: Clock = time.time,
    sleep: Sleep = time.sleep,
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


def _action_network(settings: Any, facts: Facts, line: Line) -> Connector:
    from daemon.platforms.action_network import ActionNetwork

    # Some bad payloads are answered with 500, as a passing trouble is: one that stays is the person's.
    api = line.api(settings.base_url, headers={"OSDI-API-Token": _key(settings)}, parks=frozenset({500}))
    return ActionNetwork(
        api,
        base_url=settings.base_url,
        group=settings.account_id,
        overlap=settings.overlap.total_seconds(),
        facts=facts,
        clock=line.clock,
    )


def _carium(settings: Any, facts: Facts, line: Line) -> Connector:
    from daemon.platforms import carium

    password = settings.password.get_secret_value()
    api = line.api(
        settings.base_url,
        headers={"Accept": carium.MEDIA_TYPE},
        authorize=carium.bearer(settings.username, password),
        secrets=(password,),
    )
    return carium.Carium(api, username=settings.username, facts=facts, number_info=settings.number_info)


def _colony_shape(settings: Any) -> colony_shape.Shape:
    names = settings.fields.model_dump()
    other = names.pop("other")
    return colony_shape.Shape(settings.paths.model_dump(), names, tuple(other))


def _colony_able(settings: Any) -> Capabilities:
    return colony_shape.capabilities(_colony_shape(settings), settings.contact_list)


def _colony(settings: Any, facts: Facts, line: Line) -> Connector:
    from daemon.platforms import colony, colony_door

    password, secret = (one.get_secret_value() for one in (settings.password, settings.client_secret))
    login = colony_door.Login(settings.username, password, settings.client_id, secret, settings.scope)
    return colony.Colony(
        line.api(
            settings.base_url,
            authorize=colony_door.bearer(login, settings.paths.token),
            secrets=(password, secret),
        ),
        username=settings.username,
        region=settings.region,
        facts=facts,
        shape=_colony_shape(settings),
        home=settings.contact_list,
        writes=settings.direction != "in",
        clock=line.clock,
        sleep=line.sleep,
    )


PLATFORMS: dict[str, Platform] = {
    "strive": Platform(strive_member.CAPABILITIES, _strive),
    "telerivet": Platform(telerivet_contact.CAPABILITIES, _telerivet, adaptive=True),
    "action_network": Platform(action_network_person.CAPABILITIES, _action_network, adaptive=True),
    "colony": Platform(colony_shape.CAPABILITIES, _colony, tailored=_colony_able, adaptive=True),
    "carium": Platform(carium_user.CAPABILITIES, _carium, adaptive=True),
}
