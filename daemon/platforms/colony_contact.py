"""A contact of Colony: how it becomes a record, and a record's fields what Colony is sent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from daemon.platforms.base import Evidence, Facts, Record, Wire
from daemon.platforms.colony_book import Noted, OptOutRow, Row
from daemon.platforms.colony_shape import LISTS, OPTOUT_OF, OTHER, Shape
from mappings.identifiers import phone as international

REASON = "rosterd: no yes on record"
"""The reason of the opt-outs that we make. They are nobody's own word, and are not to reach other platforms as one."""

SAID, OURS = "optout", "api"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TITLES = "lists"


class Contacts:
    """Contacts of one account in our words. `region`: where numbers without a country code are at home.

    `home`: the list that our new contacts go to. It is no tag: else everybody we make would have one that nobody gave.
    """

    def __init__(self, shape: Shape, *, region: str, home: str | None, facts: Facts) -> None:
        self.shape, self._region, self.home, self._facts = shape, region, home, facts

    @property
    def titles(self) -> dict[str, str]:
        """The titles of the lists, by id."""
        known: dict[str, str] = self._facts.setdefault(_TITLES, {})
        return known

    def learn_lists(self, rows: Iterable[Any]) -> list[str]:
        """Remember the lists of the account; their ids."""
        found = {usable: row for row in rows if isinstance(row, dict) and (usable := id_of(row.get("id")))}
        self._facts[_TITLES] = {id_: str(row.get("title") or "").strip() for id_, row in found.items()}
        return list(found)

    # who it is

    def id_of(self, row: Any) -> str | None:
        return id_of(row.get(self.shape.name("id"))) if isinstance(row, dict) else None

    def noted(self, row: Any) -> Noted | None:
        """A row with what it can be found by. None: it has no usable id."""
        id_ = self.id_of(row)
        return None if id_ is None else Noted(id_, row, self.of(row, "phone"), self.of(row, "email"))

    def of(self, row: Row, key: str) -> str | None:
        """The phone or the email of a contact, in the one spelling in which it is compared."""
        name = self.shape.name(key)
        return self.address(row.get(name)) if name else None

    def address(self, value: Any) -> str | None:
        """A number as its international digits, an email folded; None for what is neither."""
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            return None
        text = str(value).strip()
        if "@" in text:
            return text.casefold()
        return self._number(text)

    def _number(self, text: str) -> str | None:
        """27815854565 is what Colony shows; what people type (081 585 4565, +27 81 ...) is the same number."""
        whole = text.isdecimal() and not text.startswith("0")
        found = (international(f"+{text}", None) if whole else None) or international(text, self._region)
        return found.removeprefix("+") if found else None

    # reading

    def record(
        self, row: Row, lists: Sequence[str] | None = None, said: Mapping[str, Sequence[OptOutRow]] | None = None
    ) -> Record:
        """A contact as a record. What is not known is left out: `lists` None, or a channel that is not in `said`.

        `said`: by key of ours (sms_optout), the opt-outs of that address.
        """
        id_, wire = self.id_of(row), self._texts(row)
        assert id_ is not None
        own = self.lists_of(row)
        among = own if own is not None else lists
        if among is not None:
            named = sorted((self.titles[each], each) for each in among if each != self.home and self.titles.get(each))
            wire[LISTS] = [{"id": each, "title": title} for title, each in named]
        evidence = {}
        for key, rows in (said or {}).items():
            wire[key], evidence[key] = _says(rows)
        whole = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
        version = hashlib.blake2b(whole, digest_size=12).hexdigest()
        known = {key: each for key, each in evidence.items() if each is not None}
        return Record(id_, wire, version, seconds(row.get(self.shape.name("updated"))), known)

    def _texts(self, row: Row) -> Wire:
        names = {key: self.shape.name(key) for key in self.shape.plain}
        wire = {key: row[name] for key, name in names.items() if name in row}
        if "phone" in wire:
            wire["phone"] = self._number(str(wire["phone"] or "")) or wire["phone"]
        if self.shape.other:
            wire[OTHER] = {name: row[name] for name in self.shape.other if name in row}
        return wire

    def lists_of(self, row: Row) -> list[str] | None:
        """The lists that a contact itself says it is in: all of them, or None."""
        found = row.get(self.shape.name("lists")) if self.shape.name("lists") else None
        return [id_ for each in found if (id_ := id_of(each))] if isinstance(found, list) else None

    def elsewhere(self, row: Row, list_id: str) -> bool | None:
        """Whether a contact says that it is not in this list; None: it says nothing of lists."""
        own = self.lists_of(row)
        if own is not None:
            return list_id not in own
        one = id_of(row.get(self.shape.name("list"))) if self.shape.name("list") else None
        return None if one is None else one != list_id

    def optout(self, row: Any) -> OptOutRow | None:
        """An opt-out; `date_overwritten` says that a person has lifted it (Colony REST API docs, "optouts")."""
        if not isinstance(row, dict):
            return None
        id_, address = id_of(row.get("id")), self.address(row.get("originator"))
        if id_ is None or address is None:
            return None
        at = seconds(row.get("date_opted_out"))
        return OptOutRow(id_, address, not row.get("date_overwritten"), at, _how(row.get("reason")))

    # writing

    def body(self, wire: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of ours under Colony's names."""
        plain = {self.shape.name(key): value for key, value in wire.items() if key != OTHER}
        return {**plain, **(wire.get(OTHER) or {})}

    def trouble(self, wire: Mapping[str, Any]) -> str:
        """Why these fields cannot be written; blank if they can."""
        beyond = set(wire) - {*self.shape.plain, OTHER}
        beyond |= set(wire.get(OTHER) or {}) - set(self.shape.other)
        return f"Colony has no name for {', '.join(sorted(beyond))} (see `fields`)" if beyond else ""


def addresses(row: Row, contacts: Contacts) -> dict[str, str | None]:
    """By key of ours (sms_optout): the address whose opt-outs count."""
    plain = contacts.shape.plain
    return {key: contacts.of(row, field) for field, key in OPTOUT_OF.values() if field in plain}


def _says(rows: Sequence[OptOutRow]) -> tuple[bool, Evidence | None]:
    """Whether an opt-out stands, since when, and whether a person said it or we did. A person's word goes first."""
    standing = [each for each in rows if each.stands]
    dated = [(each.how == SAID, each.at, each.how) for each in standing if each.at is not None and each.how]
    return bool(standing), Evidence(*max(dated)[1:]) if dated else None


def _how(reason: Any) -> str:
    """Where an opt-out comes from, by its reason. The ones we make have ours; without any there is no telling."""
    text = reason.strip() if isinstance(reason, str) else ""
    return OURS if text == REASON else SAID if text else ""


def id_of(value: Any) -> str | None:
    """An id as text, fit for a path; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return str(value) if _ID.fullmatch(str(value)) else None


def seconds(text: Any) -> float | None:
    """A time as seconds since 1970. One that does not say its zone is not known."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at.timestamp() if at is not None and at.tzinfo is not None else None
