"""Finding out what Colony does not publish: OPTIONS on every path that is configured, and a look at one contact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daemon.platforms.answers import Answer, ApiError, mapping, reading
from daemon.platforms.colony_contact import Contacts
from daemon.platforms.colony_door import Door

Finding = tuple[str, bool, str]
NEEDED = ("id", "phone")
"""Without these nobody could be told from anybody else."""


def probe(door: Door, contacts: Contacts) -> Iterator[Finding]:
    """For `check`: (what was tried, whether it is well, in words). Reads only."""
    with reading("the contact lists"):
        lists, count = _first(door, "lists")
    contacts.learn_lists(lists)
    computed = sum(isinstance(row, dict) and row.get("saved_query") is not None for row in lists)
    yield "login", True, "the account may log in"
    yield "lists", bool(lists), f"{count}, {computed} of them computed by a saved query (read like the others)"
    if contacts.home is not None:
        there = contacts.home in contacts.titles
        yield "contact_list", there, "is there" if there else f"there is no list {contacts.home}"
    with reading("the contacts"):
        found, count = _first(door, "contacts")
    sample = next((row for row in found if contacts.id_of(row) is not None), None)
    for name, path in door.shape.paths.items():
        if path and name != "token" and (name != "contact" or sample is not None):
            yield _tell(door, contacts, name, sample)
    yield _names(contacts, sample)


def _first(door: Door, name: str) -> tuple[list[Any], int]:
    rows, count = next(door.pages(name, []))
    return rows, len(rows) if count is None else count


def _tell(door: Door, contacts: Contacts, name: str, sample: Any) -> Finding:
    """What the server says of a path. One that is not there is one of our wrong guesses."""
    id_ = contacts.id_of(sample) if name == "contact" else None
    what, hint = f"paths.{name}", f"set paths.{name} to what it is"
    try:
        answer = door.options(name, id_ or "")
    except ApiError as problem:
        if problem.status == 405:
            return what, True, "is there; the server does not say what it takes"
        return what, False, f"{door.shape.paths[name]} is not there ({problem.status}): {hint}"
    methods, fields = methods_of(answer), fields_of(answer)
    words = f"takes {', '.join(methods)}" if methods else "is there; it does not say which methods it takes"
    if fields and name in ("contacts", "contact"):
        wrong = missing(contacts, fields)
        words += f"; fields: {', '.join(fields)}"
        words += f"; not among them: {', '.join(wrong)}" if wrong else ""
    return what, True, words


def _names(contacts: Contacts, sample: Any) -> Finding:
    """Whether our names for fields are the server's, by a contact as it shows it."""
    if sample is None:
        return "fields", True, "there is no contact yet to compare the names of fields with"
    shown = sorted(str(name)[:40] for name in sample)
    wrong = missing(contacts, shown)
    needed = [key for key in NEEDED if contacts.shape.name(key) in wrong]
    if not wrong:
        return "fields", True, "a contact shows all that are configured"
    text = f"a contact does not show {', '.join(wrong)}; it shows {', '.join(shown[:40])}"
    return "fields", not needed, f"{text}: set `fields` to what they are called, or to none"


def missing(contacts: Contacts, shown: list[str]) -> list[str]:
    """The configured names of fields that are not among these."""
    names = [contacts.shape.name(key) for key in ("id", *contacts.shape.plain)]
    return [name for name in (*names, *contacts.shape.other) if name not in shown]


def methods_of(answer: Answer) -> list[str]:
    """The methods in an answer to OPTIONS (RFC 9110, Allow)."""
    return sorted(word.strip().upper() for word in answer.headers.get("allow", "").split(",") if word.strip())


def fields_of(answer: Answer) -> list[str]:
    """The fields in an answer to OPTIONS: Django REST framework's `actions`, which it shows for what we may write."""
    actions = mapping(answer).get("actions") if isinstance(answer.data, dict) else None
    found = [each for each in actions.values() if isinstance(each, dict)] if isinstance(actions, dict) else []
    return sorted({str(name)[:40] for each in found for name in each})
