"""Strive's data, and what its own people do with it by hand."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from daemon.sandbox.commits import Clock, Commits, Transaction
from daemon.sandbox.harm import Harm
from daemon.sandbox.strive_tables import MEMBERS, TIME, coerce, make_tables
from daemon.sandbox.table import Data, Row

CAMPAIGN = 273


@dataclass(frozen=True)
class Origin:
    """Who writes. `how` is Strive's word for it ("manual", "csv", "keyword", "deac", "api" …)."""

    how: str = "manual"
    value: str | None = None
    by_api: bool = False


class StriveModel:
    """One campaign. Every public method takes the lock; times and ids come from the clock and counters.

    Switches, free to set at any time:
    change_log      the public name of the change log ("member_changes", "member_change_log", or None: absent)
    max_rows        PostgREST's db-max-rows: a larger `limit` is cut silently (None: never)
    groups_touch    whether a change of groups moves `updated_at` and writes a change row (unknown of Strive)
    max_affected    what `Prefer: handling=strict, max-affected=n` does: "obeyed" (PostgREST 12.2 and later),
                    "refused" as unknown (12.0, 12.1) or "ignored" (before)
    tidy            spaces inside names are collapsed and emails lower-cased when written
    """

    def __init__(self, harm: Harm, lock: threading.RLock | None = None, clock: Clock = time.time) -> None:
        self.harm = harm
        self.lock = lock or threading.RLock()
        self.clock = clock
        self.change_log: str | None = "member_changes"
        self.max_rows: int | None = 1000
        self.groups_touch = True
        self.max_affected: Literal["obeyed", "refused", "ignored"] = "obeyed"
        self.tidy = False
        self.clear()

    def __len__(self) -> int:
        return len(self.tables["members"])

    def clear(self) -> None:
        """Forget everybody."""
        with self.lock:
            self.tables = make_tables()
            self.commits = Commits(self.clock)
            self._ids = {name: itertools.count(1) for name in self.tables} | {"members": itertools.count(1001)}

    def late(self, requests: int | None = None, seconds: float | None = None) -> AbstractContextManager[None]:
        """What this thread writes inside takes its ids and times now, and shows so much later."""
        return self.commits.late(requests, seconds)

    # What people do -----------------------------------------------------------------------------------------

    def add_member(self, how: str = "manual", **columns: Any) -> int:
        """A person adds a member by hand or by CSV. `groups` are names. Returns the id."""
        with self.lock:
            groups = columns.pop("groups", [])
            data = self.blank() | {"opt_in": True} | self.coerced(columns)
            return self.insert(data, Origin(how), [self.group(name) for name in groups])

    def edit_member(self, member_id: int, how: str = "manual", **columns: Any) -> None:
        """A person edits columns. Keys of `custom` are set one by one (None removes a key)."""
        with self.lock:
            data = self.current(member_id)
            new = self.coerced(columns)
            if "custom" in new:
                merged = {**(data["custom"] or {}), **(new["custom"] or {})}
                new["custom"] = {key: value for key, value in merged.items() if value is not None}
            self.update(data, new, Origin(how))

    def opt_out(self, member_id: int, how: str = "keyword") -> None:
        """The person sent STOP, a carrier reported the number dead ("deac"), or staff unticked the box."""
        with self.lock:
            self.update(self.current(member_id), {"opt_in": False}, Origin(how, _SAID.get(how, {}).get(False)))

    def opt_in(self, member_id: int, how: str = "keyword") -> None:
        """The person sent JOIN."""
        with self.lock:
            self.update(self.current(member_id), {"opt_in": True}, Origin(how, _SAID.get(how, {}).get(True)))

    def add_to_group(self, member_id: int, name: str) -> None:
        with self.lock:
            self.update(self.current(member_id), {}, Origin(), [self.group(name)])

    def remove_from_group(self, member_id: int, name: str) -> None:
        """Only people can do this; the API cannot."""
        with self.lock:
            data = self.current(member_id)
            kept = [group for group in data["groups"] or [] if group["name"] != name]
            gone = [group for group in data["groups"] or [] if group["name"] == name]
            transaction = Transaction({member_id})
            for group in gone:
                self._log_group_delete(transaction, data, group)
            self._replace(transaction, data, {"groups": kept or None}, Origin(), touch=self.groups_touch)
            self.commits.submit(transaction)

    def delete_member(self, member_id: int) -> None:
        """Gone without a trace in any log."""
        with self.lock:
            data = self.current(member_id)
            transaction = Transaction({member_id})
            transaction.drop(self.tables["members"], member_id)
            for group in data["groups"] or []:
                transaction.drop(self.tables["groups_members"], (member_id, group["id"]))
            self.commits.submit(transaction)

    def member(self, member_id: int) -> Data:
        """One member as the API would show it, a copy. Raises KeyError."""
        with self.lock:
            return self._shown(self.tables["members"].rows[member_id])

    def members(self) -> list[Data]:
        """All members as the API would show them, by id."""
        with self.lock:
            return [self._shown(row) for row in self.tables["members"].walk(("id",))]

    # What both people and the API's handlers do, with the lock held -----------------------------------------

    def blank(self) -> Data:
        return dict.fromkeys(MEMBERS) | {"campaign_id": CAMPAIGN, "custom": {}}

    def coerced(self, columns: Data) -> Data:
        """Typed, and tidied if the switch says so. Raises PostgrestError; KeyError for an unknown column."""
        typed = {name: coerce(MEMBERS[name], value) for name, value in columns.items()}
        return {name: self._tidied(name, value) for name, value in typed.items()} if self.tidy else typed

    def current(self, member_id: int) -> Data:
        """The row to write to, after whoever has locked it. Raises KeyError."""
        self.commits.settle(member_id)
        return self.tables["members"].rows[member_id].data

    def by_phone(self, phone: str | None) -> Row | None:
        self.commits.settle(phone)
        rows = self.tables["members"].find("phone_number", phone)
        return rows[0] if rows else None

    def says_no(self, number: str | None) -> bool:
        """Whether a member with this number (as `same_phone` spells it) is opted out."""
        return any(row.data["opt_in"] is False for row in self.tables["members"].find("phone_number", f"+{number}"))

    def group(self, name: str) -> Data:
        """Find or make a group; {"id", "name"}."""
        found = self.tables["groups"].find("name", name)
        if found:
            return {"id": found[0].key, "name": name}
        return self.make_group(name)

    def make_group(self, name: str) -> Data:
        key, now = next(self._ids["groups"]), self.now()
        empty = dict.fromkeys(("keyword", "synonyms", "flow_id", "groupable_type", "groupable_id"))
        data = {"id": key, "name": name, "campaign_id": CAMPAIGN, "created_at": now, "updated_at": now, **empty}
        self.tables["groups"].put(key, data)
        return {"id": key, "name": name}

    def insert(self, data: Data, origin: Origin, groups: list[Data], *, at: int | None = None) -> int:
        """Make a member. `at`: microseconds, for the population, which leaves no trace in the change log."""
        member_id, now = next(self._ids["members"]), at or self.now()
        data = {**data, "id": member_id, "created_at": now, "updated_at": now, "groups": groups or None}
        transaction = Transaction({member_id, data["phone_number"]})
        if data["opt_in"]:
            data["first_sub_id"] = self._log_subscription(transaction, data, origin, now)
        for group in groups:
            self._join(transaction, member_id, group, now)
        if at is None:
            self._log_changes(transaction, dict.fromkeys(MEMBERS), data, origin, now, "insert")
        transaction.put(self.tables["members"], member_id, data, seen=origin.by_api)
        self.commits.submit(transaction)
        return member_id

    def update(
        self, data: Data, columns: Data, origin: Origin, groups: list[Data] | None = None, *, touch: bool = False
    ) -> None:
        """Write columns and join groups. `touch` moves updated_at even if nothing differs, as an UPDATE does."""
        transaction = Transaction({data["id"]})
        had = {group["id"] for group in data["groups"] or []}
        new = [group for group in groups or [] if group["id"] not in had]
        for group in new:
            self._join(transaction, data["id"], group, self.now())
        joined = {"groups": [*(data["groups"] or []), *new]} if new else {}
        differs = any(data[name] != value for name, value in columns.items())
        self._replace(
            transaction, data, {**columns, **joined}, origin, touch=touch or differs or bool(new and self.groups_touch)
        )
        self.commits.submit(transaction)

    def now(self) -> int:
        """Microseconds since 1970."""
        return int(self.clock() * 1_000_000)

    # -------------------------------------------------------------------------------------------------------

    def _replace(self, transaction: Transaction, old: Data, columns: Data, origin: Origin, *, touch: bool) -> None:
        # Two writes to one row never share a time, whatever the clock: compare-and-swap relies on it.
        now = max(self.now(), old["updated_at"] + 1) if touch else old["updated_at"]
        new = {**old, **columns, "updated_at": now}
        if new["opt_in"] != old["opt_in"] and new["opt_in"] is not None:
            event = self._log_subscription(transaction, new, origin, now)
            new["first_sub_id"] = new["first_sub_id"] or (event if new["opt_in"] else None)
        if touch:
            self._log_changes(transaction, old, new, origin, now, "update")
        for group in old["groups"] or []:
            if group not in (new["groups"] or []):
                transaction.drop(self.tables["groups_members"], (new["id"], group["id"]))
        seen = origin.by_api and self.tables["members"].rows[new["id"]].seen
        transaction.put(self.tables["members"], new["id"], new, seen=seen)

    def _join(self, transaction: Transaction, member_id: int, group: Data, now: int) -> None:
        key = (member_id, group["id"])
        data = {"member_id": member_id, "group_id": group["id"], "created_at": now, "updated_at": now}
        data |= {"organizer_ids": None, "campaign_id": CAMPAIGN, "user_id": None}
        transaction.put(self.tables["groups_members"], key, data)

    def _log_changes(
        self, transaction: Transaction, old: Data, new: Data, origin: Origin, now: int, action: str
    ) -> None:
        for name in MEMBERS:
            if name in _UNLOGGED or old[name] == new[name] or (action == "insert" and not new[name]):
                continue
            key = next(self._ids["changes"])
            row: Data = {"key": name, "prior_value": _text(old[name]), "updated_value": _text(new[name])}
            row |= {"member_id": new["id"], "campaign_id": CAMPAIGN, "change_action": action}
            row |= {"previous_value": {name: old[name]}, "new_value": {name: new[name]}}
            row |= {"change_type": origin.how, "change_value": origin.value, "updated_at": now, "id": key}
            transaction.put(self.tables["changes"], key, row)

    def _log_subscription(self, transaction: Transaction, data: Data, origin: Origin, now: int) -> int:
        key = next(self._ids["subscription_events"])
        row = {"id": key, "member_id": data["id"], "type": origin.how, "created_at": now, "ref_id": None}
        row |= {"supplemental": origin.value, "unsubscribe": not data["opt_in"], "campaign_id": CAMPAIGN}
        transaction.put(self.tables["subscription_events"], key, row)
        return key

    def _log_group_delete(self, transaction: Transaction, data: Data, group: Data) -> None:
        key = next(self._ids["member_group_delete_log"])
        joined = self.tables["groups_members"].get((data["id"], group["id"]))
        row = {"group_id": group["id"], "campaign_id": CAMPAIGN, "member_id": data["id"]}
        row |= {"member_added_on": joined.data["created_at"] if joined else None, "delete_source": "manual"}
        row |= {"delete_source_id": None, "removed_by": None, "member_removed_on": self.now(), "id": key}
        transaction.put(self.tables["member_group_delete_log"], key, row)

    def _shown(self, row: Row) -> Data:
        shown: Data = orjson.loads(row.encode(self.tables["members"].encoder))
        return shown

    @staticmethod
    def _tidied(name: str, value: Any) -> Any:
        if name in ("first_name", "last_name") and isinstance(value, str):
            return " ".join(value.split())
        return value.lower() if name == "email" and isinstance(value, str) else value


_SAID = {how: {True: "JOIN", False: "STOP"} for how in ("keyword", "phrase")}
_UNLOGGED = frozenset({"id", "campaign_id", "created_at", "updated_at", "first_sub_id", "carrier"}) | {
    name for name, kind in MEMBERS.items() if kind == TIME
}


def _text(value: Any) -> str | None:
    """A value in the text columns of the change log."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
