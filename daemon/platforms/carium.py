"""Carium courier: the users of one account. They are only read.

Carium keeps people in other services of its own; courier holds copies, and none of its routes takes a name, a phone
number or an email. The writes it does have text people (a consent begins a dialogue by SMS), look numbers up at a price
or destroy a person's data. So nothing here can write: `Window` knows GET and the login, and a push is refused unsent.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.errors import RetryLater
from daemon.platforms.answers import Answer, ApiError, mapping, reading, rows
from daemon.platforms.base import Connector, Cursor, Facts, Outcome, Page, Push, Record, Refused
from daemon.platforms.bearer import Bearer, Token
from daemon.platforms.carium_scan import LIMIT, Place, Scan, notebook
from daemon.platforms.carium_user import (
    CAPABILITIES,
    Consent,
    Consents,
    consent,
    in_words,
    is_american,
    is_sms,
    record,
)

if TYPE_CHECKING:
    from daemon.platforms.http import Api

LOGIN = "/identity/v1/login/"
USERS, CONSENTS = "/courier/v1/users/", "/courier/v1/user-consents/"
NUMBERS = "/courier/v1/text-number-info/"
LASTS = 3600.0
"""Seconds that a token lasts at most, where the login does not say (Carium API, 'login')."""

NO_WRITES = "Carium is only read: it takes no contact data, and its consents are dialogues with the person"
MEDIA_TYPE = "application/vnd.api+json"


def bearer(username: str, password: str) -> Bearer:
    """Access for an `Api`. Nothing is published about renewing a token: when it has run out we log in anew."""

    def login(api: Api, _spent: str = "") -> Token:
        body = {"username": username, "password": password}
        return _token(mapping(api.request("POST", LOGIN, json=body, safe=True, anonymous=True)))

    return Bearer(login, login)


def _token(answer: Mapping[str, Any]) -> Token:
    """The token, plain or wrapped as JSON:API wraps things."""
    data = answer.get("data")
    inner = data.get("attributes", data) if isinstance(data, dict) else answer
    found = inner if isinstance(inner, dict) else {}
    access, lasts = found.get("access-token"), found.get("expires-in")
    if not isinstance(access, str) or not (access.isascii() and access.isprintable() and access):
        raise RetryLater("the platform let us in without a token")
    return Token(access, float(lasts) if isinstance(lasts, (int, float)) and 0 < lasts <= LASTS else LASTS)


class Window:
    """The only way to Carium: what can be looked at."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, path: str, **params: str) -> Answer:
        """`page__limit` is sent as `page[limit]`, percent-encoded; a name without two underscores as it is."""
        named = {f"{kind}[{rest}]" if rest else kind: value for kind, rest, value in _named(params)}
        return self._api.request("GET", path, params=named, safe=True)

    def page(self, path: str, offset: int, limit: int) -> Answer:
        return self.get(path, page__limit=str(limit), page__offset=str(offset))


def _named(params: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, value in params.items():
        kind, _, rest = name.partition("__")
        yield kind, rest.replace("_", "-"), value


class Carium(Connector):
    """One account. `page`: users a call. `number_info`: a complete reading also reads what Carium knows of each number,
    one call a number; a poll does not, and then a record says nothing of it."""

    platform = "carium"
    capabilities = CAPABILITIES

    def __init__(self, api: Api, *, username: str, facts: Facts, page: int = LIMIT, number_info: bool = False) -> None:
        self._api, self._window, self._limit, self._number_info = api, Window(api), page, number_info
        self.facts = facts
        self.account = f"carium:{username}@{api.host}"

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:
        """All consents, then all users. A sweep that was broken off reads the consents again: they are few."""
        yield from self._read(cursor, resume=resume, numbers=self._number_info)

    def _read(self, cursor: Cursor, *, resume: bool = True, numbers: bool = False) -> Iterator[Page]:
        place = Place(**cursor["users"]) if resume and "users" in cursor else Place()
        with notebook() as book:
            consents, users = Consents(book), self._scan(book, USERS, "users")
            with reading("the consents"):
                for found, _ in self._scan(book, CONSENTS, "consents").pages(Place()):
                    consents.add(found)
            with reading("the users"):
                for found, following in users.pages(place):
                    records = [self._record(row, consents.of(row["id"]), numbers) for row in found]
                    broken = [(type(row).__name__, "no user with an id") for row in users.broken]
                    onwards = {"users": following.as_dict()} if following else {}
                    yield Page(records, onwards, following is None, broken)

    def _record(self, row: Mapping[str, Any], consents: list[Consent], numbers: bool) -> Record:
        return record(row, consents, self._known_of(row["attributes"].get("phone")) if numbers else None)

    def _known_of(self, number: Any) -> Mapping[str, Any] | None:
        """What Carium knows of a number: of American ones only (Carium courier API, 'text-number-info')."""
        if not is_american(number):
            return None
        try:
            found = rows(self._window.get(NUMBERS, number=number), "data")
        except ApiError:
            return None  # it takes this for no number: that is no trouble of the user's
        inner = [row.get("attributes") for row in found if isinstance(row, dict)]
        return next((each for each in inner if isinstance(each, dict) and each.get("number") == number), None)

    def _scan(self, book: Any, path: str, name: str) -> Scan:
        return Scan(lambda offset, limit: self._window.page(path, offset, limit), book, name, limit=self._limit)

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        """Everything: there is no filter by time, no sort and no time of change."""
        yield from self._read(cursor)

    @property
    def feed_is_sweep(self) -> bool:
        return True

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:
        """Two calls each: the user, and their consents."""
        for external_id in external_ids:
            with reading("a user"):
                row = self._user(external_id)
            if row is not None:
                yield record(row, self._consents_of(external_id))

    def _consents_of(self, user: str) -> list[Consent]:
        """A filter that is not understood may be ignored: what comes back is compared."""
        with reading("the consents"):
            found = rows(self._window.get(CONSENTS, page__limit=str(LIMIT), filter__user_id=user), "data")
        inner = [
            row["attributes"] for row in found if isinstance(row, dict) and isinstance(row.get("attributes"), dict)
        ]
        return [consent(each) for each in inner if is_sms(each) and each.get("user-id") == user]

    def _user(self, external_id: str) -> dict[str, Any] | None:
        try:
            answer = self._window.get(f"{USERS}{urllib.parse.quote(external_id, safe='')}/")
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise
        row = mapping(answer).get("data")
        if not isinstance(row, dict) or row.get("id") != external_id or not isinstance(row.get("attributes"), dict):
            raise RetryLater("the platform answered with something other than the user")
        return row

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        """Refuses everything, without a call."""
        for push in pushes:
            yield Refused(push.ref, NO_WRITES)

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        """The login, and what it may see. Three calls."""
        with reading("the users"):
            found = rows(self._window.page(USERS, 0, 1), "data")
        yield "login", True, "the account may log in"
        yield "users", True, "they can be read" if found else "none, or none that this account may see"
        with reading("the consents"):
            yield "consents", True, in_words(rows(self._window.page(CONSENTS, 0, self._limit), "data"))
        yield "writes", True, "none: Carium is only read"

    def close(self) -> None:
        self._api.close()

    @property
    def calls(self) -> int:
        return self._api.calls

    @property
    def throttled(self) -> int:
        return self._api.throttled
