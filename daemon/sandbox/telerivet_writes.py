"""What the API's writes do to contacts, to the letter, and what harm that was.

Telerivet docs, "Create, update, or retrieve a contact": the look-up by phone includes "suffix matches"; without
a phone it is by "that exact name (case insensitive)". "Import contacts": "If any contact was not found matching
the provided lookup_key, a new contact will be created" — also with lookup_key `id`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daemon.sandbox.harm import same_phone
from daemon.sandbox.table import Data, Row
from daemon.sandbox.telerivet import TelerivetModel
from daemon.sandbox.telerivet_record import UPDATABLE, invalid

SaysNo = Callable[[str], bool]  # whether the other platform has a "no" for a number
_IMPORTABLE = ("name", "phone_number", "send_blocked")
_STATUSES = ("closed", "active", "handled")


class ContactWrites:
    """Writes by the API. Every method raises TelerivetError, and then wrote nothing."""

    def __init__(self, model: TelerivetModel, says_no: SaysNo) -> None:
        self.model = model
        self.says_no = says_no

    def get_or_create(self, body: Any) -> Row:
        """POST /contacts."""
        body = _object(body)
        columns, variables = self._checked(body, UPDATABLE)
        groups = {name: self._groups(body, name, 20) for name in ("add_group_ids", "remove_group_ids")}
        row = self._look_up(body, str(body.get("lookup_key", "phone_number")), by_name=True)
        return self._store(row, columns, variables, groups)

    def update(self, row: Row, body: Any) -> Row:
        """POST /contacts/{id}. Group ids in the body are no argument of this method: they are ignored."""
        columns, variables = self._checked(_object(body), UPDATABLE)
        self._watch_update(row, columns, variables)
        self.model.write(row, columns, variables, by_api=True)
        return self.model.contact_table.rows[row.key]

    def import_contacts(self, body: Any) -> list[str]:
        """POST /import_contacts. One bad object refuses them all."""
        body = _object(body)
        objects = body.get("contacts")
        if not isinstance(objects, list) or len(objects) > 200:
            raise invalid("contacts must be an array of at most 200 objects", "contacts")
        groups = {name: self._groups(body, name, 5) for name in ("add_group_ids", "remove_group_ids")}
        key = str(body.get("lookup_key", "phone_number"))
        checked = [self._check_import(_object(item), key) for item in objects]
        return [self._import(item, key, columns, variables, groups) for item, columns, variables in checked]

    def set_group(self, row: Row, group: Data, *, member: bool) -> None:
        """PUT and DELETE /groups/{gid}/contacts/{cid}."""
        if group["dynamic"]:
            raise invalid("contacts cannot be added to or removed from a dynamic group", "group_id")
        ids = [group["id"]]
        self.model.write(row, {}, {}, **({"add": ids} if member else {"remove": ids}), by_api=True)

    def _check_import(self, item: Data, key: str) -> tuple[Data, Data, Data]:
        columns, variables = self._checked(item, _IMPORTABLE)
        row = self._look_up(item, key, by_name=False)
        if row is None and not (item.get("name") or item.get("phone_number")):
            raise invalid("either name or phone_number must be provided for new contacts", "contacts")
        self.model.merged_vars(row.data["vars"] if row else {}, variables)
        return item, columns, variables

    def _import(self, item: Data, key: str, columns: Data, variables: Data, groups: dict[str, list[str]]) -> str:
        # Looked up again: an object before it in the same batch may have made it.
        row = self._look_up(item, key, by_name=False)
        return str(self._store(row, columns, variables, groups).key)

    def _look_up(self, body: Data, key: str, *, by_name: bool) -> Row | None:
        model = self.model
        if key == "none":
            return None
        if key.startswith("vars."):
            value = (body.get("vars") or {}).get(key[5:])
            return None if value in (None, "") else model.by_var(key[5:], value)
        if key == "id":
            model.commits.settle(body.get("id"))
            return model.contact_table.get(body.get("id"))
        if key not in ("phone_number", "name") or (key == "name" and not by_name):
            raise invalid(f"invalid lookup_key {key}", "lookup_key")
        return self._default_look_up(body, key, by_name=by_name)

    def _default_look_up(self, body: Data, key: str, *, by_name: bool) -> Row | None:
        phone, name = body.get("phone_number"), body.get("name")
        if key == "phone_number" and phone:
            row = self.model.by_phone(phone)
            if row is not None and same_phone(row.data["phone_number"]) != same_phone(phone):
                self.model.harm.add("wrong_person", f"telerivet: {row.key} reached by a suffix of the phone")
            return row
        if not (by_name and name):
            return None
        row = self.model.by_name(name)
        if row is not None:
            self.model.harm.add("wrong_person", f"telerivet: {row.key} reached by name")
        return row

    def _store(self, row: Row | None, columns: Data, variables: Data, groups: dict[str, list[str]]) -> Row:
        if row is None:
            self._watch_create(columns, variables)
            return self.model.contact_table.rows[self._insert(columns, variables, groups)]
        self._watch_update(row, columns, variables)
        add, remove = groups["add_group_ids"], groups["remove_group_ids"]
        if columns or variables or add or remove:
            self.model.write(row, columns, variables, add=add, remove=remove, by_api=True)
        return self.model.contact_table.rows[row.key]

    def _insert(self, columns: Data, variables: Data, groups: dict[str, list[str]]) -> str:
        removed = groups["remove_group_ids"]
        ids = [group for group in dict.fromkeys(groups["add_group_ids"]) if group not in removed]
        return self.model.insert(columns, variables, ids, by_api=True)

    def _checked(self, body: Data, allowed: tuple[str, ...]) -> tuple[Data, Data]:
        """The columns and the vars that are given; names of arguments it does not know it ignores."""
        columns = {name: body[name] for name in allowed if name in body}
        for name in ("name", "phone_number", "default_route_id"):
            if name in columns and not isinstance(columns[name], (str, type(None))):
                raise invalid(f"{name} must be a string", name)
        if "send_blocked" in columns and not isinstance(columns["send_blocked"], bool):
            raise invalid("send_blocked must be a boolean", "send_blocked")
        if columns.get("conversation_status", "closed") not in _STATUSES:
            raise invalid("conversation_status is none of closed, active, handled", "conversation_status")
        variables = body["vars"] if body.get("vars") is not None else {}
        self.model.merged_vars({}, variables)
        return columns, dict(variables)

    def _groups(self, body: Data, name: str, most: int) -> list[str]:
        ids = body.get(name) or []
        if not isinstance(ids, list) or len(ids) > most:
            raise invalid(f"{name} must be an array of at most {most} ids", name)
        for group_id in ids:
            row = self.model.group_table.get(group_id)
            if row is None or row.data["dynamic"]:
                raise invalid(f"no normal group with the id {group_id}", name)
        return ids

    def _watch_create(self, columns: Data, variables: Data) -> None:
        harm, phone = self.model.harm, columns.get("phone_number")
        if self.model.has_phone(phone) or self.model.has_email(variables.get("email")):
            harm.add("duplicates", "telerivet: made a contact whose phone or email exists")
        number = same_phone(phone)
        no = number is not None and (self.model.says_no(number) or self.says_no(number))
        if no and not columns.get("send_blocked"):
            harm.add("resubscribed", "telerivet: made a reachable contact who said no elsewhere")

    def _watch_update(self, row: Row, columns: Data, variables: Data) -> None:
        harm, old = self.model.harm, row.data
        if old["send_blocked"] and columns.get("send_blocked") is False:
            harm.add("resubscribed", f"telerivet: unblocked {row.key}")
        phone = columns.get("phone_number")
        moved = phone is not None and same_phone(phone) != same_phone(old["phone_number"])
        if moved and self.model.has_phone(phone, besides=row.key):
            harm.add("wrong_person", f"telerivet: gave {row.key} the phone of another contact")
        opt_out_only = not variables and columns == {"send_blocked": True}
        if not row.seen and (columns or variables) and not opt_out_only:
            harm.blind(f"telerivet: wrote to {row.key}, not read since it changed")


def _object(body: Any) -> Data:
    if not isinstance(body, dict):
        raise invalid("expected an object", "contacts")
    return body
