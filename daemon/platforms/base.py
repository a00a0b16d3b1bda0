"""The contract between the sync and a platform, beginning with its words.

RECORD      what a platform stores about one person at one connection, as a dict on the *wire*: the
            platform's own field names, ids of groups already turned into names. Key absent: the platform
            said nothing. Key present with None: the platform says it is blank.
EXTERNAL ID the platform's own id of a record, as a string.
VERSION     an opaque string that changes when the record does, or None where the platform has none.
CURSOR      a JSON-able dict that says where the feed goes on. Only its connector understands it. It is kept
            in the same transaction as the page that carried it, so a killed run goes on from the last page.
FACTS       a JSON-able dict of what was found out about an account (names of tables, ids of groups). A cache:
            losing it costs calls, never correctness.
SWEEP       one complete reading of everything the connection holds. It may take many runs.
PUSH        one write owed to one record (or to a record yet to be created).
OUTCOME     what became of a push: Stored, Exists, Lost, Gone or Refused.

A connector raises `RetryLater`, `AnswerLost` or `NeedsPerson` for what concerns the whole connection; what
concerns one record comes back as an outcome. It never decides who is who, and cannot lift an opt-out: no type
below can express one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from daemon.platforms.gate import Guarded

Wire = dict[str, Any]
Cursor = dict[str, Any]
Facts = dict[str, Any]
Channel = Literal["sms", "email"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """When and how one wire field got its value, where the feed tells. `at`: seconds since 1970, UTC."""

    at: float
    how: str  # the platform's own word for the origin: "csv", "keyword", "api", "deac", ...


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read. `at`: when the platform says it last changed (seconds since 1970), if it does."""

    external_id: str
    wire: Wire
    version: str | None = None
    at: float | None = None
    evidence: Mapping[str, Evidence] = field(default_factory=dict)  # keyed by top-level wire key


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and the cursor that is true once they are kept.

    `sweep_done` is set on the last page of a sweep (which may be empty of records).
    `broken` are rows that carried no usable id or were not objects: (what it was, why).
    """

    records: Sequence[Record]
    cursor: Cursor
    sweep_done: bool = False
    broken: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Create:
    """Make a new record. `wire` holds only what we know; `subscribed` lists the channels with a recorded
    opt-in: every other channel is created explicitly *un*subscribed where the platform can say so."""

    ref: int
    wire: Wire
    phone: str | None
    email: str | None
    add_tags: tuple[str, ...] = ()
    subscribed: frozenset[Channel] = frozenset()


@dataclass(frozen=True, slots=True)
class Update:
    """Change an existing record: only the keys in `wire` (None blanks), only these tags.

    `version` is what the push was planned against: with compare-and-swap the platform must refuse otherwise.
    `wire` never carries a consent field.
    """

    ref: int
    external_id: str
    version: str | None
    wire: Wire
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OptOut:
    """Write the "no" of a person to one record. There is no opposite."""

    ref: int
    external_id: str
    channel: Channel


Push = Create | Update | OptOut


@dataclass(frozen=True, slots=True)
class Stored:
    """Done. `record` is what the platform says it stored; None when it does not say (then the next reading
    of the record is the receipt). `external_id` is the id, new for a Create."""

    ref: int
    external_id: str
    record: Record | None


@dataclass(frozen=True, slots=True)
class Exists:
    """Nothing was written: the exact look-up found these records. After a Create they are to be taken in instead;
    after an Update they are others, from whom the platform would have taken the phone or email."""

    ref: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """The record moved since `version`: nothing was written. `record` is how it is now, if at hand."""

    ref: int
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The record no longer exists."""

    ref: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform will not take this push, and would not if asked again. `reason` carries no personal data."""

    ref: int
    reason: str


Outcome = Stored | Exists | Lost | Gone | Refused


@dataclass(frozen=True, slots=True)
class Action:
    """An outreach: what somebody did for a campaign, to be recorded there. `at`: whole seconds since 1970.

    It is not deduplicated by the platform, so whoever sends it looks it up first. It names the person by the record
    and by nothing else: no field of theirs, and no consent, can be carried.
    """

    external_id: str
    campaign: str
    at: int
    target: Mapping[str, str]  # title, given_name, family_name, ocdid
    words: Mapping[str, str]  # subject, message, duration
    referrer: Mapping[str, str]  # source, website, email_referrer, mobile_message_referrer
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acted:
    """The outreach is recorded as `id`, for the record `external_id` (None: the platform does not say for whom)."""

    id: str
    external_id: str | None


@dataclass(frozen=True, slots=True)
class ActionsFound:
    """Outreaches by their ids, and whether all that could be meant were seen."""

    ids: tuple[str, ...]
    complete: bool


class Outreaches(Protocol):
    """Recording what people did. Raises as a connector does; SkipRecord for what the platform refuses."""

    def find(self, external_id: str, campaign: str, since: int, until: int) -> ActionsFound | None:
        """The outreaches of one record at one campaign, created between two times, both included. None: the record
        is gone."""

    def send(self, action: Action) -> Acted | None:
        """Record it. None: the record is gone, and nothing was sent. AnswerLost: it may have been recorded.
        Any other error: it surely was not."""

    def knows(self, campaign: str) -> bool:
        """Whether the account shows such a campaign. For `check`; reads only."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can and cannot do. Planning never owes a platform what it cannot take."""

    read: frozenset[str]  # top-level wire keys that can be read ("custom" stands for custom.*)
    update: frozenset[str]  # ... that an Update may carry
    create: frozenset[str]  # ... that a Create may carry (empty: cannot create)
    required: frozenset[str] = frozenset()  # canonical identifiers without which nothing can be created: "phone"
    unique: frozenset[str] = frozenset()  # canonical identifiers that two records cannot share: "phone"
    consent_read: frozenset[Channel] = frozenset()
    consent_write: frozenset[Channel] = frozenset()  # channels whose "no" it can take
    starts_no: frozenset[Channel] = frozenset()  # the first address given to a record comes as a "no" nobody said
    dead: frozenset[str] = frozenset()  # Evidence.how words for "the carrier says this number is dead": no wish
    add_tags: bool = False
    remove_tags: bool = False
    batch: int = 1  # pushes per call, at best
    fetch: int = 1  # records per call of fetch()
    compare_and_swap: bool = False
    deletes_visible: bool = False
    granularity: float = 0.0  # seconds a record's time may be too early, where it is rounded down
    outreach: bool = False  # actions can be recorded at its campaigns (`Connector.outreaches`)
    sensitive: bool = False  # what it holds is health data: logs show names of its fields at most, unmasked ones too
    feed: str = ""  # kind of feed in a few words, for people
    partners: Mapping[str, str] = field(default_factory=dict)  # Evidence.how: the platform that writes here by itself
    lengths: Mapping[str, int] = field(default_factory=dict)  # longest value, characters, by wire key


def _nowhere() -> None:
    """Outside a run there is nowhere to keep facts."""


class Connector(ABC):
    """One account on a platform. Not thread-safe: one thread a connection.

    `keep_facts` puts the facts on disk at once; the sync sets it. For the rare fact that a killed process must have
    known: that something is about to be sent which must not be sent again.

    `breathe` is called between the calls of a long look-up that yields no page yet; the sync may then push a "no".
    """

    platform: ClassVar[str]
    capabilities: Capabilities
    facts: Facts  # read at start, may grow; the sync keeps it with each page
    keep_facts: Callable[[], None] = staticmethod(_nowhere)
    breathe: Callable[[], None] = staticmethod(_nowhere)
    line: Guarded | None = None  # its way to the credential's budget: there the sync says how fresh a call is
    account: str  # names the account on the platform, to notice two connections on the same one

    @abstractmethod
    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        """Read everything: with `resume`, from where `cursor` says a sweep was broken off; else from the start.

        Each page's cursor also remembers where the feed stood *before* the sweep began, so that
        `changes` afterwards misses nothing that moved meanwhile.
        """

    @abstractmethod
    def changes(self, cursor: Cursor) -> Iterator[Page]:
        """Read what changed since `cursor` (which a finished sweep made). Ends when there is no more now.

        Reads an overlap again, because rows commit late; what was seen before is harmless.
        """

    @property
    @abstractmethod
    def feed_is_sweep(self) -> bool:
        """Whether `changes` reads everything anyway (then it is not run straight after a sweep)."""

    @abstractmethod
    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        """Read these records as they are now. One that no longer exists is left out."""

    @abstractmethod
    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        """Send, in order, in as few calls as the platform allows; exactly one outcome for each `ref`.

        Outcomes come as they are known: if an exception ends the iteration, those not yet yielded were
        not sent or are unknown. A Create is preceded by an exact look-up of its phone and email.
        """

    @property
    def outreaches(self) -> Outreaches | None:
        """For a platform with `Capabilities.outreach`."""
        return None

    @abstractmethod
    def probe(self) -> Iterator[tuple[str, bool, str]]:
        """Try the account, reading only: (what was tried, whether it is well, in words). For `check`."""

    def lacks(self, written: Collection[str]) -> Sequence[tuple[str, str]]:
        """Of these dotted paths that a mapping writes, those the account has no place for: (path, why). For `check`;
        reads only."""
        del written
        return ()

    @abstractmethod
    def close(self) -> None: ...

    @property
    @abstractmethod
    def calls(self) -> int:
        """How many HTTP requests were made so far."""

    @property
    def throttled(self) -> int:
        """How many of them were answered with 429."""
        return 0


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Cut into lists of at most `size`."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
