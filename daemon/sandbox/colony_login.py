"""Colony's login (OAuth2, Colony REST API docs "oauth2"), and its errors."""

from __future__ import annotations

import itertools
import re
from urllib.parse import parse_qsl

from daemon.sandbox.colony import CLIENT, USERNAME, ColonyModel
from daemon.sandbox.table import Data
from daemon.sandbox.wire import Request, Response, answer

_REFUSALS = {
    401: "Authentication credentials were not provided.",
    403: "You do not have permission to perform this action.",
    404: "Not found.",
    429: "Request was throttled.",
}


class ColonyError(Exception):
    """An error as the platform words it."""

    def __init__(self, status: int, body: Data) -> None:
        super().__init__(str(status))
        self.status, self.body = status, body


def refused(status: int) -> ColonyError:
    return ColonyError(status, {"detail": _REFUSALS.get(status, "Something went wrong.")})


class Tokens:
    """Gives tokens to whoever knows the password, and knows what each is good for."""

    def __init__(self, model: ColonyModel, password: str, secret: str) -> None:
        self._model, self._password, self._secret = model, password, secret
        self._tokens: dict[str, tuple[float, frozenset[str]]] = {}  # until when, and what for
        self._refresh: dict[str, frozenset[str]] = {}
        self._count = itertools.count(1)

    def give(self, request: Request) -> Response:
        """A request for a token. Raises ColonyError."""
        if request.method != "POST":
            raise refused(405)
        form = dict(parse_qsl(request.body.decode()))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, self._secret):
            raise ColonyError(401, {"error": "invalid_client"})
        if form.get("grant_type") == "password":
            if (form.get("username"), form.get("password")) != (USERNAME, self._password):
                raise ColonyError(400, {"error": "invalid_grant"})
            return self._grant(frozenset(re.split(r"[ +]", form.get("scope", "read"))))
        if form.get("grant_type") == "refresh_token" and form.get("refresh_token") in self._refresh:
            return self._grant(self._refresh.pop(form["refresh_token"]))
        raise ColonyError(400, {"error": "invalid_grant"})

    def _grant(self, scope: frozenset[str]) -> Response:
        number, lasts = next(self._count), self._model.token_seconds
        access, refresh = f"sandbox-access-{number}", f"sandbox-refresh-{number}"
        self._tokens[access] = (self._model.clock() + lasts, scope)
        self._refresh[refresh] = scope
        body = {"access_token": access, "token_type": "Bearer", "expires_in": int(lasts), "refresh_token": refresh}
        return answer(200, body | {"scope": " ".join(sorted(scope))})

    def forget(self, *, refresh: bool = False) -> None:
        """Colony withdraws every token it has given; with `refresh` the ones to renew them with, too."""
        with self._model.lock:
            self._tokens.clear()
            if refresh:
                self._refresh.clear()

    def scope(self, request: Request) -> frozenset[str]:
        """What the token of a request allows. Raises ColonyError where there is none that is good."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        until, scope = self._tokens.get(token if kind == "Bearer" else "", (0.0, frozenset()))
        if self._model.clock() >= until:
            raise refused(401)
        return scope
