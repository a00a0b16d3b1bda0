"""Writing to Telerivet.

What shapes this file (Telerivet docs, 'Contacts'):

* The default look-up of POST /contacts also matches number suffixes, and names where there is no number: it would
  overwrite strangers. So records are addressed by id, and made with the look-up `none` after an exact search.
* import_contacts takes 200 contacts. With the look-up `id`, a contact that is gone would be *made again* if the
  object has a name or a number. So only objects that have neither go that way; the others are written one by one.
* What a refused import has done is not documented. Updates may be sent again, so the batch is halved until the bad
  one is found; new contacts may not, so they are looked up and made one by one.
* `send_blocked` is only ever sent as true.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from daemon.errors import AnswerLost, NeedsPerson, SkipRecord
from daemon.platforms.answers import Answer, ApiError, rows
from daemon.platforms.base import (
    Create,
    Exists,
    Gone,
    OptOut,
    Outcome,
    Push,
    Record,
    Refused,
    Stored,
    Update,
    chunks,
)
from daemon.platforms.telerivet_contact import (
    CAPABILITIES,
    Project,
    contact_path,
    is_contact,
    same_number,
    trouble,
)

FEW = 25
"""Up to so many pushes are sent one by one: each is answered with what was stored."""
IMPORT = 200
IMPORT_GROUPS = 5
CONTACT_GROUPS = 20
BLOCKED = {"send_blocked": True}

Kind = tuple[str, frozenset[str], frozenset[str]]
ONE_BY_ONE: Kind = ("one", frozenset(), frozenset())


class Writer:
    """Sends pushes to one project."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        """In order, except that new contacts with the same groups are brought together."""
        for is_new, run in itertools.groupby(pushes, key=lambda push: isinstance(push, Create)):
            some_pushes = list(run)
            if is_new:
                some_pushes.sort(key=lambda push: sorted(_kind(push)[1]))
            for kind, some in itertools.groupby(some_pushes, key=_kind):
                for batch in chunks(some, IMPORT):
                    yield from self._batch(kind, batch)

    def _batch(self, kind: Kind, batch: list[Any]) -> Iterator[Outcome]:
        if kind == ONE_BY_ONE or len(batch) <= FEW:
            yield from map(self._one, batch)
        elif kind[0] == "new":
            yield from self._import_new(kind, batch)
        else:
            yield from self._import_by_id(kind, batch)

    def _one(self, push: Push) -> Outcome:
        try:
            if isinstance(push, Create):
                return self._create(push)
            return self._opt_out(push) if isinstance(push, OptOut) else self._update(push)
        except ApiError as problem:
            return Gone(push.ref) if problem.status == 404 else Refused(push.ref, str(problem))
        except SkipRecord as problem:
            return Refused(push.ref, str(problem))

    # One contact

    def _opt_out(self, push: OptOut) -> Outcome:
        if push.channel != "sms":
            return Refused(push.ref, "Telerivet keeps no consent to email")
        return self._stored(push, self._project.post(contact_path(push.external_id), BLOCKED, safe=True))

    def _update(self, push: Update) -> Outcome:
        """Groups first: the answer to the fields is then the receipt for both."""
        if problem := trouble(push.wire, CAPABILITIES.update):
            return Refused(push.ref, problem)
        for name in push.add_tags:
            self._join(name, push.external_id)
        for name in push.remove_tags:
            self._leave(name, push.external_id)
        path = contact_path(push.external_id)
        answer = self._project.post(path, push.wire) if push.wire else self._project.get(path)
        return self._stored(push, answer)

    def _join(self, name: str, contact: str) -> None:
        group = self._project.ensure_group(name)
        try:
            self._project.member("PUT", group, contact)
        except ApiError as problem:
            if problem.status != 404 or self._project.contact(contact) is None:
                raise
            self._project.groups.pop(group, None)  # the group went away since we learnt of it
            self._project.member("PUT", self._project.ensure_group(name), contact)

    def _leave(self, name: str, contact: str) -> None:
        group = self._project.group_id(name)
        if group is None:
            self._project.refresh_groups()
            group = self._project.group_id(name)
        if group is None:
            return
        try:
            self._project.member("DELETE", group, contact)
        except ApiError as problem:
            if problem.status != 404:  # not a member, or gone: what follows finds out
                raise

    def _create(self, push: Create) -> Outcome:
        if problem := _unmakeable(push):
            return Refused(push.ref, problem)
        if known := self._look_up(push):
            return Exists(push.ref, known)
        groups = [self._project.ensure_group(name) for name in push.add_tags]
        first, later = groups[:CONTACT_GROUPS], groups[CONTACT_GROUPS:]
        body = {**_new(push), "lookup_key": "none", **({"add_group_ids": first} if first else {})}
        answer = self._project.post("/contacts", body)
        stored = self._stored(push, answer)
        for group in later:
            self._project.member("PUT", group, stored.external_id)
        return Stored(push.ref, stored.external_id, None) if later else stored

    def _look_up(self, push: Create) -> tuple[Record, ...]:
        """Contacts with this very number, or with this email in the variable it would be written to."""
        found: dict[str, Record] = {}
        if push.phone is not None:
            for row in self._search({"phone_number": push.phone}):
                if same_number(row.get("phone_number"), push.phone):
                    found[row["id"]] = self._project.record(row)
        for variable in _email_variables(push):
            for row in self._search({f"vars[{variable}]": str(push.email)}):
                if _folded((row.get("vars") or {}).get(variable)) == _folded(push.email):
                    found[row["id"]] = self._project.record(row)
        return tuple(found.values())

    def _search(self, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        answer = self._project.get("/contacts", {**query, "page_size": "500"})
        return (row for row in rows(answer, "data") if is_contact(row))

    def _stored(self, push: Push, answer: Answer) -> Stored:
        if not is_contact(answer.data):
            raise AnswerLost("the platform took a write and did not say what it stored")
        record = self._project.record(answer.data)
        return Stored(push.ref, record.external_id, record)

    # Many contacts

    def _import_by_id(self, kind: Kind, batch: list[Update | OptOut]) -> Iterator[Outcome]:
        """Halved when refused; a single one is then sent alone, where the answer says what is the matter."""
        if len(batch) == 1:
            yield self._one(batch[0])
            return
        objects = [{"id": push.external_id, **_by_id(push)} for push in batch]
        try:
            ids = self._import("id", objects, kind, safe=all(isinstance(push, OptOut) for push in batch))
        except SkipRecord:
            half = len(batch) // 2
            yield from self._import_by_id(kind, batch[:half])
            yield from self._import_by_id(kind, batch[half:])
            return
        if ids != [push.external_id for push in batch]:
            raise NeedsPerson("import_contacts changed other contacts than those asked for")
        yield from (Stored(push.ref, push.external_id, None) for push in batch)

    def _import_new(self, kind: Kind, batch: list[Create]) -> Iterator[Outcome]:
        """Each is looked up; those that are new, and unlike each other, are made in one call."""
        new: list[Create] = []
        wait: list[Create] = []
        taken: set[str] = set()
        for push in batch:
            keys = {key for key in (push.phone, _folded(push.email)) if key}
            if _unmakeable(push) or keys & taken:
                wait.append(push)
            elif known := self._look_up(push):
                yield Exists(push.ref, known)
            else:
                taken |= keys
                new.append(push)
        yield from self._make(kind, new)
        yield from map(self._one, wait)  # after the others: their look-up finds what was just made

    def _make(self, kind: Kind, new: list[Create]) -> Iterator[Outcome]:
        if not new:
            return
        try:
            ids = self._import("none", [_new(push) for push in new], kind, safe=False)
        except SkipRecord:
            yield from map(self._one, new)
            return
        yield from (Stored(push.ref, id_, None) for push, id_ in zip(new, ids, strict=True))

    def _import(self, lookup_key: str, objects: list[dict[str, Any]], kind: Kind, *, safe: bool) -> list[str]:
        """The ids, in the order of the objects."""
        groups = {
            "add_group_ids": [self._project.ensure_group(name) for name in sorted(kind[1])],
            "remove_group_ids": [one for name in sorted(kind[2]) if (one := self._project.group_id(name))],
        }
        some = {key: ids for key, ids in groups.items() if ids}
        body = {"contacts": objects, "lookup_key": lookup_key, **some}
        made = rows(self._project.post("/import_contacts", body, safe=safe), "contacts")
        ids = [row.get("id") for row in made if isinstance(row, dict)]
        if len(ids) != len(objects) or not all(isinstance(one, str) for one in ids):
            raise AnswerLost("import_contacts did not say what it stored")
        return [str(one) for one in ids]


def _kind(push: Push) -> Kind:
    """What may share an import: the groups are common to all its contacts."""
    if isinstance(push, OptOut):
        return ("id", frozenset(), frozenset()) if push.channel == "sms" else ONE_BY_ONE
    add = frozenset(push.add_tags)
    if isinstance(push, Create):
        return ("new", add, frozenset()) if len(add) <= IMPORT_GROUPS else ONE_BY_ONE
    remove = frozenset(push.remove_tags)
    could_make = "name" in push.wire or "phone_number" in push.wire
    few = len(add) <= IMPORT_GROUPS and len(remove) <= IMPORT_GROUPS
    fine = few and not could_make and not trouble(push.wire, CAPABILITIES.update)
    return ("id", add, remove) if fine else ONE_BY_ONE


def _by_id(push: Update | OptOut) -> Mapping[str, Any]:
    return BLOCKED if isinstance(push, OptOut) else push.wire


def _new(push: Create) -> dict[str, Any]:
    """The body of a new contact. Nobody's "yes" is known: it is blocked from the start."""
    wire = {"phone_number": push.phone} if push.phone is not None else {}
    return {**wire, **push.wire, **({} if "sms" in push.subscribed else BLOCKED)}


def _unmakeable(push: Create) -> str:
    if not (push.phone or push.wire.get("phone_number") or push.wire.get("name")):
        return "Telerivet cannot hold a contact without a name or a phone number"
    return trouble(push.wire, CAPABILITIES.create)


def _email_variables(push: Create) -> list[str]:
    if push.email is None:
        return []
    given = push.wire.get("vars") or {}
    return [name for name, value in given.items() if _folded(value) == _folded(push.email)]


def _folded(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""
