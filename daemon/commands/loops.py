"""What is said of loops outside us: what was seen, since when, why it is a risk, and what to switch off."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.output import plural, when
from daemon.settings import Settings
from daemon.sync.loops import KEPT, WINDOW, Loop, suspected
from state.store import Tx

RISK = (
    "Both carry the same people and neither knows of the other: an old value can come back over a new one, a removed "
    "tag can return, and edits may count twice."
)


@dataclass(frozen=True)
class Warned:
    """One warning. `what`: whom it is about; `text`: what was seen, and since when; `hint`: why, and what to do."""

    what: str
    text: str
    hint: str


def warned(settings: Settings, tx: Tx, now: float) -> list[Warned]:
    """Every loop that is suspected among the connections that are switched on."""
    platforms = {name: one.platform for name, one in settings.enabled.items()}
    return [_said(loop, platforms) for loop in suspected(tx.connections.all(), platforms, now)]


def _said(loop: Loop, platforms: dict[str, str]) -> Warned:
    count = f"{KEPT} people or more" if loop.people >= KEPT else plural(loop.people, "person", "people")
    span = f"in the last {WINDOW / 86400:.0f} days; first on {when(loop.since)}, last on {when(loop.last)}"
    if loop.kind == "integration":
        return _integration(loop, platforms, f"{count} {span}")
    one, other = loop.connections
    text = (
        f"looks like something besides rosterd copies between them: for {count} an edit of the one was already on "
        f"the other before rosterd had sent it ({span})"
    )
    return Warned(f"{one} and {other}", text, f"{RISK} {_switch_off({platforms[one], platforms[other]})}")


def _integration(loop: Loop, platforms: dict[str, str], seen: str) -> Warned:
    name, *partners = loop.connections
    text = (
        f"is also written to by its platform's own integration {loop.word!r}, while its partner is connected here too "
        f"({', '.join(partners)}): {seen}"
    )
    hint = f"{RISK} Switch that integration off in {_title(platforms[name])}, or leave one of the two out here."
    return Warned(name, text, hint)


def _switch_off(platforms: set[str]) -> str:
    if platforms == {"telerivet"}:
        return "If both projects share Telerivet's Contact Data Sync, switch it off for them."
    if platforms == {"strive", "action_network"}:
        return "If Strive's own Action Network integration is on, switch it off."
    return "Find the other program, or the person who types everything twice, and switch one of the two off."


def _title(platform: str) -> str:
    return platform.replace("_", " ").title()
