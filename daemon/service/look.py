"""How every connection stands, by what the database knows of it, the settings, and the time it is. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from daemon.assemble import windows
from daemon.settings import Settings
from daemon.settings_parts import Connection
from daemon.sync.windows import Windows, awake
from daemon.words import span
from state.model import Account
from state.store import Tx

State = Literal["fine", "late", "failing", "paused", "first", "resting", "off"]
"""fine; late: not read to the end within `late_after`, maintenance not counted; failing: the last turn failed; paused:
left alone after that; first: never read whole yet; resting: it is the platform's maintenance time; off: enabled =
false."""

WORDS: dict[State, str] = {
    "fine": "fine",
    "late": "late",
    "failing": "failing",
    "paused": "paused",
    "first": "first reading",
    "resting": "maintenance",
    "off": "off",
}
"""What people read, on the page and in a terminal."""

PROMISE = 60.0
"""Seconds. An opt-out is to be everywhere within the poll interval of the side that heard it, and this."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One connection as it stands. `lag`: seconds since the start of its last complete reading; None: there was none.

    `ready`: enabled and read to the end within `bound` seconds (`Connection.bound`), not counting maintenance. `why`:
    what there is to say, in words. `quiet`: people are not written to now. `sweeping`: everything is being read.
    """

    name: str
    platform: str
    state: State
    ready: bool
    why: str
    lag: float | None
    bound: float
    ok_at: float | None
    failures: int
    quiet: bool
    sweeping: bool
    primed: bool
    swept_at: float | None
    sweep: int


def standings(tx: Tx, settings: Settings, now: float) -> list[Standing]:
    """Every configured connection, in the order of the configuration."""
    known = tx.connections.all()
    return [standing(one, known.get(name), now) for name, one in settings.connections.items()]


def all_ready(found: Iterable[Standing]) -> bool:
    """Whether every enabled connection is."""
    return all(one.ready for one in found if one.state != "off")


def standing(one: Connection, account: Account | None, now: float) -> Standing:
    """`account`: None when the database has not met it yet."""
    known = account or Account(one.name, one.platform, "")
    bound = one.bound.total_seconds()
    lag = None if known.polled_at is None else max(0.0, now - known.polled_at)
    times = windows(one)
    late = lag is not None and awake(times.resting, now - lag, now, bound)
    state, why = _state(one, times, known, now, late=late)
    return Standing(
        name=one.name,
        platform=one.platform,
        state=state,
        ready=one.enabled and known.primed and lag is not None and not late,
        why=why,
        lag=lag,
        bound=bound,
        ok_at=known.ok_at,
        failures=known.failures,
        quiet=times.quiet(now),
        sweeping=known.sweep > known.swept,
        primed=known.primed,
        swept_at=known.swept_at,
        sweep=known.sweep,
    )


def _state(one: Connection, times: Windows, known: Account, now: float, *, late: bool) -> tuple[State, str]:
    trouble = _trouble(known, now)
    if not one.enabled:
        return "off", "switched off in the configuration"
    if not known.primed:
        begun = "the first complete reading is under way" if known.sweep else "not read yet"
        return ("failing" if known.failures else "first"), _joined(begun, trouble)
    if late:
        return "late", _joined(f"not read to the end within {span(one.bound.total_seconds())}", trouble)
    if times.resting(now):
        return "resting", "left alone: it is this platform's maintenance time"
    if known.paused_until is not None and known.paused_until > now:
        return "paused", trouble
    return ("failing" if known.failures else "fine"), trouble


def _trouble(known: Account, now: float) -> str:
    """What failed, in words; blank if nothing did. `paused_why` is a platform's text."""
    if not known.failures and not known.paused_why:
        return ""
    times = f"failed {known.failures} times in a row" if known.failures > 1 else "the last turn failed"
    paused = known.paused_until is not None and known.paused_until > now
    again = f"; tried again in {span(known.paused_until - now)}" if paused and known.paused_until else ""
    return f"{times}: {known.paused_why or 'no reason was kept'}{again}"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def promise(settings: Settings) -> float:
    """Seconds within which an opt-out is to be everywhere: the longest poll interval, and a minute."""
    return max((one.every.total_seconds() for one in settings.enabled.values()), default=0.0) + PROMISE


def as_dict(one: Standing, *, at: float) -> dict[str, Any]:
    """For /readyz."""
    return {
        "platform": one.platform,
        "ready": one.ready,
        "state": one.state,
        "why": one.why,
        "lag_seconds": None if one.lag is None else round(one.lag, 1),
        "late_after_seconds": one.bound,
        "last_success": None if one.ok_at is None else round(one.ok_at, 1),
        "at": round(at, 1),
    }
