"""The contract of the state: outreaches, each event of which is kept once and for good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from state.model import Outreach
from state.store import Store, Tx
from state.tables import outreaches

CAMPAIGN = "f77e736b-d295-4e68-96ec-a765090c6523"


def act(rule: str = "wrote", who: int = 7, at: int = 100, **more: Any) -> Outreach:
    return Outreach(more.pop("connection", "action_network"), rule, who, at, at - 5, "tag A", **more)


def rules(found: list[Outreach]) -> list[str]:
    return [each.rule for each in found]


def everything(tx: Tx) -> list[Outreach]:
    return tx.outreaches.listed(["owed", "sending", "sent", "held", "dead", "dropped"])


class KeepsOutreaches:
    def test_an_outreach_is_read_as_it_was_written(self, store: Store) -> None:
        full = act(
            state="held",
            approved=1,
            insisted=1,
            attempts=2,
            campaign=CAMPAIGN,
            external_id="x",
            reason="why",
            created_at=1.5,
            begun_at=2.5,
            sent_at=3.5,
        )
        with store.transaction() as tx:
            tx.outreaches.add([full, act("other", 8)])
        with store.look() as tx:
            found = everything(tx)
            assert found == [replace(full, id=found[0].id), replace(act("other", 8), id=found[1].id)]
            assert tx.outreaches.get([found[1].id or 0]) == found[1:]
            assert tx.outreaches.of_contacts([7]) == found[:1]
            assert (tx.outreaches.get([]), tx.outreaches.of_contacts([])) == ([], [])

    def test_in_doubt_is_what_was_begun_and_is_not_over(self, store: Store) -> None:
        with store.transaction() as tx:
            begun = {state: act(state, state=state, begun_at=1.0) for state in ("owed", "sending", "held", "sent")}
            elsewhere = act("far", connection="second", state="sending", begun_at=1.0)
            tx.outreaches.add([*begun.values(), elsewhere, act("fuse", state="held")])
        with store.look() as tx:
            assert rules(tx.outreaches.in_doubt("action_network")) == ["sending", "held"]

    def test_an_event_is_kept_once(self, store: Store) -> None:
        """Asked for again, in the same breath or years later: it stays what it has become meanwhile."""
        with store.transaction() as tx:
            assert rules(tx.outreaches.add([act(), act()])) == ["wrote"]
            (kept,) = everything(tx)
            tx.outreaches.put([replace(kept, state="sent", external_id="x")])
        with store.transaction() as tx:
            others = [act("other"), act(at=101), act(who=8), act(connection="second")]
            assert tx.outreaches.add([act(), *others]) == others
            assert tx.outreaches.add([act(), *others]) == []
            assert len(everything(tx)) == 5
            assert tx.outreaches.get([kept.id or 0])[0].state == "sent"

    def test_the_table_itself_refuses_an_event_twice(self, store: Store) -> None:
        values = {"connection": "a", "rule": "r", "contact_id": 1, "at": 5, "since": 5, "event": "e", "state": "owed"}
        values |= {"approved": 0, "insisted": 0, "attempts": 0, "created_at": 0.0}
        with store.transaction() as tx:
            tx.db.execute(outreaches.insert().values(values))
        with pytest.raises(IntegrityError), store.transaction() as tx:
            tx.db.execute(outreaches.insert().values({**values, "since": 4, "state": "sent"}))

    def test_many_events_of_one_page(self, store: Store) -> None:
        many = [act(who=number) for number in range(1200)]
        with store.transaction() as tx:
            assert len(tx.outreaches.add(many)) == 1200
            assert tx.outreaches.add(many) == []

    def test_what_is_due_is_past_the_fuse_and_not_over(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outreaches.add(
                [
                    act("owed", approved=1),
                    act("sending", approved=1, state="sending"),
                    act("unapproved"),
                    *(act(state, approved=1, state=state) for state in ("sent", "held", "dead", "dropped")),
                    act("elsewhere", approved=1, connection="second"),
                ]
            )
            due = tx.outreaches.due("action_network", 10)
            assert rules(due) == ["owed", "sending"]
            assert tx.outreaches.due("action_network", 1) == due[:1]
            assert tx.outreaches.due("action_network", 10, after=due[0].id or 0) == due[1:]

    def test_it_is_begun_before_it_is_sent_and_only_while_it_is_due(self, store: Store) -> None:
        """What a person insisted on is done with the trying."""
        with store.transaction() as tx:
            tx.outreaches.add([act(approved=1, insisted=1)])
            (row,) = everything(tx)
            assert tx.outreaches.begin(row.id or 0, CAMPAIGN, at=9.0)
            assert tx.outreaches.begin(row.id or 0, CAMPAIGN, at=10.0)
            begun = replace(row, state="sending", begun_at=10.0, campaign=CAMPAIGN, attempts=2, insisted=0)
            assert everything(tx) == [begun]
            tx.outreaches.put([replace(begun, state="sent", sent_at=11.0)])
            assert not tx.outreaches.begin(row.id or 0, CAMPAIGN, at=12.0)
            assert everything(tx) == [replace(begun, state="sent", sent_at=11.0)]

    def test_what_the_platform_has_belongs_to_one_event(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.outreaches.add([act("a", external_id="x"), act("b", external_id="y", connection="second"), act("c")])
            assert tx.outreaches.claimed("action_network", ["x", "y", "z"]) == {"x"}
            assert tx.outreaches.claimed("action_network", []) == set()

    def test_outreaches_listed_by_state_and_connection_and_counted(self, store: Store) -> None:
        with store.transaction() as tx:
            states = ["owed", "owed", "sent", "dropped", "dead"]
            tx.outreaches.add([act(str(n), state=state) for n, state in enumerate(states)])
            tx.outreaches.add([act("5", connection="second", state="held")])
            assert rules(tx.outreaches.listed(["owed", "held"])) == ["0", "1", "5"]
            assert rules(tx.outreaches.listed(["owed", "held"], limit=1)) == ["0"]
            assert rules(tx.outreaches.listed(["owed", "held"], connection="second")) == ["5"]
            assert tx.outreaches.counts() == [
                ("action_network", "outreach", "dead", 1),
                ("action_network", "outreach", "owed", 2),
                ("second", "outreach", "held", 1),
            ]

    def test_the_fuse_on_outreaches(self, store: Store) -> None:
        """Held, released one by one, refused for good; what asks a person something else is none of its business."""
        with store.transaction() as tx:
            tx.outreaches.add([act(str(n)) for n in range(4)])
            tx.outreaches.add([act("asked", state="held", approved=1), act("passed", approved=1)])
            tx.outreaches.add([act("second", connection="second")])
            counted = {("action_network", "outreach"): 4, ("second", "outreach"): 1}
            assert tx.outreaches.unapproved() == counted
            tx.outreaches.hold("action_network", "outreach")
            assert rules(tx.outreaches.listed(["held"])) == ["0", "1", "2", "3", "asked"]
            assert tx.outreaches.unapproved() == counted
            assert tx.outreaches.release("action_network", "outreach", limit=1) == 1
            assert rules(tx.outreaches.due("action_network", 10)) == ["0", "passed"]
            assert tx.outreaches.discard("action_network", "outreach") == 3
            assert rules(tx.outreaches.listed(["held"])) == ["asked"]
            assert rules(tx.outreaches.listed(["dropped"])) == ["1", "2", "3"]
            assert tx.outreaches.release("action_network", "outreach") == 0
            tx.outreaches.approve("second", "outreach")
            assert tx.outreaches.unapproved() == {}
            assert rules(tx.outreaches.due("second", 10)) == ["second"]
