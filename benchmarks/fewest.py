"""The fewest calls with which a correct connector can do a piece of work, by what each API allows.

"Correct" rules out what would be cheaper: a cursor that skips what is stored late, an update that overruns an edit
made since, a new record beside one that was there. It allows everything else: it knows beforehand how the account
looks, nothing moves while it reads, no page is cut short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass
class Held:
    """What a platform holds. `tags`: how many people have each; `lists`: how many contacts each has."""

    people: int
    tags: Sequence[int] = ()
    lists: Sequence[int] = ()
    optouts: int = 0
    consents: int = 0


@dataclass(frozen=True)
class Work:
    """What a run has to do at one platform.

    whole    nothing is known yet: read everybody (else: what changed)
    moved    records that changed there since the last run
    updates  records to be changed there; `renames`: so that their names change
    optouts  records there to be told of a no
    creates  people to be made there, each with a phone, an email and no tag
    """

    whole: bool = False
    moved: int = 0
    updates: int = 0
    renames: int = 0
    optouts: int = 0
    creates: int = 0


IDLE = Work()


def pages(rows: int, size: int) -> int:
    """How many pages so many rows fill."""
    return math.ceil(rows / size)


def strive(held: Held, work: Work) -> int:
    """Pages of 1000, two logs (changes; removals from groups), 200 ids in one address.

    Everybody: where each log ends (or edits during the reading would be lost), the pages, and the empty page that
    alone proves the end. After that each log once, and the members it names. A PATCH compares and swaps, so a change
    and a no are one call. There is no bulk write; a POST takes over whoever has the number, so it is looked for first.
    """
    logs = 2
    read = logs + (pages(held.people, 1000) + 1 if work.whole else pages(work.moved, 200))
    return read + work.updates + work.renames + work.optouts + 2 * work.creates


def telerivet(held: Held, work: Work) -> int:
    """Pages of 500, and the names of the groups; always everything, as contacts can neither be filtered nor sorted by
    time. (An account that offers dynamic groups needs two calls instead.)

    That reading is the reading before an import by id, 200 contacts a call. A name does not go that way: the import
    would make a deleted contact again. A new contact is looked for by number and by email, as nothing is unique.
    """
    read = pages(held.people, 500) + 1
    imports = sum(pages(many, 200) for many in (work.updates, work.optouts, work.creates))
    return read + imports + work.renames + 2 * work.creates


def action_network(held: Held, work: Work) -> int:
    """Pages of 25, and the empty one that ends them, as people have no total and a link to a next page to the last.

    Everybody: that, the tags and their taggings, which a person does not show, and the names of the custom fields.
    Later: who changed, and of each of them the tags, or all taggings where that is less. There is no
    compare-and-swap, so a change is a reading and a writing; and so is a no, which goes to the number they have now.
    A new person is looked for by email and by phone, as the POST would take either away from whoever has it.
    """
    taggings = pages(len(held.tags), 25) + sum(pages(count, 25) for count in held.tags)
    if work.whole:
        read = 1 + taggings + pages(held.people, 25) + 1
    else:
        read = pages(work.moved, 25) + 1 + min(work.moved, taggings)
    return read + 2 * (work.updates + work.renames + work.optouts) + 3 * work.creates


def colony(held: Held, work: Work) -> int:
    """The login, the lists, every list in pages of 100 (an empty list is a page too), the opt-outs: always everything,
    as nothing that is published filters by time. As it comes it is not written to."""
    del work
    read = [len(held.lists), *held.lists, held.optouts]
    return 1 + sum(max(1, pages(rows, 100)) for rows in read)


def carium(held: Held, work: Work) -> int:
    """The login, all users and all consents, 1000 a page: always everything, as there is no filter by time. No total
    is told, so a page that is shorter than one before it proves the end. It is not written to."""
    del work
    return 1 + _to_a_short_page(held.people) + _to_a_short_page(held.consents)


def _to_a_short_page(rows: int) -> int:
    """A first page, however short, may have been cut: only a second one tells. An empty one needs no other."""
    return max(2, rows // 1000 + 1) if rows else 1


FEWEST: Mapping[str, Callable[[Held, Work], int]] = {
    "strive": strive,
    "telerivet": telerivet,
    "action_network": action_network,
    "colony": colony,
    "carium": carium,
}
