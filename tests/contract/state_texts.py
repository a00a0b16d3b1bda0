"""The contract of the state: whatever a platform says can be kept, and nothing in it is taken for SQL."""

from __future__ import annotations

import pytest

from state.model import Account, Hold, Noted, Outreach
from state.store import Store
from tests.contract.state_rows import contact, link, owed

ODD = [
    "100% %s %(a)s ? :name",
    "'; drop table links; --",
    'back\\slash "quoted"',
    "\U0001f600 São \u2028",
    "x" * 100_000,
]
UNSTORABLE = [("a\0b", "a\ufffdb"), ("\0", "\ufffd"), ("a\ud800", "a\ufffd"), ("\udcff\0é", "\ufffd\ufffdé")]


class KeepsAnyText:
    @pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
    def test_texts_are_kept_as_they_are(self, store: Store, odd: str) -> None:
        short = odd[:500]  # an index has room for so much
        with store.transaction() as tx:
            tx.contacts.add([contact(1, city=odd)])
            tx.contacts.add_identifiers([("external:van", short, 1)])
            tx.links.add([link(short, 1)])
            tx.outbox.add([owed(short, reason=odd)])
            tx.journal.add([Noted("took", {"city": odd}, 1, external_id=odd)])
            tx.holds.open(Hold("k", "match", {"city": odd}, external_id=odd))
        with store.look() as tx:
            assert tx.contacts.get([1])[1].get("city") == odd
            assert tx.contacts.owners({("external:van", short)}) == {("external:van", short): {1}}
            assert list(tx.links.of_records("strive", [short])) == [short]
            (push,) = tx.outbox.of_targets("strive", [f"r:{short}"])
            assert push.reason == odd
            (noted,) = tx.journal.of_contacts([1])
            assert (noted.detail, noted.external_id) == ({"city": odd}, odd)
            (hold,) = tx.holds.listed()
            assert (hold.detail, hold.external_id) == ({"city": odd}, odd)

    @pytest.mark.parametrize(("said", "kept"), UNSTORABLE, ids=range(len(UNSTORABLE)))
    def test_what_no_text_may_hold_is_replaced(self, store: Store, said: str, kept: str) -> None:
        """The reasons are what a platform answered. One that cannot be kept must not stop the page."""
        with store.transaction() as tx:
            record = link("7", state="failed")
            record.reason = record.version = said
            tx.links.add([record])
            tx.outbox.add([owed("7", reason=said)])
            tx.outreaches.add([Outreach("a", "r", 1, 5, 5, "tag A", reason=said)])
            tx.connections.add(Account("strive", "strive", "7"))
            tx.connections.put("strive", paused_why=said)
            assert tx.contacts.search(said) == []
        with store.look() as tx:
            found = tx.links.of_records("strive", ["7"])["7"]
            assert (found.reason, found.version) == (kept, kept)
            assert [push.reason for push in tx.outbox.listed()] == [kept]
            assert [act.reason for act in tx.outreaches.listed(["owed"])] == [kept]
            assert tx.connections.all()["strive"].paused_why == kept
