"""What is made from the code: tables between markers in the documentation, the JSON Schemas, the outline
of the commands that completion works from, the manual pages.

    python -m tests.docs_tables            says what is out of date (exit 1 if anything is)
    python -m tests.docs_tables --write    writes it anew

A table stands between `<!-- table: NAME ... -->` and `<!-- end of table -->`. What a table says of one thing is the
text the program itself shows for it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon import completing, matrix
from daemon.example import FIRST, explained
from daemon.platforms import registry
from daemon.settings import config_schema
from daemon.settings_models import Consent, Fuse, Identity, Log, State
from daemon.settings_parts import Connection, Defaults
from daemon.settings_platforms import PLATFORMS
from daemon.settings_service import Alerts, Keep, Service
from daemon.settings_types import show_duration
from daemon.sync.resolve import WHY
from daemon.sync.verdicts import CHOICES
from mappings import language, outreach
from mappings.load import preset
from mappings.schema import schema as mapping_schema
from mappings.shapes import Record, Shape
from mappings.transforms import TRANSFORMS
from tests import manpages, outline

DOCS = Path(__file__).parents[1] / "docs"
MARKED = re.compile(r"(<!-- table: (\w+)[^>]*-->\n).*?(<!-- end of table -->)", re.DOTALL)

Row = Iterable[str]


def table(head: Row, rows: Iterable[Row]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


# the configuration


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "" if "itself" in str(field.description) else "must be given"  # a secret has other ways to be given
    return _written(field.default)


def _written(value: Any) -> str:
    match value:
        case None:
            return ""
        case timedelta():
            return f'`"{show_duration(value)}"`'
        case BaseModel():
            return f"`{{rows = {value.rows}, percent = {value.percent:g}}}`"
        case float():
            return f"`{value:g}`"
    return f"`{json.dumps(value)}`"


def _keys(model: type[BaseModel], names: Iterable[str]) -> str:
    return table(("key", "default", "meaning"), [row for name in names for row in _key(name, model.model_fields[name])])


def _key(name: str, field: FieldInfo) -> Iterator[Row]:
    """A line for a key, or one for each key of a table whose keys have meanings of their own."""
    if explained(field.default):
        for inner, its_field in type(field.default).model_fields.items():
            yield from _key(f"{name}.{inner}", its_field)
    else:
        yield f"`{name}`", _default(field), field.description or ""


def _of(model: type[BaseModel]) -> Callable[[], str]:
    return lambda: _keys(model, model.model_fields)


def _common() -> str:
    """The keys every connection has, and with the same default everywhere."""
    own = {"platform", "base_url", "rate", "overlap"}
    names = [n for n in Connection.model_fields if n not in own]
    rows = [("`platform`", "must be given", f"One of {', '.join(f'`{name}`' for name in PLATFORMS)}.")]
    for name in names:
        field = Connection.model_fields[name]
        default = "as `[defaults]` says" if name in Defaults.model_fields else _default(field)
        rows.append((f"`{name}`", default, field.description or ""))
    return table(("key", "default", "meaning"), rows)


def _platform(name: str) -> Callable[[], str]:
    model = PLATFORMS[name]
    common = Connection.model_fields
    own = [n for n in model.model_fields if n not in common]
    own += [n for n in Defaults.model_fields if model.model_fields[n].default != common[n].default]
    return lambda: _keys(model, sorted([*own, "base_url", "rate", "overlap"], key=_place))


def _place(name: str) -> int:
    """As in the example."""
    return FIRST.index(name) if name in FIRST else len(FIRST)


# mappings


def _shape_rows(record: Record) -> Iterator[Row]:
    for key, (shape, means) in record.keys.items():
        yield f"`{key}`", _plain(shape), means


def _plain(shape: Shape) -> str:
    return shape.what


def _record(record: Record) -> Callable[[], str]:
    return lambda: table(("key", "what it takes", "meaning"), _shape_rows(record))


def _conditions() -> str:
    rows = []
    for record in language.CONDITION.records.values():
        rows += list(_shape_rows(record))
    return table(("key", "what it takes", "meaning"), rows)


def _events() -> str:
    rows = [row for record in outreach.WHEN.records.values() for row in _shape_rows(record)]
    return table(("key", "what it takes", "it is an event when"), rows)


def _transforms() -> str:
    rows = [(f"`{name}`", one.means, "yes" if one.inverts else "no") for name, one in TRANSFORMS.items()]
    return table(("name", "what is read", "undone when written"), rows)


def _preset(platform: str) -> Callable[[], str]:
    def make() -> str:
        spec, able = preset(platform).spec, registry.capabilities(platform)
        rows = []
        for rule in spec.rules:
            key = rule.keys[0]
            update, create = rule.writes and key in able.update, rule.writes and key in able.create
            written = "yes" if update else "when created" if create else "no"
            rows.append((f"`{rule.field}`", f"`{rule.at}`", written))
        if spec.tags is not None:
            ways = [word for word, can in (("added", able.add_tags), ("removed", able.remove_tags)) if can]
            rows.append(("`tags`", f"`{spec.tags.rule.at}[].{spec.tags.rule.item}`", " and ".join(ways) or "no"))
        for one in spec.consent:
            written = 'only a "no"' if one.field.partition(".")[2] in able.consent_write else "no"
            rows.append((f"`{one.field}`", f"`{'.'.join(one.keys)}`", written))
        return table(("our field", "theirs", "written"), rows)

    return make


# platforms


def _matrix(rows: Callable[[Sequence[matrix.Able]], list[list[str]]], first: str) -> Callable[[], str]:
    def make() -> str:
        columns = [matrix.able(matrix.of_platform(name)) for name in registry.PLATFORMS]
        return table((first, *(one.platform for one in columns)), rows(columns))

    return make


# holds


def _choices() -> str:
    return table(("kind", "what can be decided"), [(f"`{kind}`", f"`{choices}`") for kind, choices in CHOICES.items()])


def _why() -> str:
    return table(("in the JSON", "in words"), [(f"`{key}`", words) for key, words in WHY.items()])


TABLES: dict[str, Callable[[], str]] = {
    "state": _of(State),
    "defaults": _of(Defaults),
    "connection": _common,
    **{name: _platform(name) for name in PLATFORMS},
    "identity": _of(Identity),
    "consent": _of(Consent),
    "fuse": _of(Fuse),
    "alerts": _of(Alerts),
    "service": _of(Service),
    "keep": _of(Keep),
    "log": _of(Log),
    "rule": _record(language._RULE_RECORD),
    "tags": _record(language._TAGS),
    "channel": _record(language._CHANNEL),
    "conditions": _conditions,
    "transforms": _transforms,
    "outreach": _record(outreach.RULE),
    "outreach_when": _events,
    "outreach_target": _record(outreach.TARGET),
    "outreach_referrer": _record(outreach.REFERRER),
    **{f"preset_{name}": _preset(name) for name in PLATFORMS},
    "platforms": _matrix(matrix.capability_rows, "what"),
    "platform_fields": _matrix(matrix.field_rows, "field"),
    "choices": _choices,
    "why": _why,
}


def current(text: str) -> str:
    """The page with every marked table as it should be. Raises KeyError for a table nobody makes."""
    return MARKED.sub(lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n" + found[3], text)


def files() -> Iterator[tuple[Path, str]]:
    """Every file that is made, wholly or in part, with what should stand in it."""
    for name, schema in (("config", config_schema()), ("mapping", mapping_schema())):
        yield DOCS / "schema" / f"{name}.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    yield completing.OUTLINE, outline.text()
    yield from manpages.files()
    for page in sorted(DOCS.glob("*.md")):
        yield page, current(page.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    stale = [(path, text) for path, text in files() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path, text in stale:
        if "--write" in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        print("wrote" if "--write" in arguments else "out of date:", path)
    return 1 if stale and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
