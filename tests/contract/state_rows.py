"""Rows for the contract of the state, written short."""

from __future__ import annotations

from typing import Any

from state.model import UPDATE_LANE, Contact, Entry, Link, Owed

ANN, EVE = ("phone", "+12025550101"), ("phone", "+12025550102")
ANN_MAIL = ("email", "ann@example.org")
MANY = [str(number) for number in range(1200)]


def contact(number: int, **names: str) -> Contact:
    """A contact whose fields came from Strive."""
    fields = {name: Entry(value, 100.0, "strive", "record") for name, value in names.items()}
    return Contact(number, fields, 50.0)


def link(
    external_id: str, who: int | None = None, *, at: str = "strive", state: str = "linked", sweep: int = 0
) -> Link:
    return Link(at, external_id, state, who, sweep=sweep)


def owed(external_id: str, *, at: str = "strive", lane: int = UPDATE_LANE, kind: str = "update", **more: Any) -> Owed:
    return Owed(at, lane, None, external_id, kind, {"city": None}, **more)


def targets(pushes: list[Owed]) -> list[str]:
    return [push.target for push in pushes]
