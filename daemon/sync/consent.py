"""Consent: a "no" is never lost nor undone. Pure.

A contact's effective state, per channel, is the most restrictive that any of its records reports, or that was once
said by a record which belongs to nobody now (a suppression). A side's "no" that is only the echo of the one we
wrote there is not a report of its own: so a person who joins again where they had left can, there. Downward moves
are owed to every side that can take them. Upward moves are never owed to anybody: there is no push for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from mappings.contact import CONSENT_STATES, UNASKED, worst
from state.model import Link

Channel = Literal["sms", "email"]
CHANNELS: tuple[Channel, ...] = ("sms", "email")
KIND: dict[Channel, str] = {"sms": "phone", "email": "email"}
"""The identifier that a channel reaches: a STOP is said by a phone, whoever holds it."""

NO = "unsubscribed"
_RANK = {state: rank for rank, state in enumerate(CONSENT_STATES)}


def field(channel: Channel) -> str:
    return f"consent.{channel}"


def report(link: Link, channel: Channel) -> str:
    """What this side says of its own accord."""
    said = link.seen.get(field(channel))
    if not isinstance(said, str) or (said == NO and channel in link.told):
        return "unknown"
    return said


def effective(links: Iterable[Link], channel: Channel, suppressed: Iterable[str]) -> tuple[str, str]:
    """(state, the connection it comes from or "")"""
    reports = [(report(link, channel), link.connection) for link in links if link.state == "linked"]
    reports += [(state, "") for state in suppressed]
    state = worst("unknown", *(said for said, _ in reports))
    return state, next((name for said, name in reports if said == state), "")


def lower(before: str, after: str) -> bool:
    """Whether this is a downward move."""
    return _RANK[after] > _RANK[before]


def lifted(before: str, after: str) -> bool:
    """Whether somebody who had said no says otherwise now."""
    return before == NO and after in ("subscribed", "unknown")


def believed(before: object, now: str, *, echo: bool, reached: bool = True) -> str:
    """What a side is taken to say, given what it said. A number found dead does not take back its owner's "no", nor
    does a record that lost its phone or email (not `reached`), and with it the word on whether it may be used."""
    if before == NO and now == "unknown" and not reached:
        return NO
    return NO if now == "undeliverable" and before == NO and not echo else now


def asked(before: object, now: str) -> str:
    """What a value means that those who said no share with those whom nobody asked, given what was said before."""
    if now != UNASKED:
        return now
    return "unknown" if before in (None, "unknown") else NO


def says_no(link: Link, channel: Channel) -> bool:
    """Whether that side already keeps the "no", whoever said it."""
    return link.seen.get(field(channel)) == NO


def nos(link: Link) -> dict[Channel, str]:
    """The restrictive states this record reports of its own accord: what must outlive it."""
    found = {channel: report(link, channel) for channel in CHANNELS}
    return {channel: state for channel, state in found.items() if state in (NO, "undeliverable")}
