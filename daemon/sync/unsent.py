"""Of a plan that was applied: what became of each push, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from daemon.platforms.base import chunks
from daemon.sync import consent
from daemon.sync.books import Report
from daemon.sync.merge import tidied
from daemon.sync.people import People
from daemon.sync.planned import Planned, Selection, digest
from daemon.sync.resolve import identifiers
from daemon.sync.roster import Roster
from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Link, Owed

Fate = Literal["sent", "already", "refused", "later"]
FATES: tuple[Fate, ...] = ("sent", "already", "refused", "later")
"""already: it is so, no write was needed. refused: not what was planned any more. later: not reached, try again."""

PAGE = 200
NOT_OWED = "it is not owed any more"
NOBODY = "nobody with this phone or email is known any more"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one push."""

    push: Planned
    fate: Fate
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {**self.push.as_dict(), "fate": self.fate, "why": self.why}


def fates(roster: Roster, these: Selection, report: Report, *, stopped: bool) -> Iterator[Told]:
    """Every push of the plan with what became of it, after the run. Pushes that were sent come first."""
    for place in sorted(these.sent):
        yield Told(these.pushes[place], "sent")
    left = [place for place in range(len(these.pushes)) if place not in these.sent]
    for page in chunks(left, PAGE):
        with roster.store.look() as tx:
            people = People(tx, roster, now=roster.clock(), run=None)
            _load(people, [these.pushes[place] for place in page])
            for place in page:
                yield _fate(people, these.pushes[place], these.answers.get(place, ""), report, stopped)


def _load(people: People, pushes: Sequence[Planned]) -> None:
    for connection in {push.connection for push in pushes}:
        records = {p.record for p in pushes if p.connection == connection and p.record is not None}
        people.load_records(connection, records)
        people.load_contacts({k.contact_id for k in people.records.values() if k.contact_id is not None})
    people.load_owners({key for push in pushes if push.kind == "create" for key in _keys(push)})


def _keys(push: Planned) -> Iterable[tuple[str, str]]:
    return identifiers({name: new for name, (_, new) in push.fields.items()})


def _fate(people: People, push: Planned, answer: str, report: Report, stopped: bool) -> Told:
    link = people.records.get((push.connection, push.record or ""))
    found = _made(people, push) if push.kind == "create" else _record(people, push, link)
    if found is not None and found.fate == "already":
        return found
    if why := _not_reached(push, report, stopped):
        return Told(push, "later", why)
    if answer:
        return Told(push, "refused", answer)
    unread = [name for name, books in report.books.items() if books.paused]
    if unread and found is not None and found.why in (NOT_OWED, NOBODY):
        return Told(push, "later", f"{', '.join(unread)} was not read: nobody knows whether it still says so")
    return found or Told(push, "refused", "the contact changed since: something else is owed now")


def _not_reached(push: Planned, report: Report, stopped: bool) -> str:
    books = report.books.get(push.connection)
    if report.waiting and (push.kind != "opt_out" or push.connection in report.waiting):
        return f"nothing but opt-outs is sent before {', '.join(report.waiting)} is read whole"
    if books is not None and books.paused:
        return f"{push.connection} is left alone: {books.paused}"
    return "the run was stopped before" if stopped else ""


def _record(people: People, push: Planned, link: Link | None) -> Told | None:
    """Of a push to a record; None where what is owed is not what was planned."""
    if link is None or link.state == "vanished":
        return Told(push, "refused", "the record is gone there")
    lane = UPDATE_LANE if push.kind == "update" else CONSENT_LANE
    row = people.push((push.connection, f"r:{push.record}", lane))
    if _so(people, push, link, row):
        return Told(push, "already", "it is so there already")
    if push.kind == "update" and push.against != digest(link):
        return Told(push, "refused", "the record changed there since")
    return _owed(push, row)


def _owed(push: Planned, row: Owed | None) -> Told | None:
    if row is None:
        return Told(push, "refused", NOT_OWED)
    if row.state == "dead":
        return Told(push, "refused", f"it is set aside: {row.reason}")
    return None


def _so(people: People, push: Planned, link: Link, row: Owed | None) -> bool:
    if push.channel is not None:
        return consent.says_no(link, push.channel)
    return _says(push, link, strict=row is not None) and _tagged(people, push, link, row)


def _says(push: Planned, link: Link, *, strict: bool) -> bool:
    """Whether the record has the new values. Not `strict`: what was sent and is not owed any more counts too."""
    sent = {} if strict else link.sent or {}
    said = {name: sent.get(name, link.seen.get(name)) for name in push.fields}
    return all(tidied(new, said[name]) for name, (_, new) in push.fields.items())


def _tagged(people: People, push: Planned, link: Link, row: Owed | None) -> bool:
    sent = {} if row is not None else link.sent or {}
    tags, side = sent.get("tags", link.seen.get("tags")), people.side_of(link)
    has = {side.mapping.tag_out(tag) for tag in tags} if isinstance(tags, list) and side is not None else set()
    return has.issuperset(push.add_tags) and has.isdisjoint(push.remove_tags)


def _made(people: People, push: Planned) -> Told | None:
    """Of a new record: who has its phone or email now?"""
    known = {number for key in _keys(push) for number in people.owners.get(key, ()) if number in people.contacts}
    if not known:
        return Told(push, "refused", NOBODY)
    links = [link for number in sorted(known) for link in people.linked_at(number, push.connection)]
    if any(_says(_without_unread(push, link), link, strict=False) for link in links):
        return Told(push, "already", "the person is there already")
    if links:
        return Told(push, "refused", "a record there has this phone or email by now, and says otherwise")
    rows = [people.push((push.connection, f"c:{number}", CREATE_LANE)) for number in sorted(known)]
    return _owed(push, next((row for row in rows if row is not None), None))


def _without_unread(push: Planned, link: Link) -> Planned:
    """Only the fields that the record speaks of: some can be written and not read."""
    fields = {name: values for name, values in push.fields.items() if name in link.seen or name in (link.sent or {})}
    return Planned(connection=push.connection, kind="update", fields=fields)
