"""Action Network, seen by the people of one group; and what the tests of its connector do over and over."""

from __future__ import annotations

from typing import Any

from daemon.platforms.action_network import ActionNetwork
from daemon.platforms.base import Create, Facts, Record, Update, Wire
from daemon.sandbox.sandbox import Call
from tests.contract.sites import OVERLAP, Person, SandboxSite
from tests.contract.suite import somebody

NAMES = {
    "first": "given_name",
    "last": "family_name",
    "phone": "phone_number",
    "email": "email_address",
    "city": "locality",
}
STATUS = {True: "subscribed", False: "unsubscribed", None: "previous bounce"}
LONG_AGO = 1_790_000_000.0
SMS = {"subscribed": True, "unsubscribed": False}
"""There is no "nobody asked"; a phone that could not be reached for a while is nobody's yes or no either."""


class ActionNetworkSite(SandboxSite):
    name = "action_network"
    may_repeat = True  # who changed during a sweep is shown again at its end

    def __init__(self) -> None:
        super().__init__()
        self.model.nulls_clear = True  # as the documents say

    def build(self, facts: Facts) -> ActionNetwork:
        base_url = self.sandbox.base_url("action_network")
        key = self.sandbox.about()["action_network"]["api_key"]
        api = self.api(base_url, headers={"OSDI-API-Token": key}, parks=frozenset({500}))
        return ActionNetwork(
            api, base_url=base_url, group="ours", overlap=OVERLAP, facts=facts, clock=self.clock, page=4
        )

    def add(self, *, sms: bool | None = None, tags: Any = (), **fields: Any) -> str:
        return str(self.model.add_person(**self.wire(**fields), phone_status=STATUS[sms], tags=list(tags)))

    def edit(self, id_: str, **fields: Any) -> None:
        self.model.edit_person(id_, **self.wire(**fields))

    def tag(self, id_: str, name: str) -> None:
        self.model.tag(id_, name)

    def untag(self, id_: str, name: str) -> None:
        self.model.untag(id_, name)

    def opt_out(self, id_: str) -> None:
        self.model.opt_out(id_, "sms")

    def delete(self, id_: str) -> None:
        self.model.delete_person(id_)

    def fail(self, kind: str, *, write: bool, times: int = 1) -> None:
        super().fail(kind, write=write, times=times)
        if write:
            status = {"later": "503", "person": "401", "lost": "lost"}[kind]
            self.sandbox.faults.add(status, platform=self.name, method="PUT", times=times)

    def now(self, id_: str) -> Person:
        shown = self.model.person(id_)
        (phone,), emails = shown["phone_numbers"], shown["email_addresses"]
        return {
            "first": shown.get("given_name"),
            "last": shown.get("family_name"),
            "phone": "+" + phone["number"] if "number" in phone else None,
            "email": emails[0]["address"] if emails else None,
            "city": shown["postal_addresses"][0].get("locality"),
            "tags": set(shown["tags"]),
            "sms": SMS.get(phone["status"]),
        }

    def person(self, wire: Wire) -> Person:
        """What a record without its tags says of them is nothing."""
        plain = {ours: wire[theirs] for ours, theirs in NAMES.items()}
        tags = {"tags": {tag["name"] for tag in wire["tags"]}} if "tags" in wire else {}
        return {**plain, **tags, "sms": SMS.get(wire["phone_status"])}

    def wire(self, **fields: Any) -> Wire:
        return {NAMES[key]: value for key, value in fields.items()}

    def count(self) -> int:
        return len(self.model.people())


# What its tests do over and over


def connected(site: ActionNetworkSite, *, page: int = 25) -> ActionNetwork:
    connector = site.connect()
    assert isinstance(connector, ActionNetwork)
    connector._group._page = page
    return connector


def calls(site: ActionNetworkSite, method: str | None = None) -> list[Call]:
    return site.sandbox.calls("action_network", method)


def asked(site: ActionNetworkSite, *, tail: str) -> int:
    """How many calls went to a path with this ending."""
    return sum(1 for call in calls(site) if call.path.partition("?")[0].endswith(tail))


def person(site: ActionNetworkSite, **columns: Any) -> str:
    """Somebody who has been there for long."""
    return str(site.model.add_person(**columns, at=LONG_AGO))


def read(network: ActionNetwork, id_: str) -> Record:
    (record,) = network.fetch([id_])
    return record


def edit(network: ActionNetwork, id_: str, **more: Any) -> Update:
    """An update of somebody just read, as the sync makes it."""
    wire = more.pop("wire", {})
    return Update(1, id_, read(network, id_).version, wire, **more)


def new(n: int, **more: Any) -> Create:
    someone = somebody(n)
    wire = {"given_name": someone["first"], "phone_number": someone["phone"], "email_address": someone["email"]}
    return Create(n, wire, someone["phone"], someone["email"], **more)


def wrote(site: ActionNetworkSite) -> list[Any]:
    return [call.wrote for call in calls(site) if call.method != "GET"]
