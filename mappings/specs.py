"""From the tables of a mapping to its spec, and what can only be seen once preset and file are together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from mappings.contact import SETS
from mappings.language import SAME, field_shape
from mappings.mapping import ConsentRule, Spec, TagRule
from mappings.outreach import outreach_rules, outreach_troubles
from mappings.paths import steps
from mappings.rules import rule
from mappings.shapes import Trouble
from mappings.values import read_text
from mappings.yaml import Path

Raw = dict[str, Any]

_DIRECTIVES = re.compile(r"%(.)")
_DATE_PARTS = {"d": "day", "m": "month", "b": "month", "B": "month", "Y": "year", "y": "year"}
_PHONE_FORMATS = ("e164", "digits")
_LONGEST_SELECT = 1000


def spec(whole: Raw, *, platform: str, region: str, source: str) -> Spec:
    """The spec of tables in which `troubles` found nothing."""
    return Spec(
        platform=platform,
        region=region,
        source=source,
        rules=tuple(rule(name, raw) for name, raw in whole["fields"].items()),
        tags=_tags(whole["tags"]) if whole["tags"] else None,
        consent=tuple(_consent(channel, raw) for channel, raw in whole["consent"].items()),
        where=() if whole["where"] is None else (whole["where"],),
        outreach=outreach_rules(whole["outreach"]),
    )


def troubles(whole: Raw) -> Iterator[Trouble]:
    """What is wrong with a mapping whose parts are well-formed each by itself."""
    for name, raw in whole["fields"].items():
        path: Path = ("fields", name)
        together = list(field_shape(name).troubles(raw, path))
        yield from together or _field(name, raw, path)
    if whole["tags"] is not None and "at" not in whole["tags"]:
        yield ("tags",), "'at' is missing. Say where the tags are, such as \"groups[].name\"."
    for channel, raw in whole["consent"].items():
        for key in ("at", "map"):
            if key not in raw:
                yield ("consent", channel), f"{key!r} is missing. Consent needs `at` and `map`."
    yield from outreach_troubles(whole["outreach"])


def _field(name: str, raw: Raw, path: Path) -> Iterator[Trouble]:
    if "at" not in raw and "select" not in raw:
        yield path, "neither 'at' nor 'select' says where this is, and no preset does. Add `at: PATH`."
        return
    if "select" in raw:
        yield from _select(raw["select"], (*path, "select"))
    if name not in SETS:
        yield from _format(name, raw, (*path, "format"))
        yield from _default(raw, (*path, "default"))


def _select(expression: str, path: Path) -> Iterator[Trouble]:
    if len(expression) > _LONGEST_SELECT:
        yield path, f"this is longer than {_LONGEST_SELECT} characters."
        return
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        reason = str(error).splitlines()[0].removeprefix("Invalid jmespath expression: ").rstrip(":.")
        yield path, f"this is not a JMESPath expression: {reason}."
    except RecursionError:
        yield path, "this is nested too deeply."


def _format(name: str, raw: Raw, path: Path) -> Iterator[Trouble]:
    if "format" not in raw:
        return
    kind = raw.get("as", "phone" if name == "phone" else "")
    if kind == "phone" and raw["format"] not in _PHONE_FORMATS:
        yield path, f"there is no format {raw['format']!r} for phones. Known are e164 and digits."
    elif kind == "date":
        yield from _date_format(raw["format"], path)
    elif not kind:
        yield path, "only dates and phones have a format. Add `as: date`."


def _date_format(style: str, path: Path) -> Iterator[Trouble]:
    parts = _DIRECTIVES.findall(style)
    unknown = [part for part in parts if part not in _DATE_PARTS]
    have = sorted(_DATE_PARTS.get(part, "") for part in parts)
    if unknown:
        yield path, f"'%{unknown[0]}' is no part of a date. Known are %d, %m, %b, %B, %Y and %y."
    elif have != ["day", "month", "year"] or style.endswith("%"):
        yield path, "a date needs its year, month and day, once each. Write it as in %m/%d/%Y."


def _default(raw: Raw, path: Path) -> Iterator[Trouble]:
    known = (SAME, *raw.get("map", ()))
    written = raw.get("direction") != "in" and "select" not in raw
    if written and read_text(raw.get("default", SAME)) not in known:
        yield (
            path,
            "the map does not name this value, so it cannot be written. Add it, or say `direction: in`.",
        )


def _tags(raw: Raw) -> TagRule:
    only = raw.get("only")
    return TagRule(rule("tags", raw), None if only is None else tuple(only), raw.get("rename", {}))


def _consent(channel: str, raw: Raw) -> ConsentRule:
    blank = raw.get("missing") == "blank"
    return ConsentRule(f"consent.{channel}", steps(raw["at"]), raw["map"], blank)
