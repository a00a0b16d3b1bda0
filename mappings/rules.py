"""One line of a mapping: where a field is kept and how it is said, compiled to a reader and a writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError

from mappings import contact
from mappings.contact import SETS, Value
from mappings.language import SAME
from mappings.paths import ABSENT, Getter, getter, steps
from mappings.shapes import kind_of
from mappings.transforms import TRANSFORMS, Transform
from mappings.values import Kind, Untranslatable, kind, read_text

Direction = Literal["both", "in", "out"]
Policy = Literal["latest", "priority", "fill", "union", "never"]
Decode = Callable[[Any], Value]
Encode = Callable[[Any], Any]

_KINDS_OF_FIELDS = {"phone": "phone", "email": "email", "other_phones": "phone", "other_emails": "email"}


@dataclass(frozen=True, slots=True)
class Rule:
    """How one canonical field is kept on the wire."""

    field: str
    keys: tuple[str, ...] = ()  # of the path; empty with `select`
    item: str | None = None  # for lists of objects: the key that holds the value
    select: str | None = None
    direction: Direction = "both"
    policy: Policy = "latest"
    kind: str = "text"
    map: Mapping[str, tuple[Any, ...]] | None = None  # ours: theirs, the first of which is written
    default: str | None = None
    transforms: tuple[str, ...] = ()
    format: str | None = None
    longest: tuple[int, bool] | None = None  # (how many, whether bytes of UTF-8 rather than characters)
    missing_is_blank: bool = False

    @property
    def reads(self) -> bool:
        return self.direction != "out"

    @property
    def writes(self) -> bool:
        return self.direction != "in"

    @property
    def at(self) -> str:
        """The path as a person writes it."""
        return self.select or ".".join(f'"{key}"' if "." in key else key for key in self.keys)


def rule(field: str, raw: Mapping[str, Any]) -> Rule:
    """A rule from its table in a file, which has passed the language's checks."""
    at, _, item = raw.get("at", "").partition("[]")
    transforms = raw.get("transform", ())
    return Rule(
        field=field,
        keys=steps(at),
        item=item.lstrip(".").strip('"') or None,
        select=raw.get("select"),
        direction=raw.get("direction", "in" if "select" in raw else "both"),
        policy=raw.get("policy", "union" if field in SETS else "latest"),
        kind=raw.get("as", _KINDS_OF_FIELDS.get(field, "text")),
        map=_map(raw["map"]) if "map" in raw else None,
        default=read_text(raw.get("default")),
        transforms=tuple(transforms),
        format=raw.get("format"),
        longest=_longest(raw.get("max")),
        missing_is_blank=raw.get("missing") == "blank",
    )


def reader(rule: Rule, region: str) -> tuple[Getter, Decode]:
    """How to find the value on the wire and how to understand it. Decoding raises `Untranslatable`."""
    if rule.select is not None:
        get = _selector(rule.select)
    else:
        get = getter(rule.keys, missing_is_blank=rule.missing_is_blank)
    return get, _decode_list(rule, region) if rule.field in SETS else _decode(rule, region)


def writer(rule: Rule, region: str) -> Encode:
    """How to say a value on the wire; None stays None. Raises `Untranslatable`."""
    return _encode_list(rule, region) if rule.field in SETS else _encode(rule, region)


def root_keys(rule: Rule) -> frozenset[str]:
    """The top-level keys of the wire this rule looks at (for `select`: may look at)."""
    if rule.select is None:
        return frozenset(rule.keys[:1])
    return frozenset(_names(jmespath.compile(rule.select).parsed))


def _kind(rule: Rule, region: str) -> Kind:
    return kind(rule.kind, region=region, style=rule.format)


def _decode(rule: Rule, region: str) -> Callable[[Any], str | None]:
    read = _read_map(rule) if rule.map is not None else _kind(rule, region).read
    if not rule.transforms:
        return read
    changes = [TRANSFORMS[name].read for name in rule.transforms]

    def decode(raw: Any) -> str | None:
        words = read_text(raw)
        for change in changes:
            words = contact.text(change(words)) if words is not None else None
        return read(words)

    return decode


def _encode(rule: Rule, region: str) -> Encode:
    write = _write_map(rule) if rule.map is not None else _kind(rule, region).write
    undo = [back for name in reversed(rule.transforms) if (back := _undo(TRANSFORMS[name])) is not None]
    fits = _fits(rule.longest)

    def encode(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, str):
            raise Untranslatable(f"{kind_of(value)} where text is expected")
        wire = write(value)
        if isinstance(wire, str):
            for back in undo:
                wire = back(wire)
            fits(wire)
        return wire

    return encode


def _undo(transform: Transform) -> Callable[[str], str] | None:
    return transform.write


def _fits(longest: tuple[int, bool] | None) -> Callable[[str], None]:
    if longest is None:
        return lambda _: None
    most, in_bytes = longest
    unit = "bytes" if in_bytes else "characters"

    def check(wire: str) -> None:
        size = len(wire.encode()) if in_bytes else len(wire)
        if size > most:
            raise Untranslatable(f"too long: {size} {unit}, the platform takes {most}")

    return check


def _read_map(rule: Rule) -> Callable[[Any], str | None]:
    ours: dict[str | None, str] = {}
    for name, theirs in (rule.map or {}).items():
        for wire in theirs:
            ours.setdefault(_wire_key(wire), name)
    same, default = rule.default == SAME, rule.default

    def read(raw: Any) -> str | None:
        key = _wire_key(raw)
        if key in ours:
            return ours[key]
        if key is None:
            return None
        if same:
            return read_text(raw)
        if default is None:
            raise Untranslatable("a value that the map does not name")
        return default

    return read


def _write_map(rule: Rule) -> Callable[[str], Any]:
    theirs = {name: wires[0] for name, wires in (rule.map or {}).items()}
    same, default = rule.default == SAME, rule.default

    def write(value: str) -> Any:
        if value in theirs:
            return theirs[value]
        if same:
            return value
        if default is None or default not in theirs:
            raise Untranslatable("a value that the map does not name")
        return theirs[default]

    return write


def _wire_key(raw: Any) -> str | None:
    """What a map looks up: everything as text, without regard to case."""
    words = read_text(raw)
    return None if words is None else words.casefold()


def _decode_list(rule: Rule, region: str) -> Callable[[Any], list[str]]:
    read, item = _kind(rule, region).read, rule.item

    def decode(raw: Any) -> list[str]:
        return sorted({value for each in listed(raw, item) if (value := read(each)) is not None})

    return decode


def _encode_list(rule: Rule, region: str) -> Encode:
    write, item = _kind(rule, region).write, rule.item

    def encode(value: Any) -> list[Any]:
        if value is not None and not isinstance(value, list):
            raise Untranslatable(f"{kind_of(value)} where a list is expected")
        wires = [write(each) for each in value or ()]
        return [{item: wire} for wire in wires] if item else wires

    return encode


def listed(raw: Any, item: str | None) -> list[Any]:
    """The values in a list on the wire; `item` is the key that holds them where it is a list of objects."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise Untranslatable(f"{kind_of(raw)} where a list is expected")
    if item is None:
        return raw
    if not all(isinstance(each, dict) for each in raw):
        raise Untranslatable("a list of something other than objects")
    return [each.get(item) for each in raw]


def _selector(expression: str) -> Getter:
    """Reads what the expression picks; ABSENT where nothing it looks at is on the wire."""
    compiled = jmespath.compile(expression)
    roots = _names(compiled.parsed)

    def get(wire: dict[str, Any]) -> Any:
        if roots.isdisjoint(wire):
            return ABSENT
        try:
            return compiled.search(wire)
        except JMESPathError:
            raise Untranslatable("the selection does not suit what is there") from None

    return get


def _names(node: Any) -> set[str]:
    """Every key a JMESPath mentions: at least those at the top."""
    names = {node["value"]} if node.get("type") == "field" else set()
    return names.union(*(_names(child) for child in node.get("children", ()) if isinstance(child, dict)))


def _map(raw: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {ours: tuple(theirs) if isinstance(theirs, list) else (theirs,) for ours, theirs in raw.items()}


def _longest(raw: int | str | None) -> tuple[int, bool] | None:
    if raw is None:
        return None
    return (raw, False) if isinstance(raw, int) else (int(raw.split()[0]), True)
