"""Taking in what was read: each record becomes changed, unchanged, out of scope, held or failed; nothing else.

page  ->  map (heard.py)  ->  resolve  ->  merge  ->  plan  ->  keep, in one transaction
"""

from __future__ import annotations

from collections.abc import Iterable

from daemon.sync import events, loops, optouts, plan, tries
from daemon.sync.heard import Heard
from daemon.sync.merge import Merged, Source, as_list, claims, merge, value_of
from daemon.sync.people import People
from daemon.sync.reading import Pass
from daemon.sync.receipts import confirmed
from daemon.sync.resolve import (
    WHY,
    Ambiguous,
    Asked,
    Decision,
    Identifier,
    Join,
    New,
    identifiers,
    joinable,
    resolve,
)
from daemon.sync.roster import Roster, Side
from daemon.sync.union import join
from mappings.contact import SETS, Value, View
from state.model import CREATE_LANE, Contact, Hold, Link
from state.store import Tx


def take_in(tx: Tx, roster: Roster, reading: Pass, heard: list[Heard], *, counted: bool = True) -> None:
    """Take in some records within one transaction. `counted=False`: our own receipts and look-ups, no news read."""
    people = People(tx, roster, now=roster.clock(), run=reading.run)
    heard = list({each.external_id: each for each in heard}.values()) if not counted else heard
    prepare(people, reading.side, heard)
    for each in heard:
        outcome, reason = take_one(people, reading, each)
        if counted:
            reading.books.count(outcome, reason)
    optouts.reach_strays(people)
    people.flush()
    if counted and reading.sweeping:
        tx.links.mark(reading.side.name, [each.external_id for each in heard], reading.sweep)


def prepare(people: People, side: Side, heard: Iterable[Heard]) -> None:
    """Load whatever these records may need, in a handful of statements."""
    heard = list(heard)
    people.load_records(side.name, {each.external_id for each in heard})
    wanted: set[Identifier] = set()
    known: set[int] = set()
    for each in heard:
        link = people.records.get((side.name, each.external_id))
        if link is not None and link.contact_id is not None:
            if _is_old(link, each):
                continue
            known.add(link.contact_id)
        wanted |= each.identifiers
    people.load_owners(wanted)
    people.load_contacts(known)
    optouts.load(people, side, heard)


def take_one(people: People, reading: Pass, heard: Heard) -> tuple[str, str | None]:
    """One record: (outcome, why it failed or is held)."""
    link = people.records.get((reading.side.name, heard.external_id))
    if link is not None and (known := _old_news(people, link, heard)):
        return known
    back = link is not None and link.state == "vanished" and link.contact_id is not None
    if link is not None and back:
        _returned(people, link)
    optouts.guard(people, reading, link, heard)
    if heard.problems:
        return _fail(people, reading, link, heard)
    if link is None or link.contact_id is None:
        return _newcomer(people, reading, link, heard)
    known = _known(people, reading, link, people.contacts[link.contact_id], heard)
    if back:
        plan.owe_all(people, people.contacts[link.contact_id], link)
    return known


def _returned(people: People, link: Link) -> None:
    """A vanished record is there again, and speaks for itself."""
    link.state = "linked"
    people.suppress(link, ())
    people.note("returned", {}, contact=link.contact_id, link=link)


def _is_old(link: Link, heard: Heard) -> bool:
    """The record says just what it said last time. A held one is asked about again: others may have moved."""
    if link.digest != heard.digest or link.sent is not None or heard.receipt:
        return False
    if link.told and optouts.said_there(link, heard):
        return False
    if heard.invited and link.contact_id is None:
        return False  # found by our own look-up: asked about again, without its scope
    return link.state not in ("held", "vanished") and link.reason not in WHY


def _old_news(people: People, link: Link, heard: Heard) -> tuple[str, str | None] | None:
    if not _is_old(link, heard):
        return None
    if link.version != heard.version:
        link.version = heard.version
        people.save(link)
    if link.state == "out_of_scope":
        return "out_of_scope", None
    return ("unchanged", None) if link.reason is None else ("failed", link.reason)


def _fail(people: People, reading: Pass, link: Link | None, heard: Heard) -> tuple[str, str]:
    """Set the record aside with the reason. What it says of consent counts all the same."""
    reason = "; ".join(heard.problems)
    if link is None or link.contact_id is None:
        link = link or Link(reading.side.name, heard.external_id, "failed", sweep=reading.sweep)
        link.state = "failed"
        link.seen = {**link.seen, **heard.view}
        _keep(people, link, heard, reason)
        optouts.heard_from_stray(people, link, heard)
    else:
        link.seen = {**link.seen, **optouts.consent_of(heard.view)}
        _keep(people, link, heard, reason)
        optouts.recompute(people, people.contacts[link.contact_id], because=heard, link=link)
    people.note("failed", {"reason": reason}, contact=link.contact_id, link=link)
    return "failed", heard.problems[0]


def _keep(people: People, link: Link, heard: Heard, reason: str | None) -> None:
    link.version, link.digest, link.reason = heard.version, heard.digest, reason
    people.save(link)


# somebody we have no link to


def _newcomer(people: People, reading: Pass, link: Link | None, heard: Heard) -> tuple[str, str | None]:
    side = reading.side
    before = link.state if link is not None else None
    known = _known_before(people, reading, link, heard)
    link = link or Link(side.name, heard.external_id, "new", sweep=reading.sweep)
    said = optouts.consent_of(link.seen)  # a consent field that vanished is not a "yes"
    link.seen = {**said, **heard.view}
    if not heard.invited and not side.mapping.in_scope(heard.view):
        return _out_of_scope(people, link, heard)
    decision = _who(people, reading, link, heard)
    if isinstance(decision, New) and not side.reads:
        return _out_of_scope(people, link, heard)  # an `out` connection brings nobody in
    if isinstance(decision, Ambiguous):
        return _hold(people, link, heard, decision, known)
    if isinstance(decision, New):
        contact = people.new_contact()
    elif isinstance(decision, Join):
        contact = join(people, decision.keep, decision.drop, because=link)
        reading.merges += 1
        reading.books.merged += 1
    else:
        contact = people.contacts[decision.contact]
    link.seen = said
    people.attach(link, contact)
    people.note("linked", {"new": isinstance(decision, New)}, contact=contact.id, link=link)
    if before == "held":
        people.tx.holds.close(_hold_key(link), {"resolved": "by itself"}, at=people.now)
    made = tries.recognise(people, link, contact, heard)
    _absorb(people, reading, link, contact, heard, new=True, known=known)
    plan.owe(people, contact, link, made or (), {})  # what was blanked since it was made
    return "changed", None


def _known_before(people: People, reading: Pass, link: Link | None, heard: Heard) -> View:
    """What a record that is nobody's yet had said before; for one that is held, before it was first met."""
    if link is None:
        return {} if reading.news else heard.view
    hold = people.tx.holds.with_key(_hold_key(link)) if link.state in ("held", "decided") else None
    return link.seen if hold is None else hold.detail.get("known", link.seen)


def _who(people: People, reading: Pass, link: Link, heard: Heard) -> Decision:
    owners = people.owners_of(heard.identifiers)
    verdicts = people.verdicts.get(link.key, {})
    if not owners and not verdicts:
        return New()  # nobody to choose from, as for most of a first reading
    concerned = {owner for found in owners.values() for owner in found} | set(verdicts)
    people.load_contacts(concerned)
    candidates = {c: people.candidate(c) for c in concerned if people.contacts[c].merged_into is None}
    owners = {i: frozenset(o for o in found if o in candidates) for i, found in owners.items()}
    decision = resolve(Asked(heard.view, link.connection, owners, verdicts, people.roster.rules.ignored), candidates)
    if isinstance(decision, Join) and people.parted(decision.keep, decision.drop):
        return Ambiguous("two_people", (decision.keep, decision.drop))
    if isinstance(decision, Join) and _too_many(people, reading):
        return Ambiguous("too_many_merges", (decision.keep, decision.drop))
    return decision


def _too_many(people: People, reading: Pass) -> bool:
    return not reading.within(people.roster.rules.fuse["merge"], reading.merges + 1, people.tx)


def _out_of_scope(people: People, link: Link, heard: Heard) -> tuple[str, None]:
    link.state = "out_of_scope"
    _keep(people, link, heard, None)
    optouts.heard_from_stray(people, link, heard)
    return "out_of_scope", None


def _hold_key(link: Link) -> str:
    return f"record:{link.connection}:{link.external_id}"


def _hold(people: People, link: Link, heard: Heard, decision: Ambiguous, known: View | None = None) -> tuple[str, str]:
    """Set the record aside until a person says who it is; its "no" passes all the same."""
    if link.contact_id is None:
        link.state = "held"
        _keep(people, link, heard, decision.why)
        optouts.heard_from_stray(people, link, heard)
    else:
        link.seen = {**link.seen, **optouts.consent_of(heard.view)}
        _keep(people, link, heard, decision.why)
        optouts.recompute(people, people.contacts[link.contact_id], because=heard, link=link)
    detail = {"why": decision.why, "contacts": list(decision.contacts), "view": heard.view, "at": heard.at}
    if known is not None:
        detail["known"] = known  # what it says besides has happened since, whenever a person decides
    people.hold(Hold(_hold_key(link), "match", detail, link.connection, link.external_id, link.contact_id))
    return "held", decision.why


# somebody we know


def _known(people: People, reading: Pass, link: Link, contact: Contact, heard: Heard) -> tuple[str, str | None]:
    clash = _identity_clash(people, reading, link, contact, heard)
    if isinstance(clash, Ambiguous):
        return _hold(people, link, heard, clash)
    if isinstance(clash, Join):
        contact = join(people, clash.keep, clash.drop, because=link)
        reading.merges += 1
        reading.books.merged += 1
    if link.reason in WHY:
        people.tx.holds.close(_hold_key(link), {"resolved": "by itself"}, at=people.now)
    link.reason = None
    moved = _absorb(people, reading, link, contact, heard, new=False, known=link.seen)
    return ("changed" if moved else "unchanged"), None


def _identity_clash(
    people: People, reading: Pass, link: Link, contact: Contact, heard: Heard
) -> Ambiguous | Join | None:
    """A record we know took on a phone or email that somebody else has: the two may be one person, or not."""
    gained = heard.identifiers - identifiers(link.seen) - people.identifiers_of(contact.id)
    if not gained:
        return None
    verdicts = people.verdicts.get(link.key, {})
    others = {o for found in people.owners_of(gained).values() for o in found} - {contact.id}
    others = {o for o in others if verdicts.get(o) != "different" and people.contacts[o].merged_into is None}
    if not others:
        return None
    if len(others) > 1:
        return Ambiguous("several", tuple(sorted(others)))
    other = others.pop()
    keep, drop = sorted((contact.id, other))
    same = verdicts.get(other) == "same"
    fits = joinable(people.candidate(contact.id), people.candidate(other)) and not people.parted(keep, drop)
    if not same and not fits:
        return Ambiguous("two_people", (keep, drop))
    if not same and _too_many(people, reading):
        return Ambiguous("too_many_merges", (keep, drop))
    return Join(keep, drop)


def _absorb(
    people: People, reading: Pass, link: Link, contact: Contact, heard: Heard, *, new: bool, known: View
) -> bool:
    """Merge what this side changed into the contact, and plan what that means for all sides. True if it said
    anything that we did not know it to say."""
    side, said_yes = reading.side, events.yeses(contact)
    if reading.remap and not link.digest.startswith(reading.mark):
        if link.digest:  # what shows only because a mapping changed has not happened
            known = {**known, **{n: v for n, v in heard.view.items() if n in reading.remap}}
        consent = optouts.consent_of(link.seen)  # a "no" outlives the column it was said in
        link.seen = {n: v for n, v in link.seen.items() if n not in reading.remap} | consent
    received = confirmed(people, link, heard)
    seen = {**link.seen, **received}
    source = Source(side.name, side.priority, side.policy)
    said = list(claims(seen, heard.view, heard.when))
    if not new:
        loops.watch(people, reading, link, contact, said, heard)
    result = merge(contact.fields, iter(said), seen, source, people.roster.priorities)
    old = {name: contact.get(name) for name in result.moved}
    people.set_fields(contact, result.moved)
    first_sets: dict[str, tuple[list[str], list[str]]] = {
        c.field: (as_list(contact.get(c.field)), []) for c in said if c.first and c.field in SETS
    }
    link.seen, link.sent = {**seen, **heard.view}, None
    link.sweep = max(link.sweep, reading.sweep)
    _keep(people, link, heard, None)
    _note_merge(people, link, contact, result, old)
    if new:
        people.index(contact.id)
        plan.owe(people, contact, link, [n for n, e in contact.fields.items() if e.value is not None], first_sets)
        if contact.get("given_name") or contact.get("family_name"):
            plan.owe(people, contact, link, ["full_name"], {})
    elif result.moved.keys() & {"phone", "email"}:
        people.index(contact.id)
    plan.moved(people, contact, result.moved.keys() - result.flipping.keys(), result.tags, by=link)
    plan.owe(people, contact, link, result.lost, first_sets)
    plan.settle(people, contact, link)
    if result.moved:
        plan.revive(people, contact)
    _after(people, reading, link, contact, heard, new)
    if reading.news:
        what = events.happened(contact, heard, result, old=old, known=known, said_yes=said_yes)
        events.owe(people, contact, heard, what)
    return new or bool(said) or bool(received and not heard.receipt)


def _after(people: People, reading: Pass, link: Link, contact: Contact, heard: Heard, new: bool) -> None:
    optouts.recompute(people, contact, because=heard, link=link)
    if new and people.push((link.connection, f"c:{contact.id}", CREATE_LANE)) is not None:
        people.forget((link.connection, f"c:{contact.id}", CREATE_LANE))
        people.tx.holds.close(f"shared:{link.connection}:{contact.id}", {"resolved": "by itself"}, at=people.now)
    if reading.primed:
        for side in people.roster.sides.values():
            plan.create(people, contact, side)


def _note_merge(people: People, link: Link, contact: Contact, result: Merged, old: dict[str, Value]) -> None:
    real = {n: e for n, e in result.moved.items() if n not in result.flipping}
    if real:
        detail = {n: [old[n], e.value, e.at, e.how] for n, e in real.items()}
        people.note("took", detail, contact=contact.id, link=link)
    if result.lost:
        kept = {n: [said, value_of(contact.fields, n)] for n, said in result.lost.items()}
        people.note("overruled", kept, contact=contact.id, link=link)
    for name, claim in result.flipping.items():
        flip = {"field": name, "says": {contact.fields[name].by: contact.get(name), link.connection: claim.value}}
        key = f"flip:{contact.id}:{name}"
        people.hold(Hold(key, "flip", flip, link.connection, link.external_id, contact.id))
        people.note("flipping", flip, contact=contact.id, link=link)
