"""The same few things people do, on each platform: what the contract suite needs to stage its tests."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from daemon.platforms.base import Connector, Facts, Wire
from daemon.platforms.gate import Gate
from daemon.platforms.http import Api
from daemon.platforms.strive import Strive
from daemon.platforms.telerivet import Feed, Telerivet
from daemon.sandbox.sandbox import Sandbox
from tests.twin import FULL, TwinConnector, TwinPlatform

Person = dict[str, Any]  # first, last, phone, email, city, tags (set), sms (True, False, None)
OVERLAP = 300.0
FAR_AWAY = 1_000_000


class Clock:
    """Seconds since 1970; one more each time it is asked."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class Site(ABC):
    """One account, seen by its own people."""

    consent = True  # whether "nobody asked" and "yes" can be told apart
    tags = True  # whether its people have tags
    refused = "our key"  # what is said to be refused when the platform does not let us in
    may_repeat = False  # whether a sweep may show a record twice
    repeats_after_break = False  # whether one that goes on with a page may: pages overlap
    lacks: frozenset[str] = frozenset()  # of first, last, phone, email and city, what it has no place for

    @abstractmethod
    def connect(self, facts: Facts | None = None) -> Connector: ...

    @abstractmethod
    def add(self, **person: Any) -> str: ...

    @abstractmethod
    def edit(self, id_: str, **fields: Any) -> None: ...

    @abstractmethod
    def tag(self, id_: str, name: str) -> None: ...

    @abstractmethod
    def untag(self, id_: str, name: str) -> None: ...

    @abstractmethod
    def opt_out(self, id_: str) -> None: ...

    @abstractmethod
    def delete(self, id_: str) -> None: ...

    @abstractmethod
    def late(self) -> contextlib.AbstractContextManager[None]:
        """What is written inside shows at `settle`."""

    @abstractmethod
    def settle(self) -> None: ...

    @abstractmethod
    def now(self, id_: str) -> Person:
        """A record as it is, past any API."""

    @abstractmethod
    def person(self, wire: Wire) -> Person: ...

    def keeps(self, person: Person) -> Person:
        """A person without what this account has no place for."""
        return {key: value for key, value in person.items() if key not in self.lacks}

    @abstractmethod
    def wire(self, **fields: Any) -> Wire:
        """first, last, phone, email and city as a push carries them."""

    @abstractmethod
    def fail(self, kind: str, *, write: bool, times: int = 1) -> None:
        """later, lost or person (see tests.twin)."""

    @abstractmethod
    def harm(self) -> dict[str, int]: ...

    @abstractmethod
    def count(self) -> int:
        """How many records there are."""

    @abstractmethod
    def close(self) -> None:
        """Take the account down."""


class TwinSite(Site):
    def __init__(self, **options: Any) -> None:
        self.platform = TwinPlatform(clock=Clock(), page=3, **{"capabilities": FULL, **options})

    def connect(self, facts: Facts | None = None) -> Connector:
        return TwinConnector(self.platform, facts)

    def add(self, *, sms: bool | None = None, tags: Any = (), **texts: Any) -> str:
        return self.platform.add(tags=tuple(tags), sms=sms, **texts)

    def edit(self, id_: str, **fields: Any) -> None:
        self.platform.edit(id_, **fields)

    def tag(self, id_: str, name: str) -> None:
        self.platform.tag(id_, name)

    def untag(self, id_: str, name: str) -> None:
        self.platform.untag(id_, name)

    def opt_out(self, id_: str) -> None:
        self.platform.opt_out(id_)

    def delete(self, id_: str) -> None:
        self.platform.delete(id_)

    def late(self) -> contextlib.AbstractContextManager[None]:
        return self.platform.late()

    def settle(self) -> None:
        self.platform.commit()

    def now(self, id_: str) -> Person:
        return self.person(self.platform.rows[id_])

    def person(self, wire: Wire) -> Person:
        plain = {key: wire[key] for key in ("first", "last", "phone", "email", "city")}
        return {**plain, "tags": {tag["name"] for tag in wire["tags"]}, "sms": wire["opt_in"]["sms"]}

    def wire(self, **fields: Any) -> Wire:
        return fields

    def fail(self, kind: str, *, write: bool, times: int = 1) -> None:
        self.platform.fail(kind, on="push" if write else "any", times=times)

    def harm(self) -> dict[str, int]:
        return dict(self.platform.harm)

    def count(self) -> int:
        return len(self.platform.rows)

    def close(self) -> None:
        self.platform.rows.clear()


class SandboxSite(Site):
    """Real HTTP against the sandbox. Waiting for a busy server takes no time here."""

    name = ""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sandbox = Sandbox(empty=True, clock=self.clock).start()
        self._connectors: list[Connector] = []

    def api(self, base_url: str, **credentials: Any) -> Api:
        return Api(base_url, gate=Gate(None), sleep=lambda _: None, timeout=5, clock=self.clock, **credentials)

    def connect(self, facts: Facts | None = None) -> Connector:
        connector = self.build({} if facts is None else facts)
        self._connectors.append(connector)
        return connector

    @abstractmethod
    def build(self, facts: Facts) -> Connector: ...

    @property
    def model(self) -> Any:
        return getattr(self.sandbox, self.name)

    @contextlib.contextmanager
    def late(self) -> Iterator[None]:
        with self.model.late(requests=FAR_AWAY):
            yield

    def settle(self) -> None:
        with self.model.lock:
            self.model.commits.settle_all()

    def fail(self, kind: str, *, write: bool, times: int = 1) -> None:
        status = {"later": "503", "person": "401", "lost": "lost"}[kind]
        # The way of asking for a look-up is GET on every platform here, so a write is anything else.
        methods = ("PATCH", "POST") if write else ("GET",)
        for method in methods:
            self.sandbox.faults.add(status, platform=self.name, method=method, times=times)

    def harm(self) -> dict[str, int]:
        counts = {**self.sandbox.harm(), "blind_writes": self.sandbox.blind_writes}
        return {kind: count for kind, count in counts.items() if count}

    def close(self) -> None:
        for connector in self._connectors:
            connector.close()
        self.sandbox.stop()


STRIVE = {"first": "first_name", "last": "last_name", "phone": "phone_number", "email": "email", "city": "city"}


class StriveSite(SandboxSite):
    name = "strive"

    def build(self, facts: Facts) -> Connector:
        headers = {"Authorization": "Bearer sandbox-strive-key"}
        api = self.api(self.sandbox.base_url("strive"), headers=headers)
        campaign = self.sandbox.about()["strive"]["campaign_id"]
        return Strive(api, campaign_id=campaign, overlap=OVERLAP, facts=facts, page=3)

    def add(self, *, sms: bool | None = None, tags: Any = (), **fields: Any) -> str:
        return str(self.model.add_member(**self.wire(**fields), opt_in=sms, groups=list(tags)))

    def edit(self, id_: str, **fields: Any) -> None:
        self.model.edit_member(int(id_), **self.wire(**fields))

    def tag(self, id_: str, name: str) -> None:
        self.model.add_to_group(int(id_), name)

    def untag(self, id_: str, name: str) -> None:
        self.model.remove_from_group(int(id_), name)

    def opt_out(self, id_: str) -> None:
        self.model.opt_out(int(id_))

    def delete(self, id_: str) -> None:
        self.model.delete_member(int(id_))

    def now(self, id_: str) -> Person:
        return self.person(self.model.member(int(id_)))

    def person(self, wire: Wire) -> Person:
        plain = {ours: wire[theirs] for ours, theirs in STRIVE.items()}
        return {**plain, "tags": {group["name"] for group in wire["groups"] or []}, "sms": wire["opt_in"]}

    def wire(self, **fields: Any) -> Wire:
        return {STRIVE[key]: value for key, value in fields.items()}

    def count(self) -> int:
        return len(self.model.members())


class TelerivetSite(SandboxSite):
    """One name for both names; city and email are variables; who is not blocked has not therefore said yes."""

    name = "telerivet"
    consent = False

    def __init__(self, feed: Feed = "scan", *, dynamic_groups: bool = False) -> None:
        super().__init__()
        self._feed: Feed = feed
        self.model.dynamic_groups = dynamic_groups
        self.model.page_max = 3

    def build(self, facts: Facts) -> Connector:
        api = self.api(self.sandbox.base_url("telerivet"), auth=("sandbox-telerivet-key", ""))
        project = self.sandbox.about()["telerivet"]["project_id"]
        return Telerivet(api, project_id=project, feed=self._feed, facts=facts, clock=self.clock)

    def add(self, *, sms: bool | None = None, tags: Any = (), **fields: Any) -> str:
        made = self.model.add_contact(**self.wire(**fields), groups=list(tags), send_blocked=sms is False)
        return str(made)

    def edit(self, id_: str, **fields: Any) -> None:
        self.model.edit_contact(id_, **self.wire(**fields))

    def tag(self, id_: str, name: str) -> None:
        self.model.add_to_group(id_, name)

    def untag(self, id_: str, name: str) -> None:
        self.model.remove_from_group(id_, name)

    def opt_out(self, id_: str) -> None:
        self.model.block(id_)

    def delete(self, id_: str) -> None:
        self.model.delete_contact(id_)

    def now(self, id_: str) -> Person:
        shown = self.model.contact(id_)
        return self.person({**shown, "groups": [{"name": name} for name in shown["groups"]]})

    def person(self, wire: Wire) -> Person:
        first, _, last = (wire["name"] or "").partition(" ")
        plain = {"first": first or None, "last": last or None, "phone": wire["phone_number"]}
        variables = {key: wire["vars"].get(key) for key in ("email", "city")}
        sms = False if wire["send_blocked"] else None
        return {**plain, **variables, "tags": {group["name"] for group in wire["groups"]}, "sms": sms}

    def wire(self, **fields: Any) -> Wire:
        wire: Wire = {}
        if "first" in fields:
            wire["name"] = f"{fields.pop('first')} {fields.pop('last', '')}".strip()
        if "phone" in fields:
            wire["phone_number"] = fields.pop("phone")
        return {**wire, **({"vars": fields} if fields else {})}

    def count(self) -> int:
        return len(self.model.contacts())
