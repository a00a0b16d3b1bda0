"""Action Network's data, and what its own people do with it by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.sandbox.action_network_people import People, Watch
from daemon.sandbox.action_network_record import STATUSES, BadPayloadError, shown_person, stamp, stored_phone
from daemon.sandbox.action_network_store import ActionNetworkStore
from daemon.sandbox.commits import Clock
from daemon.sandbox.harm import Harm
from daemon.sandbox.table import Data

_CHANNELS = ("email", "sms")


class ActionNetworkModel(ActionNetworkStore):
    """One group. Every public method takes the lock; times and ids come from the clock and counters.

    Switches: see ActionNetworkStore.
    """

    def __init__(self, harm: Harm, lock: threading.RLock | None = None, clock: Clock = time.time) -> None:
        super().__init__(harm, lock, clock)
        self.writes = People(self)

    # What people do -----------------------------------------------------------------------------------------

    def add_person(
        self,
        given_name: str | None = None,
        family_name: str | None = None,
        phone_number: str | None = None,
        email_address: str | None = None,
        *,
        tags: Sequence[str] = (),
        at: float | None = None,
        **columns: Any,
    ) -> str:
        """Somebody signs up, or staff add them; the id. Needs an email or a phone; an email or phone somebody has is
        matched as the platform does. More columns as for `edit_person`. `at`: seconds since 1970, to backdate.
        Raises ValueError."""
        names = {"given_name": given_name, "family_name": family_name}
        names |= {"phone_number": phone_number, "email_address": email_address}
        with self.lock:
            given = self._given({name: value for name, value in {**names, **columns}.items() if value is not None})
            person_id = self.writes.upsert(given, Watch(), at=at)
            for name in tags:
                self.tag_person(self.make_tag(name)["_id"], person_id, new=True)
            return person_id

    def edit_person(self, person_id: str, **columns: Any) -> None:
        """Staff edit somebody: given_name, family_name, phone_number, email_address, street, locality, region,
        postal_code, country, language, custom_fields (one by one; unknown ones are made first), email_status,
        phone_status. None clears. Raises KeyError, and ValueError when the email is somebody else's."""
        with self.lock:
            row, given = self.current(person_id), self._given(columns)
            owner = self.by_email(given["email"]) if given.get("email") else None
            if owner is not None and owner.key != person_id:
                raise BadPayloadError("somebody else has this email")
            self.writes.update(row, given, Watch(), clears=True)

    def opt_out(self, person_id: str, channel: str = "email") -> None:
        """They unsubscribed, or sent STOP. `channel`: email or sms."""
        self._set_status(person_id, channel, "unsubscribed")

    def opt_in(self, person_id: str, channel: str = "email") -> None:
        self._set_status(person_id, channel, "subscribed")

    def bounce(self, person_id: str, channel: str = "email") -> None:
        """The address, or the number, is dead."""
        self._set_status(person_id, channel, "bouncing")

    def complain(self, person_id: str) -> None:
        """They marked an email as spam."""
        self._set_status(person_id, "email", "spam complaint")

    def tag(self, person_id: str, name: str) -> None:
        with self.lock:
            self.current(person_id)
            self.tag_person(self.make_tag(name)["_id"], person_id)

    def untag(self, person_id: str, name: str) -> None:
        with self.lock:
            self.current(person_id)
            found = self.tag_named(name)
            for tagging in self.tagging_table.find("pair", (found["_id"], person_id)) if found else ():
                self.untag_person(tagging)

    def delete_person(self, person_id: str) -> None:
        """Staff merged them into somebody else, or took them out: no API can, and none says so."""
        with self.lock:
            transaction = self.transaction(self.current(person_id).data)
            self.forget(transaction, person_id)
            self.commits.submit(transaction)

    def custom_field(self, name: str) -> None:
        """Staff make a custom field; values of names the group does not have are not kept."""
        with self.lock:
            self.make_field(name)

    def campaign(self, title: str = "Write to your council", type: str = "email", *, by_api: bool = True) -> str:  # noqa: A002 - the platform's own word
        """Make an advocacy campaign; the id. Only those made by API take outreaches."""
        with self.lock:
            data = {**self.base("campaign"), "title": title, "type": type, "_by_api": by_api}
            data |= {"origin_system": "Action Network", "total_outreaches": 0}
            self.campaign_table.put(data["_id"], data)
            return str(data["_id"])

    # What it looks like -------------------------------------------------------------------------------------

    def person(self, person_id: str) -> Data:
        """One person as the API would show them, with `id` and the names of their `tags`. Raises KeyError."""
        with self.lock:
            return self._shown(self.people_table.rows[person_id].data)

    def people(self) -> list[Data]:
        """All people like `person`, in the order they were made."""
        with self.lock:
            return [self._shown(row.data) for row in self.people_table.walk(("_serial",))]

    def outreaches(self, campaign: str) -> list[Data]:
        """The outreaches of a campaign in the order they came: id, person, created_date, and what was sent."""
        with self.lock:
            rows = sorted(self.outreach_table.find("campaign", campaign), key=lambda row: int(row.data["_serial"]))
            return [_outreach(row.data) for row in rows]

    # --------------------------------------------------------------------------------------------------------

    def _shown(self, data: Data) -> Data:
        return {"id": data["_id"], **shown_person(data), "tags": self.tags_of(data["_id"])}

    def _set_status(self, person_id: str, channel: str, status: str) -> None:
        if channel not in _CHANNELS:
            raise ValueError(f"channel is one of {', '.join(_CHANNELS)}")
        with self.lock:
            row, kind = self.current(person_id), "email" if channel == "email" else "phone"
            refused = {"_refused": status == "unsubscribed"} if kind == "phone" else {}
            transaction = self.transaction(row.data)
            self.put_person(transaction, {**row.data, f"{kind}_status": status, **refused})
            self.commits.submit(transaction)

    def _given(self, columns: Data) -> Data:
        """Columns as people know them, in the words of `People`. Raises ValueError for an unknown one."""
        given: Data = {"address": {}}
        for name, value in columns.items():
            if name in _ADDRESS:
                given["address"][_ADDRESS[name]] = [value] if name == "street" and value else value
            elif name == "custom_fields":
                given[name] = self._fields(value)
            elif name in _PLAIN:
                given[_PLAIN[name]] = value
            else:
                raise BadPayloadError(f"people have no {name}")
        for status in {"email_status", "phone_status"} & set(given):
            if given[status] not in STATUSES:
                raise BadPayloadError(f"no such status: {given[status]}")
        if given.get("phone_status") == "unsubscribed":
            given["_refused"] = True  # said by hand it is a no, and not the default
        return _checked_phone(given)

    def _fields(self, values: Mapping[str, Any]) -> Data:
        for name in values:
            self.make_field(name)
        return {name: None if value is None else str(value) for name, value in values.items()}


_ADDRESS = {"street": "address_lines"} | {name: name for name in ("locality", "region", "postal_code", "country")}
_PLAIN = {"phone_number": "phone", "email_address": "email"} | {
    name: name for name in ("given_name", "family_name", "language", "email_status", "phone_status")
}


def _checked_phone(given: Data) -> Data:
    if not given.get("phone"):
        return given
    phone = stored_phone(given["phone"])
    if phone is None:
        raise BadPayloadError(f"no phone number: {given['phone']}")
    return {**given, "phone": phone}


def _outreach(data: Data) -> Data:
    return {"id": data["_id"], "person": data["person"], "created_date": stamp(data["_created"]), **data["words"]}
