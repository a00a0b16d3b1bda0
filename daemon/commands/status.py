"""`rosterd status`: how every connection is doing, and what waits for whom."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from daemon import assemble, matrix
from daemon.commands.loops import warned
from daemon.commands.options import as_json
from daemon.commands.session import Session, session
from daemon.output import ago, clean, json_out, plural, say, table, when
from daemon.service.look import WORDS, standing
from daemon.settings import Connection
from daemon.sync.resolve import WHY
from daemon.sync.windows import Windows
from state.alerts import Alert
from state.model import Account, Link
from state.store import Tx
from state.workers import WorkerRow

STATES = ("linked", "held", "out_of_scope", "failed", "vanished")
FAILED_SHOWN = 20


@click.command()
@click.option("--runs", default=5, show_default=True, help="How many of the last runs to show.")
@click.option("--platforms", is_flag=True, help="What each connection can do, instead. Asks no database.")
@as_json
@click.pass_context
def command(ctx: click.Context, runs: int, platforms: bool, as_json: bool) -> None:
    """Show how every connection is doing, and what waits. Works beside a running sync.

    \b
    rosterd status
    rosterd status --json | jq .holds
    rosterd status --platforms
    """
    found = session(ctx)
    if platforms:
        _show_able(found, as_json=as_json)
        return
    with found.look() as tx:
        state = gather(found, tx, runs, now=time.time())
    if as_json:
        json_out(state)
    else:
        _show(state)


def gather(found: Session, tx: Tx, runs: int, *, now: float) -> dict[str, Any]:
    records, accounts, holders = tx.links.counts(), tx.connections.all(), tx.leases.holders()
    names = [*found.settings.connections, *(n for n in accounts if n not in found.settings.connections)]
    return {
        "at": now,
        "workers": [_worker(each, holders) for each in tx.workers.all()],
        "connections": [
            {**_connection(found, n, accounts.get(n), records.get(n, {}), now), "worker": holders.get(n, (None,))[0]}
            for n in names
        ],
        "alerts": [_alert(each) for each in tx.alerts.open().values()],
        "loops": [asdict(each) for each in warned(found.settings, tx, now)],
        "contacts": tx.contacts.count(),
        "outbox": [
            {"connection": connection, "kind": kind, "state": state, "count": count}
            for connection, kind, state, count in sorted([*tx.outbox.counts(), *tx.outreaches.counts()])
        ],
        "holds": tx.holds.counts(),
        "failed": [_failed(link) for link in tx.links.with_state("failed", limit=FAILED_SHOWN)],
        "runs": tx.runs.latest(runs),
    }


def _show_able(found: Session, *, as_json: bool) -> None:
    """What each connection can do, from what its platform can and its mapping names."""
    enabled = found.settings.enabled.items()
    columns = [matrix.able(matrix.of_connection(one, found.mappings[name])) for name, one in enabled]
    if as_json:
        json_out([asdict(one) for one in columns])
        return
    names = [one.name if one.name == one.platform else f"{one.name} ({one.platform})" for one in columns]
    table(("", *names), matrix.capability_rows(columns))
    say()
    table(("field", *names), matrix.field_rows(columns))


def _connection(
    found: Session, name: str, account: Account | None, records: dict[str, int], now: float
) -> dict[str, Any]:
    configured = found.settings.connections.get(name)
    paused = account is not None and account.paused_until is not None and account.paused_until > now
    return {
        "name": name,
        "platform": configured.platform if configured else account.platform if account else None,
        "configured": configured is not None,
        "enabled": configured is not None and configured.enabled,
        "ok_at": account.ok_at if account else None,
        "sweep": _sweep(account),
        "swept_at": account.swept_at if account else None,
        **_standing(configured, account, now),
        "failures": account.failures if account else 0,
        "paused_until": account.paused_until if account and paused else None,
        "paused_why": account.paused_why if account else None,
        **_hours(configured, now),
        "records": records,
    }


def _standing(configured: Connection | None, account: Account | None, now: float) -> dict[str, Any]:
    """Its state, as the page has it, and the seconds since its last complete reading began."""
    if configured is None:
        return {"state": None, "lag_seconds": None}
    found = standing(configured, account, now)
    return {"state": found.state, "lag_seconds": None if found.lag is None else round(found.lag, 1)}


def _hours(configured: Connection | None, now: float) -> dict[str, float | None]:
    """Until when it is only told of opt-outs, and until when it is left alone; None where neither is so now."""
    times = assemble.windows(configured) if configured else Windows()
    return {
        "quiet_until": times.quiet_until(now) if times.quiet(now) else None,
        "maintenance_until": times.resting_until(now) if times.resting(now) else None,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    kept = ("id", "kind", "connection", "since", "text", "hint")
    return {name: getattr(alert, name) for name in kept}


def _worker(worker: WorkerRow, holders: Mapping[str, tuple[str, float]]) -> dict[str, Any]:
    """`at`: the connections it has just now, a command's too."""
    return {
        "name": worker.name,
        "version": worker.version,
        "started_at": worker.started_at,
        "silent_seconds": round(max(0.0, worker.silent), 1),
        "alive": worker.alive,
        "doing": worker.doing,
        "configuration": worker.configuration,
        "at": [name for name, (owner, _) in holders.items() if owner == worker.name],
    }


def _sweep(account: Account | None) -> str:
    if account is None:
        return "never read"
    if account.sweep > account.swept:
        return "reading everything" if account.primed else "first reading under way"
    return "read whole" if account.primed else "never read"


def _failed(link: Link) -> dict[str, Any]:
    return {"connection": link.connection, "record": link.external_id, "reason": link.reason}


def _show(state: dict[str, Any]) -> None:
    rows = [_row(each, state["at"]) for each in state["connections"]]
    counted = (f"{each.replace('_', ' ')}#" for each in STATES)
    table(("connection", "platform", "state", "last success", "reading", *counted), rows)
    for each in state["connections"]:
        _trouble(each, state["at"])
    for each in state["alerts"]:
        say(f"broken since {when(each['since'])}: {clean(each['text'])}", bold=True)
        say(f"  {clean(each['hint'])}")
    for each in state["loops"]:
        say(f"warning: {each['what']}: {clean(each['text'])}", bold=True)
        say(f"         {clean(each['hint'])}")
    if state["workers"]:
        rows = [_worker_row(each, state["at"]) for each in state["workers"]]
        table(("worker", "started", "doing", "at", "configuration"), rows, title="Workers")
    known = {each["name"] for each in state["workers"]}
    for each in state["connections"]:
        if each["worker"] and each["worker"] not in known:
            say(f"{each['name']}: {each['worker']} is at it")
    say(plural(state["contacts"], "contact"))
    if state["outbox"]:
        rows = [[o["connection"], o["kind"], o["state"], f"{o['count']:,}"] for o in state["outbox"]]
        table(("owed to", "kind", "state", "pushes#"), rows, title="Outbox")
    if state["holds"]:
        table(("kind", "holds#"), sorted(state["holds"].items()), title="Waiting for a person: rosterd holds list")
    if state["failed"]:
        rows = [[f["connection"], f["record"], WHY.get(f["reason"], f["reason"])] for f in state["failed"]]
        table(("connection", "record", "reason"), rows, title="Records that cannot be read (the first few)")
    if state["runs"]:
        table(("run#", "started", "took", "outcome", "read#", "sent#"), map(_run, state["runs"]), title="Last runs")


def _row(each: dict[str, Any], now: float) -> list[Any]:
    reading = each["sweep"] if each["enabled"] else "switched off" if each["configured"] else "not configured"
    counts = [f"{each['records'].get(state, 0):,}" for state in STATES]
    word = WORDS[each["state"]] if each["state"] else None
    return [each["name"], each["platform"], word, ago(each["ok_at"], now), reading, *counts]


def _worker_row(each: dict[str, Any], now: float) -> list[Any]:
    silent = f"not heard of for {each['silent_seconds']:.0f} s"
    doing = each["doing"] if each["alive"] else silent
    return [each["name"], ago(each["started_at"], now), doing, ", ".join(each["at"]), each["configuration"]]


def _trouble(each: dict[str, Any], now: float) -> None:
    if each["state"] == "late":
        say(f"{each['name']}: late: not read to the end since {when(now - each['lag_seconds'])}")
    if each["failures"]:
        until = f"; left alone until {when(each['paused_until'])}" if each["paused_until"] else ""
        say(f"{each['name']}: failed {plural(each['failures'], 'time')} in a row: {each['paused_why']}{until}")
    if each["maintenance_until"]:
        say(f"{each['name']}: maintenance until {when(each['maintenance_until'])}: it is left alone")
    elif each["quiet_until"]:
        say(f"{each['name']}: quiet hours until {when(each['quiet_until'])}: it is sent opt-outs only")


def _run(run: dict[str, Any]) -> list[Any]:
    took = f"{run['ended_at'] - run['started_at']:.1f} s" if run["ended_at"] else "-"
    books = run["books"].values()
    sent = sum(each.get(kind, 0) for each in books for kind in ("created", "updated", "opted_out", "outreaches"))
    read = sum(each.get("read", 0) for each in books)
    return [
        run["id"],
        when(run["started_at"]),
        took,
        run["outcome"] or "under way, or killed",
        f"{read:,}",
        f"{sent:,}",
    ]
