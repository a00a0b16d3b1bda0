"""What most commands begin with: the settings, the log, the database, the roster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy.exc import SQLAlchemyError

from daemon import assemble, logs
from daemon import settings as config
from daemon.commands.options import Globals
from daemon.errors import Busy, RosterdError, SkipRecord
from daemon.platforms import registry
from daemon.settings import Settings
from daemon.sync import agreed
from daemon.sync.leases import Keeper, owner
from daemon.sync.roster import Roster
from state.store import Store, Tx

if TYPE_CHECKING:
    from mappings.mapping import Mapping


@dataclass
class Session:
    """One call of a command that works with the configuration."""

    globals: Globals

    @cached_property
    def file(self) -> Path:
        """The config file. Raises BadConfig where there is none."""
        return config.find(self.globals.config)

    @cached_property
    def _loaded(self) -> tuple[Settings, dict[str, Mapping]]:
        settings, mappings = config.load_all(self.file)
        set_up_log(self.globals, settings)
        return settings, mappings

    @property
    def settings(self) -> Settings:
        return self._loaded[0]

    @property
    def mappings(self) -> dict[str, Mapping]:
        return self._loaded[1]

    def roster(self, store: Store, keeper: Keeper | None = None) -> Roster:
        return assemble.roster(self.settings, store, loaded=self.mappings, keeper=keeper)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Roster]:
        """What a run works with: the database, and our leases of the connections, given back at the end. Raises Busy
        where workers go by another configuration."""
        with self.store() as store:
            keeper = Keeper(store, owner(), self.settings.service.lease.total_seconds())
            try:
                roster = self.roster(store, keeper)
                agreed.same_as_workers(roster)
                yield roster
            finally:
                keeper.close()

    @contextlib.contextmanager
    def store(self, *, exclusive: bool = True) -> Iterator[Store]:
        """The database, closed at the end; `exclusive`: ours alone. Raises Busy when another process holds it."""
        with assemble.state_errors():
            try:
                store = assemble.open_store(self.settings.state.url, exclusive=exclusive)
            except Busy as problem:
                raise _held_by_service(self.settings.state.url, problem) from None
            try:
                yield store
            finally:
                store.close()

    @contextlib.contextmanager
    def look(self) -> Iterator[Tx]:
        """Read the database, also beside a running sync."""
        with self.store(exclusive=False) as store, store.look() as tx:
            yield tx

    @contextlib.contextmanager
    def change(self) -> Iterator[tuple[Tx, Roster]]:
        """Decide something: one transaction, all or nothing. Beside a running service too: it waits its turn between
        two pages, and what it decides holds whatever is on its way to a platform meanwhile."""
        with self.store(exclusive=False) as store:
            roster = self.roster(store)
            with store.transaction() as tx:
                yield tx, roster


def _held_by_service(url: str, problem: Busy) -> Busy:
    """The same, with what else to do where it is a running service that holds the database."""
    with contextlib.suppress(RosterdError, SQLAlchemyError):
        store = assemble.open_store(url, exclusive=False)
        try:
            with store.look() as tx:
                pids = [worker.name.split(":")[1] for worker in tx.workers.all()]
        finally:
            store.close()
        for pid in pids:
            if str(problem).endswith(f" process {pid}"):
                hint = f"a running service does this by itself; `kill -USR1 {pid}` has it read everything now. "
                return Busy(str(problem), hint=hint + "Holds are decided beside it: rosterd holds list")
    return problem


def set_up_log(options: Globals, settings: Settings | None = None) -> None:
    """The log as configured, or as the command line says otherwise. With health data among the connections it stays
    masked: people are merged, so a name from there may stand in any line."""
    log = settings.log if settings is not None else config.Log()
    wanted = options.unmask or log.unmask
    connections = {} if settings is None else settings.connections
    private = [name for name, one in connections.items() if registry.sensitive(one.platform)]
    logs.configure(
        format=options.log_format or log.format,  # type: ignore[arg-type]  # click has checked the choice
        level="debug" if options.verbose else log.level,
        unmask=wanted and not private,
    )
    if wanted and private:
        logs.logger().warning("log.stays_masked", because=private, hint="they hold health data")


def session(ctx: click.Context) -> Session:
    """The session of this call."""
    return Session(ctx.find_object(Globals) or Globals())


def connection_names(found: Session, asked: tuple[str, ...]) -> frozenset[str]:
    """The connections somebody named, if they exist. Raises a usage error that lists those there are."""
    known = found.settings.enabled
    for name in asked:
        if name not in known:
            off = " (it is switched off)" if name in found.settings.connections else ""
            raise click.UsageError(f"There is no connection {name!r}{off}. There are: {', '.join(known)}.")
    return frozenset(asked)


def no_such(what: str, number: int, hint: str) -> SkipRecord:
    return SkipRecord(f"there is no {what} {number}", hint=hint)
