"""Outreaches: rules that turn something that happened to a contact into an action recorded at a campaign.

A rule says *when* (a tag gained, a field set, a consent given), *where* (the campaign) and *what* (target, words).
The words are templates, in which nothing computes: `{given_name}` stands for the contact's field, `{given_name|friend}`
for the field or, where it is blank, for the word after the bar. A doubled brace is a brace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mappings.contact import CONSENT, FIELDS, SETS, Fields
from mappings.errors import did_you_mean
from mappings.shapes import ByKey, Json, ListOf, Record, Scalar, Shape, Text, Trouble, Word
from mappings.values import read_text
from mappings.yaml import Path

_OWN = r"(?:custom|external)\.[A-Za-z0-9_][A-Za-z0-9_-]*"
_FIELD = rf"(?:{'|'.join(FIELDS)}|{_OWN})"
_SETTABLE = _FIELD.replace("full_name|", "")  # which is derived, and never set
_PIECE = re.compile(r"(\{\{|\}\})|\{([^{}|]*)(?:\|([^{}]*))?\}|([{}])")

Kind = Literal["tag", "field", "consent"]


@dataclass(frozen=True, slots=True)
class Template:
    """Text with gaps: plain pieces, and (field, what stands there when it is blank)."""

    pieces: tuple[str | tuple[str, str], ...]

    def fill(self, contact: Fields) -> str:
        """The text for this contact, trimmed."""
        return "".join(each if isinstance(each, str) else _value(contact, *each) for each in self.pieces).strip()


def _value(contact: Fields, name: str, otherwise: str) -> str:
    value = contact.get(name)
    return value if isinstance(value, str) and value else otherwise


@dataclass(frozen=True, slots=True)
class When:
    """What must happen: this tag is gained; this field is set (to `value`, if given); this consent is given."""

    kind: Kind
    name: str
    value: str | None = None

    @property
    def words(self) -> str:
        match self.kind:
            case "tag":
                return f"tag {self.name}"
            case "field":
                return f"{self.name} set" + (f" to {self.value}" if self.value is not None else "")
        return f"yes to {self.name.removeprefix('consent.')}"


@dataclass(frozen=True, slots=True)
class OutreachRule:
    """One rule. `name` is part of what makes an event fire once: renamed, it is another rule."""

    name: str
    when: When
    campaign: str
    target: Mapping[str, Template]
    words: Mapping[str, Template] = field(default_factory=dict)  # subject, message, duration
    referrer: Mapping[str, str] = field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


def template(text: str) -> Template:
    """A template from text in which `_template_troubles` found nothing."""
    pieces: list[str | tuple[str, str]] = []
    at = 0
    for found in _PIECE.finditer(text):
        pieces.append(text[at : found.start()])
        doubled, name, otherwise, _ = found.groups()
        pieces.append(doubled[0] if doubled else (name.strip(), (otherwise or "").strip()))
        at = found.end()
    return Template(tuple(each for each in (*pieces, text[at:]) if each))


# the language


@dataclass(frozen=True)
class TemplateText(Shape):
    """Text with gaps for a contact's fields."""

    what: str = "text, with {field} where a contact's field goes"

    def troubles(self, value: Any, path: Path) -> Iterator[Trouble]:
        if not isinstance(value, str):
            yield from self.wrong(value, path)
        elif not value.strip() or "\0" in value:
            yield path, "this must not be blank."
        else:
            yield from _template_troubles(value, path)

    def schema(self) -> Json:
        gap = rf"\{{ *{_FIELD} *(?:\|[^{{}}]*)?\}}"
        return {"type": "string", "pattern": rf"^(?:[^{{}}]|\{{\{{|\}}\}}|{gap})*$", "allOf": [{"pattern": r"\S"}]}


def _template_troubles(text: str, path: Path) -> Iterator[Trouble]:
    for doubled, name, _, lone in _PIECE.findall(text):
        if lone:
            yield path, f"a brace {lone!r} stands alone. Write {{field}}, or {lone * 2} for a brace."
        elif not doubled and not re.fullmatch(_FIELD, name.strip()):
            yield path, f"there is no field {name.strip()!r} to put here. {_field_hint(name.strip())}"


def _field_hint(word: str) -> str:
    if word in SETS or word in CONSENT:
        return "Only fields with one value can be put into words."
    return did_you_mean(word, FIELDS, "A field of your own is custom.NAME; a default stands after a bar: {city|town}.")


def _when_hint(word: str) -> str:
    if word in ("tags", *CONSENT):
        return "Write `tag: NAME`, or `consent: sms` or `consent: email`."
    if word == "full_name":
        return "It is put together from given_name and family_name: name one of them."
    return did_you_mean(word, FIELDS, "A field of your own is custom.NAME.")


_TEXT = TemplateText()
_TAG = Text("the name of a tag", r"[^\0*]*[^\0*\s][^\0*]*", lambda _: "Give its whole name: nothing stands for others.")
_TAG_LIST = ListOf(_TAG, "a list of tags")
_UUID = Text(
    "the id of a campaign",
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    lambda _: "It is the last part of the campaign's address in the API, as in f77e736b-d295-4e68-96ec-a765090c6523.",
)
_NAME = Text("a name", r"[a-z][a-z0-9_]*", lambda _: "Small letters, digits and _, such as wrote_letter.")
_PLAIN = Text("a text")

WHEN = ByKey(
    "an event (tag, field or consent)",
    {
        "tag": Record("`tag`", {"tag": (_TAG, "The contact gains this tag.")}),
        "field": Record(
            "an event on a field",
            {
                "field": (
                    Text("a field", _SETTABLE, _when_hint),
                    "The field is set: from blank, or from another value.",
                ),
                "is": (Scalar("a value"), "Only when it is set to this."),
            },
        ),
        "consent": Record(
            "`consent`", {"consent": (Word(("sms", "email"), "channel"), "The contact says yes on this channel.")}
        ),
    },
    several="One event a rule; write a rule for each.",
)

_TARGET = {
    "title": (_TEXT, "Such as Senator."),
    "given_name": (_TEXT, "First name."),
    "family_name": (_TEXT, "Last name."),
    "ocdid": (_TEXT, "The Open Civic Data division, such as ocd-division/country:us/state:ny/cd:18."),
}
TARGET = Record(
    "a target",
    _TARGET,
    one_of=tuple(_TARGET),
    hint="Say whom the person reached.",
)

_REFERRER = {
    "source": (_PLAIN, "The source code the campaign counts it under."),
    "website": (_PLAIN, "The website they came from."),
    "email_referrer": (_PLAIN, "The id of the email that brought them."),
    "mobile_message_referrer": (_PLAIN, "The id of the text message that brought them."),
}
REFERRER = Record(
    "a referrer",
    _REFERRER,
    one_of=tuple(_REFERRER),
    hint="Say where they came from, or leave `referrer` out.",
)

RULE = Record(
    "a rule for outreaches",
    {
        "name": (_NAME, "The rule's own name, for good: what has fired under another name fires again."),
        "when": (WHEN, "What must happen to the contact: `tag`, `field` or `consent`."),
        "campaign": (_UUID, "The advocacy campaign; it must have been made through the API."),
        "target": (TARGET, "Whom the person reached; always one."),
        "subject": (_TEXT, "The subject of the letter, for campaigns of type email."),
        "message": (_TEXT, "The letter, for campaigns of type email."),
        "duration": (_TEXT, "How long the call was, for campaigns of type phone."),
        "referrer": (REFERRER, "Where the person came from."),
        "add_tags": (_TAG_LIST, "Tags the record gains by it, by our names."),
        "remove_tags": (_TAG_LIST, "Tags the record loses by it, by our names."),
    },
    required=("name", "when", "campaign", "target"),
    apart=(
        ("subject", "duration", "a campaign is of letters or of calls."),
        ("message", "duration", "a campaign is of letters or of calls."),
    ),
)

OUTREACH = ListOf(RULE, "a list of rules")


def outreach_troubles(rules: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    """What only shows when the rules are seen together."""
    names: set[str] = set()
    firing = {rule["when"]["tag"].casefold(): rule["name"] for rule in rules if "tag" in rule["when"]}
    for i, rule in enumerate(rules):
        if rule["name"] in names:
            yield ("outreach", i, "name"), f"there is a rule {rule['name']!r} already. Each needs a name of its own."
        names.add(rule["name"])
        if "is" in rule["when"] and read_text(rule["when"]["is"]) is None:
            yield ("outreach", i, "when", "is"), "this must not be blank. An event is a value that was set."
        for j, tag in enumerate(rule.get("add_tags", ())):
            if (other := firing.get(tag.casefold())) is not None:
                text = f"the tag {tag!r} fires the rule {other!r}: an outreach must not bring about another."
                yield ("outreach", i, "add_tags", j), text


def outreach_rules(raw: Sequence[Mapping[str, Any]]) -> tuple[OutreachRule, ...]:
    """The rules of tables in which nothing wrong was found."""
    return tuple(_rule(each) for each in raw)


def _rule(raw: Mapping[str, Any]) -> OutreachRule:
    return OutreachRule(
        name=raw["name"],
        when=_when(raw["when"]),
        campaign=raw["campaign"].lower(),
        target={key: template(text) for key, text in raw["target"].items()},
        words={key: template(raw[key]) for key in ("subject", "message", "duration") if key in raw},
        referrer=dict(raw.get("referrer", {})),
        add_tags=tuple(raw.get("add_tags", ())),
        remove_tags=tuple(raw.get("remove_tags", ())),
    )


def _when(raw: Mapping[str, Any]) -> When:
    if "tag" in raw:
        return When("tag", raw["tag"].strip())
    if "consent" in raw:
        return When("consent", f"consent.{raw['consent']}")
    return When("field", raw["field"], read_text(raw.get("is")))
