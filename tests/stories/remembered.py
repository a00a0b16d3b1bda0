"""What rosterd remembers of a world, for a story to look at."""

from __future__ import annotations

from collections import defaultdict

from daemon.sync.roster import Roster
from state.model import Contact, Hold, Link, Owed
from state.store import Store


class Remembered:
    """A world with a database."""

    store: Store
    roster: Roster

    def contacts(self) -> dict[int, Contact]:
        with self.store.look() as tx:
            return {each.id: each for each in tx.contacts.all() if each.merged_into is None}

    def links(self) -> dict[int | None, list[Link]]:
        """The records of each contact; under None those that belong to nobody."""
        found: dict[int | None, list[Link]] = defaultdict(list)
        with self.store.look() as tx:
            keys = tx.db.exec_driver_sql("select connection, external_id from links").all()
            for name in self.roster.sides:
                for link in tx.links.of_records(name, {one for side, one in keys if side == name}).values():
                    found[link.contact_id].append(link)
        return found

    def outbox(self) -> list[Owed]:
        with self.store.look() as tx:
            return tx.outbox.listed(limit=100_000)

    def holds(self) -> list[Hold]:
        with self.store.look() as tx:
            return tx.holds.listed()
