"""Telerivet's data, and what its own people do with it by hand."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import orjson

from daemon.sandbox.commits import Clock, Commits, Transaction
from daemon.sandbox.harm import Harm, digits, same_email, same_phone
from daemon.sandbox.table import Data, Row, Table
from daemon.sandbox.telerivet_record import (
    BLANK,
    PROJECT,
    SUFFIX,
    check_var,
    contact_table,
    folded,
    group_name,
    invalid,
    make_id,
    suffixes,
)


class TelerivetModel:
    """One project. Every public method takes the lock; times and ids come from the clock and counters.

    Switches, free to set at any time:
    dynamic_groups  whether the account has `create_group` with filters (newer than the document)
    unpaid          every call answers 402
    page_max        the longest page; a longer page_size is cut silently (the documents say 500, and 200)
    groups_touch    whether a change of groups moves `time_updated` (unknown of Telerivet)
    tidy            spaces inside names are collapsed and `vars.region` is upper-cased when written
    """

    def __init__(self, harm: Harm, lock: threading.RLock | None = None, clock: Clock = time.time) -> None:
        self.harm = harm
        self.lock = lock or threading.RLock()
        self.clock = clock
        self.dynamic_groups = False
        self.unpaid = False
        self.page_max = 500
        self.groups_touch = True
        self.tidy = False
        self.clear()

    def __len__(self) -> int:
        return len(self.contact_table)

    def clear(self) -> None:
        """Forget everybody."""
        with self.lock:
            self.commits = Commits(self.clock)
            self.contact_table = contact_table()
            self.group_table = Table("groups", orjson.dumps, indexes={"name": group_name}, orders=[("_serial",)])
            self._serials = itertools.count(1)
            self.places: dict[str, int] = {}  # id -> place in the default sort, also of those deleted

    def late(self, requests: int | None = None, seconds: float | None = None) -> AbstractContextManager[None]:
        """What this thread writes inside takes its ids and times now, and shows so much later."""
        return self.commits.late(requests, seconds)

    # What people do -----------------------------------------------------------------------------------------

    def add_contact(
        self,
        name: str | None = None,
        phone_number: str | None = None,
        vars: Mapping[str, Any] | None = None,  # noqa: A002 - the platform's own word
        groups: list[str] | None = None,
        send_blocked: bool = False,
    ) -> str:
        """A person adds a contact. `groups` are names. Returns the id."""
        with self.lock:
            data = {"name": name, "phone_number": phone_number, "send_blocked": send_blocked}
            ids = [self.group(group)["id"] for group in groups or []]
            return self.insert(data, dict(vars or {}), ids, by_api=False)

    def edit_contact(self, contact_id: str, **columns: Any) -> None:
        """A person edits a contact. Keys of `vars` are set one by one (None removes a key)."""
        with self.lock:
            variables = columns.pop("vars", {})
            self.write(self.current(contact_id), columns, variables, by_api=False)

    def block(self, contact_id: str) -> None:
        """The person sent STOP, or staff blocked them."""
        self.edit_contact(contact_id, send_blocked=True)

    def unblock(self, contact_id: str) -> None:
        self.edit_contact(contact_id, send_blocked=False)

    def add_to_group(self, contact_id: str, name: str) -> None:
        with self.lock:
            self.write(self.current(contact_id), {}, {}, add=[self.group(name)["id"]], by_api=False)

    def remove_from_group(self, contact_id: str, name: str) -> None:
        with self.lock:
            self.write(self.current(contact_id), {}, {}, remove=[self.group(name)["id"]], by_api=False)

    def delete_contact(self, contact_id: str) -> None:
        with self.lock:
            self.current(contact_id)
            transaction = Transaction({contact_id})
            transaction.drop(self.contact_table, contact_id)
            self.commits.submit(transaction)

    def contact(self, contact_id: str) -> Data:
        """One contact as the API would show it, with the names of its groups in `groups`. Raises KeyError."""
        with self.lock:
            return self._shown(self.contact_table.rows[contact_id])

    def contacts(self) -> list[Data]:
        """All contacts like `contact`, in the order they were made."""
        with self.lock:
            return [self._shown(row) for row in self.contact_table.walk(("_serial",))]

    # What both people and the API's handlers do, with the lock held -----------------------------------------

    def current(self, contact_id: str) -> Row:
        """The row to write to, after whoever has locked it. Raises KeyError."""
        self.commits.settle(contact_id)
        return self.contact_table.rows[contact_id]

    def group(self, name: str) -> Data:
        """Find (whatever the case) or make a group by name."""
        found = self.group_table.find("name", name.casefold())
        return found[0].data if found else self.make_group(name)

    def make_group(self, name: str, filters: Data | None = None) -> Data:
        """A group; with `filters` a dynamic one."""
        serial = next(self._serials)
        data: Data = {"id": make_id("CG", serial), "name": name, "dynamic": filters is not None}
        data |= {"time_created": int(self.clock()), "allow_sending": None, "add_time_variable": None, "vars": {}}
        data |= {"project_id": PROJECT, "_serial": serial, "_filters": filters}
        self.places[data["id"]] = serial
        self.group_table.put(data["id"], data)
        return data

    def change_group(self, data: Data, columns: Data) -> Data:
        new = {**data, **columns}
        self.group_table.put(new["id"], new)
        return new

    def shown_group(self, data: Data) -> Data:
        members = None if data["dynamic"] else self.contact_table.count("group", data["id"])
        # Telerivet's Python client 1.9.6, "Group": `filters` is null in a normal group; the older document has none.
        filters = {"filters": data["_filters"]} if self.dynamic_groups else {}
        return {name: value for name, value in data.items() if name[0] != "_"} | filters | {"num_members": members}

    def insert(self, data: Data, variables: Data, groups: list[str], *, by_api: bool, at: int | None = None) -> str:
        """Make a contact. `at`: seconds since 1970, for the population. Raises TelerivetError."""
        serial, now = next(self._serials), at or int(self.clock())
        contact_id = make_id("CT", serial)
        new = {**BLANK, "id": contact_id, **self.tidied(data), "time_created": now, "time_updated": now}
        new |= {"send_blocked": bool(data.get("send_blocked")), "group_ids": groups, "_serial": serial}
        new |= {"vars": self.merged_vars({}, variables), "url": f"https://telerivet.com/p/example/contact/{contact_id}"}
        self.places[contact_id] = serial
        transaction = Transaction({contact_id})
        transaction.put(self.contact_table, contact_id, new, seen=by_api)
        self.commits.submit(transaction)
        return contact_id

    def write(
        self,
        row: Row,
        columns: Data,
        variables: Data,
        *,
        add: list[str] | None = None,
        remove: list[str] | None = None,
        by_api: bool,
    ) -> None:
        """Change what is given and leave the rest. Raises TelerivetError, and then wrote nothing."""
        old = row.data
        kept = [group for group in old["group_ids"] if group not in (remove or [])]
        groups = [*kept, *(group for group in dict.fromkeys(add or []) if group not in kept)]
        new = {**old, **self.tidied(columns), "group_ids": groups}
        new["vars"] = self.merged_vars(old["vars"], variables)
        if columns or variables or (self.groups_touch and groups != old["group_ids"]):
            new["time_updated"] = int(self.clock())
        transaction = Transaction({row.key})
        transaction.put(self.contact_table, row.key, new, seen=by_api and row.seen)
        self.commits.submit(transaction)

    def merged_vars(self, old: Data, given: Any) -> Data:
        """`vars` after a write; null deletes. Raises TelerivetError."""
        if not isinstance(given, Mapping):
            raise invalid("vars must be an object", "vars")
        for name, value in given.items():
            check_var(name, value)
        merged = {name: value for name, value in {**old, **given}.items() if value is not None}
        if len(merged) > 100:
            raise invalid("a contact can have at most 100 custom variables", "vars")
        if self.tidy and isinstance(merged.get("region"), str):
            merged["region"] = merged["region"].upper()
        return merged

    def tidied(self, columns: Data) -> Data:
        if self.tidy and isinstance(columns.get("name"), str):
            return {**columns, "name": " ".join(columns["name"].split())}
        return columns

    def by_phone(self, phone: str) -> Row | None:
        """As the default look-up does it: exactly; else by suffix, whichever of the two is the longer."""
        exact = self.contact_table.find("phone_number", phone)
        if exact:
            return min(exact, key=lambda row: int(row.data["_serial"]))
        wanted = digits(phone)
        if len(wanted) < SUFFIX:
            return None
        alike = self.contact_table.find("suffix", wanted[-SUFFIX:])
        fits = [row for row in alike if suffixes(wanted, digits(row.data["phone_number"]))]
        return min(fits, key=lambda row: int(row.data["_serial"]), default=None)

    def by_name(self, name: str) -> Row | None:
        """Exactly, whatever the case."""
        return next(iter(self.contact_table.find("name", name.casefold())), None)

    def by_var(self, name: str, value: Any) -> Row | None:
        index = f"vars.{name}"
        if not self.contact_table.has_index(index):
            self.contact_table.add_index(index, lambda data: folded(data["vars"].get(name)))
        return next(iter(self.contact_table.find(index, str(value).casefold())), None)

    def has_phone(self, phone: str | None, *, besides: str = "") -> bool:
        """Whether another contact has the same number, however it is typed."""
        number = same_phone(phone)
        return number is not None and any(row.key != besides for row in self.contact_table.find("number", number))

    def has_email(self, email: Any) -> bool:
        folded = same_email(email)
        return folded is not None and self.contact_table.count("email", folded) > 0

    def says_no(self, number: str | None) -> bool:
        """Whether a contact with this number (as `same_phone` spells it) is blocked."""
        return any(row.data["send_blocked"] for row in self.contact_table.find("number", number))

    def in_order(self, after: int = 0) -> Iterator[Row]:
        """Contacts in the default sort, from behind a place."""
        return self.contact_table.walk(("_serial",), after + 1)

    def _shown(self, row: Row) -> Data:
        shown: Data = orjson.loads(row.encode(self.contact_table.encoder))
        shown["groups"] = [self.group_table.rows[group].data["name"] for group in shown["group_ids"]]
        return shown
