"""What is Action Network's own in reading: pages, the feed, tags, and what things cost."""

from __future__ import annotations

import pytest

from daemon import settings_platforms
from daemon.errors import AnswerLost, NeedsPerson, RetryLater
from daemon.platforms import registry
from daemon.platforms.action_network import ActionNetwork
from daemon.platforms.answers import Answer
from daemon.platforms.base import Create, OptOut, Record, Refused, Stored
from tests.contract.site_action_network import (
    ActionNetworkSite,
    asked,
    calls,
    connected,
    edit,
    new,
    person,
    wrote,
)
from tests.contract.suite import ADA, GRACE, changed, kept, one, swept

PHONE, EMAIL = "+12025550199", "new@example.org"


# The key


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_refused_key_is_never_repeated(site: ActionNetworkSite, network: ActionNetwork, status: str) -> None:
    """The platform says it back in the body of its answer."""
    id_ = person(site, given_name="Ada", email_address="ada@example.org")
    site.sandbox.faults.add(status, platform="action_network", times=20)
    for work in (
        lambda: list(network.sweep({})),
        lambda: one(network, new(1)),
        lambda: one(network, OptOut(1, id_, "sms")),
    ):
        with pytest.raises(NeedsPerson) as caught:
            work()
        assert "sandbox-action-network-key" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_an_answer_without_a_person_is_no_receipt(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """A request that lost its key on the way is answered with success and an empty object; so is one in the
    background, which is how the sandbox can be made to."""
    path = "/people?background_request=true"
    with pytest.raises(AnswerLost, match="did not say what it stored"):
        network._group.save(
            "POST", path, {"person": {"email_addresses": [{"address": EMAIL, "status": "unsubscribed"}]}}
        )


# Pages


def test_nobody_is_hidden_by_those_who_move(site: ActionNetworkSite) -> None:
    """Whoever is changed goes to the end, and all after them move up."""
    network = connected(site)
    ids = [person(site, given_name=f"P{n}", email_address=f"p{n}@example.org") for n in range(120)]
    shown: set[str] = set()
    for place, page in enumerate(network.sweep({})):
        shown |= {record.external_id for record in page.records}
        if place < 4:
            for n in range(3):
                site.model.edit_person(ids[place * 3 + n], given_name="Moved")
    assert shown == set(ids)


def test_nobody_is_hidden_in_a_long_feed_either(site: ActionNetworkSite) -> None:
    network = connected(site)
    cursor = swept(network)
    ids = [site.add(first=f"P{n}", email=f"p{n}@example.org") for n in range(60)]
    found: dict[str, Record] = {}
    for place, page in enumerate(network.changes(cursor)):
        found |= {record.external_id: record for record in page.records}
        if place == 0:
            site.delete(ids[0])
            site.edit(ids[1], first="Moved")
    assert set(found) == set(ids)


def test_who_changed_during_a_sweep_is_shown_as_they_are_at_its_end(site: ActionNetworkSite) -> None:
    network = connected(site, page=13)
    ids = [person(site, given_name=f"P{n}", email_address=f"p{n}@example.org") for n in range(30)]
    last: dict[str, Record] = {}
    for place, page in enumerate(network.sweep({})):
        last |= {record.external_id: record for record in page.records}
        if place == 0:
            site.model.edit_person(ids[0], family_name="King")
            site.tag(ids[1], "vols")
    assert last[ids[0]].wire["family_name"] == "King"
    assert [tag["name"] for tag in last[ids[1]].wire["tags"]] == ["vols"]


def test_a_sweep_that_is_resumed_still_knows_the_tags(site: ActionNetworkSite) -> None:
    ids = [person(site, email_address=f"p{n}@example.org", tags=["vols", "donors"]) for n in range(30)]
    site.clock.now += 1000
    first = next(iter(connected(site, page=13).sweep({})))
    rest = [record for page in connected(site, page=13).sweep(kept(first.cursor)) for record in page.records]
    tags = {record.external_id: record.wire["tags"] for record in [*first.records, *rest]}
    assert set(tags) == set(ids)
    assert all([tag["name"] for tag in some] == ["donors", "vols"] for some in tags.values())


# What things cost


def test_a_sweep_asks_nobody_alone_for_their_tags(site: ActionNetworkSite, network: ActionNetwork) -> None:
    for n in range(100):
        person(site, email_address=f"p{n}@example.org", tags=["vols"] if n % 2 else ["vols", "donors"])
    site.clock.now += 1000
    swept(network)
    assert asked(site, tail="/people") <= 8
    assert [call.path for call in calls(site) if "/people/" in call.path] == []
    assert network.calls <= 8 + 1 + 2 + (4 + 3) + 2  # people, custom fields, tags, taggings of the two, the end


def test_a_quiet_poll_is_one_call(site: ActionNetworkSite, network: ActionNetwork) -> None:
    for n in range(3):
        person(site, email_address=f"p{n}@example.org")
    cursor = swept(network)
    before = network.calls
    found, cursor = changed(network, cursor)
    assert (found, network.calls - before) == ({}, 1)


def test_an_edit_there_is_three_calls_and_then_two_until_it_is_old(
    site: ActionNetworkSite, network: ActionNetwork
) -> None:
    id_ = person(site, email_address="ada@example.org")
    cursor = swept(network)
    site.model.edit_person(id_, given_name="Ada")
    site.clock.now += 10
    costs = []
    for _ in range(3):
        before = network.calls
        found, cursor = changed(network, cursor)
        costs.append((len(found), network.calls - before))
        site.clock.now += 400
    assert costs == [(1, 3), (0, 2), (0, 1)]


def test_an_edit_to_send_is_two_calls(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org", locality="London", country="GB")
    one(network, edit(network, id_, wire={"locality": "Leeds"}))
    assert [call.method for call in calls(site)] == ["GET", "PUT"]


@pytest.mark.parametrize("key", ["phone_number", "email_address"])
def test_a_phone_or_email_to_send_is_three(site: ActionNetworkSite, network: ActionNetwork, key: str) -> None:
    id_ = person(site, email_address="ada@example.org", phone_number="+12025550101")
    one(network, edit(network, id_, wire={key: PHONE if key == "phone_number" else EMAIL}))
    assert [call.method for call in calls(site)] == ["GET", "GET", "PUT"]


def test_an_opt_out_is_two_calls_and_one_where_it_was_said_before(
    site: ActionNetworkSite, network: ActionNetwork
) -> None:
    id_ = person(site, email_address="ada@example.org", phone_number="+12025550101", phone_status="subscribed")
    for cost in (2, 3):
        one(network, OptOut(1, id_, "sms"))
        assert network.calls == cost


def test_somebody_new_is_three_calls_and_one_for_each_tag(site: ActionNetworkSite, network: ActionNetwork) -> None:
    one(network, new(1))
    assert network.calls == 3
    site.model.tag(one(network, new(2)).external_id, "vols")  # type: ignore[union-attr]
    network._tags.refresh()
    before = network.calls
    one(network, new(3, add_tags=("vols",)))
    assert network.calls - before == 4


def test_many_changes_are_not_asked_for_their_tags_one_by_one(site: ActionNetworkSite, network: ActionNetwork) -> None:
    cursor = swept(network)
    ids = [site.add(email=f"p{n}@example.org", tags=["vols"]) for n in range(120)]
    site.clock.now += 10
    found, _ = changed(network, cursor)
    assert all([tag["name"] for tag in found[id_].wire["tags"]] == ["vols"] for id_ in ids)
    alone = [call for call in calls(site) if "/people/" in call.path]
    assert len(alone) <= 50


def test_a_small_group_is_read_for_its_tags_as_a_whole_when_that_is_cheaper(
    site: ActionNetworkSite, network: ActionNetwork
) -> None:
    cursor = swept(network)
    ids = [site.add(email=f"p{n}@example.org", tags=["vols"]) for n in range(15)]
    site.clock.now += 10
    before = network.calls
    found, _ = changed(network, cursor)
    assert all([tag["name"] for tag in found[id_].wire["tags"]] == ["vols"] for id_ in ids)
    assert network.calls - before <= 6


# The feed


def test_a_change_in_the_second_of_a_poll_is_not_taken_for_shown(site: ActionNetworkSite) -> None:
    """Times are whole seconds: two states of a person may carry the same one."""
    network = connected(site)
    id_ = person(site, email_address="ada@example.org")
    cursor = swept(network)
    site.tag(site.add(**GRACE), "vols")
    now = site.clock.now
    site.model.clock = lambda: now
    site.model.edit_person(id_, given_name="Ada")
    _, cursor = changed(network, cursor)
    site.tag(id_, "vols")
    found, _ = changed(network, cursor)
    assert [tag["name"] for tag in found[id_].wire["tags"]] == ["vols"]


def test_what_is_remembered_as_shown_stays_small(site: ActionNetworkSite, network: ActionNetwork) -> None:
    cursor = swept(network)
    for n in range(330):
        site.model.add_person(email_address=f"p{n}@example.org", at=site.clock.now)
    site.clock.now += 10
    _, cursor = changed(network, cursor)
    assert len(cursor["shown"]) == 300


def test_the_earlier_of_two_clocks_counts(site: ActionNetworkSite, network: ActionNetwork) -> None:
    network._group._timed(Answer(200, {}, {"date": "Wed, 01 Jan 2020 00:00:00 GMT"}))
    assert abs(network._group.now() - 1_577_836_800) <= 1
    network._group._timed(Answer(200, {}, {"date": "Fri, 01 Jan 2100 00:00:00 GMT"}))
    assert network._group.now() == site.clock.now


# Trouble


def test_a_500_that_stays_is_the_fault_of_the_one(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """Some bad payloads are answered so."""
    bad = Create(1, {"email_address": "nonsense"}, None, "nonsense")
    first, second = network.push([bad, new(2)])
    assert isinstance(first, Refused)
    assert first.reason.startswith("500")
    assert isinstance(second, Stored)


@pytest.mark.parametrize("method", ["GET", None])
def test_a_platform_that_is_down_is_nobodys_fault(
    site: ActionNetworkSite, network: ActionNetwork, method: str | None
) -> None:
    """A 500 that stays is what an outage looks like too: nothing is set aside for it, and nobody is called."""
    id_ = person(site, given_name="Ada", email_address="ada@example.org")
    pushes = (new(1), OptOut(2, id_, "email"), edit(network, id_, wire={"email_address": EMAIL}))
    site.sandbox.faults.add("500", platform="action_network", method=method, times=None)
    for push in pushes:
        with pytest.raises(RetryLater):
            one(network, push)
    for reading in (
        lambda: list(network.sweep({})),
        lambda: list(network.changes({})),
        lambda: list(network.fetch([id_])),
    ):
        with pytest.raises(RetryLater):
            reading()


def test_a_500_that_passes_is_waited_out(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org")
    push = edit(network, id_, wire={"given_name": "Ada"})
    site.sandbox.faults.add("500", platform="action_network", method="PUT", times=2)
    assert isinstance(one(network, push), Stored)


def test_a_429_is_obeyed(site: ActionNetworkSite, network: ActionNetwork) -> None:
    site.add(**ADA)
    site.sandbox.faults.add("429", platform="action_network", times=2)
    assert list(network.sweep({}))[-1].sweep_done
    assert network._api.throttled == 2


def test_probing_tells_of_tags_and_custom_fields(site: ActionNetworkSite, network: ActionNetwork) -> None:
    site.add(**ADA, tags=["vols", "donors"])
    found = {what: (well, text) for what, well, text in network.probe()}
    assert found["custom fields"] == (True, "none, so none can be written")
    site.model.custom_field("ward")
    site.model.custom_field("gift")
    found = {what: (well, text) for what, well, text in network.probe()}
    assert found["tags"] == (True, "2 of them")
    assert found["custom fields"] == (True, "gift, ward")
    assert not wrote(site)


def test_what_the_settings_make_is_the_same(site: ActionNetworkSite) -> None:
    """The key in its header, the group in the account's name, the 500 that stays, the overlap."""
    table = {"platform": "action_network", "group": "north", "api_key": "sandbox-action-network-key", "rate": 500.0}
    url = site.sandbox.base_url("action_network")
    settings = settings_platforms.ActionNetwork.model_validate({**table, "base_url": url, "overlap": "0s"})
    network = registry.connect(settings, {}, clock=site.clock, sleep=lambda _: None)
    assert network.account == f"action_network:north@{network._api.host}"  # type: ignore[attr-defined]
    site.add(**ADA, tags=["vols"])
    site.clock.now += 10
    cursor = swept(network)
    before = network.calls
    changed(network, cursor)
    assert network.calls - before == 1  # nobody lies in the overlap, for there is none
    bad, good = network.push([Create(1, {"email_address": "nonsense"}, None, "nonsense"), new(2, add_tags=("vols",))])
    assert isinstance(bad, Refused)
    assert isinstance(good, Stored)
    network.close()
