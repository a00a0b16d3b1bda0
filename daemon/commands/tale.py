"""What the demo tells, looked up: in the sandbox, which knows the truth, and in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from daemon.commands.explain import headline
from daemon.errors import StopSync
from daemon.output import clean, plural
from daemon.sandbox import Sandbox
from daemon.sync.books import Report
from daemon.sync.merge import value_of
from daemon.sync.resolve import WHY
from state.model import Contact, Link, Noted
from state.store import Tx

EXAMPLES = 3
ALL = 100_000
SHOWN = ("name", "phone", "email", "no")

People = dict[str, dict[str, dict[str, Any]]]


def snapshot(sandbox: Sandbox) -> People:
    """Every record as its own platform shows it: {platform: {id: name, phone, email, no}}."""
    members = {str(member["id"]): _member(member) for member in sandbox.strive.members()}
    contacts = {contact["id"]: _contact(contact) for contact in sandbox.telerivet.contacts()}
    return {"strive": members, "telerivet": contacts}


def _member(member: dict[str, Any]) -> dict[str, Any]:
    name = " ".join(part for part in (member["first_name"], member["last_name"]) if part)
    return {
        "name": name,
        "phone": member["phone_number"],
        "email": member["email"],
        "no": member["opt_in"] is False,
    }


def _contact(contact: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": contact["name"],
        "phone": contact["phone_number"],
        "email": contact["vars"].get("email"),
        "no": contact["send_blocked"],
    }


def recognised(tx: Tx, before: People) -> dict[str, Any]:
    """How many people both sides had before anything was sent; those typed most differently as examples."""
    pairs = [pair for contact, links in _known(tx) if (pair := _pair(contact, links, before)) is not None]
    pairs.sort(key=lambda pair: -pair["differing"])
    unlike = {(pair["differing"], pair["loud"]): pair for pair in reversed(pairs)}  # one of each kind of mess
    examples = sorted(unlike.values(), key=lambda pair: -pair["differing"])
    return {"count": len(pairs), "examples": examples[:EXAMPLES]}


def _known(tx: Tx) -> Iterator[tuple[Contact, list[Link]]]:
    """Everybody with their linked records."""
    after = 0
    while batch := tx.contacts.walk(after, 500):
        links = tx.links.of_contacts([contact.id for contact in batch])
        for contact in batch:
            yield contact, [link for link in links.get(contact.id, []) if link.state == "linked"]
        after = batch[-1].id


def _pair(contact: Contact, links: list[Link], before: People) -> dict[str, Any] | None:
    sides = {link.connection: before[link.connection].get(link.external_id) for link in links}
    here, there = sides.get("strive"), sides.get("telerivet")
    if here is None or there is None:
        return None
    rows = [[key, here[key], there[key]] for key in SHOWN]
    differing = sum(a != b and bool(a) and bool(b) for _, a, b in rows)
    loud = str(there["name"]).isupper()
    return {"contact": f"c{contact.id}", "rows": rows, "differing": differing, "loud": loud}


def pushed(tx: Tx, run: int) -> dict[str, Any]:
    """What was sent: a line for each platform, and a few examples of each kind."""
    verbs = {"told_no": "opted out", "created": "created", "told": "updated"}
    noted = tx.journal.of_run(run, events=verbs, limit=ALL)
    names = _names(tx, noted)
    counts = Counter((entry.connection or "", verbs[entry.event]) for entry in noted)
    lines = [f"{connection:<10} {count:,} {verb}" for (connection, verb), count in sorted(counts.items())]
    examples = []
    for event in verbs:
        first = next((entry for entry in noted if entry.event == event), None)
        if first is not None:
            examples.append(_sent(first, names))
    return {"lines": lines, "examples": examples}


def _names(tx: Tx, noted: list[Noted]) -> dict[int, str]:
    ids = {entry.contact_id for entry in noted if entry.contact_id is not None}
    contacts = tx.contacts.get(list(ids)[:500]) if len(ids) > 500 else tx.contacts.get(ids)
    return {number: clean(value_of(contact.fields, "full_name")) for number, contact in contacts.items()}


def _sent(entry: Noted, names: dict[int, str]) -> str:
    who = names.get(entry.contact_id or 0, f"record {entry.external_id}")
    if entry.event == "told_no":
        return f"{who}: no more {entry.detail['channel']} from {entry.connection}"
    fields = ", ".join(f"{name} {clean(value)}" for name, value in sorted(entry.detail.items()) if value)
    verb = "created on" if entry.event == "created" else "told"
    return f"{who}: {verb} {entry.connection}: {fields}"


def held(tx: Tx) -> dict[str, Any]:
    """What waits for a person: how many for each reason, and a few in words."""
    holds = tx.holds.listed(limit=ALL)
    reasons = [str(hold.detail.get("why", hold.kind)) for hold in holds]
    why = Counter(WHY.get(reason, reason) for reason in reasons)
    return {"count": len(holds), "why": dict(why), "examples": [clean(headline(hold)) for hold in holds[:EXAMPLES]]}


def books(done: Report) -> dict[str, Any]:
    return {
        "outcome": done.outcome,
        "sent": done.sent,
        "balanced": done.balanced,
        "waiting": done.waiting,
        "connections": {name: each.as_dict() for name, each in done.books.items()},
    }


def two_known_everywhere(tx: Tx, sandbox: Sandbox) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two people with exactly one record on each side, who have said no on neither."""
    found = []
    for contact, links in _known(tx):
        sides = {link.connection: link.external_id for link in links}
        if len(links) == 2 and len(sides) == 2 and value_of(contact.fields, "full_name"):
            member = sandbox.strive.member(int(sides["strive"]))
            if member["opt_in"] and not sandbox.telerivet.contact(sides["telerivet"])["send_blocked"]:
                name = clean(value_of(contact.fields, "full_name"))
                found.append(
                    {"name": name, "city": member["city"], "strive": member["id"], "telerivet": sides["telerivet"]}
                )
        if len(found) == 2:
            return found[0], found[1]
    raise StopSync("the sandbox has nobody to edit", hint="rosterd demo --people 60")


def opt_out_first(sandbox: Sandbox, city: str) -> bool:
    """Whether the block was written to Telerivet before the new city was."""
    written = [str(call.wrote) for call in sandbox.calls("telerivet") if call.wrote]
    block = next((place for place, body in enumerate(written) if "send_blocked" in body), None)
    move = next((place for place, body in enumerate(written) if city in body), None)
    return block is not None and move is not None and block < move


def broken(story: dict[str, Any]) -> list[str]:
    """What of the story did not come true."""
    arrived, edit = story["arrived"], story["edit"]
    checks = [
        (story["recognised"]["count"] > 0, "nobody was recognised on both sides"),
        (story["first"]["sent"] > 0, "the first run sent nothing"),
        (arrived["blocked"], "the opt-out did not arrive"),
        (arrived["opt_out_first"], "the opt-out was not the first to be written"),
        (arrived["city"] == edit["to"], "the edit did not arrive"),
        (story["third"]["sent"] == 0, f"the third run sent {plural(story['third']['sent'], 'push', 'pushes')}"),
    ]
    for run in ("first", "second", "third"):
        checks.append((story[run]["balanced"], f"the books of the {run} run do not balance"))
        checks.append((story[run]["outcome"] in ("done", "partial"), f"the {run} run: {story[run]['outcome']}"))
        checks.append((not story[run]["waiting"], f"the {run} run did not read everything"))
    checks += [(count == 0, f"{kind.replace('_', ' ')}: {count}") for kind, count in story["harm"].items()]
    return [text for came_true, text in checks if not came_true]
