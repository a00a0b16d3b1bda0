"""Where everything stands in a TOML text, so that one thing can be changed in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import spanned_toml
import tomlkit

from daemon.errors import RosterdError

Loc = tuple[str | int, ...]
"""The steps to a key; a number stands for the place in a list of tables."""

BY_HAND = "edit the file by hand; nothing was written"


@dataclass(frozen=True, slots=True)
class Value:
    """Where a key begins, and from where to where its value stands."""

    key: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Section:
    """A `[table]`: what stands from below its header to the next one. The first has no header and no name."""

    table: Loc
    start: int
    stop: int


class Splice(NamedTuple):
    """What stands from `start` to `stop` becomes `text`."""

    start: int
    stop: int
    text: str


class Layout:
    """Where everything stands in a TOML text whose lines end in \\n."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[Loc, Value] = {}
        document = spanned_toml.loads(text)
        self._note(document, ())
        self.tree: dict[str, Any] = tomllib.loads(text)
        self.sections = list(self._sections())

    def _note(self, node: Any, at: Loc) -> None:
        inner = node.inner()
        if isinstance(inner, list):
            for number, child in enumerate(inner):
                self._note(child, (*at, number))
        for key, child in inner.items() if isinstance(inner, dict) else ():
            loc = (*at, key.inner())
            if (place := child.span()).stop:  # a table with a header, or made by dotted keys, has no place
                self.values[loc] = Value(key.span().start, place.start, place.stop)
            self._note(child, loc)

    def _sections(self) -> Iterator[Section]:
        heads = [found for found in re.finditer(r"^[ \t]*\[.*$", self.text, re.MULTILINE) if self._free(found.start())]
        table: Loc = ()
        start = 0
        for head in heads:
            yield Section(table, start, head.start())
            table, start = _named(head[0]), min(head.end() + 1, len(self.text))
        yield Section(table, start, len(self.text))

    def _free(self, at: int) -> bool:
        """Whether no value stands there: what looks like a header in a text of several lines is none."""
        return not any(one.start < at < one.stop for one in self.values.values())

    # taking out

    def without(self, loc: Loc) -> Splice:
        """Take the key out, with its whole line where it has one."""
        if loc not in self.values:
            what = "is a table of its own" if self._known(loc) is not None else "is not set in this file"
            raise RosterdError(f"{dotted(loc)} {what}", hint=BY_HAND if "table" in what else "")
        mine = self.values[loc]
        if self._inline(loc) is None:
            return Splice(self._line_start(mine.key), self._line_end(mine.stop), "")
        beside = [one for at, one in self.values.items() if at[:-1] == loc[:-1]]
        before = [one.stop for one in beside if one.stop <= mine.key]
        after = [one.key for one in beside if one.key >= mine.stop]
        if before:
            return Splice(max(before), mine.stop, "")
        return Splice(mine.key, min(after, default=mine.stop), "")

    # putting in

    def put(self, loc: Loc, written: str) -> Splice:
        """Put a value in place of the one there is, or a new key where a person would look for it."""
        if loc in self.values:
            mine = self.values[loc]
            return Splice(mine.start, mine.stop, written)
        if self._known(loc) is not None:
            raise RosterdError(f"{dotted(loc)} is a table of its own", hint=BY_HAND)
        for above in self._above(loc):
            if not isinstance(self._known(above), dict | type(None)):
                raise RosterdError(f"{dotted(above)} is not a table in this file", hint=BY_HAND)
        table = self._inline(loc)
        if table is not None:
            return self._into(table, loc, written)
        section = max((s for s in self.sections if s.table == loc[: len(s.table)]), key=lambda s: len(s.table))
        if not section.table and len(loc) > 1 and not any(at[0] == loc[0] for at in self._inside(section)):
            return self._new_section(loc, written)
        return self._below(section, loc[len(section.table) :], written)

    def _into(self, table: Loc, loc: Loc, written: str) -> Splice:
        """Into `{...}`, behind what is there."""
        place = self.values[table]
        end = place.stop - 1
        while self.text[end - 1] in " \t":
            end -= 1
        comma = "" if self.text[end - 1] == "{" else ", "
        return Splice(end, end, f"{comma}{_quoted(loc[len(table) :])} = {written}")

    def _new_section(self, loc: Loc, written: str) -> Splice:
        """At the end of the file: `[fuse]`, or `[connections.NAME]`, and below it the key."""
        named = loc[: 2 if loc[0] == "connections" else 1]
        text = self.text
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        line = f"{_quoted(loc[len(named) :])} = {written}\n"
        return Splice(len(text), len(text), f"{gap}[{_quoted(named)}]\n{line}")

    def _below(self, section: Section, keys: Loc, written: str) -> Splice:
        """Below the line that shows it as a comment, or below the last key of its table."""
        inside = self._inside(section)
        last = max((one for one in inside.values()), key=lambda one: one.stop, default=None)
        shown = self._in_a_comment(section, keys)
        if shown is not None:
            at = shown
        elif last is not None:
            at = self._line_end(last.stop)
        else:
            at = section.start
        indent = self._indent(last.key) if last is not None else ""
        begin = "" if at == 0 or self.text[at - 1] == "\n" else "\n"
        return Splice(at, at, f"{begin}{indent}{_quoted(keys)} = {written}\n")

    def _in_a_comment(self, section: Section, keys: Loc) -> int | None:
        """Below the comment `# key = ...` in a section, unless it is part of a table that is a comment as a whole."""
        line = re.compile(rf"^[ \t]*#[ \t]?(?:(\[)|{re.escape(_quoted(keys))}[ \t]*=).*$", re.MULTILINE)
        for found in line.finditer(self.text, section.start, section.stop):
            if found[1]:
                return None
            if self._free(found.start()):
                return min(found.end() + 1, len(self.text))
        return None

    # looking

    def _inside(self, section: Section) -> dict[Loc, Value]:
        return {at: one for at, one in self.values.items() if section.start <= one.key < section.stop}

    def _inline(self, loc: Loc) -> Loc | None:
        """The innermost `{...}` around this key, if there is one."""
        return next((at for at in self._above(loc) if at in self.values), None)

    @staticmethod
    def _above(loc: Loc) -> list[Loc]:
        """The tables this key is in, the innermost first."""
        return [loc[:end] for end in range(len(loc) - 1, 0, -1)]

    def _known(self, loc: Loc) -> Any:
        node: Any = self.tree
        for step in loc:
            node = node.get(step) if isinstance(node, dict) else None
        return node

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end + 1

    def _indent(self, at: int) -> str:
        line = self.text[self._line_start(at) : at]
        return line[: len(line) - len(line.lstrip())]


def _named(header: str) -> Loc:
    """The name in `[a.b]`. That of `[[a]]` begins with a number: its keys are in no table that could be named."""
    node: Any = tomllib.loads(header)
    steps: list[str | int] = []
    while isinstance(node, dict) and node:
        key, node = next(iter(node.items()))
        steps.append(key)
    return (0, *steps) if isinstance(node, list) else tuple(steps)


def rendered(value: Any) -> str:
    """A value on one line, as TOML."""
    match value:
        case dict():
            inside = ", ".join(f"{_quoted((key,))} = {rendered(one)}" for key, one in value.items())
            return "{" + inside + "}"
        case list() | tuple():
            return "[" + ", ".join(map(rendered, value)) + "]"
    return str(tomlkit.item(value).as_string())


def dotted(loc: Loc) -> str:
    return ".".join(map(str, loc))


def _quoted(keys: Loc) -> str:
    return ".".join(tomlkit.key(str(key)).as_string() for key in keys)
