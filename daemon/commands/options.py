"""What every command is told, and the options several of them share. Imports nothing but click."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

FAILED, USAGE, PARTIAL, LATER, CONFIG, INTERRUPTED = 1, 2, 3, 75, 78, 130
"""Exit codes; 0 is done."""


@dataclass(frozen=True)
class Globals:
    """The options before the command. None: as configured."""

    config: Path | None = None
    verbose: bool = False
    log_format: str | None = None
    unmask: bool = False


as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")


class ContactNumber(click.ParamType[int]):
    """c12 or 12."""

    name = "contact"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        written = re.fullmatch(r"c?([1-9]\d{0,17})", str(value))
        if written is None:
            self.fail(f"{value!r} is no contact: write c12, as `rosterd contacts find` shows them.", param, ctx)
        return int(written[1])


CONTACT = ContactNumber()


class PushNumber(click.ParamType[int | str]):
    """17 for a push, o17 for an outreach."""

    name = "push"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        written = re.fullmatch(r"(o?)([1-9]\d{0,17})", str(value))
        if written is None:
            self.fail(f"{value!r} is no push: write 17 or o17, as `rosterd outbox list` shows them.", param, ctx)
        return f"o{int(written[2])}" if written[1] else int(written[2])


PUSH = PushNumber()


class ConfigKey(click.ParamType[str]):
    """connections.strive_atl.every"""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        return str(value).strip(".")


CONFIG_KEY = ConfigKey()
