"""However things stand in the database: what is called due can be done, and what is to be done is called due."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.platforms.base import Push
from daemon.sync.roster import Side
from daemon.sync.windows import Windows
from state.model import Owed
from tests.stories.test_served import ALWAYS, Served, people
from tests.twin import FULL, TwinPlatform, without

DAY = 86400.0
TIMES = st.sampled_from([None, -400 * DAY, -8 * DAY, -3600.0, -301.0, 0.0, 10.0, 3600.0, 2 * DAY, 400 * DAY])
AT = ("polled_at", "asked_at", "paused_until", "reading_since", "swept_at")
STATES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(AT, TIMES),
        "failures": st.sampled_from([1, 3000]),
        "plan_after": st.sampled_from([0, 2, 99]),
        "sweep": st.sampled_from([0, 9]),
    },
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "lane": st.sampled_from([0, 1]),
            "who": st.sampled_from([1, 2, 3]),
            "state": st.sampled_from(["open", "held", "dead"]),
            "approved": st.sampled_from([0, 1]),
            "attempts": st.sampled_from([0, 3000]),
            "due_at": st.sampled_from([-10.0, 100.0, 2 * DAY]),
        }
    ),
    unique_by=lambda row: (row["lane"], row["who"]),
    max_size=3,
)
SIDES = st.fixed_dictionaries(
    {
        "quiet": st.booleans(),
        "rests": st.booleans(),
        "direction": st.sampled_from(["both", "in", "out"]),
        "trouble": st.sampled_from(["", "later", "person", "refuses", "loses"]),
    }
)
COUNT = itertools.count()


def put(served: Served, name: str, state: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    values = {key: served.now + at if key in AT and at is not None else at for key, at in state.items()}
    if values.get("sweep") == 0:
        values |= {"swept": 0, "cursor": {}}
    with served.store.transaction() as tx:
        if values:
            tx.connections.put(name, **values)
        for row in rows:
            kind, owed = ("update", {"city": None}) if row["lane"] else ("consent", {"sms": None})
            key = (name, row["lane"], row["who"], str(row["who"]), kind, owed)
            more = {each: row[each] for each in ("state", "approved", "attempts")}
            tx.outbox.add([Owed(*key, **more, due_at=served.now + row["due_at"], created_at=served.now)])


def set_up(served: Served, name: str, how: dict[str, Any], shared: bool) -> None:
    def change(side: Side) -> Side:
        windows = Windows(ALWAYS if how["quiet"] else (), ALWAYS if how["rests"] else ())
        return replace(side, windows=windows, direction=how["direction"], budget="one" if shared else "")

    served.sides[name] = change
    twin, trouble = served.twins[name], how["trouble"]
    if trouble in ("later", "person"):
        twin.fail(trouble, on="any", times=10_000)
    if trouble == "refuses":
        twin.refuse = lambda _: "no"
    if trouble == "loses":
        twin.before_push = edits(twin)


def edits(twin: TwinPlatform) -> Callable[[Push], None]:
    def edit(push: Push) -> None:
        if (id_ := getattr(push, "external_id", None)) in twin.rows:
            twin.edit(id_, notes=str(twin.calls.total()))

    return edit


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(STATES, STATES), st.tuples(ROWS, ROWS), st.tuples(SIDES, SIDES), *[st.booleans()] * 3)
def test_turns_come_to_rest_and_leave_nothing(
    tmp_path: Path, states: Any, rows: Any, sides: Any, swaps: bool, scans: bool, shared: bool
) -> None:
    folder = tmp_path / str(next(COUNT))
    folder.mkdir()
    served = Served(folder, "a", "b")
    try:
        served.b.capabilities, served.b.feed_is_sweep = without(FULL, compare_and_swap=swaps), scans
        people(served.a, 3)
        served.turns()
        for name, state, owed, how in zip("ab", states, rows, sides, strict=True):
            put(served, name, state, owed)
            set_up(served, name, how, shared)
        served.turns()  # it comes to rest, whatever cannot be done just now
        served.sides.clear()
        for twin in served.twins.values():
            twin.heal()
            twin.refuse = lambda _: None
        for _ in range(3):
            served.now += 2 * DAY
            served.turns()
        assert [row for row in served.outbox() if row.state == "open"] == []
    finally:
        served.keeper.close()
        served.store.close()
