"""Action Network: the people of one group. Reading is here, writing in `action_network_writes`.

The feed asks for people whose `modified_date` is after a moment. That moment is frozen for a whole poll; the next poll
begins with the time at which this one did, less an overlap: a person just written may be missing from a query for some
seconds. People come in no promised order, and page numbers drift while they change (see `drift`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from daemon.platforms.action_network_group import PAGE, ROOT, Group
from daemon.platforms.action_network_outreach import Recorder
from daemon.platforms.action_network_person import CAPABILITIES, Json, is_person, modified, person_id, record
from daemon.platforms.action_network_tags import Tagged, Tags
from daemon.platforms.action_network_writes import Writer
from daemon.platforms.answers import reading
from daemon.platforms.base import Connector, Cursor, Facts, Outcome, Page, Push, Record

if TYPE_CHECKING:
    from daemon.platforms.drift import Step
    from daemon.platforms.http import Api

SHOWN = 300
"""So many people of the overlap are remembered as shown, in the cursor. The others are shown again: no harm."""
SETTLED = 2.0
"""Seconds after which a second is over, on either clock: whoever changed in it would show a later one."""

Shown = dict[str, str]  # what a person looked like, by their id


class ActionNetwork(Connector):
    """One group. `overlap`: seconds the feed reaches back behind the start of the last poll."""

    platform = "action_network"
    capabilities = CAPABILITIES

    def __init__(
        self,
        api: Api,
        *,
        base_url: str,
        group: str,
        overlap: float = 120.0,
        facts: Facts,
        clock: Callable[[], float] = time.time,
        page: int = PAGE,
    ) -> None:
        self._api, self._overlap, self._clock = api, overlap, clock
        self.facts = facts
        self.account = f"action_network:{group}@{api.host}"
        self._group = Group(api, base_url, facts, clock, page)
        self._tags = Tags(self._group)
        self._writer = Writer(self._group, self._tags)
        self._recorder = Recorder(api, self._tags.ensure, root=ROOT)

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        """Everybody, page by page; at the end once more those who changed meanwhile. In the cursor: `since`, when it
        began; `at` and `last`, where it is (see `drift`)."""
        with reading("the people"):
            self._group.learn_fields()
            if not resume or "at" not in cursor:
                cursor = {"since": self._group.now(), "at": 0, "last": []}
            with contextlib.closing(self._tags.index(self._group.now(), self.breathe)) as index:
                tagged = Tagged(self._tags, index)
                for step in self._people(at=cursor["at"], last=cursor["last"]):
                    cursor = {"since": cursor["since"], "at": step.at, "last": step.last}
                    yield self._page(step.rows, cursor, tagged, ask=False)
                yield from self._recent(cursor["since"], {}, cursor, tagged, sweep=True)

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        """Who changed since the last poll began, less the overlap. In the cursor: `since`, and whom of the overlap
        it has `shown`."""
        with reading("the people"), contextlib.closing(Tagged(self._tags)) as tagged:
            since, shown = cursor.get("since", 0.0), cursor.get("shown", {})
            yield from self._recent(since, shown, {"since": since, "shown": shown}, tagged)

    def _recent(
        self, since: float, shown: Shown, meanwhile: Cursor, tagged: Tagged, *, sweep: bool = False
    ) -> Iterator[Page]:
        """Who changed since then and is not `shown`. Until all of them are read the cursor is `meanwhile`."""
        began = self._clock()
        kept: Shown = {}
        for step in self._people(where=f"modified_date gt '{_stamp(self._edge(since))}'"):
            start = began - self._group.ahead
            new = [row for row in step.rows if not is_person(row) or shown.get(person_id(row)) != _looks(row)]
            kept |= self._settled(step.rows, start, SHOWN - len(kept))
            yield self._page(new, meanwhile, tagged, ask=True)
        yield Page([], {"since": began - self._group.ahead, "shown": kept}, sweep)

    def _people(self, **more: Any) -> Iterator[Step]:
        return self._group.steps("/people", "osdi:people", **more)

    def _edge(self, since: float) -> float:
        """Times are whole seconds and `gt` leaves the second itself out, so one more is read."""
        return since - self._overlap - 1

    def _settled(self, rows: Sequence[Json], began: float, most: int) -> Shown:
        """Of these, whom the next poll will meet again just so, unless they change."""
        people = [row for row in rows if is_person(row)]
        dated = [(row, at) for row in people if (at := modified(row)) is not None]
        met = [row for row, at in dated if self._edge(began) < at < began - SETTLED]
        return {person_id(row): _looks(row) for row in met[: max(0, most)]}

    def _page(self, rows: Sequence[Any], cursor: Cursor, tagged: Tagged, *, ask: bool) -> Page:
        broken = [(type(row).__name__, "no person with an id") for row in rows if not is_person(row)]
        people = [row for row in rows if is_person(row)]
        tags = tagged.of(people, ask=ask)
        return Page([record(row, tags.get(person_id(row))) for row in people], cursor, broken=broken)

    @property
    def feed_is_sweep(self) -> bool:
        return False

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        """One call each, and so without their tags: an edit of a person moves none, and a tag is put on or taken off
        without a look at the others."""
        with reading("a person"):
            for external_id in external_ids:
                row = self._group.person(external_id)
                if row is not None:
                    yield record(row)

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        return self._writer.push(pushes)

    @property
    def outreaches(self) -> Recorder:
        return self._recorder

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        """The key, the tags, and the custom fields there are to be mapped."""
        with reading("the group"):
            self._group.find("email_address", "nobody@example.org")
            yield "people", True, "the key may read them"
            self._tags.refresh()
            yield "tags", True, f"{len(self._tags.names)} of them"
            names = self._group.learn_fields()
            yield "custom fields", True, ", ".join(names) if names else "none, so none can be written"

    def lacks(self, written: Collection[str]) -> list[tuple[str, str]]:
        """Custom fields the group does not have: what is written there would be dropped without a word."""
        names = {path.removeprefix("custom_fields.") for path in written if path.startswith("custom_fields.")}
        with reading("the custom fields"):
            gone = sorted(names - set(self._group.learn_fields())) if names else []
        return [(f"custom_fields.{name}", "the group has no such custom field; make it there first") for name in gone]

    def close(self) -> None:
        self._api.close()

    @property
    def calls(self) -> int:
        return self._api.calls

    @property
    def throttled(self) -> int:
        return self._api.throttled


def _stamp(at: float) -> str:
    return dt.datetime.fromtimestamp(max(0.0, at), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _looks(row: Json) -> str:
    body = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(body, digest_size=8).hexdigest()
