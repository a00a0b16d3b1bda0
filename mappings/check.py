"""What is doubtful about a mapping that loads: what the platform will refuse, and what does not come back.

A mapping is *lossy* when a value written and read again is another value; every such field is a change nobody
made. The checks here need no account: they look at the mapping and at what the platform says it can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from mappings import mapping as m
from mappings.contact import Fields, Value
from mappings.errors import did_you_mean
from mappings.rules import Rule, reader, root_keys, writer
from mappings.transforms import TRANSFORMS
from mappings.values import Untranslatable, read_text

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is the place in the mapping, such as "fields.email"; `hint` says what to do."""

    level: Level
    where: str
    text: str
    hint: str = ""


def check(
    mapping: m.Mapping,
    *,
    readable_wire: frozenset[str],
    writable_wire: frozenset[str],
    lengths: Mapping[str, int],
) -> list[Finding]:
    """Everything doubtful, errors first.

    `readable_wire` and `writable_wire` are the top-level keys the platform can give and take; `lengths` the
    longest text it takes, in characters, by key or by path.
    """
    spec = mapping.spec
    findings = [
        *_unknown_keys(spec, readable_wire),
        *_unwritable(spec.rules, readable_wire, writable_wire),
        *_two_on_one_path(spec.rules),
        *_two_names(spec.rules),
        *_tags(mapping),
    ]
    for rule in spec.rules:
        findings += _lossy(rule, mapping.region)
        findings += _too_long(rule, lengths)
    order = ("error", "warning", "note")
    return sorted(findings, key=lambda finding: order.index(finding.level))


def round_trip(mapping: m.Mapping, view: Fields) -> dict[str, Value | m.Problem]:
    """The fields of `view` that do not come back when written and read again, with what comes back instead:
    a value, or the problem that kept it from going or coming."""
    both = mapping.readable & mapping.writable
    going = {name: value for name, value in view.items() if name in both and name != "tags"}
    writing = mapping.write(going)
    reading = mapping.read(writing.wire)
    lost: dict[str, Value | m.Problem] = {p.field: p for p in (*reading.problems, *writing.problems)}
    for name, value in going.items():
        if name not in lost and _differs(reading.view.get(name), value):
            lost[name] = reading.view.get(name)
    return {name: what for name, what in lost.items() if name in going} | _lost_tags(mapping, view, both)


def _differs(a: Value, b: Value) -> bool:
    return (a or None) != (b or None)


def _lost_tags(mapping: m.Mapping, view: Fields, both: frozenset[str]) -> dict[str, Value | m.Problem]:
    tags = view.get("tags")
    if "tags" not in both or not isinstance(tags, list):
        return {}
    owned = sorted(tag for tag in tags if mapping.tag_owned(tag))
    back = mapping.tags_in(mapping.tag_out(tag) for tag in owned)
    return {} if back == owned else {"tags": back}


def _unknown_keys(spec: m.Spec, readable: frozenset[str]) -> Iterator[Finding]:
    """What is read from keys the platform does not have."""
    places = [(f"fields.{rule.field}", root_keys(rule)) for rule in spec.rules if rule.reads]
    places += [(consent.field, frozenset(consent.keys[:1])) for consent in spec.consent]
    if spec.tags and spec.tags.rule.reads:
        places.append(("tags", root_keys(spec.tags.rule)))
    for where, roots in places:
        if roots and roots.isdisjoint(readable):
            key = min(roots)
            text = f"{spec.platform} has nothing called {key!r} to read."
            yield Finding("error", where, text, did_you_mean(key, readable, f"It has {_some(readable)}."))


def _unwritable(rules: Iterable[Rule], readable: frozenset[str], writable: frozenset[str]) -> Iterator[Finding]:
    for rule in rules:
        if not rule.writes or rule.keys[0] in writable:
            continue
        if not rule.reads or rule.keys[0] in readable:  # else it has been said already
            hint = _unwritable_hint(rule, writable)
            text = f"{rule.keys[0]!r} cannot be written on this platform."
            yield Finding("error", f"fields.{rule.field}", text, hint)


def _unwritable_hint(rule: Rule, writable: frozenset[str]) -> str:
    return "Say `direction: in`." if rule.reads else did_you_mean(rule.keys[0], writable, "Take it out.")


def _two_on_one_path(rules: Iterable[Rule]) -> Iterator[Finding]:
    """Two fields written to one place, or one inside the other: the last wins, and comes back as both."""
    written = [rule for rule in rules if rule.writes]
    for a, b in combinations(written, 2):
        shorter = min(len(a.keys), len(b.keys))
        if a.keys[:shorter] == b.keys[:shorter]:
            text = f"looping: it is written to {b.at}, where {a.field} is written too ({a.at})."
            yield Finding("error", f"fields.{b.field}", text, "Say `direction: in` for one of them.")


def _two_names(rules: Iterable[Rule]) -> Iterator[Finding]:
    names = {rule.field for rule in rules if rule.writes}
    if "full_name" in names and names & {"given_name", "family_name"}:
        text = "looping: the name is written as a whole and in parts, and each moves the other."
        yield Finding("warning", "fields.full_name", text, "Map either full_name or given_name and family_name.")


def _tags(mapping: m.Mapping) -> Iterator[Finding]:
    tags = mapping.spec.tags
    if tags is None:
        return
    for theirs, ours in tags.rename.items():
        if not mapping.tag_owned(ours):
            text = f"{theirs!r} becomes {ours!r}, which `only` leaves out: it is never carried."
            yield Finding("warning", "tags.rename", text, f"Add {ours!r} to `only`.")
        elif mapping.tag_out(ours) != theirs and tags.rule.writes:
            text = f"lossy: {theirs!r} comes back as {mapping.tag_out(ours)!r}: both are called {ours!r} here."
            yield Finding("warning", "tags.rename", text, "Give each of ours one of theirs.")


def _lossy(rule: Rule, region: str) -> Iterator[Finding]:
    where = f"fields.{rule.field}"
    if rule.direction == "out" and rule.policy == "fill":
        yield Finding("note", where, "`policy` says nothing about a field that is only written.", "Leave it out.")
    if rule.direction != "both":
        return
    for name in rule.transforms:
        if not TRANSFORMS[name].inverts:
            text = f"lossy: {name!r} cannot be undone: what is written may come back changed."
            yield Finding("warning", where, text, "Say `direction: in`, or leave the transform out.")
    if rule.format and "%y" in rule.format:
        text = "lossy: %y has no century: 1930 comes back as 2030."
        yield Finding("warning", where, text, "Use %Y if the platform can, or say `direction: in`.")
    if rule.kind == "number":
        yield Finding("note", where, "lossy: the platform may round numbers of more than 15 digits.")
    if rule.map is not None:
        yield from _lossy_map(rule, region, where)


def _lossy_map(rule: Rule, region: str, where: str) -> Iterator[Finding]:
    decode, encode = reader(rule, region)[1], writer(rule, region)
    for ours in rule.map or ():
        try:
            back = decode(encode(ours))
        except Untranslatable as reason:
            yield Finding("error", where, f"the map's value for {ours!r} cannot be written: {reason}.")
            continue
        if back != ours:
            text = f"lossy: {ours!r} comes back as {back!r}: the map is not one to one."
            yield Finding("warning", where, text, "Give each of ours its own of theirs, or say `direction: in`.")
    if (blank := decode(None)) is not None:
        text = f"lossy: blank comes back as {blank!r}, because the map gives null a meaning."
        yield Finding("warning", where, text, "Take null out of the map, or say `direction: in`.")
    if rule.default in (rule.map or ()):
        text = f"lossy: what the map does not name becomes {rule.default!r}, here and there."
        yield Finding("note", where, text, "Use `default: same` to let it pass.")


def _too_long(rule: Rule, lengths: Mapping[str, int]) -> Iterator[Finding]:
    most = lengths.get(rule.at, lengths.get(rule.keys[0]) if len(rule.keys) == 1 else None)
    if most is None or not rule.writes:
        return
    where = f"fields.{rule.field}"
    for theirs in (rule.map or {}).values():
        if len(read_text(theirs[0]) or "") > most:
            text = f"a value of the map is longer than the {most} characters the platform takes."
            yield Finding("error", where, text, "Shorten it as the platform has it.")
    if rule.longest is not None and rule.longest[0] > most:
        text = f"`max` is {rule.longest[0]}, the platform takes {most} characters."
        yield Finding("warning", where, text, f"Say `max: {most}`.")
    elif rule.longest is None and rule.kind == "text" and rule.map is None:
        text = f"the platform takes {most} characters; longer text is reported, not sent."
        yield Finding("note", where, text)


def _some(words: Iterable[str]) -> str:
    names = sorted(words)
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
