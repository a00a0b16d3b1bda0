"""What Action Network stores: its shapes, its times and numbers, and the words for refusing a request.

Links are kept with NUL for the server's address: JSON never has a raw NUL, so putting the address in is safe.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from daemon.sandbox.harm import digits, same_phone
from daemon.sandbox.table import Data, Key, Table

STATUSES = ("subscribed", "unsubscribed", "bouncing", "previous bounce", "spam complaint", "previous spam complaint")
LANGUAGES = frozenset({"cy", "da", "de", "en", "es", "fi", "fr", "ga", "it", "ja", "nl", "no", "pt", "sv", "vi"})
"""What the sandbox takes for known; all other languages become English. Which ones the platform knows is a guess."""
ADDRESS = ("address_lines", "locality", "region", "postal_code", "country")
BASE = "\0"

_DOCS = "https://actionnetwork.org/docs/v2/{rel}"
CURIES = [{"name": name, "href": _DOCS, "templated": True} for name in ("osdi", "action_network")]
_OF_A_PERSON = ("attendances", "signatures", "submissions", "donations", "outreaches", "taggings")


class ActionNetworkError(ValueError):
    """An error as the platform words it: one text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": message}


class BadPayloadError(ActionNetworkError):
    """Nothing was written. Some bad payloads are answered with 500 (seen by a public client)."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


def missing(noun: str, key: str) -> ActionNetworkError:
    return ActionNetworkError(404, f"Couldn't find {noun} with id = {key}")


class CountedTable(Table):
    """A table that counts its writes, so that a result can be kept until something changes."""

    writes = 0

    def put(self, key: Key, data: Data, *, seen: bool = False) -> None:
        super().put(key, data, seen=seen)
        self.writes += 1

    def drop(self, key: Key) -> None:
        super().drop(key)
        self.writes += 1


def make_id(kind: str, serial: int) -> str:
    """A UUID nobody can sort by."""
    raw = hashlib.blake2b(f"{kind}{serial}".encode(), digest_size=16).hexdigest()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"


def stamp(seconds: float) -> str:
    """Whole seconds, UTC, with Z."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: Any) -> int:
    """Seconds since 1970; a time without zone is UTC. Raises BadPayloadError."""
    try:
        time = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadPayloadError(f"invalid date: {text}") from None
    return int((time if time.tzinfo else time.replace(tzinfo=dt.UTC)).timestamp())


def stored_phone(number: Any) -> str | None:
    """A number as it is stored: international, without the plus. None for what is no number."""
    text = str(number or "").strip()
    plain = digits(text)
    if len(plain) == 10 and not text.startswith("+"):
        plain = f"1{plain}"
    return plain if 8 <= len(plain) <= 15 else None


def folded_email(address: str) -> str:
    return address.strip().casefold()


def some(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)


def people_table() -> CountedTable:
    indexes: dict[str, Callable[[Data], tuple[Any, ...]]] = {
        "email": lambda data: some(data["email"] and folded_email(data["email"])),
        "phone": lambda data: some(data["phone"]),
        "number": lambda data: some(same_phone(data["phone"])),
        "identifier": lambda data: tuple(data["identifiers"]),
    }
    return CountedTable("people", encode_person, indexes=indexes, orders=[("_modified",), ("_serial",)])


def tag_table() -> CountedTable:
    return CountedTable("tags", encode_tag, indexes={"name": lambda data: (data["name"],)}, orders=[("_serial",)])


def tagging_table() -> CountedTable:
    indexes = {
        "tag": lambda data: (data["tag"],),
        "person": lambda data: (data["person"],),
        "pair": lambda data: ((data["tag"], data["person"]),),
    }
    return CountedTable("taggings", encode_tagging, indexes=indexes, orders=[("_serial",)])


def campaign_table() -> CountedTable:
    return CountedTable("advocacy_campaigns", encode_campaign, orders=[("_serial",)])


def outreach_table() -> CountedTable:
    indexes: dict[str, Callable[[Data], tuple[Any, ...]]] = {
        "campaign": lambda data: (data["campaign"],),
        "person": lambda data: (data["person"],),
        "moment": lambda data: ((data["campaign"], data["person"], data["_created"]),),
        "identifier": lambda data: tuple(data["identifiers"]),
    }
    return CountedTable("outreaches", encode_outreach, indexes=indexes, orders=[("_serial",)])


BLANK_PERSON: Data = {
    "given_name": None,
    "family_name": None,
    "email": None,
    "email_status": "unsubscribed",
    "phone": None,
    "phone_status": "unsubscribed",
    "address": {},
    "language": "en",
    "custom_fields": {},
    "_refused": False,  # said no to texts themselves; "unsubscribed" alone may only be the default
    "_tried": None,  # the locality that was sent last (see the switch `locality_slips`)
}


def href(*parts: str) -> dict[str, str]:
    return {"href": "/".join((BASE, *parts))}


def _encode(body: Data, links: Data) -> bytes:
    """JSON, and in its links a raw NUL where the server's address goes."""
    raw = orjson.dumps(links | {"curies": CURIES}).replace(b"\\u0000", b"\0")
    return orjson.dumps(body)[:-1] + b',"_links":' + raw + b"}"


def _times(data: Data) -> Data:
    return {"created_date": stamp(data["_created"]), "modified_date": stamp(data["_modified"])}


def shown_person(data: Data) -> Data:
    """A person as the API shows them, without links.

    A blank name is left out. Somebody without a phone has an entry without `number`, and somebody without an
    address one with a country (both as in samples of public clients).
    """
    names = {name: data[name] for name in ("given_name", "family_name") if data[name]}
    emails = [{"primary": True, "address": data["email"], "status": data["email_status"]}] if data["email"] else []
    number = {"number": data["phone"]} if data["phone"] else {}
    phone = {"primary": True, **number, "number_type": "Mobile", "status": data["phone_status"]}
    return {
        "identifiers": data["identifiers"],
        **_times(data),
        **names,
        "email_addresses": emails,
        "phone_numbers": [phone],
        "postal_addresses": [_shown_address(data["address"], data["language"])],
        "languages_spoken": [data["language"]],
        "custom_fields": data["custom_fields"],
    }


def _shown_address(address: Data, language: str) -> Data:
    kept = {name: address[name] for name in ADDRESS if address.get(name)}
    location = dict.fromkeys(("latitude", "longitude", "accuracy")) | _located(address)
    return {"primary": True, "region": "", "country": "US", **kept, "language": language, "location": location}


def _located(address: Data) -> Data:
    """They geocode; ours is a made-up place, the same for the same postal code."""
    if not address.get("postal_code"):
        return {}
    place = int.from_bytes(hashlib.blake2b(address["postal_code"].encode(), digest_size=2).digest())
    return {"latitude": 25 + place % 2400 / 100, "longitude": -70 - place % 5000 / 100, "accuracy": "Approximate"}


def encode_person(data: Data) -> bytes:
    own = data["_id"]
    links = {f"osdi:{name}": href("people", own, name) for name in _OF_A_PERSON}
    return _encode(shown_person(data), {"self": href("people", own), **links})


def encode_tag(data: Data) -> bytes:
    own = data["_id"]
    body = {"name": data["name"], **_times(data), "identifiers": data["identifiers"]}
    return _encode(body, {"self": href("tags", own), "osdi:taggings": href("tags", own, "taggings")})


def encode_tagging(data: Data) -> bytes:
    body = {"identifiers": data["identifiers"], **_times(data), "item_type": "osdi:person"}
    links = {
        "self": href("tags", data["tag"], "taggings", data["_id"]),
        "osdi:tag": href("tags", data["tag"]),
        "osdi:person": href("people", data["person"]),
    }
    return _encode(body, links)


def encode_campaign(data: Data) -> bytes:
    own = data["_id"]
    body = {name: data[name] for name in ("identifiers", "origin_system", "title", "type", "total_outreaches")}
    helper = {"osdi:record_outreach_helper": href("advocacy_campaigns", own, "outreaches")} if data["_by_api"] else {}
    links = {"self": href("advocacy_campaigns", own), "osdi:outreaches": href("advocacy_campaigns", own, "outreaches")}
    return _encode(body | _times(data), {**links, **helper})


def encode_outreach(data: Data) -> bytes:
    body = {"identifiers": data["identifiers"], **_times(data), "type": data["type"], **data["words"]}
    body |= {"action_network:person_id": data["person"], "action_network:advocacy_campaign_id": data["campaign"]}
    links = {
        "self": href("advocacy_campaigns", data["campaign"], "outreaches", data["_id"]),
        "osdi:advocacy_campaign": href("advocacy_campaigns", data["campaign"]),
        "osdi:person": href("people", data["person"]),
    }
    return _encode(body, links)
