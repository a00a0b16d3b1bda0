"""The platforms of the sandbox: one account on each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from daemon.sandbox.action_network_api import action_network
from daemon.sandbox.carium import USERNAME, CariumModel
from daemon.sandbox.carium_api import CariumApi
from daemon.sandbox.colony import CLIENT, HOME, ColonyModel
from daemon.sandbox.colony import USERNAME as USERNAME_AT_COLONY
from daemon.sandbox.colony_api import ColonyApi
from daemon.sandbox.commits import Clock
from daemon.sandbox.harm import Harm, SaysNo
from daemon.sandbox.strive import CAMPAIGN, StriveModel
from daemon.sandbox.strive_api import StriveApi
from daemon.sandbox.telerivet import TelerivetModel
from daemon.sandbox.telerivet_api import TelerivetApi
from daemon.sandbox.telerivet_record import PROJECT
from daemon.sandbox.wire import Request, Response


class Api(Protocol):
    """A platform over HTTP; paths are without the sandbox's own prefix."""

    def respond(self, request: Request) -> Response: ...

    def refusal(self, status: int) -> Response:
        """The platform's own error body for a status."""


@dataclass(frozen=True)
class Account:
    """One platform's part of the sandbox.

    model     its data, and what its own people do by hand: `clear`, `says_no`, `late`, `commits`, `lock`
    settings  what a `[connections.*]` table needs besides platform, base_url and secrets
    secrets   the keys, by the name of their setting
    everybody everybody, as the platform shows them
    noun      what it calls people, in the plural
    actions   methods of the model that may be called from outside; `switches`: its attributes
    """

    name: str
    title: str
    model: Any
    api: Api
    settings: dict[str, Any]
    secrets: dict[str, str]
    everybody: Callable[[], list[dict[str, Any]]]
    noun: str
    actions: tuple[str, ...]
    switches: tuple[str, ...] = ()


@dataclass
class Others:
    """The other platforms, as far as the client has called them: of a "no" elsewhere it cannot know."""

    mine: str
    accounts: dict[str, Account]
    called: set[str] = field(default_factory=set)

    def says_no(self, number: str | None) -> bool:
        others = self.called - {self.mine}
        return any(self.accounts[name].model.says_no(number) for name in sorted(others))


@dataclass(frozen=True)
class Ground:
    """What all accounts of one sandbox share."""

    harm: Harm
    lock: threading.RLock
    clock: Clock


def strive(ground: Ground, others: SaysNo) -> Account:
    model, key = StriveModel(ground.harm, ground.lock, ground.clock), "sandbox-strive-key"
    return Account(
        "strive",
        "Strive",
        model,
        StriveApi(model, others, key),
        {"campaign_id": CAMPAIGN},
        {"api_key": key},
        model.members,
        "members",
        (
            *("add_member", "edit_member", "opt_out", "opt_in", "add_to_group", "remove_from_group", "delete_member"),
            *("member", "members"),
        ),
        ("change_log", "max_rows", "groups_touch", "max_affected", "tidy"),
    )


def telerivet(ground: Ground, others: SaysNo) -> Account:
    model, key = TelerivetModel(ground.harm, ground.lock, ground.clock), "sandbox-telerivet-key"
    return Account(
        "telerivet",
        "Telerivet",
        model,
        TelerivetApi(model, others, key),
        {"project_id": PROJECT},
        {"api_key": key},
        model.contacts,
        "contacts",
        (
            *("add_contact", "edit_contact", "block", "unblock", "add_to_group", "remove_from_group"),
            *("delete_contact", "contact", "contacts"),
        ),
        ("dynamic_groups", "unpaid", "page_max", "groups_touch", "tidy"),
    )


def carium(ground: Ground, _others: SaysNo) -> Account:
    model, password = CariumModel(ground.harm, ground.lock, ground.clock), "sandbox-carium-password"
    return Account(
        "carium",
        "Carium",
        model,
        CariumApi(model, password),
        {"username": USERNAME},
        {"password": password},
        model.users,
        "users",
        ("add_user", "edit_user", "unsubscribe", "consent", "archive", "delete_user", "user", "users"),
        ("token_seconds", "page_max", "page_total"),
    )


def colony(ground: Ground, others: SaysNo) -> Account:
    model = ColonyModel(ground.harm, ground.lock, ground.clock)
    password, secret = "sandbox-colony-password", "sandbox-colony-secret"
    return Account(
        "colony",
        "Colony",
        model,
        ColonyApi(model, others, password, secret),
        {"username": USERNAME_AT_COLONY, "client_id": CLIENT, "contact_list": HOME},
        {"password": password, "client_secret": secret},
        model.contacts,
        "contacts",
        (
            *("add_contact", "edit_contact", "add_to_list", "remove_from_list", "opt_out", "lift_opt_out"),
            *("add_optout", "delete_contact", "delete_list", "contact", "contacts"),
        ),
        ("token_seconds", "page_max", "names_lists", "import_after"),
    )


OPENERS: dict[str, Callable[[Ground, SaysNo], Account]] = {
    "strive": strive,
    "telerivet": telerivet,
    "action_network": action_network,
    "colony": colony,
    "carium": carium,
}


def opened(ground: Ground, called: set[str]) -> dict[str, Account]:
    """One account on every platform. `called`: the platforms somebody has called, kept up to date by the caller."""
    accounts: dict[str, Account] = {}
    for name, opener in OPENERS.items():
        accounts[name] = opener(ground, Others(name, accounts, called))
    return accounts
