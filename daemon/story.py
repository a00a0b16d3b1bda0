"""Rows of the journal, as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daemon.output import clean, when
from state.model import Noted


def told(entry: Noted) -> str:
    """What happened, in one line."""
    say = _WORDS.get(entry.event)
    where = f"{entry.connection}: " if entry.connection else ""
    return where + (say(entry.detail) if say is not None else f"{entry.event} {clean(entry.detail or '')}".rstrip())


def _took(detail: dict[str, Any]) -> str:
    return "; ".join(f"{n}: {clean(v[0])} → {clean(v[1])}" for n, v in detail.items())


def _overruled(detail: dict[str, Any]) -> str:
    moves = (f"{name} {clean(said)} lost to {clean(kept)}" for name, (said, kept) in detail.items())
    return "overruled: " + "; ".join(moves)


def _sent(verb: str) -> Callable[[dict[str, Any]], str]:
    return lambda detail: f"{verb}: " + "; ".join(f"{n} {clean(value)}" for n, value in detail.items())


def _merged(detail: dict[str, Any]) -> str:
    return f"c{detail['drop']} became part of c{detail['keep']}"


def _consent(detail: dict[str, Any]) -> str:
    return f"{detail['channel']}: {detail['from']} → {detail['to']} ({clean(detail['how'])})"


def _outreach(what: str) -> Callable[[dict[str, Any]], str]:
    def tell(detail: dict[str, Any]) -> str:
        why = f": {clean(detail['reason'])}" if detail.get("reason") else ""
        return f"outreach {clean(detail['rule'])} ({clean(detail['event'])}, {when(detail['at'])}) {what}{why}"

    return tell


def _foreign(detail: dict[str, Any]) -> str:
    if "by" in detail:
        return f"written there by the platform's own integration {clean(detail['by'])}"
    return f"{clean(detail['field'])} was there already as {detail['as']} has it, before we had sent it"


def _decided(detail: dict[str, Any]) -> str:
    argument = f" {detail['argument']}" if detail.get("argument") else ""
    return f"a person decided hold {detail['hold']} ({detail['kind']}): {detail['choice']}{argument}"


_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "linked": lambda d: "a record of somebody new" if d.get("new") else "a record was recognised as this person's",
    "took": _took,
    "overruled": _overruled,
    "created": _sent("created there"),
    "told": _sent("told"),
    "told_no": lambda d: f"told the no ({d['channel']})",
    "merged": _merged,
    "unmerged": lambda d: f"c{d['drop']} and c{d['keep']} are two people again",
    "consent": _consent,
    "decided": _decided,
    "vanished": lambda _: "the record is gone from the platform",
    "returned": lambda _: "the record is back",
    "race_lost": lambda _: "the record moved while we wrote; read again",
    "refused": lambda d: f"refused: {clean(d['reason'])}",
    "failed": lambda d: f"cannot be read: {clean(d['reason'])}",
    "unwritable": lambda d: f"{d['field']} cannot be written there: {clean(d['why'])}",
    "not_stored": lambda d: f"{d['field']} was sent and not stored",
    "flipping": lambda d: f"{d['field']} keeps flipping between {clean(d['sides'])}; held",
    "foreign_write": _foreign,
    "outreach_owed": _outreach("is to be recorded"),
    "outreach_sent": _outreach("was recorded"),
    "outreach_found": _outreach("was there already"),
    "outreach_refused": _outreach("was refused"),
    "outreach_held": _outreach("waits for a person"),
    "dropped": lambda d: f"a person dropped what was owed ({d['kind']})",
    "retried": lambda d: f"a person asked to try again ({d['kind']})",
}
