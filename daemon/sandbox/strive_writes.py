"""What the API's POST and PATCH do to members, to the letter, and what harm that was.

Strive docs, "Members" > POST: "Strive will update all fields on a matching member, treating fields that are
not included in the body as null". > PATCH: "can update more than one record and will OVERWRITE any values
that are specified".
"""

from __future__ import annotations

import re
from typing import Any

from daemon.sandbox.harm import SaysNo, same_email, same_phone
from daemon.sandbox.postgrest import Filter, PostgrestError, Query, compile_filter, points
from daemon.sandbox.strive import CAMPAIGN, Origin, StriveModel
from daemon.sandbox.strive_tables import MEMBERS, PATCHABLE, RETAINED
from daemon.sandbox.table import Data, Row

API = Origin("api", by_api=True)
_PHONE = re.compile(r"\+\d{7,15}")


def post_members(model: StriveModel, other: SaysNo, body: Any) -> list[int]:
    """Create or replace members. Returns their ids. Raises PostgrestError, and then wrote nothing."""
    rows = _rows(body)
    checked = [_checked(model, row) for row in rows]
    return [_post(model, other, row, groups) for row, groups in checked]


def _rows(body: Any) -> list[Data]:
    rows = body if isinstance(body, list) else [body]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise PostgrestError(400, "PGRST102", "Empty or invalid json")
    if any(row.keys() != rows[0].keys() for row in rows):
        raise PostgrestError(400, "PGRST102", "All object keys must match")
    return rows


def _checked(model: StriveModel, row: Data) -> tuple[Data, list[Data] | None]:
    """The row typed, without its groups, and the groups it asks for."""
    _known(row)
    groups = row.get("groups")
    data = model.coerced({name: value for name, value in row.items() if name != "groups"})
    for name in ("phone_number", "campaign_id"):
        if data.get(name) is None:
            text = f'null value in column "{name}" of relation "members" violates not-null constraint'
            raise PostgrestError(400, "23502", text)
    if data["campaign_id"] != CAMPAIGN:
        raise PostgrestError(403, "42501", 'new row violates row-level security policy for table "members"')
    if not _PHONE.fullmatch(data["phone_number"]):
        raise PostgrestError(400, "P0001", "phone_number must be in E.164 format")
    if data.get("custom") is not None and not isinstance(data["custom"], dict):
        raise PostgrestError(400, "22023", "custom must be an object")
    return data, None if groups is None else _asked_groups(model, groups)


def _known(row: Data) -> None:
    for name in row:
        if name not in MEMBERS:
            text = f"Could not find the '{name}' column of 'members' in the schema cache"
            raise PostgrestError(400, "PGRST204", text)


def _asked_groups(model: StriveModel, groups: Any) -> list[Data]:
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise PostgrestError(400, "22023", "groups must be an array of objects")
    for group in groups:
        if "id" in group and model.tables["groups"].get(group["id"]) is None:
            raise PostgrestError(409, "23503", "group does not exist", f"Key (group_id)=({group['id']}).")
        if "id" not in group and not (isinstance(group.get("name"), str) and group["name"]):
            raise PostgrestError(400, "22023", "a group needs an id or a name")
    return groups


def _post(model: StriveModel, other: SaysNo, data: Data, asked: list[Data] | None) -> int:
    groups = [_group(model, group) for group in asked or []]
    row = model.by_phone(data["phone_number"])
    given = {name: value for name, value in data.items() if name not in RETAINED}
    custom = data.get("custom") or {}
    if row is None:
        _watch_create(model, other, data)
        return model.insert(model.blank() | given | {"custom": custom}, API, groups)
    old = model.current(row.key)
    nulled = {name: None for name in MEMBERS if name not in RETAINED and name not in given}
    merged = {**(old["custom"] or {}), **custom}
    new = {**nulled, **given, "custom": merged or old["custom"]}
    _watch_post(model, row, new, nulled)
    model.update(old, new, API, groups, touch=True)
    return int(row.key)


def _group(model: StriveModel, asked: Data) -> Data:
    if "id" in asked:
        return {"id": asked["id"], "name": model.tables["groups"].rows[asked["id"]].data["name"]}
    return model.group(asked["name"])


def _watch_create(model: StriveModel, other: SaysNo, data: Data) -> None:
    email = same_email(data.get("email"))
    if email and model.tables["members"].count("folded email", email):
        model.harm.add("duplicates", "strive: POST made a second member with an email that exists")
    if data.get("opt_in") and other.says_no(same_phone(data["phone_number"])):
        model.harm.add("resubscribed", "strive: POST made a subscribed member who said no elsewhere")


def _watch_post(model: StriveModel, row: Row, new: Data, nulled: Data) -> None:
    old = row.data
    for name in nulled:
        if old[name] is not None:
            model.harm.add("fields_nulled", f"strive: POST left out {name} of member {row.key}")
    if old["opt_in"] is False and new["opt_in"]:
        model.harm.add("resubscribed", f"strive: POST resubscribed member {row.key}")
    if not row.seen:
        model.harm.blind(f"strive: POST to member {row.key}, not read since it changed")


def patch_members(model: StriveModel, query: Query, rows: list[Row], body: Any) -> None:
    """Overwrite columns in every one of these rows. Raises PostgrestError, and then wrote nothing."""
    columns = _patch_columns(model, body)
    if not columns:
        return
    guarded = points(query.filters, "updated_at") is not None
    current = [(row, model.current(row.key)) for row in rows]
    test = [compile_filter(node) for node in query.filters]
    current = [(row, old) for row, old in current if all(check(old) for check in test)]
    _check_unique(model, columns, [row for row, _ in current])
    _watch_mass(model, query.filters, len(current))
    for row, old in current:
        _watch_patch(model, row, old, columns, guarded=guarded)
        model.update(old, columns, API, touch=True)


def _patch_columns(model: StriveModel, body: Any) -> Data:
    if not isinstance(body, dict):
        raise PostgrestError(400, "PGRST102", "Empty or invalid json")
    _known(body)
    for name in body:
        if name not in PATCHABLE:
            raise PostgrestError(400, "P0001", f"{name} cannot be changed by PATCH")
    columns = model.coerced(body)
    if "phone_number" in columns and not _PHONE.fullmatch(columns["phone_number"] or ""):
        raise PostgrestError(400, "P0001", "phone_number must be in E.164 format")
    return columns


def _check_unique(model: StriveModel, columns: Data, rows: list[Row]) -> None:
    if "phone_number" not in columns or not rows:
        return
    phone = columns["phone_number"]
    owner = model.by_phone(phone)
    if len(rows) > 1 or (owner is not None and owner.key != rows[0].key):
        raise PostgrestError(
            409,
            "23505",
            'duplicate key value violates unique constraint "members_phone_number_campaign_id_key"',
            f"Key (phone_number, campaign_id)=({phone}, {CAMPAIGN}) already exists.",
        )


def _watch_mass(model: StriveModel, filters: list[Filter], rows: int) -> None:
    ids = points(filters, "id")
    if ids is None or len(ids) != 1:
        model.harm.add("rows_mass_patched", "strive: PATCH without id=eq.", max(rows, 1))


def _watch_patch(model: StriveModel, row: Row, old: Data, columns: Data, *, guarded: bool) -> None:
    if old["opt_in"] is False and columns.get("opt_in"):
        model.harm.add("resubscribed", f"strive: PATCH resubscribed member {row.key}")
    if "custom" in columns:
        kept = columns["custom"] if isinstance(columns["custom"], dict) else {}
        lost = [key for key, value in (old["custom"] or {}).items() if value is not None and key not in kept]
        if lost:
            model.harm.add("custom_dropped", f"strive: PATCH dropped {lost} of member {row.key}", len(lost))
    if not row.seen and not guarded and columns != {"opt_in": False}:
        model.harm.blind(f"strive: PATCH of member {row.key}, not read since it changed")
