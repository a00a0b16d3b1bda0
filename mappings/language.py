"""The mapping language: one table, from which both the loader's checks and the JSON Schema are made."""

from __future__ import annotations

from typing import Any

from mappings.contact import CONSENT, CONSENT_STATES, FIELDS, SETS, UNASKED
from mappings.errors import did_you_mean
from mappings.outreach import OUTREACH
from mappings.paths import LIST, PATH
from mappings.shapes import (
    ByKey,
    Either,
    Flag,
    ListOf,
    Off,
    Record,
    Reference,
    Scalar,
    Shape,
    Table,
    Text,
    Whole,
    Word,
)
from mappings.transforms import TRANSFORMS

KINDS = ("text", "number", "integer", "boolean", "date", "phone", "email")
DIRECTIONS = ("both", "in", "out")
POLICIES = ("latest", "priority", "fill", "never")
SAME = "same"
"""As a `default`: what the map does not name passes as it is."""

_OWN_NAME = r"(?:custom|external)\.[A-Za-z0-9_][A-Za-z0-9_-]*"
_FIELD_NAME = rf"(?:{'|'.join(FIELDS)}|{_OWN_NAME})"
_ANY_FIELD = rf"(?:{_FIELD_NAME}|{'|'.join(SETS[1:])}|{'|'.join(name.replace('.', '[.]') for name in CONSENT)})"


def _field_hint(word: str) -> str:
    if word == "tags" or word.startswith("consent"):
        return f"It has a section of its own: `{word.partition('.')[0]}:` beside `fields:`."
    known = (*FIELDS, *SETS[1:])
    return did_you_mean(word, known, "A field of your own is custom.NAME, an id elsewhere external.NAME.")


def _where_hint(word: str) -> str:
    return "Write `tag: NAME`." if word == "tags" else _field_hint(word)


def _path_hint(path: str) -> str:
    if "[" in path:
        return "Lists are for tags and the other_ fields; `select:` picks one element, reading only."
    return "Write keys with dots between them, such as custom.gift."


_PATH = Text("a path", PATH, _path_hint)
_LIST_PATH = Text("a path to a list", LIST, lambda _: 'Write it as in "groups[].name" or "labels".')
_SET_POLICIES = ("union", "never")
_LIST_OF_VALUES = ListOf(Scalar("a value", blank=True), "a list of values")


def _by_type(**places: int) -> Any:
    return lambda value: places.get(type(value).__name__)


_BYTES = Text("a number of bytes", r"[1-9][0-9]{0,8} bytes", lambda _: "Write it as in `4096 bytes`.")

_RULE: dict[str, tuple[Shape, str]] = {
    "at": (_PATH, "Say with `at` where the platform keeps it, such as custom.gift."),
    "select": (Text("a JMESPath expression"), "A JMESPath that picks the value, for reading only."),
    "direction": (
        Word(DIRECTIONS, "direction"),
        "Read and written (both), only read (in), only written (out).",
    ),
    "policy": (
        Word(POLICIES, "policy"),
        "Which change wins; fill: only into blank, never: none from here.",
    ),
    "as": (Word(KINDS, "type"), "What it is on the wire."),
    "map": (
        Table(
            "a table of `ours: theirs`",
            Text("a value of ours"),
            Either("a value or a list of values", (Scalar(blank=True), _LIST_OF_VALUES), _by_type(list=1)),
        ),
        "Give with `map` a table of `ours: theirs`.",
    ),
    "default": (
        Scalar(),
        f"What a value the map does not name becomes; `{SAME}` lets it pass as it is.",
    ),
    "transform": (
        ListOf(Word(tuple(TRANSFORMS), "transform"), "a list of transforms"),
        "Named changes to the wire's text.",
    ),
    "format": (Text("a format"), "For dates, as in %m/%d/%Y; for phones, e164 or digits."),
    "max": (
        Either(
            "a number of characters, or of bytes as in `4096 bytes`",
            (
                Whole(),
                _BYTES,
            ),
            _by_type(int=0, str=1),
        ),
        "The longest text the platform takes; longer ones are reported instead of sent.",
    ),
    "missing": (
        Word(("absent", "blank"), "meaning of a missing key"),
        "What a key missing from an object means: absent (nothing was said; the default) or blank.",
    ),
}

_RULE_RECORD = Record(
    "a field",
    _RULE,
    apart=(
        ("select", "at", "a value is either at a path or selected."),
        ("select", "max", "what is selected is only read."),
        ("select", "missing", "what is selected is blank when nothing is found."),
        ("map", "as", "the map already says what is on the wire."),
        ("map", "format", "the map already says what is on the wire."),
    ),
    needs=(("default", "map"),),
    unless=(
        ("select", "direction", ("in",), "what is selected can only be read."),
        ("format", "as", ("date", "phone"), "nothing else has a format."),
        ("max", "as", ("text", "email", "phone", "date"), "only text has a length."),
    ),
)

_SET_RECORD = Record(
    "a list field",
    {
        "at": (_LIST_PATH, 'Say with `at` where the list is, such as "emails[].address".'),
        "direction": _RULE["direction"],
        "policy": (Word(_SET_POLICIES, "policy"), "Which change wins; union joins both sides."),
        "missing": _RULE["missing"],
    },
)

_FIELD = Either("a path, a table with `at`, or off", (Off(), _PATH, _RULE_RECORD), _by_type(str=1, dict=2))
_SET = Either("a path, a table with `at`, or off", (Off(), _LIST_PATH, _SET_RECORD), _by_type(str=1, dict=2))

_FIELDS = Table(
    "a table of `field: path`",
    Text("a field", _FIELD_NAME, _field_hint),
    _FIELD,
    special=dict.fromkeys(SETS[1:], _SET),
)

_TAGS = Record(
    "tags",
    {
        "at": _SET_RECORD.keys["at"],
        "direction": _RULE["direction"],
        "policy": _SET_RECORD.keys["policy"],
        "only": (
            ListOf(Text("the name of a tag"), "a list of tags"),
            "The tags this connection is about, by our names; * stands for anything. Others are left alone.",
        ),
        "rename": (
            Table("a table of `theirs: ours`", Text("the name of a tag"), Text("the name of a tag")),
            "Tags called differently over there, `theirs: ours`.",
        ),
    },
)

_STATES = Word((*CONSENT_STATES, UNASKED), "state of consent")
_CHANNEL = Record(
    "a channel of consent",
    {
        "at": (_PATH, "Say with `at` where the platform keeps it, such as opt_in."),
        "map": (
            Table("a table of `theirs: state`", Text("a value of theirs"), _STATES),
            "Say with `map` what each value means, null included: {true: subscribed, false: unsubscribed}.",
        ),
        "missing": _RULE["missing"],
    },
)
_CONSENT = Record(
    "consent",
    {
        name.partition(".")[2]: (
            Either("a table with `at` and `map`, or off", (Off(), _CHANNEL), _by_type(dict=1)),
            "",
        )
        for name in CONSENT
    },
)

_CONDITION = Reference("condition", lambda: CONDITION)
_CONDITIONS = ListOf(_CONDITION, "a list of conditions")
_VALUE = Scalar("a value", blank=True)
_ON_FIELD = ("eq", "in", "prefix", "exists")

CONDITION: ByKey = ByKey(
    "a condition (all, any, not, field or tag)",
    {
        "all": Record("`all`", {"all": (_CONDITIONS, "All of these hold.")}),
        "any": Record("`any`", {"any": (_CONDITIONS, "At least one of these holds.")}),
        "not": Record("`not`", {"not": (_CONDITION, "This does not hold.")}),
        "tag": Record("`tag`", {"tag": (Text("the name of a tag"), "They have this tag; * stands for anything.")}),
        "field": Record(
            "a condition on a field",
            {
                "field": (
                    Text(
                        "a field",
                        _ANY_FIELD,
                        _where_hint,
                    ),
                    "The field it is about.",
                ),
                "eq": (_VALUE, "It is this; null means blank."),
                "in": (_LIST_OF_VALUES, "It is one of these."),
                "prefix": (Text("a beginning"), "It begins with this."),
                "exists": (Flag(), "It is there and not blank (true), or it is not (false)."),
            },
            one_of=_ON_FIELD,
            apart=tuple(
                (a, b, "one comparison at a time; put several under `all`.")
                for i, a in enumerate(_ON_FIELD)
                for b in _ON_FIELD[i + 1 :]
            ),
        ),
    },
)


def language(presets: tuple[str, ...]) -> Record:
    """The whole file, given the names of the presets it may build on."""
    return Record(
        "a mapping",
        {
            "preset": (
                Word(presets, "preset"),
                "The preset whose fields these are added to.",
            ),
            "platform": (Text("the name of a platform", r"[a-z][a-z0-9_]*"), "The platform this is for."),
            "region": (
                Text("a region", r"[A-Z]{2}", lambda _: "Write two capitals, such as US or ZA."),
                "Where phone numbers without a country code are at home (ISO 3166).",
            ),
            "fields": (_FIELDS, "Our fields and where the platform keeps them."),
            "tags": (
                Either("a table with `at`, or off", (Off(), _TAGS), _by_type(dict=1)),
                "Tags, groups, labels.",
            ),
            "consent": (_CONSENT, "What the platform knows of people's consent; read only."),
            "where": (
                Either("a condition, or off", (Off(), _CONDITION), _by_type(dict=1)),
                "Whom this connection is about.",
            ),
            "outreach": (OUTREACH, "What, when it happens to a contact, is recorded at a campaign."),
        },
        one_of=("preset", "platform"),
        hint="Say `preset: strive` to build on a preset, or `platform: strive` to start from nothing.",
    )


def field_shape(name: str) -> Shape:
    """The shape of the rule for this field."""
    return _SET if name in SETS else _FIELD
