"""One key of a TOML file is changed, and not a byte besides."""

from __future__ import annotations

import copy
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon import configfile
from daemon.configfile import UNSET, changed
from daemon.configlayout import Layout, rendered
from daemon.errors import RosterdError

FILE = """\
# Ours.
[state]
url = "sqlite:///state.db"   # here

[connections.strive_atl] # Atlanta
  platform = "strive"
  campaign_id=273
  # rate = 3

# Below: the others
[fuse]
update.rows = 500
create = {rows = 5}

[log]
"""


def put(text: str, dotted: str, value: Any) -> str:
    return changed(text, tuple(dotted.split(".")), value)


@pytest.mark.parametrize(
    ("dotted", "value", "before", "after"),
    [
        ("state.url", "sqlite:///b.db", '"sqlite:///state.db"   # here', '"sqlite:///b.db"   # here'),
        ("connections.strive_atl.campaign_id", 9, "campaign_id=273", "campaign_id=9"),
        ("connections.strive_atl.rate", 5, "  # rate = 3\n", "  # rate = 3\n  rate = 5\n"),
        ("connections.strive_atl.every", "9m", "campaign_id=273\n", 'campaign_id=273\n  every = "9m"\n'),
        ("fuse.update.rows", 1, "rows = 500", "rows = 1"),
        ("fuse.update.percent", 2, "update.rows = 500\n", "update.rows = 500\n"),
        ("fuse.create.rows", 6, "{rows = 5}", "{rows = 6}"),
        ("fuse.create.percent", 2.5, "{rows = 5}", "{rows = 5, percent = 2.5}"),
        ("log.level", "debug", "[log]\n", '[log]\nlevel = "debug"\n'),
        ("identity.ignore", ["a", "b"], "[log]\n", '[log]\n\n[identity]\nignore = ["a", "b"]\n'),
        ("state.url", UNSET, 'url = "sqlite:///state.db"   # here\n', ""),
        ("fuse.create.rows", UNSET, "{rows = 5}", "{}"),
        ("fuse.update.rows", UNSET, "update.rows = 500\n", ""),
    ],
)
def test_where_a_key_goes(dotted: str, value: Any, before: str, after: str) -> None:
    """Into its place; a new one below the comment that shows it, or below the last of its table."""
    wanted = FILE.replace(before, after)
    if dotted == "fuse.update.percent":
        wanted = FILE.replace("create = {rows = 5}\n", "create = {rows = 5}\nupdate.percent = 2\n")
    assert put(FILE, dotted, value) == wanted


def test_line_ends_stay_as_they_are() -> None:
    text = FILE.replace("\n", "\r\n")
    assert put(text, "connections.strive_atl.every", "9m") == put(FILE, "connections.strive_atl.every", "9m").replace(
        "\n", "\r\n"
    )
    mixed = 'a.b = """x\r\ny"""\nc = 1\r\n[t]\r\nd = 2\n'
    assert put(mixed, "t.d", 3) == mixed.replace("d = 2", "d = 3")


def test_a_file_without_a_last_line_end() -> None:
    assert put("[log]\nlevel = 'info'", "log.unmask", True) == "[log]\nlevel = 'info'\nunmask = true\n"
    assert put("[log]", "log.unmask", True) == "[log]\nunmask = true\n"
    assert put("", "log.unmask", True) == "[log]\nunmask = true\n"


def test_what_only_looks_like_a_header_or_a_comment_is_none() -> None:
    text = '[t]\nwords = """\n[u]\n# key = 1\n"""\nlist = [\n  [1],\n]\n\n# [v]\n# key = 1\n'
    assert put(text, "t.key", 2) == text.replace("]\n\n# [v]", "]\nkey = 2\n\n# [v]")


@pytest.mark.parametrize(
    ("text", "dotted", "value"),
    [
        ("[a.b]\nc = 1\n", "a.b", 2),  # a table of its own
        ("[a.b]\nc = 1\n", "a.b", UNSET),
        ("a = {b.c = 1}\n", "a.b.c", UNSET),  # its first half would be left
        ("a = 1\n", "a.b", 2),  # a number has no keys
        ("[[a]]\nb = 1\n", "a.c", 2),  # which of them?
        ("a = 1\n", "b", UNSET),  # not there
    ],
)
def test_what_cannot_be_done_cleanly_is_refused(text: str, dotted: str, value: Any) -> None:
    with pytest.raises(RosterdError):
        put(text, dotted, value)


# random documents

KEYS = st.sampled_from(["a", "b", "rate", "x_1", "'q.r'"])
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
LEAVES = st.one_of(st.booleans(), st.integers(-9, 10**6), st.floats(-9, 9), TEXTS, st.lists(TEXTS, max_size=3))
GAPS = st.sampled_from(["", "\n", "# a note\n", "\n# [old]\n# a = 1\n\n", "  \t\n", "#\n"])
ENDS = st.sampled_from(["", " ", "  # why", "\t#x"])


@st.composite
def values(draw: st.DrawFn) -> str:
    how = draw(st.integers(0, 4))
    if how == 0:
        return '"""\n[a]\nb = 1\n# a = 2\n"""'
    if how == 1:
        return "[\n  [1, 2],\n  # what\n  'x',\n]"
    if how == 2:
        inside = draw(st.lists(st.tuples(KEYS, LEAVES), max_size=3, unique_by=lambda pair: pair[0]))
        return "{ " + ", ".join(f"{key} = {rendered(one)}" for key, one in inside) + " }"
    return rendered(draw(LEAVES))


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML as people write it: notes, gaps, dotted keys, texts of several lines, tables and lists of tables."""
    parts = []
    heads = draw(st.lists(st.lists(KEYS, min_size=1, max_size=3), max_size=4))
    for head in [None, *heads]:
        parts.append(draw(GAPS))
        if head is not None:
            name = ".".join(head)
            parts.append((f"[[{name}]]" if draw(st.integers(0, 5)) == 0 else f"[{name}]") + draw(ENDS) + "\n")
        for _ in range(draw(st.integers(0, 3))):
            key = ".".join(draw(st.lists(KEYS, min_size=1, max_size=2)))
            indent = draw(st.sampled_from(["", "  "]))
            parts.append(f"{indent}{key} {draw(st.sampled_from(['=', ' =  ']))} {draw(values())}{draw(ENDS)}\n")
            parts.append(draw(GAPS))
    text = "".join(parts)
    text = text.removesuffix("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


LOCS = st.lists(st.sampled_from(["a", "b", "rate", "x_1", "q.r"]), min_size=1, max_size=3).map(tuple)


@settings(max_examples=300)
@given(documents(), LOCS, LEAVES | st.just(UNSET))
@example("[[a]]\n[[b]]\n[[a]]\nx_1 = 1\n[rate]\na = 1\n", ("rate", "a"), 2)  # which tomlkit would write otherwise
def test_everything_but_the_key_is_byte_identical(text: str, loc: tuple[str, ...], value: Any) -> None:
    """Whatever the document: it reads as it did but for the key, every other line is there as it was, in its order."""
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    try:
        after = changed(text, loc, value)
    except RosterdError:
        return
    assert _value(tomllib.loads(after), loc) == (None if value is UNSET else value)
    assert _without(tomllib.loads(after), loc) == _without(before, loc)
    kept = _apart(text, after)
    assert kept[0] + kept[1] >= len(text) - _extent(text, loc), "more than the key has changed"
    if "\r\n" in text:
        assert not re.search(r"(?<!\r)\n", after)


def _value(tree: Any, loc: tuple[str, ...]) -> Any:
    for step in loc:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def _without(tree: dict[str, Any], loc: tuple[str, ...]) -> dict[str, Any]:
    """The tree without this key, and without tables that are empty."""
    tree = copy.deepcopy(tree)
    node: Any = tree
    for step in loc[:-1]:
        node = node.get(step, {})
    node.pop(loc[-1], None)
    return _full(tree)


def _full(tree: dict[str, Any]) -> dict[str, Any]:
    found = {key: _full(one) if isinstance(one, dict) else one for key, one in tree.items()}
    return {key: one for key, one in found.items() if one != {}}


def _apart(before: str, after: str) -> tuple[int, int]:
    """How many characters at the beginning, and at the end, are the same."""
    start = _alike(before, after)
    return start, _alike(before[start:][::-1], after[start:][::-1])


def _alike(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _extent(text: str, loc: tuple[str, ...]) -> int:
    """How long the lines of this key are: nothing, where it is not there yet."""
    layout = Layout(text.replace("\r\n", "\n"))
    mine = layout.values.get(loc)
    if mine is None:
        return 0
    lines = layout.text[layout._line_start(mine.key) : layout._line_end(mine.stop)]
    return len(lines) + ("\r\n" in text) * lines.count("\n")


@settings(max_examples=300)
@given(documents(), LOCS, LEAVES)
def test_tomlkit_would_do_the_same_where_it_can(text: str, loc: tuple[str, ...], value: Any) -> None:
    """An independent editor, on documents it writes as it read them: a value in a place of its own is put alike."""
    try:
        parsed = tomlkit.parse(text)
        node: Any = parsed
        for step in loc[:-1]:
            node = node[step]
        was = node[loc[-1]]
    except (tomlkit.exceptions.TOMLKitError, KeyError, TypeError, AttributeError, IndexError):
        return
    if tomlkit.dumps(parsed) != text or isinstance(was, dict | list) or not isinstance(value, bool | int | str):
        return
    node[loc[-1]] = value
    assert changed(text, loc, value) == tomlkit.dumps(parsed)


# the file


def test_mode_owner_and_links_stay(tmp_path: Path) -> None:
    real = tmp_path / "real" / "config.toml"
    real.parent.mkdir()
    real.write_bytes(b"a = 1\r\n")
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 12, 34)
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    was = real.stat()
    configfile.replace(link, "a = 1\r\n", "a = 2\r\n")
    now = real.stat()
    assert link.is_symlink()
    assert real.read_bytes() == b"a = 2\r\n"
    assert stat.S_IMODE(now.st_mode) == 0o640
    assert (now.st_uid, now.st_gid) == (was.st_uid, was.st_gid)
    assert [path.name for path in real.parent.iterdir()] == ["config.toml"]


def test_what_somebody_else_has_just_saved_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("a = 3\n")
    with pytest.raises(RosterdError, match="somebody else"):
        configfile.replace(file, "a = 1\n", "a = 2\n")
    assert file.read_text() == "a = 3\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    file = tmp_path / "gone" / "config.toml"
    with pytest.raises(RosterdError, match=r"config\.toml: cannot be"):
        configfile.replace(file, "", "a = 2\n")
