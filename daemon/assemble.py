"""The composition root: from settings to everything a run works with. Nothing else knows all the rooms at once."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from daemon.errors import Busy, RosterdError, StopSync
from daemon.platforms import registry
from daemon.platforms.base import Connector, Facts
from daemon.platforms.gate import Guarded
from daemon.settings import Connection, Settings, mappings
from daemon.settings_types import parse_window
from daemon.sync.leases import Keeper
from daemon.sync.roster import FUSE, LimitLike, Roster, Rules, Side
from daemon.sync.windows import Stretch, Windows
from mappings.contact import email, email_key, phone
from state.errors import Locked, StateError
from state.migrate import HEAD, revision
from state.store import Store
from state.trouble import Trouble, Troubled, trouble_of

if TYPE_CHECKING:
    from mappings.mapping import Mapping as FieldMapping

Sleep = Callable[[float], None]


def roster(
    settings: Settings,
    store: Store,
    *,
    loaded: Mapping[str, FieldMapping] | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = time.sleep,
    keeper: Keeper | None = None,
    gates: registry.Gates | None = None,
) -> Roster:
    """What a run works with. `loaded`: the mappings, if they have been read already. `keeper`: of the leases, for what
    runs while others might. `gates`: budgets that there are already; the others are added. Raises BadConfig."""
    found = mappings(settings) if loaded is None else loaded
    gates = {} if gates is None else gates
    sides = {
        name: side(connection, found[name], gates, clock=clock, sleep=sleep)
        for name, connection in settings.enabled.items()
    }
    budgets = {name: registry.budget(one, gates) for name, one in settings.enabled.items()}
    made = Roster(store, sides, rules(settings), clock, keeper=keeper, gates=budgets)
    return made if keeper is None else replace(made, sides=_guarded(made, keeper))


def _guarded(made: Roster, keeper: Keeper) -> dict[str, Side]:
    """The sides, whose connectors begin no call that could outlive our lease."""

    def guard(name: str, side: Side) -> Side:
        names, connect = made.group(name), side.connect

        def guarded(facts: Facts) -> Connector:
            connector = connect(facts)
            if connector.line is not None:
                connector.line.may = lambda: keeper.check(names)
            return connector

        return replace(side, connect=guarded)

    return {name: guard(name, side) for name, side in made.sides.items()}


def side(
    connection: Connection,
    mapping: FieldMapping,
    gates: registry.Gates,
    *,
    clock: Callable[[], float],
    sleep: Sleep = time.sleep,
) -> Side:
    """One connection, as the sync sees it. `gates`: the budgets of the credentials so far."""
    capabilities = registry.able(connection)
    gate = registry.budget(connection, gates, sleep=sleep)

    def connect(facts: Facts) -> Connector:
        line = Guarded(gate)
        connector = registry.connect(connection, facts, gate=line, clock=clock, sleep=sleep)
        connector.line = line
        return connector

    return Side(
        name=connection.name,
        platform=connection.platform,
        mapping=mapping.with_lengths(capabilities.lengths),
        capabilities=capabilities,
        connect=connect,
        direction=connection.direction,
        priority=connection.priority,
        overlap=connection.overlap.total_seconds(),
        every=connection.every.total_seconds(),
        full_every=connection.full_every.total_seconds(),
        account=account_of(connection),
        budget=_budget_name(connection),
        windows=windows(connection),
    )


def _budget_name(connection: Connection) -> str:
    """Equal for connections that share a credential; it says nothing about the credential."""
    return hashlib.blake2b(f"{connection.base_url}\0{connection.credential}".encode(), digest_size=8).hexdigest()


def windows(connection: Connection) -> Windows:
    """When a connection is not to be written to, or left alone."""

    def stretches(written: Sequence[str]) -> tuple[Stretch, ...]:
        return tuple(Stretch(*parse_window(each)) for each in written)

    return Windows(stretches(connection.quiet_hours), stretches(connection.maintenance), connection.timezone)


def account_of(connection: Connection) -> str:
    """Names the account, so that a connection that is pointed at another one is noticed before it does harm."""
    platform, host, number = connection.account
    return f"{platform}:{number}@{host}"


def rules(settings: Settings) -> Rules:
    limits: dict[str, LimitLike] = {kind: getattr(settings.fuse, kind) for kind in FUSE}
    return Rules(
        max_shared=settings.identity.max_shared,
        ignored=frozenset(_identifier(each, settings.defaults.region) for each in settings.identity.ignore),
        consent_scope=settings.consent.scope,
        upward=settings.consent.upward,
        fuse=limits,
    )


def _identifier(written: str, region: str) -> str:
    """A phone or email of the ignore list, in the form it is matched by."""
    if "@" in written:
        return email_key(email(written) or written)
    return phone(written, region) or written


# the database


def open_store(url: str, *, exclusive: bool = True) -> Store:
    """The database, brought up to date and held by us alone; or (not `exclusive`) only to look at.

    Raises Busy when another process holds it, StopSync when it cannot be used.
    """
    with state_errors():
        store = Store(url, exclusive=exclusive)
        if not exclusive:
            _must_be_current(store)
        return store


def _must_be_current(store: Store) -> None:
    with store.look() as tx:
        found = revision(tx.db)
    if found != HEAD:
        store.close()
        raise StateError(
            f"the database is at revision {found or 'none'}, this program works with {HEAD}",
            hint="rosterd db upgrade",
        )


@contextlib.contextmanager
def state_errors() -> Iterator[None]:
    """What goes wrong with the database, as errors that say what happens next."""
    try:
        yield
    except Locked as problem:
        raise Busy(str(problem), hint=problem.hint) from None
    except StateError as problem:
        raise (_unusable(problem.trouble) if isinstance(problem, Troubled) else _stop(problem)) from None
    except DBAPIError as problem:
        raise _unusable(trouble_of(problem)) from None


def _stop(problem: StateError) -> StopSync:
    return StopSync(str(problem), hint=problem.hint)


def _unusable(trouble: Trouble) -> RosterdError:
    """Try again later (exit 75) where that may help: the disk is full, the server away."""
    return (Busy if trouble.passing else StopSync)(trouble.text, hint=trouble.hint)
