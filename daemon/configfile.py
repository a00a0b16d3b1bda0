"""One key of a TOML file changed, and nothing else: comments, order, layout and line ends stay as they were.

The text is spliced. An editor that parses the file and writes it anew has to be trusted with everything in it, and tomlkit,
the best there is, regroups some files (`[[r]] [[s]] [[r]]`). Here it only writes the new value; where that goes, the
places of the settings loader's own parser say, and what comes out is read again before anybody sees it.
"""

from __future__ import annotations

import bisect
import contextlib
import copy
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import spanned_toml
import tomlkit

from daemon.errors import RosterdError

Loc = tuple[str | int, ...]
"""The steps to a key; a number stands for the place in a list of tables."""

Tree = dict[str, Any]

BY_HAND = "edit the file by hand; nothing was written"


class Unset:
    """In place of a value: take the key out of the file."""


UNSET = Unset()


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


def changed(text: str, loc: Loc, value: Any) -> str:
    """The text of a TOML file with this key set to this value, or taken out (UNSET).

    Raises RosterdError where that cannot be done without touching anything else.
    """
    plain = text.replace("\r\n", "\n")
    layout = Layout(plain)
    splice = layout.without(loc) if value is UNSET else layout.put(loc, rendered(value))
    new = _spliced(text, splice)
    _must_read(new, layout.tree, loc, value)
    return new


def rendered(value: Any) -> str:
    """A value on one line, as TOML."""
    match value:
        case dict():
            inside = ", ".join(f"{_quoted((key,))} = {rendered(one)}" for key, one in value.items())
            return "{" + inside + "}"
        case list() | tuple():
            return "[" + ", ".join(map(rendered, value)) + "]"
    return tomlkit.item(value).as_string()


def _shown(loc: Loc) -> str:
    return ".".join(map(str, loc))


def _quoted(keys: Loc) -> str:
    return ".".join(tomlkit.key(str(key)).as_string() for key in keys)


def _spliced(text: str, splice: Splice) -> str:
    """The splice, which counts a line end as one character, done to the text as it is."""
    ends = [found.start() - count for count, found in enumerate(re.finditer("\r\n", text))]
    start, stop = (at + bisect.bisect_left(ends, at) for at in splice[:2])
    new = splice.text.replace("\n", "\r\n") if _first_end(text) == "\r\n" else splice.text
    return text[:start] + new + text[stop:]


def _first_end(text: str) -> str:
    return "\r\n" if text.find("\r\n") + 1 == text.find("\n") > 0 else "\n"


def _must_read(new: str, before: Tree, loc: Loc, value: Any) -> None:
    """What was written is read by another parser, and must be what was there, but for this key."""
    try:
        found = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        found = None
    if found not in _expected(before, loc, value):
        raise RosterdError(
            f"{_shown(loc)}: the file is laid out so that this cannot be changed without changing more", hint=BY_HAND
        )


def _expected(before: Tree, loc: Loc, value: Any) -> Iterator[Tree]:
    """What may be read afterwards. Tables that are only named by the key that went are gone with it, or not."""
    tree = copy.deepcopy(before)
    tables = [tree]
    for step in loc[:-1]:
        tables.append(tables[-1].setdefault(step, {}))
    if value is not UNSET:
        tables[-1][loc[-1]] = value
        yield tree
        return
    del tables[-1][loc[-1]]
    yield copy.deepcopy(tree)
    for depth in range(len(loc) - 2, -1, -1):
        if tables[depth][loc[depth]]:
            return
        del tables[depth][loc[depth]]
        yield copy.deepcopy(tree)


class Layout:
    """Where everything stands in a TOML text whose lines end in \\n."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[Loc, Value] = {}
        document = spanned_toml.loads(text)
        self._note(document, ())
        self.tree: Tree = tomllib.loads(text)
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
            raise RosterdError(f"{_shown(loc)} {what}", hint=BY_HAND if "table" in what else "")
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
            raise RosterdError(f"{_shown(loc)} is a table of its own", hint=BY_HAND)
        for above in self._above(loc):
            if not isinstance(self._known(above), dict | type(None)):
                raise RosterdError(f"{_shown(above)} is not a table in this file", hint=BY_HAND)
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


# the file


def read(path: Path) -> str:
    """The text of a file, with its line ends as they are."""
    try:
        return path.read_bytes().decode()
    except OSError as problem:
        raise RosterdError(f"{path}: cannot be read: {problem.strerror}") from None


def replace(path: Path, before: str, after: str) -> None:
    """Put the new text in place of the old, at once or not at all; mode and owner stay, and a symbolic link.

    Raises RosterdError, and leaves the file as it was, if it cannot be done or somebody else changed it meanwhile.
    """
    real = path.resolve()
    try:
        _replace(real, before, after)
    except OSError as problem:
        raise RosterdError(
            f"{real}: cannot be written: {problem.strerror}",
            hint="nothing was written; who owns the file and its folder?",
        ) from None


def _replace(real: Path, before: str, after: str) -> None:
    was = real.stat()
    descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after.encode())
            file.flush()
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(was.st_mode))
            os.fsync(file.fileno())
        if read(real) != before:
            raise RosterdError(f"{real}: somebody else has just changed it", hint="nothing was written; try again")
        os.replace(name, real)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _keep(real.parent)


def _keep(folder: Path) -> None:
    """See to it that the new name is on disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
