"""The fuse: a mass change waits for a person. It looks at the whole plan before the first write of a run.

Counted per connection and kind: create, update, blank (a value would be emptied), rekey (a phone or email would
change), outreach, vanish; merges are counted while they happen. Opt-outs pass.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from daemon.sync.roster import LimitLike, Roster
from state.model import Hold
from state.outbox import Outbox
from state.outreaches import KIND as OUTREACH
from state.outreaches import Outreaches
from state.store import Tx

KINDS = ("create", "update", "blank", "rekey")


def limit_of(limit: LimitLike, holding: int) -> float:
    """How many may pass: the larger of the absolute number and the share of what the connection holds."""
    return max(limit.rows, holding * limit.percent / 100)


def key(connection: str, kind: str) -> str:
    return f"fuse:{connection}:{kind}"


def check(tx: Tx, roster: Roster, passed: MutableMapping[tuple[str, str], int]) -> list[tuple[str, str, int]]:
    """Set aside what is too much; let the rest pass for good. Returns (connection, kind, count) of what tripped.

    `passed`: how many of the same plan passed before, to which these are added. A plan that comes in parts is counted
    as one; but for a first backfill into an empty platform, which is counted by nobody.
    """
    tripped = []
    for (connection, kind), count in sorted({**tx.outbox.unapproved(), **tx.outreaches.unapproved()}.items()):
        side = roster.sides.get(connection)
        if side is None or not side.writes:
            continue
        holding = tx.links.holding(connection)
        already = tx.holds.with_key(key(connection, kind)) is not None
        so_far = passed.get((connection, kind), 0)
        if already or too_many(roster, kind, count + so_far, holding):
            trip(tx, connection, kind, count, holding, at=roster.clock())
            rows(tx, kind).hold(connection, kind)
            tripped.append((connection, kind, count))
        else:
            # Passed once, passed for good: a run that is killed half-way must not trip over its own rest.
            rows(tx, kind).approve(connection, kind)
            if not (kind == "create" and holding == 0):
                passed[connection, kind] = so_far + count
    return tripped


def close_empty(tx: Tx, at: float) -> None:
    """Close the holds of which nothing is left: a person has let every push go, by a plan they looked at."""
    left = {**tx.outbox.unapproved(), **tx.outreaches.unapproved()}
    for hold in tx.holds.listed(kind="fuse"):
        kind = str(hold.detail["kind"])
        if kind in KINDS and (hold.connection, kind) not in left:
            tx.holds.close(hold.key, {"choice": "approve", "argument": "by a plan"}, at=at)


def rows(tx: Tx, kind: str) -> Outbox | Outreaches:
    """Where what is owed of this kind is kept."""
    return tx.outreaches if kind == OUTREACH else tx.outbox


def too_many(roster: Roster, kind: str, count: int, holding: int) -> bool:
    """Whether so many pushes of this kind wait for a person, at a connection that holds so many records."""
    if kind == "create" and holding == 0:
        return False  # a first backfill into an empty platform is what was asked for
    return count > limit_of(roster.rules.fuse[kind], holding)


def trip(tx: Tx, connection: str, kind: str, count: int, holding: int, *, at: float) -> None:
    detail = {"kind": kind, "count": count, "holds": holding}
    tx.holds.open(Hold(key(connection, kind), "fuse", detail, connection, opened_at=at))
