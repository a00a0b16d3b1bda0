"""`rosterd demo`: the story comes true, touches nothing of the user's, and notices when it does not come true."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.commands import demo, tale
from daemon.sandbox import Sandbox
from daemon.sync import cycle
from daemon.sync.roster import Roster
from tests.system.cli_world import Shell

Story = dict[str, Any]


def test_the_story_comes_true(tmp_path: Path) -> None:
    """The real process, in an empty folder: exit 0, every chapter told, done in seconds, nothing left behind."""
    begun = time.monotonic()
    done = Shell(tmp_path, process=True)("demo")
    for chapter in (
        "Five platforms, many of the same people",
        "of them on all five",
        "What was sent",
        "What is held, because guessing would be worse",
        "Then three things happen",
        "Strive, Telerivet, Action Network told, before anything else was written",
        "lives in Savannah Beach on Telerivet, Savannah Beach on Action Network",
        "1 outreach recorded on Action Network",
        "nothing was sent",
        "Every word of it came true.",
    ):
        assert chapter in done.stdout, chapter
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())
    assert time.monotonic() - begun < 30


def test_a_database_of_the_users_is_not_touched(tmp_path: Path) -> None:
    """Whatever the environment says about rosterd, the demo keeps to its own folder."""
    mine = tmp_path / "mine.db"
    env = {"ROSTERD_STATE__URL": f"sqlite:///{mine}", "ROSTERD_CONFIG": "/nowhere.toml"}
    Shell(tmp_path)("demo", "--people", 24, env=env)
    assert not mine.exists()


@pytest.mark.parametrize("seed", [2, 3])
def test_other_people(tmp_path: Path, seed: int) -> None:
    """Other names, other numbers: the story comes true all the same, and as JSON."""
    story = Shell(tmp_path).json("demo", "--seed", seed, "--people", 48)
    assert story["came_true"]
    assert story["third"]["sent"] == 0
    assert story["recognised"]["count"] > 10
    assert set(story["harm"].values()) == {0}


@pytest.fixture(scope="module")
def true_story() -> Story:
    clock = demo.Time()
    with Sandbox(24, 1, clock=clock) as sandbox, demo._roster(sandbox, clock) as roster:
        return demo.tell(sandbox, roster, clock, aloud=False)


def spoil(*path: str, to: object) -> Callable[[Story], None]:
    def do(story: Story) -> None:
        for step in path[:-1]:
            story = story[step]
        story[path[-1]] = to

    return do


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        (spoil("arrived", "no", "Strive", to=False), "the opt-out did not arrive at Strive"),
        (spoil("arrived", "outreaches", to=2), "2 outreaches recorded, not one"),
        (spoil("arrived", "opt_out_first", to=False), "the opt-out was not the first to be written"),
        (spoil("arrived", "city", "Telerivet", to="Rome"), "the edit did not arrive at Telerivet"),
        (spoil("third", "sent", to=1), "the third run sent 1 push"),
        (spoil("harm", "duplicates", to=2), "duplicates: 2"),
        (spoil("second", "balanced", to=False), "the books of the second run do not balance"),
        (spoil("first", "outcome", to="failed"), "the first run: failed"),
        (spoil("first", "waiting", to=["strive"]), "the first run did not read everything"),
        (spoil("recognised", "everywhere", to=0), "nobody was recognised on all sides"),
    ],
)
def test_what_does_not_come_true_is_noticed(true_story: Story, spoiled: Callable[[Story], None], told: str) -> None:
    """Each promise of the story is looked at by itself."""
    story = copy.deepcopy(true_story)
    assert tale.broken(story) == []
    spoiled(story)
    assert tale.broken(story) == [told]


def test_a_story_that_does_not_come_true_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that loses the edit: the demo says so and exits with 1."""
    runs: list[int] = []
    real = cycle.run

    def forgetful(roster: Roster) -> object:
        runs.append(1)
        return real(roster, cycle.Options(send=len(runs) == 1))

    monkeypatch.setattr(cycle, "run", forgetful)
    done = Shell(tmp_path)("demo", "--people", 24, code=1)
    assert "This should not have happened: the opt-out did not arrive at Strive" in done.stderr
    assert "Every word of it came true" not in done.stdout
