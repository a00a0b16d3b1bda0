"""The settings by their dotted names: which there are, and what somebody typed for one means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from daemon.settings_models import Settings
from daemon.settings_parts import Part
from daemon.settings_platforms import PLATFORMS
from daemon.settings_problems import Tree, did_you_mean
from daemon.settings_secrets import tables

TEXTUAL = (str, timedelta, Path, SecretStr)
"""What stands in quotes in the file, and needs none on the command line."""

Loc = tuple[str, ...]


class NoSuchKey(ValueError):
    """There is no such setting; the text says so, with what was probably meant."""


@dataclass(frozen=True, slots=True)
class Key:
    """One setting, or a table of them (`field` is None)."""

    loc: Loc
    field: FieldInfo | None
    secret: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.loc)

    def typed(self, text: str) -> Any:
        """What these letters mean here. What makes no sense stays as it is: the settings say what is wrong with it."""
        try:
            value = tomllib.loads(f"value = {text}")
        except tomllib.TOMLDecodeError:
            return text
        if set(value) != {"value"} or (self._textual and not isinstance(value["value"], str)):
            return text
        return value["value"]

    @property
    def _textual(self) -> bool:
        return self.field is not None and any(kind in TEXTUAL for kind in _kinds(self.field.annotation))


def _kinds(annotation: Any) -> Iterator[type]:
    """The plain types behind an annotation."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _kinds(one)
    elif origin is Literal:
        yield from (type(one) for one in get_args(annotation))
    elif isinstance(annotation, type):
        yield annotation


def find(name: str, tree: Tree) -> Key:
    """The setting of this name. `tree`: the configuration, which says what connections there are. Raises NoSuchKey."""
    steps = tuple(name.split("."))
    node: type[BaseModel] | dict[str, type[Part]] = Settings
    secret = False
    for depth, step in enumerate(steps):
        at = steps[: depth + 1]
        below = _below(node, tree)
        if step not in below:
            raise NoSuchKey(_unknown(at, below))
        secret = isinstance(node, type) and issubclass(node, Part) and step in node.secrets()
        found = below[step]
        if isinstance(found, FieldInfo):
            if at != steps:
                raise NoSuchKey(f"{'.'.join(at)} is set as a whole: it has no key {steps[depth + 1]!r} of its own")
            return Key(steps, found, secret)
        node = found
    return Key(steps, None)


def every(tree: Tree) -> list[str]:
    """The names of all settings there are, in order. `tree`: as for `find`."""
    return list(_every((), Settings, tree))


def _every(at: Loc, node: Any, tree: Tree) -> Iterator[str]:
    for step, found in _below(node, tree).items():
        if isinstance(found, FieldInfo):
            yield ".".join((*at, step))
        else:
            yield from _every((*at, step), found, tree)


def _below(node: Any, tree: Tree) -> dict[str, Any]:
    """What is in a table: a field, or another table."""
    if isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for name, field in node.model_fields.items():
        if node is Settings and name == "connections":
            found[name] = _connections(tree)
        else:
            inner = [one for one in _kinds(field.annotation) if issubclass(one, BaseModel)]
            found[name] = inner[0] if inner else field
    return found


def _connections(tree: Tree) -> dict[str, type[Part]]:
    found: dict[str, type[Part]] = {}
    for name, table in tables(tree).items():
        platform = table.get("platform") if isinstance(table, dict) else None
        if isinstance(platform, str) and platform in PLATFORMS:
            found[name] = PLATFORMS[platform]
    return found


def _unknown(at: Loc, known: dict[str, Any]) -> str:
    what = f"there is no connection {at[1]!r}" if at[:1] == ("connections",) and len(at) == 2 else ""
    hint = did_you_mean(at[-1], known)
    return f"{what or 'there is no setting ' + repr('.'.join(at))}{f' ({hint})' if hint else ''}"
