"""The page, /healthz, /readyz and /metrics, on the address that `[service].listen` names."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

from daemon import logs
from daemon.errors import Busy, RosterdError, StopSync
from daemon.service.http_holder import holder
from daemon.service.http_wire import Bounded
from daemon.service.metrics import Metrics
from daemon.service.page_access import Access
from daemon.service.page_desk import PATIENCE, Desk
from daemon.service.page_site import Answer, Question, Site
from daemon.settings import Settings
from daemon.sync.roster import Roster
from state.store import Store


class Server:
    """Serves in threads of its own, from `start()` to `stop()`.

    `health`: whether the service itself is alive, and a word about it; it must not raise. `roster`: what decisions are
    carried out with, as it is when one is made. `patience`: seconds that a visitor waits for the database.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.time,
        health: Callable[[], tuple[bool, str]],
        roster: Callable[[], Roster],
        patience: float = PATIENCE,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._desk = Desk(settings, store, metrics, clock=clock, health=health, roster=roster, patience=patience)
        self._socket: Bounded | None = None
        self._listen = ""
        self._log = logs.logger("rosterd.page")

    def _site(self, settings: Settings) -> Site:
        return Site(Access(settings.service, self._clock), self._desk)

    @property
    def port(self) -> int | None:
        """Where it listens; None when it does not."""
        return None if self._socket is None else int(self._socket.server_port)

    def start(self) -> None:
        """Listen, if the settings say so. Raises Busy (it may pass) or StopSync with what is in the way, and what to
        do about it."""
        self._open(self._settings.service.listen, self._site(self._settings))

    def reload(self, settings: Settings) -> None:
        """Go by other settings. Raises as `start` when it cannot listen where they say: then all stays as it
        was."""
        site = self._site(settings)
        if settings.service.listen != self._listen:
            self._open(settings.service.listen, site)
        elif self._socket is not None:
            self._socket.answer = site.answer
        self._settings = settings
        self._desk.take(settings)

    def stop(self) -> None:
        """Answer no more. What is being answered is not waited for."""
        old, self._socket, self._listen = self._socket, None, ""
        _close(old)

    def _open(self, listen: str, site: Site) -> None:
        """Listen at the new address before the old one is let go of, unless it is the same port: nobody has that twice.
        Each goes by the rules of its own settings."""
        old = self._socket
        in_the_way = old if old is not None and listen.endswith(f":{old.server_port}") else None
        _close(in_the_way)
        try:
            new = _bound(listen, site.answer) if listen else None
        except RosterdError:
            if in_the_way is not None:
                self._serve(self._listen, _bound(self._listen, in_the_way.answer))
            raise
        self._serve(listen, new)
        _close(old if old is not in_the_way else None)
        if new is not None:
            self._log.info("page.listening", listen=listen, port=self.port, guarded=site.public)

    def _serve(self, listen: str, new: Bounded | None) -> None:
        self._socket, self._listen = new, listen
        if new is not None:
            threading.Thread(target=new.serve_forever, args=(0.1,), name="rosterd-page", daemon=True).start()


def _bound(listen: str, answer: Callable[[Question], Answer]) -> Bounded:
    host, _, port = listen.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    name = "127.0.0.1" if bare == "localhost" else bare
    try:
        return Bounded(name, int(port), answer)
    except OSError as problem:
        raise _refused(listen, int(port), problem) from None


def _refused(listen: str, port: int, problem: OSError) -> RosterdError:
    another = 'give [service] another `listen`, or "" for none'
    match problem.errno:
        case errno.EADDRINUSE:
            return Busy(f"{listen} is taken by {holder(port)}", hint=f"stop that, or {another}")
        case errno.EADDRNOTAVAIL:  # not yet, perhaps: the network may come after us
            return Busy(f"{listen} is no address of this machine", hint=another)
        case errno.EACCES:
            return StopSync(f"{listen} may not be listened on by this user", hint="take a port above 1023")
    return StopSync(f"{listen} cannot be listened on: {problem.strerror}", hint=another)


def _close(old: Bounded | None) -> None:
    if old is not None:
        old.shutdown()
        old.server_close()
