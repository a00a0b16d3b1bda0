"""Outreaches end to end: from an edit on Strive to an advocacy campaign of Action Network, over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from daemon import assemble
from daemon.settings import load_all
from daemon.sync import cycle
from state.model import Outreach
from tests.stories.sandbox_world import SandboxWorld

GROUP = "Wrote letter"
MESSAGE = "I live in {city|your district}."
ANN = "+12025550101"
RULE = f"""
outreach:
  - name: wrote_letter
    when: {{tag: {GROUP}}}
    campaign: CAMPAIGN
    target: {{title: Senator, family_name: Schmoe}}
    subject: "A letter from {{given_name|a friend}}"
    message: "{MESSAGE}"
    referrer: {{source: rosterd}}
    add_tags: [advocate]
"""


class OutreachWorld(SandboxWorld):
    """Strive, where Ann is, and Action Network with one campaign and a rule about it."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.campaign = self.an.campaign()
        with (self.folder / "mappings" / "action_network.yaml").open("a") as file:
            file.write(RULE.replace("CAMPAIGN", self.campaign))
        self.reopen()
        self.strive.add_member(
            first_name="Ann", last_name="Lee", phone_number=ANN, email="ann@example.org", opt_in=True, city="Athens"
        )
        return self

    def reopen(self) -> None:
        """A new process on the database as it is now."""
        self.store.close()
        settings, mappings = load_all(self.folder / "config.toml")
        self.store = assemble.open_store(settings.state.url)
        self.roster = assemble.roster(
            settings, self.store, loaded=mappings, clock=lambda: self.now, sleep=lambda _: None
        )

    @property
    def an(self) -> Any:
        return self.sandbox.action_network

    def ann(self) -> Any:
        (found,) = [one for one in self.an.people() if one.get("given_name") == "Ann"]
        return found

    def letters(self) -> list[Any]:
        return list(self.an.outreaches(self.campaign))

    def wrote(self, phone: str = ANN) -> None:
        self.now += 30
        self.strive.add_to_group(self.member(phone)["id"], GROUP)

    def acts(self) -> list[Outreach]:
        with self.store.look() as tx:
            return tx.outreaches.listed(["owed", "sending", "sent", "held", "dead", "dropped"])

    def sent_once(self) -> None:
        """And nobody was subscribed, moved or doubled by it."""
        assert len(self.letters()) == 1
        assert [each.state for each in self.acts()] == ["sent"]
        self.harmless()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OutreachWorld]:
    with OutreachWorld(tmp_path, platforms=("strive", "action_network"), empty=True) as made:
        made.settle()
        yield made


def test_a_letter_written_is_recorded_once(world: OutreachWorld) -> None:
    before = {key: world.ann()[key] for key in ("email_addresses", "phone_numbers", "given_name", "family_name")}
    world.wrote()
    assert world.sync().books["action_network"].outreaches == 1
    (letter,) = world.letters()
    assert letter["person"] == world.ann()["id"]
    assert letter["targets"] == [{"title": "Senator", "family_name": "Schmoe"}]
    assert (letter["subject"], letter["message"]) == ("A letter from Ann", "I live in Athens.")
    assert letter["action_network:referrer_data"] == {"source": "rosterd"}
    assert "advocate" in world.ann()["tags"]
    world.settle()
    world.sync(full=True)
    assert world.settle().sent == 0
    assert {key: world.ann()[key] for key in before} == before
    world.sent_once()


def test_the_helper_is_told_who_by_the_email_of_the_record_and_nothing_more(world: OutreachWorld) -> None:
    """A status, a phone or a name in it could subscribe, move or overwrite."""
    world.wrote()
    world.sync()
    (body,) = [
        call.wrote
        for call in world.sandbox.calls("action_network", "POST")
        if call.path.endswith(f"/{world.campaign}/outreaches")
    ]
    assert body["person"] == {"email_addresses": [{"address": "ann@example.org"}]}
    assert "status" not in str(body)
    (row,) = world.acts()
    assert body["created_date"] == world.letters()[0]["created_date"]
    assert row.external_id == world.letters()[0]["id"]


def test_somebody_known_by_phone_alone_is_named_by_it(world: OutreachWorld) -> None:
    world.strive.add_member(first_name="Bob", last_name="Ray", phone_number="+12025550102", opt_in=True)
    world.settle()
    world.wrote("+12025550102")
    world.settle()
    (letter,) = world.letters()
    (bob,) = [one for one in world.an.people() if one["id"] == letter["person"]]
    assert bob["given_name"] == "Bob"
    assert bob["phone_numbers"][0]["status"] == "subscribed"
    world.sent_once()


def test_who_said_no_stays_unsubscribed(world: OutreachWorld) -> None:
    world.an.opt_out(world.ann()["id"], "email")
    world.settle()
    world.wrote()
    world.settle()
    assert world.ann()["email_addresses"][0]["status"] == "unsubscribed"
    world.sent_once()


def test_an_email_edited_there_at_the_last_moment_makes_nobody_new(world: OutreachWorld) -> None:
    """The old one would name nobody, and the helper would make and subscribe somebody."""
    world.wrote()
    world.an.edit_person(world.ann()["id"], email_address="ann.lee@example.org")
    world.settle()
    assert len(world.an.people()) == 1
    world.sent_once()


POST = {"platform": "action_network", "method": "POST", "path": r"/outreaches$"}


@pytest.mark.parametrize("kind", ["lost", "truncated", "500", "502", "empty", "reset", "html", "429", "401"])
def test_a_post_that_goes_wrong_is_recorded_once(world: OutreachWorld, kind: str) -> None:
    world.wrote()
    world.sandbox.faults.add(kind, **POST, retry_after=0)
    for _ in range(3):
        world.sync(after=3700)
    world.sent_once()


@pytest.mark.parametrize("kind", ["500", "lost", "html", "429"])
@pytest.mark.parametrize("path", [r"/people/[^/]+/outreaches", r"/people/[^/]+$"])
def test_a_look_up_that_goes_wrong_sends_nothing_twice(world: OutreachWorld, path: str, kind: str) -> None:
    world.wrote()
    world.sandbox.faults.add("lost", **POST)
    world.sync()
    world.sandbox.faults.add(kind, platform="action_network", method="GET", path=path, times=20, retry_after=0)
    world.sync(after=3700)
    world.sandbox.faults.clear()
    for _ in range(3):
        world.sync(after=3700)
    world.sent_once()


def test_an_outreach_is_found_beyond_the_first_page(world: OutreachWorld) -> None:
    """She wrote a lot at another time; only the one of that moment is hers."""
    world.wrote()
    world.sandbox.faults.add("lost", **POST)
    world.sync()
    for place in range(60):
        _by_hand(world, place)
    world.sync(after=3700)
    world.sync(after=3700)
    assert len(world.letters()) == 61
    assert world.sandbox.harm()["outreaches_doubled"] == 0


def _by_hand(world: OutreachWorld, place: int) -> None:
    """Another client of the group records something of Ann's."""
    import httpx

    about = world.sandbox.about()["action_network"]
    body = {
        "targets": [{"title": "Mayor"}],
        "created_date": f"2020-01-01T00:00:{place:02}Z",
        "person": {"email_addresses": [{"address": "ann@example.org"}]},
    }
    url = f"{about['base_url']}/api/v2/advocacy_campaigns/{world.campaign}/outreaches"
    answer = httpx.post(url, json=body, headers={"OSDI-API-Token": about["api_key"]})
    assert answer.status_code == 200


def test_a_restored_copy_of_the_database_records_nothing_again(world: OutreachWorld) -> None:
    copy, state = world.folder / "copy.db", world.folder / "state.db"
    world.store.close()
    shutil.copy(state, copy)
    world.reopen()
    world.wrote()
    world.settle()
    world.strive.edit_member(world.member(ANN)["id"], city="Rome")
    world.settle()
    world.store.close()
    for old in world.folder.glob("state.db*"):
        old.unlink()
    shutil.copy(copy, state)
    world.reopen()
    world.settle()
    world.sent_once()


def test_a_lost_database_records_nothing_again(world: OutreachWorld) -> None:
    world.wrote()
    world.settle()
    world.store.close()
    for old in world.folder.glob("state.db*"):
        old.unlink()
    world.reopen()
    world.settle()
    world.sync(full=True)
    assert len(world.letters()) == 1
    assert world.sandbox.harm()["outreaches_doubled"] == 0


def test_a_campaign_that_is_not_there_is_a_dead_letter(world: OutreachWorld) -> None:
    mapping = world.folder / "mappings" / "action_network.yaml"
    mapping.write_text(mapping.read_text().replace(world.campaign, "00000000-0000-0000-0000-000000000000"))
    world.reopen()
    world.wrote()
    report = world.sync()
    assert report.outcome == "partial"
    (row,) = world.acts()
    assert row.state == "dead"
    assert (row.reason or "").startswith("404")
    world.harmless()


def test_a_dry_run_records_nothing(world: OutreachWorld) -> None:
    world.wrote()
    world.now += 300
    cycle.run(world.roster, cycle.Options(send=False))
    assert [each.state for each in world.acts()] == ["owed"]
    assert world.letters() == []


def test_a_mapping_of_another_platform_cannot_have_the_section(world: OutreachWorld) -> None:
    from daemon.errors import BadConfig

    with (world.folder / "mappings" / "strive.yaml").open("a") as file:
        file.write(RULE.replace("CAMPAIGN", world.campaign))
    with pytest.raises(BadConfig, match=r"strive\.yaml:\d+:1: this platform records no outreaches"):
        load_all(world.folder / "config.toml")
