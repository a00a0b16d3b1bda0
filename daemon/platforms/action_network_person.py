"""A person of Action Network: what can be read and written of them, and how they become a record.

The wire is flat, in the words of Action Network's own filters. Of several emails, phones and addresses it holds the
primary one, which is the only one that can be written (Action Network docs, 'People').
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.platforms.action_network_outreach import own_id, seconds
from daemon.platforms.base import Capabilities, Channel, Create, Record, Wire

NAMES = ("given_name", "family_name")
ADDRESS = ("street", "locality", "region", "postal_code", "country")
WRITABLE = frozenset({*NAMES, "email_address", "phone_number", *ADDRESS, "language", "custom_fields"})
NO = "unsubscribed"

CAPABILITIES = Capabilities(
    granularity=0.999,  # modified_date is in whole seconds
    read=WRITABLE | {"email_status", "phone_status", "tags", "other_emails"},
    update=WRITABLE,
    create=WRITABLE,
    unique=frozenset({"phone", "email"}),
    consent_read=frozenset({"sms", "email"}),
    consent_write=frozenset({"sms", "email"}),
    starts_no=frozenset({"sms", "email"}),  # we say so of an email; of a phone it is the default
    add_tags=True,
    remove_tags=True,
    outreach=True,
    feed="people by the time of their last change",
)

Json = dict[str, Any]


def is_person(row: Any) -> bool:
    return isinstance(row, dict) and own_id(row) is not None


def person_id(row: Json) -> str:
    found = own_id(row)
    assert found is not None  # whoever asks has asked is_person
    return found


def is_id(text: str) -> bool:
    """Whether this can be an id of theirs. Anything else would leave its place in a path."""
    return re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}", text) is not None


def record(row: Json, tags: Sequence[Mapping[str, str]] | None = None) -> Record:
    """A person as a record. `tags` None: nothing is known of them, and so nothing said."""
    wire = _wire(row)
    if tags is not None:
        wire["tags"] = [dict(tag) for tag in tags]
    version = row.get("modified_date")
    return Record(person_id(row), wire, version if isinstance(version, str) else None, modified(row))


def modified(row: Json) -> float | None:
    """When the person last changed, in seconds since 1970, if it says."""
    at = seconds(row.get("modified_date"))
    return float(at) if at >= 0 else None


def _wire(row: Json) -> Wire:
    wire: Wire = {key: row.get(key) or None for key in NAMES}  # they leave out a blank one
    if "email_addresses" in row:
        wire |= _emails(row["email_addresses"])
    if "phone_numbers" in row:
        wire |= _phone(row["phone_numbers"])
    if "postal_addresses" in row:
        given = row["postal_addresses"]
        wire |= address(row) if _is_readable(given) else {key: [given] for key in ADDRESS}
    if "languages_spoken" in row:
        spoken = row["languages_spoken"] or [None]
        wire["language"] = spoken[0] if isinstance(spoken, list) else spoken
    if "custom_fields" in row:
        wire["custom_fields"] = row["custom_fields"] or {}
    return wire


def _emails(entries: Any) -> Wire:
    if not _is_readable(entries):
        return {"email_address": [entries], "email_status": [entries]}
    mine, others = primary(entries)
    said = {"email_address": mine.get("address") or None, "email_status": mine.get("status") or None}
    return {**said, "other_emails": [each["address"] for each in others if each.get("address")]}


def _phone(entries: Any) -> Wire:
    """An entry may have a status and no number: that is nobody's "no"."""
    if not _is_readable(entries):
        return {"phone_number": [entries], "phone_status": [entries]}
    mine, _ = primary(entries)
    number = _plus(mine.get("number"))
    return {"phone_number": number, "phone_status": (mine.get("status") or None) if number else None}


def _is_readable(entries: Any) -> bool:
    """Whether this is a list of entries. Anything else is handed on in a shape that every mapping refuses: taken for an
    empty list, it would blank the field everywhere."""
    return entries is None or (isinstance(entries, list) and all(isinstance(each, dict) for each in entries))


def primary(entries: Any) -> tuple[Json, list[Json]]:
    """The primary entry of a list (the first where none says it is; empty where there is none), and the others."""
    known = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    mine = next((each for each in known if each.get("primary")), known[0] if known else {})
    return mine, [each for each in known if each is not mine]


def address(row: Json) -> Wire:
    """The primary address in our words. What it does not name is blank.

    A country alone, when it is the US, is what Action Network shows of people without an address: it says nothing.
    """
    mine, _ = primary(row.get("postal_addresses"))
    lines = mine.get("address_lines")
    street = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else lines
    parts: Wire = {"street": street or None, **{key: mine.get(key) or None for key in ADDRESS[1:]}}
    if parts["country"] == "US" and not any(parts[key] for key in ADDRESS[:-1]):
        del parts["country"]
    return parts


def _plus(number: Any) -> Any:
    """Action Network keeps numbers as international digits without their plus. Ten digits or fewer may be national
    ones all the same, so they are left as they are, for the connection's region to say; so is what is no number."""
    if not isinstance(number, (str, int)):
        return number
    text = str(number).strip()
    return f"+{text}" if re.fullmatch(r"[1-9]\d{10,14}", text) else text or None


def digits(number: Any) -> str:
    """A number as Action Network keeps it; blank for one too short to be anybody's."""
    found = re.sub(r"\D", "", number) if isinstance(number, str) else ""
    return found if len(found) > 7 else ""


def folded(email: Any) -> str:
    return email.strip().casefold() if isinstance(email, str) else ""


def has_phone(row: Json, phone: str) -> bool:
    """Whether this very number is among the person's."""
    mine, others = primary(row.get("phone_numbers"))
    return digits(phone) in {digits(str(each.get("number"))) for each in (mine, *others)} - {""}


def has_email(row: Json, email: str) -> bool:
    mine, others = primary(row.get("email_addresses"))
    return folded(email) in {folded(each.get("address")) for each in (mine, *others)} - {""}


# writing


def trouble(wire: Wire) -> str:
    """Why Action Network would not take these fields; blank if it would."""
    if beyond := sorted(set(wire) - WRITABLE):
        return f"Action Network does not let us write {', '.join(beyond)}"
    if wire.get("phone_number") and not digits(wire["phone_number"]):
        return "a phone number too short to be anybody's"
    return ""


def unmakeable(push: Create) -> str:
    """Why nobody can be made of this; blank if it can be."""
    if not (push.wire.get("email_address") or push.wire.get("phone_number")):
        return "Action Network cannot hold a person without an email and a phone"
    return trouble(push.wire)


def body(wire: Wire, known: Json) -> Json:
    """These fields, and only these, in Action Network's shape. None blanks. `known`: the person as last read, {} for
    somebody new.

    The parts of an address belong together, so they are sent with those we have read: of an address without its
    country, Action Network makes one in the US. A status is only said of the first email somebody gets, for Action
    Network would subscribe it.
    """
    said: Json = {key: wire[key] for key in NAMES if key in wire}
    if "email_address" in wire:
        first = bool(wire["email_address"]) and not primary(known.get("email_addresses"))[0].get("address")
        said["email_addresses"] = [{"address": wire["email_address"], **({"status": NO} if first else {})}]
    if "phone_number" in wire:
        said["phone_numbers"] = [{"number": wire["phone_number"]}]
    if "language" in wire:
        said["languages_spoken"] = [wire["language"]] if wire["language"] is not None else None
    if wire.get("custom_fields"):
        said["custom_fields"] = dict(wire["custom_fields"])
    if parts := {key: wire[key] for key in ADDRESS if key in wire}:
        there = address(known)
        rest = {key: there[key] for key in ADDRESS if key not in parts and there.get(key) is not None}
        said["postal_addresses"] = [_address({**rest, **parts})]
    return said


def _address(parts: Wire) -> Json:
    said = {key: parts[key] for key in ADDRESS[1:] if key in parts}
    if "street" in parts:
        said["address_lines"] = parts["street"].split("\n") if parts["street"] is not None else None
    return said


def new_body(push: Create) -> Json:
    """A new person. Nobody's "yes" is taken for granted: Action Network would subscribe them to the email list."""
    said = body({key: value for key, value in push.wire.items() if value is not None}, {})
    for key, channel in (("email_addresses", "email"), ("phone_numbers", "sms")):
        for entry in said.get(key, ()):
            entry["status"] = "subscribed" if channel in push.subscribed else NO
    return said


def no_body(row: Json, channel: Channel) -> Json | None:
    """A "no" on one channel, with the email or number the person has there. None: they have none, or said it."""
    key, inner = {"email": ("email_addresses", "address"), "sms": ("phone_numbers", "number")}[channel]
    mine, _ = primary(row.get(key))
    if not mine.get(inner) or mine.get("status") == NO:
        return None
    return {key: [{inner: mine[inner], "status": NO}]}
