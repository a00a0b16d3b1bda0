"""The service behind the twin: its records, its people, its misbehaviour, and the harm done to it."""

from __future__ import annotations

import bisect
import contextlib
import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.errors import NeedsPerson, RetryLater
from daemon.platforms.base import (
    Capabilities,
    Create,
    Evidence,
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

TEXTS = ("phone", "email", "first", "last", "city", "notes")

FULL = Capabilities(
    read=frozenset({*TEXTS, "tags", "custom", "opt_in"}),
    update=frozenset({*TEXTS, "custom"}),
    create=frozenset({*TEXTS, "custom"}),
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
"""Can do everything. Narrow it with dataclasses.replace, e.g. `replace(FULL, compare_and_swap=False)`."""

FAULTS = ("later", "lost", "person")
"""later: refused for now, nothing done. lost: done (pushes only; otherwise as later), answer gone. person: key
refused. A fault may also be an exception, which is raised before the work."""


@dataclass
class Row:
    wire: Wire
    version: int
    at: float


@dataclass(order=True)
class Entry:
    """One line of the change log."""

    seq: int
    id: str = field(compare=False)
    keys: tuple[str, ...] = field(compare=False)
    at: float = field(compare=False)
    how: str = field(compare=False)


class TwinPlatform:
    """The service. Give several platforms one `clock` to make their times comparable.

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
        page: int = 50,
        feed_is_sweep: bool = False,
        evidence: bool = True,
    ) -> None:
        ticks = itertools.count(1_700_000_000)
        self.name, self.capabilities, self.tidy, self.page = name, capabilities, tidy, page
        self.feed_is_sweep, self.evidence = feed_is_sweep, evidence
        self.clock: Callable[[], float] = clock or (lambda: float(next(ticks)))
        self.rows: dict[str, Row] = {}
        self.log: list[Entry] = []
        self.harm: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()  # by verb: sweep, changes, fetch, lookup, push
        self.writes: list[Push] = []  # every push that changed a record
        self.idle_writes = 0  # pushes that changed nothing
        self.blind_writes = 0  # without compare-and-swap: to a record not read as it is now
        self.read_versions: dict[str, int] = {}
        self.before_push: Callable[[Push], object] | None = None
        self.fault: Callable[[str], str | BaseException | None] = self._next_fault
        self._faults: list[tuple[str, str | BaseException]] = []
        self._pending: list[tuple[str, Callable[[], None]]] = []
        self._late = False
        self._ids, self._seqs = itertools.count(1), itertools.count(1)

    # What people do

    def add(
        self,
        *,
        tags: Sequence[str] = (),
        opt_in: dict[str, bool | None] | None = None,
        custom: dict[str, Any] | None = None,
        how: str = "manual",
        **texts: str | None,
    ) -> str:
        """A person makes a record. Returns its id."""
        wire: Wire = {**dict.fromkeys(TEXTS), **texts, "tags": [{"name": tag} for tag in tags]}
        wire |= {"custom": dict(custom or {}), "opt_in": {"sms": None, "email": None, **(opt_in or {})}}
        return self._insert(wire, how)

    def edit(self, id_: str, how: str = "manual", **values: Any) -> None:
        """A person changes fields; keys of `custom` and `opt_in` one by one."""
        self._write(id_, values, how)

    def tag(self, id_: str, *names: str) -> None:
        self._settle(id_)
        self._write(id_, {"tags": _with(self.rows[id_].wire["tags"], names)}, "manual")

    def untag(self, id_: str, *names: str) -> None:
        self._settle(id_)
        self._write(id_, {"tags": _without(self.rows[id_].wire["tags"], names)}, "manual")

    def opt_out(self, id_: str, channel: str = "sms", how: str = "keyword") -> None:
        self._write(id_, {"opt_in": {channel: False}}, how)

    def opt_in(self, id_: str, channel: str = "sms", how: str = "keyword") -> None:
        self._write(id_, {"opt_in": {channel: True}}, how)

    def delete(self, id_: str) -> None:
        """Gone, without a line in the log."""
        self._settle(id_)
        del self.rows[id_]

    def wires(self) -> dict[str, Wire]:
        """All records as they are, copies, by id."""
        return {id_: copy.deepcopy(row.wire) for id_, row in self.rows.items()}

    # How it misbehaves

    def fail(self, kind: str | BaseException, *, on: str = "push", times: int = 1) -> None:
        """The next `times` calls of this verb ("any": of all) go wrong."""
        self._faults += [(on, kind)] * times

    @contextlib.contextmanager
    def late(self) -> Iterator[None]:
        """What people write inside takes its place in the log now and shows at `commit`."""
        self._late = True
        try:
            yield
        finally:
            self._late = False

    def commit(self) -> None:
        """Everything written late shows from here on."""
        pending, self._pending = self._pending, []
        for _, apply in pending:
            apply()

    # What its API does

    def call(self, verb: str) -> str | None:
        """One call begins. Returns "lost" if its answer is to get lost; raises the other faults."""
        self.calls[verb] += 1
        kind = self.fault(verb)
        if isinstance(kind, BaseException):
            raise kind
        if kind == "person":
            raise NeedsPerson(f"{self.name} refused our key (401)")
        if kind == "later" or (kind == "lost" and verb != "push"):
            raise RetryLater(f"{self.name} is busy (503)")
        return kind

    def show(self, id_: str, evidence: dict[str, Evidence] | None = None) -> Record:
        """A record on its way to a client."""
        row = self.rows[id_]
        self.read_versions[id_] = row.version
        wire = {key: copy.deepcopy(value) for key, value in row.wire.items() if key in self.capabilities.read}
        return Record(id_, wire, str(row.version), row.at, evidence or {})

    def twins(self, phone: str | None, email: str | None) -> list[str]:
        """The records that have this phone or this email."""
        return [id_ for id_, row in self.rows.items() if _same(row.wire, phone, email)]

    def take(self, push: Push) -> Outcome:
        """Do one push, and count what it destroys."""
        if self.before_push is not None:
            self.before_push(push)
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
        if any(self.rows[id_].wire["opt_in"][channel] is False for id_ in known for channel in push.subscribed):
            self.harm["resubscribed"] += 1
        says = {one: one in push.subscribed for one in self.capabilities.consent_write}
        wire: Wire = {**dict.fromkeys(TEXTS), "custom": {}, **copy.deepcopy(push.wire)}
        wire |= {"tags": [{"name": tag} for tag in push.add_tags], "opt_in": {"sms": None, "email": None, **says}}
        self.writes.append(push)
        id_ = self._insert(wire, "api", late=False)
        return Stored(push.ref, id_, self.show(id_))

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
        if "phone" in self.capabilities.unique and self._taken(push):
            return Refused(push.ref, "another record has this phone number")
        tags = _without(_with(row.wire["tags"], push.add_tags), push.remove_tags)
        return self._stored(push, {**push.wire, **({"tags": tags} if tags != row.wire["tags"] else {})})

    def _taken(self, push: Update) -> bool:
        phone = push.wire.get("phone")
        return phone is not None and any(id_ != push.external_id for id_ in self.twins(phone, None))

    def _opt_out(self, push: OptOut) -> Outcome:
        if push.channel not in self.capabilities.consent_write:
            self.harm["asked for what it cannot do"] += 1
            return Refused(push.ref, f"no consent to {push.channel} here")
        return self._stored(push, {"opt_in": {push.channel: False}})

    def _stored(self, push: Update | OptOut, values: Wire) -> Stored:
        if self._write(push.external_id, copy.deepcopy(values), "api", late=False):
            self.writes.append(push)
        else:
            self.idle_writes += 1
        return Stored(push.ref, push.external_id, self.show(push.external_id))

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

    # How it stores

    def _insert(self, wire: Wire, how: str, *, late: bool = True) -> str:
        id_ = str(next(self._ids))
        wire = self.tidy(wire) if self.tidy else wire
        self._keep(id_, Row(wire, 1, self.clock()), tuple(wire), how, late=late)
        return id_

    def _write(self, id_: str, values: Wire, how: str, *, late: bool = True) -> bool:
        """Returns whether anything changed."""
        self._settle(id_)
        old = self.rows[id_]
        merged = {key: _merged(old.wire[key], value) for key, value in values.items()}
        wire = {**old.wire, **merged}
        wire = self.tidy(wire) if self.tidy else wire
        keys = tuple(key for key in wire if wire[key] != old.wire[key])
        if keys:
            self._keep(id_, Row(wire, old.version + 1, self.clock()), keys, how, late=late)
        return bool(keys)

    def _keep(self, id_: str, row: Row, keys: tuple[str, ...], how: str, *, late: bool) -> None:
        entry = Entry(next(self._seqs), id_, keys, row.at, how)

        def apply() -> None:
            self.rows[id_] = row
            bisect.insort(self.log, entry)

        if self._late and late:
            self._pending.append((id_, apply))
        else:
            apply()

    def _settle(self, id_: str) -> None:
        """A second writer waits for the first."""
        mine = [apply for pending, apply in self._pending if pending == id_]
        self._pending = [one for one in self._pending if one[0] != id_]
        for apply in mine:
            apply()

    def _next_fault(self, verb: str) -> str | BaseException | None:
        for place, (on, kind) in enumerate(self._faults):
            if on in (verb, "any"):
                del self._faults[place]
                return kind
        return None


def _merged(old: Any, new: Any) -> Any:
    """Dicts key by key; a custom key set to None goes away, a consent one is kept."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {key: value for key, value in {**old, **new}.items() if value is not None or key in ("sms", "email")}


def _with(tags: list[dict[str, str]], names: Sequence[str]) -> list[dict[str, str]]:
    have = {tag["name"] for tag in tags}
    return [*tags, *({"name": name} for name in dict.fromkeys(names) if name not in have)]


def _without(tags: list[dict[str, str]], names: Sequence[str]) -> list[dict[str, str]]:
    return [tag for tag in tags if tag["name"] not in names]


def _same(wire: Wire, phone: str | None, email: str | None) -> bool:
    same_phone = phone is not None and _digits(wire["phone"]) == _digits(phone) != ""
    same_email = email is not None and (wire["email"] or "").strip().casefold() == email.strip().casefold() != ""
    return same_phone or same_email


def _digits(phone: str | None) -> str:
    return "".join(sign for sign in phone or "" if sign.isdigit())
