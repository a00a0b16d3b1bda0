"""What is old goes, a little at a time; what explains something stays, however old it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from daemon.sync import outreach
from state import keep
from state.keep import KEPT, PRUNABLE, Ages, Pruned, boundary, prune, would_prune
from state.model import Hold, Noted
from state.store import Store, Tx
from state.tables import alerts, hours, journal

DAY = 86400.0
NOW = 1_700_000_000.0
OLD, YOUNG = NOW - 500 * DAY, NOW - 10 * DAY
AGES = Ages(journal=400 * DAY, runs=90 * DAY, hours=400 * DAY, holds=400 * DAY)
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, url: str) -> Iterator[Store]:
    opened = Store(url if request.param == "sqlite" else request.getfixturevalue("pg_url"))
    yield opened
    opened.close()


@pytest.fixture
def here(url: str) -> Iterator[Store]:
    """On SQLite alone: what the engine has no part in, or how SQLite is asked."""
    opened = Store(url)
    yield opened
    opened.close()


def note(tx: Tx, name: str, at: float, contact: int | None = 1, detail: Any = None, record: str | None = None) -> None:
    tx.journal.add([Noted(name, detail or {}, contact, "strive", record, at)])


def all_gone(store: Store, *, rows: int = 1000) -> Pruned:
    done = Pruned()
    while True:
        with store.transaction() as tx:
            gone = prune(tx, now=NOW, ages=AGES, rows=rows)
        done.add_all(gone)
        if not gone.more:
            return done


def left(store: Store) -> list[tuple[str, float]]:
    with store.look() as tx:
        return [tuple(row) for row in tx.db.execute(select(journal.c.event, journal.c.at).order_by(journal.c.id))]


# which events


def noted_in_the_code() -> set[str]:
    """The names in every `note("...")` and `Noted("...")`, and those that outreaches hand on in a variable."""
    found: set[str] = set()
    for path in [*(ROOT / "daemon" / "sync").rglob("*.py"), *(ROOT / "daemon" / "commands").rglob("*.py")]:
        for call in (each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in ("note", "Noted", "_settle", "noted", "_noted", "_all_noted"):
                found |= {word.value for word in call.args if _is_word(word)}  # type: ignore[attr-defined]
    return found


def _is_word(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_every_event_that_the_code_notes_is_classified() -> None:
    """A new event must be thought about: may it go some day, or does it explain something for good?"""
    states = {"owed", "sending", "sent", "held", "dead", "dropped"} - set(KEPT)  # of outreaches, beside their events
    noted = noted_in_the_code() - states
    assert {"took", "consent", "told_no", "outreach_sent", "retried", "merged"} <= noted
    assert noted == {*PRUNABLE, *KEPT}
    assert not PRUNABLE.keys() & KEPT.keys()
    assert outreach.CHOICES  # the module whose events come in variables is the one looked at


@pytest.mark.parametrize("name", sorted(KEPT))
def test_what_explains_something_stays(here: Store, name: str) -> None:
    with here.transaction() as tx:
        note(tx, name, OLD)
    assert all_gone(here).total == 0
    assert left(here) == [(name, OLD)]


def test_old_changes_of_fields_go_and_young_ones_stay(store: Store) -> None:
    with store.transaction() as tx:
        for name in sorted(PRUNABLE):
            note(tx, name, OLD)
        note(tx, "an event of a later version", OLD)
        note(tx, "took", YOUNG)
    assert all_gone(store).rows == {"journal": len(PRUNABLE)}
    assert left(store) == [("an event of a later version", OLD), ("took", YOUNG)]


def test_a_change_that_speaks_of_consent_is_evidence(store: Store) -> None:
    with store.transaction() as tx:
        note(tx, "told", OLD, detail={"city": "Rome", "consent.sms": "unsubscribed"})
        note(tx, "told", OLD, detail={"city": "consent"})
    assert all_gone(store).rows == {"journal": 1}


def test_nothing_is_removed_about_whom_a_person_has_yet_to_decide(store: Store) -> None:
    """By the contact, by those it may be, and by its record; once decided, a prune by hand finds it."""
    with store.transaction() as tx:
        for contact in (1, 2, 3, 4):
            note(tx, "took", OLD, contact)
        note(tx, "failed", OLD, None, record="7")
        note(tx, "failed", OLD, None, record="8")
        tx.holds.open(Hold("flip:1:city", "flip", {}, "strive", None, 1))
        tx.holds.open(Hold("record:strive:7", "match", {"contacts": [2, 3]}, "strive", "7"))
    assert all_gone(store).rows == {"journal": 2}
    with store.transaction() as tx:
        tx.holds.close("flip:1:city", {}, at=YOUNG)
        keep.go_through_again(tx)
    assert all_gone(store).rows == {"journal": 1}
    assert len(left(store)) == 3


def test_the_records_of_a_jump_of_consent_are_spared(store: Store) -> None:
    with store.transaction() as tx:
        note(tx, "told", OLD, 5, record="9")
        tx.holds.open(Hold("jump", "consent_jump", {"records": {"9": "subscribed"}}, "strive"))
    assert all_gone(store).total == 0


# the other tables


def test_runs_hours_holds_and_alerts(store: Store) -> None:
    """A run that has not ended stays, so do an open hold and an alert whose end nobody was told of."""
    said = {"kind": "failed", "text": "x", "hint": "x", "since": OLD, "tries": 0, "due_at": OLD, "told_at": OLD}
    with store.transaction() as tx:
        tx.runs.end(tx.runs.begin(OLD), OLD, "done", {})
        tx.runs.begin(OLD)
        tx.runs.end(tx.runs.begin(YOUNG), YOUNG, "done", {})
        count = dict.fromkeys(
            ("read", "changed", "sent", "calls", "throttled", "told", "told_after", "told_slowest"), 0
        )
        for at in (OLD, YOUNG):
            tx.db.execute(insert(hours).values(connection="strive", hour=int(at // 3600), **count))
        for key, at in (("a", OLD), ("b", YOUNG)):
            tx.holds.open(Hold(key, "match", {}, opened_at=OLD))
            tx.holds.close(key, {}, at=at)
        tx.holds.open(Hold("c", "match", {}, opened_at=OLD))
        for key, healed, told in (("a", OLD, OLD), ("b", OLD, None), ("c", None, None)):
            tx.db.execute(insert(alerts).values(key=key, healed_at=healed, healed_told_at=told, **said))
    with store.look() as tx:
        assert would_prune(tx, now=NOW, ages=AGES).rows == {"runs": 1, "hours": 1, "holds": 1, "alerts": 1}
    assert all_gone(store).rows == {"runs": 1, "hours": 1, "holds": 1, "alerts": 1}
    assert all_gone(store).total == 0
    with store.look() as tx:
        assert [run["ended_at"] for run in tx.runs.latest()] == [YOUNG, None]
        assert [hold.key for hold in tx.holds.listed()] == ["c"]


def test_a_change_may_outlive_its_run(store: Store) -> None:
    """A journal kept for longer than the runs: its rows name a run that is gone, and are told all the same."""
    with store.transaction() as tx:
        run = tx.runs.begin(OLD)
        tx.runs.end(run, OLD, "done", {})
        tx.journal.add([Noted("consent", {}, 1, "strive", "7", OLD, run)])
    all_gone(store)
    with store.look() as tx:
        assert tx.runs.latest() == []
        assert [noted.run for noted in tx.journal.of_contacts([1])] == [run]
        assert len(tx.journal.of_run(run)) == 1


# a little at a time


def test_a_call_removes_so_many_and_says_that_more_is_left(store: Store) -> None:
    with store.transaction() as tx:
        for _ in range(25):
            note(tx, "took", OLD)
            note(tx, "consent", OLD)
            tx.runs.end(tx.runs.begin(OLD), OLD, "done", {})
    taken = []
    more = True
    while more:
        with store.transaction() as tx:
            gone = prune(tx, now=NOW, ages=AGES, rows=10)
        taken.append(gone.rows)
        more = gone.more
    assert taken == [{"journal": 10, "runs": 10}, {"journal": 10, "runs": 10}, {"journal": 5, "runs": 5}]


def test_what_stays_is_not_gone_through_again(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor all at once: a call looks at so many rows, also where it may remove none of them."""
    monkeypatch.setattr(keep, "SPAN", 2)
    with here.transaction() as tx:
        for _ in range(45):
            note(tx, "consent", OLD)
        note(tx, "took", OLD)
    calls = 0
    more = True
    while more:
        with here.transaction() as tx:
            more = prune(tx, now=NOW, ages=AGES, rows=10).more
        calls += 1
    assert calls == 3
    assert len(left(here)) == 45
    asked: list[str] = []
    with here.transaction() as tx:
        event.listen(tx.db.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        prune(tx, now=NOW, ages=AGES, rows=10)
    assert len([text for text in asked if "journal" in text]) == 1


def test_a_dry_run_counts_what_goes(store: Store) -> None:
    with store.transaction() as tx:
        for number in range(700):
            note(tx, "took" if number % 2 else "consent", OLD)
        note(tx, "took", YOUNG)
    with store.look() as tx:
        assert would_prune(tx, now=NOW, ages=AGES).rows == {"journal": 350}
    assert all_gone(store, rows=100).rows == {"journal": 350}


# where it ends


@pytest.mark.parametrize("old", [0, 1, 2, 37, 99, 100])
def test_the_boundary_is_found_by_halving(here: Store, old: int) -> None:
    """Also among ids with gaps."""
    with here.transaction() as tx:
        rows = [Noted("took", {}, 1, at=OLD if number < old else YOUNG) for number in range(100)]
        tx.journal.add(rows)
        tx.db.execute(journal.delete().where(journal.c.id % 7 == 3))
        asked: list[str] = []
        event.listen(tx.db.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        end = boundary(tx.db, NOW - AGES.journal)
        ids = select(journal.c.id).where(journal.c.at == OLD).order_by(journal.c.id.desc()).limit(1)
        assert end == (tx.db.execute(ids).scalar() or 0)
        assert len(asked) < 12


def test_a_clock_that_was_ahead_for_a_while_costs_no_row(here: Store) -> None:
    with here.transaction() as tx:
        for at in (OLD, OLD, NOW, OLD, YOUNG, YOUNG, YOUNG):
            note(tx, "took", at)
    all_gone(here)
    assert [at for _, at in left(here) if at > OLD] == [NOW, YOUNG, YOUNG, YOUNG]


def test_nothing_large_is_walked_through(here: Store) -> None:
    """The journal by its key, the runs by when they ended, the holds by their state."""
    with here.transaction() as tx:
        for _ in range(3):
            note(tx, "took", OLD)
            tx.runs.end(tx.runs.begin(OLD), OLD, "done", {})
    asked: list[tuple[str, Any]] = []
    with here.transaction() as tx:
        event.listen(tx.db.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
        prune(tx, now=NOW, ages=AGES, rows=2)
        ours = list(asked)
        plans = {
            row[3] for said, values in ours for row in tx.db.exec_driver_sql(f"explain query plan {said}", values).all()
        }
    walked = {plan for plan in plans if plan.startswith("SCAN")}
    assert walked <= {
        "SCAN hours USING COVERING INDEX sqlite_autoindex_hours_1",
        "SCAN alerts",
        "SCAN 2 CONSTANT ROWS",
    }, walked
    assert any("journal USING INTEGER PRIMARY KEY" in plan for plan in plans)
    assert any("ix_runs_ended_at" in plan for plan in plans)


def test_rows_are_removed_in_one_transaction(store: Store) -> None:
    with store.transaction() as tx:
        note(tx, "took", OLD)

    def prune_and_die() -> None:
        with store.transaction() as tx:
            assert prune(tx, now=NOW, ages=AGES, rows=10).total == 1
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        prune_and_die()
    assert left(store) == [("took", OLD)]
    assert all_gone(store).rows == {"journal": 1}
