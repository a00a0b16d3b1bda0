"""A mapping, ready to use: the wire of one platform to canonical views, and back."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from mappings import contact
from mappings.contact import Fields, View
from mappings.errors import MappingError
from mappings.language import CONDITION
from mappings.outreach import OutreachRule
from mappings.paths import ABSENT, Getter, Setter, getter, setter
from mappings.rules import Decode, Encode, Policy, Rule, listed, reader, root_keys, writer
from mappings.values import Untranslatable, read_text
from mappings.where import Test, compile_where, tag_pattern

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one field could not be translated. `text` carries no personal data."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    view: View
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Writing:
    """`wire` holds only what was asked for and could be said; None there blanks."""

    wire: Wire
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class TagRule:
    """Where tags are kept, which of them are this connection's business, and what they are called there."""

    rule: Rule
    only: tuple[str, ...] | None = None
    rename: abc.Mapping[str, str] = dataclasses.field(default_factory=dict)  # theirs: ours


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """Where consent is kept and what its values mean: {value as JSON text: state}. Only ever read."""

    field: str
    keys: tuple[str, ...]
    states: abc.Mapping[str, str]
    missing_is_blank: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """What a mapping says, before it is compiled."""

    platform: str
    region: str
    source: str
    rules: tuple[Rule, ...] = ()
    tags: TagRule | None = None
    consent: tuple[ConsentRule, ...] = ()
    where: tuple[Any, ...] = ()  # all of these conditions hold
    outreach: tuple[OutreachRule, ...] = ()  # not in the digest: a new rule makes no news of what was known


class Mapping:
    """Translates both ways; immutable, and safe to share between threads.

    `readable` and `writable` are canonical fields, "tags" among them; consent is readable at most. `digest`
    gives for each of them, and for "tags" and "where" always, a short text that changes with its meaning.
    """

    platform: str
    region: str
    source: str
    readable: frozenset[str]
    writable: frozenset[str]
    digest: abc.Mapping[str, str]
    spec: Spec

    __slots__ = (
        "_encoders",
        "_feeds",
        "_in_scope",
        "_policies",
        "_readers",
        "_tag_owned",
        "_tags_in",
        "_tags_out",
        "digest",
        "platform",
        "readable",
        "region",
        "source",
        "spec",
        "writable",
    )

    def __init__(self, spec: Spec) -> None:
        put = super().__setattr__
        put("spec", spec)
        for name in ("platform", "region", "source"):
            put(name, getattr(spec, name))
        put("_tags_in", dict(spec.tags.rename) if spec.tags else {})
        put("_tags_out", _reversed(self._tags_in))
        put("_tag_owned", _tag_test(spec.tags))
        put("_readers", tuple(_readers(spec, self.tags_in)))
        put("_encoders", {r.field: (setter(r.keys), writer(r, spec.region)) for r in spec.rules if r.writes})
        put("_policies", _policies(spec))
        put("_feeds", _feeds(spec))
        put("_in_scope", compile_where({"all": list(spec.where)}))
        tags_out = {"tags"} if spec.tags and spec.tags.rule.writes else set()
        put("readable", frozenset(name for name, _, _ in self._readers))
        put("writable", frozenset(self._encoders) | tags_out)
        put("digest", MappingProxyType(_digests(spec)))

    _readers: tuple[tuple[str, Getter, Decode], ...]
    _encoders: dict[str, tuple[Setter, Encode]]
    _policies: dict[str, Policy]
    _feeds: dict[str, frozenset[str]]
    _in_scope: Test
    _tag_owned: Callable[[str], bool]
    _tags_in: dict[str, str]
    _tags_out: dict[str, str]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a mapping does not change")

    def __repr__(self) -> str:
        return f"<Mapping of {self.platform} from {self.source}>"

    def read(self, wire: Wire) -> Reading:
        """What the record says of the person. A field that cannot be translated is left out and reported; the
        others are read all the same. What is not on the wire is not in the view; what is blank is None."""
        view: View = {}
        problems: list[Problem] = []
        for name, get, decode in self._readers:
            try:
                raw = get(wire)
                if raw is not ABSENT:
                    view[name] = decode(raw)
            except Untranslatable as reason:
                problems.append(Problem(name, str(reason)))
        return Reading(view, tuple(problems))

    def write(self, fields: Fields) -> Writing:
        """The wire for exactly these fields. Those that are not written here (tags and consent among them)
        are left out without a word; those that cannot be said are left out and reported."""
        wire: Wire = {}
        problems: list[Problem] = []
        for name, value in fields.items():
            if name not in self._encoders:
                continue
            put, encode = self._encoders[name]
            try:
                put(wire, encode(value))
            except Untranslatable as reason:
                problems.append(Problem(name, str(reason)))
        return Writing(wire, tuple(problems))

    def canonical(self, wire_key: str) -> frozenset[str]:
        """The canonical fields that a top-level key of the wire feeds: for "custom", all inside it."""
        return self._feeds.get(wire_key, frozenset())

    def written(self, wire_key: str) -> frozenset[str]:
        """The canonical fields that are written into a top-level key of the wire. Tags and consent never are."""
        return frozenset(r.field for r in self.spec.rules if r.writes and r.keys[:1] == (wire_key,))

    def policy(self, field: str) -> Policy:
        """Which change to the field wins. What this mapping does not read never does."""
        return self._policies.get(field, "never")

    def in_scope(self, view: View) -> bool:
        """Whether this connection is about a person like this."""
        return self._in_scope(view)

    def tags_in(self, names: Iterable[str]) -> list[str]:
        """Their names of tags as ours, only those that are this connection's business."""
        cleaned = (contact.text(name) for name in names)
        renamed = {self._tags_in.get(name, name) for name in cleaned if name is not None}
        return sorted(name for name in renamed if self._tag_owned(name))

    def tag_owned(self, name: str) -> bool:
        """Whether this connection has to do with the tag (our name of it) at all."""
        return self._tag_owned(name)

    def tag_out(self, name: str) -> str:
        """Their name of our tag."""
        return self._tags_out.get(name, name)

    def with_where(self, where: object, source: str) -> Mapping:
        """The same, narrowed to those for whom `where` holds too. None narrows nothing.

        `source` says where the condition was written. Raises MappingError if it is malformed.
        """
        if where is None:
            return self
        problems = [
            f"{source}: {'.'.join(str(step) for step in ('where', *path))}: {text}"
            for path, text in CONDITION.troubles(where, ())
        ]
        if problems:
            raise MappingError(problems)
        return Mapping(dataclasses.replace(self.spec, where=(*self.spec.where, where)))

    def with_lengths(self, lengths: abc.Mapping[str, int]) -> Mapping:
        """The same, refusing to write text longer than the platform takes: characters, by key or path."""
        rules = tuple(_no_longer(rule, lengths) for rule in self.spec.rules)
        return Mapping(dataclasses.replace(self.spec, rules=rules))


def _no_longer(rule: Rule, lengths: abc.Mapping[str, int]) -> Rule:
    most = lengths.get(rule.at, lengths.get(rule.keys[0]) if len(rule.keys) == 1 else None)
    if most is None or rule.longest is not None:
        return rule
    return dataclasses.replace(rule, longest=(most, False))


def _reversed(tags_in: dict[str, str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for theirs, ours in tags_in.items():
        out.setdefault(ours, theirs)
    return out


def _tag_test(tags: TagRule | None) -> Callable[[str], bool]:
    if tags is None:
        return lambda _: False
    return (lambda _: True) if tags.only is None else tag_pattern(tags.only)


def _readers(spec: Spec, tags_in: Callable[[list[str]], list[str]]) -> Iterable[tuple[str, Getter, Decode]]:
    for rule in spec.rules:
        if rule.reads:
            yield (rule.field, *reader(rule, spec.region))
    if spec.tags and spec.tags.rule.reads:
        rule = spec.tags.rule
        get = getter(rule.keys, missing_is_blank=rule.missing_is_blank)
        yield "tags", get, _decode_tags(rule.item, tags_in)
    for consent in spec.consent:
        get = getter(consent.keys, missing_is_blank=consent.missing_is_blank)
        yield consent.field, get, _decode_consent(consent.states)


def _decode_tags(item: str | None, tags_in: Callable[[list[str]], list[str]]) -> Decode:
    def decode(raw: Any) -> list[str]:
        return tags_in([name for each in listed(raw, item) if (name := read_text(each)) is not None])

    return decode


def _decode_consent(states: abc.Mapping[str, str]) -> Decode:
    by_key = {key.casefold(): state for key, state in states.items()}

    def decode(raw: Any) -> str:
        key = (read_text(raw) or "null").casefold()
        if key not in by_key:
            raise Untranslatable("a value that the map of this consent does not name")
        return by_key[key]

    return decode


def _policies(spec: Spec) -> dict[str, Policy]:
    policies: dict[str, Policy] = {rule.field: rule.policy for rule in spec.rules if rule.reads}
    if spec.tags and spec.tags.rule.reads:
        policies["tags"] = spec.tags.rule.policy
    return policies


def _feeds(spec: Spec) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    every = [*spec.rules, *([spec.tags.rule] if spec.tags else [])]
    for rule in every:
        for key in root_keys(rule) if rule.reads else ():
            found.setdefault(key, set()).add(rule.field)
    for consent in spec.consent:
        found.setdefault(consent.keys[0], set()).add(consent.field)
    return {key: frozenset(names) for key, names in found.items()}


def _digests(spec: Spec) -> dict[str, str]:
    parts: dict[str, Any] = {rule.field: rule for rule in spec.rules}
    parts |= {consent.field: consent for consent in spec.consent}
    local = {name for name in parts if "phone" in name or getattr(parts[name], "kind", "") == "phone"}
    found = {name: _digest([part, spec.region if name in local else None]) for name, part in parts.items()}
    return found | {"tags": _digest(spec.tags), "where": _digest(spec.where)}


def _digest(part: object) -> str:
    said = orjson.dumps(part, default=dict, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(said, digest_size=8).hexdigest()
