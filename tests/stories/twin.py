"""An in-memory platform that keeps the connector contract: fast, strict, and as awkward as a test asks for.

`TwinPlatform` is the account (people edit it, tests look at it); `TwinConnector` is the way rosterd sees it.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from daemon.errors import AnswerLost, NeedsPerson, RetryLater
from daemon.platforms.base import (
    Capabilities,
    Connector,
    Create,
    Cursor,
    Evidence,
    Exists,
    Facts,
    Gone,
    Lost,
    OptOut,
    Outcome,
    Page,
    Push,
    Record,
    Refused,
    Stored,
    Update,
)

COLUMNS = frozenset({"phone", "email", "first", "last", "city", "notes", "custom"})

FULL = Capabilities(
    read=COLUMNS | {"tags", "opt_in"},
    update=COLUMNS,
    create=COLUMNS,
    consent_read=frozenset({"sms", "email"}),
    consent_write=frozenset({"sms", "email"}),
    dead=frozenset({"deac"}),
    add_tags=True,
    remove_tags=True,
    batch=20,
    fetch=50,
    compare_and_swap=True,
    feed="a log of changes",
)

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

NAME_ONLY = MAPPING.replace("  given_name: first\n  family_name: last\n", "  full_name: name\n")
NAMED = replace(FULL, update=(COLUMNS | {"name"}) - {"first", "last"}, create=(COLUMNS | {"name"}) - {"first", "last"})


class Crash(BaseException):
    """The process dies here. Not an Exception: nothing may catch it and carry on."""


class TwinPlatform:
    """One account, held in memory."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        capabilities: Capabilities = FULL,
        page: int = 50,
        tidy: Callable[[dict[str, Any]], dict[str, Any]] = lambda wire: wire,
        receipts: bool = True,
        feed_is_sweep: bool = False,
    ) -> None:
        self.clock, self.capabilities, self.page, self.tidy = clock, capabilities, page, tidy
        self.receipts, self.feed_is_sweep = receipts, feed_is_sweep
        self.rows: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.times: dict[str, float] = {}
        self.how: dict[str, dict[str, Evidence]] = {}
        self.hidden: set[str] = set()  # committed late: not visible in the feed yet
        self.said_no: set[tuple[str, str]] = set()  # (record, channel) whose owner said no and did not take it back
        self.log: list[Push] = []  # pushes that arrived
        self.calls: list[str] = []
        self.harm: Counter[str] = Counter()
        self.faults: list[tuple[str, str]] = []  # (where: sweep, changes, fetch, push; what), used up in order
        self.before_push: Callable[[Push], None] = lambda _: None
        self.refuse: Callable[[Push], str | None] = lambda _: None
        self._numbers = itertools.count(1)
        self._versions = itertools.count(1)

    # what people do there

    def add(
        self, *, tags: Sequence[str] = (), sms: bool | None = None, mail: bool | None = None, **columns: Any
    ) -> str:
        """A person adds a record; columns not named are blank. Returns its id."""
        external_id = str(next(self._numbers))
        blank: dict[str, Any] = dict.fromkeys(sorted(self.capabilities.update - {"custom"}))
        self.rows[external_id] = {
            **blank,
            "custom": {},
            **columns,
            "tags": [{"name": tag} for tag in tags],
            "opt_in": {"sms": sms, "email": mail},
        }
        self._touch(external_id)
        return external_id

    def edit(self, external_id: str, *, how: str = "manual", **columns: Any) -> None:
        self.rows[external_id].update(copy.deepcopy(columns))
        self._touch(external_id, {key: Evidence(self.clock(), how) for key in columns})

    def tag(self, external_id: str, *names: str) -> None:
        tags = {tag["name"] for tag in self.rows[external_id]["tags"]} | set(names)
        self.edit(external_id, tags=[{"name": tag} for tag in sorted(tags)])

    def untag(self, external_id: str, *names: str) -> None:
        tags = {tag["name"] for tag in self.rows[external_id]["tags"]} - set(names)
        self.edit(external_id, tags=[{"name": tag} for tag in sorted(tags)])

    def opt_out(self, external_id: str, channel: str = "sms", *, how: str = "keyword") -> None:
        self.said_no.add((external_id, channel))
        self.edit(external_id, how=how, opt_in={**self.rows[external_id]["opt_in"], channel: False})

    def opt_in(self, external_id: str, channel: str = "sms") -> None:
        self.said_no.discard((external_id, channel))
        self.edit(external_id, how="keyword", opt_in={**self.rows[external_id]["opt_in"], channel: True})

    def delete(self, external_id: str) -> None:
        del self.rows[external_id]

    def says_no(self, external_id: str, channel: str = "sms") -> bool:
        return self.rows[external_id]["opt_in"][channel] is False

    def tags(self, external_id: str) -> set[str]:
        return {tag["name"] for tag in self.rows[external_id]["tags"]}

    def find(self, **columns: Any) -> list[str]:
        return [i for i, row in self.rows.items() if all(row.get(k) == v for k, v in columns.items())]

    def one(self, **columns: Any) -> dict[str, Any]:
        (found,) = self.find(**columns)
        return self.rows[found]

    def fail(self, where: str, *what: str) -> None:
        """The next calls of this kind fail: later, person, lost (done, but the answer is lost), before, crash."""
        self.faults += [(where, each) for each in what]

    # what the connector does there

    def _touch(self, external_id: str, how: dict[str, Evidence] | None = None) -> None:
        self.versions[external_id] = next(self._versions)
        self.times[external_id] = self.clock()
        self.how.setdefault(external_id, {}).update(how or {})

    def record(self, external_id: str) -> Record:
        return Record(
            external_id,
            copy.deepcopy(self.rows[external_id]),
            str(self.versions[external_id]),
            self.times[external_id],
            dict(self.how.get(external_id, {})),
        )

    def fault(self, where: str) -> str | None:
        for place, (kind, what) in enumerate(self.faults):
            if kind == where:
                del self.faults[place]
                return what
        return None

    def stumble(self, where: str) -> str | None:
        """Fail now if a test asked for it; "lost" is for the caller to carry out."""
        self.calls.append(where)
        what = self.fault(where)
        if what == "later":
            raise RetryLater("the twin is busy")
        if what == "person":
            raise NeedsPerson("the twin refuses our key")
        if what == "before":
            raise AnswerLost("the connection broke before the work")
        if what == "crash":
            raise Crash
        return what

    def apply(self, push: Push) -> Outcome:
        self.log.append(push)
        if reason := self.refuse(push):
            return Refused(push.ref, reason)
        if isinstance(push, Create):
            return self._create(push)
        if push.external_id not in self.rows:
            return Gone(push.ref)
        return self._opt_out(push) if isinstance(push, OptOut) else self._update(push)

    def _create(self, push: Create) -> Outcome:
        same = [i for key in ("phone", "email") if (v := getattr(push, key)) for i in self._with(key, v)]
        if same:
            return Exists(push.ref, tuple(self.record(i) for i in dict.fromkeys(same)))
        wire = self.tidy(copy.deepcopy(push.wire))
        consent = {c: (c in push.subscribed) for c in ("sms", "email")}
        new = self.add(tags=push.add_tags, sms=consent["sms"], mail=consent["email"], **wire)
        return Stored(push.ref, new, self.record(new) if self.receipts else None)

    def _with(self, key: str, value: str) -> list[str]:
        return [
            i for i, row in self.rows.items() if isinstance(row.get(key), str) and row[key].lower() == value.lower()
        ]

    def _update(self, push: Update) -> Outcome:
        assert "opt_in" not in push.wire, "an update never carries consent"
        row = self.rows[push.external_id]
        if self.capabilities.compare_and_swap:
            if push.version is None:
                self.harm["blind"] += 1
            if push.version != str(self.versions[push.external_id]):
                return Lost(push.ref, self.record(push.external_id))
        for key in self.capabilities.unique:
            if push.wire.get(key) and set(self._with(key, push.wire[key])) - {push.external_id}:
                return Refused(push.ref, f"another record has this {key}")
        wire = self.tidy(copy.deepcopy(push.wire))
        if "custom" in wire:
            wire["custom"] = {**row["custom"], **wire["custom"]}
        tags = (self.tags(push.external_id) | set(push.add_tags)) - set(push.remove_tags)
        row.update(wire, tags=[{"name": tag} for tag in sorted(tags)])
        self._touch(push.external_id, {key: Evidence(self.clock(), "api") for key in push.wire})
        return Stored(push.ref, push.external_id, self.record(push.external_id) if self.receipts else None)

    def _opt_out(self, push: OptOut) -> Outcome:
        self.rows[push.external_id]["opt_in"][push.channel] = False
        self._touch(push.external_id, {"opt_in": Evidence(self.clock(), "api")})
        return Stored(push.ref, push.external_id, self.record(push.external_id) if self.receipts else None)

    def undone(self) -> list[tuple[str, str]]:
        """Opt-outs that a person made here and that no longer stand."""
        return [(i, c) for i, c in self.said_no if i in self.rows and not self.says_no(i, c)]


class TwinConnector(Connector):
    """How rosterd sees the twin."""

    platform: ClassVar[str] = "twin"

    def __init__(self, twin: TwinPlatform, facts: Facts, account: str = "") -> None:
        self.twin, self.facts, self.account = twin, facts, account
        self.capabilities = twin.capabilities
        self._calls = 0

    @property
    def feed_is_sweep(self) -> bool:
        return self.twin.feed_is_sweep

    @property
    def calls(self) -> int:
        return self._calls

    def close(self) -> None:
        """Nothing to let go of."""

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        twin = self.twin
        cursor = cursor if resume else {}
        after = int(cursor.get("sweep", 0))
        mark = cursor["changes"] if "sweep" in cursor else max(twin.versions.values(), default=0)
        while True:
            self._stumble("sweep")
            ids = [i for i in sorted(twin.rows, key=int) if int(i) > after and i not in twin.hidden][: twin.page]
            if not ids:
                break
            after = int(ids[-1])
            yield Page([twin.record(i) for i in ids], {"changes": mark, "sweep": after})
        yield Page([], {"changes": mark}, sweep_done=True)

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        if self.twin.feed_is_sweep:
            yield from self.sweep({})
            return
        yield from self._log(cursor)

    def _log(self, cursor: Cursor) -> Iterator[Page]:
        twin, seen = self.twin, int(cursor["changes"])
        late = set(cursor.get("late", ()))
        while True:
            self._stumble("changes")
            moved = sorted((v, i) for i, v in twin.versions.items() if (v > seen or i in late) and i in twin.rows)
            visible = [(v, i) for v, i in moved if i not in twin.hidden][: twin.page]
            if not visible:
                return
            seen = max(seen, visible[-1][0])
            late = {i for i in twin.hidden if i in twin.rows} | (late - {i for _, i in visible})
            yield Page([twin.record(i) for _, i in visible], {"changes": seen, "late": sorted(late)})

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        for start in range(0, len(external_ids), self.capabilities.fetch):
            self._stumble("fetch")
            for external_id in external_ids[start : start + self.capabilities.fetch]:
                if external_id in self.twin.rows:
                    yield self.twin.record(external_id)

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        for push in pushes:
            self.twin.before_push(push)
            lost = self._stumble("push")
            outcome = self.twin.apply(push)
            if lost == "lost":
                raise AnswerLost("the connection broke after the work")
            yield outcome

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        yield "key", True, "accepted"

    def _stumble(self, where: str) -> str | None:
        self._calls += 1
        return self.twin.stumble(where)
