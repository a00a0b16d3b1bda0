"""What is wrong now, by what the database says. Cheap enough for every few seconds: no big table is walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from daemon.service import alerts_words as words
from daemon.service import norms
from daemon.service.alerts_words import Condition
from daemon.settings import Settings
from daemon.sync import fuse
from daemon.sync.accounts import NEEDED
from daemon.sync.roster import FUSE
from daemon.sync.windows import awake
from state.alerts import Alert
from state.model import Account
from state.store import Tx

HOUR = 3600.0
WEEK = 7 * 24
"""Hours after which an unusual level is what is usual."""
Resting = Callable[[str, float], bool]
"""Whether this connection is in a maintenance window at this moment."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look goes by."""

    now: float
    accounts: dict[str, Account]
    alerts: dict[str, Alert]  # the open ones, by key
    back: dict[str, float]  # failures and delays that ended not long ago: what has gathered is being read

    @property
    def hour(self) -> int:
        return int(self.now // HOUR)

    def catching_up(self, name: str) -> bool:
        return name in self.back or f"failed:{name}" in self.alerts or f"late:{name}" in self.alerts


class Watch:
    """Looks through the database. What it remembers is only what makes looking cheap, and when it began."""

    def __init__(self, settings: Settings, resting: Resting, began: float) -> None:
        self._settings, self._resting, self._began = settings, resting, began
        self._failing: dict[str, float] = {}  # since when, as far as we saw
        self._history: tuple[int, dict[str, dict[int, int]]] = (0, {})
        self._norms: dict[tuple[str, int, int], norms.Norm | None] = {}

    def reload(self, settings: Settings) -> None:
        self._settings, self._history = settings, (0, {})

    def conditions(self, tx: Tx, now: float) -> dict[str, Condition]:
        """Everything that is wrong, by key, of the kinds that are asked for."""
        known = tx.connections.all()
        accounts = {name: known[name] for name in self._settings.enabled if name in known}
        seen = Seen(now, accounts, tx.alerts.open(), self._back(tx, now))
        found: list[Condition] = [
            *self._failed(seen),
            *self._fuses(tx, seen),
            *self._refused(tx, seen),
            *self._late(seen),
            *self._abnormal(tx, seen),
        ]
        return {each.key: each for each in found if each.kind in self._settings.alerts.on}

    def _back(self, tx: Tx, now: float) -> dict[str, float]:
        longest = max((one.bound.total_seconds() for one in self._settings.enabled.values()), default=0.0)
        ended = tx.alerts.healed_since(now - max(2 * HOUR, longest))
        return {str(each.connection): each.healed_at or 0.0 for each in ended if each.kind in ("failed", "late")}

    # failed

    def _failed(self, seen: Seen) -> Iterator[Condition]:
        after = self._settings.alerts.after.total_seconds()
        for name, account in seen.accounts.items():
            since = self._failing_since(account, seen.now)
            why = account.paused_why or "it fails"
            told = f"failed:{name}" in seen.alerts
            if since is not None and (told or seen.now - since >= after or why.startswith(NEEDED)):
                yield words.failed(name, since, why)

    def _failing_since(self, account: Account, now: float) -> float | None:
        """When it began to fail: seen by us; or, when we come to it late, at the earliest after it last went well."""
        if account.failures == 0:
            self._failing.pop(account.name, None)
            return None
        before_us = account.ok_at if account.failures > 1 and account.ok_at is not None else now
        since = self._failing[account.name] = min(now, self._failing.get(account.name, before_us))
        return since  # a time to come is one of a clock that was set back since

    # what waits, and what was refused

    def _fuses(self, tx: Tx, seen: Seen) -> Iterator[Condition]:
        about = {fuse.key(name, kind): (name, kind) for name in seen.accounts for kind in FUSE}
        for key, (hold, since) in tx.alerts.tripped(about.keys()).items():
            name, kind = about[key]
            yield words.fuse(name, kind, hold, since)

    def _refused(self, tx: Tx, seen: Seen) -> Iterator[Condition]:
        for name, refused in tx.alerts.refused(seen.accounts.keys()).items():
            yield words.consent_dead(name, refused.rows, refused.since)

    # late

    def _late(self, seen: Seen) -> Iterator[Condition]:
        """Not read to the end for too long, by those that were once. What was late stays so until it is read."""
        for name, account in seen.accounts.items():
            if account.polled_at is None or not account.primed:
                continue
            bound = self._settings.connections[name].bound.total_seconds()
            over = seen.now - account.polled_at > bound
            if over and (f"late:{name}" in seen.alerts or self._had_its_time(seen, account, bound)):
                yield words.late(name, account.polled_at, self._settings)

    def _had_its_time(self, seen: Seen, account: Account, bound: float) -> bool:
        """A worker that has only just started, or a connection that is only just back, may catch up first; and it is
        left alone while its platform is in maintenance.

        While it fails, that is what is said, if it is to be said at all.
        """
        failing = account.failures > 0 or f"failed:{account.name}" in seen.alerts
        fails = failing and "failed" in self._settings.alerts.on
        free_since = max(account.polled_at or 0.0, self._began, seen.back.get(account.name, 0.0))
        return not fails and awake(partial(self._resting, account.name), free_since, seen.now, bound)

    # its own norm

    def _abnormal(self, tx: Tx, seen: Seen) -> Iterator[Condition]:
        changes = self._changes(tx, seen.hour)
        for name, account in seen.accounts.items():
            mine = changes[name]
            silent, unusual = seen.alerts.get(f"silent:{name}"), seen.alerts.get(f"unusual:{name}")
            yield from self._silent(account, mine, silent, seen.hour)
            if unusual is not None or not (seen.catching_up(name) or _reads_anew(account, seen.hour)):
                yield from self._unusual(account, mine, unusual, seen.hour)

    def _changes(self, tx: Tx, hour: int) -> dict[str, dict[int, int]]:
        """The past is read once an hour; what may still grow, each time."""
        names = list(self._settings.enabled)
        if self._history[0] != hour:
            self._history = hour, tx.alerts.changes(names, hour - norms.WINDOW - WEEK)
            self._norms.clear()
        fresh = tx.alerts.changes(names, hour - 1)
        return {name: {**self._history[1].get(name, {}), **fresh.get(name, {})} for name in names}

    def _norm(self, name: str, changes: dict[int, int], before: int, far: int) -> norms.Norm | None:
        key = (name, before, far)
        if key not in self._norms:
            self._norms[key] = norms.norm(changes, before, far)
        return self._norms[key]

    def _silent(self, account: Account, changes: dict[int, int], alert: Alert | None, hour: int) -> Iterator[Condition]:
        """Until something changes; however long that is, it does not become usual."""
        far, read = self._far(account), _hour_read(account, hour)
        now_quiet = norms.quiet(changes, read, far)
        if alert is not None:
            if now_quiet is None or (now_quiet.last + 1) * HOUR <= alert.since:
                yield Condition("silent", account.name, alert.since, alert.text, alert.hint)
            return
        usual = self._norm(account.name, changes, hour - 1, far)
        if now_quiet is None or usual is None or usual.quiet is None or usual.patience is None:
            return
        if now_quiet.hours > usual.patience:
            yield words.silent(account.name, (now_quiet.last + 1) * HOUR, usual.quiet)

    def _unusual(
        self, account: Account, changes: dict[int, int], alert: Alert | None, hour: int
    ) -> Iterator[Condition]:
        """While it lasts it is compared with what was usual before; after a week it is what is usual."""
        before = hour - 1
        if alert is not None:
            before = max(int(alert.since // HOUR), hour - WEEK)
        usual = self._norm(account.name, changes, before, self._far(account))
        at = None if usual is None else norms.burst(changes, hour, usual, self._far(account))
        if usual is None or at is None:
            return
        if alert is not None:
            yield Condition("unusual", account.name, alert.since, alert.text, alert.hint)
        else:
            yield words.unusual(account.name, at * HOUR, usual)

    def _far(self, account: Account) -> int:
        return norms.reach(self._settings.connections[account.name].every.total_seconds())


def _hour_read(account: Account, hour: int) -> int:
    """The hour in which it was last read to the end: what was not read is not silence."""
    return hour if account.polled_at is None else min(hour, int(account.polled_at // HOUR))


def _reads_anew(account: Account, hour: int) -> bool:
    """Whether it reads, or has just read, what it did not know or understood in another way: no burst."""
    just_swept = account.swept_at is not None and account.swept_at >= (hour - 1) * HOUR
    return not account.primed or bool(account.remap) or just_swept
