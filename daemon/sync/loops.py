"""Loops outside us: another program that carries the same people between the same platforms.

Two signs of one. A platform's log names its own integration with a platform that is connected here too. Or a record
already has, by another hand, the very value that is owed to it and was not yet sent. A person who types the same
thing twice does that as well, now and then; several people within days do not look like it.

What was seen is kept with the facts of the connection that showed it: losing it costs a warning, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.sync.merge import Claim, as_list, value_of, within, without
from daemon.sync.people import People
from mappings.contact import SETS
from state.model import UPDATE_LANE, Account, Contact, Link

if TYPE_CHECKING:
    from daemon.sync.heard import Heard
    from daemon.sync.reading import Pass

FACT = "loops"
WINDOW = 7 * 86400.0
"""Seconds after which a sighting does not count any more."""
PEOPLE = 3
"""So many different people within the window make a copy of values more than a coincidence."""
KEPT = 100
"""So many people are remembered for one sign; more are not counted."""


# seeing


def watch(people: People, reading: Pass, link: Link, contact: Contact, said: Sequence[Claim], heard: Heard) -> None:
    """Look at what a record we know says anew, before it is merged."""
    for word, partner in _integrations(reading, link, heard):
        _sighted(people, reading, contact, link, "integration", word, partner)
    for name, other in _copied(people, link, contact, said):
        if other != link.connection:
            _sighted(people, reading, contact, link, "copy", other, name)
            return  # one sighting a person is enough


def _integrations(reading: Pass, link: Link, heard: Heard) -> Iterator[tuple[str, str]]:
    """The words of the feed for other platforms that wrote here by themselves, and which platforms they are."""
    partners = reading.side.capabilities.partners
    if not partners:
        return
    moved = (e.how for name, e in heard.evidence.items() if heard.view.get(name) != link.seen.get(name))
    yield from ((word, partners[word]) for word in dict.fromkeys(moved) if word in partners)


def _copied(people: People, link: Link, contact: Contact, said: Sequence[Claim]) -> Iterator[tuple[str, str]]:
    """The fields that have by now what we owe them and did not send, and whose word it was."""
    push = people.push((link.connection, f"r:{link.external_id}", UPDATE_LANE))
    if push is None:
        return
    for claim in said:
        if claim.first or claim.field not in push.owed:
            continue
        if claim.field in SETS and claim.field != "tags":
            continue
        if claim.field == "tags":
            new = without(as_list(claim.value), as_list(link.seen.get("tags")))
            same = bool(within(new, push.owed["tags"]["add"]))
        else:
            same = claim.value is not None and value_of(contact.fields, claim.field) == claim.value
        if same and (by := _by(contact, claim.field)):
            yield claim.field, by


def _by(contact: Contact, name: str) -> str:
    parts = ("given_name", "family_name") if name == "full_name" else (name,)
    latest = max((contact.fields[part] for part in parts if part in contact.fields), key=lambda e: e.at, default=None)
    return latest.by if latest is not None else ""


def _sighted(people: People, reading: Pass, contact: Contact, link: Link, kind: str, what: str, more: str) -> None:
    signs = reading.facts.setdefault(FACT, {}).setdefault(kind, {})
    sign = signs.get(what)
    if sign is None or not _fresh(sign, people.now):
        sign = signs[what] = {"since": people.now, "people": {}}
    if kind == "integration":
        sign["platform"] = more
    sign["people"] = dict(sorted(_fresh(sign, people.now).items(), key=lambda one: one[1])[1 - KEPT :])
    sign["people"][str(contact.id)] = people.now
    detail = {"by": what} if kind == "integration" else {"field": more, "as": what}
    people.note("foreign_write", detail, contact=contact.id, link=link)


def _fresh(sign: Mapping[str, Any], now: float) -> dict[str, float]:
    return {who: at for who, at in sign["people"].items() if now - at <= WINDOW}


# telling


@dataclass(frozen=True, slots=True)
class Loop:
    """What looks like another program that carries people between two of our connections.

    `kind`: integration (the log of the first connection names it: `word`) or copy. `people`: how many different
    people within the window, at most `KEPT`; `since` and `last`: seconds since 1970.
    """

    kind: str
    connections: tuple[str, ...]
    people: int
    since: float
    last: float
    word: str = ""


def suspected(accounts: Mapping[str, Account], enabled: Mapping[str, str], now: float) -> list[Loop]:
    """What looks like a loop between connections that are switched on. `enabled`: the platform of each, by name."""
    found = []
    for name in enabled:
        account = accounts.get(name)
        for word, sign in _signs(account, "integration").items():
            partners = [other for other, platform in enabled.items() if platform == sign["platform"] and other != name]
            if partners and _fresh(sign, now):
                found.append(_loop("integration", (name, *partners), [sign], now, word))
    return found + list(_copies(accounts, enabled, now))


def _copies(accounts: Mapping[str, Account], enabled: Mapping[str, str], now: float) -> Iterator[Loop]:
    """Whichever of the two is read first, the other shows the copy: both belong to one pair."""
    pairs: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for name in enabled:
        for other, sign in _signs(accounts.get(name), "copy").items():
            if other in enabled and _fresh(sign, now):
                pairs.setdefault(tuple(sorted((name, other))), []).append(sign)
    for pair, signs in pairs.items():
        loop = _loop("copy", pair, signs, now)
        if loop.people >= PEOPLE:
            yield loop


def _signs(account: Account | None, kind: str) -> Mapping[str, Any]:
    loops = account.facts.get(FACT) if account is not None else None
    return dict(loops.get(kind) or {}) if isinstance(loops, dict) else {}


def _loop(kind: str, pair: tuple[str, ...], signs: Sequence[Mapping[str, Any]], now: float, word: str = "") -> Loop:
    seen = [_fresh(sign, now) for sign in signs]
    people = {who for one in seen for who in one}
    last = max(at for one in seen for at in one.values())
    return Loop(kind, pair, min(len(people), KEPT), min(sign["since"] for sign in signs), last, word)
