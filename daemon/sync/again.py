"""Refused pushes, tried again because a person says so: the same from the command line and from the status page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from daemon.errors import SkipRecord
from daemon.sync import outreach
from state.model import Noted, Outreach, Owed
from state.store import Tx


def pushes(tx: Tx, ids: Iterable[int | str]) -> list[Owed]:
    """Those of the ids that are numbers. Raises SkipRecord for one that is not owed (any more)."""
    wanted = {each for each in ids if isinstance(each, int)}
    found = tx.outbox.get(wanted)
    _none_missing(wanted - {push.id for push in found})
    return found


def outreaches(tx: Tx, ids: Iterable[int | str]) -> list[Outreach]:
    """Those of the ids that are an o and a number, and not over. Raises SkipRecord for one that is not there."""
    wanted = {each for each in ids if isinstance(each, str)}
    found = [act for act in tx.outreaches.get([int(each[1:]) for each in wanted]) if act.state not in outreach.OVER]
    _none_missing(wanted - {f"o{act.id}" for act in found})
    return found


def _none_missing(missing: Iterable[int | str | None]) -> None:
    if names := ", ".join(sorted(map(str, missing))):
        raise SkipRecord(f"there is no push {names}", hint="rosterd outbox list; it may have been sent")


def retry(tx: Tx, owed: Sequence[Owed], acts: Sequence[Outreach], *, at: float) -> None:
    """Owe these again, as if they had never been refused. Raises SkipRecord for one that waits for a decision."""
    for push in owed:
        if push.state == "held":
            raise SkipRecord(f"push {push.id} waits for the fuse", hint="rosterd holds list --kind fuse")
        push.state, push.attempts, push.reason, push.due_at = "open", 0, None, 0.0
    for act in acts:
        _retry_outreach(act)
    tx.outbox.put(owed)
    tx.outreaches.put(acts)
    tx.journal.add(noted("retried", owed, acts, at))


def _retry_outreach(act: Outreach) -> None:
    if act.state == "held":
        raise SkipRecord(f"outreach o{act.id} waits for a person", hint="rosterd holds list")
    if act.state == "dead":
        act.state, act.attempts, act.reason = "owed", 0, None


def noted(event: str, owed: Iterable[Owed], acts: Iterable[Outreach], at: float) -> list[Noted]:
    """For the journal: what a person did with these."""
    return [*(_push_noted(event, push, at) for push in owed), *(_outreach_noted(event, act, at) for act in acts)]


def _push_noted(event: str, push: Owed, at: float) -> Noted:
    detail = {"push": push.id, "kind": push.kind, "owed": push.owed}
    return Noted(event, detail, push.contact_id, push.connection, push.external_id, at)


def _outreach_noted(event: str, act: Outreach, at: float) -> Noted:
    detail = {"push": f"o{act.id}", "kind": "outreach", "owed": {act.rule: act.event}}
    return Noted(event, detail, act.contact_id, act.connection, None, at)
