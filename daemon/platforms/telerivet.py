"""Telerivet: the contacts of one project. Reading is here, writing in `telerivet_writes`.

The contact query neither filters nor sorts by `time_updated` (Telerivet docs, 'Query contacts'), so there are
two feeds. SCAN reads everything and lets the sync compare. DYNAMIC GROUP makes one group in the account whose
filter is `time_updated >= T`, moves T with each poll, and reads its members; newer accounts have it.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from daemon.errors import NeedsPerson, RetryLater
from daemon.platforms.answers import Answer, ApiError, mapping, reading
from daemon.platforms.base import Connector, Cursor, Facts, Outcome, Page, Push, Record
from daemon.platforms.telerivet_contact import CAPABILITIES, Project, group_path, is_contact
from daemon.platforms.telerivet_writes import Writer

if TYPE_CHECKING:
    from daemon.platforms.http import Api

Feed = Literal["auto", "scan", "dynamic_group"]


class Telerivet(Connector):
    """One project. `overlap`: seconds the dynamic group reaches back behind the start of the last poll."""

    platform = "telerivet"
    capabilities = CAPABILITIES

    def __init__(
        self,
        api: Api,
        *,
        project_id: str,
        feed: Feed = "auto",
        overlap: float = 120.0,
        facts: Facts,
        clock: Callable[[], float] = time.time,
        group_name: str = "rosterd feed",
    ) -> None:
        self._api, self._feed, self._overlap, self._clock = api, feed, overlap, clock
        self._group_name = group_name
        self.facts = facts
        self.account = f"telerivet:{project_id}@{api.host}"
        self._project = Project(api, project_id, facts, group_name)
        self._writer = Writer(self._project)

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        """All contacts, by marker. `since` in the cursor: when the sweep began, on the earlier of two clocks."""
        with reading("the contacts"):
            if not resume or "marker" not in cursor:
                cursor = {"since": self._begin(), "marker": ""}
            for page, marker in self._contacts(cursor["marker"]):
                following = {**cursor, "marker": marker} if marker else {"since": cursor["since"]}
                yield self._page(page, following, sweep_done=not marker)

    def _begin(self) -> int:
        """Learn the groups and the feed, and take the time."""
        self._project.refresh_groups()
        self._uses_group()
        return self._now()

    def _contacts(self, marker: str) -> Iterator[tuple[list[Any], str]]:
        """From a marker on. The contact it names may be gone since: then from the start."""
        try:
            yield from self._project.pages("/contacts", marker)
        except ApiError as problem:
            if not marker or problem.status not in (400, 404):
                raise
            yield from self._project.pages("/contacts")

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        """The members of the dynamic group, or everything (from where a broken reading left off)."""
        with reading("the contacts"):
            group = self._moved_group(cursor.get("since")) if self._uses_group() else None
        if group is None:
            yield from self.sweep(cursor if "marker" in cursor else {})
            return
        began = self._now()
        with reading("the feed group"):
            for page, marker in self._project.pages(group_path(group) + "/contacts"):
                yield self._page(page, cursor if marker else {"since": began})

    def _uses_group(self) -> bool:
        """Whether changes come from a dynamic group: as configured, or as the account's own API says."""
        if self._feed != "auto":
            return self._feed == "dynamic_group"
        if "dynamic_groups" not in self.facts:
            self.facts["dynamic_groups"] = self._offers_groups()
        return bool(self.facts["dynamic_groups"])

    def _offers_groups(self) -> bool:
        try:
            document = mapping(self._api.request("GET", "/openapi.json", safe=True))
        except ApiError:
            return False
        paths = document.get("paths")
        return isinstance(paths, dict) and any(path.endswith("/create_group") for path in paths)

    def _moved_group(self, since: int | None) -> str | None:
        """The feed group, reaching back to `since` less the overlap. None: this account has no such groups."""
        edge = 0 if since is None else int(since - self._overlap)
        try:
            return self._move_or_make({"time_updated": {"gte": edge}})
        except ApiError as problem:
            if self._feed == "auto":
                self.facts["dynamic_groups"] = False
                return None
            raise NeedsPerson(
                f"this account has no dynamic groups: {problem}",
                hint='set feed = "scan" for this connection',
            ) from problem

    def _move_or_make(self, filters: dict[str, Any]) -> str:
        group = self._feed_group_id()
        if group is not None:
            try:
                self._project.post(group_path(group), {"filters": filters}, safe=True)
                return group
            except ApiError as problem:
                if problem.status != 404:
                    raise
                del self._project.groups[group]
        made = self._project.post("/create_group", {"name": self._group_name, "filters": filters})
        return self._project.learn_group(made, dynamic=True)

    def _feed_group_id(self) -> str | None:
        """By its name among the groups; looked for anew where the facts were lost."""
        ours = [self._group_name, True]
        if ours not in self._project.groups.values():
            self._project.refresh_groups()
        return next((one for one, group in self._project.groups.items() if group == ours), None)

    def _now(self) -> int:
        """Our clock or the server's, whichever is behind: a fast one would skip what is stored just now."""
        ours = self._clock()
        try:
            theirs = email.utils.parsedate_to_datetime(self._project.date).timestamp()
        except (TypeError, ValueError):
            return int(ours)
        return int(min(ours, theirs))

    @property
    def feed_is_sweep(self) -> bool:
        return not self._uses_group()

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        """One call each: Telerivet has no query by several ids."""
        with reading("a contact"):
            for external_id in external_ids:
                answer = self._project.contact(external_id)
                if answer is not None:
                    yield self._record(answer)

    def _record(self, answer: Answer) -> Record:
        if not is_contact(answer.data):
            raise RetryLater("the platform answered with something other than a contact")
        return self._project.record(answer.data)

    def _page(self, rows: list[Any], cursor: Cursor, *, sweep_done: bool = False) -> Page:
        broken = [(type(row).__name__, "no contact with an id") for row in rows if not is_contact(row)]
        records = [self._project.record(row) for row in rows if is_contact(row)]
        return Page(records, cursor, sweep_done, broken)

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        return self._writer.push(pushes)

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        """Key and project, how many contacts, and which feed."""
        with reading("the project"):
            project = mapping(self._project.get(""))
            yield "project", True, f"the key may see it ({project.get('name', 'no name')})"
            count = mapping(self._project.get("/contacts", {"count": "1"})).get("count")
            yield "contacts", isinstance(count, int), f"{count} of them"
            self._project.refresh_groups()
            dynamic = sum(1 for _, is_dynamic in self._project.groups.values() if is_dynamic)
            yield "groups", True, f"{len(self._project.groups) - dynamic}, and {dynamic} dynamic ones (left out)"
            self.facts.pop("dynamic_groups", None)
            kind = f"the dynamic group {self._group_name!r}" if self._uses_group() else "reading all contacts"
            yield "feed", True, f"changes come from {kind}"

    def close(self) -> None:
        self._api.close()

    @property
    def calls(self) -> int:
        return self._api.calls

    @property
    def throttled(self) -> int:
        return self._api.throttled
