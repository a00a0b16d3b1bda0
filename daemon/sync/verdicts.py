"""What a person decides: about a held record, a flipping field, a tripped fuse, two contacts. All of it permanent,
all of it in the journal, all of it planned like any other change: the next run sends it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from daemon.errors import SkipRecord
from daemon.platforms.base import chunks
from daemon.sync import fuse, optouts, outreach, plan, shared, union, vanish
from daemon.sync.books import Books
from daemon.sync.heard import Heard
from daemon.sync.intake import prepare, take_one
from daemon.sync.people import People
from daemon.sync.reading import Pass
from daemon.sync.roster import Roster
from mappings.contact import Value
from state.model import CREATE_LANE, Contact, Hold, Link
from state.store import Tx

CHOICES = {
    "match": "same [CONTACT] | different",
    "flip": "keep | take CONNECTION",
    "fuse": "approve [--only N] | reject",
    "consent_jump": "believe | dismiss",
    "consent_missing": "dismiss",
    "not_stored": "dismiss | again",
    "unwritable": "dismiss",
    "shared_identifier": "dismiss | again",
    "outreach": outreach.CHOICES,
}
"""What can be decided about each kind of hold."""

CONSENT_PAGE = 500


@dataclass(frozen=True, slots=True)
class Picked:
    """What a person chose. `only`: release no more than so many pushes from a fuse."""

    choice: str
    argument: str | None = None
    only: int | None = None


def decide(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:
    """Carry out a person's decision within one transaction; returns in words what was done.

    Raises SkipRecord, with the choices there are, for one that makes no sense for this hold.
    """
    done = {
        "match": _match,
        "flip": _flip,
        "fuse": _fuse,
        "consent_jump": _consent_jump,
        "not_stored": _dismiss_or_again,
        "shared_identifier": _dismiss_or_again,
        "outreach": _outreach,
        "unwritable": _dismiss,
        "consent_missing": _dismiss,
    }[hold.kind](tx, roster, hold, picked)
    decision = asdict(picked)
    if not _partly(tx, hold, picked):
        tx.holds.close(hold.key, decision, at=roster.clock())
    people = _people(tx, roster)
    people.note("decided", {"hold": hold.id, "kind": hold.kind, **decision}, contact=hold.contact_id)
    people.flush()
    return done


def _partly(tx: Tx, hold: Hold, picked: Picked) -> bool:
    """A fuse of which only some pushes were released stays tripped for the rest."""
    kind = str(hold.detail.get("kind"))
    return picked.only is not None and (hold.connection, kind) in fuse.rows(tx, kind).unapproved()


def _people(tx: Tx, roster: Roster) -> People:
    return People(tx, roster, now=roster.clock(), run=None)


def _no_such_choice(hold: Hold, choice: str) -> SkipRecord:
    return SkipRecord(f"{choice!r} is no choice for hold {hold.id} ({hold.kind})", hint=f"choose: {CHOICES[hold.kind]}")


# a record that may be somebody we know


def _match(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:
    if picked.choice not in ("same", "different"):
        raise _no_such_choice(hold, picked.choice)
    assert hold.connection is not None
    assert hold.external_id is not None
    if hold.connection not in roster.sides:
        raise SkipRecord(f"connection {hold.connection} is not in the configuration", hint="add it, or leave the hold")
    candidates = [int(c) for c in hold.detail["contacts"]]
    chosen = _chosen(hold, candidates, picked.argument) if picked.choice == "same" else None
    for candidate in candidates:
        verdict = "same" if candidate == chosen else "different"
        tx.links.decide(hold.connection, hold.external_id, candidate, verdict, at=roster.clock())
    return _take_again(tx, roster, hold)


def _chosen(hold: Hold, candidates: list[int], argument: str | None) -> int:
    if argument is None and len(candidates) == 1:
        return candidates[0]
    wanted = (argument or "").removeprefix("c")
    if not wanted.isdigit() or int(wanted) not in candidates:
        names = ", ".join(f"c{c}" for c in candidates)
        raise SkipRecord(
            "say which contact it is",
            hint=f"rosterd holds decide {hold.id} same {names.split(', ')[0]}  (one of {names})",
        )
    return int(wanted)


def _take_again(tx: Tx, roster: Roster, hold: Hold) -> str:
    """Take the held reading in once more, now that a person has said who it is."""
    side = roster.sides[hold.connection or ""]
    known = tx.connections.all()
    primed = all(known[n].primed for n in roster.sides if n in known)
    reading = Pass(side, None, Books(), primed=primed, news=True)  # the hold remembers what was history
    people = _people(tx, roster)
    people.load_records(side.name, {hold.external_id or ""})
    link = people.records[side.name, hold.external_id or ""]
    at = hold.detail.get("at")
    window = (0.0, roster.clock())
    heard = Heard(link.external_id, hold.detail["view"], (), link.version, at, link.digest, window, invited=True)
    link.digest, link.reason = "", None
    if link.contact_id is None:
        link.state = "decided"  # not "held": it is a person who lets it go, not the record itself
    prepare(people, side, [heard])
    outcome, why = take_one(people, reading, heard)
    optouts.reach_strays(people)
    people.flush()
    if outcome == "held":
        raise SkipRecord(
            f"it would still be held: {why}", hint="decide about the other hold first, or merge the contacts"
        )
    who = people.records[side.name, link.external_id].contact_id
    return f"the record belongs to contact c{who}"


# a field two sides keep flipping


def _flip(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:
    name = str(hold.detail["field"])
    people = _people(tx, roster)
    people.load_contacts({hold.contact_id or 0})
    contact = people.contacts[hold.contact_id or 0]
    entry = contact.fields[name]
    if picked.choice == "take":
        side, value = _said_by(people, contact, hold, picked.argument)
        entry = entry._replace(value=value, by=side, how="decided", at=roster.clock())
    elif picked.choice != "keep":
        raise _no_such_choice(hold, picked.choice)
    people.set_field(contact, name, entry._replace(flips=0, was=None))
    plan.moved(people, contact, [name], {}, by=None)
    people.flush()
    return f"{name} is decided; the sides that say otherwise are owed it"


def _said_by(people: People, contact: Contact, hold: Hold, connection: str | None) -> tuple[str, Value]:
    """What a side insists on: as it says now, or said when the field was held."""
    name = str(hold.detail["field"])
    says: dict[str, Value] = dict(hold.detail["says"])
    says.update({k.connection: k.seen[name] for k in people.links(contact.id) if name in k.seen})
    if connection not in says:
        raise SkipRecord("say whose value to take", hint=f"one of: {', '.join(sorted(says))}")
    return connection, says[connection]


# a tripped fuse


def _fuse(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:
    kind, connection = str(hold.detail["kind"]), hold.connection or ""
    if picked.choice not in ("approve", "reject"):
        raise _no_such_choice(hold, picked.choice)
    if kind == "vanish":
        return _fuse_vanish(tx, roster, connection, picked.choice)
    if picked.choice == "reject":
        return f"{fuse.rows(tx, kind).discard(connection, kind)} pushes dropped"
    released = fuse.rows(tx, kind).release(connection, kind, limit=picked.only)
    return f"{released} pushes released; the next run sends them"


def _fuse_vanish(tx: Tx, roster: Roster, connection: str, choice: str) -> str:
    if choice == "reject":
        return "nobody vanished; the next complete sweep looks again"
    account = tx.connections.all()[connection]
    count = vanish.sweep_out(tx, roster, connection, account.swept - 2, None)
    return f"{count} records are unlinked"


# consent


def _consent_jump(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:
    if picked.choice not in ("believe", "dismiss"):
        raise _no_such_choice(hold, picked.choice)
    records: dict[str, str] = hold.detail["records"]
    for some in chunks(sorted(records), CONSENT_PAGE):
        people = _people(tx, roster)
        people.load_records(hold.connection or "", some)
        people.load_contacts({k.contact_id for k in people.records.values() if k.contact_id is not None})
        for external_id in some:
            link = people.records.get((hold.connection or "", external_id))
            if link is not None and picked.choice == "believe":
                _believe(people, link, hold.detail["field"], records[external_id])
            elif link is not None:
                plan.keep_no(people, link, hold.detail["field"].removeprefix("consent."))
        people.flush()
    if picked.choice == "dismiss":
        return f"{len(records)} records stay unsubscribed, and are told so"
    return f"{len(records)} records are believed"


def _believe(people: People, link: Link, name: str, says: str) -> None:
    link.seen[name] = says
    people.save(link)
    if link.contact_id is not None:
        optouts.recompute(people, people.contacts[link.contact_id], because=None, link=None)


# the rest


def _outreach(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:  # noqa: ARG001 - one signature for all
    return outreach.decide(tx, hold, picked.choice)


def _dismiss(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:  # noqa: ARG001 - one signature for all
    if picked.choice != "dismiss":
        raise _no_such_choice(hold, picked.choice)
    return "dismissed"


def _dismiss_or_again(tx: Tx, roster: Roster, hold: Hold, picked: Picked) -> str:
    if picked.choice != "again":
        done = _dismiss(tx, roster, hold, picked)
        if hold.kind == "shared_identifier" and hold.external_id is None:
            _never_make(tx, roster, hold)
        return done
    people = _people(tx, roster)
    people.load_contacts({hold.contact_id} if hold.contact_id is not None else set())
    contact = people.contacts[hold.contact_id or 0]
    if hold.kind == "not_stored":
        plan.moved(people, contact, [str(hold.detail["field"])], {}, by=None)
    else:
        shared.owe_again(people, hold)
    people.flush()
    return "it is owed again"


def _never_make(tx: Tx, roster: Roster, hold: Hold) -> None:
    """The person is not to be made there: the push stays dead, also when the contact changes."""
    people = _people(tx, roster)
    people.load_contacts({hold.contact_id or 0})
    push = people.push((hold.connection or "", f"c:{hold.contact_id}", CREATE_LANE))
    if push is not None:
        push.state, push.reason = "dead", plan.DISMISSED
        people.owe(push)
    people.flush()


# two contacts


def merge_contacts(tx: Tx, roster: Roster, one: int, other: int) -> str:
    """A person says that two contacts are one."""
    people = _people(tx, roster)
    people.load_contacts({one, other})
    for number in (one, other):
        found = people.contacts.get(number)
        if found is None:
            raise SkipRecord(f"there is no contact c{number}", hint="rosterd contacts find NAME")
        if found.merged_into is not None:
            raise SkipRecord(f"contact c{number} was merged into c{found.merged_into} already")
    if one == other:
        raise SkipRecord("these are the same contact")
    keep, drop = sorted((one, other))
    for key, link in list(people.records.items()):
        if link.contact_id == drop:
            tx.links.decide(*key, keep, "same", at=roster.clock())
    contact = union.join(people, keep, drop, because=None)
    optouts.recompute(people, contact, because=None, link=None)
    people.flush()
    return f"c{drop} is now part of c{keep}; undo it with: rosterd unmerge c{drop}"


def unmerge(tx: Tx, roster: Roster, drop: int) -> str:
    """A person says that a merge was wrong."""
    noted = tx.journal.latest("merged", drop)
    found = tx.contacts.get({drop}).get(drop)
    if noted is None or found is None or found.merged_into is None:
        raise SkipRecord(f"contact c{drop} is not part of another", hint="rosterd contacts show, to see its story")
    people = _people(tx, roster)
    people.load_contacts({drop, found.merged_into, int(noted.detail["keep"])})
    if people.contacts[found.merged_into].merged_into is not None:
        raise SkipRecord(
            f"c{found.merged_into}, which c{drop} is part of, was merged itself since",
            hint=f"rosterd unmerge c{found.merged_into}, then c{drop}",
        )
    keep, parted = union.part(people, noted.detail)
    for contact in (keep, parted):
        optouts.recompute(people, contact, because=None, link=None)
    people.flush()
    return f"c{parted.id} stands for itself again; c{keep.id} keeps what was edited since"
