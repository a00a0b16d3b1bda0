"""How Action Network matches, merges and changes people: by hand and by the API alike.

Email and phone both belong to one person (Action Network docs, "Person signup helper" and "Record Outreach Helper"):
a number that two people with emails would have moves to the one written last; somebody known by phone alone is
merged with whoever gets that number.
"""

from __future__ import annotations

from typing import Any

from daemon.sandbox.action_network_record import ADDRESS, LANGUAGES, BadPayloadError, folded_email, stored_phone
from daemon.sandbox.action_network_store import ActionNetworkStore
from daemon.sandbox.commits import Transaction
from daemon.sandbox.table import Data, Row

BOTH = ("subscribed", "unsubscribed")
_NAMES = ("given_name", "family_name")


class Watch:
    """Is told what a write does to people. This one looks away: what people do by hand never counts as harm."""

    by_api = False

    def creating(self, given: Data) -> None: ...

    def changing(self, row: Row, given: Data) -> None: ...

    def moved(self, loser: str) -> None: ...

    def merged(self, gone: str) -> None: ...


def taken_apart(person: Any, statuses: tuple[str, ...] = BOTH) -> Data:
    """What a person's hash sends, in the words of our rows: what was not sent is not there, a null is None.

    Statuses other than these are passed over, and so is what is no phone number (a guess). Raises BadPayloadError.
    """
    if not isinstance(person, dict):
        raise BadPayloadError("person must be a hash")
    given: Data = {name: _text(person, name) for name in _NAMES if name in person}
    given |= _pair(person, "email", _email, statuses) | _pair(person, "phone", stored_phone, statuses)
    given |= _address(person) | _language(person)
    if isinstance(person.get("custom_fields"), dict):
        given["custom_fields"] = {name: _value(value) for name, value in person["custom_fields"].items()}
    if isinstance(person.get("identifiers"), list):
        given["identifiers"] = [name for name in person["identifiers"] if isinstance(name, str) and ":" in name]
    return given


def _text(holder: Data, name: str) -> str | None:
    value = holder[name]
    if value is not None and not isinstance(value, str):
        raise BadPayloadError(f"{name} must be a string")
    return value or None


def _value(value: Any) -> str | None:
    if isinstance(value, bool):
        return "1" if value else "0"
    return None if value in (None, "") else str(value)


def _email(value: Any) -> str | None:
    if value in (None, ""):
        return None
    if not isinstance(value, str) or "@" not in value.strip("@ "):
        raise BadPayloadError("email address is invalid")
    return value.strip()


def _first(person: Data, name: str) -> Data | None:
    """The primary entry of a list, else its first. Only one email, phone and address are kept."""
    entries: Any = person.get(name)
    if entries is None or entries == []:
        return None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadPayloadError(f"{name} must be an array of hashes")
    hashes: list[Data] = entries
    return next((entry for entry in hashes if entry.get("primary") is True), hashes[0])


def _pair(person: Data, kind: str, clean: Any, statuses: tuple[str, ...]) -> Data:
    plural, inner = ("email_addresses", "address") if kind == "email" else ("phone_numbers", "number")
    entry = _first(person, plural)
    if entry is None:
        return {kind: None} if plural in person and person[plural] is None else {}
    given: Data = {}
    if inner in entry:
        stored = clean(entry[inner])
        given |= {kind: stored} if stored or entry[inner] in (None, "") else {}
    return given | ({f"{kind}_status": entry["status"]} if entry.get("status") in statuses else {})


def _address(person: Data) -> Data:
    entry = _first(person, "postal_addresses")
    if entry is None:
        cleared = "postal_addresses" in person and person["postal_addresses"] is None
        return {"address": dict.fromkeys(ADDRESS)} if cleared else {}
    parts: Data = {name: _text(entry, name) for name in ADDRESS[1:] if name in entry}
    if "address_lines" in entry:
        lines = entry["address_lines"] or []
        if not isinstance(lines, list):
            raise BadPayloadError("address_lines must be an array")
        parts["address_lines"] = [str(line) for line in lines if line] or None
    return {"address": parts} if parts else {}


def _language(person: Data) -> Data:
    spoken = person.get("languages_spoken")
    if not isinstance(spoken, list) or not spoken:
        return {}
    return {"language": spoken[0] if spoken[0] in LANGUAGES else "en"}


class People:
    """Writes to people. `given` is as `taken_apart` makes it."""

    def __init__(self, store: ActionNetworkStore) -> None:
        self.store = store

    def upsert(self, given: Data, watch: Watch, *, at: float | None = None) -> str:
        """Find by email and phone, or make; the id of who was written. `at`: seconds since 1970, for the population.
        Raises BadPayloadError without either."""
        email, phone = given.get("email"), given.get("phone")
        if not email and not phone:
            raise BadPayloadError("An email address or phone number is required")
        row = self.store.by_email(email) if email else None
        holder = self.store.by_phone(phone) if phone else None
        if row is None and holder is not None and not (email and holder.data["email"]):
            row = holder
        if row is not None:
            return self.update(row, given, watch)
        watch.creating(given)
        new = self.merged(self.store.new_person(at), given)
        return self._store(new, given, holder, watch, seen=watch.by_api, at=at)

    def update(self, row: Row, given: Data, watch: Watch, *, clears: bool | None = None) -> str:
        """Change what is given and leave the rest; the id of who has it now. An email that is somebody else's is
        left out without a word (found by a public client's tests). `clears`: whether nulls do."""
        owner = self.store.by_email(given["email"]) if given.get("email") else None
        if owner is not None and owner.key != row.key:
            given = {name: value for name, value in given.items() if name != "email"}
        holder = self.store.by_phone(given["phone"]) if given.get("phone") else None
        other = holder if holder is not None and holder.key != row.key else None
        watch.changing(row, given)
        if other is not None and other.data["email"] and not (row.data["email"] or given.get("email")):
            row, other = other, row  # who has an email stays; that this holds also for a PUT to the other is a guess
        new = self.merged(row.data, given, clears=clears)
        return self._store(new, given, other, watch, seen=watch.by_api and row.seen)

    def merged(self, old: Data, given: Data, *, clears: bool | None = None) -> Data:
        """A person after a write, whoever else may have the email or phone."""
        clears = self.store.nulls_clear if clears is None else clears
        sent = {name: given[name] for name in _NAMES if name in given and (given[name] or clears)}
        new = {**old, **self._tidied(sent), "language": given.get("language", old["language"])}
        new["address"], new["_tried"] = self._address(old, given.get("address", {}), clears=clears)
        new["custom_fields"] = self._custom(old["custom_fields"], given.get("custom_fields", {}))
        new["identifiers"] = [*dict.fromkeys((*old["identifiers"], *self._free(given.get("identifiers", ()))))]
        return new | _email_after(old, given, clears=clears) | _phone_after(old, given, clears=clears)

    def _store(
        self, new: Data, given: Data, other: Row | None, watch: Watch, *, seen: bool, at: float | None = None
    ) -> str:
        transaction = self.store.transaction(new)
        if other is not None:
            new = self._take(transaction, new, given, other, watch)
        self.store.put_person(transaction, new, seen=seen, at=at)
        self.store.commits.submit(transaction)
        return str(new["_id"])

    def _take(self, transaction: Transaction, new: Data, given: Data, other: Row, watch: Watch) -> Data:
        """Make sure that nobody else has the number: by merging who has nothing else, by stripping who has."""
        transaction.keys.add(other.key)
        old = other.data
        if old["phone"] == given["phone"] and "phone_status" not in given:
            new = {**new, "phone_status": old["phone_status"], "_refused": old["_refused"]}
        if old["email"]:
            watch.moved(other.key)
            stripped = {"phone": None, "phone_status": "unsubscribed", "_refused": False}
            self.store.put_person(transaction, {**old, **stripped})
            return new
        watch.merged(other.key)
        self.store.forget(transaction, other.key, new["_id"])
        filled = {name: new[name] or old[name] for name in (*_NAMES, "address")}
        return {**new, **filled, "custom_fields": {**old["custom_fields"], **new["custom_fields"]}}

    def _custom(self, old: Data, sent: Data) -> Data:
        """Values are text; of fields the group does not have nothing is kept, and nothing said."""
        known = {name: value for name, value in sent.items() if name in self.store.field_times}
        return {name: value for name, value in {**old, **known}.items() if value is not None}

    def _free(self, identifiers: Any) -> list[str]:
        """Foreign identifiers nobody has; they can never be removed."""
        return [name for name in identifiers if not self.store.people_table.count("identifier", name)]

    def _address(self, old: Data, sent: Data, *, clears: bool) -> tuple[Data, str | None]:
        """The address, and the locality that was sent. The country is the US whenever another part comes alone."""
        parts = {name: value for name, value in sent.items() if value is not None or clears}
        tried = sent.get("locality") or old["_tried"]
        if self.store.locality_slips and tried != old["_tried"]:
            parts.pop("locality", None)
        if any(parts.values()) and "country" not in sent:
            parts["country"] = "US"
        if self.store.tidy and parts.get("region"):
            parts["region"] = parts["region"].upper()
        kept = {**old["address"], **parts}
        return {name: value for name, value in kept.items() if value is not None}, tried

    def _tidied(self, names: Data) -> Data:
        if not self.store.tidy:
            return names
        return {name: value and " ".join(value.split()) for name, value in names.items()}


def _email_after(old: Data, given: Data, *, clears: bool) -> Data:
    """A new email is subscribed unless a status says otherwise; a known one keeps its status unless one is sent. The
    only email of somebody without phone stays."""
    if "email" in given and given["email"] is None and clears and given.get("phone", old["phone"]):
        return {"email": None, "email_status": "unsubscribed"}
    email = given.get("email") or old["email"]
    status = old["email_status"] if old["email"] else "subscribed"
    return {"email": email, "email_status": given.get("email_status", status) if email else "unsubscribed"}


def _phone_after(old: Data, given: Data, *, clears: bool) -> Data:
    """A new number is unsubscribed unless a status says otherwise. The only number of somebody without email stays."""
    if "phone" in given and given["phone"] is None and clears and old["email"]:
        return {"phone": None, "phone_status": "unsubscribed", "_refused": False}
    phone = given.get("phone") or old["phone"]
    status = given.get("phone_status", old["phone_status"]) if phone else "unsubscribed"
    stopped = old["phone_status"] == "subscribed" and status == "unsubscribed"
    refused = stopped or old["_refused"] or given.get("_refused", False)
    return {"phone": phone, "phone_status": status, "_refused": status != "subscribed" and refused}


def same_email_as(row: Row, address: Any) -> bool:
    return bool(address) and bool(row.data["email"]) and folded_email(row.data["email"]) == folded_email(address)
