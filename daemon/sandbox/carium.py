"""Carium's data (the courier service), and what its own people do with it by hand."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import orjson

from daemon.sandbox.commits import Clock, Commits, Transaction
from daemon.sandbox.harm import Harm, same_email, same_phone
from daemon.sandbox.table import Data, Row, Table

ORGANIZATION = "0a9a0000-0000-4000-8000-000000000001"
USERNAME = "sandbox-carium"
BLANK: Data = {
    **dict.fromkeys(("first-name", "last-name", "email", "phone", "locale", "tz", "username")),
    **dict.fromkeys(("email-verified", "phone-verified", "phone-unsubscribed", "auto-sign-up"), False),
    **dict.fromkeys(("locale-explicit", "tz-explicit"), False),
    "communication-preferences": {},
    "notifications": ["email"],
    "sms-mode": "disabled",
    "state": "active",
}


class CariumModel:
    """One account. Every public method takes the lock; times and ids come from the clock and counters.

    Users lie in the order they were last written, as in a heap, and are listed in that order: who reads pages by
    offset while somebody writes skips rows and meets others twice. Switches, free to set at any time:
    token_seconds  how long a token of a login is good
    page_max       the longest page; a longer page[limit] up to 1000 is cut silently
    page_total     whether lists tell how many there are (shown by Carium for messages only)
    """

    def __init__(self, harm: Harm, lock: threading.RLock | None = None, clock: Clock = time.time) -> None:
        self.harm = harm
        self.lock = lock or threading.RLock()
        self.clock = clock
        self.token_seconds = 3600.0
        self.page_max = 1000
        self.page_total = False
        self.clear()

    def __len__(self) -> int:
        return len(self.user_table)

    def clear(self) -> None:
        """Forget everybody."""
        with self.lock:
            self.commits = Commits(self.clock)
            indexes = {"number": _number, "email": _email, "individual": lambda data: (data["primary-individual-id"],)}
            self.user_table = Table("users", _encoder("users"), indexes=indexes, orders=[("_serial",)])
            owner = {"user": lambda data: (data["user-id"],)}
            self.consent_table = Table("user-consents", _encoder("user-consents"), indexes=owner)
            self.numbers = Table("text-number-info", _encoder("text-number-info"))
            self._serials = itertools.count(1)

    def late(self, requests: int | None = None, seconds: float | None = None) -> AbstractContextManager[None]:
        """What this thread writes inside takes its ids and times now, and shows so much later."""
        return self.commits.late(requests, seconds)

    # What people do -----------------------------------------------------------------------------------------

    def add_user(self, **columns: Any) -> str:
        """Somebody signs up. Columns are attributes with `_` for `-`: `first_name`, `phone`, ... Returns the id."""
        with self.lock:
            serial = next(self._serials)
            user = make_id(serial)
            new = {**BLANK, **_attributes(columns), "id": user, "_serial": serial, "last-sync-time": self.now()}
            new.setdefault("primary-individual-id", make_id(serial, "1d"))
            self._put(self.user_table, user, new)
            return user

    def edit_user(self, user: str, **columns: Any) -> None:
        """Somebody edits a user, who moves to the end of the list."""
        with self.lock:
            row = self.current(user)
            self._put(self.user_table, user, {**row.data, **_attributes(columns), "last-sync-time": self.now()})

    def unsubscribe(self, user: str) -> None:
        """The person sent STOP to the number that texts them."""
        self.edit_user(user, phone_unsubscribed=True)

    def archive(self, user: str) -> None:
        self.edit_user(user, state="archived")

    def consent(self, user: str, state: str = "accepted", organization: str = ORGANIZATION) -> str:
        """The dialogue about texting that an organization had with the person came to this. Returns its id."""
        with self.lock:
            self.user_table.rows[user]
            found = [row.data for row in self.consent_table.find("user", user)]
            known = next((one for one in found if one["organization-id"] == organization), None)
            changed = {"state": state, "last-modified-at": self.now()}
            new = {**(known or self._new_consent(user, organization)), **changed}
            self._put(self.consent_table, new["id"], new)
            return str(new["id"])

    def look_up_number(self, number: str, status: str = "pending", carrier: str | None = None) -> None:
        """Somebody had a number looked up, and this is what came of it."""
        with self.lock:
            data = self.number_info(number).data
            self.numbers.put(number, {**data, "status": status, "carrier-name": carrier, "type": "mobile"})

    def delete_user(self, user: str) -> None:
        with self.lock:
            self.current(user)
            transaction = Transaction({user})
            transaction.drop(self.user_table, user)
            for row in self.consent_table.find("user", user):
                transaction.drop(self.consent_table, row.key)
            self.commits.submit(transaction)

    def user(self, user: str) -> Data:
        """One user as the API would show their attributes, with `id`, and the states of their consents in `consents`.
        Raises KeyError."""
        with self.lock:
            return self._shown(self.user_table.rows[user])

    def users(self) -> list[Data]:
        """All users like `user`, in the order they were made."""
        with self.lock:
            return [self._shown(row) for row in self.user_table.walk(("_serial",))]

    # What both people and the API's handlers do, with the lock held -----------------------------------------

    def now(self) -> str:
        """As Carium writes a time: whole seconds, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%d %H:%M:%S")

    def current(self, user: str) -> Row:
        """The row to write to, after whoever has locked it. Raises KeyError."""
        self.commits.settle(user)
        return self.user_table.rows[user]

    def number_info(self, number: str) -> Row:
        """What a carrier says of a number; looked up if nobody has asked yet."""
        if number not in self.numbers.rows:
            blank = dict.fromkeys(("carrier-name", "error", "mobile-country-code", "mobile-network-code"))
            found = {**blank, "number": number, "status": "pending", "type": ""}
            times = dict.fromkeys(("created-at", "last-modified-at"), self.now())
            self.numbers.put(number, {**found, **times, "id": make_id(next(self._serials), "4b")})
        return self.numbers.rows[number]

    def says_no(self, number: str | None) -> bool:
        """Whether a user with this number (as `same_phone` spells it) is unsubscribed."""
        return any(row.data["phone-unsubscribed"] for row in self.user_table.find("number", number))

    def _new_consent(self, user: str, organization: str) -> Data:
        whose = {"user-id": user, "organization-id": organization, "target-id": user}
        return {"id": make_id(next(self._serials), "c0"), "type": "sms", "args": {}, "created-at": self.now(), **whose}

    def _put(self, table: Table, key: str, data: Data) -> None:
        transaction = Transaction({key})
        transaction.put(table, key, data)
        self.commits.submit(transaction)

    def _shown(self, row: Row) -> Data:
        consents = [each.data["state"] for each in self.consent_table.find("user", row.key)]
        return {name: value for name, value in row.data.items() if name[0] != "_"} | {"consents": consents}


def make_id(serial: int, kind: str = "00") -> str:
    """Shaped like a UUID; `kind`: two hex digits that tell users from other things."""
    return f"ca{kind}0000-0000-4000-8000-{serial:012x}"


def _attributes(columns: Data) -> Data:
    found = {name.replace("_", "-"): value for name, value in columns.items()}
    if unknown := sorted(found.keys() - BLANK.keys() - {"primary-individual-id"}):
        raise ValueError(f"a user has no {', '.join(unknown)}")
    return found


def _encoder(kind: str) -> Any:
    def encode(data: Data) -> bytes:
        attributes = {name: value for name, value in data.items() if name != "id" and name[0] != "_"}
        return orjson.dumps({"attributes": attributes, "id": data["id"], "type": kind})

    return encode


def _number(data: Data) -> Iterator[str]:
    if number := same_phone(data["phone"]):
        yield number


def _email(data: Data) -> Iterator[str]:
    if email := same_email(data["email"]):
        yield email
