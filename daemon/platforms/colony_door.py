"""The only way to Colony: the login, and the few paths that may be asked.

Beside contacts Colony has routes that send messages, lift opt-outs and delete lists. So what may be asked is listed
here, by method and path, and nothing else can be; there is no PUT and no DELETE.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.errors import NeedsPerson, RetryLater, StopSync
from daemon.platforms.answers import Answer, ApiError, mapping, rows
from daemon.platforms.bearer import Bearer, Token
from daemon.platforms.colony_shape import HARMFUL, Shape

if TYPE_CHECKING:
    from daemon.platforms.http import Api

READ = {"lists": ("GET",), "contacts": ("GET",), "contact": ("GET",), "optouts": ("GET",)}
WRITE = {"contacts": ("POST",), "contact": ("PATCH",), "import_csv": ("POST",), "create_optout": ("POST",)}
LASTS = 86399.0
"""Seconds a token lasts where the login does not say (Colony REST API docs, "oauth2")."""

Params = list[tuple[str, str]]


class Login(NamedTuple):
    """An OAuth2 password grant. `scope`: what the token shall allow, such as "read"."""

    username: str
    password: str
    client_id: str
    client_secret: str
    scope: str


def bearer(login: Login, path: str, *, clock: Callable[[], float] | None = None) -> Bearer:
    """Access for an `Api`. `clock`: seconds, for how long a token lasts."""
    client = {"client_id": login.client_id, "client_secret": login.client_secret}

    def ask(api: Api, **grant: str) -> Token:
        return _token(mapping(api.request("POST", path, form={**client, **grant}, safe=True, anonymous=True)))

    def enter(api: Api) -> Token:
        who = {"username": login.username, "password": login.password, "scope": login.scope}
        return ask(api, grant_type="password", **who)

    def renew(api: Api, refresh: str) -> Token:
        return ask(api, grant_type="refresh_token", refresh_token=refresh)

    return Bearer(enter, renew) if clock is None else Bearer(enter, renew, clock=clock)


def _token(found: Mapping[str, Any]) -> Token:
    access, lasts, refresh = (found.get(key) for key in ("access_token", "expires_in", "refresh_token"))
    if not isinstance(access, str) or not re.fullmatch(r"[\x21-\x7e]+", access):
        raise RetryLater("the platform let us in without a token")
    seconds = float(lasts) if isinstance(lasts, (int, float)) and lasts > 0 else LASTS
    return Token(access, seconds, refresh if isinstance(refresh, str) else None)


class Door:
    """Lets the requests through that are listed. `writes`: whether any that write are."""

    def __init__(self, api: Api, shape: Shape, *, writes: bool) -> None:
        self._api, self.shape = api, shape
        ways = [*READ.items(), *(WRITE.items() if writes else ())]
        named = [(method, shape.paths[name]) for name, methods in ways for method in methods if shape.paths[name]]
        learn = [("OPTIONS", path) for name, path in shape.paths.items() if path and name != "token"]
        self._ways = [(method, _pattern(path)) for method, path in [*named, *learn]]

    def request(self, method: str, path: str, **more: Any) -> Answer:
        """Every request of this connector, but for the login. Raises StopSync for one that is not listed."""
        fits = any(each == method and pattern.fullmatch(path) for each, pattern in self._ways)
        if not fits or HARMFUL.search(path):
            raise StopSync(f"rosterd does not send {method} to this path of Colony")
        return self._api.request(method, path, **more)

    def path(self, name: str, id_: str = "") -> str:
        return self.shape.paths[name].replace("{id}", urllib.parse.quote(id_, safe=""))

    def options(self, name: str, id_: str = "") -> Answer:
        """What the server says of a path: its methods, and perhaps its fields."""
        return self.request("OPTIONS", self.path(name, id_), safe=True)

    def pages(self, name: str, params: Params) -> Iterator[tuple[list[Any], int | None]]:
        """The pages of a collection, each with how many rows there are in all, if it says so.

        Django REST framework's `{count, next, previous, results}`, or a bare list (a guess; see colony_shape).
        """
        path, been = self.path(name), set[str]()
        while True:
            try:
                answer = self.request("GET", path, params=params, safe=True)
            except ApiError as problem:
                if problem.status == 404 and been:
                    return  # so many rows have gone meanwhile that there is no such page any more
                raise
            if isinstance(answer.data, list):
                yield answer.data, len(answer.data)
                return
            count, following = mapping(answer).get("count"), mapping(answer).get("next")
            yield rows(answer, "results"), count if isinstance(count, int) else None
            if not following:
                return
            query = self._onwards(following, path)
            if query in been:
                raise RetryLater("the platform's pages do not come to an end")
            been.add(query)
            params = urllib.parse.parse_qsl(query, keep_blank_values=True)

    def _onwards(self, following: Any, path: str) -> str:
        """The query of the next page. Its address is not followed: we ask our own host and path, with its query."""
        try:
            url = urllib.parse.urlsplit(following)
        except (TypeError, ValueError, AttributeError):
            raise RetryLater("the platform named a next page that is no address") from None
        host = url.netloc.rpartition("@")[2]
        if (host and host != self._api.host) or not url.path.endswith(path):
            raise NeedsPerson(
                f"the next page of Colony's answer is not on {self._api.host}, or at another path",
                hint="rosterd does not follow it: if the move is genuine, change base_url or paths",
            )
        return str(url.query)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path).replace(re.escape("{id}"), r"[\w%-]+"))
