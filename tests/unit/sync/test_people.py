"""The working set of a page: what it writes back must be what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sync import union
from daemon.sync.people import People
from daemon.sync.roster import Roster
from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Link, Owed
from state.store import Store, Tx


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/state.db")
    yield opened
    opened.close()


def people_of(store: Store, tx: Tx) -> People:
    return People(tx, Roster(store, {}), now=5.0, run=None)


@pytest.mark.parametrize("lane", [CONSENT_LANE, UPDATE_LANE])
def test_what_is_owed_to_a_stray_goes_along_when_it_finds_its_person(store: Store, lane: int) -> None:
    """Else nobody who asks for the person would find it, and would owe it a second time: one too many for the table."""
    with store.transaction() as tx:
        people = people_of(store, tx)
        people.save(Link("strive", "7", "held"))
        people.owe(Owed("strive", lane, None, "7", "consent", {"sms": None}, state="dead"))
        people.flush()
    with store.transaction() as tx:
        people = people_of(store, tx)
        people.load_records("strive", {"7"})
        found = people.new_contact()
        people.attach(people.records["strive", "7"], found)
        people.flush()
    with store.transaction() as tx:
        people = people_of(store, tx)
        people.load_contacts({found.id})
        push = people.push(("strive", "r:7", lane))
        assert push is not None
        assert (push.contact_id, push.state) == (found.id, "dead")


def test_two_who_are_new_and_turn_out_to_be_one_in_the_same_page(store: Store) -> None:
    with store.transaction() as tx:
        people = people_of(store, tx)
        keep, drop = people.new_contact(), people.new_contact()
        for external_id, contact in (("7", keep), ("8", drop)):
            link = Link("strive", external_id, "linked", seen={"phone": f"+1202555010{external_id}"})
            people.attach(link, contact)
        people.owe(Owed("telerivet", CREATE_LANE, drop.id, None, "create", {}))
        union.join(people, keep.id, drop.id, because=None)
        people.flush()
    with store.look() as tx:
        assert tx.contacts.get({drop.id})[drop.id].merged_into == keep.id
        assert tx.contacts.identifiers_of({keep.id, drop.id}) == {
            keep.id: {("phone", "+12025550107"), ("phone", "+12025550108")}
        }
        assert {link.contact_id for link in tx.links.of_records("strive", {"7", "8"}).values()} == {keep.id}
        assert tx.outbox.listed() == []
