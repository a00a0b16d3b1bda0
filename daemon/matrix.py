"""What each platform can do, as a table: made from what its connector declares and what its mapping names.

The same for people (`rosterd status --platforms`), programs (`--json`) and the documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daemon.platforms import registry
from daemon.platforms.base import Capabilities, Connector, Facts
from daemon.settings import Connection
from daemon.sync.roster import Side
from mappings.contact import CONSENT, FIELDS, SETS
from mappings.load import preset
from mappings.mapping import Mapping

LISTS = tuple(name for name in SETS if name != "tags")


@dataclass(frozen=True, slots=True)
class Able:
    """What one connection can do, in our words: what its platform can, cut down to what its mapping names.

    `fields_created`: written with a new record only. `fetch`: records read in one call; `batch`: pushes in one call,
    at best. `create`: blank when new people are made there, else why not.
    """

    name: str
    platform: str
    feed: str
    fields_read: tuple[str, ...]
    fields_written: tuple[str, ...]
    fields_created: tuple[str, ...]
    consents_read: tuple[str, ...]
    consents_written: tuple[str, ...]
    tags_read: bool
    tags_added: bool
    tags_removed: bool
    create: str
    required: tuple[str, ...]
    batch: int
    fetch: int
    compare_and_swap: bool
    deletes_visible: bool


def offline(name: str, platform: str, mapping: Mapping, able: Capabilities, direction: str = "both") -> Side:
    """A connection that is only asked what it could take."""

    def connect(_: Facts) -> Connector:
        raise AssertionError("nobody is called here")

    return Side(name, platform, mapping.with_lengths(able.lengths), able, connect, direction)


def of_connection(settings: Connection, mapping: Mapping) -> Side:
    """A configured connection, to be asked what it could take."""
    return offline(settings.name, settings.platform, mapping, registry.able(settings), settings.direction)


def of_platform(name: str) -> Side:
    """A platform with its preset, to be asked what it could take."""
    return offline(name, name, preset(name), registry.capabilities(name))


def able(side: Side) -> Able:
    """What this connection can do."""
    can, mapping = side.capabilities, side.mapping
    fields = [name for name in mapping.readable if name != "tags" and name not in CONSENT]
    heard = {name.removeprefix("consent.") for name in mapping.readable & set(CONSENT)}
    tags = side.writes and "tags" in mapping.writable
    return Able(
        name=side.name,
        platform=side.platform,
        feed=can.feed,
        fields_read=in_order(fields if side.reads else ()),
        fields_written=in_order(side.updatable if side.writes else ()),
        fields_created=in_order(side.creatable - side.updatable if side.creates else ()),
        consents_read=tuple(sorted(heard & can.consent_read)),
        consents_written=tuple(sorted(can.consent_write)) if side.writes else (),
        tags_read=side.reads and "tags" in mapping.readable,
        tags_added=tags and can.add_tags,
        tags_removed=tags and can.remove_tags,
        create=side.makes_nobody,
        required=tuple(sorted(can.required)),
        batch=can.batch,
        fetch=can.fetch,
        compare_and_swap=can.compare_and_swap,
        deletes_visible=can.deletes_visible,
    )


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Canonical fields as the manual lists them; a connection's own after ours, by name."""
    known = {name: place for place, name in enumerate((*FIELDS, *LISTS))}
    return tuple(sorted(names, key=lambda name: (known.get(name, len(known)), name)))


# as tables: a line for each question, a column for each connection


def capability_rows(columns: Sequence[Able]) -> list[list[str]]:
    """What can be done where. The first cell of each line is the question."""
    lines = {
        "how changes are found": [one.feed for one in columns],
        "fields read": [str(len(one.fields_read)) for one in columns],
        "fields written": [_fields(one) for one in columns],
        "consents read": [_listed(one.consents_read) for one in columns],
        'consents written (a "no", never a "yes")': [_listed(one.consents_written) for one in columns],
        "tags added": [_yes(one.tags_added) for one in columns],
        "tags removed": [_yes(one.tags_removed) for one in columns],
        "new people": [_create(one) for one in columns],
        "writes in one call, at best": [_batch(one) for one in columns],
        "compare-and-swap": [_yes(one.compare_and_swap) for one in columns],
        "deletions show in the feed": [_yes(one.deletes_visible) for one in columns],
    }
    return [[question, *answers] for question, answers in lines.items()]


def field_rows(columns: Sequence[Able]) -> list[list[str]]:
    """Each field and what happens to it where."""
    names = {name for one in columns for name in (*one.fields_read, *one.fields_written, *one.fields_created)}
    return [[name, *(_way(one, name) for one in columns)] for name in in_order(names)]


def _way(one: Able, name: str) -> str:
    read = name in one.fields_read
    if name in one.fields_written:
        return "both ways" if read else "written"
    if name in one.fields_created:
        return "read; written when made" if read else "written when made"
    return "read" if read else "-"


def _fields(one: Able) -> str:
    more = f", and {len(one.fields_created)} when made" if one.fields_created else ""
    return f"{len(one.fields_written)}{more}"


def _create(one: Able) -> str:
    if one.create:
        return f"no: {one.create}"
    return f"yes, with {' and '.join(one.required)}" if one.required else "yes"


def _batch(one: Able) -> str:
    return str(one.batch) if one.fields_written or one.consents_written or not one.create else "-"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _yes(can: bool) -> str:
    return "yes" if can else "no"
