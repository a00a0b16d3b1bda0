"""Alerts: told once when something breaks, and once when it heals.

    look()      opens and heals alerts by what the database says, then sees to it that what is due is told
    storage()   the database itself is in trouble: remembered here, told all the same

What is wrong is decided twice: by looking, which is cheap; and, only if something would change, again inside the
one write transaction that changes it. So workers that share a database neither open an alert twice nor undo each
other's. Telling is another thread's, so that nobody who is told can hold up a sync: see `alerts_teller.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from daemon.logs import logger
from daemon.service.alerts_teller import IN_HAND, Teller
from daemon.service.alerts_watch import Resting, Watch
from daemon.service.alerts_ways import Ways, ways
from daemon.service.alerts_words import Condition
from daemon.settings import Settings
from state.alerts import Alert, healed
from state.store import Store, Tx

log = logger("rosterd.alerts")


def _never(_connection: str, _moment: float) -> bool:
    return False


class Alarms:
    """What breaks and heals, and who is told. Made once a process; every thread may call it.

    clock    seconds since 1970
    resting  whether a connection is in a maintenance window at a moment: then it is not late
    send     the ways to tell, from the settings: name to a function that raises `Untold`
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        clock: Callable[[], float] = time.time,
        resting: Resting = _never,
        send: Callable[[Settings], Ways] = ways,
    ) -> None:
        self._store, self._clock = store, clock
        self._watch = Watch(settings, resting, began=clock())
        self._teller = Teller(settings, store, clock, send)
        self._turn = threading.Lock()

    def look(self) -> None:
        """Decide what is broken and what is healed, and set off the telling. Returns at once if a look is under way.

        Raises what the database raises.
        """
        self._teller.tell_of_storage()
        if not self._turn.acquire(blocking=False):
            return
        try:
            self._decide()
        finally:
            self._turn.release()
        self._teller.tell_what_is_due()

    def storage(self, trouble: str | None) -> None:
        """The database cannot be used (say why), or can again (None). May be said as often as one likes."""
        self._teller.storage(trouble)

    def reload(self, settings: Settings) -> None:
        with self._turn:
            self._watch.reload(settings)
            self._teller.reload(settings)

    def close(self, timeout: float = 5.0) -> None:
        """Wait so many seconds for what is being told just now. What is not told by then is told after the restart."""
        self._teller.wait(timeout)

    def _decide(self) -> None:
        now = self._clock()
        with self._store.look() as tx:
            same = not any(self._differences(tx, now)) and self._teller.to_keep is None
        if same:
            return
        with self._store.transaction() as tx:
            tx.alerts.lock()
            opened, ended, reworded = self._differences(tx, now)
            for alert in ended:
                tx.alerts.put(healed(alert, now, hold_off=IN_HAND))
            for each in opened:
                tx.alerts.add(_alert(each, now))
            for alert in reworded:
                tx.alerts.put(alert)
            over = self._teller.to_keep
            if over is not None:
                tx.alerts.add(over)
        if over is not None:
            self._teller.kept(over)
        _say(opened, ended, now)

    def _differences(self, tx: Tx, now: float) -> tuple[list[Condition], list[Alert], list[Alert]]:
        """What is to be opened, what to be healed, and what is to be said otherwise, though nobody is told again."""
        found, known = self._watch.conditions(tx, now), tx.alerts.open()
        both = [(alert, found[key]) for key, alert in known.items() if key in found and not _anew(alert, found[key])]
        going_on = {alert.key for alert, _ in both}
        opened = [each for key, each in found.items() if key not in going_on]
        ended = [alert for key, alert in known.items() if key not in going_on]
        reworded = [
            replace(alert, text=each.text, hint=each.hint)
            for alert, each in both
            if (alert.text, alert.hint) != (each.text, each.hint)
        ]
        return opened, ended, reworded


def _anew(alert: Alert, each: Condition) -> bool:
    """Decided, and tripped again before anybody looked: another mass change, of which somebody is to be told."""
    return each.kind == "fuse" and each.since > alert.since


def _alert(each: Condition, now: float) -> Alert:
    return Alert(each.key, each.kind, each.connection, each.text, each.hint, each.since, due_at=now)


def _say(opened: list[Condition], ended: list[Alert], now: float) -> None:
    """In the log, whoever else is told."""
    for each in opened:
        log.warning("alert.broken", alert=each.key, text=each.text, hint=each.hint)
    for alert in ended:
        log.info("alert.healed", alert=alert.key, after_s=round(now - alert.since))
