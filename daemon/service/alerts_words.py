"""What an alert says: plain sentences, what to do, and the same as JSON. No people and no secrets (`logs.py`)."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from daemon import logs
from daemon.output import clean, plural
from daemon.service.norms import Norm
from daemon.settings import Settings
from daemon.settings_types import show_duration
from daemon.sync.accounts import NEEDED
from state.alerts import Alert

LONGEST = 1000
"""Letters of one text. With it an alert fits into a pipe, whether anybody reads it or not."""
TEST = "test"
MEND = "mend it, then systemctl reload rosterd (SIGHUP) tries at once; by itself it does once an hour"
HEALED = {
    "failed": "{0} works again",
    "fuse": "the mass change at {0} was decided",
    "consent_dead": "no opt-out is refused by {0} any more",
    "late": "{0} was read to the end again",
    "silent": "records change at {0} again",
    "unusual": "as many records change at {0} as usual again",
    "storage": "the database works again",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now."""

    kind: str
    connection: str
    since: float
    text: str
    hint: str
    detail: str = ""

    @property
    def key(self) -> str:
        """One open alert a key."""
        return ":".join(filter(None, (self.kind, self.connection, self.detail)))


@dataclass(frozen=True, slots=True)
class News:
    """What somebody is told, once: something broke, or it healed."""

    key: str
    kind: str
    connection: str | None
    state: str
    since: float
    healed_at: float | None
    text: str
    hint: str
    host: str
    config: str

    @property
    def incident(self) -> str:
        """The same when it breaks and when it heals, and when the same thing has to be said twice."""
        return f"{self.key}@{int(self.since)}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "incident": self.incident,
            "kind": self.kind,
            "connection": self.connection,
            "state": self.state,
            "since": iso(self.since),
            "healed": iso(self.healed_at),
            "text": self.text,
            "hint": self.hint,
            "host": self.host,
            "config": self.config,
        }


@cache
def host() -> str:
    return socket.gethostname()


def iso(at: float | None) -> str | None:
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def masked(text: str) -> str:
    """As it may be shown to anybody: on one line, and masked as logs are, whatever they are told to show."""
    return clean(logs.text(text))[:LONGEST]


def news(alert: Alert, settings: Settings) -> News:
    """What there is to say of this alert now."""
    over = alert.state == "healed"
    return News(
        key=alert.key,
        kind=alert.kind,
        connection=alert.connection,
        state=alert.state,
        since=alert.since,
        healed_at=alert.healed_at,
        text=healed_text(alert, settings) if over else alert.text,
        hint="" if over else alert.hint,
        host=host(),
        config=_config(settings),
    )


def healed_text(alert: Alert, settings: Settings) -> str:
    off = alert.connection is not None and alert.connection not in settings.enabled
    if off or alert.kind not in settings.alerts.on:
        return f"{alert.key} is watched no longer: the configuration has switched it off"
    over = HEALED[alert.kind].format(alert.connection)
    return f"{over} (broken since {moment(alert.since)}: {alert.text})"[:LONGEST]


def trial(settings: Settings, now: float) -> News:
    """To see whether it arrives."""
    text = "this is a test: alerts of rosterd arrive here"
    return News(TEST, TEST, None, "broken", now, None, text, "nothing is to be done", host(), _config(settings))


def _config(settings: Settings) -> str:
    """The whole path: who is woken does not know in which folder the service was started."""
    return os.path.abspath(settings.path)


# what is wrong, and what to do


def failed(name: str, since: float, why: str) -> Condition:
    text = f"{name} cannot be synced: {masked(why)}"
    hint = "rosterd check says what is wrong; " + (MEND if why.startswith(NEEDED) else "it is tried again by itself")
    return Condition("failed", name, since, text, hint)


def fuse(name: str, kind: str, hold: int, since: float) -> Condition:
    text = f"a mass change ({kind}) at {name} waits until a person has looked at it"
    return Condition("fuse", name, since, text, f"rosterd holds show {hold}", kind)


def consent_dead(name: str, count: int, since: float) -> Condition:
    said = plural(count, "opt-out")
    text = f"{name} refused {said}: these people can still be written to there"
    hint = f"rosterd outbox list --state dead --connection {name}; then rosterd outbox retry ID, or tell it by hand"
    return Condition("consent_dead", name, since, text, hint)


def late(name: str, polled_at: float, settings: Settings) -> Condition:
    bound = show_duration(settings.connections[name].bound)
    text = f"{name} was last read to the end at {moment(polled_at)}, which should not be longer ago than {bound}"
    return Condition("late", name, polled_at, text, "rosterd status shows what it is doing")


def silent(name: str, since: float, usual: int) -> Condition:
    text = f"no record changed at {name} since {moment(since)}; usually that takes {plural(usual, 'hour')} at most"
    hint = "look there whether people still come in, and whether its feed still tells: rosterd check"
    return Condition("silent", name, since, text, hint)


def unusual(name: str, since: float, found: Norm) -> Condition:
    text = f"more than {found.most:,} records changed at {name} in an hour; usually it is {found.busiest:,} at most"
    return Condition("unusual", name, since, text, "rosterd status shows what was read and sent; was it an import?")


def storage(trouble: str) -> tuple[str, str]:
    """Text and hint: of the whole, not of a connection."""
    return f"the database cannot be used: {masked(trouble)}", "df -h; then rosterd db check"
