"""Who may see the page, and who may decide on it.

On a loopback address everybody on this machine may look, with what tells who people are covered; anywhere else nobody
may without the token. Decisions ask for the token always. A program sends it as `Authorization: Bearer`; a person signs
in once and gets a cookie, which is not the token but a number that is signed with it, and ends.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from daemon.settings_service import Service
from daemon.settings_types import loopback

COOKIE = "rosterd_session"
LASTS = 8 * 3600
"""Seconds that a person stays signed in."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `trusted`: has shown the token. `session`: by a cookie, so that forms must carry its `stamp`."""

    trusted: bool = False
    session: str | None = None
    stamp: str = ""


STRANGER = Visitor()


class Access:
    """The rules for one `[service]` table."""

    def __init__(self, service: Service, clock: Callable[[], float]) -> None:
        self._token = None if service.token is None else service.token.get_secret_value().encode()
        self._clock = clock
        self.public = service.public
        self.has_token = self._token is not None

    # who asks

    def visitor(self, authorization: str | None, cookie: str | None) -> Visitor:
        if authorization is not None:
            return Visitor(trusted=self._bearer(authorization))
        session = _cookie(cookie)
        if session is None or not self._lives(session):
            return STRANGER
        return Visitor(trusted=True, session=session, stamp=self._sign("form", session))

    def _bearer(self, authorization: str) -> bool:
        kind, _, given = authorization.partition(" ")
        return kind.lower() == "bearer" and self.is_token(given.strip())

    def is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token)

    def may_look(self, who: Visitor, *, forwarded: bool) -> bool:
        """`forwarded`: a proxy on this machine asks for somebody elsewhere."""
        return who.trusted or not (self.public or forwarded)

    # sessions

    def session(self) -> str:
        """A new one: when it ends, a number of its own, and our signature over both."""
        begun = f"{int(self._clock()) + LASTS}.{secrets.token_urlsafe(16)}"
        return f"{begun}.{self._sign('session', begun)}"

    def _lives(self, session: str) -> bool:
        begun, _, signature = session.rpartition(".")
        ends = begun.partition(".")[0]
        if self._token is None or not hmac.compare_digest(signature.encode(), self._sign("session", begun).encode()):
            return False
        return int(ends) > self._clock()

    def _sign(self, what: str, text: str) -> str:
        assert self._token is not None
        return hmac.digest(self._token, f"rosterd {what}\0{text}".encode(), "sha256").hex()

    @staticmethod
    def cookie(session: str, *, secure: bool) -> str:
        """The Set-Cookie header; an empty session takes the cookie away."""
        lasts = LASTS if session else 0
        end = "; Secure" if secure else ""
        return f"{COOKIE}={session}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{end}"

    # where the question comes from

    def knows_host(self, host: str | None) -> bool:
        """Against names of other sites that are made to lead here: on loopback, only its own names are answered to. On
        other addresses any name may be ours, and nothing is told without the token."""
        name = _host(host)
        return name is not None and (self.public or loopback(name))

    @staticmethod
    def same_origin(host: str | None, origin: str | None, fetch_site: str | None) -> bool:
        """Whether a form was sent from a page of ours. Browsers say at least one of the two; what they say of the site
        no page can write itself, while a proxy may have changed the host."""
        if fetch_site is not None:
            return fetch_site == "same-origin"
        return origin is not None and origin.partition("://")[2] == host

    @staticmethod
    def stamped(who: Visitor, stamp: str) -> bool:
        """Whether a form carries what only our pages for this session do. A bearer's question is no form of a page."""
        return who.session is None or hmac.compare_digest(stamp.encode(), who.stamp.encode())


def _cookie(header: str | None) -> str | None:
    try:
        found = SimpleCookie(header or "").get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and found.value.isascii() else None


def _host(header: str | None) -> str | None:
    """The name in a Host header, without the port; None when it is no such header."""
    written = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?", header or "")
    if written is None:
        return None
    name = written[1].lower().removeprefix("[").removesuffix("]").rstrip(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
