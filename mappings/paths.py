"""Dotted paths into a record on the wire, compiled once to a getter and a setter.

`custom.gift` is the key `gift` in the object `custom`; a key that itself holds a dot is quoted: `vars."a.b"`.
`groups[].name` stands for the names of all objects in the list `groups`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final


class _Absent:
    """The wire says nothing about this (unlike None: it says it is blank)."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()

Getter = Callable[[dict[str, Any]], Any]
Setter = Callable[[dict[str, Any], Any], None]

STEP = r'(?:[^."\[\]\s](?:[^."\[\]]*[^."\[\]\s])?|"[^"]+")'
PATH = rf"{STEP}(?:\.{STEP})*"
LIST = rf"{PATH}(?:\[\](?:\.{STEP})?)?"

_STEP = re.compile(STEP)


def steps(path: str) -> tuple[str, ...]:
    """The keys along a path."""
    return tuple(step.strip('"') for step in _STEP.findall(path))


def getter(keys: tuple[str, ...], *, missing_is_blank: bool = False) -> Getter:
    """How to read the value at `keys`: ABSENT if a key is missing, None if the object around it is null.

    With `missing_is_blank`, a key that is missing from an object that is there reads as None.
    """
    if len(keys) == 1:
        key = keys[0]
        return lambda wire: wire.get(key, ABSENT)
    missing = None if missing_is_blank else ABSENT
    if len(keys) == 2:
        return _two_steps(keys[0], keys[1], missing)
    return _many_steps(keys, missing)


def setter(keys: tuple[str, ...]) -> Setter:
    """How to put a value at `keys`, making the objects on the way."""
    *outer, last = keys

    def put(wire: dict[str, Any], value: Any) -> None:
        for key in outer:
            wire = wire.setdefault(key, {})
        wire[last] = value

    return put


def _two_steps(outer: str, key: str, missing: object) -> Getter:
    def get(wire: dict[str, Any]) -> Any:
        inner = wire.get(outer, ABSENT)
        if type(inner) is dict:
            return inner.get(key, missing)
        return _beyond(inner)

    return get


def _many_steps(keys: tuple[str, ...], missing: object) -> Getter:
    def get(wire: dict[str, Any]) -> Any:
        inner: Any = wire.get(keys[0], ABSENT)
        for key in keys[1:]:
            if type(inner) is not dict:
                return _beyond(inner)
            inner = inner.get(key, missing)
        return inner

    return get


def _beyond(inner: object) -> object:
    """What lies inside something that is no object: nothing in null is null, else nothing was said."""
    return None if inner is None else ABSENT
