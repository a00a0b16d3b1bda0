"""What a service says to systemd: ready, what it is doing, still alive, reading its configuration again, stopping.

    notify = Notify.from_environment()      # once, before any thread or child is started
    notify.ready("5 connections; next sync 12:00")

Without systemd every call does nothing. No call raises, and none blocks for longer than a second: a manager that does
not listen is no reason to stop syncing. The protocol is a datagram of lines to the socket named in $NOTIFY_SOCKET
(sd_notify(3)); systemd's own library would be a dependency for one `sendto`.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, MutableMapping

from daemon.output import clean

LONGEST = 200
"""Characters of a status; `systemctl status` shows it on one line."""
PATIENCE = 1.0
"""Seconds to wait for a manager whose socket is full."""


class Notify:
    """The way to the service manager. Threads may share one.

    `address`: of its socket, as in $NOTIFY_SOCKET; "" for none. `watchdog`: seconds after which the manager takes us
    for hung, None if it does not watch.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self._address = _sockaddr(address)
        self._interval = watchdog if self._address is not None else None
        self._said = ""
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] | None = None) -> Notify:
        """As systemd started us. Takes its variables out of the environment: what we start must not speak for us."""
        ours = os.environ if environ is None else environ
        address, usec, pid = (ours.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
        meant = not pid or pid == str(os.getpid())
        return cls(address, int(usec) / 1e6 if meant and usec.isdecimal() and int(usec) else None)

    @property
    def watched(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    @property
    def watchdog_every(self) -> float | None:
        """How often to say `watchdog()`, in seconds: half of what systemd allows. None: nobody waits for it."""
        return None if self._interval is None else self._interval / 2

    def ready(self, status: str = "") -> bool:
        """Started, or done with a reload."""
        return self._tell("READY=1", status)

    def status(self, text: str) -> bool:
        """What we are doing, as `systemctl status` shows it. The same text twice is said once."""
        return self._line(text) == self._said or self._tell("", text)

    def reloading(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> bool:
        """The configuration is being read again; `ready()` ends it. `clock_ns`: CLOCK_MONOTONIC in nanoseconds."""
        return self._tell(f"RELOADING=1\nMONOTONIC_USEC={clock_ns() // 1000}")

    def stopping(self, status: str = "") -> bool:
        return self._tell("STOPPING=1", status)

    def watchdog(self) -> bool:
        """Still working. To be called after real work only: a thread that does nothing else proves nothing."""
        return self._interval is not None and self._tell("WATCHDOG=1")

    def extend(self, seconds: float) -> bool:
        """Starting or stopping goes on, and takes up to so much longer, counted from now."""
        return self._tell(f"EXTEND_TIMEOUT_USEC={max(1, round(seconds * 1e6))}")

    def failed(self, text: str, errno: int = 0) -> bool:
        """Why we are about to end. `errno`: the system's number for it, if there is one."""
        return self._tell(f"ERRNO={errno}" if errno else "", text)

    @staticmethod
    def _line(text: str) -> str:
        """One line, whatever was in it: a line end would begin another message to the manager."""
        line = clean(text) if text else ""
        return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"

    def _tell(self, what: str, status: str = "") -> bool:
        line = self._line(status)
        message = "\n".join(part for part in (what, f"STATUS={line}" if line else "") if part)
        if self._address is None or not message:
            return False
        with self._lock:
            sent = _send(self._address, message.encode(errors="replace"))
            if sent and line:
                self._said = line
        return sent


def _sockaddr(address: str) -> bytes | None:
    """A path, or `@name` for the abstract ones; of others (vsock:...) we know nothing."""
    if address.startswith("@"):
        return b"\0" + os.fsencode(address[1:])
    return os.fsencode(address) if address.startswith("/") else None


def _send(address: bytes, message: bytes) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.settimeout(PATIENCE)
            way.sendto(message, address)
    except OSError:
        return False
    return True
