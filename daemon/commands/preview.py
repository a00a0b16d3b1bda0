"""What a run would send, without sending: the whole of it, on a private copy of the database.

Nothing is written anywhere, not even a cursor: accounts are only read, and the copy is thrown away.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from daemon import assemble
from daemon.commands import report
from daemon.commands.progress import Progress
from daemon.commands.session import Session
from daemon.errors import StopSync
from daemon.output import clean, json_out, plural, say
from daemon.platforms.base import Create, OptOut
from daemon.sync import cycle
from daemon.sync.books import Report
from daemon.sync.merge import value_of
from daemon.sync.people import People
from daemon.sync.render import Letter, render
from daemon.sync.roster import Roster, Side
from state.engine import sqlite_path
from state.model import Owed
from state.store import Store, Tx

PAGE = 200
VERBS = {"opt_out": "opt out", "update": "update", "create": "create"}


@dataclass
class Plan:
    """What would be sent. `report.planned` holds at most `limit` pushes of each connection and kind (0: all);
    `counts` counts them all, by (connection, kind)."""

    report: Report
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    holds: dict[str, int] = field(default_factory=dict)
    limit: int = 0

    def add(self, push: dict[str, Any]) -> None:
        key = push["connection"], push["kind"]
        self.counts[key] += 1
        if not self.limit or self.counts[key] <= self.limit:
            self.report.planned.append(push)


def plan(found: Session, options: cycle.Options, stop: threading.Event, *, limit: int) -> Plan:
    """Read everything, merge and plan on a copy; then write every letter, and post none."""
    with assemble.state_errors(), tempfile.TemporaryDirectory(prefix="rosterd-") as folder:
        copy = _copied(found.settings.state.url, Path(folder) / "state.db")
        try:
            return _plan_on(found.roster(copy), options, stop, limit)
        finally:
            copy.close()


def _copied(url: str, to: Path) -> Store:
    """The state as it is now, or an empty one where there is none yet. The folder is ours alone."""
    original = sqlite_path(url) if make_url(url).get_backend_name() == "sqlite" else None
    if original is None:
        raise StopSync("a dry run needs a state in SQLite, to copy it", hint="copy the database, and sync the copy")
    if original.exists():
        present = Store(url, exclusive=False)
        try:
            present.copy_to(to)
        finally:
            present.close()
    return assemble.open_store(f"sqlite:///{to}")


def _plan_on(roster: Roster, options: cycle.Options, stop: threading.Event, limit: int) -> Plan:
    with Progress() as progress:
        done = cycle.run(roster, options, stop=stop, progress=progress)
    done.dry_run = True
    plan = Plan(done, limit=limit)
    if not done.waiting:
        for name, side in roster.sides.items():
            if side.writes and name in done.books and not done.books[name].paused:
                _letters(roster, side, plan)
    with roster.store.look() as tx:
        plan.holds = tx.holds.counts()
    return plan


def _letters(roster: Roster, side: Side, plan: Plan) -> None:
    """Write what is owed to one connection, page by page, as delivery would."""
    after = (-1, 0)
    while True:
        with roster.store.transaction() as tx:
            rows = tx.outbox.due(side.name, roster.clock(), PAGE, after=after)
            if not rows:
                return
            people = _people(tx, roster, side, rows)
            before = {key: dict(link.seen) for key, link in people.records.items()}
            for letter in render(people, side, rows):
                plan.add(_push(people, letter, before))
            people.flush()
            after = rows[-1].lane, rows[-1].id or 0


def _people(tx: Tx, roster: Roster, side: Side, rows: list[Owed]) -> People:
    people = People(tx, roster, now=roster.clock(), run=None)
    people.load_records(side.name, {row.external_id for row in rows if row.external_id})
    people.load_contacts({row.contact_id for row in rows if row.contact_id is not None})
    people.load_owners({i for contact in list(people.contacts) for i in people.identifiers_of(contact)})
    people.pushes.update({row.key: row for row in rows})
    return people


def _push(people: People, letter: Letter, before: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    row = letter.owed
    contact = people.contacts.get(row.contact_id or 0)
    name = value_of(contact.fields, "full_name") if contact is not None else None
    told = {"connection": row.connection, "contact": row.contact_id, "name": name, "record": row.external_id}
    match letter.push:
        case OptOut(channel=channel):
            return {**told, "kind": "opt_out", "channel": channel}
        case Create(subscribed=subscribed):
            return {**told, "kind": "create", "fields": letter.sent, "subscribed": sorted(subscribed)}
    seen = before.get((row.connection, row.external_id or ""), {})
    return {**told, "kind": "update", "fields": {n: [seen.get(n), value] for n, value in letter.sent.items()}}


# showing


def show(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        counts = [{"connection": c, "kind": k, "count": n} for (c, k), n in sorted(plan.counts.items())]
        json_out({**report.as_dict(plan.report), "counts": counts, "holds": plan.holds})
        return
    report.books_table(plan.report)
    report.reasons(plan.report)
    report.later(plan.report)
    for (connection, kind), count in sorted(plan.counts.items()):
        _show_kind(plan, connection, kind, count)
    if plan.holds:
        waits = ", ".join(f"{count:,} {kind}" for kind, count in sorted(plan.holds.items()))
        say(f"would wait for a person: {waits}")
    total = sum(plan.counts.values())
    say(f"dry run: {plural(total, 'push', 'pushes')} would be sent; nothing was written", bold=True)


def _show_kind(plan: Plan, connection: str, kind: str, count: int) -> None:
    shown = [p for p in plan.report.planned if (p["connection"], p["kind"]) == (connection, kind)]
    say(f"{connection}: {VERBS[kind]} {count:,}", bold=True)
    for push in shown:
        say(f"  {_line(push)}")
    if count > len(shown):
        say(f"  ... and {count - len(shown):,} more (--limit 0 shows all)", dim=True)


def _line(push: dict[str, Any]) -> str:
    who = f"c{push['contact']}" if push["contact"] else f"record {push['record']}"
    who = f"{who} {clean(push['name'])}" if push["name"] else who
    match push["kind"]:
        case "opt_out":
            return f"{who}: no more {push['channel']}"
        case "create":
            fields = "; ".join(f"{name} {clean(value)}" for name, value in push["fields"].items())
            return f"{who}: {fields}; subscribed: {clean(push['subscribed'])}"
    moves = (f"{name}: {clean(old)} → {clean(new)}" for name, (old, new) in push["fields"].items())
    return f"{who}: {'; '.join(moves)}"
