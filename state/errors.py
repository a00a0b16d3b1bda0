"""What goes wrong with the database, as far as somebody can do something about it."""

from __future__ import annotations


class StateError(Exception):
    """The database cannot be used. `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Locked(StateError):
    """Another process holds this database file."""
