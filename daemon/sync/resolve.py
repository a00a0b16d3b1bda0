"""Who is meant: one record, and the contacts that share an identifier with it. Pure.

In this order: what a person decided; external id; phone and email agreeing; phone; email. Merging two strangers is
worse than any duplicate, so whatever is not plain is held for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.contact import Fields, email_key, full_names_compatible, is_placeholder, is_role, join_name

Identifier = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact that shares an identifier with the record. `connections`: where it has a record already.

    `identifiers` only holds usable ones.
    """

    id: int
    name: str | None
    identifiers: frozenset[Identifier]
    connections: frozenset[str]


@dataclass(frozen=True, slots=True)
class Known:
    contact: int


@dataclass(frozen=True, slots=True)
class New:
    pass


@dataclass(frozen=True, slots=True)
class Join:
    """Two contacts turn out to be one, and the record is theirs."""

    keep: int
    drop: int


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """To be held. `why` is one of WHY's keys."""

    why: str
    contacts: tuple[int, ...]


Decision = Known | New | Join | Ambiguous

WHY = {
    "name_differs": "the phone or email is known, but under another name",
    "several": "several contacts have this phone or email",
    "two_people": "the phone belongs to one contact and the email to another",
    "duplicate": "the person already has another record at this connection",
    "phone_differs": "the email is known, but with another phone",
    "email_differs": "the phone is known, but with another email, and no name tells",
    "external_differs": "the identifiers agree, but an id in another system does not",
    "too_many_merges": "more contacts would be merged in one run than the fuse allows",
}


def name_of(view: Fields) -> str | None:
    full = view.get("full_name")
    if isinstance(full, str):
        return full
    given, family = view.get("given_name"), view.get("family_name")
    return join_name(given if isinstance(given, str) else None, family if isinstance(family, str) else None)


def identifiers(view: Fields) -> set[Identifier]:
    """Everything in a view that can say who somebody is, in the form it is matched by."""
    found: set[Identifier] = set()
    if isinstance(phone := view.get("phone"), str):
        found.add(("phone", phone))
    if isinstance(email := view.get("email"), str):
        found.add(("email", email_key(email)))
    if isinstance(phones := view.get("other_phones"), list):
        found.update(("phone", each) for each in phones)
    if isinstance(emails := view.get("other_emails"), list):
        found.update(("email", email_key(each)) for each in emails)
    for name in view:
        if name[:9] == "external." and isinstance(value := view[name], str):
            found.add((f"external:{name[9:]}", value))
    return found


def identifying(name: str) -> bool:
    """Whether a field can say who somebody is."""
    return name in ("phone", "email", "other_phones", "other_emails") or name.startswith("external.")


def usable(identifier: Identifier, ignored: frozenset[str]) -> bool:
    """Whether it may match anybody: not a placeholder, not a role address, not on the owner's list."""
    kind, value = identifier
    if value in ignored:
        return False
    if kind not in ("phone", "email"):
        return True  # an id in another system is nobody's placeholder
    return not is_placeholder(kind, value) and not (kind == "email" and is_role(value))


@dataclass(frozen=True, slots=True)
class Asked:
    """A record, seen as a question: who is this? `owners` only holds usable identifiers."""

    view: Fields
    connection: str
    owners: Mapping[Identifier, frozenset[int]]
    verdicts: Mapping[int, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()


def resolve(asked: Asked, candidates: Mapping[int, Candidate]) -> Decision:
    """Decide, or say that a person must."""
    same = [c for c, verdict in asked.verdicts.items() if verdict == "same" and c in candidates]
    if len(same) == 1:
        return Known(same[0])
    by = {kind: _owners(asked, kind) for kind in ("external", "phone", "email")}
    if by["external"]:
        return _by_external(asked, by["external"], candidates)
    both = by["phone"] & by["email"]
    if both:
        return _one_of(asked, both, candidates, strict=False)
    if by["phone"] and by["email"]:
        return _phone_against_email(asked, by["phone"], by["email"], candidates)
    pool = by["phone"] or by["email"]
    return _one_of(asked, pool, candidates, strict=True) if pool else New()


def _owners(asked: Asked, kind: str) -> frozenset[int]:
    found = frozenset(
        owner
        for (k, _), owners in asked.owners.items()
        if k == kind or (kind == "external" and k.startswith("external:"))
        for owner in owners
    )
    return frozenset(owner for owner in found if asked.verdicts.get(owner) != "different")


def _by_external(asked: Asked, pool: frozenset[int], candidates: Mapping[int, Candidate]) -> Decision:
    if len(pool) > 1:
        return Ambiguous("several", tuple(sorted(pool)))
    only = candidates[next(iter(pool))]
    if not full_names_compatible(name_of(asked.view), only.name):
        return Ambiguous("name_differs", (only.id,))
    return Ambiguous("duplicate", (only.id,)) if asked.connection in only.connections else Known(only.id)


def _one_of(asked: Asked, pool: frozenset[int], candidates: Mapping[int, Candidate], *, strict: bool) -> Decision:
    """`strict`: only one of phone and email matched, so the other must not contradict."""
    fitting = [c for c in sorted(pool) if full_names_compatible(name_of(asked.view), candidates[c].name)]
    if not fitting:
        return Ambiguous("name_differs", tuple(sorted(pool)))
    if len(fitting) > 1:
        return Ambiguous("several", tuple(fitting))
    only = candidates[fitting[0]]
    if asked.connection in only.connections:
        return Ambiguous("duplicate", (only.id,))
    if _conflict(asked, only, "external:"):
        return Ambiguous("external_differs", (only.id,))
    if strict and _conflict(asked, only, "phone"):
        return Ambiguous("phone_differs", (only.id,))
    if strict and _conflict(asked, only, "email") and not (name_of(asked.view) and only.name):
        return Ambiguous("email_differs", (only.id,))
    return Known(only.id)


def _conflict(asked: Asked, candidate: Candidate, kind: str) -> bool:
    """Both have an identifier of this kind, and none in common. A placeholder contradicts nobody."""
    said = {each for each in identifiers(asked.view) if usable(each, asked.ignored)}
    for wanted in {k for k, _ in said if k.startswith(kind)}:
        mine = {v for k, v in said if k == wanted}
        theirs = {v for k, v in candidate.identifiers if k == wanted}
        if mine and theirs and not mine & theirs:
            return True
    return False


def _phone_against_email(
    asked: Asked, phones: frozenset[int], emails: frozenset[int], candidates: Mapping[int, Candidate]
) -> Decision:
    if len(phones) == 1 and len(emails) == 1:
        first, second = sorted(phones | emails)
        if joinable(candidates[first], candidates[second]) and all(
            full_names_compatible(name_of(asked.view), candidates[c].name)
            and asked.connection not in candidates[c].connections
            for c in (first, second)
        ):
            return Join(first, second)
    return Ambiguous("two_people", tuple(sorted(phones | emails)))


def joinable(one: Candidate, other: Candidate) -> bool:
    """Whether two contacts may be one person: no identifier contradicts, no connection holds both, names agree."""
    if one.connections & other.connections or not full_names_compatible(one.name, other.name):
        return False
    kinds = {k for k, _ in one.identifiers} & {k for k, _ in other.identifiers}
    return all(
        {v for k, v in one.identifiers if k == kind} & {v for k, v in other.identifiers if k == kind} for kind in kinds
    )
