"""The contract of the state, as tests: what every engine must keep, whatever it is made of.

An engine's tests inherit `StateContract` and give it a `store`; what only that engine can do, they add themselves.
Written back and read again, everything is as it was; what is undone leaves nothing.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from state.model import (
    CONSENT_LANE,
    CREATE_LANE,
    UPDATE_LANE,
    Account,
    Contact,
    Entry,
    Hold,
    Link,
    Noted,
    Owed,
)
from state.store import Store, Tx

ANN, EVE = ("phone", "+12025550101"), ("phone", "+12025550102")
ANN_MAIL = ("email", "ann@example.org")
MANY = [str(number) for number in range(1200)]


def contact(number: int, **names: str) -> Contact:
    """A contact whose fields came from Strive."""
    fields = {name: Entry(value, 100.0, "strive", "record") for name, value in names.items()}
    return Contact(number, fields, 50.0)


def link(
    external_id: str, who: int | None = None, *, at: str = "strive", state: str = "linked", sweep: int = 0
) -> Link:
    return Link(at, external_id, state, who, sweep=sweep)


def owed(external_id: str, *, at: str = "strive", lane: int = UPDATE_LANE, kind: str = "update", **more: Any) -> Owed:
    return Owed(at, lane, None, external_id, kind, {"city": None}, **more)


def targets(pushes: list[Owed]) -> list[str]:
    return [push.target for push in pushes]


class KeepsContacts:
    def test_ids_are_handed_out_once(self, store: Store) -> None:
        """Also when what was made with them is undone: a gap is no harm, a number used twice is."""
        with store.transaction() as tx:
            assert (tx.contacts.reserve(3), tx.contacts.reserve(2), tx.contacts.reserve(1)) == (1, 4, 6)
        with store.transaction() as tx:
            assert tx.contacts.reserve(1) == 7

    def test_a_contact_is_read_as_it_was_written(self, store: Store) -> None:
        """Value, time, source, evidence, the value before and the flips, of every kind of value."""
        written = Contact(
            7,
            {
                "city": Entry("São Paulo", 1700000000.123456, "strive", "api", "Rio", 2),
                "street": Entry(None, 1.0, "telerivet", "read"),
                "notes": Entry('"{}%_\n\\', 2.0, "strive", "record", None, 1),
                "tags": Entry(["a", "b"], 3.0, "strive", "record"),
                "other_phones": Entry([], 3.0, "strive", "record"),
            },
            50.5,
        )
        with store.transaction() as tx:
            tx.contacts.add([written, contact(8)])
        with store.look() as tx:
            assert tx.contacts.get({7, 9}) == {7: written}
            assert tx.contacts.get([]) == {}

    def test_a_changed_contact_replaces_the_old(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.contacts.add([contact(1, city="Macon"), contact(2, city="Rome")])
            changed = replace(contact(1, city="Atlanta"), merged_into=2)
            tx.contacts.put([changed])
            assert tx.contacts.get({1, 2}) == {1: changed, 2: contact(2, city="Rome")}

    def test_a_contact_may_be_new_and_merged_in_one_page(self, store: Store) -> None:
        gone = replace(contact(2), merged_into=1)
        with store.transaction() as tx:
            tx.contacts.add([contact(1), gone])
            assert tx.contacts.get({2}) == {2: gone}
            assert tx.contacts.count() == 1

    def test_a_walk_meets_everybody_once_who_was_not_merged(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.contacts.add(contact(number) for number in range(1, 1103))
            tx.contacts.put([replace(contact(2), merged_into=1), replace(contact(501), merged_into=1)])
            assert [c.id for c in tx.contacts.walk(0, 3)] == [1, 3, 4]
            assert [c.id for c in tx.contacts.walk(1100, 500)] == [1101, 1102]
            assert [c.id for c in tx.contacts.all()] == [n for n in range(1, 1103) if n not in (2, 501)]
            assert tx.contacts.count() == 1100

    def test_one_identifier_may_belong_to_a_household(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.contacts.add([contact(1), contact(2)])
            tx.contacts.add_identifiers([(*ANN, 1), (*ANN, 2), (*ANN_MAIL, 2)])
            tx.contacts.add_identifiers([(*ANN, 1)])  # known already
            assert tx.contacts.owners({ANN, ANN_MAIL, EVE}) == {ANN: {1, 2}, ANN_MAIL: {2}}
            assert tx.contacts.owners({("external:van", ANN[1])}) == {}  # another kind, the same text
            assert tx.contacts.identifiers_of({1, 2, 3}) == {1: {ANN}, 2: {ANN, ANN_MAIL}}
            tx.contacts.drop_identifiers([(*ANN, 2), (*EVE, 1)])
            assert tx.contacts.owners({ANN, ANN_MAIL}) == {ANN: {1}, ANN_MAIL: {2}}
            assert (tx.contacts.owners(set()), tx.contacts.identifiers_of(set())) == ({}, {})

    def test_an_identifier_belongs_to_a_contact_that_exists(self, store: Store) -> None:
        with pytest.raises(IntegrityError), store.transaction() as tx:
            tx.contacts.add_identifiers([(*ANN, 99)])

    @pytest.mark.parametrize(
        ("needle", "found"),
        [
            ("ann", [1, 3]),
            ("SMITH", [1]),
            ("5550101", [1]),
            ("ANN@EXAMPLE", [3]),
            ("José", [2]),
            ("JOSÉ", [2]),
            ("%", []),
            ("_", []),
            ("Macon", []),  # neither a name nor an identifier
            ("strive", []),  # nor is where a field came from
            ("given_name", []),
            ("gone", []),
        ],
    )
    def test_search(self, store: Store, needle: str, found: list[int]) -> None:
        """By a part of a name, phone or email, whatever the case; by nothing else."""
        with store.transaction() as tx:
            tx.contacts.add(
                [
                    contact(1, given_name="Ann", family_name="Smith", city="Macon"),
                    contact(2, given_name="José"),
                    contact(3, notes="Ann's sister"),
                    replace(contact(4, given_name="Gone"), merged_into=1),
                ]
            )
            tx.contacts.add_identifiers([(*ANN, 1), ("email", "ann@example.org", 3)])
            assert [c.id for c in tx.contacts.search(needle)] == found

    def test_search_finds_a_whole_name_and_stops_at_the_limit(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.contacts.add(contact(n, given_name="Ann", family_name="Smith") for n in range(1, 6))
            assert [c.id for c in tx.contacts.search("ann smith", limit=2)] == [1, 2]


class KeepsLinks:
    def test_a_link_is_read_as_it_was_written(self, store: Store) -> None:
        full = Link(
            "strive",
            "7",
            "failed",
            1,
            {"city": "Macon", "email": None, "tags": ["a"]},
            "2024-01-01T00:00:00.123456+00:00",
            "digest",
            {"city": "Rome", "email": None},
            ["sms"],
            4,
            "phone: not a phone",
        )
        with store.transaction() as tx:
            tx.contacts.add([contact(1)])
            tx.links.add([full, link("8", at="telerivet")])
        with store.look() as tx:
            found = tx.links.of_records("strive", {"7", "8"})
            assert found == {"7": replace(full, id=found["7"].id)}
            assert found["7"].id is not None
            bare = tx.links.of_records("telerivet", ["8"])["8"]
            assert bare == replace(link("8", at="telerivet"), id=bare.id)
            assert tx.links.of_records("strive", []) == {}

    def test_a_changed_link_replaces_the_old(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.contacts.add([contact(1)])
            tx.links.add([link("7"), link("8")])
            known = tx.links.of_records("strive", {"7", "8"})
            mine = replace(
                known["7"],
                contact_id=1,
                state="vanished",
                seen={"city": None},
                version="2",
                digest="d",
                sent={"tags": []},
                told=["email"],
                sweep=9,
                reason="why",
            )
            tx.links.put([mine])
            assert tx.links.of_records("strive", {"7", "8"}) == {"7": mine, "8": known["8"]}
            tx.links.put([known["7"]])
            assert tx.links.of_records("strive", {"7"}) == {"7": known["7"]}

    def test_one_record_has_one_link(self, store: Store) -> None:
        with pytest.raises(IntegrityError), store.transaction() as tx:
            tx.links.add([link("7"), link("7", state="held")])

    def test_the_links_of_contacts_in_a_steady_order_vanished_ones_too(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.contacts.add([contact(1), contact(2)])
            tx.links.add([link("b", 1), link("a", 1, state="vanished"), link("c", 2), link("d", state="held")])
            found = tx.links.of_contacts({1, 2, 3})
            assert {who: [each.external_id for each in links] for who, links in found.items()} == {
                1: ["b", "a"],
                2: ["c"],
            }
            assert tx.links.of_contacts(set()) == {}

    def test_who_was_not_met_by_a_sweep(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.links.add([link("met"), link("old", sweep=1), link("gone", state="vanished"), link("x", at="telerivet")])
            tx.links.add([link("never")])
            tx.links.mark("strive", {"met", "x"}, 2)
            tx.links.mark("strive", set(), 3)
            assert [each.external_id for each in tx.links.missed("strive", 1, 10)] == ["old", "never"]
            assert [each.external_id for each in tx.links.missed("strive", 1, 1)] == ["old"]
            assert tx.links.count_missed("strive", 1) == 2
            assert tx.links.count_missed("strive", 2) == 3
            assert tx.links.count_missed("telerivet", 0) == 1

    def test_counts(self, store: Store) -> None:
        with store.transaction() as tx:
            assert (tx.links.counts(), tx.links.holding("strive")) == ({}, 0)
            tx.links.add([link("1"), link("2"), link("3", state="vanished"), link("1", at="telerivet", state="held")])
            assert tx.links.counts() == {"strive": {"linked": 2, "vanished": 1}, "telerivet": {"held": 1}}
            assert tx.links.counts("telerivet") == {"telerivet": {"held": 1}}
            assert tx.links.holding("strive") == 2

    def test_contacts_without_a_record_at_a_connection(self, store: Store) -> None:
        """A vanished record counts: the person is not made again."""
        with store.transaction() as tx:
            tx.contacts.add([contact(1), contact(2), contact(3)])
            tx.links.add([link("1", 1), link("2", 2, state="vanished"), link("3", 3, at="telerivet")])
            assert tx.links.unlinked_contacts("strive", {1, 2, 3}) == {3}
            assert tx.links.unlinked_contacts("strive", set()) == set()

    def test_strays_are_found_by_identifier_and_replaced_as_a_whole(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.links.set_strays("strive", {"7": [ANN, ANN_MAIL, ANN], "8": [ANN]})
            tx.links.set_strays("telerivet", {"7": [ANN]})
            found = tx.links.strays_with({ANN, EVE})
            assert {key: sorted(records) for key, records in found.items()} == {
                ANN: [("strive", "7"), ("strive", "8"), ("telerivet", "7")]
            }
            tx.links.set_strays("strive", {"7": [EVE], "8": []})
            tx.links.set_strays("strive", {})
            assert tx.links.strays_with({ANN, ANN_MAIL, EVE}) == {ANN: [("telerivet", "7")], EVE: [("strive", "7")]}
            assert tx.links.strays_with({("email", ANN[1])}) == {}
            assert tx.links.strays_with(set()) == {}

    def test_a_no_without_a_contact_is_found_by_identifier_and_replaced_as_a_whole(self, store: Store) -> None:
        with store.transaction() as tx:
            assert not tx.links.has_suppressions()
            said = {ANN: ("unsubscribed", "vanished"), ANN_MAIL: ("undeliverable", "held")}
            tx.links.suppress("strive", {"7": said, "8": {ANN: ("unsubscribed", "held")}}, at=5.0)
            tx.links.suppress("telerivet", {"7": {EVE: ("unsubscribed", "held")}}, at=5.0)
            assert tx.links.has_suppressions()
            found = tx.links.suppressed({ANN, ANN_MAIL})
            assert {key: sorted(entries) for key, entries in found.items()} == {
                ANN: [("unsubscribed", "strive/7", "vanished"), ("unsubscribed", "strive/8", "held")],
                ANN_MAIL: [("undeliverable", "strive/7", "held")],
            }
            tx.links.suppress("strive", {"7": {}}, at=6.0)
            tx.links.suppress("strive", {}, at=6.0)
            assert tx.links.suppressed({ANN, EVE}) == {
                ANN: [("unsubscribed", "strive/8", "held")],
                EVE: [("unsubscribed", "telerivet/7", "held")],
            }
            assert tx.links.suppressed({("email", ANN[1])}) == {}
            assert tx.links.suppressed(set()) == {}

    def test_a_decision_is_kept_until_it_is_made_anew(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.links.decide("strive", "7", 1, "same", at=1.0)
            tx.links.decide("strive", "7", 2, "different", at=1.0)
            tx.links.decide("telerivet", "7", 1, "different", at=1.0)
            tx.links.decide("strive", "7", 1, "different", at=2.0)
            assert tx.links.decided("strive", {"7", "8"}) == {"7": {1: "different", 2: "different"}}
            assert tx.links.decided("strive", set()) == {}

    def test_decisions_follow_a_contact_into_another(self, store: Store) -> None:
        """Unless something was decided about the other already."""
        with store.transaction() as tx:
            tx.links.decide("strive", "7", 2, "different", at=1.0)
            tx.links.decide("strive", "8", 2, "same", at=1.0)
            tx.links.decide("strive", "8", 1, "different", at=1.0)
            tx.links.decide("strive", "9", 3, "same", at=1.0)
            tx.links.move_decisions(2, 1)
            assert tx.links.decided("strive", {"7", "8", "9"}) == {
                "7": {1: "different"},
                "8": {1: "different"},
                "9": {3: "same"},
            }


class KeepsTheOutbox:
    def test_a_push_is_read_as_it_was_written(self, store: Store) -> None:
        update = Owed(
            "strive",
            UPDATE_LANE,
            7,
            "x",
            "rekey",
            {"phone": None, "tags": {"add": ["a"], "remove": []}},
            "held",
            1,
            3,
            9.5,
            "why",
            2.5,
        )
        create = Owed("strive", CREATE_LANE, 7, None, "create", {}, created_at=3.0)
        with store.transaction() as tx:
            tx.outbox.add([update, create])
        with store.look() as tx:
            found = tx.outbox.of_contacts({7})
            assert found == [replace(update, id=found[0].id), replace(create, id=found[1].id)]
            assert targets(found) == ["r:x", "c:7"]
            assert tx.outbox.of_targets("strive", {"c:7", "r:y"}) == found[1:]
            assert tx.outbox.of_targets("telerivet", {"c:7"}) == []
            assert tx.outbox.get([found[0].id or 0]) == found[:1]
            assert (tx.outbox.of_contacts([]), tx.outbox.of_targets("strive", []), tx.outbox.get([])) == ([], [], [])

    def test_a_changed_push_replaces_the_old(self, store: Store) -> None:
        """Its contact too: a record that was nobody's is somebody's now, and what is owed to it goes along."""
        with store.transaction() as tx:
            tx.outbox.add([owed("1"), owed("2")])
            first, second = tx.outbox.listed()
            changed = replace(
                first,
                contact_id=5,
                kind="blank",
                owed={"email": None},
                state="dead",
                approved=1,
                attempts=2,
                due_at=8.0,
                reason="no",
            )
            tx.outbox.put([changed])
            assert tx.outbox.listed() == [changed, second]
            assert tx.outbox.of_contacts({5}) == [changed]
            tx.outbox.drop([first.id or 0])
            tx.outbox.drop([])
            assert tx.outbox.listed() == [second]

    def test_one_open_push_a_record_and_lane(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outbox.add([owed("1"), owed("1", lane=CONSENT_LANE), owed("1", at="telerivet")])
        with pytest.raises(IntegrityError), store.transaction() as tx:
            tx.outbox.add([owed("1")])

    def test_the_id_of_a_push_is_never_used_again(self, store: Store) -> None:
        """A batch in hand must not take another's push for its own."""
        with store.transaction() as tx:
            tx.outbox.add([owed("1")])
            (first,) = tx.outbox.listed()
            tx.outbox.drop([first.id or 0])
            tx.outbox.add([owed("2")])
            (second,) = tx.outbox.listed()
            assert second.id != first.id

    def test_what_is_due_a_no_first_then_in_the_order_it_arose(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outbox.add(
                [
                    owed("create", lane=CREATE_LANE),
                    owed("edit 1"),
                    owed("edit 2", due_at=10.0),
                    owed("later", due_at=10.1),
                    owed("held", state="held"),
                    owed("dead", state="dead"),
                    owed("other", at="telerivet"),
                    owed("no", lane=CONSENT_LANE),
                ]
            )
            due = tx.outbox.due("strive", 10.0, 10)
            assert targets(due) == ["r:no", "r:edit 1", "r:edit 2", "r:create"]
            walked: list[Owed] = []
            after = (-1, 0)
            while batch := tx.outbox.due("strive", 10.0, 1, after=after):
                walked += batch
                after = (batch[-1].lane, batch[-1].id or 0)
            assert walked == due

    def test_listed_by_state_and_connection(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outbox.add([owed("1"), owed("2", state="dead"), owed("3", at="telerivet"), owed("4", lane=CONSENT_LANE)])
            assert targets(tx.outbox.listed()) == ["r:4", "r:1", "r:2", "r:3"]
            assert targets(tx.outbox.listed(limit=1)) == ["r:4"]
            assert targets(tx.outbox.listed(state="dead")) == ["r:2"]
            assert targets(tx.outbox.listed(connection="telerivet")) == ["r:3"]
            assert targets(tx.outbox.listed(connection="telerivet", state="dead")) == []
            assert tx.outbox.counts() == [
                ("strive", "update", "dead", 1),
                ("strive", "update", "open", 2),
                ("telerivet", "update", "open", 1),
            ]

    def test_the_fuse_counts_what_nobody_released(self, store: Store) -> None:
        """Held ones too; neither dead ones nor opt-outs."""
        with store.transaction() as tx:
            tx.outbox.add([owed("1"), owed("2", state="held"), owed("3", state="dead"), owed("4", approved=1)])
            tx.outbox.add([owed("5", kind="blank"), owed("6", at="telerivet")])
            tx.outbox.add([owed("7", lane=CONSENT_LANE, kind="consent")])
            assert tx.outbox.unapproved() == {
                ("strive", "update"): 2,
                ("strive", "blank"): 1,
                ("telerivet", "update"): 1,
            }

    def test_a_kind_is_held_released_or_discarded_and_no_other(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outbox.add([owed("1"), owed("2"), owed("3", approved=1), owed("4", kind="blank"), owed("5", at="x")])
            tx.outbox.add([owed("6", state="dead")])
            tx.outbox.hold("strive", "update")
            assert targets(tx.outbox.listed(state="held")) == ["r:1", "r:2"]
            assert tx.outbox.release("strive", "update", limit=1) == 1
            assert [(p.state, p.approved) for p in tx.outbox.listed()[:2]] == [("open", 1), ("held", 0)]
            assert tx.outbox.discard("strive", "update") == 1
            assert targets(tx.outbox.listed()) == ["r:1", "r:3", "r:4", "r:5", "r:6"]
            assert (tx.outbox.discard("strive", "update"), tx.outbox.release("strive", "update")) == (0, 0)

    def test_what_passed_the_fuse_once_is_held_by_it_no_more(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outbox.add([owed("1"), owed("2", state="held"), owed("3", kind="blank")])
            tx.outbox.approve("strive", "update")
            tx.outbox.hold("strive", "update")
            assert [(p.target, p.state, p.approved) for p in tx.outbox.listed()] == [
                ("r:1", "open", 1),
                ("r:2", "held", 0),
                ("r:3", "open", 0),
            ]

    def test_a_great_many_are_released_at_once(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outbox.add(owed(number, state="held") for number in MANY)
            assert tx.outbox.release("strive", "update") == len(MANY)
            assert tx.outbox.counts() == [("strive", "update", "open", len(MANY))]


class KeepsRecords:
    def test_an_account_is_read_as_it_was_written(self, store: Store) -> None:
        full = Account(
            "strive",
            "strive",
            "campaign 7",
            {"at": "2024", "ids": [1]},
            {"tables": ["members"]},
            {"city": "digest"},
            ["city"],
            3,
            2,
            1.5,
            2.5,
            7,
            3.5,
            "no key",
            4,
            5.5,
        )
        with store.transaction() as tx:
            tx.connections.add(full)
            tx.connections.add(Account("a", "telerivet", "p"))
            assert tx.connections.all() == {"a": Account("a", "telerivet", "p"), "strive": full}
            assert list(tx.connections.all()) == ["a", "strive"]
            assert full.primed
            assert not Account("a", "telerivet", "p").primed

    def test_some_columns_of_one_account_change(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.connections.add(Account("strive", "strive", "7"))
            tx.connections.add(Account("telerivet", "telerivet", "p"))
            tx.connections.put("strive", cursor={"n": 1}, remap=["city"], sweep=2, paused_why="why", plan_after=None)
            expected = Account("strive", "strive", "7", cursor={"n": 1}, remap=["city"], sweep=2, paused_why="why")
            assert tx.connections.all() == {"strive": expected, "telerivet": Account("telerivet", "telerivet", "p")}

    def test_the_journal_tells_a_story_in_order(self, store: Store) -> None:
        first = Noted("took", {"city": [None, "Rome", 1.5, "api"]}, 7, "strive", "x", 10.5, 3)
        rest = [Noted("merged", {"n": n}, 7, at=11.0, run=3) for n in range(3)]
        with store.transaction() as tx:
            tx.journal.add([first, *rest, Noted("took", {}, 8), Noted("pruned", {}, run=4)])
            tx.journal.add([])
            story = tx.journal.of_contacts({7})
            assert story == [replace(noted, id=found.id) for noted, found in zip([first, *rest], story, strict=True)]
            assert [noted.detail for noted in tx.journal.of_contacts([7], limit=2)] == [{"n": 1}, {"n": 2}]
            assert [noted.contact_id for noted in tx.journal.of_contacts([8, 7])] == [7, 7, 7, 7, 8]
            assert tx.journal.get(story[0].id or 0) == story[0]
            assert tx.journal.get(10_000) is None
            assert tx.journal.latest("merged", 7) == story[-1]
            assert tx.journal.latest("merged", 8) is None
            assert tx.journal.of_run(3) == story
            assert tx.journal.of_run(3, events=["merged"], limit=2) == story[1:3]
            assert [noted.event for noted in tx.journal.of_run(4)] == ["pruned"]

    def test_one_open_hold_a_key(self, store: Store) -> None:
        """Asked for again it is brought up to date; decided, a new one may be opened."""
        hold = Hold("flip:7:city", "flip", {"values": ["a"]}, "strive", "x", 7, opened_at=5.0)
        with store.transaction() as tx:
            first = tx.holds.open(hold)
            assert tx.holds.get(first) == replace(hold, id=first)
            again = replace(hold, detail={"values": ["b"]}, connection="telerivet", opened_at=6.0)
            assert tx.holds.open(again) == first
            assert tx.holds.with_key(hold.key) == replace(again, id=first, opened_at=5.0)
            assert tx.holds.close(hold.key, {"choice": "keep"}, at=9.0)
            decided = tx.holds.get(first)
            assert decided is not None
            assert (decided.state, decided.decision, decided.decided_at) == ("decided", {"choice": "keep"}, 9.0)
            assert tx.holds.with_key(hold.key) is None
            assert not tx.holds.close(hold.key, {}, at=9.0)
            assert tx.holds.open(hold) != first
            assert tx.holds.get(first) == decided
            assert tx.holds.get(999) is None

    def test_holds_listed_and_counted(self, store: Store) -> None:
        with store.transaction() as tx:
            for key, kind in (("1", "match"), ("2", "match"), ("3", "flip"), ("4", "fuse")):
                tx.holds.open(Hold(key, kind, {}))
            tx.holds.close("4", {}, at=1.0)
            assert [hold.key for hold in tx.holds.listed()] == ["1", "2", "3"]
            assert [hold.key for hold in tx.holds.listed(kind="match", limit=1)] == ["1"]
            assert [hold.key for hold in tx.holds.listed(state="decided")] == ["4"]
            assert tx.holds.counts() == {"match": 2, "flip": 1}

    def test_runs_latest_first_with_their_books(self, store: Store) -> None:
        with store.transaction() as tx:
            first, second = tx.runs.begin(1.5), tx.runs.begin(2.5)
            tx.runs.end(first, 3.5, "ok", {"strive": {"read": 4}})
            ended = {"id": first, "started_at": 1.5, "ended_at": 3.5, "outcome": "ok", "books": {"strive": {"read": 4}}}
            begun = {"id": second, "started_at": 2.5, "ended_at": None, "outcome": None, "books": {}}
            assert tx.runs.latest() == [begun, ended]
            assert tx.runs.latest(1) == [begun]


def _write_everywhere(tx: Tx) -> None:
    tx.contacts.add([contact(tx.contacts.reserve(1))])
    tx.contacts.add_identifiers([(*ANN, 1)])
    tx.links.add([link("7", 1)])
    tx.links.set_strays("strive", {"7": [ANN]})
    tx.links.suppress("strive", {"7": {ANN: ("unsubscribed", "held")}}, at=1.0)
    tx.links.decide("strive", "7", 1, "same", at=1.0)
    tx.outbox.add([owed("7")])
    tx.connections.add(Account("strive", "strive", "7"))
    tx.journal.add([Noted("took", {}, 1)])
    tx.holds.open(Hold("k", "match", {}))
    tx.runs.begin(1.0)


def _all_there_is(tx: Tx) -> list[Any]:
    return [
        *tx.contacts.all(),
        *tx.contacts.owners({ANN}),
        *tx.links.counts(),
        *tx.links.strays_with({ANN}),
        *tx.links.suppressed({ANN}),
        *tx.links.decided("strive", {"7"}),
        *tx.outbox.listed(),
        *tx.connections.all(),
        *tx.journal.of_contacts({1}),
        *tx.holds.listed(),
        *tx.runs.latest(),
    ]


class KeepsTransactionsApart:
    def test_what_is_undone_leaves_nothing(self, store: Store) -> None:
        """Whatever the exception; not even a number handed out."""

        def write_and_stop() -> None:
            with store.transaction() as tx:
                _write_everywhere(tx)
                assert len(_all_there_is(tx)) == 11
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_and_stop()
        with store.transaction() as tx:
            assert _all_there_is(tx) == []
            assert tx.contacts.reserve(1) == 1

    def test_what_is_done_is_there(self, store: Store) -> None:
        with store.transaction() as tx:
            _write_everywhere(tx)
        with store.look() as tx:
            assert len(_all_there_is(tx)) == 11

    @pytest.mark.timeout(8)
    def test_looking_waits_for_no_writer_and_sees_nothing_half_done(self, store: Store) -> None:
        with store.transaction() as tx:
            _write_everywhere(tx)
            with store.look() as other:
                assert _all_there_is(other) == []

    def test_a_look_sees_one_moment(self, store: Store) -> None:
        with store.look() as seen:
            before = _all_there_is(seen)
            with store.transaction() as tx:
                _write_everywhere(tx)
            if store.engine.dialect.name == "sqlite":
                assert _all_there_is(seen) == before

    def test_looking_changes_nothing(self, store: Store) -> None:
        with store.look() as tx:
            _write_everywhere(tx)
        with store.look() as tx:
            assert _all_there_is(tx) == []

    @pytest.mark.timeout(20)
    def test_threads_take_turns(self, store: Store) -> None:
        """A transaction that reads and then writes what it read loses nothing to another."""
        problems: list[BaseException] = []

        def work(name: str) -> None:
            try:
                for _ in range(10):
                    with store.transaction() as tx:
                        first = tx.contacts.reserve(1)
                        tx.contacts.add([contact(first, city=name)])
            except BaseException as problem:  # noqa: BLE001 - told by the assertion below
                problems.append(problem)

        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c", "d")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        with store.look() as tx:
            assert [c.id for c in tx.contacts.all()] == list(range(1, 41))


class StateContract(KeepsContacts, KeepsLinks, KeepsTheOutbox, KeepsRecords, KeepsTransactionsApart):
    """Everything an engine must keep."""
