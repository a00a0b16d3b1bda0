"""What surrounds every page: its head, who is signed in, its foot."""

from __future__ import annotations

import time
from typing import NamedTuple

from daemon.output import when
from daemon.service.page_access import Visitor
from daemon.service.page_parts import Html, button, el, form, link
from daemon.service.page_style import STYLE

EVERY = 30
"""Seconds between two looks of a page that was asked to renew itself."""


class Frame(NamedTuple):
    """Who looks, when, and from where. `has_token`: whether one is configured, so that somebody could sign in."""

    who: Visitor
    has_token: bool
    at: float
    path: str
    every: int | None = None


def page(frame: Frame, title: str, *inside: object) -> Html:
    """A whole document."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="robots", content="noindex"),
        el("meta", http_equiv="refresh", content=str(frame.every)) if frame.every else None,
        el("title", f"{title} · rosterd"),
        el("style", Html(STYLE)),
    )
    body = el("div", _header(frame), el("main", *inside, id="main"), _footer(frame), class_="page")
    skip = link("To the content", "#main", class_="skip")
    return Html("<!doctype html>" + el("html", head, el("body", skip, body), lang="en"))


def _header(frame: Frame) -> Html:
    brand = link("rosterd", "/", class_="brand")
    return el("header", brand, el("nav", _renewal(frame), _who(frame), aria_label="Page"))


def _renewal(frame: Frame) -> Html | None:
    """By a link, as there is no script."""
    if frame.path != "/":
        return None
    if frame.every:
        return link("stop renewing", "/")
    return link(f"renew every {EVERY} s", f"/?every={EVERY}")


def _who(frame: Frame) -> Html | None:
    if frame.who.session is not None:
        return form("/sign-out", frame.who, button("Sign out", plain=True))
    if frame.has_token and frame.path != "/sign-in":
        return link("Sign in to decide", f"/sign-in?to={frame.path}")
    return None


def _footer(frame: Frame) -> Html:
    zone = time.strftime("%Z", time.localtime(frame.at))
    now = el("p", f"As it was at {when(frame.at)} ({zone}).")
    if frame.has_token:
        return el("footer", now)
    how = (
        "This page only shows. To decide holds and retry what was refused from here, make a token (",
        el("code", "openssl rand -hex 24"),
        "), put it in a file that only rosterd can read, and name that file as ",
        el("code", "token_file"),
        " under ",
        el("code", "[service]"),
        ". The command line decides without one: ",
        el("code", "rosterd holds list"),
        ".",
    )
    return el("footer", now, el("p", *how))


def message(frame: Frame, title: str, *words: object, kind: str = "refused") -> Html:
    """A page that says one thing. `kind`: done, refused."""
    said = el("section", el("h1", title), *(el("p", each) for each in words), class_=kind)
    return page(frame, title, said, el("p", link("To the overview", "/")))


def sign_in(frame: Frame, to: str, *, wrong: bool = False) -> Html:
    """The form for the token. It carries no stamp, as there is no session yet."""
    wrong_token = el("p", el("span", "That is not the token.", class_="badge bad"), role="alert") if wrong else None
    field = el("input", type="password", name="token", autocomplete="current-password", required=True, autofocus=True)
    inside = (
        el("label", "The token of this rosterd", field),
        el("input", type="hidden", name="to", value=to),
        button("Sign in"),
    )
    words = ("It is what ", el("code", "token_file"), " under ", el("code", "[service]"), " holds.")
    asked = el("form", *inside, method="post", action="/sign-in", class_="ask")
    title = el("h1", "Sign in")
    return page(frame, "Sign in", el("section", title, el("p", *words, class_="note"), wrong_token, asked))
