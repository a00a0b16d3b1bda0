"""What the demo tells, looked up: in the sandbox, which knows the truth, and in the database."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from daemon.errors import StopSync
from daemon.explain import headline
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
    return {
        name: {str(each["id"]): SHOWN_BY[name](each) for each in account.everybody()}
        for name, account in sandbox.accounts.items()
    }


def _member(member: dict[str, Any]) -> dict[str, Any]:
    name = _joined(member["first_name"], member["last_name"])
    return {"name": name, "phone": member["phone_number"], "email": member["email"], "no": member["opt_in"] is False}


def _contact(contact: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": contact["name"],
        "phone": contact["phone_number"],
        "email": contact["vars"].get("email"),
        "no": contact["send_blocked"],
    }


def _person(person: dict[str, Any]) -> dict[str, Any]:
    """Everybody's phone is "unsubscribed" there until they join: only the email says something."""
    phones, emails = person["phone_numbers"], person["email_addresses"]
    return {
        "name": _joined(person.get("given_name"), person.get("family_name")),
        "phone": phones[0].get("number") if phones else None,
        "email": emails[0]["address"] if emails else None,
        "no": bool(emails) and emails[0]["status"] == "unsubscribed",
    }


def _colonist(contact: dict[str, Any]) -> dict[str, Any]:
    name = _joined(contact["first_name"], contact["last_name"])
    no = contact["sms_optout"] or contact["email_optout"]
    return {"name": name, "phone": contact["mobile_number"], "email": contact["email"], "no": no}


def _user(user: dict[str, Any]) -> dict[str, Any]:
    name = _joined(user["first-name"], user["last-name"])
    return {"name": name, "phone": user["phone"], "email": user["email"], "no": user["phone-unsubscribed"]}


def _joined(*names: str | None) -> str:
    return " ".join(name for name in names if name)


SHOWN_BY: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "strive": _member,
    "telerivet": _contact,
    "action_network": _person,
    "colony": _colonist,
    "carium": _user,
}


def recognised(tx: Tx, before: People) -> dict[str, Any]:
    """How many people more than one side had before anything was sent, and how many all; those on most sides, typed
    most differently, as examples."""
    found = [seen for contact, links in _known(tx) if len((seen := _spellings(contact, links, before))["sides"]) > 1]
    found.sort(key=lambda one: (-len(one["sides"]), -one["differing"]))
    everywhere = sum(len(one["sides"]) == len(before) for one in found)
    return {"count": len(found), "everywhere": everywhere, "examples": found[:EXAMPLES]}


def _known(tx: Tx) -> Iterator[tuple[Contact, list[Link]]]:
    """Everybody with their linked records."""
    after = 0
    while batch := tx.contacts.walk(after, 500):
        links = tx.links.of_contacts([contact.id for contact in batch])
        for contact in batch:
            yield contact, [link for link in links.get(contact.id, []) if link.state == "linked"]
        after = batch[-1].id


def _spellings(contact: Contact, links: list[Link], before: People) -> dict[str, Any]:
    """One person as each side had them: a row for each side."""
    there = {link.connection: before[link.connection].get(link.external_id) for link in links}
    sides = {name: said for name in before if (said := there.get(name)) is not None}
    rows = [[name, *(said[key] for key in SHOWN)] for name, said in sides.items()]
    differing = sum(len({said[key] for said in sides.values()}) for key in SHOWN)
    return {"contact": f"c{contact.id}", "sides": list(sides), "rows": rows, "differing": differing}


def pushed(tx: Tx, run: int) -> dict[str, Any]:
    """What was sent: a line for each platform, and a few examples of each kind."""
    verbs = {"told_no": "opted out", "created": "created", "told": "updated"}
    noted = tx.journal.of_run(run, events=verbs, limit=ALL)
    names = _names(tx, noted)
    counts = Counter((entry.connection or "", verbs[entry.event]) for entry in noted)
    lines = [f"{connection:<15} {count:,} {verb}" for (connection, verb), count in sorted(counts.items())]
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


def known_everywhere(tx: Tx, sandbox: Sandbox, wanted: int) -> list[dict[str, Any]]:
    """People with exactly one record on each side, who have said no on none and may be texted from each."""
    found: list[dict[str, Any]] = []
    now = snapshot(sandbox)
    for contact, links in _known(tx):
        sides = {link.connection: link.external_id for link in links}
        if len(links) == len(sides) == len(now) and not any(now[name][id_]["no"] for name, id_ in sides.items()):
            member = sandbox.strive.member(int(sides["strive"]))
            phones = sandbox.action_network.person(sides["action_network"])["phone_numbers"]
            texted = member["opt_in"] and phones and phones[0].get("status") == "subscribed"
            if texted and member["city"]:
                who = {"name": clean(value_of(contact.fields, "full_name")), "city": member["city"]}
                found.append({**who, **sides})
        if len(found) == wanted:
            return found
    raise StopSync("the sandbox has nobody to edit", hint="rosterd demo --people 60")


def opt_out_first(sandbox: Sandbox, move: str) -> bool:
    """Whether, on each platform, the opt-out was written before the new city was."""
    told = {"strive": '"opt_in": false', "telerivet": "send_blocked", "action_network": "unsubscribed"}
    return all(_before(sandbox, name, words, move) for name, words in told.items())


def _before(sandbox: Sandbox, platform: str, first: str, then: str) -> bool:
    written = [json.dumps(call.wrote, ensure_ascii=False) for call in sandbox.calls(platform) if call.wrote]
    no = next((place for place, body in enumerate(written) if first in body), None)
    move = next((place for place, body in enumerate(written) if then in body), len(written))
    return no is not None and no < move


def broken(story: dict[str, Any]) -> list[str]:
    """What of the story did not come true."""
    arrived, edit = story["arrived"], story["edit"]
    checks = [
        (story["recognised"]["everywhere"] > 0, "nobody was recognised on all sides"),
        (story["first"]["sent"] > 0, "the first run sent nothing"),
        (arrived["opt_out_first"], "the opt-out was not the first to be written"),
        (arrived["outreaches"] == 1, f"{plural(arrived['outreaches'], 'outreach', 'outreaches')} recorded, not one"),
        (story["third"]["sent"] == 0, f"the third run sent {plural(story['third']['sent'], 'push', 'pushes')}"),
    ]
    checks += [(said, f"the opt-out did not arrive at {name}") for name, said in arrived["no"].items()]
    checks += [(city == edit["to"], f"the edit did not arrive at {name}") for name, city in arrived["city"].items()]
    for run in ("first", "second", "third"):
        checks.append((story[run]["balanced"], f"the books of the {run} run do not balance"))
        checks.append((story[run]["outcome"] in ("done", "partial"), f"the {run} run: {story[run]['outcome']}"))
        checks.append((not story[run]["waiting"], f"the {run} run did not read everything"))
    checks += [(count == 0, f"{kind.replace('_', ' ')}: {count}") for kind, count in story["harm"].items()]
    return [text for came_true, text in checks if not came_true]
