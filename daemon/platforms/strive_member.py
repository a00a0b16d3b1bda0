"""A member of Strive: its columns, what may be written of them, and how a row becomes a record."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.platforms.base import Capabilities, Evidence, Record
from daemon.platforms.postgrest import Row, seconds

PATCHABLE = frozenset(
    {
        *("phone_number", "first_name", "last_name", "email", "street_address", "city", "state"),
        *("postal_code", "notes", "additional_notes"),
    }
)
"""What PATCH takes, without opt_in (only an opt-out writes it) and custom (it would be replaced whole)."""

COLUMNS = PATCHABLE | {"opt_in", "custom", "groups", "carrier", "van_id", "ak_id", "created_at"}
"""What is read. Id and version are kept beside the wire; first_sub_id says nothing about a person."""

RETAINED = frozenset({"id", "updated_at", "groups", "custom", "carrier", "first_sub_id"})
"""What a POST leaves as it is when it is not in the body, or what it cannot set."""

CAPABILITIES = Capabilities(
    read=COLUMNS,
    update=PATCHABLE | {"custom"},
    create=PATCHABLE | {"custom", "van_id", "ak_id"},
    required=frozenset({"phone"}),
    unique=frozenset({"phone"}),
    consent_read=frozenset({"sms"}),
    consent_write=frozenset({"sms"}),
    dead=frozenset({"deac"}),
    add_tags=True,
    remove_tags=False,
    fetch=200,
    compare_and_swap=True,
    feed="change log, or members by updated_at",
    partners={"actionNetwork": "action_network"},  # its own integrations (Strive docs, 'Change type')
    lengths={
        **dict.fromkeys(PATCHABLE - {"notes", "additional_notes", "street_address"}, 255),
        "street_address": 1250,
    },
)


def record(row: Row, evidence: Mapping[str, Evidence]) -> Record:
    version = row.get("updated_at")
    wire = {key: value for key, value in row.items() if key in COLUMNS}
    return Record(str(row["id"]), wire, version, seconds(version), dict(evidence))
