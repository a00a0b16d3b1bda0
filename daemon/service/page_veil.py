"""What the page shows of people until somebody with the token asks: enough to recognise them by.

What is not known to be harmless is covered: a field that comes tomorrow, free text, an event nobody thought of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daemon import logs
from state.model import Hold, Noted

COVER = "•••"
_PHONES = {"phone", "other_phones"}
_EMAILS = {"email", "other_emails"}
_NAMES = {"given_name", "family_name", "full_name"}
_OPEN = {"consent.sms", "consent.email", "language", "country"}
_FACTS = {"keep", "drop", "push", "hold", "kind", "choice", "channel", "from", "to", "new", "field", "rule", "at"}
_FACTS |= {"argument", "only", "count", "holds", "contacts", "sides", "outreach", "tripped"}
_TEXTS = {"reason", "why", "how", "event", "by", "as", "id", "campaign"}
_BY_FIELD = {"took", "overruled", "told", "created"}
"""Events whose detail is {field: value, or [one value, another]}."""


def value(name: str, given: Any) -> Any:
    """One field of a person, covered. None and blanks stay what they are."""
    if given in (None, "", []) or name in _OPEN:
        return given
    if isinstance(given, list | tuple):
        return [value(name, each) for each in given]
    if name in _PHONES:
        return logs.mask_phone(str(given))
    if name in _EMAILS:
        return logs.mask_email(str(given))
    return logs.mask_name(str(given)) if name in _NAMES else COVER


def view(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value(name, given) for name, given in fields.items()}


def text(given: str) -> str:
    """Running text, such as a platform's reason, without phones, emails and secrets."""
    return logs.text(given)


def entry(noted: Noted) -> Noted:
    """A row of the journal, covered."""
    if noted.event in _BY_FIELD:
        return replace(noted, detail=view(noted.detail))
    return replace(noted, detail={key: _known(key, given) for key, given in noted.detail.items()})


def _known(key: str, given: Any) -> Any:
    if key in _FACTS:
        return given
    if key in _TEXTS and isinstance(given, str):
        return text(given)
    return COVER if given not in (None, "", [], {}) else given


def hold(found: Hold) -> Hold:
    """A hold, covered: the fields of the people and what the sides say."""
    name = str(found.detail.get("field", ""))
    return replace(found, detail={key: _of_hold(key, given, name) for key, given in found.detail.items()})


def _of_hold(key: str, given: Any, name: str) -> Any:
    match key:
        case "view":
            return view(given)
        case "says" if isinstance(given, Mapping):
            return {side: value(name, said) for side, said in given.items()}
        case "sent" | "says":
            return value(name, given)
        case "records":
            return given  # ids at the platform, and of a consent what it says
    return _known(key, given)
