"""The state of everything in a form that two runs can be compared by: without ids of created records and times."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

OF_THE_PLATFORM = {
    "strive": ("id", "created_at", "updated_at", "first_sub_id"),
    "telerivet": ("id", "time_created", "time_updated", "url", "group_ids"),
    "action_network": ("id", "identifiers", "created_date", "modified_date"),
    "colony": ("id", "date_created", "date_updated", "contact_lists"),
    "carium": ("id", "primary-individual-id", "last-sync-time"),
    "outreaches": ("id", "person", "identifiers"),
}
"""Ids, times and what repeats them. `outreaches` is no platform, but what one has of a campaign."""
NAMES = {"strive": "groups", "telerivet": "groups", "action_network": "tags", "colony": "lists", "carium": "consents"}
"""Where each keeps a list in no order that matters."""


def canonical(state: Any, harm: Any = None, database: Path | None = None) -> dict[str, Any]:
    """`state`, `harm`: what the sandbox says under these names; `database`: ours."""
    found: dict[str, Any] = {name: [_record(name, each) for each in rows] for name, rows in state.items()}
    if harm is not None:
        found["harm"] = [{kind: count} for kind, count in _counts(harm).items() if count]
    if database is not None:
        found |= _remembered(database)
    return {name: sorted(rows, key=_written) for name, rows in found.items()}


def differences(wanted: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """What is missing and what is there instead, in words."""
    found = []
    for name, rows in wanted.items():
        lacking = [row for row in rows if rows.count(row) > got[name].count(row)]
        beyond = [row for row in got[name] if got[name].count(row) > rows.count(row)]
        if lacking or beyond:
            found.append(f"{name}: instead of {_written(lacking)} there is {_written(beyond)}")
    return found


def _record(platform: str, record: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in OF_THE_PLATFORM[platform]}
    several = NAMES.get(platform)
    return {**kept, several: sorted(map(_name, record[several] or []))} if several else kept


def _name(group: Any) -> Any:
    return group["name"] if isinstance(group, dict) else group


def _counts(harm: dict[str, Any]) -> dict[str, int]:
    return {**harm["harm"], "blind_writes": harm["blind_writes"]}


def _remembered(database: Path) -> dict[str, list[Any]]:
    """Contacts with their values, how many records each has and where, what is still owed, what is held."""
    with closing(sqlite3.connect(database)) as db:
        links: dict[Any, list[Any]] = {}
        for contact, connection, state, reason in db.execute(
            "select contact_id, connection, state, reason from links order by connection, state"
        ):
            links.setdefault(contact, []).append([connection, state, reason])
        return {
            "contacts": [
                {"values": _values(fields), "links": links.get(key, [])}
                for key, fields in db.execute("select id, fields from contacts where merged_into is null")
            ],
            "strays": links.get(None, []),
            "outbox": [list(row) for row in db.execute("select connection, kind, state, reason from outbox")],
            "holds": [list(row) for row in db.execute("select kind, connection from holds where state = 'open'")],
            "events": [list(row) for row in db.execute("select connection, rule, event, state from outreaches")],
        }


def _values(fields: str) -> dict[str, Any]:
    return {name: entry[0] for name, entry in json.loads(fields).items() if entry[0] is not None}


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
