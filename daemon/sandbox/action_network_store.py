"""Action Network's tables, and the steps that both people and the API take on them."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import AbstractContextManager
from typing import Any

from daemon.sandbox.action_network_record import (
    BLANK_PERSON,
    campaign_table,
    folded_email,
    make_id,
    outreach_table,
    people_table,
    tag_table,
    tagging_table,
)
from daemon.sandbox.commits import Clock, Commits, Transaction
from daemon.sandbox.harm import Harm
from daemon.sandbox.table import Data, Row


class ActionNetworkStore:
    """One group. Its methods expect the lock to be held.

    Switches, free to set at any time:
    nulls_clear      a null clears names, address and phone as the documents say; off, it does not, as clients found
    bad_is_500       a bad payload answers 500 instead of 400
    search_lag       for so many requests a record just written is missing from filtered queries
    tag_lag          for so many requests `add_tags` does not find a tag just made
    taggings_touch   whether tagging moves a person's `modified_date` (unknown of Action Network)
    locality_slips   a locality sticks only when it is sent a second time
    tidy             spaces inside names are collapsed and the region is upper-cased when written
    """

    def __init__(self, harm: Harm, lock: threading.RLock | None = None, clock: Clock = time.time) -> None:
        self.harm = harm
        self.lock = lock or threading.RLock()
        self.clock = clock
        self.nulls_clear = False
        self.bad_is_500 = True
        self.search_lag = 0
        self.tag_lag = 0
        self.taggings_touch = True
        self.locality_slips = False
        self.tidy = False
        self.clear()

    def __len__(self) -> int:
        return len(self.people_table)

    def clear(self) -> None:
        """Forget everybody."""
        with self.lock:
            self.commits = Commits(self.clock)
            self.people_table, self.tag_table, self.tagging_table = people_table(), tag_table(), tagging_table()
            self.campaign_table, self.outreach_table = campaign_table(), outreach_table()
            self.field_times: dict[str, int] = {}  # the group's custom fields -> when made
            self.requests = 0
            self._serials = itertools.count(1)

    def late(self, requests: int | None = None, seconds: float | None = None) -> AbstractContextManager[None]:
        """What this thread writes inside takes its ids and times now, and shows so much later."""
        return self.commits.late(requests, seconds)

    def begin_request(self) -> None:
        self.commits.begin_request()
        self.requests += 1

    def lags(self, data: Data, requests: int) -> bool:
        """Whether what was written is younger than so many requests."""
        return self.requests - int(data["_written"]) <= requests

    # People -------------------------------------------------------------------------------------------------

    def current(self, person_id: str) -> Row:
        """The row to write to, after whoever has locked it. Raises KeyError."""
        self.commits.settle(person_id)
        row: Row = self.people_table.rows[person_id]
        return row

    def by_email(self, address: str) -> Row | None:
        self.commits.settle(("email", folded_email(address)))
        return next(iter(self.people_table.find("email", folded_email(address))), None)

    def by_phone(self, number: str) -> Row | None:
        self.commits.settle(("phone", number))
        return next(iter(self.people_table.find("phone", number)), None)

    def says_no(self, number: str | None) -> bool:
        """Whether somebody with this number (as `same_phone` spells it) has refused texts. The "unsubscribed" that
        every new number gets is no refusal."""
        return any(row.data["_refused"] for row in self.people_table.find("number", number))

    def new_person(self, at: float | None = None) -> Data:
        own = self.base("person", at)
        return {**BLANK_PERSON, **own, "address": {}, "custom_fields": {}}

    def transaction(self, data: Data) -> Transaction:
        """A transaction that writes this person, and locks their email and phone until it shows."""
        keys: set[Any] = {data["_id"]}
        keys |= {("email", folded_email(data["email"]))} if data["email"] else set()
        keys |= {("phone", data["phone"])} if data["phone"] else set()
        return Transaction(keys)

    def put_person(self, transaction: Transaction, data: Data, *, seen: bool = False, at: float | None = None) -> None:
        """Write a person, changed now."""
        times = {"_modified": int(at or self.clock()), "_place": next(self._serials)}
        transaction.put(self.people_table, data["_id"], {**data, **times, "_written": self._age(at)}, seen=seen)

    def touch(self, person_id: str) -> None:
        row = self.current(person_id)
        transaction = self.transaction(row.data)
        self.put_person(transaction, row.data, seen=row.seen)
        self.commits.submit(transaction)

    # Tags ---------------------------------------------------------------------------------------------------

    def tag_named(self, name: str) -> Data | None:
        found = self.tag_table.find("name", name)
        return found[0].data if found else None

    def make_tag(self, name: str) -> Data:
        """Find or make a tag by its exact name."""
        found = self.tag_named(name)
        if found is None:
            found = {**self.base("tag"), "name": name}
            self.tag_table.put(found["_id"], found)
        return found

    def tag_person(self, tag_id: str, person_id: str, *, new: bool = False) -> str:
        """The id of the tagging, new or already there. `new`: the person has just been made."""
        found = self.tagging_table.find("pair", (tag_id, person_id))
        if found:
            return str(found[0].key)
        data = {**self.base("tagging"), "tag": tag_id, "person": person_id}
        transaction = Transaction({person_id})
        transaction.put(self.tagging_table, data["_id"], data)
        if self.taggings_touch and not new:
            self.touch(person_id)
        self.commits.submit(transaction)
        return str(data["_id"])

    def untag_person(self, tagging: Row) -> None:
        transaction = Transaction({tagging.data["person"]})
        transaction.drop(self.tagging_table, tagging.key)
        if self.taggings_touch:
            self.touch(tagging.data["person"])
        self.commits.submit(transaction)

    def change_tags(self, person_id: str, add: list[str], remove: list[str]) -> None:
        """By name; names that are no tag are ignored. Adds run before removes (Action Network docs, "Record Outreach
        Helper")."""
        for name in add:
            tag = self.tag_named(name)
            if tag is not None and not self.lags(tag, self.tag_lag):
                self.tag_person(tag["_id"], person_id)
        for name in remove:
            tag = self.tag_named(name)
            for tagging in self.tagging_table.find("pair", (tag["_id"], person_id)) if tag else ():
                self.untag_person(tagging)

    def tags_of(self, person_id: str) -> list[str]:
        taggings = self.tagging_table.find("person", person_id)
        return sorted(self.tag_table.rows[tagging.data["tag"]].data["name"] for tagging in taggings)

    def forget(self, transaction: Transaction, person_id: str, heir: str | None = None) -> None:
        """Take somebody out; what hung on them goes to the heir, or with them."""
        transaction.drop(self.people_table, person_id)
        for table in (self.tagging_table, self.outreach_table):
            for row in table.find("person", person_id):
                double = "tag" in row.data and table.count("pair", (row.data["tag"], heir))
                if heir is None or double:
                    transaction.drop(table, row.key)
                else:
                    transaction.put(table, row.key, {**row.data, "person": heir})

    # --------------------------------------------------------------------------------------------------------

    def make_field(self, name: str) -> None:
        """A custom field of the group."""
        self.field_times.setdefault(name, int(self.clock()))

    def base(self, kind: str, at: float | None = None) -> Data:
        """Id, identifiers and times of something new."""
        serial, now = next(self._serials), int(at or self.clock())
        own = make_id(kind, serial)
        times = {"_created": now, "_modified": now, "_serial": serial, "_place": serial, "_written": self._age(at)}
        return {"_id": own, "identifiers": [f"action_network:{own}"], **times}

    def _age(self, at: float | None) -> int:
        """The request during which something is written; of what has always been there, long ago."""
        return self.requests if at is None else -1_000_000
