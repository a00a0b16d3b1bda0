"""Colony's data, and what its own people do with it by hand.

Only part of Colony's API is published. What is not (the fields of a contact, paths with an id, paging) is as a Django
REST framework service of its time would have it; a real account may differ, and the connector can be told so.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import orjson

from daemon.sandbox.commits import Clock, Commits, Transaction
from daemon.sandbox.harm import Harm, same_email, same_phone
from daemon.sandbox.table import Data, Row, Table

COMPANY = 7
HOME = 1
"""The list that new contacts of a client go to. It is there from the start, and people have no business in it."""
USERNAME = "sandbox-colony"
CLIENT = "sandbox-colony-client"
TEXTS = ("mobile_number", "first_name", "last_name", "email", "city")


class ColonyModel:
    """One company. Every public method takes the lock; times and ids come from the clock and counters.

    Contacts lie in the order they were last written, as in a heap, and are listed in that order: who reads pages while
    somebody writes skips rows and meets others twice. Switches, free to set at any time:
    token_seconds  how long a token is good
    page_max       the longest page; a longer page_size is cut silently
    names_lists    whether a contact shows the lists it is in
    import_after   so many requests after an import its contacts show; 0: at once
    """

    def __init__(self, harm: Harm, lock: threading.RLock | None = None, clock: Clock = time.time) -> None:
        self.harm = harm
        self.lock = lock or threading.RLock()
        self.clock = clock
        self.token_seconds = 86399.0
        self.page_max = 100
        self.names_lists = True
        self.import_after = 0
        self.clear()

    def __len__(self) -> int:
        return len(self.contact_table)

    def clear(self) -> None:
        """Forget everybody."""
        with self.lock:
            self.commits = Commits(self.clock)
            indexes = {"number": _number, "email": _email, "list": lambda data: data["_lists"]}
            self.contact_table = CountedTable("contacts", orjson.dumps, indexes=indexes, orders=[("_serial",)])
            by_title = {"title": lambda data: (data["title"],)}
            self.list_table = Table("lists", orjson.dumps, indexes=by_title, orders=[("_serial",)])
            by_number = {"number": lambda data: _some(same_phone(data["originator"])), "originator": _originator}
            self.optout_table = Table("optouts", orjson.dumps, indexes=by_number, orders=[("_serial",)])
            self._ids = {table: itertools.count(1) for table in ("contacts", "lists", "optouts")}
            self._serials = itertools.count(1)
            self._members: dict[int, tuple[int, list[int]]] = {}
            assert self.list_called("Added by rosterd")["id"] == HOME

    def late(self, requests: int | None = None, seconds: float | None = None) -> AbstractContextManager[None]:
        """What this thread writes inside takes its ids and times now, and shows so much later."""
        return self.commits.late(requests, seconds)

    # What people do -----------------------------------------------------------------------------------------

    def add_contact(self, lists: list[str] | None = None, **columns: Any) -> str:
        """A person adds a contact. `lists` are titles; without any it is put among those that a client adds.

        Columns: mobile_number (digits), first_name, last_name, email, city. Returns the id.
        """
        with self.lock:
            ids = [self.list_called(title)["id"] for title in lists or []]
            return str(self.insert(columns, ids or [HOME], by_api=False))

    def edit_contact(self, contact_id: str, **columns: Any) -> None:
        """A person edits a contact, who moves to the end of the list."""
        with self.lock:
            row = self.current(int(contact_id))
            self.write(row, columns, by_api=False)

    def add_to_list(self, contact_id: str, title: str) -> None:
        with self.lock:
            self._move(contact_id, add=self.list_called(title)["id"])

    def remove_from_list(self, contact_id: str, title: str) -> None:
        """A contact that is in no list any more is left among those that a client adds."""
        with self.lock:
            self._move(contact_id, remove=self.list_called(title)["id"])

    def opt_out(self, contact_id: str, channel: str = "sms", reason: str = "STOP") -> str:
        """The person sent STOP, or followed the link in an email. Returns the id of the opt-out."""
        with self.lock:
            data = self.contact_table.rows[int(contact_id)].data
            return self.add_optout(data["mobile_number"] if channel == "sms" else data["email"], reason)

    def add_optout(self, originator: str, reason: str = "STOP") -> str:
        """An opt-out of a number or an email, whoever has it."""
        with self.lock:
            id_ = next(self._ids["optouts"])
            new = {"id": id_, "originator": originator, "date_opted_out": self.now()}
            new |= {"reason": reason, "date_overwritten": None, "overwritten_by": None, "company": COMPANY}
            self._submit(self.optout_table, id_, new | {"_serial": next(self._serials)})
            return str(id_)

    def lift_opt_out(self, contact_id: str) -> None:
        """Staff overwrite the opt-outs of a contact's number and email, because the person asked for it."""
        with self.lock:
            data = self.contact_table.rows[int(contact_id)].data
            for originator in (data["mobile_number"], data["email"]):
                for row in self.optout_table.find("originator", originator):
                    self.overwrite(row)

    def overwrite(self, row: Row) -> None:
        """An opt-out is lifted; its row stays."""
        lifted = {"date_overwritten": self.now(), "overwritten_by": 1}
        self._submit(self.optout_table, int(row.key), {**row.data, **lifted})

    def delete_contact(self, contact_id: str) -> None:
        with self.lock:
            self.current(int(contact_id))
            transaction = Transaction({int(contact_id)})
            transaction.drop(self.contact_table, int(contact_id))
            self.commits.submit(transaction)

    def delete_list(self, title: str) -> None:
        """A list goes; its contacts stay in the others they are in."""
        with self.lock:
            gone = self.list_called(title)["id"]
            for row in self.contact_table.find("list", gone):
                self._move(str(row.key), remove=gone)
            self.list_table.drop(gone)

    def contact(self, contact_id: str) -> Data:
        """One contact as the API would show it, with the titles of its lists in `lists` (not the one that clients add
        to) and its opt-outs in `sms_optout` and `email_optout`. Raises KeyError."""
        with self.lock:
            return self._shown(self.contact_table.rows[int(contact_id)])

    def contacts(self) -> list[Data]:
        """All contacts like `contact`, in the order they were made."""
        with self.lock:
            return [self._shown(row) for row in self.contact_table.walk(("_serial",))]

    # What both people and the API's handlers do, with the lock held -----------------------------------------

    def now(self) -> str:
        return datetime.fromtimestamp(self.clock(), UTC).isoformat().replace("+00:00", "Z")

    def current(self, contact_id: int) -> Row:
        """The row to write to, after whoever has locked it. Raises KeyError."""
        self.commits.settle(contact_id)
        return self.contact_table.rows[contact_id]

    def list_called(self, title: str, *, saved_query: int | None = None) -> Data:
        """Find or make a list by title; with `saved_query` one that computes itself."""
        found = self.list_table.find("title", title)
        if found:
            return found[0].data
        now = self.now()
        data: Data = {"id": next(self._ids["lists"]), "title": title, "saved_query": saved_query, "company": COMPANY}
        data |= {"date_created": now, "date_updated": now, "_serial": next(self._serials)}
        self.list_table.put(data["id"], data)
        return data

    def insert(self, columns: Data, lists: list[int], *, by_api: bool, at: float | None = None) -> int:
        """Make a contact. `at`: seconds since 1970, for the population."""
        now = self.now() if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
        contact_id = next(self._ids["contacts"])
        new = {**dict.fromkeys(TEXTS), **columns, "id": contact_id, "company": COMPANY}
        new |= {"date_created": now, "date_updated": now, "_lists": list(lists), "_serial": next(self._serials)}
        self._submit(self.contact_table, contact_id, new, seen=by_api)
        return contact_id

    def write(self, row: Row, columns: Data, *, by_api: bool) -> None:
        """Change what is given and leave the rest."""
        new = {**row.data, **columns, "date_updated": self.now()}
        self._submit(self.contact_table, row.key, new, seen=by_api and row.seen)

    def shown(self, data: Data) -> Data:
        """A contact as the API shows it."""
        plain = {name: value for name, value in data.items() if name[0] != "_"}
        return plain | ({"contact_lists": data["_lists"]} if self.names_lists else {})

    def members(self, list_id: int) -> list[int]:
        """The ids of a list's contacts, in the order they were last written."""
        version, keys = self._members.get(list_id, (-1, []))
        if version != self.contact_table.version:
            keys = [row.key for row in self.contact_table if list_id in row.data["_lists"]]
            self._members[list_id] = (self.contact_table.version, keys)
        return keys

    def has_phone(self, phone: str | None, *, besides: int = 0) -> bool:
        """Whether another contact has the same number."""
        number = same_phone(phone)
        return number is not None and any(row.key != besides for row in self.contact_table.find("number", number))

    def has_email(self, email: Any) -> bool:
        folded = same_email(email)
        return folded is not None and self.contact_table.count("email", folded) > 0

    def says_no(self, number: str | None) -> bool:
        """Whether an opt-out of this number (as `same_phone` spells it) stands."""
        return any(row.data["date_overwritten"] is None for row in self.optout_table.find("number", number))

    def _move(self, contact_id: str, *, add: int | None = None, remove: int | None = None) -> None:
        row = self.current(int(contact_id))
        kept = [each for each in row.data["_lists"] if each not in (add, remove)]
        kept += [add] if add is not None else []
        self._submit(self.contact_table, row.key, {**row.data, "_lists": kept or [HOME]})

    def _submit(self, table: Table, key: int, data: Data, *, seen: bool = False) -> None:
        transaction = Transaction({key} if table is self.contact_table else set())
        transaction.put(table, key, data, seen=seen)
        self.commits.submit(transaction)

    def _shown(self, row: Row) -> Data:
        data = row.data
        titles = [self.list_table.rows[each].data["title"] for each in data["_lists"] if each != HOME]
        emails = self.optout_table.find("originator", data["email"])
        no = any(each.data["date_overwritten"] is None for each in emails)
        shown = {**self.shown(data), "id": str(row.key), "lists": sorted(titles), "email_optout": no}
        return shown | {"sms_optout": self.says_no(same_phone(data["mobile_number"]))}


class CountedTable(Table):
    """Knows how often it was written to, so that what was worked out from it can be kept meanwhile."""

    version = 0

    def put(self, key: int, data: Data, *, seen: bool = False) -> None:
        super().put(key, data, seen=seen)
        self.version += 1

    def drop(self, key: int) -> None:
        super().drop(key)
        self.version += 1


def _some(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _number(data: Data) -> tuple[str, ...]:
    return _some(same_phone(data["mobile_number"]))


def _email(data: Data) -> tuple[str, ...]:
    return _some(same_email(data["email"]))


def _originator(data: Data) -> tuple[str, ...]:
    return _some(data["originator"])
