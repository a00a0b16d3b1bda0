"""What a person decides on the command line: holds, the fuse, the outbox, merges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox import Sandbox
from daemon.sync.verdicts import CHOICES
from tests.system.cli_world import Shell, add, sandbox_and_shell

World = tuple[Sandbox, Shell]


@pytest.fixture
def ambiguous(tmp_path: Path) -> Iterator[World]:
    """One phone: Ada on Strive, Zoe on Telerivet. Synced: that is held."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        sandbox.strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Sample", city="Rome")
        sandbox.telerivet.add_contact("Zoe Example", "+12025550101")
        shell("sync", code=3)
        yield sandbox, shell


@pytest.fixture
def many(tmp_path: Path) -> Iterator[World]:
    """Four people on Strive, one of them on Telerivet; a fuse that lets no new people through."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        for number in range(1, 5):
            sandbox.strive.add_member(
                phone_number=f"+1202555010{number}", first_name=f"Ada{number}", last_name="Sample"
            )
        sandbox.telerivet.add_contact("Ada1 Sample", "+12025550101")
        add(shell.folder / "config.toml", "[fuse]\ncreate = {rows = 0, percent = 0}\n")
        yield sandbox, shell


def the_match(shell: Shell) -> dict[str, Any]:
    found: list[dict[str, Any]] = shell.json("holds", "list", "--kind", "match")
    assert len(found) == 1
    return found[0]


def test_a_held_record_is_explained(ambiguous: World) -> None:
    """Both people side by side, and commands to paste for each choice."""
    shell = ambiguous[1]
    hold = the_match(shell)
    told = shell("holds", "show", hold["id"]).stdout
    assert "the phone or email is known, but under another name" in told
    assert "Ada Sample" in told
    assert "Zoe Example" in told
    commands = [line.split("  ")[1] for line in told.splitlines() if line.startswith("  rosterd holds decide")]
    assert commands == [f"rosterd holds decide {hold['id']} same c1", f"rosterd holds decide {hold['id']} different"]
    listed = shell("holds", "list").stdout
    assert "Zoe Example" in listed or "Ada Sample" in listed  # whoever was read second is held
    assert "for a person; see: rosterd holds list" in shell("sync", code=None).stdout
    assert shell.json("sync", "--full", code=3)["holds"]["match"] == 1


@pytest.mark.parametrize("choice", [("same", "c1"), ("same",), ("different",)])
def test_every_choice_offered_can_be_made(ambiguous: World, choice: tuple[str, ...]) -> None:
    """What `holds show` offers is taken, closes the hold, and the next run sends what follows."""
    sandbox, shell = ambiguous
    hold = the_match(shell)
    assert "the record belongs to contact" in shell("holds", "decide", hold["id"], *choice).stdout
    assert shell.json("holds", "list", "--kind", "match") == []
    shell("sync", code=None)
    city = sandbox.telerivet.contacts()[0]["vars"].get("city")
    assert city == ("Rome" if choice[0] == "same" else None)
    again = shell("holds", "decide", hold["id"], *choice, code=1)
    assert f"hold {hold['id']} was decided on" in again.stderr


def test_choices_that_are_none(ambiguous: World) -> None:
    """Exit 1 and the choices there are; nothing is decided."""
    shell = ambiguous[1]
    hold = the_match(shell)
    done = shell("holds", "decide", hold["id"], "maybe", code=1)
    assert "'maybe' is no choice" in done.stderr
    assert "hint: choose: same [CONTACT] | different" in done.stderr
    assert "say which contact it is" in shell("holds", "decide", hold["id"], "same", "c99", code=1).stderr
    assert "--only goes with" in shell("holds", "decide", hold["id"], "same", "--only", 2, code=2).stderr
    assert the_match(shell)["state"] == "open"


def test_a_hold_that_does_not_exist(ambiguous: World) -> None:
    """Exit 1, and where to look."""
    for typed in (("show", 99), ("decide", 99, "same")):
        done = ambiguous[1]("holds", *typed, code=1)
        assert "error: there is no hold 99" in done.stderr
        assert "hint: rosterd holds list" in done.stderr


def test_a_number_no_database_counts_to_is_wrong_usage(ambiguous: World) -> None:
    for typed in (("show", 10**19), ("decide", 10**19, "same")):
        assert "is not in the range" in ambiguous[1]("holds", *typed, code=2).stderr


def test_every_kind_of_hold_can_be_explained() -> None:
    """Each kind there is has a headline and choices of its own that are allowed for it."""
    from daemon import explain
    from state.model import Hold

    details: dict[str, dict[str, Any]] = {
        "match": {"why": "several", "contacts": [1, 2], "view": {"given_name": "Ada"}, "at": None},
        "flip": {"field": "city", "says": {"a": "Rome", "b": "Oslo"}},
        "fuse": {"kind": "update", "count": 700, "holds": 1000},
        "consent_jump": {"field": "consent.sms", "records": {"1": "subscribed"}, "why": "x"},
        "consent_missing": {"channel": "sms", "why": "x"},
        "not_stored": {"field": "city", "sent": "Rome", "says": None},
        "unwritable": {"field": "city", "why": "too long"},
        "shared_identifier": {"why": "another person has it", "contacts": [1, 2]},
        "outreach": {"outreach": 3, "rule": "wrote_letter", "event": "tag A", "at": 5, "why": "x", "contacts": [7]},
    }
    assert set(details) == set(CHOICES)
    nobody = explain.Concerned({}, {}, {})
    for kind, detail in details.items():
        hold = Hold("k", kind, detail, "a", "1", 7, id=5)
        assert explain.headline(hold)
        assert kind not in explain.headline(hold)
        offered = [choice.typed.split()[3] for choice in explain.choices(hold, nobody)]
        assert offered
        assert set(offered) <= set(CHOICES[kind].replace("|", " ").split())


def test_the_fuse(many: World) -> None:
    """Three new people are held, shown, let go one, then all; what is dropped stays dropped."""
    sandbox, shell = many
    told = shell("sync", code=3).stdout
    assert "the fuse holds 3 pushes of kind create to telerivet" in told
    (hold,) = shell.json("holds", "list")
    assert "creates at once" in shell("holds", "show", hold["id"]).stdout
    held = shell.json("outbox", "list", "--state", "held")
    assert [push["kind"] for push in held] == ["create"] * 3
    assert "waits for the fuse" in shell("outbox", "retry", held[0]["id"], code=1).stderr
    shell("holds", "decide", hold["id"], "approve", "--only", 1)
    shell("sync", code=None)
    assert len(sandbox.telerivet.contacts()) == 2
    shell("outbox", "drop", shell.json("outbox", "list", "--state", "held")[0]["id"])
    shell("holds", "decide", hold["id"], "approve")
    shell("sync")
    assert len(sandbox.telerivet.contacts()) == 3
    assert "nothing is owed" in shell("outbox", "list").stdout
    assert not any(sandbox.harm().values())


def test_a_dry_run_says_what_the_fuse_would_hold(many: World) -> None:
    """And does not count it among what would be sent."""
    told = many[1]("sync", "--dry-run", code=3).stdout
    assert "the fuse holds 3 pushes of kind create to telerivet" in told
    assert "would wait for a person: 1 fuse" in told
    assert "telerivet: create" not in told


def test_a_no_is_not_dropped_by_accident(tmp_path: Path) -> None:
    """An opt-out that could not be sent yet: drop refuses, says why, and obeys only --force, with a warning."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        ada = sandbox.strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Sample")
        sandbox.telerivet.add_contact("Ada Sample", "+12025550101")
        shell("sync")
        sandbox.strive.opt_out(ada)
        sandbox.faults.add("402", platform="telerivet", method="POST", times=None)
        shell("sync", code=1)
        (push,) = shell.json("outbox", "list", "--connection", "telerivet")
        assert push["kind"] == "consent"
        done = shell("outbox", "drop", push["id"], code=1)
        assert "is somebody's no" in done.stderr
        assert len(shell.json("outbox", "list")) == 1
        forced = shell("outbox", "drop", push["id"], "--force")
        assert "warning: dropped somebody's no" in forced.stderr
        assert shell.json("outbox", "list") == []
        assert "a person dropped what was owed (consent)" in shell("contacts", "show", "c1").stdout


def test_what_was_refused_is_tried_again(tmp_path: Path) -> None:
    """A push the platform refused is listed with its reason, and sent after `outbox retry`."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        ada = sandbox.strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Sample")
        contact = sandbox.telerivet.add_contact("Ada Sample", "+12025550101")
        full = {f"v{number}": "x" for number in range(99)}
        sandbox.telerivet.edit_contact(contact, vars=full)
        shell("sync")
        sandbox.strive.edit_member(ada, city="Rome", street_address="1 Main St")
        assert "outbox list --state dead" in shell("sync", code=3).stdout
        (push,) = shell.json("outbox", "list", "--state", "dead")
        assert push["reason"]
        sandbox.telerivet.edit_contact(contact, vars=dict.fromkeys(full))
        assert (
            "1 push goes with the next run: of the service, or rosterd sync" in shell("outbox", "retry", "--all").stdout
        )
        shell("sync")
        assert sandbox.telerivet.contact(contact)["vars"]["city"] == "Rome"
    assert "there is no push 99" in shell("outbox", "retry", 99, code=1).stderr
    assert "Say which" in shell("outbox", "retry", code=2).stderr


def test_merge_and_unmerge(tmp_path: Path) -> None:
    """Two contacts become one by a person's word, and two again."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        sandbox.strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Sample")
        sandbox.telerivet.add_contact("Ada Sample-Jones", "+12025550102", {"city": "Rome"})
        shell("sync", code=None)
        before = {each["id"] for each in shell.json("contacts", "find", "Ada")}
        assert len(before) == 2
        one, other = sorted(before, key=lambda number: int(number[1:]))
        assert f"undo it with: rosterd unmerge {other}" in shell("merge", one, other).stdout
        assert [each["id"] for each in shell.json("contacts", "find", "Ada")] == [one]
        assert f"is part of {one}" in shell("contacts", "show", other).stdout
        assert "stands for itself again" in shell("unmerge", other).stdout
        assert {each["id"] for each in shell.json("contacts", "find", "Ada")} == before
    assert "is not part of another" in shell("unmerge", other, code=1).stderr
    assert "these are the same contact" in shell("merge", one, one, code=1).stderr
