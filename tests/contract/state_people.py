"""The contract of the state: contacts, and the records we know of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from state.model import Contact, Entry, Link
from state.store import Store
from tests.contract.state_rows import ANN, ANN_MAIL, EVE, contact, link


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
