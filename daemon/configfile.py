"""One key of a TOML file changed, and nothing else: comments, order, layout and line ends stay as they were.

The text is spliced. An editor that parses the file and writes it anew has to be trusted with everything in it, and
tomlkit, the best there is, regroups some files (`[[r]] [[s]] [[r]]`). Here it only writes the new value; where that
goes, the places of the settings loader's own parser say, and what comes out is read again before anybody sees it.
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
from pathlib import Path
from typing import Any

from daemon.configlayout import BY_HAND, Layout, Loc, Splice, dotted, rendered
from daemon.errors import RosterdError
from state.durable import to_disk

Tree = dict[str, Any]


class Unset:
    """In place of a value: take the key out of the file."""


UNSET = Unset()


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
        well = any(tomllib.loads(new) == wanted for wanted in _expected(before, loc, value))
    except tomllib.TOMLDecodeError:
        well = False
    if not well:
        raise RosterdError(
            f"{dotted(loc)}: the file is laid out so that this cannot be changed without changing more", hint=BY_HAND
        )


def _expected(before: Tree, loc: Loc, value: Any) -> Iterator[Tree]:
    """What may be read afterwards. Tables that are only named by the key that went are gone with it, or not."""
    tree = copy.deepcopy(before)
    tables: list[Any] = [tree]
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


# the file


def parsed(text: str) -> Tree:
    """The tree of a file that has been read before."""
    return tomllib.loads(text.replace("\r\n", "\n"))


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
    to_disk(real.parent)
