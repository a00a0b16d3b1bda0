"""A push as a person sees it before it is sent, and the choice of those that may go.

`planned` says in canonical words what a letter would do, and against what it was written. A `Selection` lets pass the
letters that say exactly what one of its pushes says, and no other: what changed meanwhile says something else.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from daemon.platforms.base import Channel, Create, Exists, Gone, Lost, OptOut, Outcome, Refused, Stored, Update
from daemon.sync.merge import value_of
from daemon.sync.people import People
from daemon.sync.render import Letter
from mappings.contact import Value
from state.model import CREATE_LANE, Link, Owed

Kind = Literal["opt_out", "update", "create"]
KINDS: tuple[Kind, ...] = ("opt_out", "update", "create")
"""In the order they are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One push. `fields`: old and new value, in canonical words; the tags are in the platform's.

    `against` stands for what the record said when this was planned (of an update). `contact`, `name` and `fuse`
    (whether the fuse would hold it) are for people: they do not make two pushes different.
    """

    connection: str
    kind: Kind
    record: str | None = None
    channel: Channel | None = None
    fields: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    subscribed: tuple[Channel, ...] = ()
    against: str | None = None
    contact: int | None = field(default=None, compare=False)
    name: str | None = field(default=None, compare=False)
    fuse: bool = field(default=False, compare=False)

    @property
    def says(self) -> bytes:
        """The same for two pushes that do the same to the same record."""
        fields = {name: list(values) for name, values in self.fields.items()}
        who = self.connection, self.kind, self.record, self.channel
        does = fields, self.add_tags, self.remove_tags, self.subscribed, self.against
        return orjson.dumps([who, does], option=orjson.OPT_SORT_KEYS)

    @property
    def place(self) -> tuple[str, int, str, bytes]:
        """Where it stands in a plan."""
        return self.connection, KINDS.index(self.kind), self.record or "", self.says

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        shown = {"connection": self.connection, "kind": self.kind, "record": self.record}
        told = {"contact": self.contact, "name": self.name, "fuse": self.fuse}
        if self.kind == "opt_out":
            return {**shown, **told, "channel": self.channel}
        fields = {name: list(values) for name, values in self.fields.items()}
        does = {"fields": fields, "add_tags": self.add_tags, "remove_tags": self.remove_tags}
        more = {"subscribed": self.subscribed} if self.kind == "create" else {"against": self.against}
        return {**shown, **told, **does, **more}


def planned(people: People, letter: Letter) -> Planned:
    """What this letter would do."""
    row = letter.owed
    contact = people.contacts.get(row.contact_id or 0)
    name = value_of(contact.fields, "full_name") if contact is not None else None
    told: dict[str, Any] = {
        "connection": row.connection,
        "record": row.external_id,
        "contact": row.contact_id,
        "name": name if isinstance(name, str) else None,
        "fuse": row.state == "held",
    }
    match letter.push:
        case OptOut(channel=channel):
            return Planned(kind="opt_out", channel=channel, **told)
        case Create(add_tags=tags, subscribed=subscribed):
            fields = {name: (None, value) for name, value in letter.sent.items() if name != "tags"}
            add = tuple(sorted(tags))
            return Planned(kind="create", fields=fields, add_tags=add, subscribed=tuple(sorted(subscribed)), **told)
    return _update(letter, letter.push, people.records[row.connection, letter.push.external_id], told)


def _update(letter: Letter, push: Update, link: Link, told: dict[str, Any]) -> Planned:
    return Planned(
        kind="update",
        fields={name: (link.seen.get(name), value) for name, value in letter.sent.items() if name != "tags"},
        add_tags=tuple(sorted(push.add_tags)),
        remove_tags=tuple(sorted(push.remove_tags)),
        against=digest(link),
        **told,
    )


def digest(link: Link) -> str:
    """Stands for what a record says, but for consent: an opt-out of the same plan goes first, and moves only that."""
    said = {name: value for name, value in link.seen.items() if not name.startswith("consent.")}
    return hashlib.blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


class Selection:
    """The pushes of a plan that a person has looked at, and what becomes of each in a run.

    Each goes at most once. The threads of several connections may ask at once: each about its own.
    """

    def __init__(self, pushes: Sequence[Planned]) -> None:
        self.pushes = pushes
        self.sent: set[int] = set()  # places in `pushes`
        self.answers: dict[int, str] = {}  # why one that was sent, or about to be, was not done; in words
        self._free: dict[bytes, list[int]] = defaultdict(list)
        for place, push in enumerate(pushes):
            self._free[push.says].append(place)
        self._taken: dict[tuple[tuple[str, str, int], bytes], int] = {}
        self._under_way: dict[tuple[tuple[str, str, int], Channel | None], int] = {}
        self._records = {(push.connection, push.record) for push in pushes if push.record is not None}
        self._makes = {push.connection for push in pushes if push.kind == "create"}

    def concerns(self, row: Owed) -> bool:
        """Whether a row of the outbox may be in question: who is made is known only by what is written."""
        if row.lane == CREATE_LANE:
            return row.connection in self._makes
        return (row.connection, row.external_id) in self._records

    def passes(self, people: People, letter: Letter) -> bool:
        """Whether this letter says what one of the pushes says that was not yet sent."""
        says = planned(people, letter).says
        mine = letter.owed.key, says
        if mine not in self._taken and (free := self._free.get(says)):
            self._taken[mine] = free.pop()
        place = self._taken.get(mine)
        if place is None or place in self.sent:
            return False
        self._under_way[letter.owed.key, letter.channel] = place
        return True

    def answered(self, letter: Letter, outcome: Outcome) -> None:
        """Note what the platform said to a letter that passed."""
        place = self._under_way[letter.owed.key, letter.channel]
        if isinstance(outcome, Stored):
            self.sent.add(place)
        else:
            self.answers[place] = _in_words(outcome)


def _in_words(outcome: Exists | Lost | Gone | Refused) -> str:
    match outcome:
        case Exists():
            return "another record there has that phone or email; see rosterd holds list"
        case Lost():
            return "the record changed there while it was being written"
        case Gone():
            return "the record is gone there"
    return f"the platform refused it: {outcome.reason}"
