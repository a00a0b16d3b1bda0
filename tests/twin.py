"""A platform in memory: fast, deterministic, strict, and able to misbehave on demand.

`TwinPlatform` is the service: its records, what people do to them by hand, faults, races, rows that show late,
and counts of the harm a bad client did. `TwinConnector` speaks to it through the same contract as the others.

    site = TwinPlatform("a", clock=clock)
    ada = site.add(phone="+12025550101", first="Ada", tags=["volunteer"])
    site.edit(ada, city="London")
    site.opt_out(ada)                        # the person said STOP
    site.tidy = lambda wire: {**wire, "city": (wire["city"] or "").upper() or None}
    site.fail("lost", on="push")             # the next push is done, its answer lost; see FAULTS
    site.fail("crash", on="sweep", after=2)  # the third page of the sweep kills the process
    site.before_push = lambda push: ...      # a person edits between our reading and our writing
    with site.late(): site.edit(ada, notes="…")  # takes its place in the log now, shows at site.commit()
    assert not site.harm and not site.undone()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daemon.platforms.base import (
    Acted,
    Action,
    ActionsFound,
    Connector,
    Create,
    Cursor,
    Evidence,
    Exists,
    Facts,
    Outcome,
    Page,
    Push,
    Record,
    chunks,
)
from tests.twin_platform import FULL, Crash, TwinPlatform, without
from tests.twin_rows import Entry

__all__ = ["FULL", "MAPPING", "NAMED", "NAME_ONLY", "Crash", "TwinConnector", "TwinPlatform", "without"]

MAPPING = """\
platform: twin
fields:
  phone: phone
  email: email
  given_name: first
  family_name: last
  city: city
  notes: notes
  custom.shoe: {at: custom.shoe, missing: blank}
tags: {at: "tags[].name"}
consent:
  sms: {at: opt_in.sms, map: {true: subscribed, false: unsubscribed, null: unknown}}
  email: {at: opt_in.email, map: {true: subscribed, false: unsubscribed, null: unknown}}
"""

_OTHER = {"name"} ^ {"first", "last"}
NAMED = without(FULL, read=FULL.read ^ _OTHER, update=FULL.update ^ _OTHER, create=FULL.create ^ _OTHER)
NAME_ONLY = MAPPING.replace("  given_name: first\n  family_name: last\n", "  full_name: name\n")
"""A platform that has one name where the others have two."""


class TwinOutreaches:
    """Records what people did; not deduplicated. An outreach is called by its place in the list."""

    def __init__(self, site: TwinPlatform) -> None:
        self.site = site

    def find(self, external_id: str, campaign: str, since: int, until: int) -> ActionsFound | None:
        self.site.call("find")
        if external_id not in self.site.rows:
            return None
        found = tuple(
            str(place)
            for place, one in enumerate(self.site.actions)
            if (one.external_id, one.campaign) == (external_id, campaign) and since <= one.at <= until
        )
        return ActionsFound(found if self.site.sees_all else (), self.site.sees_all)

    def send(self, action: Action) -> Acted | None:
        then = self.site.call("act")
        if action.external_id not in self.site.rows:
            return None
        self.site.actions.append(action)
        self.site.after_work(then)
        return Acted(str(len(self.site.actions) - 1), action.external_id)

    def knows(self, campaign: str) -> bool:
        """It keeps no list of campaigns: whatever is recorded is recorded somewhere."""
        del campaign
        return True


class TwinConnector(Connector):
    """Speaks to a TwinPlatform. Make a new one after a "restart"; the platform lives on."""

    platform = "twin"
    OVERLAP = 20  # lines of the log read again

    def __init__(self, site: TwinPlatform, facts: Facts | None = None) -> None:
        self.site, self.capabilities = site, site.capabilities
        self.facts = {} if facts is None else facts
        self.account = f"twin:{site.name}"
        self.closed = False
        self._before = site.calls.total()

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        if not resume or "after" not in cursor:
            cursor = {**self._feed(cursor), "after": 0}
        while True:
            self.site.call("sweep")
            ids = sorted(id_ for id_ in map(int, self.site.rows) if id_ > cursor["after"])[: self.site.page]
            if not ids:
                yield Page((), {"pos": cursor["pos"], "seen": cursor["seen"]}, sweep_done=True)
                return
            cursor = {**cursor, "after": ids[-1]}
            yield Page([self.site.show(str(id_)) for id_ in ids], cursor)

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        if self.feed_is_sweep:
            yield from self.sweep(cursor if "after" in cursor else {})
            return
        while True:
            self.site.call("changes")
            seen = set(cursor["seen"])
            news = [line for line in self.site.log if line.seq > cursor["pos"] - self.OVERLAP and line.seq not in seen]
            if not news:
                return
            page = news[: self.site.page]
            pos = max(cursor["pos"], page[-1].seq)
            cursor = self._cursor(pos, seen | {line.seq for line in page})
            yield Page(list(self._named(page)), cursor)

    def _feed(self, cursor: Cursor) -> Cursor:
        """Where the log was left; else where it stands: what shows in it now, a sweep that begins now will see."""
        lines = {line.seq for line in self.site.log}
        return cursor if "pos" in cursor else self._cursor(max(lines, default=0), lines)

    def _cursor(self, pos: int, seen: set[int]) -> Cursor:
        return {"pos": pos, "seen": sorted(seq for seq in seen if seq > pos - self.OVERLAP)}

    def _named(self, lines: list[Entry]) -> Iterator[Record]:
        told: dict[str, dict[str, Evidence]] = {}
        for line in lines:
            how = {key: Evidence(line.at, line.how) for key in line.keys} if self.site.evidence else {}
            told.setdefault(line.id, {}).update(how)
        return (self.site.show(id_, evidence) for id_, evidence in told.items() if id_ in self.site.rows)

    @property
    def feed_is_sweep(self) -> bool:
        return self.site.feed_is_sweep

    @property
    def outreaches(self) -> TwinOutreaches | None:
        return TwinOutreaches(self.site) if self.capabilities.outreach else None

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        for some in chunks(external_ids, self.capabilities.fetch):
            self.site.call("fetch")
            yield from [self.site.show(id_) for id_ in some if id_ in self.site.rows]

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        refs = [push.ref for push in pushes]
        if len(set(refs)) != len(refs):
            self.site.harm["one ref twice"] += 1
        for batch in chunks(pushes, self.capabilities.batch):
            exist = {push.ref: found for push in batch if isinstance(push, Create) and (found := self._look_up(push))}
            then = self.site.call("push")
            outcomes = [exist.get(push.ref) or self._take(push) for push in batch]
            self.site.after_work(then)
            yield from outcomes

    def _look_up(self, push: Create) -> Exists | None:
        self.site.call("lookup")
        found = self.site.twins(push.phone, push.email)
        return Exists(push.ref, tuple(self.site.show(id_) for id_ in found)) if found else None

    def _take(self, push: Push) -> Outcome:
        """Two new records of one batch may be the same person: look again before each."""
        if isinstance(push, Create) and (found := self.site.twins(push.phone, push.email)):
            return Exists(push.ref, tuple(self.site.show(id_) for id_ in found))
        return self.site.take(push)

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        self.site.call("probe")
        yield "key", True, f"{len(self.site.rows)} records"

    def close(self) -> None:
        self.closed = True

    @property
    def calls(self) -> int:
        return self.site.calls.total() - self._before
