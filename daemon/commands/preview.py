"""What a run would send, without sending: the whole of it, on a private copy of the database.

Nothing is written anywhere, not even a cursor: accounts are only read, and the copy is thrown away. This is
`rosterd plan` and `rosterd sync --dry-run`.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon import assemble
from daemon.commands import report, upcoming
from daemon.commands.progress import Progress
from daemon.commands.session import Session
from daemon.output import clean, json_out, plural, say
from daemon.sync import cycle
from daemon.sync.books import Report
from daemon.sync.people import People
from daemon.sync.planned import KINDS, Planned, planned
from daemon.sync.render import Letter, render
from daemon.sync.roster import Roster, Side
from state.engine import sqlite_path
from state.model import CONSENT_LANE, Owed
from state.outreaches import DUE
from state.store import Store, Tx

PAGE = 200
VERBS = {"opt_out": "opt out", "update": "update", "create": "create"}

Key = tuple[str, str, bool]
"""Connection, kind, and whether the fuse would hold it."""


@dataclass
class Plan:
    """What would be sent, and what the fuse would hold. `pushes` holds at most `limit` of each key (0: all);
    `counts` counts them all. `holds`: what would wait for a person: (connection, kind, how many)."""

    report: Report
    counts: Counter[Key] = field(default_factory=Counter)
    pushes: list[Planned] = field(default_factory=list)
    holds: list[tuple[str | None, str, int]] = field(default_factory=list)
    outreaches: int = 0
    acts: list[upcoming.Act] = field(default_factory=list)  # at most `limit` of these
    limit: int = 0

    def add(self, push: Planned) -> None:
        key = push.connection, push.kind, push.fuse
        self.counts[key] += 1
        if not self.limit or self.counts[key] <= self.limit:
            self.pushes.append(push)

    def of(self, connection: str, kind: str, fuse: bool) -> list[Planned]:
        return [push for push in self.pushes if (push.connection, push.kind, push.fuse) == (connection, kind, fuse)]

    @property
    def sent(self) -> int:
        """How many a sync would send."""
        return sum(count for (_, _, fuse), count in self.counts.items() if not fuse)


def plan(found: Session, options: cycle.Options, stop: threading.Event, *, limit: int) -> Plan:
    """Read everything, merge and plan on a copy; then write every letter, and post none."""
    with assemble.state_errors(), tempfile.TemporaryDirectory(prefix="rosterd-") as folder:
        copy = _copied(found.settings.state.url, Path(folder) / "state.db")
        try:
            return plan_on(found.roster(copy), options, stop, limit=limit)
        finally:
            copy.close()


def _copied(url: str, to: Path) -> Store:
    """The state as it is now, or an empty one where there is none yet. The folder is ours alone."""
    path = sqlite_path(url)
    if path is None or path.exists():
        present = Store(url, exclusive=False)
        try:
            if present.begun():
                present.copy_to(to)
        finally:
            present.close()
    return assemble.open_store(f"sqlite:///{to}")


def plan_on(roster: Roster, options: cycle.Options, stop: threading.Event, *, limit: int = 0) -> Plan:
    """As `plan`, on a roster whose database is a copy already."""
    with Progress() as progress:
        done = cycle.run(roster, options, stop=stop, progress=progress)
    done.dry_run = True
    plan = Plan(done, limit=limit)
    for name, side in roster.sides.items():
        if side.writes and name in done.books and not done.books[name].paused:
            _letters(roster, side, plan)
    with roster.store.look() as tx:
        plan.holds = tx.holds.by_connection()
        plan.outreaches = outreaches(tx)
    plan.acts = [] if done.waiting else upcoming.upcoming(roster, limit=limit)
    return plan


def outreaches(tx: Tx) -> int:
    """How many are owed and may be recorded."""
    return sum(count for _, _, state, count in tx.outreaches.counts() if state in DUE)


def _letters(roster: Roster, side: Side, plan: Plan) -> None:
    """Write what is owed to one connection, page by page, as delivery would; none passes."""

    def note(people: People, letter: Letter) -> bool:
        plan.add(planned(people, letter))
        return False

    after = (-1, 0)
    while True:
        with roster.store.transaction() as tx:
            rows = tx.outbox.due(side.name, roster.clock(), PAGE, after=after, states=("open", "held"))
            if plan.report.waiting:
                rows = [row for row in rows if row.lane == CONSENT_LANE]
            if not rows:
                return
            people = _people(tx, roster, side, rows)
            render(people, side, rows, note)
            people.flush()
            after = rows[-1].lane, rows[-1].id or 0


def _people(tx: Tx, roster: Roster, side: Side, rows: list[Owed]) -> People:
    people = People(tx, roster, now=roster.clock(), run=None)
    people.load_records(side.name, {row.external_id for row in rows if row.external_id})
    people.load_contacts({row.contact_id for row in rows if row.contact_id is not None})
    people.load_owners({i for contact in list(people.contacts) for i in people.identifiers_of(contact)})
    people.pushes.update({row.key: row for row in rows})
    return people


# showing


def show(plan: Plan, *, limit: int, as_json: bool) -> None:
    """`limit`: how many pushes of each kind people see (0: all)."""
    if as_json:
        json_out(_as_dict(plan))
        return
    report.reading(plan.report)
    for connection in plan.report.books:
        _show_connection(plan, connection, limit)
    if plan.outreaches:
        say(f"{plural(plan.outreaches, 'outreach', 'outreaches')} would be recorded by a sync; a plan has none")
        upcoming.show(plan.acts[:limit] if limit else plan.acts, plan.outreaches)
    if plan.holds:
        say(f"would wait for a person: {_kinds(_by_kind(plan))}")
    total = plan.sent
    say(f"dry run: {plural(total, 'push', 'pushes')} would be sent; nothing was written", bold=True)


def _as_dict(plan: Plan) -> dict[str, Any]:
    def counted(fuse: bool) -> list[dict[str, Any]]:
        rows = sorted((c, k, count) for (c, k, held), count in plan.counts.items() if held == fuse)
        return [{"connection": c, "kind": k, "count": count} for c, k, count in rows]

    waits = [{"connection": c, "kind": k, "count": count} for c, k, count in plan.holds]
    return {
        **report.as_dict(plan.report),
        "planned": [push.as_dict() for push in plan.pushes],
        "counts": counted(False),
        "fuse": counted(True),
        "outreaches": plan.outreaches,
        "acts": plan.acts,
        "holds": _by_kind(plan),
        "waits": waits,
    }


def _by_kind(plan: Plan) -> dict[str, int]:
    found: Counter[str] = Counter()
    for _, kind, count in plan.holds:
        found[kind] += count
    return dict(found)


def _kinds(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))


def _show_connection(plan: Plan, connection: str, limit: int) -> None:
    for fuse in (False, True):
        for kind in KINDS:
            if count := plan.counts[connection, kind, fuse]:
                held = ", held by the fuse" if fuse else ""
                say(f"{connection}{held}: {VERBS[kind]} {count:,}", bold=True)
                _show_some(plan.of(connection, kind, fuse), count, limit)
    if waits := {kind: count for where, kind, count in plan.holds if where == connection}:
        say(f"{connection}: waits for a person: {_kinds(waits)}")


def _show_some(pushes: list[Planned], count: int, limit: int) -> None:
    shown = pushes[:limit] if limit else pushes
    for push in shown:
        say(f"  {line(push)}")
    if count > len(shown):
        say(f"  ... and {count - len(shown):,} more (--limit 0 shows all)", dim=True)


def line(push: Planned) -> str:
    """One push, for people."""
    who = f"c{push.contact}" if push.contact else f"record {clean(push.record)}"
    who = f"{who} {clean(push.name)}" if push.name else who
    if push.channel is not None:
        return f"{who}: no more {push.channel}"
    tags = [f"+{clean(tag)}" for tag in push.add_tags] + [f"-{clean(tag)}" for tag in push.remove_tags]
    tagged = [f"tags: {' '.join(tags)}"] if tags else []
    if push.kind == "create":
        fields = [f"{name} {clean(new)}" for name, (_, new) in push.fields.items()]
        return f"{who}: {'; '.join([*fields, *tagged])}; subscribed: {clean(push.subscribed)}"
    moves = [f"{name}: {clean(old)} → {clean(new)}" for name, (old, new) in push.fields.items()]
    return f"{who}: {'; '.join([*moves, *tagged])}"
