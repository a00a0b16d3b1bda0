"""What is wrong with a configuration, where, and in words that help.

pydantic says what is wrong with a value by its path (`connections.a.rate`); here the path becomes file, line
and column or the name of an environment variable, and the message becomes a sentence with a hint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from daemon.settings_models import Settings
from daemon.settings_parts import Loc
from daemon.settings_platforms import PLATFORMS
from daemon.settings_types import HINT

Tree = dict[str, Any]


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A spot in the file, counted from 1; an origin outside the file has no line and sorts last."""

    line: float = float("inf")
    column: int = 0
    origin: str = ""


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One thing that is wrong."""

    place: Place
    key: str
    text: str
    hint: str = ""

    def show(self, path: Path) -> str:
        """The whole line a person reads."""
        place, hint = self.place, f" ({self.hint})" if self.hint else ""
        if place.origin:
            return f"{place.origin}: {self.text}{hint}"
        key = f"{self.key}: " if self.key else ""
        return f"{path}:{int(place.line)}:{place.column}: {key}{self.text}{hint}"


@dataclass(slots=True)
class Found:
    """All that was found: one tree of raw values, and for each where it was written."""

    path: Path
    tree: Tree = field(default_factory=dict)
    places: dict[Loc, Place] = field(default_factory=dict)
    origins: dict[Loc, str] = field(default_factory=dict)  # of values that do not come from the file
    problems: list[Problem] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.path.absolute().parent

    def place(self, loc: Loc) -> Place:
        """Where `loc` was written; for what is missing, the table it is missing from."""
        for known in (loc, *(loc[:end] for end in range(len(loc) - 1, 0, -1))):
            if known in self.origins:
                return Place(origin=self.origins[known])
            if known in self.places:
                return self.places[known]
            if inside := [name for at, name in self.origins.items() if at[: len(known)] == known]:
                return Place(origin=min(inside))
        return Place(1, 1)

    def wrong(self, loc: Loc, text: str, hint: str = "", *, place: Place | None = None) -> None:
        self.problems.append(Problem(place or self.place(loc), dotted(loc), text, hint))

    def take(self, error: ValidationError) -> None:
        """Turn everything pydantic found into problems."""
        for detail in error.errors(include_url=False, include_input=False):
            loc = _without_tag(detail["loc"])
            text, hint = _in_words(detail, loc, self.tree)
            self.wrong(loc, text, hint)


def dotted(loc: Loc) -> str:
    return ".".join(str(step) for step in loc)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, or with all of them when none is near."""
    known = sorted(known)
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(known)}" if known else ""


def _without_tag(loc: Loc) -> Loc:
    """pydantic puts the platform into the path of what is below a connection, and marks keys."""
    if len(loc) > 2 and loc[0] == "connections" and (loc[2] in PLATFORMS or loc[2] == "[key]"):
        return (*loc[:2], *loc[3:])
    return loc


def _in_words(detail: ErrorDetails, loc: Loc, tree: Tree) -> tuple[str, str]:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return "unknown key", did_you_mean(str(loc[-1]), _known_keys(loc[:-1], tree))
        case "missing":
            return _missing(loc)
        case "union_tag_not_found":
            return "has no platform", f"platform = one of {', '.join(PLATFORMS)}"
        case "union_tag_invalid":
            return f"unknown platform {context['tag']!r}", did_you_mean(context["tag"], PLATFORMS)
        case "literal_error":
            return "must be one of " + context["expected"].replace("'", "").replace(" or ", ", "), ""
        case "value_error":
            text, _, hint = str(context["error"]).partition(HINT)
            return text, hint
        case "string_pattern_mismatch" if loc[:1] == ("connections",) and len(loc) == 2:
            return "is no name for a connection", "write it in a-z, 0-9 and single _, beginning with a letter"
        case known if known in _PLAIN:
            return _PLAIN[known].format(**context), _HINTS.get(str(loc[-1]), "")
    return detail["msg"], ""


_PLAIN = {
    "string_type": "must be a text in quotes",
    "path_type": "must be a path in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": 'must be a list, like ["one", "two"]',
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_pattern_mismatch": "is not an id of this platform",
    "too_short": "must not be empty",
}
_HINTS = {
    "project_id": 'it looks like "PJ2ad0100821a98bea"',
    "connections": "add a table [connections.NAME], or run `rosterd init`",
}


def _missing(loc: Loc) -> tuple[str, str]:
    if loc == ("connections",):
        return "no connection is configured", _HINTS["connections"]
    if any(loc[-1] in model.secrets() for model in PLATFORMS.values()):
        variable = "__".join(("ROSTERD", *map(str, loc))).upper().replace("ROSTERD__", "ROSTERD_")
        what = str(loc[-1]).rpartition("_")[2]  # key, password, secret
        return f"there is no {what}", f"give {loc[-1]}_file, or {variable} in the environment"
    return "is missing", _HINTS.get(str(loc[-1]), "")


def _known_keys(table: Loc, tree: Tree) -> Iterable[str]:
    """The keys that may stand in this table."""
    model: Any = Settings
    for depth, step in enumerate(table):
        if table[:1] == ("connections",) and depth == 1:
            model = PLATFORMS[tree["connections"][step]["platform"]]
        elif step != "connections":
            model = model.model_fields[str(step)].annotation
    return model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else ()
