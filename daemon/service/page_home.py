"""The overview: what a person looks at first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from daemon.explain import headline
from daemon.output import plural
from daemon.service import page_chart as chart
from daemon.service import page_veil as veil
from daemon.service.look import Standing
from daemon.service.look_figures import Figures, Owed
from daemon.service.look_lists import LOOKED_THROUGH, SHOWN, Books, Dead, Overview, Run
from daemon.service.page_frame import Frame, page
from daemon.service.page_parts import (
    Html,
    badge,
    button,
    el,
    empty,
    form,
    link,
    mark,
    moment,
    outcome,
    section,
    table,
)
from daemon.words import span
from state.model import Hold

_HOLDS = {
    "match": "who is this?",
    "flip": "flipping field",
    "fuse": "mass change",
    "consent_jump": "a no became a yes",
    "consent_missing": "consent is gone",
    "not_stored": "not stored",
    "unwritable": "cannot be written",
    "shared_identifier": "shared phone or email",
    "outreach": "outreach in doubt",
}
_RUN = ("run", "when", "outcome", "connection")
_BOOKS = ("read#", "changed#", "unchanged#", "out of scope#", "held#", "failed#", "sent#", "books~")


def home(frame: Frame, seen: Overview, counted: Figures, promise: float) -> Html:
    hours = chart.by_hour(seen.hours, seen.at)
    dead = sum(one.pushes for one in counted.owed if one.state == "dead")
    return page(
        frame,
        "Status",
        _hero(seen, counted, dead, _slowest(hours, promise)),
        _alerts(seen),
        _connections(seen, counted),
        el(
            "div",
            section("Changes per hour", chart.changes(hours), name="hours"),
            section("Opt-out propagation", _propagation(hours, promise), name="propagation"),
            class_="pair",
        ),
        _holds(seen, counted),
        _dead(frame, seen, dead),
        _outbox(counted),
        _runs(seen),
        _search(),
        _workers(seen),
    )


def _hero(seen: Overview, counted: Figures, dead: int, slow: Tile) -> Html:
    """The state of it all: a sentence, and the numbers behind it."""
    enabled = [one for one in seen.connections if one.state != "off"]
    worst = [one for one in enabled if not one.ready]
    waits = sum(counted.holds.values())
    owed = sum(one.pushes for one in counted.owed if one.state != "dead")
    tiles = (
        Tile("connections", f"{len(enabled) - len(worst)} of {len(enabled)}", "up to date", "bad" if worst else "ok"),
        Tile("holds", f"{waits:,}", "waiting for a decision", "warn" if waits else ""),
        Tile("dead", f"{dead:,}", "refused", "warn" if dead else ""),
        Tile("outbox", f"{owed:,}", "owed to a platform", ""),
        slow,
    )
    return el("div", el("h1", _verdict(enabled, worst)), el("ul", map(_tile, tiles), class_="tiles"), class_="hero")


class Tile(NamedTuple):
    """A number at the head of the page. `to`: the chapter about it."""

    to: str
    number: str
    words: str
    tone: str


def _tile(one: Tile) -> Html:
    number = el("b", one.number, class_=one.tone or None)
    return el("li", link([number, el("span", one.words)], f"#{one.to}"))


def _slowest(hours: list[chart.Hour], promise: float) -> Tile:
    told = [one.slowest for one in hours if one.told]
    if not told:
        return Tile("propagation", "-", "no opt-out to pass on", "")
    over = max(told) > promise
    return Tile("propagation", span(max(told)), f"slowest opt-out; {span(promise)} promised", "bad" if over else "ok")


def _verdict(enabled: list[Standing], worst: list[Standing]) -> str:
    if not enabled:
        return "No connection is switched on"
    if not worst:
        return f"All {len(enabled)} connections are up to date" if len(enabled) > 1 else "The connection is up to date"
    if all(one.state == "first" for one in worst):
        return "The first reading is under way"
    return f"{len(worst)} of {plural(len(enabled), 'connection')} {'is' if len(worst) == 1 else 'are'} not up to date"


def _alerts(seen: Overview) -> Html | None:
    if not seen.alerts:
        return None
    rows = [
        el("li", f"{veil.text(one.text)}, ", moment(one.since, seen.at), el("p", veil.text(one.hint), class_="note"))
        for one in seen.alerts
    ]
    return section("Broken, and not healed yet", el("ul", rows), name="alerts", class_="alert")


# connections


def _connections(seen: Overview, counted: Figures) -> Html:
    heads = ("connection", "state~", "lag", "last success", "last run", "complete reading")
    rows = [_connection(one, seen, counted) for one in seen.connections]
    return section("Connections", table(heads, rows, label="Connections"), name="connections")


def _connection(one: Standing, seen: Overview, counted: Figures) -> list[object]:
    platform = el("small", one.platform) if one.platform != one.name else None
    run = seen.last_run(one.name)
    last = [moment(run.started_at, seen.at), " ", outcome(run.outcome)] if run else el("span", "-", class_="dim")
    return [
        [el("b", one.name), platform],
        [badge(one.state), _more(one)],
        _lag(one),
        moment(one.ok_at, seen.at),
        last,
        _reading(one, seen, counted),
    ]


def _more(one: Standing) -> list[Html]:
    words = [veil.text(one.why)] if one.why else []
    if one.quiet:
        words.append("quiet hours: only opt-outs are sent")
    return [el("small", each) for each in words]


def _lag(one: Standing) -> Html:
    if one.lag is None:
        return el("span", "-", class_="dim")
    return el("span", span(one.lag), " ", el("small", f"of {span(one.bound)}"), class_="keep")


def _reading(one: Standing, seen: Overview, counted: Figures) -> object:
    sweep = counted.sweeps.get(one.name)
    if sweep is not None and one.primed and sweep.known:
        return f"under way: {min(99, 100 * sweep.read // sweep.known)} % of {sweep.known:,} records"
    if sweep is not None:
        return f"under way: {plural(sweep.read, 'record')} so far"
    return moment(one.swept_at or None, seen.at)


# what waits


def _holds(seen: Overview, counted: Figures) -> Html:
    total = sum(counted.holds.values())
    if not seen.holds:
        return section("Waiting for a decision", empty("Nothing. What is ambiguous would wait here."), name="holds")
    rows = [_hold(hold, seen.at) for hold in seen.holds]
    note = plural(total, "hold") if total <= SHOWN else f"the oldest {SHOWN} of {total:,}; all: rosterd holds list"
    heads = ("hold", "kind", "what~", "connection", "since", "")
    return section("Waiting for a decision", table(heads, rows, label="Holds"), note=note, name="holds")


def _hold(hold: Hold, now: float) -> list[object]:
    words = headline(veil.hold(hold))
    look = link("Decide", f"/holds/{hold.id}", aria_label=f"Decide hold {hold.id}")
    return [hold.id, _HOLDS.get(hold.kind, hold.kind), words, hold.connection or "-", moment(hold.opened_at, now), look]


def _dead(frame: Frame, seen: Overview, total: int) -> Html:
    if not seen.dead:
        words = "No push was refused. What a platform will not take would lie here, with its reason."
        return section("Refused", empty(words), name="dead")
    heads = ["push", "to", "class", "what~", "contact", "since", "why~"]
    rows = [_dead_row(frame, one, seen.at) for one in seen.dead[:SHOWN]]
    if frame.who.trusted:
        heads.append("")
    shown = f"{SHOWN} of {total:,}; all: rosterd outbox list --state dead"
    note = shown if total > SHOWN else plural(total, "push", "pushes")
    return section("Refused", table(heads, rows, label="Refused pushes"), note=note, name="dead")


def _dead_row(frame: Frame, one: Dead, now: float) -> list[object]:
    who = link(f"c{one.contact_id}", f"/contacts/{one.contact_id}") if one.contact_id is not None else "-"
    kind = mark("▲", one.kind, "bad") if one.kind == "consent" else one.kind
    row: list[object] = [one.id, one.connection, kind, one.what, who, moment(one.since, now), veil.text(one.why)]
    if frame.who.trusted:
        row.append(form("/outbox", frame.who, button("Retry", name="id", value=one.id, plain=True)))
    return row


def _propagation(hours: list[chart.Hour], promise: float) -> Html:
    if not any(one.told for one in hours):
        return empty(f"No opt-out had to be passed on in the last {chart.HOURS} hours. The promise is {span(promise)}.")
    return chart.propagation(hours, promise)


# outbox and runs


def _outbox(counted: Figures) -> Html:
    waiting = [one for one in counted.owed if one.state != "dead"]
    if not waiting:
        return section("Outbox", empty("Empty: nothing is left to be sent."), name="outbox")
    rows = [_owed(one, counted.at) for one in waiting]
    heads = ("to", "class", "state", "pushes#", "oldest")
    note = "consent goes first, then profiles, then new people"
    return section("Outbox", table(heads, rows, label="Outbox"), note=note, name="outbox")


def _owed(one: Owed, now: float) -> list[object]:
    state = mark("■", "held", "warn") if one.state == "held" else mark("●", "to be sent", "info")
    return [one.connection, one.kind, state, one.pushes, moment(one.oldest_at, now)]


def _runs(seen: Overview) -> Html:
    if not seen.runs:
        return section("Last runs", empty("There was no run yet. The first one reads everything."), name="runs")
    loud = [run for run in seen.runs if not run.quiet]
    quiet = len(seen.runs) - len(loud)
    note = f"of the last {plural(len(seen.runs), 'run')}, {quiet:,} found nothing new"
    if not loud:
        return section("Last runs", empty(f"Quiet: {note}."), name="runs")
    rows = [row for run in loud for row in _run(run, seen.at)][:SHOWN]
    looked = "" if len(seen.runs) < LOOKED_THROUGH else ", they are not listed"
    listed = table((*_RUN, *_BOOKS), rows, label="Last runs", cards=False)
    return section("Last runs", listed, note=note + looked, name="runs")


def _run(run: Run, now: float) -> Iterator[list[object]]:
    begun, ended = moment(run.started_at, now), outcome(run.outcome)
    shown = [each for each in run.books if not each.quiet]
    for each in shown:
        yield [run.id, begun, ended, each.connection, each.read, *each.parts.values(), each.sent, _balance(each)]
    if not shown:
        yield [run.id, begun, ended, "-", *[0] * 7, "-"]


def _balance(each: Books) -> Html:
    if each.paused:
        return el("span", mark("■", "left alone", "warn"), el("small", veil.text(each.paused)))
    if each.balanced:
        return mark("●", "balanced", "ok")
    return mark("▲", f"off by {each.read - sum(each.parts.values()):+,}", "bad")


def _search() -> Html:
    field = el("input", type="search", name="asked", required=True, maxlength="200", autocomplete="off")
    words = "A phone, an email, a contact's number (c12) or a record's id, each as a whole"
    asked = el("form", el("label", words, field), button("Find"), method="post", action="/contacts", class_="ask")
    return section("Find a contact", asked, name="find")


def _workers(seen: Overview) -> Html | None:
    if not seen.doing:
        return None
    rows = [[name, doing or "waiting"] for name, doing in seen.doing]
    return section("Workers", table(("worker", "doing~"), rows, label="Workers"), name="workers")
