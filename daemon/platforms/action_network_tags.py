"""The tags of a group of Action Network.

A person does not name their tags; they hang between the two as *taggings* (Action Network docs, 'Taggings'). For a
few people those are asked one person at a time; for a whole group all taggings of each tag are read first, which is
many to a call, and looked up on disk.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from daemon.errors import AnswerLost
from daemon.platforms.action_network_outreach import own_id
from daemon.platforms.action_network_person import Json, is_id, modified, person_id
from daemon.platforms.answers import ApiError, mapping

if TYPE_CHECKING:
    from daemon.platforms.action_network_group import Group

FEW = 50
"""Up to so many people are asked for their tags one by one, where it is not known what reading everybody's costs."""
A_CALL = 19
"""Taggings in a call, where there are many: pages hold 25 and overlap."""


class TagIndex:
    """Who has which tag, on disk, for the time of one reading. It holds ids only."""

    def __init__(self, began: float) -> None:
        self.began = began  # seconds since 1970: it is right about whoever did not change since
        self.count = 0
        # Without a name SQLite makes a file that nobody else can open, and that is gone when it is closed.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("create table taggings (person text, tag text, primary key (person, tag)) without rowid")

    def add(self, tag: str, people: Iterable[str]) -> None:
        self._db.execute("begin")
        done = self._db.executemany("insert or ignore into taggings values (?, ?)", [(each, tag) for each in people])
        self.count += done.rowcount
        self._db.execute("commit")

    def of(self, people: Sequence[str]) -> dict[str, list[str]]:
        """The tags of each of these, by id."""
        found: dict[str, list[str]] = {person: [] for person in people}
        query = "select person, tag from taggings where person in (select value from json_each(?))"
        for person, tag in self._db.execute(query, [json.dumps(list(people))]):
            found[person].append(tag)
        return found

    def close(self) -> None:
        self._db.close()


class Tags:
    """The tags by name, and who has them. The names are facts."""

    def __init__(self, group: Group) -> None:
        self.group = group

    @property
    def names(self) -> dict[str, str | None]:
        """Name by id; None for one that this key does not show."""
        known: dict[str, str | None] = self.group.facts.setdefault("tags", {})
        return known

    def refresh(self) -> None:
        found = {own_id(row): row.get("name") for row in self.group.rows("/tags", "osdi:tags")}
        self.group.facts["tags"] = {one: name for one, name in found.items() if one and isinstance(name, str)}

    def index(self, began: float, breathe: Callable[[], None] = lambda: None) -> TagIndex:
        """Read all taggings of all tags. The caller closes what is returned. `breathe`: called after each page."""
        self.refresh()
        found = TagIndex(began)
        for tag in list(self.names):
            with _unless_gone():
                for step in self.group.steps(f"/tags/{tag}/taggings", "osdi:taggings"):
                    found.add(tag, [person for row in step.rows if (person := linked(row, "person"))])
                    breathe()
        self.group.facts["taggings"] = found.count
        return found

    def shown(self, ids: Iterable[str]) -> list[dict[str, str]]:
        """Tags as a record shows them."""
        named = ((self.names.get(one), one) for one in ids)
        return [{"id": one, "name": name} for name, one in sorted((n, one) for n, one in named if n is not None)]

    def of(self, person: str) -> dict[str, str]:
        """The tags of one person as they are now: {id of the tag: id of the tagging}. ApiError 404: they are gone."""
        rows = self.group.rows(f"/people/{person}/taggings", "osdi:taggings")
        found = {tag: tagging for row in rows if (tag := linked(row, "tag")) and (tagging := own_id(row))}
        if any(tag not in self.names for tag in found):
            self.refresh()
            for tag in found:  # still unknown: hidden from this key. Do not ask again for each person
                self.names.setdefault(tag, None)
        return found

    def tag_id(self, name: str) -> str | None:
        """The tag of this name, if we know one; capitals make no other tag."""
        by_name = {known: one for one, known in self.names.items() if known is not None}
        folded = {known.casefold(): one for known, one in by_name.items()}
        return by_name.get(name) or folded.get(name.casefold())

    def ensure(self, names: Iterable[str]) -> list[str]:
        """The ids of the tags of these names; made if there are none (the same name makes no second tag)."""
        wanted = list(names)
        if any(self.tag_id(name) is None for name in wanted):
            self.refresh()
        return [self.tag_id(name) or self._make(name) for name in wanted]

    def _make(self, name: str) -> str:
        made = mapping(self.group.send("POST", "/tags", {"name": name}))
        found = own_id(made)
        if found is None:
            raise AnswerLost("the platform made a tag and did not say which")
        self.names[found] = name
        return found

    def add(self, person: str, name: str) -> str:
        """Tag a person; the id of the tag. Twice is as good as once. Raises ApiError 404 for somebody who is gone."""
        (tag,) = self.ensure([name])
        try:
            self._tag(person, tag)
        except ApiError as problem:
            if problem.status != 404 or self.group.person(person) is None:
                raise
            del self.names[tag]  # the tag went away since we learnt of it
            (tag,) = self.ensure([name])
            self._tag(person, tag)
        return tag

    def _tag(self, person: str, tag: str) -> None:
        body = {"_links": {"osdi:person": {"href": self.group.url(f"/people/{person}")}}}
        self.group.send("POST", f"/tags/{tag}/taggings", body)

    def remove(self, tag: str, tagging: str) -> None:
        with _unless_gone():  # else somebody was quicker
            self.group.send("DELETE", f"/tags/{tag}/taggings/{tagging}")


class Tagged:
    """The tags of the people in one reading: one by one for a few, from an index for many."""

    def __init__(self, tags: Tags, index: TagIndex | None = None) -> None:
        self._tags, self._index = tags, index
        self._asked = 0

    def of(self, rows: Sequence[Json], *, ask: bool) -> dict[str, list[dict[str, str]]]:
        """Tags by person. Not `ask`: without those of whom the index does not know."""
        found: dict[str, list[dict[str, str]]] = {}
        now = self._tags.group.now()
        if self._index is None and ask and self._many(sum(_settled(row, now) for row in rows)):
            self._index = self._tags.index(now)
        known = [person_id(row) for row in rows if self._index is not None and _settled(row, self._index.began)]
        if self._index is not None and known:
            found = {one: self._tags.shown(ids) for one, ids in self._index.of(known).items()}
        for row in rows if ask else ():
            if (one := person_id(row)) not in found:
                self._asked += 1
                with _unless_gone():
                    found[one] = self._tags.shown(self._tags.of(one))
        return found

    def _many(self, more: int) -> bool:
        """Whether an index would by now have been the cheaper way: the tags, and the taggings of each."""
        taggings: int | None = self._tags.group.facts.get("taggings")
        cost = FEW if taggings is None else 2 + len(self._tags.names) + taggings / A_CALL
        return self._asked + more > cost

    def close(self) -> None:
        if self._index is not None:
            self._index.close()


def _settled(row: Json, began: float) -> bool:
    """Whether the person last changed before an index was begun, so that it is right about them."""
    at = modified(row)
    return at is not None and at < began - 1


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """What is not there any more has nothing to say; the next reading finds out what became of it."""
    try:
        yield
    except ApiError as problem:
        if problem.status != 404:
            raise


def linked(row: Any, what: str) -> str | None:
    """The id behind a link of a tagging."""
    links = row.get("_links") if isinstance(row, dict) else None
    link = links.get(f"osdi:{what}") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else None
    found = href.rstrip("/").rpartition("/")[2] if isinstance(href, str) else ""
    return found if is_id(found) else None
