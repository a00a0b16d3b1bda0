"""What the tests of Colony have in common: pushes, calls, and a Colony that answers otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.platforms.base import Channel, Create, Record
from daemon.platforms.colony import Colony
from daemon.sandbox.sandbox import Call
from daemon.sandbox.wire import Request, Response
from tests.contract.site_colony import ColonySite
from tests.contract.suite import somebody

YES: frozenset[Channel] = frozenset({"sms", "email"})


def calls(site: ColonySite, method: str | None = None, part: str = "") -> list[Call]:
    return [call for call in site.sandbox.calls("colony", method) if part in call.path]


def shown(colony: Colony) -> dict[str, Record]:
    return {record.external_id: record for page in colony.sweep({}) for record in page.records}


def make(n: int, **more: Any) -> Create:
    person = somebody(n)
    wire = {"phone": person["phone"][1:], "first_name": f"P{n}", "email": person["email"]}
    return Create(n, wire, person["phone"], person["email"], **more)


class Wrapped:
    """Stands between the connector and the sandbox's Colony, and changes its answers."""

    def __init__(self, inner: Any, change: Any) -> None:
        self._inner, self._change = inner, change

    def respond(self, request: Request) -> Response:
        found: Response = self._change(request, self._inner.respond)
        return found

    def refusal(self, status: int) -> Response:
        found: Response = self._inner.refusal(status)
        return found


def change(site: ColonySite, how: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`how(request, ask)`: the answer to a request; `ask` asks the sandbox."""
    account = site.sandbox.accounts["colony"]
    monkeypatch.setitem(vars(account), "api", Wrapped(account.api, how))
