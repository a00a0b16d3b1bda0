"""A world with all five platforms over HTTP: Colony and Carium are only read, as they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.sandbox.harm import same_phone
from daemon.sync import verdicts
from daemon.sync.verdicts import Picked, decide
from state.model import Hold
from tests.stories.sandbox_world import SandboxWorld
from tests.system.crash import people

FIVE = ("strive", "telerivet", "action_network", "colony", "carium")
WRITTEN = ("strive", "telerivet", "action_network")
COLONY_WRITES = """direction = "both"
scope = "read+write"
paths.create_optout = "/contact/optouts/"
"""
LOGINS = ("/oauth2/", "/identity/v1/login/")


@dataclass(frozen=True)
class Wrote:
    """One write that a platform was asked for."""

    method: str
    path: str
    body: Any


class FiveWorld(SandboxWorld):
    """`numbers` stand for people: see tests/system/crash/people.py."""

    def __init__(self, folder: Path, more: dict[str, str] | None = None, **population: Any) -> None:
        super().__init__(folder, more, platforms=FIVE, **({"empty": True} | population))

    @property
    def action_network(self) -> Any:
        return self.sandbox.action_network

    @property
    def colony(self) -> Any:
        return self.sandbox.colony

    @property
    def carium(self) -> Any:
        return self.sandbox.carium

    # people

    def everywhere(self, *numbers: int) -> None:
        """On all five, spelled alike, and nobody has said no anywhere."""
        for number in numbers:
            people.at_strive(self.sandbox, number, opt_in=True, city="Rome")
            people.at_telerivet(self.sandbox, number, vars={"city": "Rome"})
            people.at_action_network(self.sandbox, number, phone_status="subscribed", locality="Rome", country="IT")
            people.at_colony(self.sandbox, number, city="Rome")
            people.at_carium(self.sandbox, number)

    def met(self, *numbers: int) -> None:
        """The same, and all is quiet."""
        self.everywhere(*numbers)
        self.settle()
        self.sandbox.reset_log()

    def on(self, platform: str, number: int) -> Any:
        """The id there of somebody."""
        return {
            "strive": people.member,
            "telerivet": people.contact,
            "action_network": people.person,
            "colony": people.colony_contact,
            "carium": people.user,
        }[platform](self.sandbox, number)

    def shown(self, platform: str, number: int) -> dict[str, Any]:
        """Somebody as a platform shows them, however the phone is typed there."""
        (found,) = [row for row in self.rows(platform) if phone_of(platform, row) == people.phone(number)[1:]]
        return found

    def rows(self, platform: str) -> list[dict[str, Any]]:
        return list(self.sandbox.accounts[platform].everybody())

    def says_no(self, platform: str, number: int, channel: str = "sms") -> bool:
        """Whether a platform would not write to somebody. Strive and Telerivet know of texts only."""
        row = self.shown(platform, number)
        if platform == "action_network":
            entry = row["phone_numbers" if channel == "sms" else "email_addresses"][0]
            return bool(entry["status"] != "subscribed")
        if platform == "colony":
            return bool(row[f"{channel}_optout"])
        if channel != "sms":
            raise ValueError(f"{platform} knows nothing of emails")
        key = {"strive": "opt_in", "telerivet": "send_blocked", "carium": "phone-unsubscribed"}[platform]
        return bool(row[key]) is (platform != "strive")

    # what happened

    def wrote(self, platform: str) -> list[Wrote]:
        """In order, without logging in."""
        return [
            Wrote(call.method, call.path, call.wrote)
            for call in self.sandbox.calls(platform)
            if call.method != "GET" and not call.path.startswith(LOGINS)
        ]

    def count(self) -> dict[str, int]:
        """How many writes each platform was asked for."""
        return {platform: len(self.wrote(platform)) for platform in FIVE}

    def quiet(self) -> None:
        """Two further runs, one of them a complete one, send nothing; nobody was harmed."""
        before = self.count()
        assert [self.sync().sent, self.sync(full=True).sent] == [0, 0]
        assert self.count() == before
        self.harmless()

    # deciding

    def hold(self, kind: str) -> Hold:
        """The only one of its kind."""
        (found,) = [hold for hold in self.holds() if hold.kind == kind]
        return found

    def decide(self, hold: Hold, choice: str, argument: str | None = None) -> None:
        with self.store.transaction() as tx:
            decide(tx, self.roster, hold, Picked(choice, argument))

    def merge(self, hold: Hold) -> None:
        """The contacts that a hold is about are one person."""
        one, other = hold.detail["contacts"]
        with self.store.transaction() as tx:
            verdicts.merge_contacts(tx, self.roster, one, other)


def phone_of(platform: str, row: dict[str, Any]) -> str | None:
    if platform == "action_network":
        return same_phone(row["phone_numbers"][0].get("number"))
    key = {"strive": "phone_number", "telerivet": "phone_number", "colony": "mobile_number", "carium": "phone"}
    return same_phone(row[key[platform]])


def given(platform: str, row: dict[str, Any]) -> str:
    """The first name in a row of Strive, Telerivet or Action Network."""
    if platform == "telerivet":
        return str(row["name"]).partition(" ")[0]
    return str(row["given_name" if platform == "action_network" else "first_name"])
