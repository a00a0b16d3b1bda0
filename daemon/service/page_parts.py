"""The pieces that pages are made of. Text is escaped unless it says that it is HTML already."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

from daemon.output import ago, when
from daemon.service.look import WORDS, State
from daemon.service.page_access import Visitor

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What could move the text about: also what turns a line round."""
_VOID = {"input", "meta", "br", "hr"}


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def safe(inside: object) -> Html:
    """As HTML: what is HTML stays, None is nothing, several things follow each other, all else is text."""
    match inside:
        case Html():
            return inside
        case None:
            return Html("")
        case list() | tuple() | map():
            return Html("".join(safe(each) for each in inside))
    return Html(html.escape(_CONTROLS.sub("", str(inside))))


def el(tag: str, *inside: object, **attributes: Any) -> Html:
    """An element. `class_` is class, `aria_label` aria-label; True is an attribute without a value, None is none."""
    begin = tag + "".join(_attribute(name, given) for name, given in attributes.items() if given not in (None, False))
    return Html(f"<{begin}>" if tag in _VOID else f"<{begin}>{safe(list(inside))}</{tag}>")


def _attribute(name: str, given: Any) -> str:
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if given is True else f' {name}="{safe(str(given))}"'


# times


def moment(at: float | None, now: float) -> Html:
    """How long ago, with the moment itself for those who want it."""
    if at is None:
        return el("span", "never", class_="dim")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return el("time", ago(at, now), datetime=stamp, title=when(at))


# states, told apart by shape and word, not only by colour

_STATES: dict[State, tuple[str, str]] = {
    "fine": ("●", "ok"),
    "late": ("▲", "bad"),
    "failing": ("▲", "warn"),
    "paused": ("■", "warn"),
    "first": ("◔", "info"),
    "resting": ("◌", "info"),
    "off": ("○", "dim"),
}


def badge(state: State) -> Html:
    sign, tone = _STATES[state]
    return mark(sign, WORDS[state], tone)


def mark(sign: str, word: str, tone: str) -> Html:
    """`tone`: ok, warn, bad, info, dim."""
    return el("span", el("span", sign, aria_hidden="true"), " ", word, class_=f"badge {tone}")


_RECORDS = {
    "linked": ("●", "linked", "ok"),
    "held": ("■", "held", "warn"),
    "out_of_scope": ("○", "out of scope", "dim"),
    "failed": ("▲", "cannot be read", "bad"),
    "vanished": ("◌", "vanished", "dim"),
}


def badge_of(record: str) -> Html:
    """The state of a record."""
    return mark(*_RECORDS.get(record, ("◌", record, "dim")))


_OUTCOMES = {
    "done": ("●", "done", "ok"),
    "partial": ("◐", "partial", "info"),
    "later": ("■", "later", "warn"),
    "failed": ("▲", "failed", "bad"),
    "killed": ("◌", "killed", "warn"),
    None: ("◌", "under way, or killed", "dim"),
}


def outcome(word: str | None) -> Html:
    return mark(*_OUTCOMES.get(word, ("◌", word or "", "dim")))


# tables

_SORTS = {"#": "number", "~": "text"}


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, label: str, cards: bool = True) -> Html:
    """Heads that end in `#` are numbers, in `~` running text that takes the room there is. On a phone a row becomes a
    card, or (not `cards`) the table scrolls by itself.

    The roles say again what the elements are: browsers forget it when a row is laid out as a card.
    """
    columns = [(head.rstrip("#~"), _SORTS.get(head[-1:])) for head in heads]
    head = [el("th", name, scope="col", role="columnheader", class_=sort) for name, sort in columns]
    body = [
        el("tr", [_cell(cell, *column) for cell, column in zip(row, columns, strict=True)], role="row") for row in rows
    ]
    inside = el("thead", el("tr", head, role="row"), role="rowgroup"), el("tbody", body, role="rowgroup")
    made = el("table", inside, role="table", aria_label=label, class_="cards" if cards else None)
    way = {} if cards else {"tabindex": "0", "role": "region", "aria_label": label}
    return el("div", made, class_="scroll", **way)


def _cell(inside: object, name: str, sort: str | None) -> Html:
    shown = f"{inside:,}" if sort == "number" and isinstance(inside, int) else inside
    return el("td", el("span", shown), data_label=name, role="cell", class_=sort)


def section(title: str, *inside: object, note: object = None, name: str, class_: str | None = None) -> Html:
    """A chapter of the page. `name`: its anchor."""
    head = el("div", el("h2", title, id=name), el("p", note, class_="note") if note else None, class_="head")
    return el("section", head, *inside, aria_labelledby=name, class_=class_)


def empty(*words: object) -> Html:
    """What stands where there is nothing to show: that is mostly good news."""
    return el("p", *words, class_="empty")


# forms


def form(action: str, who: Visitor, *inside: object, **attributes: Any) -> Html:
    """A form of this session."""
    stamp = el("input", type="hidden", name="stamp", value=who.stamp)
    return el("form", stamp, *inside, method="post", action=action, **attributes)


def button(label: object, *, name: str | None = None, value: str | None = None, plain: bool = False) -> Html:
    return el("button", label, type="submit", name=name, value=value, class_="plain" if plain else None)


def link(label: object, to: str, **attributes: Any) -> Html:
    return el("a", label, href=to, **attributes)
