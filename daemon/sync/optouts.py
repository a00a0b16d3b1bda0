"""The way of a "no": from whatever record says it to every record that can be told, held and stray ones included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from daemon.sync import consent, plan
from daemon.sync.consent import CHANNELS, KIND, NO
from daemon.sync.heard import Heard
from daemon.sync.merge import tidied
from daemon.sync.people import People
from daemon.sync.resolve import Identifier
from daemon.sync.roster import Side
from mappings.contact import View
from state.model import Contact, Entry, Hold, Link

if TYPE_CHECKING:
    from daemon.sync.reading import Pass

_KINDS = frozenset(KIND.values())


def load(people: People, side: Side, heard: Iterable[Heard]) -> None:
    """Fetch, for a whole page at once, what was decided about its records and every "no" on its identifiers."""
    heard = list(heard)
    people.load_verdicts(side.name, {each.external_id for each in heard})
    wanted = {i for each in heard for i in each.identifiers}
    for contact in people.contacts:
        wanted |= people.identifiers_of(contact)
    people.load_suppressed({i for i in wanted if i[0] in _KINDS})


def consent_of(view: View) -> View:
    return {name: value for name, value in view.items() if name.startswith("consent.")}


# what not to believe


def guard(people: People, reading: Pass, link: Link | None, heard: Heard) -> None:
    """Look twice at what a reading says of consent, before anything is done with it.

    A field that vanished is not a "yes"; a sudden crowd of lifted opt-outs is a broken import until a person says
    otherwise; a carrier that reports a dead number has not spoken for its owner.
    """
    for channel in CHANNELS:
        name = consent.field(channel)
        before = link.seen.get(name) if link is not None else None
        said = now = heard.view.get(name)
        if isinstance(now, str):
            heard.view[name] = now = consent.asked(before, now)
        if now == NO:
            heard.view[name] = now = _dead_or_no(reading.side, heard, name, before)
        if isinstance(now, str) and link is not None:
            reached = _reached(people, link, heard, channel)
            heard.view[name] = now = consent.believed(before, now, echo=channel in link.told, reached=reached)
            if now == said == NO and _another_address(link, heard, channel):
                link.told = [c for c in link.told if c != channel]
        if (heard.external_id, channel) in reading.told and name in heard.view and before == NO:
            # Told in the middle of this reading, which may have looked it up before: what says otherwise is older, as
            # far as anybody can tell. Whether it is, the next reading shows: so what this one said is not remembered.
            if now != NO:
                heard.digest = ""
            heard.view[name] = now = NO
        if link is None or not isinstance(before, str):
            continue
        if name not in heard.view:
            _missing(people, reading, channel)
        elif isinstance(now, str) and consent.lifted(before, now) and channel not in link.told:
            _lifted(people, reading, link, heard, name, now)
        elif now == before == NO:
            _not_lifted(people, link, name)


def _reached(people: People, link: Link, heard: Heard, channel: consent.Channel) -> bool:
    """Whether the record has what the channel reaches. A "no" that is only our echo need not outlive it, unless
    somebody's stands behind it: else that would be told again with every reading."""
    contact = people.contacts.get(link.contact_id or 0)
    behind = contact is not None and contact.get(consent.field(channel)) == NO
    return heard.view.get(KIND[channel], "") is not None or (channel in link.told and not behind)


def _another_address(link: Link, heard: Heard, channel: consent.Channel) -> bool:
    """Whether a "no" that looks like our echo came with a first address which we did not give: then it is theirs."""
    kind = KIND[channel]
    got = heard.view.get(kind)
    if channel not in link.told or got is None or link.seen.get(kind):
        return False
    return not tidied((link.sent or {}).get(kind), got)


def _dead_or_no(side: Side, heard: Heard, name: str, before: object) -> str:
    evidence = heard.evidence.get(name)
    if evidence is not None:
        return "undeliverable" if evidence.how in side.capabilities.dead else NO
    return "undeliverable" if before == "undeliverable" else NO


def _missing(people: People, reading: Pass, channel: consent.Channel) -> None:
    name = reading.side.name
    detail = {
        "channel": channel,
        "why": "records that carried this consent field no longer do; kept as it was",
    }
    people.hold_once(Hold(f"consent_missing:{name}:{channel}", "consent_missing", detail, name))


def _lifted(people: People, reading: Pass, link: Link, heard: Heard, name: str, now: str) -> None:
    """Count the "no"s that are lifted in this run; beyond the limit they are held, not believed."""
    key = _jump(link, name)
    hold = people.open_hold(key)
    records: dict[str, str] = hold.detail["records"] if hold is not None else {}
    if link.external_id not in records:  # else it waits for a person, however often it is read
        reading.lifted += 1
        if reading.within(people.roster.rules.upward, reading.lifted, people.tx):
            return
    heard.view[name] = NO
    records[link.external_id] = now
    detail = {"field": name, "records": records, "why": "unusually many people who had said no now say yes"}
    people.hold_later(Hold(key, "consent_jump", detail, link.connection))


def _jump(link: Link, name: str) -> str:
    return f"consent_jump:{link.connection}:{name}"


def _not_lifted(people: People, link: Link, name: str) -> None:
    """It says no (again): a person who believes the others must not lift this one."""
    hold = people.open_hold(_jump(link, name))
    if hold is not None and hold.detail["records"].pop(link.external_id, None) is not None:
        people.hold_later(hold)


# records that belong to nobody


def heard_from_stray(people: People, link: Link, heard: Heard) -> None:
    """A record without a contact: its "no" reaches whoever has its phone or email, and theirs reaches it."""
    _forget_echo(link, heard)
    reachable = {i for i in heard.identifiers if i[0] in _KINDS}
    people.stray(link, reachable)
    for channel in CHANNELS:
        for identifier in reachable:
            if identifier[0] == KIND[channel]:
                people.reach.add((identifier, channel))
    for identifier in reachable:
        for owner in list(people.owners.get(identifier, ())):
            if owner in people.contacts and people.contacts[owner].merged_into is None:
                recompute(people, people.contacts[owner], because=None, link=None)


def reach_strays(people: People) -> None:
    """Tell the unlinked records that share a phone or email with a "no"."""
    said = {(i, channel) for i, channel in people.reach if _is_no(people, i, channel)}
    found = people.tx.links.strays_with({i for i, _ in said}) if said else {}
    found = people.with_own_strays(found)
    for identifier, channel in said:
        for connection, external_id in found.get(identifier, ()):
            people.load_records(connection, {external_id})
            link = people.records.get((connection, external_id))
            if link is not None and link.contact_id is None:
                plan.tell_no(people, None, link, channel)


def _is_no(people: People, identifier: Identifier, channel: consent.Channel) -> bool:
    if people.roster.rules.consent_scope != "all":
        return False
    if any(state == NO for state, _, _ in people.suppressed.get(identifier, ())):
        return True
    name = consent.field(channel)
    return any(
        owner in people.contacts and people.contacts[owner].get(name) == NO
        for owner in people.owners.get(identifier, ())
    )


# records that belong to somebody


def recompute(people: People, contact: Contact, *, because: Heard | None, link: Link | None) -> None:
    """Bring a contact's effective consent up to date, and owe a "no" to every side that lacks it."""
    if link is not None and because is not None:
        _forget_echo(link, because)
    for channel in CHANNELS:
        name = consent.field(channel)
        state, origin = _effective(people, contact, channel)
        before = contact.get(name) or "unknown"
        if state != before:
            at, how = because.when(name, False) if because is not None else (people.now, "suppression")
            people.set_field(contact, name, Entry(state, at, origin, how))
            detail = {"channel": channel, "from": before, "to": state, "how": how, "said_at": at}
            people.note("consent", detail, contact=contact.id, link=link, connection=origin or None)
        if state == NO:
            _spread(people, contact, channel, moved=state != before or link is not None)


def said_no(contact: Contact) -> bool:
    return any(contact.get(consent.field(channel)) == NO for channel in CHANNELS)


def say_again(people: People, contact: Contact) -> None:
    """Owe a contact's "no" to every side that lacks it: one of them may not have been there to be told."""
    for channel in CHANNELS:
        if contact.get(consent.field(channel)) == NO:
            _spread(people, contact, channel, moved=True)


def _effective(people: People, contact: Contact, channel: consent.Channel) -> tuple[str, str]:
    wanted = {i for i in people.identifiers_of(contact.id) if i[0] == KIND[channel]}
    people.load_suppressed(wanted)
    said = [state for i in wanted for state, _, _ in people.suppressed.get(i, ())]
    return consent.effective(people.links(contact.id), channel, said)


def _spread(people: People, contact: Contact, channel: consent.Channel, *, moved: bool) -> None:
    if people.roster.rules.consent_scope != "all":
        return
    for link in people.links(contact.id):
        plan.tell_no(people, contact, link, channel)
    if moved:
        for identifier in people.identifiers_of(contact.id):
            if identifier[0] == KIND[channel]:
                people.reach.add((identifier, channel))


def _forget_echo(link: Link, heard: Heard) -> None:
    """That side's "no" stops being our echo when somebody lifted it, or said it again themselves."""
    if not link.told:
        return
    own = said_there(link, heard)
    link.told = [c for c in CHANNELS if c in link.told and consent.says_no(link, c) and c not in own]


def said_there(link: Link, heard: Heard) -> set[consent.Channel]:
    """Channels where we wrote the "no", and now the feed shows that somebody said it there themselves."""
    found: set[consent.Channel] = set()
    for channel in CHANNELS:
        evidence = heard.evidence.get(consent.field(channel))
        if channel in link.told and evidence is not None and evidence.how != "api":
            found.add(channel)
    return found
