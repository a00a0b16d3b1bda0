"""`rosterd apply`: send exactly what a plan says, and tell what became of each push."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from daemon import planfile
from daemon.commands import preview, report
from daemon.commands.options import FAILED, LATER, PARTIAL, as_json
from daemon.commands.session import Session, session
from daemon.commands.sync import collect_seldom, run_on, stopping
from daemon.output import json_out, plural, say
from daemon.sync import cycle, fuse
from daemon.sync.books import Report
from daemon.sync.planned import KINDS, Kind, Planned, Selection
from daemon.sync.roster import Roster
from daemon.sync.unsent import FATES, Fate, Told, fates
from state.store import Tx


@dataclass
class Applied:
    """A plan after it was applied. `owed`: what is not in it, and waits for the next sync, by kind."""

    report: Report
    told: list[Told]
    owed: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> Counter[Fate]:
        return Counter(told.fate for told in self.told)

    @property
    def code(self) -> int:
        counts = self.counts
        if not self.report.balanced:
            return FAILED
        return PARTIAL if counts["refused"] else LATER if counts["later"] else 0


@click.command()
@click.argument("plan", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="PLAN")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_context
def command(ctx: click.Context, plan: Path, yes: bool, as_json: bool) -> None:
    """Send exactly what a plan says, made with `rosterd plan --out PLAN`.

    Everything is read first, as by a sync. Then a push goes if it still says what the plan says: the same record, the
    same old and new values. Others are refused, each with the reason. What is not in the plan is not sent; it stays
    owed, and goes with the next sync. You have looked at the plan, so the fuse does not hold what is in it. Applied
    again, a plan sends nothing twice.

    \b
    Exit codes: 0 all sent, or so already; 3 some were refused; 75 some could not be reached, or another instance is
    running; 78 the configuration is not what the plan was made with; 2 the file is no plan, or was edited.

    \b
    rosterd plan --out plan.json
    rosterd apply plan.json
    """
    kept = planfile.read(plan)
    found = session(ctx)
    planfile.same_configuration(kept, planfile.fingerprints(found.settings, found.mappings))
    if not yes:
        _ask(kept)
    collect_seldom()
    with stopping() as stop:
        applied = apply(found, kept, stop)
    _show(applied, as_json=as_json)
    ctx.exit(applied.code)


def _ask(kept: planfile.PlanFile) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to ask whether to send it: say --yes.")
    counts = Counter((push.connection, push.kind, push.fuse) for push in kept.pushes)
    say(f"a plan of {kept.made}, by rosterd {kept.rosterd}", err=True)
    for (connection, kind, held), count in sorted(counts.items(), key=lambda one: _place(*one[0])):
        past = ", which the fuse would hold" if held else ""
        say(f"  {connection}: {preview.VERBS[kind]} {count:,}{past}", err=True)
    click.confirm("Send them?", abort=True, err=True)


def _place(connection: str, kind: Kind, held: bool) -> tuple[str, bool, int]:
    return connection, held, KINDS.index(kind)


def apply(found: Session, kept: planfile.PlanFile, stop: threading.Event) -> Applied:
    """One run that sends nothing but the pushes of a plan."""
    these = Selection(kept.pushes)
    options = cycle.Options(full=kept.full, only=frozenset(kept.only), these=these)
    with found.at_work() as roster:
        return apply_on(roster, options, these, stop)


def apply_on(roster: Roster, options: cycle.Options, these: Selection, stop: threading.Event) -> Applied:
    done = run_on(roster, options, stop)
    with roster.store.transaction() as tx:
        fuse.close_empty(tx, roster.clock())
        owed = _owed(tx)
    told = list(fates(roster, these, done, stopped=stop.is_set()))
    return Applied(done, told, owed)


def _owed(tx: Tx) -> Counter[str]:
    found: Counter[str] = Counter()
    for _, kind, state, count in tx.outbox.counts():
        if state != "dead":
            found["opt_outs" if kind == "consent" else "pushes"] += count
    found["outreaches"] = preview.outreaches(tx)
    return found


# showing


def _show(applied: Applied, *, as_json: bool) -> None:
    if as_json:
        json_out(_as_dict(applied))
        return
    report.reading(applied.report)
    for fate in ("already", "refused", "later"):
        for told in [one for one in applied.told if one.fate == fate]:
            say(f"{_word(fate)}: {_line(told.push)}: {told.why}")
    _still_owed(applied.owed)
    counts = applied.counts
    rest = "".join(f", {counts[fate]:,} {_word(fate)}" for fate in FATES[1:] if counts[fate])
    say(f"{counts['sent']:,} of {plural(len(applied.told), 'push', 'pushes')} sent{rest}", bold=True)


def _word(fate: str) -> str:
    return {"already": "so already", "refused": "refused", "later": "not reached"}[fate]


def _line(push: Planned) -> str:
    return f"{push.connection}: {preview.VERBS[push.kind]} {preview.line(push)}"


def _still_owed(owed: Counter[str]) -> None:
    """Somebody's "no" that was heard since the plan was made is worth a word of its own."""
    if owed["opt_outs"]:
        say(f"{plural(owed['opt_outs'], 'opt-out')} that the plan does not have must still go out: rosterd sync")
    if owed["pushes"]:
        say(f"{plural(owed['pushes'], 'push', 'pushes')} that the plan does not have stay owed, for the next sync")
    if owed["outreaches"]:
        say(f"{plural(owed['outreaches'], 'outreach waits', 'outreaches wait')} for the next sync")


def _as_dict(applied: Applied) -> dict[str, Any]:
    counts = {fate: applied.counts[fate] for fate in FATES}
    told = [one.as_dict() for one in applied.told]
    owed = {kind: applied.owed[kind] for kind in ("opt_outs", "pushes", "outreaches")}
    return {**report.as_dict(applied.report), "plan": counts, "pushes": told, "still_owed": owed}
