"""The composition root: from settings to everything a run works with. Nothing else knows all the rooms at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from daemon.errors import Busy, RosterdError, StopSync
from daemon.platforms import registry
from daemon.platforms.base import Connector, Facts
from daemon.settings import Connection, Settings, mappings
from daemon.sync.roster import FUSE, LimitLike, Roster, Rules, Side
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
) -> Roster:
    """What a run works with. `loaded`: the mappings, if they have been read already. Raises BadConfig."""
    found = mappings(settings) if loaded is None else loaded
    gates: registry.Gates = {}
    sides = {
        name: side(connection, found[name], gates, clock=clock, sleep=sleep)
        for name, connection in settings.enabled.items()
    }
    return Roster(store, sides, rules(settings), clock)


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
        return registry.connect(connection, facts, gate=gate, clock=clock, sleep=sleep)

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
    )


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
