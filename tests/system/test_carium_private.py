"""Carium's data is health data: it is only read, and of people nothing but names of fields gets into a log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sandbox import Sandbox
from tests.stories.sandbox_world import SandboxWorld
from tests.system.cli_world import Shell, add, sandbox_and_shell

PRIVATE = ("Adaline", "Lovelock", "ada.l@example.org", "2025550101", "202-555-0101", "Bozidar", "bo.z@example.org")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Sandbox, Shell]]:
    with sandbox_and_shell(tmp_path, platforms=("carium", "strive"), empty=True) as (sandbox, shell):
        ada = {"first_name": "Adaline", "last_name": "Lovelock", "phone": "+12025550101", "email": "ada.l@example.org"}
        sandbox.carium.add_user(**ada)
        sandbox.carium.add_user(first_name="Bozidar", email="bo.z@example.org", phone="not a number at all")
        yield sandbox, shell


def unmasked(shell: Shell, code: int | None = 0) -> str:
    return shell("--verbose", "--log-format", "json", "--unmask", "sync", "--full", code=code).stderr


def test_no_log_shows_anybody_even_unmasked(both: tuple[Sandbox, Shell]) -> None:
    """Of a healthy run, of one with a record that cannot be used, and of ones in which Carium refuses us."""
    sandbox, shell = both
    add(shell.folder / "config.toml", "[log]\nunmask = true\n")
    said = unmasked(shell, code=None)
    assert len(sandbox.strive) >= 1  # somebody did go through
    for fault in ("401", "403", "500", "html", "truncated", "lost"):
        sandbox.faults.add(fault, platform="carium", times=3 if fault == "lost" else 1)
        said += unmasked(shell, code=None)
    assert '"log.stays_masked"' in said
    assert [word for word in PRIVATE if word in said] == []


def test_without_health_data_unmasking_unmasks(tmp_path: Path) -> None:
    """The test above would notice: the same words show where they may."""
    with sandbox_and_shell(tmp_path, platforms=("strive",), empty=True) as (_, shell):
        assert "log.stays_masked" not in unmasked(shell)


def test_masking_is_really_on(both: tuple[Sandbox, Shell]) -> None:
    """A line with an email in it, written while the log is set up as for this configuration."""
    import io

    from daemon import logs
    from daemon import settings as config
    from daemon.commands.options import Globals
    from daemon.commands.session import set_up_log

    _, shell = both
    loaded = config.load(shell.folder / "config.toml")
    with pytest.MonkeyPatch.context() as patch:
        stream = io.StringIO()
        patch.setattr("sys.stderr", stream)
        set_up_log(Globals(None, False, "json", True), loaded)
        logs.logger().info("seen", email="ada.l@example.org", given_name="Adaline", text="ask ada.l@example.org")
    logs.configure(stream=io.StringIO())
    line = json.loads(stream.getvalue().splitlines()[-1])
    assert (line["email"], line["given_name"], line["text"]) == ("<personal>", "<personal>", "ask <email>")


def test_people_go_out_from_there_and_nothing_comes_back(tmp_path: Path) -> None:
    """With consent as it stands there; and an opt-out travels."""
    with SandboxWorld(tmp_path, platforms=("carium", "strive"), empty=True) as world:
        carium, strive = world.sandbox.carium, world.strive
        yes = carium.add_user(first_name="Ada", last_name="Lovelace", phone="+12025550101")
        carium.consent(yes)
        carium.add_user(first_name="Bo", last_name="Byron", phone="+12025550102")
        asked = carium.add_user(first_name="Kim", last_name="King", phone="+12025550103")
        carium.consent(asked, "pending")
        world.sync()
        made = {one["first_name"]: (one["opt_in"], one["id"]) for one in strive.members()}
        assert {name: opt_in for name, (opt_in, _) in made.items()} == {"Ada": True, "Bo": False, "Kim": False}

        strive.edit_member(made["Ada"][1], last_name="King-Noel", email="ada@example.org")
        strive.opt_out(made["Ada"][1])
        carium.unsubscribe(asked)
        carium.edit_user(yes, first_name="Augusta")
        world.sync()
        ada = strive.member(made["Ada"][1])
        assert (ada["first_name"], ada["last_name"], ada["opt_in"]) == ("Augusta", "King-Noel", False)
        assert carium.user(yes)["last-name"] == "Lovelace"
        report = world.sync()
        assert report.sent == 0
        others = {(call.method, call.path) for call in world.sandbox.calls("carium") if call.method != "GET"}
        assert others == {("POST", "/identity/v1/login/")}
        assert not any(world.sandbox.harm().values())


def test_a_stop_there_reaches_the_others(tmp_path: Path) -> None:
    with SandboxWorld(tmp_path, platforms=("carium", "strive"), empty=True) as world:
        user = world.sandbox.carium.add_user(first_name="Ada", last_name="Lovelace", phone="+12025550101")
        member = world.strive.add_member(
            first_name="Ada", last_name="Lovelace", phone_number="+12025550101", opt_in=True
        )
        world.sync()
        assert world.strive.member(member)["opt_in"] is True
        world.sandbox.carium.unsubscribe(user)
        world.sync()
        assert world.strive.member(member)["opt_in"] is False
        assert not any(world.sandbox.harm().values())


def test_somebody_who_is_deleted_there_is_unlinked_after_two_readings_only(tmp_path: Path) -> None:
    with SandboxWorld(tmp_path, platforms=("carium", "strive"), empty=True) as world:
        user = world.sandbox.carium.add_user(first_name="Ada", last_name="Lovelace", phone="+12025550101")
        world.sync()
        world.sandbox.carium.delete_user(user)
        vanished = [world.sync(full=True).books["carium"].vanished for _ in range(3)]
        assert vanished == [0, 1, 0]
        assert len(world.strive.members()) == 1
