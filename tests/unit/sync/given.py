"""What the pure rooms are given: contacts, sides and their words, written short."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.sync.merge import Merged, Source, claims, merge
from mappings.contact import Fields, Value
from state.model import Entry

PRIORITIES = {"action": 0, "strive": 0, "telerivet": 0, "boss": 5}


def entry(value: Value, *, at: float = 100.0, by: str = "strive", was: Value = None, flips: int = 0) -> Entry:
    return Entry(value, at, by, "record", was, flips)


def person(**fields: Value) -> dict[str, Entry]:
    """A contact, all of whose fields came from Strive at 100. `custom__x` stands for `custom.x`."""
    return {name.replace("__", "."): entry(value) for name, value in fields.items()}


def source(name: str = "telerivet", policy: str = "latest") -> Source:
    return Source(name, PRIORITIES[name], lambda _: policy)


def say(
    contact: Mapping[str, Entry],
    now: Fields,
    seen: Fields | None = None,
    *,
    by: str = "telerivet",
    at: float = 200.0,
    policy: str = "latest",
) -> Merged:
    """One side says `now`, having said `seen` before."""
    before: Fields = seen or {}
    said = claims(before, now, lambda _, __: (at, "record"))
    return merge(contact, said, before, source(by, policy), PRIORITIES)


def after(contact: Mapping[str, Entry], merged: Merged) -> dict[str, Entry]:
    return {**contact, **merged.moved}


def values(contact: Mapping[str, Entry]) -> dict[str, Value]:
    return {name: each.value for name, each in contact.items()}
