"""What a Telerivet contact is: its fields, its limits, how it is found, and the words for refusing one."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson

from daemon.sandbox.harm import digits, same_email, same_phone
from daemon.sandbox.table import Data, Table, column

PROJECT = "PJ2ad0100821a98bea"
UPDATABLE = ("name", "phone_number", "send_blocked", "conversation_status", "default_route_id")

_VAR_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")
SUFFIX = 7  # shorter numbers are only found as a whole


class TelerivetError(Exception):
    """An error as the platform words it."""

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "code": code} | ({"param": param} if param else {})}


def invalid(message: str, param: str) -> TelerivetError:
    return TelerivetError(400, message, "invalid_param", param)


def missing(what: str) -> TelerivetError:
    return TelerivetError(404, f"{what} not found", "not_found")


_TIMES = ("last_message_time", "last_incoming_message_time", "last_outgoing_message_time")
_COUNTS = ("message_count", "incoming_message_count", "outgoing_message_count")
BLANK: Data = {
    **dict.fromkeys(("id", "name", "phone_number", "time_created", "time_updated")),
    "send_blocked": False,
    "conversation_status": "closed",
    **dict.fromkeys(_TIMES),
    **dict.fromkeys(_COUNTS, 0),
    **dict.fromkeys(("last_message_id", "default_route_id")),
    "group_ids": [],
    "vars": {},
    "project_id": PROJECT,
}


def contact_table() -> Table:
    indexes = {
        "phone_number": column("phone_number"),
        "suffix": _suffix,
        "number": lambda data: _some(same_phone(data["phone_number"])),
        "name": lambda data: folded(data["name"]),
        "email": lambda data: _some(same_email(data["vars"].get("email"))),
        "group": lambda data: data["group_ids"],
    }
    return Table("contacts", _encode, indexes=indexes, orders=[("_serial",)])


def _encode(data: Data) -> bytes:
    return orjson.dumps({name: value for name, value in data.items() if name[0] != "_"})


def _some(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def folded(value: Any) -> tuple[str, ...]:
    return (str(value).casefold(),) if value not in (None, "") else ()


def group_name(data: Data) -> tuple[str, ...]:
    return folded(data["name"])


def _suffix(data: Data) -> tuple[str, ...]:
    number = digits(data["phone_number"])
    return (number[-SUFFIX:],) if len(number) >= SUFFIX else ()


def suffixes(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def make_id(prefix: str, serial: int) -> str:
    """Ids look random, as theirs do; nobody can sort by them."""
    return prefix + hashlib.blake2b(str(serial).encode(), digest_size=8).hexdigest()


def check_var(name: str, value: Any) -> None:
    if not _VAR_NAME.fullmatch(name):
        raise invalid(f"invalid variable name {name!r}", "vars")
    if isinstance(value, (dict, list)):
        raise invalid(f"variable {name}: arrays and objects are not supported", "vars")
    if isinstance(value, str) and len(value.encode()) > 4096:
        raise invalid(f"variable {name}: longer than 4096 bytes", "vars")
