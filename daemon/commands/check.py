"""`rosterd check`: configuration, mappings, database, accounts, in this order; whatever can be said is said. Last, what
the configuration would change, where it is not what the database was last used with."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from daemon import matrix
from daemon.commands import whom
from daemon.commands.loops import warned
from daemon.commands.options import CONFIG, FAILED, as_json
from daemon.commands.session import Session, session
from daemon.difference import Difference, Look, differences
from daemon.errors import RosterdError
from daemon.output import clean, is_terminal, json_out, say
from daemon.platforms import registry
from daemon.platforms.base import Connector
from mappings.check import check as check_mapping
from state.engine import sqlite_path

Level = Literal["ok", "note", "warn", "fail"]
LEVELS: dict[str, Level] = {"error": "fail", "warning": "warn", "note": "note"}
COLOURS = {"ok": "green", "note": "cyan", "warn": "yellow", "fail": "red"}


@dataclass(frozen=True)
class Finding:
    """One line of the check. `group`: config (exit 78 when it fails), database or account (exit 1)."""

    group: str
    level: Level
    what: str
    text: str
    hint: str = ""


@click.command()
@click.option("--offline", is_flag=True, help="Do not call the accounts.")
@click.option(
    "--sample",
    type=click.IntRange(0),
    default=20_000,
    show_default=True,
    metavar="N",
    help="To say whom a change would touch, look at about N people at most; 0: at all.",
)
@as_json
@click.pass_context
def command(ctx: click.Context, offline: bool, sample: int, as_json: bool) -> None:
    """Look for mistakes before they cost something. Nothing is changed anywhere; accounts are only read.

    Where mappings, `where:`, directions or connections are not what the last run worked with, it also says what the
    next run would do because of that, and to how many people: from the database, before it is live.

    \b
    rosterd check --offline      configuration, mappings and database
    rosterd check                ... and every account
    """
    found = session(ctx)
    findings = []
    for finding in look(found, offline=offline):
        findings.append(finding)
        if not as_json:
            _show(finding)
    changes, seen, people = _changes(found, findings, sample)
    if as_json:
        ok = not any(each.level == "fail" for each in findings)
        told = [whom.as_dict(each, seen, people) for each in changes]
        json_out({"findings": findings, "changes": told, "ok": ok})
    else:
        if changes:
            whom.show(changes, seen, people)
        _sum_up(findings, offline)
    ctx.exit(code(findings))


def _changes(found: Session, findings: list[Finding], sample: int) -> tuple[list[Difference], Look, dict[int, str]]:
    """What the configuration would change; what is wrong about that is a finding too. Nothing, without a database."""
    path = _file(found)
    if (path is not None and not path.exists()) or any(
        each.group == "database" and each.level == "fail" for each in findings
    ):
        return [], Look(), {}
    with found.store(exclusive=False) as store, store.look() as tx:
        changes, seen = differences(tx, found.roster(store), sample=sample, progress=whom.progress())
        people = whom.examples(tx, changes)
    moved = [each for each in changes if each.why == "moved"]
    findings += [Finding("account", "fail", each.connection, each.text, each.hint) for each in moved]
    return changes, seen, people


def _file(found: Session) -> Path | None:
    """The database file; None where the database is none."""
    url = found.settings.state.url
    return sqlite_path(url) if url.startswith("sqlite") else None


def code(findings: list[Finding]) -> int:
    failed = {finding.group for finding in findings if finding.level == "fail"}
    return CONFIG if "config" in failed else FAILED if failed else 0


def look(found: Session, *, offline: bool) -> Iterator[Finding]:
    """Every finding, as it is found. Raises BadConfig when there is no configuration to speak of."""
    settings = found.settings
    count = len(settings.enabled)
    yield Finding("config", "ok" if count else "warn", str(settings.path), f"{count} connections are switched on")
    if count == 1:
        yield Finding("config", "note", str(settings.path), "with one connection there is nobody to keep in step with")
    for name in settings.enabled:
        yield from _mapping(found, name)
    yield from _database(found)
    if not offline:
        for name in settings.enabled:
            yield from _account(found, name)


def _mapping(found: Session, name: str) -> Iterator[Finding]:
    mapping = found.mappings[name]
    able = registry.able(found.settings.enabled[name])
    findings = check_mapping(
        mapping, readable_wire=able.read, writable_wire=able.update | able.create, lengths=able.lengths
    )
    for each in findings:
        yield Finding("config", LEVELS[each.level], f"{mapping.source} {each.where}", each.text, each.hint)
    if not any(each.level == "error" for each in findings):
        both = len(mapping.readable & mapping.writable)
        yield Finding("config", "ok", f"mapping of {name}", f"{len(mapping.readable)} fields read, {both} both ways")
        yield from _makes_nobody(found, name)


def _makes_nobody(found: Session, name: str) -> Iterator[Finding]:
    """The platform could make new people, and the mapping stands in the way: that is easily not meant."""
    side = matrix.of_connection(found.settings.enabled[name], found.mappings[name])
    if side.makes_nobody and side.writes and side.capabilities.create:
        yield Finding("config", "note", f"mapping of {name}", f"no new people are made there: {side.makes_nobody}")


def _database(found: Session) -> Iterator[Finding]:
    path = _file(found)
    what = str(path) if path is not None else "database"
    try:
        if path is not None and not path.exists():
            yield _no_database_yet(what, os.access(_existing_parent(path), os.W_OK))
            return
        with found.look() as tx:
            people, loops = tx.contacts.count(), warned(found.settings, tx, time.time())
        yield Finding("database", "ok", what, f"{people:,} contacts")
        for each in loops:
            yield Finding("account", "warn", each.what, each.text, each.hint)
    except RosterdError as problem:
        yield Finding("database", "fail", what, str(problem), problem.hint)


def _existing_parent(path: os.PathLike[str]) -> str:
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _no_database_yet(what: str, writable: bool) -> Finding:
    if writable:
        return Finding("database", "ok", what, "not there yet; the first sync makes it")
    hint = "make the folder and give it to the user rosterd runs as, or change state.url"
    return Finding("database", "fail", what, "is not there, and cannot be made", hint)


def _account(found: Session, name: str) -> Iterator[Finding]:
    """Try one account, reading only. What goes wrong with it is a finding, not the end."""
    connector: Connector | None = None
    try:
        connector = registry.connect(found.settings.enabled[name], _facts(found, name))
        for what, well, text in connector.probe():
            yield Finding("account", "ok" if well else "warn", f"{name}: {what}", text)
        for path, why in connector.lacks(_written(found, name)):
            yield Finding("account", "warn", f"{name}: {path}", f"is mapped, and cannot be written: {why}")
        yield from _campaigns(found, name, connector)
    except RosterdError as problem:
        yield Finding("account", "fail", name, str(problem), problem.hint)
    finally:
        if connector is not None:
            connector.close()


def _campaigns(found: Session, name: str, connector: Connector) -> Iterator[Finding]:
    """Rules for outreaches whose campaign is not there: each of their outreaches would be refused."""
    door = connector.outreaches
    if door is None or found.settings.enabled[name].direction == "in":
        return
    for rule in found.mappings[name].spec.outreach:
        if not door.knows(rule.campaign):
            what, text = f"{name}: outreach {rule.name}", f"the account shows no campaign {rule.campaign}"
            yield Finding("account", "warn", what, text, "its id is the last part of its address in the API")


def _written(found: Session, name: str) -> list[str]:
    """The dotted paths that the mapping of a connection writes; none where nothing is written at all."""
    if found.settings.enabled[name].direction == "in":
        return []
    return [".".join(rule.keys) for rule in found.mappings[name].spec.rules if rule.writes]


def _facts(found: Session, name: str) -> dict[str, object]:
    """What is known of the account, if there is a database: it saves calls."""
    path = _file(found)
    if path is not None and not path.exists():
        return {}
    try:
        with found.look() as tx:
            account = tx.connections.all().get(name)
    except RosterdError:
        return {}
    return dict(account.facts) if account is not None else {}


def _show(finding: Finding) -> None:
    level = click.style(f"{finding.level:<4}", fg=COLOURS[finding.level], bold=True) if is_terminal() else None
    click.echo(f"{level or finding.level.ljust(4)}  {clean(finding.what)}: {clean(finding.text)}")
    if finding.hint:
        say(f"      {clean(finding.hint)}", dim=True)


def _sum_up(findings: list[Finding], offline: bool) -> None:
    count = {level: sum(finding.level == level for finding in findings) for level in COLOURS}
    said = "all is well" if not count["fail"] else f"{count['fail']} to mend"
    warned = f", {count['warn']} to look at" if count["warn"] else ""
    say(f"{said}{warned}{' (the accounts were not called)' if offline else ''}", bold=True)
