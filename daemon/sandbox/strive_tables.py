"""Strive's tables and columns, as its documentation lists them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from daemon.sandbox.harm import same_email
from daemon.sandbox.postgrest import Columns, PostgrestError, literal, moment, timestamp
from daemon.sandbox.table import Data, Table, column

INT, TEXT, BOOL, TIME = "integer", "text", "boolean", "timestamp with time zone"
_KINDS = {"int": INT, "text": TEXT, "bool": BOOL, "time": TIME, "json": "json", "jsonb": "jsonb"}


def _columns(spec: str) -> Columns:
    """`name:kind …`; a number is the length of a `character varying`."""
    pairs = (word.split(":") for word in spec.split())
    return {name: _KINDS.get(kind) or f"character varying({kind})" for name, kind in pairs}


MEMBERS = _columns("""
    id:int campaign_id:int phone_number:255 first_name:255 last_name:255 city:255 state:255 postal_code:255 email:255
    notes:text additional_notes:text opt_in:bool custom:jsonb created_at:time updated_at:time groups:json
    carrier:text first_sub_id:int street_address:1250 van_id:int ak_id:int
""")
CHANGES = _columns("""
    key:text prior_value:text updated_value:text member_id:int campaign_id:int change_action:65 previous_value:jsonb
    new_value:jsonb change_type:text change_value:text updated_at:time id:int
""")
GROUPS = _columns("""
    id:int name:255 campaign_id:int created_at:time updated_at:time keyword:255 synonyms:json flow_id:int
    groupable_type:text groupable_id:int
""")
GROUPS_MEMBERS = _columns("""
    member_id:int group_id:int created_at:time updated_at:time organizer_ids:json campaign_id:int user_id:int
""")
SUBSCRIPTIONS = _columns("""
    id:int member_id:int type:text created_at:time ref_id:int supplemental:text unsubscribe:bool campaign_id:int
""")
GROUP_DELETES = _columns("""
    group_id:int campaign_id:int member_id:int member_added_on:time delete_source:55 delete_source_id:int
    removed_by:int member_removed_on:time id:int
""")

PATCHABLE = (
    MEMBERS.keys()
    - _columns("""
    id:int campaign_id:int created_at:time updated_at:time groups:json carrier:text first_sub_id:int van_id:int
    ak_id:int
""").keys()
)
"""What PATCH takes: not the ids of other systems, not groups."""
RETAINED = frozenset({"id", "campaign_id", "created_at", "updated_at", "groups", "custom", "carrier", "first_sub_id"})
"""What a POST to an existing member leaves alone (or merges) when the body does not carry it."""

_LENGTH = re.compile(r"\((\d+)\)$")


def encoder(columns: Columns) -> Callable[[Data], bytes]:
    """Rows as JSON, with the timestamps in words."""
    times = [name for name, kind in columns.items() if kind == TIME]

    def encode(data: Data) -> bytes:
        words = {name: timestamp(data[name]) for name in times if data[name] is not None}
        return orjson.dumps({**data, **words})

    return encode


def make_tables() -> dict[str, Table]:
    """All tables, empty. The change log is called `changes` here, whatever its public name."""

    def table(name: str, columns: Columns, indexed: str = "", *orders: tuple[str, ...]) -> Table:
        indexes = {index: column(index) for index in indexed.split()}
        return Table(name, encoder(columns), indexes=indexes, orders=orders)

    def folded(data: Data) -> tuple[str, ...]:
        email = same_email(data["email"])
        return (email,) if email else ()

    by_id = ("id",)
    members = table("members", MEMBERS, "id phone_number email", by_id, ("updated_at", "id"))
    members.add_index("folded email", folded)
    return {
        "members": members,
        "changes": table("changes", CHANGES, "id member_id", by_id, ("updated_at", "id")),
        "groups": table("groups", GROUPS, "id name", by_id),
        "groups_members": table("groups_members", GROUPS_MEMBERS, "member_id group_id"),
        "subscription_events": table("subscription_events", SUBSCRIPTIONS, "id member_id", by_id),
        "member_group_delete_log": table("member_group_delete_log", GROUP_DELETES, "id member_id", by_id),
    }


COLUMNS: dict[str, Columns] = {
    "members": MEMBERS,
    "changes": CHANGES,
    "groups": GROUPS,
    "groups_members": GROUPS_MEMBERS,
    "subscription_events": SUBSCRIPTIONS,
    "member_group_delete_log": GROUP_DELETES,
}


def coerce(kind: str, value: Any) -> Any:
    """A JSON value as the column stores it. Raises PostgrestError as PostgreSQL would."""
    if value is None or kind in ("json", "jsonb"):
        return value
    if not isinstance(value, str):
        value = orjson.dumps(value).decode()
    if "\0" in value:
        raise PostgrestError(
            400, "22P05", "unsupported Unicode escape sequence", r"\u0000 cannot be converted to text."
        )
    if kind == TIME:
        return moment(value)
    typed = literal(kind, value)
    if kind == INT and not -(2**31) <= typed < 2**31:
        raise PostgrestError(400, "22003", f'value "{value}" is out of range for type integer')
    length = _LENGTH.search(kind)
    if length and len(value) > int(length[1]):
        raise PostgrestError(400, "22001", f"value too long for type {kind}")
    return typed
