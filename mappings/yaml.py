"""YAML as people expect it: the scalars of YAML 1.2, the place of everything, and no surprises.

`on`, `no`, `01234` and `12:30` stay text; a key given twice, anchors, aliases and tags are refused, so
nothing here can build an object or grow without bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
Place = tuple[int, int]

_PLAIN = "tag:yaml.org,2002:"
_KNOWN = frozenset(_PLAIN + kind for kind in ("map", "seq", "str", "int", "float", "bool", "null"))
_DEEPEST = 50


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as in the base


for _kind, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^-?(?:0|[1-9][0-9]{0,17})$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,40}(?:[eE][-+]?[0-9])?$", "-0123456789"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
):
    _Loader.add_implicit_resolver(_PLAIN + _kind, re.compile(_pattern), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says (`value`), where it says so, and what is wrong with it as YAML."""

    name: str
    value: Any
    places: dict[Path, Place] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def at(self, path: Path) -> str:
        """`file:line:column` of this path, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return f"{self.name}:{line}:{column}"


def load(text: str, name: str) -> Document:
    """Read one document. Never raises: what is wrong is in `problems`, and then `value` is not complete."""
    try:
        if (deep := _too_deep(text)) is not None:
            line, column = deep
            return Document(name, None, problems=(f"{name}:{line}:{column}: this is nested too deeply.",))
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        return Document(name, None, problems=(_syntax(error, text, name),))
    except yaml.YAMLError as error:
        what = str(getattr(error, "reason", error)).strip()
        return Document(name, None, problems=(f"{name}:1:1: this is not YAML: {what}.",))
    builder = _Builder(name)
    value = builder.build(node, (), node) if node is not None else None
    return Document(name, value, builder.places, tuple(builder.problems))


def _too_deep(text: str) -> Place | None:
    """Where it is nested too deeply, if it is: composing recurses in C, and would crash the process."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            mark = event.start_mark
            return (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return None


def _syntax(error: yaml.MarkedYAMLError, text: str, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    here = text.splitlines()[line - 1 : line]
    hint = " Indent with spaces, not tabs." if here and here[0][column - 1 :].startswith("\t") else ""
    return f"{name}:{line}:{column}: this is not YAML: {error.problem}.{hint}"


class _Builder:
    """Turns nodes into plain values, noting places and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Path, Place] = {}
        self.problems: list[str] = []
        self._seen: set[int] = set()
        self._scalars = _Loader("")

    def build(self, node: yaml.Node, path: Path, mark: yaml.Node) -> Any:
        self.places[path] = _place(mark)
        if id(node) in self._seen:
            return self._wrong(mark, "anchors and aliases are not used here. Write it out a second time.")
        self._seen.add(id(node))
        if node.tag not in _KNOWN:
            return self._wrong(node, f"the tag {node.tag} is not used here. Leave it out.")
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i), item) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, path))
        return self._scalar(node)

    def _items(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        given: dict[str, Place] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a key must be plain text.")
            elif key.value in given:
                line = given[key.value][0]
                self._wrong(key, f"{key.value!r} is given twice (first on line {line}). Keep one of them.")
            else:
                given[key.value] = _place(key)
                yield key.value, self.build(value, (*path, key.value), key)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError):
            return self._wrong(node, "this value cannot be read. Put it in quotes.")

    def _wrong(self, node: yaml.Node, what: str) -> None:
        line, column = _place(node)
        self.problems.append(f"{self.name}:{line}:{column}: {what}")


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1
