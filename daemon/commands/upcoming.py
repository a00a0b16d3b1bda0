"""The outreaches that the next sync would record, in a dry run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daemon.output import clean, say, when
from daemon.sync import outreach
from daemon.sync.merge import value_of
from daemon.sync.roster import Roster, Side
from state.model import Outreach
from state.store import Tx

PAGE = 200

Act = dict[str, Any]


def upcoming(roster: Roster, *, limit: int) -> list[Act]:
    """Those owed and past the fuse, as they would be sent now; at most `limit` of each connection (0: all)."""
    found: list[Act] = []
    with roster.store.look() as tx:
        for side in roster.sides.values():
            for count, row in enumerate(_rows(tx, side), 1):
                if not limit or count <= limit:
                    found.append(_act(tx, side, row))
    return found


def _rows(tx: Tx, side: Side) -> Iterator[Outreach]:
    after = 0
    while side.outreach and (page := tx.outreaches.due(side.name, PAGE, after=after)):
        yield from page
        after = page[-1].id or 0


def _act(tx: Tx, side: Side, row: Outreach) -> Act:
    letter = outreach.write(tx, side, row)
    act: Act = {"connection": row.connection, "contact": row.contact_id, "rule": row.rule, "event": row.event}
    act |= {"at": row.at, "campaign": None, "target": {}, "words": {}, "name": None, "why": None}
    if isinstance(letter, outreach.Letter):
        name = value_of(letter.contact.fields, "full_name")
        sent = letter.action
        return {**act, "campaign": sent.campaign, "target": sent.target, "words": sent.words, "name": name}
    return {**act, "why": letter or "waits until the person has a record there"}


def show(acts: list[Act], count: int) -> None:
    for act in acts:
        who = f"c{act['contact']} {clean(act['name'])}" if act["name"] else f"c{act['contact']}"
        words = {**act["target"], **act["words"]}
        said = "; ".join(f"{key} {clean(text)}" for key, text in words.items()) or clean(act["why"])
        say(f"  {act['connection']} {clean(act['rule'])}: {who} ({clean(act['event'])}, {when(act['at'])}): {said}")
    if count > len(acts):
        say(f"  ... and {count - len(acts):,} more (--limit 0 shows all)", dim=True)
