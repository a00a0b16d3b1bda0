"""The shapes a mapping file is made of: each says what is wrong with a value, and can say its JSON Schema.

One description serves both, so what the loader accepts and what an editor underlines cannot drift apart.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mappings.errors import did_you_mean, listed
from mappings.yaml import Path

Trouble = tuple[Path, str]
Json = dict[str, Any]

_TOO_LARGE = 10**30


def kind_of(value: object) -> str:
    """What sort of thing this is, in words, without saying its content."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "text", int: "a number", float: "a number", dict: "a table", list: "a list"}
    return names.get(type(value), "something else")


class Shape(ABC):
    what: str  # completes "this must be ..."

    @abstractmethod
    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        """Everything that is wrong with `value`."""

    @abstractmethod
    def schema(self) -> Json: ...

    def fits(self, value: Any) -> bool:
        """Whether it is at least the right sort of thing, for choosing between shapes."""
        return not any(True for _ in self.troubles(value, ()))

    def wrong(self, value: Any, path: Path) -> Iterator[Trouble]:
        yield path, f"this must be {self.what}, not {kind_of(value)}."


@dataclass(frozen=True)
class Word(Shape):
    """One of a few words."""

    words: tuple[str, ...]
    name: str

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"{self.name} ({listed(self.words, 'or')})"

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, str):
            yield from self.wrong(value, path)
        elif value not in self.words:
            hint = did_you_mean(value, self.words, f"Known are {listed(self.words)}.")
            yield path, f"there is no {self.name} {value!r}. {hint}"

    def schema(self) -> Json:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Text(Shape):
    """Text that matches a pattern as a whole; `hint` may look at what was written."""

    what: str
    pattern: str = r"[^\0]*\S[^\0]*"
    hint: Callable[[str], str] = lambda _: ""

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, str):
            yield from self.wrong(value, path)
        elif not re.fullmatch(self.pattern, value):
            yield path, f"{value!r} is not {self.what}. {self.hint(value)}".rstrip()

    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True)
class Scalar(Shape):
    """A single value: text, a number, true, false, or (if `blank`) null."""

    what: str = "a single value"
    blank: bool = False

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, str | int | float) and not (value is None and self.blank):
            yield from self.wrong(value, path)
        elif isinstance(value, int | float) and not abs(value) < _TOO_LARGE:
            yield path, "this number is too large. Put it in quotes."

    def schema(self) -> Json:
        kinds = ["string", "number", "boolean", *(["null"] if self.blank else [])]
        return {"type": kinds, "exclusiveMinimum": -_TOO_LARGE, "exclusiveMaximum": _TOO_LARGE}


@dataclass(frozen=True)
class Whole(Shape):
    what: str = "a whole number from 1"

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield from self.wrong(value, path)
        elif value < 1:
            yield path, f"this must be {self.what}."

    def schema(self) -> Json:
        return {"type": "integer", "minimum": 1}


@dataclass(frozen=True)
class Flag(Shape):
    what: str = "true or false"

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, bool):
            yield from self.wrong(value, path)

    def schema(self) -> Json:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Off(Shape):
    """null, false or `off`: take this out of the preset."""

    what: str = "off"

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not is_off(value):
            yield from self.wrong(value, path)

    def schema(self) -> Json:
        return {"enum": [None, False, "off"]}


def is_off(value: object) -> bool:
    return value is None or value is False or value == "off"


@dataclass(frozen=True)
class ListOf(Shape):
    item: Shape
    what: str

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, list):
            yield from self.wrong(value, path)
            return
        if not value:
            yield path, f"this must be {self.what}, and not empty."
        for i, item in enumerate(value):
            yield from self.item.troubles(item, (*path, i))

    def schema(self) -> Json:
        return {"type": "array", "items": self.item.schema(), "minItems": 1}


@dataclass(frozen=True)
class Either(Shape):
    """One of several sorts of thing. The complaint is that of the sort meant, as far as one can tell."""

    what: str
    options: tuple[Shape, ...]
    meant: Callable[[Any], int | None]

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if any(option.fits(value) for option in self.options):
            return
        choice = self.meant(value)
        yield from self.wrong(value, path) if choice is None else self.options[choice].troubles(value, path)

    def schema(self) -> Json:
        return {"anyOf": [option.schema() for option in self.options]}


@dataclass(frozen=True)
class Table(Shape):
    """Free keys, each fitting `key`, with values of one shape; some keys may have a shape of their own."""

    what: str
    key: Text
    value: Shape
    special: Mapping[str, Shape] = field(default_factory=dict)

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, dict):
            yield from self.wrong(value, path)
            return
        for key, inner in value.items():
            at = (*path, key)
            bad = list(self.key.troubles(key, at)) if key not in self.special else []
            yield from bad or self.special.get(key, self.value).troubles(inner, at)

    def schema(self) -> Json:
        keys = f"^(?:{self.key.pattern})$"
        known: Json = {"type": "object", "patternProperties": {keys: self.value.schema()}}
        if self.special:
            known["properties"] = {key: shape.schema() for key, shape in self.special.items()}
        return known | {"additionalProperties": False}


@dataclass(frozen=True)
class Record(Shape):
    """Fixed keys, and how they go together."""

    what: str
    keys: Mapping[str, tuple[Shape, str]]  # key: (its shape, what it means)
    required: Sequence[str] = ()
    one_of: Sequence[str] = ()  # at least one of these must be there
    hint: str = ""  # when none of `one_of` is
    apart: Sequence[tuple[str, str, str]] = ()  # two keys that exclude each other, and why
    needs: Sequence[tuple[str, str]] = ()  # (key, the key it makes sense with)
    unless: Sequence[tuple[str, str, tuple[str, ...], str]] = ()  # with key, other must be one of these; why

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, dict):
            yield from self.wrong(value, path)
            return
        for key, inner in value.items():
            if key in self.keys:
                yield from self.keys[key][0].troubles(inner, (*path, key))
            else:
                hint = did_you_mean(key, self.keys, f"Known are {listed(self.keys)}.")
                yield (*path, key), f"there is no key {key!r} in {self.what}. {hint}"
        yield from self._together(value, path)

    def _together(self, value: Json, path: Path) -> Iterator[Trouble]:
        for key in self.required:
            if key not in value:
                yield path, f"{key!r} is missing. {self.keys[key][1]}"
        if self.one_of and not any(key in value for key in self.one_of):
            yield path, f"{listed(self.one_of, 'or')} is missing. {self.hint}".rstrip()
        for a, b, why in self.apart:
            if a in value and b in value:
                yield (*path, b), f"{a!r} and {b!r} do not go together: {why}"
        for key, other in self.needs:
            if key in value and other not in value:
                yield (*path, key), f"{key!r} says nothing without {other!r}. {self.keys[other][1]}"
        for key, other, allowed, why in self.unless:
            if key in value and isinstance(value.get(other), str) and value[other] not in allowed:
                yield (*path, other), f"with {key!r}, {other!r} can only be {listed(allowed, 'or')}: {why}"

    def schema(self) -> Json:
        properties = {key: shape.schema() | {"description": means} for key, (shape, means) in self.keys.items()}
        found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
        if self.required:
            found["required"] = list(self.required)
        rules: list[Json] = [{"not": {"required": [a, b]}} for a, b, _ in self.apart]
        if self.one_of:
            rules.append({"anyOf": [{"required": [key]} for key in self.one_of]})
        for key, other, allowed, _ in self.unless:
            allow = {"properties": {other: {"enum": list(allowed)}}}
            rules.append({"if": {"required": [key]}, "then": allow})
        if rules:
            found["allOf"] = rules
        if self.needs:
            found["dependentRequired"] = {key: [other] for key, other in self.needs}
        return found


@dataclass(frozen=True)
class ByKey(Shape):
    """Records told apart by the one key that each has and the others have not."""

    what: str
    records: Mapping[str, Record]
    several: str = "Put them in a list under `all`."

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, dict):
            yield from self.wrong(value, path)
            return
        chosen = [key for key in value if key in self.records]
        if len(chosen) == 1:
            yield from self.records[chosen[0]].troubles(value, path)
        elif chosen:
            yield (
                (*path, chosen[1]),
                f"{listed(chosen)}: one of them at a time. {self.several}",
            )
        elif value:
            key = next(iter(value))
            yield (*path, key), f"{key!r} is not {self.what}. {did_you_mean(key, self.records)}".rstrip()
        else:
            yield from self.wrong(value, path)

    def schema(self) -> Json:
        return {"oneOf": [record.schema() for record in self.records.values()]}


class Reference(Shape):
    """A shape given later by name, for shapes that contain themselves."""

    def __init__(self, name: str, shape: Callable[[], Shape]) -> None:
        self.name, self._shape = name, shape

    @property
    def what(self) -> str:  # type: ignore[override]
        return self._shape().what

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        return self._shape().troubles(value, path)

    def schema(self) -> Json:
        return {"$ref": f"#/$defs/{self.name}"}
