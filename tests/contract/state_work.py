"""The contract of the state: what is owed, and the books about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from state.model import CONSENT_LANE, CREATE_LANE, UPDATE_LANE, Account, Hold, Noted, Owed
from state.store import Store
from tests.contract.state_rows import MANY, owed, targets


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

    def test_pushes_come_in_the_order_they_arose_also_when_one_was_changed(self, store: Store) -> None:
        """What was changed last moves to the end of a table of PostgreSQL."""
        with store.transaction() as tx:
            tx.outbox.add([owed("b", lane=2), owed("a"), owed("c")])
            pushes = sorted(tx.outbox.listed(), key=lambda push: push.id or 0)
            tx.outbox.put([replace(pushes[0], contact_id=7), *(replace(push, contact_id=7) for push in pushes[:0:-1])])
            assert targets(tx.outbox.of_contacts({7})) == ["r:b", "r:a", "r:c"]
            assert targets(tx.outbox.of_targets("strive", {"r:a", "r:b", "r:c"})) == ["r:b", "r:a", "r:c"]
            assert targets(tx.outbox.get({push.id or 0 for push in pushes})) == ["r:b", "r:a", "r:c"]

    def test_names_are_sorted_as_they_are_written(self, store: Store) -> None:
        """Not as the language of the machine has it, where _ may count for nothing."""
        names = ["a", "a_b", "ab", "b", "b_a", "ba"]
        with store.transaction() as tx:
            tx.outbox.add(owed("1", at=name) for name in reversed(names))
            assert [connection for connection, *_ in tx.outbox.counts()] == names
            assert [connection for connection, _ in tx.outbox.unapproved()] == names

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

    def test_holds_by_connection_those_of_none_first(self, store: Store) -> None:
        with store.transaction() as tx:
            for key, where in (("1", "b"), ("2", "a"), ("3", None), ("4", "a")):
                tx.holds.open(Hold(key, "match", {}, where))
            assert tx.holds.by_connection() == [(None, "match", 1), ("a", "match", 2), ("b", "match", 1)]

    def test_runs_latest_first_with_their_books(self, store: Store) -> None:
        with store.transaction() as tx:
            first, second = tx.runs.begin(1.5), tx.runs.begin(2.5, worker="w1")
            tx.runs.end(first, 3.5, "ok", {"strive": {"read": 4}})
            times, books = {"started_at": 1.5, "ended_at": 3.5}, {"strive": {"read": 4}}
            ended = {"id": first, **times, "outcome": "ok", "books": books, "worker": None}
            begun: dict[str, Any] = {"id": second, "started_at": 2.5, "ended_at": None, "outcome": None, "books": {}}
            begun["worker"] = "w1"
            assert tx.runs.latest() == [begun, ended]
            assert tx.runs.latest(1) == [begun]

    def test_a_run_about_a_connection_that_another_has_now_was_killed(self, store: Store) -> None:
        with store.transaction() as tx:
            left = tx.runs.begin(1.0, worker="w1", about=["a", "b"])
            elsewhere = tx.runs.begin(1.0, worker="w1", about=["c"])
            ended = tx.runs.begin(1.0, worker="w1", about=["a"])
            tx.runs.end(ended, 2.0, "done", {"a": {}})
            mine = tx.runs.begin(3.0, worker="w2", about=["b"])
            assert tx.runs.killed(["b"], 3.0, but=mine) == 1
            assert tx.runs.killed(["b"], 4.0, but=mine) == 0
            found = {run["id"]: (run["outcome"], run["ended_at"]) for run in tx.runs.latest()}
            untouched = {elsewhere: (None, None), ended: ("done", 2.0), mine: (None, None)}
            assert found == {left: ("killed", 3.0), **untouched}
            tx.runs.end(left, 9.0, "later", {"a": {}, "b": {}})  # it was stopped, not killed, and knows better
            assert tx.runs.latest()[-1]["outcome"] == "later"
