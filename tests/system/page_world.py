"""A service's page over real HTTP, on a database that a sandbox's people have filled."""

from __future__ import annotations

import dataclasses
import http.client
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from daemon.service.http import Server
from daemon.service.metrics import Metrics
from daemon.settings import Settings, load_all
from state.store import Tx
from tests.stories.sandbox_world import SandboxWorld

TOKEN = "correct-horse-battery-staple"
TWO = ("strive", "telerivet")


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    text: str


class PageWorld(SandboxWorld):
    """`service`: lines of the `[service]` table."""

    def __init__(
        self,
        folder: Path,
        service: str = "",
        *,
        platforms: tuple[str, ...] = TWO,
        patience: float = 5.0,
        **population: Any,
    ) -> None:
        super().__init__(folder, platforms=platforms, **population)
        self.metrics, self.healthy, self._service, self._patience = Metrics(), (True, "at work"), service, patience
        self.settings: Settings
        self.server: Server

    def __enter__(self) -> Self:
        super().__enter__()
        self.roster = dataclasses.replace(self.roster, at_once=1)  # always the same is read first
        self.configure(self._service)
        self.server = Server(
            self.settings,
            self.store,
            self.metrics,
            clock=lambda: self.now,
            health=lambda: self.healthy,
            roster=lambda: self.roster,
            patience=self._patience,
        )
        self.server.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.server.stop()
        super().__exit__(*reason)

    def configure(self, service: str = "", more: str = "") -> Settings:
        """Write the `[service]` table anew. Listens on a free port, if it says nothing else."""
        config = self.folder / "config.toml"
        rest = config.read_text().partition("\n[service]\n")[0]
        listen = "" if "listen" in service else 'listen = "127.0.0.1:0"\n'
        config.write_text(f"{rest}\n[service]\n{listen}{service}\n{more}")
        config.chmod(0o600)
        self.settings = load_all(config)[0]
        return self.settings

    def raw(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> Reply:
        """One request as it is, with no header that is not given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port or 0, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            got = connection.getresponse()
            return Reply(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.raw("GET", path, **headers)

    def post(self, path: str, form: Mapping[str, object], **headers: str) -> Reply:
        """As a browser sends a form of our own page."""
        origin = {"Origin": f"http://127.0.0.1:{self.server.port}"}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.raw("POST", path, urllib.parse.urlencode(form), **(origin | kind | headers))

    def sign_in(self, token: str = TOKEN) -> str:
        """The cookie of a new session, as a browser sends it."""
        reply = self.post("/sign-in", {"token": token})
        assert reply.status == 303, reply
        return reply.headers["set-cookie"].partition(";")[0]

    def write(self, work: Callable[[Tx], object]) -> None:
        with self.store.transaction() as tx:
            work(tx)

    # things to see

    def two_with_one_phone(self) -> int:
        """Ada on Strive and Zoe on Telerivet have one phone: that is held. Returns the hold's number."""
        self.strive.add_member(
            phone_number="+12025550101", first_name="Ada", last_name="Sample", email="ada@example.org"
        )
        self.telerivet.add_contact("Zoe Example", "+12025550101")
        self.sync()
        return next(hold.id or 0 for hold in self.holds() if hold.kind == "match")

    def refused(self) -> tuple[int, str]:
        """Telerivet has no room for Cy's city and street: it refuses them. Returns the push and the contact there."""
        member = self.strive.add_member(phone_number="+12025550103", first_name="Cy", last_name="Sample")
        contact = self.telerivet.add_contact("Cy Sample", "+12025550103")
        self.telerivet.edit_contact(contact, vars={f"v{number}": "x" for number in range(99)})
        self.sync()
        self.strive.edit_member(member, city="Rome", street_address="1 Main St")
        self.sync()
        (push,) = [push for push in self.outbox() if push.state == "dead" and push.kind == "update"]
        return push.id or 0, contact

    def with_room(self, contact: str) -> None:
        """Somebody makes room for them."""
        self.telerivet.edit_contact(contact, vars={f"v{number}": None for number in range(99)})

    def hours(self, hours: int = 48) -> None:
        """Two days as they may be: quiet nights, a busy noon, opt-outs mostly on time."""

        def write(tx: Tx) -> None:
            last = int(self.now // 3600)
            for back in range(hours):
                for place, name in enumerate(self.settings.connections):
                    tx.hours.add(name, last - back, **_an_hour(last - back, place))

        self.write(write)


def _an_hour(hour: int, place: int) -> dict[str, float]:
    clock = time.gmtime(hour * 3600).tm_hour
    busy = max(0, 10 - abs(clock - 13)) * (hour * 7 % 11 + 3 + place)
    told = (hour * 5 + place) % 3 if 7 < clock < 22 else 0
    slowest = 40 + (hour * 37 + place * 53) % 230 + (260 if hour % 29 == 3 else 0)
    after = told * slowest * 0.6
    return {"read": busy * 4, "changed": busy, "sent": busy * 2, "told": told, "told_after": after} | (
        {"told_slowest": slowest} if told else {}
    )
