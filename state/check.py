"""Is the database as it should be? The file and its disk, then what the tables must agree about.

Each question is one statement that counts, and one that names a few examples: memory does not grow with the people.
Everything is asked beside a running service. An example is a number or the id of a record, never a phone or a name.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, or_, select, text
from sqlalchemy.exc import DBAPIError

from state.backup import beside
from state.migrate import HEAD, revision
from state.store import Store
from state.tables import connections as accounts
from state.tables import (
    contacts,
    counters,
    decisions,
    holds,
    identifiers,
    links,
    outbox,
    outreaches,
    strays,
    suppressions,
)
from state.trouble import trouble_of

Level = Literal["wrong", "note"]
EXAMPLES = 5
MB = 1 << 20
LITTLE = 64 * MB
"""Bytes: a disk with less than that left is as good as full."""
LONG_LOG = 256 * MB
"""Bytes: SQLite starts its log anew at a few megabytes, unless somebody reads for hours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `wrong`: it can do harm; `note`: worth knowing."""

    level: Level
    what: str
    text: str
    hint: str


def check(store: Store, *, quick: bool = False) -> list[Finding]:
    """Everything that is wrong or worth knowing; empty when all is well. `quick`: without reading the whole file."""
    found = [] if store.path is None else list(_file(store.path))
    if not quick:
        found += [Finding("wrong", "damage", line, "stop rosterd; rosterd db restore BACKUP") for line in store.check()]
    if any(each.what == "damage" for each in found):
        return found
    try:
        with store.look() as tx:
            return [*found, *_tables(tx.db, quick=quick)]
    except DBAPIError as problem:
        trouble = trouble_of(problem)
        return [*found, Finding("wrong", "damage", trouble.text, trouble.hint)]


# the file


def _file(path: Path) -> Iterator[Finding]:
    for each in (path, *beside(path)):
        if each.exists():
            yield from _privacy(each)
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    log = beside(path)[0]
    if free < LITTLE:
        yield Finding("wrong", "disk", f"{free // MB} MB are free on the disk of {path}", "make room")
    elif free < size:
        said = f"the database has {size // MB} MB, and {free // MB} MB are free on its disk"
        yield Finding("note", "disk", said, "rosterd db vacuum, and a restore, need as much again")
    if log.exists() and (length := log.stat().st_size) > max(LONG_LOG, size):
        hint = "something reads the database for very long; it shrinks when that ends, or with: rosterd db vacuum"
        yield Finding("note", "log", f"{log} has {length // MB} MB", hint)


def _privacy(path: Path) -> Iterator[Finding]:
    found = path.stat()
    if mode := stat.S_IMODE(found.st_mode) & 0o077:
        yield Finding("wrong", "mode", f"others than its owner may open {path} ({mode:03o})", f"chmod 600 {path}")
    if found.st_uid != path.parent.stat().st_uid and found.st_uid != os.geteuid():
        hint = "whoever runs rosterd must own it: chown it to the owner of the folder"
        yield Finding("wrong", "owner", f"{path} belongs to user {found.st_uid}, its folder does not", hint)


# the tables


def _tables(db: Connection, *, quick: bool) -> Iterator[Finding]:
    at = revision(db)
    if at != HEAD:
        said = f"the database is at revision {at or 'none'}, this program works with {HEAD}"
        yield Finding("wrong", "revision", said, "rosterd db upgrade")
        return
    if db.dialect.name == "sqlite" and not quick:
        yield from _foreign_keys(db)
    for question in _QUESTIONS:
        yield from _ask(db, question)
    yield from _numbers(db)


def _foreign_keys(db: Connection) -> Iterator[Finding]:
    """SQLite does not look at what was there before, or was written by another program."""
    for table, row, other, _ in db.execute(text("pragma foreign_key_check")).fetchmany(EXAMPLES):
        said = f"row {row} of {table} belongs to nothing in {other}"
        yield Finding("wrong", "tables", said, "restore a backup, or report it: this should not be")


@dataclass(frozen=True, slots=True)
class _Question:
    """`asks`: rows that should not be, each by its first column."""

    text: str
    hint: str
    asks: Select[Any]


def _ask(db: Connection, question: _Question) -> Iterator[Finding]:
    count = int(db.execute(select(func.count()).select_from(question.asks.subquery())).scalar_one())
    if count:
        some = ", ".join(str(row[0]) for row in db.execute(question.asks.limit(EXAMPLES)))
        more = ", ..." if count > EXAMPLES else ""
        yield Finding("wrong", "tables", f"{count:,} {question.text}: {some}{more}", question.hint)


def _numbers(db: Connection) -> Iterator[Finding]:
    """A number handed out twice would give one person's records to another."""
    handed = int(db.execute(select(counters.c.value).where(counters.c.name == "contacts")).scalar() or 0)
    highest = int(db.execute(select(func.max(contacts.c.id))).scalar() or 0)
    if handed < highest:
        said = f"contact c{highest} exists, but only {handed} numbers were handed out"
        yield Finding("wrong", "tables", said, "restore a backup, or report it: this should not be")


_merged = contacts.alias("merged")
_REPORT = "report it: this should not be; until then nothing is lost by it"


def _nobody(contact: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(contact.is_not(None), ~select(literal(1)).where(contacts.c.id == contact).exists())


def _is_merged(contact: ColumnElement[int]) -> ColumnElement[bool]:
    return select(literal(1)).where(_merged.c.id == contact, _merged.c.merged_into.is_not(None)).exists()


def _record(table: Any) -> ColumnElement[str]:
    found: ColumnElement[str] = table.c.connection + literal("/") + table.c.external_id
    return found


def _link_of(table: Any) -> ColumnElement[bool]:
    return and_(links.c.connection == table.c.connection, links.c.external_id == table.c.external_id)


_QUESTIONS = (
    _Question(
        "records belong to a contact that does not exist",
        "rosterd sync --full after restoring a backup; report it",
        select(_record(links)).where(_nobody(links.c.contact_id)),
    ),
    _Question(
        "records belong to a contact that was merged into another",
        "rosterd unmerge that contact, then rosterd merge it again",
        select(_record(links)).where(links.c.state.in_(("linked", "vanished")), _is_merged(links.c.contact_id)),
    ),
    _Question(
        "contacts were merged into one that does not exist, or into themselves",
        _REPORT,
        select(_merged.c.id).where(or_(_merged.c.merged_into == _merged.c.id, _nobody(_merged.c.merged_into))),
    ),
    _Question(
        "merged contacts still have phones or emails to be found by",
        "rosterd unmerge that contact, then rosterd merge it again",
        select(identifiers.c.contact_id).where(_is_merged(identifiers.c.contact_id)).distinct(),
    ),
    _Question(
        "pushes are owed to a connection that is not known",
        "rosterd outbox drop them, or put the connection back into the configuration",
        select(outbox.c.id).where(~select(literal(1)).where(accounts.c.name == outbox.c.connection).exists()),
    ),
    _Question(
        "pushes are about a contact that does not exist",
        "rosterd outbox drop them",
        select(outbox.c.id).where(_nobody(outbox.c.contact_id)),
    ),
    _Question(
        "outreaches are about a contact that does not exist",
        "rosterd outbox drop them",
        select(outreaches.c.id).where(_nobody(outreaches.c.contact_id)),
    ),
    _Question(
        "decisions are about a contact that does not exist",
        _REPORT,
        select(_record(decisions)).where(_nobody(decisions.c.contact_id)),
    ),
    _Question(
        "open holds are about a record that is gone",
        "rosterd holds decide them: whatever is chosen, nothing is sent there",
        select(holds.c.id).where(
            holds.c.state == "open",
            holds.c.kind == "match",
            select(literal(1))
            .where(_link_of(holds), links.c.state == "vanished", links.c.contact_id.is_(None))
            .exists(),
        ),
    ),
    _Question(
        "records that belong to somebody are kept as if they were nobody's",
        "rosterd sync --full",
        select(_record(strays))
        .where(select(literal(1)).where(_link_of(strays), links.c.state == "linked").exists())
        .distinct(),
    ),
    _Question(
        'records that speak for themselves are also kept as a "no" that outlived its record',
        'rosterd sync --full; a "no" too many, never one too few',
        select(_record(suppressions))
        .where(select(literal(1)).where(_link_of(suppressions), links.c.state == "linked").exists())
        .distinct(),
    ),
)
