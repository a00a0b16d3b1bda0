"""`rosterd db`: the database itself."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon import assemble
from daemon.commands.options import FAILED, as_json
from daemon.commands.session import Session, session
from daemon.errors import Busy, StopSync
from daemon.output import json_out, plural, say
from state.engine import engine, sqlite_path
from state.migrate import revision
from state.store import Store
from state.trouble import Troubled, trouble_of

if TYPE_CHECKING:
    from state.keep import Pruned


@click.group()
def command() -> None:
    """Upgrade, check, back up or tidy the database.

    \b
    rosterd db check
    rosterd db backup /var/backups/rosterd --keep 14
    """


@command.command()
@as_json
@click.pass_context
def upgrade(ctx: click.Context, as_json: bool) -> None:
    """Bring the database to the shape this program needs; every start of `rosterd sync` does it too.

    \b
    rosterd db upgrade
    """
    found = session(ctx)
    url = found.settings.state.url
    with assemble.state_errors():
        before = _revision(url)
        with found.store() as store, store.look() as tx:
            after = revision(tx.db)
    if as_json:
        json_out({"before": before, "after": after})
    else:
        say(f"the database was at {before or 'nothing'}, and is at {after}" if before != after else f"it is at {after}")


def _revision(url: str) -> str | None:
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    plain = engine(url)
    try:
        with plain.connect() as connection:
            return revision(connection)
    finally:
        plain.dispose()


# looking


@command.command()
@click.option("--quick", is_flag=True, help="Without reading the whole file: a moment, also for a large one.")
@as_json
@click.pass_context
def check(ctx: click.Context, quick: bool, as_json: bool) -> None:
    """Look for damage, and for what the tables must agree about. Works beside a running service.

    \b
    rosterd db check
    """
    from state.check import check as look_for

    with assemble.state_errors():
        store = _whatever_its_revision(session(ctx))
        try:
            found = look_for(store, quick=quick)
        finally:
            store.close()
    wrong = [each for each in found if each.level == "wrong"]
    if as_json:
        json_out({"whole": not wrong, "findings": [asdict(each) for each in found]})
    else:
        for each in found:
            say(f"{each.level}: {each.text}", bold=each.level == "wrong")
            say(f"       {each.hint}")
        say(f"the database has {plural(len(wrong), 'problem')}" if wrong else "the database is whole")
    ctx.exit(FAILED if wrong else 0)


def _whatever_its_revision(found: Session) -> Store:
    """Only to look, also at a database that is not upgraded yet: it is backed up before it is."""
    return Store(found.settings.state.url, exclusive=False)


# copies


@command.command()
@click.argument("target", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="In FOLDER, leave only the N newest backups.")
@as_json
@click.pass_context
def backup(ctx: click.Context, target: Path, force: bool, keep: int | None, as_json: bool) -> None:
    """Copy the database, as it is at this moment, into one file. Works beside a running service.

    In a FOLDER the copy is named by the time, rosterd-20260131T040000Z.db. It is looked through before it has its
    name. It holds everybody's phone number, and only its owner can read it.

    \b
    rosterd db backup state-before-upgrade.db
    rosterd db backup /var/backups/rosterd --keep 14
    """
    from state.backup import backup as copy
    from state.backup import backup_into

    if keep is not None and not target.is_dir():
        raise click.UsageError(f"--keep is for a folder, and {target} is none.")
    removed: list[Path] = []
    with assemble.state_errors():
        store = _whatever_its_revision(session(ctx))
        try:
            if target.is_dir():
                made, removed = backup_into(store, target, now=time.time(), keep=keep)
            else:
                made = copy(store, target, force=force)
        finally:
            store.close()
    size = made.stat().st_size
    if as_json:
        json_out({"file": str(made), "bytes": size, "removed": [str(each) for each in removed]})
        return
    say(f"{made} ({size:,} bytes) is a whole copy; put it back with: rosterd db restore {made}")
    if removed:
        say(f"removed {plural(len(removed), 'older backup')}")


@command.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do it without asking.")
@as_json
@click.pass_context
def restore(ctx: click.Context, file: Path, yes: bool, as_json: bool) -> None:
    """Put a backup in the place of the database (SQLite). The old one is kept beside it.

    The next run reads every connection whole. What people decided since the backup is to be decided again.

    \b
    rosterd db restore /var/backups/rosterd/rosterd-20260131T040000Z.db --yes
    """
    from state.restore import restore as put_back

    path = sqlite_path(session(ctx).settings.state.url)
    if path is None:
        raise StopSync("a backup is put back into SQLite only", hint="for PostgreSQL: pg_dump and pg_restore")
    if not yes:
        click.confirm(f"Put {file} in the place of {path}?", abort=True, err=True)
    with assemble.state_errors():
        kept = put_back(file, path, now=time.time())
    if as_json:
        json_out({"database": str(path), "kept": None if kept is None else str(kept)})
        return
    say(f"{path} is what {file} was")
    if kept is not None:
        say(f"the one before is kept as {kept}")
    say("now: rosterd plan, to see what would be sent; the next run reads everything")


# tidying


@command.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@as_json
@click.pass_context
def prune(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Remove what is older than [keep] says, now. A running service does it every night.

    What explains a merge, a "no" or a decision stays for good, and so does everything about an open hold.

    \b
    rosterd db prune --dry-run
    """
    found = session(ctx)
    with found.store(exclusive=False) as store:
        done = _would_go(found, store) if dry_run else _go(found, store)
    if as_json:
        json_out({"dry_run": dry_run, "rows": done.rows})
        return
    for table, count in sorted(done.rows.items()):
        say(f"{table}: {plural(count, 'row')} {'would be' if dry_run else 'were'} removed")
    if not done.total:
        say("nothing is old enough")


def _would_go(found: Session, store: Store) -> Pruned:
    from daemon.service.keeping import ages
    from state.keep import would_prune

    with store.look() as tx:
        return would_prune(tx, now=time.time(), ages=ages(found.settings))


def _go(found: Session, store: Store) -> Pruned:
    """In short transactions, as the service does, so that nobody waits."""
    from daemon.service.keeping import ages
    from state.keep import Pruned, go_through_again
    from state.keep import prune as remove

    done, more = Pruned(), True
    with store.transaction() as tx:
        go_through_again(tx)
    while more:
        with store.transaction() as tx:
            gone = remove(tx, now=time.time(), ages=ages(found.settings), rows=found.settings.keep.rows)
        done.add_all(gone)
        more = gone.more
    return done


@command.command()
@as_json
@click.pass_context
def vacuum(ctx: click.Context, as_json: bool) -> None:
    """Give room inside the file back to the disk (SQLite). Nothing else can use the database meanwhile.

    \b
    rosterd db vacuum
    """
    from state import upkeep

    with session(ctx).store() as store:
        if store.path is None:
            raise StopSync("PostgreSQL does this by itself", hint="its autovacuum; VACUUM FULL for the rare rest")
        if short := upkeep.short_of(store):
            raise Busy(short, hint="make room, or set SQLITE_TMPDIR to a folder on another disk")
        try:
            before, after = upkeep.vacuum(store)
        except sqlite3.Error as problem:
            raise Troubled(trouble_of(problem)) from None
    if as_json:
        json_out({"before": before.size, "after": after.size})
    else:
        say(f"the database had {before.size:,} bytes, and has {after.size:,}")
