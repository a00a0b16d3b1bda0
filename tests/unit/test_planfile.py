"""The file of a plan: what is written can be read, and nothing else can."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from daemon import planfile
from daemon.errors import BadConfig, BadPlan
from daemon.planfile import PlanFile
from daemon.sync.planned import Planned

NO = Planned(connection="telerivet", kind="opt_out", record="CT2", channel="sms", contact=2, name="Bo Sample")
EDIT = Planned(
    connection="telerivet",
    kind="update",
    record="CT1",
    fields={"city": ("Rome", "Paris"), "notes": ("old", None), "other_emails": (None, ["x@example.org"])},
    add_tags=("volunteer",),
    remove_tags=("new",),
    against="abc",
    contact=1,
    name="Ada Sample",
    fuse=True,
)
NEW = Planned(
    connection="strive", kind="create", fields={"phone": (None, "+12025550103")}, subscribed=("sms",), contact=3
)
PLAN = PlanFile(
    rosterd="0.1.0",
    made=planfile.made(1_700_000_000.9),
    full=True,
    only=["telerivet"],
    connections={"telerivet": "f1", "strive": "f2"},
    pushes=[EDIT, NO, NEW],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    planfile.write(tmp_path / "plan.json", PLAN)
    return tmp_path / "plan.json"


def test_what_is_written_is_read(path: Path) -> None:
    """Every part of every kind of push, also those that do not count when two are compared."""
    found = planfile.read(path)
    assert found == replace(PLAN, pushes=[NEW, NO, EDIT])
    for one, other in zip(found.pushes, [NEW, NO, EDIT], strict=True):
        assert one.as_dict() == other.as_dict()
    assert found.made == "2023-11-14T22:13:20Z"


def test_the_order_is_always_the_same(path: Path, tmp_path: Path) -> None:
    """By connection; an opt-out first; whatever order they were found in."""
    planfile.write(tmp_path / "other.json", replace(PLAN, pushes=[NEW, EDIT, NO]))
    assert (tmp_path / "other.json").read_text() == path.read_text()
    kinds = [push["kind"] for push in json.loads(path.read_text())["pushes"]]
    assert kinds == ["create", "opt_out", "update"]


def test_it_is_private_and_written_at_once(path: Path) -> None:
    """0600, also over a file that others could read; nothing is left beside it."""
    path.chmod(0o644)
    planfile.write(path, PLAN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["plan.json"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(path: Path) -> None:
    """The folder is gone: words, not a traceback."""
    with pytest.raises(BadPlan, match="cannot be written"):
        planfile.write(path.parent / "nowhere" / "plan.json", PLAN)


def test_how_it_is_laid_out_does_not_matter(path: Path) -> None:
    """The sum is of what it says, not of spaces and the order of keys."""
    document = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(document.items())), indent=8))
    assert len(planfile.read(path).pushes) == 3


@pytest.mark.parametrize("key", ["rosterd", "made", "full", "only", "connections", "pushes", "format", "sha256"])
def test_every_part_is_summed(path: Path, key: str) -> None:
    """Whatever is taken out, the file is refused."""
    document = json.loads(path.read_text())
    del document[key]
    path.write_text(json.dumps(document))
    with pytest.raises(BadPlan):
        planfile.read(path)


def test_a_file_of_another_program_names_its_version(path: Path) -> None:
    """Before the sum is looked at: another format may sum otherwise."""
    document = json.loads(path.read_text()) | {"format": 2, "rosterd": "9.9"}
    path.write_text(json.dumps(document))
    with pytest.raises(BadPlan, match=r"format 2, made by rosterd 9\.9"):
        planfile.read(path)


def test_every_difference_of_the_configuration_is_told() -> None:
    """A connection that changed, one that is gone and one that is new, each by name; none when all are the same."""
    planfile.same_configuration(PLAN, {"strive": "f2", "telerivet": "f1"})
    with pytest.raises(BadConfig) as caught:
        planfile.same_configuration(PLAN, {"telerivet": "other", "colony": "f3"})
    assert [problem.split(" ")[1].rstrip(",") for problem in caught.value.problems] == ["colony", "strive", "telerivet"]


def test_two_pushes_are_the_same_if_they_do_the_same() -> None:
    """Our own numbers and words for people do not matter; whom, what, and against what do."""
    assert replace(EDIT, contact=7, name=None, fuse=False).says == EDIT.says
    different = [
        replace(EDIT, connection="strive"),
        replace(EDIT, record="CT9"),
        replace(EDIT, fields={"city": ("Rome", "Oslo")}),
        replace(EDIT, fields={**EDIT.fields, "city": ("Bonn", "Paris")}),
        replace(EDIT, add_tags=()),
        replace(EDIT, remove_tags=()),
        replace(EDIT, against="abd"),
        replace(NO, channel="email"),
        replace(NEW, subscribed=()),
    ]
    assert len({push.says for push in [EDIT, NO, NEW, *different]}) == len(different) + 3
