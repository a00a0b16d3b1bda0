"""Writing to Action Network.

What shapes this file (Action Network docs, 'People' and 'Person Signup Helper'):

* One person a call. What is not named is left alone, so only changed fields are sent.
* A phone is taken away from whoever had it, and a record with only that phone is swallowed. An email of somebody else
  is not applied, without a word. So whoever has it is looked for before either is written.
* New emails are subscribed to the list unless the status says otherwise, so it always does; `unsubscribed` is the only
  status ever written to somebody who is there.
* Tags are put on and taken off by the ids of taggings. The helper's `add_tags` ignores names it has not indexed yet.
* Everything may be sent twice: people are found again by phone and email, taggings are one for each person and tag.
  That is what lets a 500 be tried again, and a 500 that repeats be taken for a refusal of this one person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daemon.errors import SkipRecord
from daemon.platforms.action_network_group import LAST, Group
from daemon.platforms.action_network_person import (
    ADDRESS,
    Json,
    body,
    digits,
    folded,
    has_email,
    has_phone,
    is_id,
    new_body,
    no_body,
    person_id,
    record,
    trouble,
    unmakeable,
)
from daemon.platforms.action_network_tags import Tags
from daemon.platforms.answers import ApiError
from daemon.platforms.base import Create, Exists, Gone, OptOut, Outcome, Push, Refused, Stored, Update, Wire


class Writer:
    """Sends pushes to one group, one by one."""

    def __init__(self, group: Group, tags: Tags) -> None:
        self._group, self._tags = group, tags
        self._lately: dict[str, str] = {}  # who was given which phone or email: a query may not know it yet

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        yield from map(self._one, pushes)

    def _one(self, push: Push) -> Outcome:
        try:
            if isinstance(push, Create):
                return self._create(push)
            if not is_id(push.external_id):
                return Gone(push.ref)
            return self._opt_out(push) if isinstance(push, OptOut) else self._update(push)
        except ApiError as problem:
            if problem.status >= 500:  # a payload they choke on, or an outage
                self._group.must_answer()
            gone = problem.status == 404 and not isinstance(push, Create)
            return Gone(push.ref) if gone else Refused(push.ref, str(problem))
        except SkipRecord as problem:
            return Refused(push.ref, str(problem))

    # who is there

    def _opt_out(self, push: OptOut) -> Outcome:
        """The "no" goes to the number or address they have now: another one would be given to them with it."""
        row = self._group.person(push.external_id)
        if row is None:
            return Gone(push.ref)
        said = no_body(row, push.channel)
        return self._stored(push, row if said is None else self._put(push.external_id, said))

    def _update(self, push: Update) -> Outcome:
        """Tags first: the answer to the fields is then the receipt for both."""
        if problem := trouble(push.wire) or self._unknown(push.wire):
            return Refused(push.ref, problem)
        phone, email = push.wire.get("phone_number"), push.wire.get("email_address")
        if others := self._look_up(phone, email, but=push.external_id):
            return Exists(push.ref, tuple(record(row) for row in others))
        known = self._group.last(push.external_id, push.version) if _needs_reading(push) else {}
        if known is None:
            return Gone(push.ref)
        tags = self._retag(push)
        said = body(push.wire, known)
        row = self._put(push.external_id, said) if said else known
        self._note(person_id(row), phone, email)
        return self._stored(push, row, tags)

    def _put(self, external_id: str, said: Json) -> Json:
        row = self._group.save("PUT", f"/people/{external_id}", said)
        if person_id(row) != external_id:
            raise SkipRecord("the platform answered with another person than the one written to")
        return row

    def _retag(self, push: Update) -> list[str] | None:
        """The ids of their tags afterwards; None where nothing was asked for."""
        if not (push.add_tags or push.remove_tags):
            return None
        person = push.external_id
        added = [self._tags.add(person, name) for name in push.add_tags]
        there = self._tags.of(person)
        for name in push.remove_tags:
            tag = self._tags.tag_id(name)
            if tag is not None and tag in there:
                self._tags.remove(tag, there.pop(tag))
        return sorted({*added, *there})

    # who is not

    def _create(self, push: Create) -> Outcome:
        if problem := unmakeable(push) or self._unknown(push.wire):
            return Refused(push.ref, problem)
        if known := self._look_up(push.phone, push.email):
            return Exists(push.ref, tuple(record(row) for row in known))
        tags = self._tags.ensure(push.add_tags)
        row = self._group.save("POST", "/people", {"person": new_body(push)})
        self._note(person_id(row), push.phone, push.email)
        for name in push.add_tags:
            self._tags.add(person_id(row), name)
        return self._stored(push, row, tags)

    def _look_up(self, phone: str | None, email: str | None, *, but: str = "") -> list[Json]:
        """Who has this email or this very phone, apart from the one it is about."""
        found: dict[str, Json] = {}
        if email:
            rows = self._with(self._group.find("email_address", email), folded(email), but)
            found |= {person_id(row): row for row in rows if has_email(row, email)}
        if number := digits(phone):
            rows = self._with(self._group.find("phone_number", number), number, but)
            found |= {person_id(row): row for row in rows if has_phone(row, number)}
        return [row for one, row in found.items() if one != but]

    def _with(self, rows: list[Json], key: str, but: str) -> list[Json]:
        """What a query found, and whom we gave this ourselves a moment ago: it may take seconds to show them."""
        one = self._lately.get(key)
        if one is None or one == but or one in map(person_id, rows):
            return rows
        row = self._group.person(one)
        return rows if row is None else [*rows, row]

    def _note(self, external_id: str, phone: str | None, email: str | None) -> None:
        for key in (digits(phone), folded(email)):
            if key:
                self._lately.pop(key, None)
                self._lately[key] = external_id
        while len(self._lately) > LAST:
            del self._lately[next(iter(self._lately))]

    # both

    def _unknown(self, wire: Wire) -> str:
        """Custom fields are made by hand; what is written to one that is not there is dropped without a word."""
        given = wire.get("custom_fields") or {}
        missing = self._group.unknown_fields(list(given)) if given else []
        return f"the group has no custom field {', '.join(missing)}: make it there first" if missing else ""

    def _stored(self, push: Push, row: Json, tags: Sequence[str] | None = None) -> Stored:
        shown = None if tags is None else self._tags.shown(tags)
        return Stored(push.ref, person_id(row), record(row, shown))


def _needs_reading(push: Update) -> bool:
    """Whether it takes more than the push to know what to send, or what came of it."""
    return bool(push.wire.keys() & {*ADDRESS, "email_address"}) or not push.wire
