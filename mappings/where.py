"""Whom a connection is about: a condition on a contact's canonical view."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from mappings.contact import View
from mappings.values import read_text

Test = Callable[[View], bool]


def compile_where(where: Any) -> Test:
    """A test for a condition that has passed `language.CONDITION`. None holds for everybody.

    Text is compared without regard to case; a field the view does not have counts as blank.
    """
    if where is None:
        return lambda _: True
    if "all" in where:
        parts = [compile_where(part) for part in where["all"]]
        return lambda view: all(part(view) for part in parts)
    if "any" in where:
        parts = [compile_where(part) for part in where["any"]]
        return lambda view: any(part(view) for part in parts)
    if "not" in where:
        inner = compile_where(where["not"])
        return lambda view: not inner(view)
    if "tag" in where:
        matches = tag_pattern([where["tag"]])
        return lambda view: any(matches(tag) for tag in _values(view.get("tags")))
    return _on_field(where)


def tag_pattern(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a tag is one of these, where * stands for anything. Case matters, as on most platforms."""
    parts = (".*".join(re.escape(piece) for piece in pattern.split("*")) for pattern in patterns)
    matches = re.compile("|".join(parts), re.DOTALL).fullmatch
    return lambda name: matches(name) is not None


def _on_field(where: dict[str, Any]) -> Test:
    name = where["field"]
    if "exists" in where:
        wanted = where["exists"]
        return lambda view: bool(view.get(name)) is wanted
    if "prefix" in where:
        beginning = where["prefix"].casefold()
        return lambda view: any(v.casefold().startswith(beginning) for v in _values(view.get(name)))
    allowed = {_key(value) for value in (where["in"] if "in" in where else [where["eq"]])}
    return lambda view: any(v.casefold() in allowed for v in _values(view.get(name)) or [""])


def _key(value: Any) -> str:
    return (read_text(value) or "").casefold()


def _values(value: str | list[str] | None) -> list[str]:
    if isinstance(value, list):
        return value
    return [value] if value else []
