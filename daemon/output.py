"""What people and programs read on standard output: tables, plain lines, JSON.

On a terminal, tables are drawn with rich, or stacked where they do not fit; in a pipe they are plain columns, one line
a row, nothing cut off. What platforms send is shown without its control characters: a name must not be able to move the
cursor.
"""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

_CONTROLS = {code: None for code in [*range(0x20), *range(0x7F, 0xA0)] if chr(code) not in "\n\t"}
_CONTROLS |= dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # nor turn the line round


def is_terminal() -> bool:
    return sys.stdout.isatty()


def clean(value: Any) -> str:
    """As text for people, on one line, without control characters."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple() | set() | frozenset():
            return ", ".join(clean(each) for each in value) or "-"
        case float():
            return f"{value:g}"
    return " ".join(str(value).translate(_CONTROLS).split())


def say(text: str = "", *, bold: bool = False, dim: bool = False, err: bool = False) -> None:
    """One line for people."""
    click.secho(text, bold=bold or None, dim=dim or None, err=err)


def json_out(value: Any) -> None:
    """One JSON document on standard output."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    click.echo(orjson.dumps(value, option=options, default=_plain).decode())


def _plain(value: Any) -> Any:
    """Slotted rows and sets, for the serialiser."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, tuple):  # named ones, which orjson leaves to us
        return list(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Columns whose names end in `#` are numbers, aligned right."""
    cells = [[clean(value) for value in row] for row in rows]
    heads, right = [name.rstrip("#") for name in columns], [name.endswith("#") for name in columns]
    if title:
        say(title, bold=True)
    if is_terminal():
        _drawn(heads, right, cells)
    else:
        _columns(heads, right, cells)


def _drawn(heads: Sequence[str], right: Sequence[bool], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if _narrowest(heads, cells) > console.width:
        _stacked(heads, cells, console.width)
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for head, is_number in zip(heads, right, strict=True):
        drawn.add_column(head, justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def _narrowest(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """Letters of a line below which words would have to be broken: each column's longest word, and its margins."""
    columns = zip(heads, *cells, strict=True)
    return sum(max(len(word) for cell in column for word in cell.split() or [""]) + 3 for column in columns)


def _stacked(heads: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> None:
    """For a terminal too narrow for the table: a row is a few lines, each value with its name."""
    for first, *rest in cells:
        say(f"{heads[0]} {first}".strip(), bold=True)
        text = " · ".join(f"{head} {cell}" for head, cell in zip(heads[1:], rest, strict=True))
        for line in textwrap.wrap(text, max(20, width - 2)):
            say(f"  {line}")
    say()


def _columns(heads: Sequence[str], right: Sequence[bool], cells: Sequence[Sequence[str]]) -> None:
    lines = [list(heads), *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    for line in lines:
        parts = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ]
        click.echo("  ".join(parts).rstrip())


def when(at: float | None) -> str:
    """A moment (seconds since 1970) in local time; for 0 or None, `-`: nobody knows."""
    if not at:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def ago(at: float | None, now: float) -> str:
    if at is None:
        return "never"
    seconds = max(0, int(now - at))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 contact`, `2 contacts`, `1,000 contacts`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
