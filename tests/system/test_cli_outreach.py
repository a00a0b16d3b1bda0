"""Outreaches on the command line: a dry run, the outbox, the story, a hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sandbox import Sandbox
from tests.system.cli_world import Shell, sandbox_and_shell

PHONE = "+12025550101"
RULE = """
outreach:
  - name: wrote_letter
    when: {tag: Wrote letter}
    campaign: CAMPAIGN
    target: {title: Senator}
    subject: "From {given_name}"
"""
World = tuple[Sandbox, Shell, str]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ada is on Strive and on Action Network, and has just written a letter; nobody has been told yet."""
    with sandbox_and_shell(tmp_path, empty=True, platforms=("strive", "action_network")) as (sandbox, shell):
        campaign = sandbox.action_network.campaign()
        with (tmp_path / "mappings" / "action_network.yaml").open("a") as file:
            file.write(RULE.replace("CAMPAIGN", campaign))
        ada = sandbox.strive.add_member(first_name="Ada", phone_number=PHONE, email="ada@example.org", opt_in=True)
        shell("sync")
        shell("sync")
        sandbox.strive.add_to_group(ada, "Wrote letter")
        yield sandbox, shell, campaign


def test_a_dry_run_shows_what_would_be_recorded(world: World) -> None:
    sandbox, shell, campaign = world
    told = shell("sync", "--dry-run").stdout
    assert "1 outreach would be recorded" in told
    assert "wrote_letter: c1 Ada (tag Wrote letter," in told
    assert "title Senator; subject From Ada" in told
    (act,) = shell.json("sync", "--dry-run")["acts"]
    assert (act["campaign"], act["words"]) == (campaign, {"subject": "From Ada"})
    assert sandbox.action_network.outreaches(campaign) == []


def test_the_books_and_the_story_tell_of_it(world: World) -> None:
    sandbox, shell, campaign = world
    done = shell.json("sync")
    assert done["connections"]["action_network"]["outreaches"] == 1
    assert shell("status", "--runs", "1").stdout.split()[-1] == str(done["sent"]), "the last column of the last run"
    assert len(sandbox.action_network.outreaches(campaign)) == 1
    told = shell("contacts", "show", "c1").stdout
    assert "is to be recorded" in told
    assert "was recorded" in told
    assert shell.json("contacts", "show", "c1")["outreaches"][0]["state"] == "sent"
    assert shell.json("outbox", "list") == []


def test_check_finds_a_campaign_that_is_not_there(world: World) -> None:
    """Else somebody finds out by the outreaches that were refused."""
    _, shell, campaign = world
    assert "shows no campaign" not in shell("check").stdout
    mapping = shell.folder / "mappings" / "action_network.yaml"
    gone = "00000000-0000-0000-0000-000000000000"
    mapping.write_text(mapping.read_text().replace(campaign, gone))
    told = shell("check").stdout
    assert f"warn  action_network: outreach wrote_letter: the account shows no campaign {gone}" in told
    assert "shows no campaign" not in shell("check", "--offline").stdout


def test_what_was_refused_is_listed_retried_and_dropped(world: World) -> None:
    sandbox, shell, campaign = world
    mapping = shell.folder / "mappings" / "action_network.yaml"
    right = mapping.read_text()
    mapping.write_text(right.replace(campaign, "00000000-0000-0000-0000-000000000000"))
    shell("sync", code=3)
    (dead,) = shell.json("outbox", "list", "--state", "dead")
    assert (dead["id"], dead["kind"], dead["reason"][:3]) == ("o1", "outreach", "404")
    assert "wrote_letter (tag Wrote letter" in shell("outbox", "list").stdout
    assert any(row["kind"] == "outreach" for row in shell.json("status")["outbox"])
    assert "there is no push o9" in shell("outbox", "retry", "o9", code=1).stderr
    assert "is no push" in shell("outbox", "retry", "x1", code=2).stderr
    mapping.write_text(right)
    assert shell.json("outbox", "retry", "--all") == {"retried": ["o1"]}
    assert shell.json("outbox", "drop", "o1") == {"dropped": ["o1"]}
    assert "there is no push o1" in shell("outbox", "retry", "o1", code=1).stderr
    shell("sync")
    shell("sync", "--full")
    assert sandbox.action_network.outreaches(campaign) == []
    assert "a person dropped what was owed (outreach)" in shell("contacts", "show", "c1").stdout


def test_one_tried_again_is_recorded(world: World) -> None:
    sandbox, shell, campaign = world
    mapping = shell.folder / "mappings" / "action_network.yaml"
    right = mapping.read_text()
    mapping.write_text(right.replace(campaign, "00000000-0000-0000-0000-000000000000"))
    shell("sync", code=3)
    mapping.write_text(right)
    shell("outbox", "retry", "o1")
    shell("sync")
    assert len(sandbox.action_network.outreaches(campaign)) == 1


def test_a_hold_says_what_it_is_about(world: World) -> None:
    """The answer was lost, and the person's outreaches cannot be looked through: their list never ends."""
    sandbox, shell, campaign = world
    sandbox.faults.add("lost", platform="action_network", method="POST", path=r"/outreaches$")
    shell("sync", code=None)
    assert [row["state"] for row in shell.json("outbox", "list")] == ["sending"]
    from daemon.sync.outreach import NOT_SEEN, hold_key
    from state.model import Hold
    from state.store import Store

    store = Store(f"sqlite:///{shell.folder}/state.db")
    with store.transaction() as tx:
        (row,) = tx.outreaches.listed(["sending"])
        row.state = "held"
        tx.outreaches.put([row])
        detail = {"outreach": row.id, "rule": row.rule, "event": row.event, "at": row.at, "why": NOT_SEEN}
        tx.holds.open(Hold(hold_key(row), "outreach", {**detail, "contacts": [1]}, "action_network", None, 1))
    store.close()
    assert "waits for a person" in shell("outbox", "retry", "o1", code=1).stderr
    (hold,) = shell.json("holds", "list", "--kind", "outreach")
    shown = shell("holds", "show", hold["id"]).stdout
    assert "wrote_letter may be recorded at its campaign, or not" in shown
    assert "look for an outreach of that moment" in shown
    for choice in ("again", "arrived", "drop"):
        assert f"rosterd holds decide {hold['id']} {choice}" in shown
    assert "no choice" in shell("holds", "decide", hold["id"], "same", code=1).stderr
    assert "it counts as recorded" in shell("holds", "decide", hold["id"], "arrived").stdout
    shell("sync")
    assert len(sandbox.action_network.outreaches(campaign)) == 1
