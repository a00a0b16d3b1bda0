"""One hold: what it is about, the people side by side, and what can be decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon import explain
from daemon.output import clean, when
from daemon.service import page_veil as veil
from daemon.service.page_frame import Frame, page
from daemon.service.page_parts import Html, button, el, form, link, moment, section, table
from daemon.sync.verdicts import Picked
from state.model import Hold

COVERED = "Names, phones, emails and all else that is private are covered until you sign in and ask."
PERMANENT = "A decision is permanent; the next run sends what follows from it."


def hold_page(frame: Frame, hold: Hold, people: explain.Concerned, *, revealed: bool) -> Html:
    """`revealed`: people are shown as they are."""
    shown = hold if revealed else veil.hold(hold)
    title = f"Hold {hold.id}"
    about = el(
        "dl",
        *_fact("kind", hold.kind.replace("_", " ")),
        *_fact("connection", hold.connection or "-"),
        *_fact("since", moment(hold.opened_at, frame.at)),
        *_fact("contacts", _contacts(people)),
    )
    facts = _facts(shown, people, revealed=revealed)
    return page(
        frame,
        title,
        el("div", el("h1", title), el("p", explain.headline(shown)), class_="hero"),
        section("What it is about", about, facts, reveal(frame, f"/holds/{hold.id}", revealed), name="about"),
        _decide(frame, hold, people),
        el("p", link("To the overview", "/")),
    )


def _fact(name: str, value: object) -> tuple[Html, Html]:
    return el("dt", name), el("dd", value)


def _contacts(people: explain.Concerned) -> object:
    links = [link(f"c{number}", f"/contacts/{number}") for number in sorted(people.contacts)]
    return [part for each in links for part in (each, " ")] or "-"


def reveal(frame: Frame, path: str, revealed: bool) -> Html | None:
    """The button that uncovers, for those who may; what is covered, and why, for all others."""
    if revealed:
        return None
    if frame.who.trusted:
        show = button("Show names, phones and emails", name="do", value="reveal", plain=True)
        return form(path, frame.who, show, class_="ask")
    return el("p", COVERED, class_="note")


def _facts(hold: Hold, people: explain.Concerned, *, revealed: bool) -> Html | None:
    detail = hold.detail
    match hold.kind:
        case "fuse" | "consent_missing":
            return None
        case "consent_jump":
            rows: list[list[object]] = [[record, says] for record, says in sorted(detail["records"].items())[:100]]
            return table(("record", "now says"), rows, label="Records", cards=False)
        case "flip":
            rows = [[side, clean(said)] for side, said in detail["says"].items()]
            return table(("side", f"{detail['field']} is"), rows, label="What the sides say")
        case "not_stored":
            rows = [["we sent", clean(detail["sent"])], ["it says", clean(detail["says"])]]
            return table(("", str(detail["field"])), rows, label="What was sent, and is there")
    return _side_by_side(hold, people, revealed=revealed)


def _side_by_side(hold: Hold, people: explain.Concerned, *, revealed: bool) -> Html | None:
    """Compared as they are, shown as they may be."""
    views = explain.views(hold, people)
    rows: list[list[object]] = [
        [name, *(_shown(name, view, revealed) for view in views.values()), "≠" if explain.differs(name, views) else ""]
        for name in explain.named(views)
    ]
    heads = ("field", *(f"{name}~" for name in views), "")
    return table(heads, rows, label="Side by side", cards=False) if rows else None


def _shown(name: str, view: Mapping[str, Any], revealed: bool) -> str:
    given = view.get(name)
    return clean(given if revealed else veil.value(name, given))


# deciding


def offered(hold: Hold) -> dict[str, str]:
    """What can be decided: the words, as typed after `rosterd holds decide ID`, and what they mean."""
    return dict(explain.answers(hold))


def picked(hold: Hold, words: str) -> Picked | None:
    """What these words choose; None when they are not offered for this hold."""
    if words not in offered(hold):
        return None
    choice, *more = words.split()
    if more[:1] == ["--only"]:
        return Picked(choice, None, int(more[1]))
    return Picked(choice, more[0] if more else None)


def _decide(frame: Frame, hold: Hold, people: explain.Concerned) -> Html:
    if hold.state != "open":
        return section("Decided", el("p", f"On {when(hold.decided_at)}: {explain.decision(hold)}"), name="decide")
    title = "What is right?"
    if not frame.who.trusted:
        typed = [[el("code", f"rosterd {each.typed}"), each.meaning] for each in explain.choices(hold, people)]
        how = link("Sign in", f"/sign-in?to=/holds/{hold.id}") if frame.has_token else None
        note = [how, " to decide here, or type one of these"] if how else "type one of these; this page has no token"
        return section(title, table(("command", "meaning~"), typed, label="Choices"), note=note, name="decide")
    choices = [
        el("li", button(_label(words), name="choice", value=words), el("span", meaning))
        for words, meaning in offered(hold).items()
    ]
    forms = form(f"/holds/{hold.id}", frame.who, el("ul", choices, class_="choices"))
    return section(title, forms, note=PERMANENT, name="decide")


def _label(words: str) -> str:
    choice, _, more = words.partition(" ")
    return f"{choice} {more.replace('--only', 'only')}".strip().capitalize()
