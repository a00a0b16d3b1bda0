"""Finding a contact, and one contact's story: covered until somebody who may asks to see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon import story
from daemon.output import clean, plural, when
from daemon.service import page_veil as veil
from daemon.service.look_people import MOST, Person
from daemon.service.page_frame import Frame, page
from daemon.service.page_hold import reveal
from daemon.service.page_parts import Html, badge_of, el, empty, link, moment, section, table
from daemon.sync.merge import value_of
from state.model import Contact, Link

_SHORT = ("full_name", "phone", "email")


def found_page(frame: Frame, found: Sequence[Contact]) -> Html:
    """What a search found. Nothing of what was asked for is said again: the page may be kept or printed."""
    if not found:
        words = "Nobody was found. Write the phone, the email or the number as a whole"
        more = ", or a name." if frame.who.trusted else "; names are searched when you are signed in."
        inside = empty(words, more)
    else:
        rows = [_found(contact) for contact in found]
        inside = table(("contact", "name", "phone", "email"), rows, label="Contacts found")
    note = f"the first {MOST}" if len(found) >= MOST else plural(len(found), "contact")
    hero = el("div", el("h1", "Contacts"), class_="hero")
    again = el("p", link("Search again", "/#find"))
    return page(frame, "Contacts", hero, section("Found", inside, note=note, name="found"), again)


def _found(contact: Contact) -> list[object]:
    values = [clean(veil.value(name, value_of(contact.fields, name))) for name in _SHORT]
    return [link(f"c{contact.id}", f"/contacts/{contact.id}"), *values]


def person_page(frame: Frame, person: Person, *, revealed: bool) -> Html:
    """`revealed`: as it is."""
    contact = person.contact
    name = clean(_shown("full_name", value_of(contact.fields, "full_name"), revealed))
    merged = None
    if contact.merged_into is not None:
        merged = el("p", "Part of ", link(f"c{contact.merged_into}", f"/contacts/{contact.merged_into}"), " now.")
    return page(
        frame,
        f"Contact c{contact.id}",
        el("div", el("h1", f"c{contact.id} ", el("span", name, class_="dim")), merged, class_="hero"),
        _fields(frame, contact, revealed),
        _records(person.links),
        _owed(frame, person),
        _story(person, revealed),
        el("p", link("Search again", "/#find")),
    )


def _shown(name: str, value: Any, revealed: bool) -> Any:
    return value if revealed else veil.value(name, value)


def _fields(frame: Frame, contact: Contact, revealed: bool) -> Html:
    known = [(name, entry) for name, entry in sorted(contact.fields.items()) if entry.value not in (None, [])]
    rows: list[list[object]] = [
        [name, clean(_shown(name, each.value, revealed)), each.by, clean(each.how), moment(each.at or None, frame.at)]
        for name, each in known
    ]
    heads = ("field", "value~", "from", "how~", "since")
    inside = table(heads, rows, label="Fields") if rows else empty("Nothing is known of this contact.")
    return section("Fields", inside, reveal(frame, f"/contacts/{contact.id}", revealed), name="fields")


def _records(links: Sequence[Link]) -> Html:
    if not links:
        return section("Records", empty("No platform has a record of this contact."), name="records")
    rows = [[one.connection, one.external_id, badge_of(one.state), _why(one)] for one in links]
    return section("Records", table(("connection", "record~", "state", "why~"), rows, label="Records"), name="records")


def _why(one: Link) -> str:
    return veil.text(one.reason) if one.reason else "-"


def _owed(frame: Frame, person: Person) -> Html:
    rows: list[list[object]] = [
        [push.connection, push.kind, push.state, _what(push.kind, push.owed), moment(push.created_at, frame.at)]
        for push in person.owed
    ]
    rows += [[act.connection, "outreach", act.state, act.rule, moment(act.created_at, frame.at)] for act in person.acts]
    if not rows:
        return section("Owed", empty("Nothing: every platform has been told."), name="owed")
    return section("Owed", table(("to", "kind", "state", "what~", "since"), rows, label="Owed"), name="owed")


def _what(kind: str, owed: dict[str, Any]) -> str:
    return "everything" if kind == "create" else ", ".join(owed)


def _story(person: Person, revealed: bool) -> Html:
    if not person.noted:
        return section("Story", empty("Nothing happened yet."), name="story")
    lines = [
        el("li", el("time", when(entry.at)), el("span", story.told(entry if revealed else veil.entry(entry))))
        for entry in person.noted
    ]
    return section("Story", el("ol", lines, class_="story"), name="story")
