"""The service behind the twin: its people, its API, its misbehaviour, and the harm done to it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from daemon.errors import AnswerLost, NeedsPerson, RetryLater
from daemon.platforms.base import (
    Action,
    Capabilities,
    Create,
    Evidence,
    Exists,
    Gone,
    Lost,
    OptOut,
    Outcome,
    Push,
    Record,
    Refused,
    Stored,
    Update,
    Wire,
)
from tests.twin_rows import TwinRows, with_tags, without_tags

TEXTS = frozenset({"phone", "email", "first", "last", "city", "notes"})

FULL = Capabilities(
    read=TEXTS | {"tags", "custom", "opt_in"},
    update=TEXTS | {"custom"},
    create=TEXTS | {"custom"},
    consent_read=frozenset({"sms", "email"}),
    consent_write=frozenset({"sms", "email"}),
    dead=frozenset({"deac"}),
    add_tags=True,
    remove_tags=True,
    batch=10,
    fetch=50,
    compare_and_swap=True,
    feed="log",
)
"""Can do everything. Narrow it with `without`, e.g. `without(FULL, compare_and_swap=False)`."""

WRITES = ("push", "act")
"""Verbs that do some work; `act` records an outreach."""

FAULTS = ("later", "before", "person", "crash", "lost", "crash after")
"""later: refused for now. before: the connection breaks before the work. person: key refused. crash: the process
dies before the work. lost, crash after (writes only; else as later, crash): done, then the answer is gone, or the
process dies. A fault may also be an exception, which is raised before the work."""


class Crash(BaseException):
    """The process dies here. Not an Exception: nothing may catch it and carry on."""


class TwinPlatform(TwinRows):
    """The service. Give several platforms one `clock` to make their times comparable.

    tidy           what it makes of every record that is written, by whomever
    drops          keys that its API pretends to take, and does not
    receipts       whether its API answers a write with the record as it stored it
    page           rows or log lines a page
    feed_is_sweep  there is no log: `changes` reads everything
    evidence       whether the feed tells when and how each field changed
    """

    def __init__(
        self,
        name: str = "twin",
        *,
        clock: Callable[[], float] | None = None,
        capabilities: Capabilities = FULL,
        tidy: Callable[[Wire], Wire] | None = None,
        drops: frozenset[str] = frozenset(),
        receipts: bool = True,
        page: int = 50,
        feed_is_sweep: bool = False,
        evidence: bool = True,
    ) -> None:
        super().__init__(clock, tidy)
        self.name, self.capabilities, self.drops, self.receipts, self.page = name, capabilities, drops, receipts, page
        self.feed_is_sweep, self.evidence = feed_is_sweep, evidence
        self.said_no: set[tuple[str, str]] = set()  # (record, channel) whose owner said no and did not take it back
        self.harm: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()  # by verb: sweep, changes, fetch, lookup, push, find, act
        self.actions: list[Action] = []  # the outreaches that were recorded, by whomever
        self.sees_all = True  # a look-up of outreaches sees all there are
        self.pushes: list[Push] = []  # all that arrived
        self.writes: list[Push] = []  # those that changed a record
        self.idle_writes = 0  # those that changed nothing
        self.blind_writes = 0  # without compare-and-swap: to a record not read as it is now
        self.read_versions: dict[str, int] = {}
        self.before_call: Callable[[str], object] = lambda _: None
        self.before_push: Callable[[Push], object] = lambda _: None
        self.refuse: Callable[[Push], str | None] = lambda _: None
        self._faults: list[tuple[str, str | BaseException]] = []

    # What people do

    def add(
        self,
        *,
        tags: Sequence[str] = (),
        sms: bool | None = None,
        mail: bool | None = None,
        custom: dict[str, Any] | None = None,
        how: str = "manual",
        **texts: str | None,
    ) -> str:
        """A person makes a record; what is not named is blank. Returns its id."""
        opt_in = {"sms": sms, "email": mail}
        id_ = self._insert(self._blank(tags, opt_in) | texts | {"custom": dict(custom or {})}, how)
        self.said_no |= {(id_, channel) for channel, says in opt_in.items() if says is False}
        return id_

    def edit(self, id_: str, how: str = "manual", **values: Any) -> None:
        """A person changes fields; keys of `custom` and `opt_in` one by one."""
        self._write(id_, values, how)

    def tag(self, id_: str, *names: str) -> None:
        self._settle(id_)
        self._write(id_, {"tags": with_tags(self.rows[id_]["tags"], names)}, "manual")

    def untag(self, id_: str, *names: str) -> None:
        self._settle(id_)
        self._write(id_, {"tags": without_tags(self.rows[id_]["tags"], names)}, "manual")

    def opt_out(self, id_: str, channel: str = "sms", how: str = "keyword") -> None:
        """The person says no. Who says it again is heard again."""
        self.said_no.add((id_, channel))
        self._write(id_, {"opt_in": {channel: False}}, how, said=("opt_in",))

    def opt_in(self, id_: str, channel: str = "sms", how: str = "keyword") -> None:
        self.said_no.discard((id_, channel))
        self._write(id_, {"opt_in": {channel: True}}, how, said=("opt_in",))

    def delete(self, id_: str) -> None:
        """Gone, without a line in the log."""
        self._settle(id_)
        del self.rows[id_]

    def says_no(self, id_: str, channel: str = "sms") -> bool:
        return self.rows[id_]["opt_in"][channel] is False

    def undone(self) -> list[tuple[str, str]]:
        """Opt-outs that a person made here and that no longer stand."""
        return [(id_, channel) for id_, channel in self.said_no if id_ in self.rows and not self.says_no(id_, channel)]

    # How it misbehaves

    def fail(self, kind: str | BaseException, *, on: str = "push", after: int = 0, times: int = 1) -> None:
        """Of the calls of this verb ("any": of all), `after` more go well, then `times` go wrong."""
        assert isinstance(kind, BaseException) or kind in (*FAULTS, "none"), kind
        self._faults += [(on, "none")] * after + [(on, kind)] * times

    def heal(self) -> None:
        """Nothing goes wrong, and nobody is faster, from here on."""
        self._faults.clear()
        self.before_call = self.before_push = lambda _: None

    def call(self, verb: str) -> str | None:
        """One call begins. Returns what is to happen after the work, if anything is; raises the other faults."""
        self.calls[verb] += 1
        self.before_call(verb)
        kind = self._next_fault(verb)
        if isinstance(kind, BaseException):
            raise kind
        if kind == "person":
            raise NeedsPerson(f"{self.name} refused our key (401)")
        if kind == "before":
            raise AnswerLost(f"the connection to {self.name} broke")
        if kind == "crash" or (kind == "crash after" and verb not in WRITES):
            raise Crash
        if kind == "later" or (kind == "lost" and verb not in WRITES):
            raise RetryLater(f"{self.name} is busy (503)")
        return kind

    def after_work(self, kind: str | None) -> None:
        """A push was done: now what `call` announced happens."""
        if kind == "lost":
            raise AnswerLost(f"{self.name} took a write but its answer was lost")
        if kind == "crash after":
            raise Crash

    def _next_fault(self, verb: str) -> str | BaseException | None:
        for place, (on, kind) in enumerate(self._faults):
            if on in (verb, "any"):
                del self._faults[place]
                return None if kind == "none" else kind
        return None

    # What its API does

    def show(self, id_: str, evidence: dict[str, Evidence] | None = None) -> Record:
        """A record on its way to a client."""
        row = self.rows[id_]
        self.read_versions[id_] = row.version
        wire = {key: copy.deepcopy(value) for key, value in row.items() if key in self.capabilities.read}
        return Record(id_, wire, str(row.version), row.at, evidence or {})

    def take(self, push: Push) -> Outcome:
        """Do one push, and count what it destroys."""
        self.before_push(push)
        self.pushes.append(push)
        if reason := self.refuse(push):
            return Refused(push.ref, reason)
        if isinstance(push, Create):
            return self._create(push)
        if push.external_id not in self.rows:
            return Gone(push.ref)
        self._settle(push.external_id)
        return self._opt_out(push) if isinstance(push, OptOut) else self._update(push)

    def _create(self, push: Create) -> Outcome:
        if reason := self._cannot(push, self.capabilities.create):
            return Refused(push.ref, reason)
        known = self.twins(push.phone, push.email)
        if known:
            self.harm["duplicate created"] += 1
        if any(self.says_no(id_, channel) for id_ in known for channel in push.subscribed):
            self.harm["resubscribed"] += 1
        says = {one: one in push.subscribed for one in self.capabilities.consent_write}
        wire = self._blank(push.add_tags, says) | self._heeded(push)
        self.writes.append(push)
        return self._stored(push, self._insert(wire, "api", late=False))

    def _update(self, push: Update) -> Outcome:
        if reason := self._cannot(push, self.capabilities.update):
            return Refused(push.ref, reason)
        row = self.rows[push.external_id]
        if self.capabilities.compare_and_swap:
            if push.version is None:
                self.harm["blind update"] += 1
            if push.version != str(row.version):
                return Lost(push.ref, self.show(push.external_id))
        elif self.read_versions.get(push.external_id) != row.version:
            self.blind_writes += 1
        if taken := self._taken(push):
            return Exists(push.ref, tuple(self.show(id_) for id_ in taken))
        tags = without_tags(with_tags(row["tags"], push.add_tags), push.remove_tags)
        values = self._heeded(push) | ({"tags": tags} if tags != row["tags"] else {})
        for channel, key in (("sms", "phone"), ("email", "email")):
            if channel in self.capabilities.starts_no and values.get(key) and not row[key]:
                values["opt_in"] = {**values.get("opt_in", {}), channel: False}
        return self._changed(push, values)

    def _opt_out(self, push: OptOut) -> Outcome:
        if push.channel not in self.capabilities.consent_write:
            self.harm["asked for what it cannot do"] += 1
            return Refused(push.ref, f"no consent to {push.channel} here")
        return self._changed(push, {"opt_in": {push.channel: False}})

    def _changed(self, push: Update | OptOut, values: Wire) -> Stored:
        if self._write(push.external_id, values, "api", late=False):
            self.writes.append(push)
        else:
            self.idle_writes += 1
        return self._stored(push, push.external_id)

    def _stored(self, push: Push, id_: str) -> Stored:
        return Stored(push.ref, id_, self.show(id_) if self.receipts else None)

    def _heeded(self, push: Create | Update) -> Wire:
        return {key: copy.deepcopy(value) for key, value in push.wire.items() if key not in self.drops}

    def _taken(self, push: Update) -> list[str]:
        """The other records that have what no two can share, and what this push would give to one more."""
        found: set[str] = set()
        for key in self.capabilities.unique & push.wire.keys():
            found.update(self.twins(**{"phone": None, "email": None, key: push.wire[key]}))
        return sorted(found - {push.external_id})

    def _cannot(self, push: Create | Update, allowed: frozenset[str]) -> str:
        remove = push.remove_tags if isinstance(push, Update) else ()
        lacking = set(push.wire) - allowed
        tags = (push.add_tags and not self.capabilities.add_tags) or (remove and not self.capabilities.remove_tags)
        if "opt_in" in push.wire:
            self.harm["consent in an ordinary write"] += 1
        if lacking or tags or (isinstance(push, Create) and not allowed):
            self.harm["asked for what it cannot do"] += 1
            return "this platform cannot take that"
        needs = self.capabilities.required if isinstance(push, Create) else ()
        return "an identifier is missing" if any(getattr(push, one) is None for one in needs) else ""

    def _blank(self, tags: Sequence[str], opt_in: dict[str, bool | None] | dict[str, bool]) -> Wire:
        texts = sorted(self.capabilities.read - {"tags", "custom", "opt_in"})
        named: Wire = {"custom": {}, "tags": [{"name": tag} for tag in tags]}
        return dict.fromkeys(texts) | named | {"opt_in": {"sms": None, "email": None, **opt_in}}


def without(capabilities: Capabilities, **changes: Any) -> Capabilities:
    """The same capabilities but for some."""
    return replace(capabilities, **changes)
