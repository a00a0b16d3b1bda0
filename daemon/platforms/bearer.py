"""Access by a token that is fetched with a name and a password, and fetched anew when it has run out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.errors import NeedsPerson
from daemon.platforms.answers import ApiError, login_refused

if TYPE_CHECKING:
    from daemon.platforms.http import Api

EARLY = 60.0
"""Seconds before its end that a token is no longer used: the request still has to arrive."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a login gives. `lasts`: seconds from now."""

    access: str
    lasts: float
    refresh: str | None = None


class Bearer:
    """Gives `Authorization: Bearer ...`; for `Api(authorize=...)`.

    `login` asks with the password, `renew` with the refresh token; both make their requests `anonymous`. A renewal
    that is refused falls back to the password; a password that is refused needs a person.
    """

    def __init__(
        self,
        login: Callable[[Api], Token],
        renew: Callable[[Api, str], Token],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._login, self._renew, self._clock = login, renew, clock
        self._token: Token | None = None
        self._ends = float("-inf")

    def __call__(self, api: Api, refused: bool) -> Mapping[str, str]:
        if refused or self._token is None or self._clock() >= self._ends:
            self._token = self._fetch(api, self._token)
            self._ends = self._clock() + max(self._token.lasts - EARLY, self._token.lasts / 2)
        return {"Authorization": f"Bearer {self._token.access}"}

    def _fetch(self, api: Api, old: Token | None) -> Token:
        if old is not None and old.refresh:
            try:
                return self._renew(api, old.refresh)
            except (ApiError, NeedsPerson):  # it has run out as well, or was withdrawn
                pass
        try:
            return self._login(api)
        except ApiError as problem:
            raise login_refused(api.host, problem.status) from None
