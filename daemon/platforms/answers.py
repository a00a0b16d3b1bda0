"""What a platform answered, and what its refusals mean, without the personal data they like to quote."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.errors import NeedsPerson, RetryLater, SkipRecord


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `data` is the parsed JSON, None where there was no body and none was expected."""

    status: int
    data: Any
    headers: Mapping[str, str]  # names in lower case


class ApiError(SkipRecord):
    """The platform refused this one request (4xx), and would again. `code` is the vendor's own."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(" ".join(part for part in (str(status), code, message) if part))
        self.status = status
        self.code = code


def rows(answer: Answer, key: str | None = None) -> list[Any]:
    """The list in an answer, at the top or under `key`. Anything else is no answer to our question."""
    found = answer.data if key is None else answer.data.get(key) if isinstance(answer.data, dict) else None
    if not isinstance(found, list):
        raise RetryLater("the platform answered with something other than a list")
    return found


def mapping(answer: Answer) -> dict[str, Any]:
    """The object in an answer."""
    if not isinstance(answer.data, dict):
        raise RetryLater("the platform answered with something other than an object")
    return answer.data


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Reading concerns the connection, not one record: a refusal needs a person, and an outage time."""
    try:
        yield
    except ApiError as problem:
        if problem.status >= 500:
            raise RetryLater(f"{what} cannot be read just now: {problem}") from problem
        raise NeedsPerson(f"{what} cannot be read: {problem}", hint="run `rosterd check`") from problem


def key_refused(host: str, status: int) -> NeedsPerson:
    """401 and 403. Their bodies echo keys on some platforms, so nothing of them is told."""
    return NeedsPerson(
        f"{host} refused our key ({status})",
        hint="check the API key and what it is allowed to do, then run `rosterd check`",
    )


def login_refused(host: str, status: int) -> NeedsPerson:
    """Where we log in with a name and a password instead of a key."""
    return NeedsPerson(
        f"{host} refused our login ({status})",
        hint="check the user name and the password (and the client id and its secret, where there is one), "
        "then run `rosterd check`",
    )


def not_allowed(host: str, status: int) -> NeedsPerson:
    """401 and 403 to somebody who has just logged in."""
    return NeedsPerson(
        f"{host} let us log in, and refused what we asked for ({status})",
        hint="check what the account is allowed to see and do there, then run `rosterd check`",
    )


def unpaid(host: str) -> NeedsPerson:
    """402 (Telerivet docs, 'Errors': account unpaid or one of its limits exceeded)."""
    return NeedsPerson(
        f"{host} wants payment, or a limit of the account is used up (402)",
        hint="look at the account's billing page, then run `rosterd check`",
    )


def refusal(status: int, data: Any, sent: Any) -> ApiError:
    """A 4xx as an error: the vendor's code and words, minus what we sent and what looks personal."""
    inner = data.get("error") if isinstance(data, dict) else None
    body = inner if isinstance(inner, dict) else data if isinstance(data, dict) else {}
    words = [inner] if isinstance(inner, str) else [body.get("message"), body.get("hint")]
    values = sorted(set(_leaves(sent)), key=len, reverse=True)
    text = "; ".join(scrub(word, values) for word in words if isinstance(word, str) and word)
    param = body.get("param")
    if isinstance(param, str) and re.fullmatch(r"\w{1,40}", param):
        text += f" (parameter {param})"
    text = text or _refused_fields(body)
    code = body.get("code") or _codes(body.get("errors"))
    return ApiError(status, str(code)[:40] if isinstance(code, (str, int)) else "", text[:300])


def _refused_fields(body: Mapping[str, Any]) -> str:
    """The names of the fields that were refused, as Django REST framework tells them: `{name: [why, ...]}`. Why is not
    told: it quotes what was sent."""
    found = [name for name, why in body.items() if isinstance(why, list) and re.fullmatch(r"[a-z][a-z_]{1,39}", name)]
    return f"refused: {', '.join(found)}" if found and "errors" not in body else ""


def _codes(errors: Any) -> str:
    """The codes of JSON:API errors, and nothing else of them: `detail`, `meta` and `source` quote what was sent."""
    found = [each.get("code") for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return ",".join(dict.fromkeys(code for code in found if isinstance(code, str) and _CODE.fullmatch(code)))


_CODE = re.compile(r"(?!.*\d{6})[\w.-]{1,40}")  # a word of theirs, or a short number: no phone and no email
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'|`([^`]*)`")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")  # member_phone_key: theirs, not a person's
_PERSONAL = (
    re.compile(r"\S+@\S+"),
    re.compile(r"\+?\(?\d[\d\s().-]{4,}\d"),
    re.compile(r"(?<==)\([^)]*\)"),  # PostgreSQL: Key (phone_number)=(+1...) already exists
    re.compile(r"(?<=contains )\(.*"),
)


def scrub(text: str, sent: list[str]) -> str:
    """The vendor's words without values: those we sent, quoted ones, addresses and long numbers."""
    for value in sent:
        text = text.replace(value, "…")
    for pattern in _PERSONAL:
        text = pattern.sub("…", text)
    return _QUOTED.sub(_keep_names, text)


def _keep_names(found: re.Match[str]) -> str:
    inside = next(group for group in found.groups() if group is not None)
    return found[0] if _NAME.fullmatch(inside) else "…"


def _leaves(sent: Any) -> Iterator[str]:
    """Every value we sent that is long enough to be told from ordinary words. Keys are not values."""
    if isinstance(sent, Mapping):
        for value in sent.values():
            yield from _leaves(value)
    elif isinstance(sent, (list, tuple)):
        for value in sent:
            yield from _leaves(value)
    elif isinstance(sent, str) and len(sent) > 2:
        yield sent
