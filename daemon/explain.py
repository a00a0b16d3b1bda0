"""A hold in words: what happened, who is concerned, and what can be decided, ready to paste."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.output import clean, plural, say, table, when
from daemon.sync.merge import view_of
from daemon.sync.resolve import WHY
from mappings.contact import Fields
from state.model import Contact, Hold, Link
from state.store import Tx


@dataclass(frozen=True)
class Concerned:
    """The contacts a hold is about, as they are now, and their records; and the records that are in the way."""

    contacts: Mapping[int, Contact]
    links: Mapping[int, list[Link]]
    records: Mapping[str, Link]


def concerned(tx: Tx, hold: Hold) -> Concerned:
    ids = {int(number) for number in hold.detail.get("contacts", [])}
    ids |= {hold.contact_id} if hold.contact_id is not None else set()
    records = tx.links.of_records(hold.connection or "", hold.detail.get("records", []))
    if hold.kind == "consent_jump":
        records = {}
    return Concerned(tx.contacts.get(ids), tx.links.of_contacts(ids), records)


def headline(hold: Hold) -> str:
    """What a hold is about, in one line."""
    detail = hold.detail
    match hold.kind:
        case "match":
            name = clean(_name(detail.get("view") or {}) or f"record {hold.external_id}")
            return f"{name}: {WHY.get(detail['why'], detail['why'])}"
        case "flip":
            return f"c{hold.contact_id}: {' and '.join(detail['says'])} keep changing {detail['field']} back"
        case "fuse":
            pushes = plural(detail["count"], detail["kind"], "outreaches" if detail["kind"] == "outreach" else "")
            return f"{pushes} at once, of {plural(detail['holds'], 'record')} there"
        case "consent_jump":
            return f"{plural(len(detail['records']), 'person', 'people')} who had said no now say yes, all at once"
        case "consent_missing":
            return f"records no longer say whether {detail['channel']} is allowed"
        case "not_stored":
            return f"c{hold.contact_id}: {detail['field']} was sent, and not stored"
        case "unwritable":
            return f"c{hold.contact_id}: {detail['field']} cannot be written there: {clean(detail['why'])}"
        case "outreach":
            return f"c{hold.contact_id}: {detail['rule']} may be recorded at its campaign, or not: {detail['why']}"
        case "shared_identifier" if "field" in detail:
            return f"c{hold.contact_id}: the {detail['field']} was not sent: {clean(detail['why'])}"
    return clean(f"c{hold.contact_id}: {detail.get('why', hold.kind)}")


def _name(view: Fields) -> str | None:
    names = [view.get("given_name"), view.get("family_name")]
    full = view.get("full_name") or " ".join(name for name in names if isinstance(name, str))
    return full if isinstance(full, str) and full else None


@dataclass(frozen=True)
class Choice:
    """One thing to decide: what to type after `rosterd`, and what it means."""

    typed: str
    meaning: str


def choices(hold: Hold, people: Concerned) -> list[Choice]:
    """What can be decided about this hold."""
    return [Choice(f"holds decide {hold.id} {typed}", meaning) for typed, meaning in answers(hold)] + _more(
        hold, people
    )


def answers(hold: Hold) -> list[tuple[str, str]]:
    """What `rosterd holds decide ID` takes for this hold, and what each of it means."""
    detail = hold.detail
    match hold.kind:
        case "match":
            same = [(f"same c{c}", f"this record is contact c{c}") for c in detail["contacts"]]
            return [*same, ("different", "this is somebody else")]
        case "flip":
            take = [(f"take {side}", f"what {side} says is right") for side in detail["says"]]
            return [("keep", "the value we have is right"), *take]
        case "fuse":
            return _fuse_choices(detail)
        case "consent_jump":
            return [
                ("believe", "they really said yes again, there"),
                ("dismiss", "they did not: everybody stays unsubscribed"),
            ]
        case "outreach":
            return [
                ("again", "it is not there: send it"),
                ("arrived", "it is there: leave it"),
                ("drop", "whatever it is: never send it"),
            ]
        case "not_stored" | "shared_identifier":
            return [("again", "try it once more"), ("dismiss", "leave it as it is")]
    return [("dismiss", "noted; leave it as it is")]


def _fuse_choices(detail: dict[str, Any]) -> list[tuple[str, str]]:
    if detail["kind"] == "vanish":
        return [
            ("approve", "they are really gone: unlink them (nobody is deleted elsewhere)"),
            ("reject", "they are not: look again at the next complete reading"),
        ]
    some = [("approve --only 10", "try ten of them first")] if detail["count"] > 10 else []
    return [*some, ("approve", "send them all"), ("reject", "drop them: none is sent")]


def _more(hold: Hold, people: Concerned) -> list[Choice]:
    """What else may be the answer."""
    contacts = sorted(people.contacts)
    if hold.kind == "shared_identifier" and len(contacts) == 2:
        one, other = contacts
        return [Choice(f"merge c{one} c{other}", "they are one person")]
    return []


def as_dict(hold: Hold, people: Concerned) -> dict[str, Any]:
    return {
        "about": headline(hold),
        "contacts": {f"c{number}": view_of(contact.fields) for number, contact in people.contacts.items()},
        "choices": [{"command": f"rosterd {c.typed}", "meaning": c.meaning} for c in choices(hold, people)],
    }


def show(hold: Hold, people: Concerned) -> None:
    where = f" at {hold.connection}" if hold.connection else ""
    say(f"Hold {hold.id} ({hold.kind}){where}, since {when(hold.opened_at)}", bold=True)
    say(headline(hold))
    say()
    _facts(hold, people)
    if hold.state != "open":
        say(f"Decided on {when(hold.decided_at)}: {decision(hold)}")
        return
    say("What is right?", bold=True)
    for choice in choices(hold, people):
        say(f"  rosterd {choice.typed:<32}  {choice.meaning}")


def decision(hold: Hold) -> str:
    return ", ".join(f"{key} {clean(value)}" for key, value in (hold.decision or {}).items() if value is not None)


def _facts(hold: Hold, people: Concerned) -> None:
    match hold.kind:
        case "fuse" | "consent_missing":
            return
        case "consent_jump":
            table(("record", "now says"), sorted(hold.detail["records"].items()))
        case "flip":
            said = hold.detail["says"].items()
            table(("side", f"{hold.detail['field']} is"), list(said))
        case "not_stored":
            rows = [["we sent", hold.detail["sent"]], ["it says", hold.detail["says"]]]
            table(("", hold.detail["field"]), rows)
        case _:
            _side_by_side(hold, people)
    if hold.kind == "outreach":
        say(f"it happened on {when(hold.detail['at'])}: look for an outreach of that moment at the campaign")
    say()


def views(hold: Hold, people: Concerned) -> dict[str, Fields]:
    """The record, the records in its way, and each contact it may be: what each of them says."""
    found: dict[str, Fields] = {}
    if "view" in hold.detail:
        found[f"record {hold.external_id}"] = hold.detail["view"]
    found |= {f"record {record}": link.seen for record, link in people.records.items() if link.contact_id is None}
    return found | {f"c{number}": view_of(contact.fields) for number, contact in people.contacts.items()}


def named(found: Mapping[str, Fields]) -> list[str]:
    """The fields that any of them says something of."""
    return sorted({name for view in found.values() for name, value in view.items() if value not in (None, [])})


def differs(name: str, found: Mapping[str, Fields]) -> bool:
    """Whether two of them say something else."""
    return len({clean(view[name]) for view in found.values() if view.get(name) not in (None, [])}) > 1


def _side_by_side(hold: Hold, people: Concerned) -> None:
    """The record beside each contact it may be, field by field; `≠` marks what differs."""
    found = views(hold, people)
    rows = [
        [name, *(view.get(name) for view in found.values()), "≠" if differs(name, found) else ""]
        for name in named(found)
    ]
    table(("field", *found, ""), rows)
    for number, links in people.links.items():
        known = ", ".join(f"{link.connection} {link.external_id}" for link in links if link.state == "linked")
        say(f"c{number} is known at: {known or '-'}")
    for record, link in people.records.items():
        if link.state == "held":
            say(f"record {record} waits for a decision of its own: rosterd holds list --kind match")
