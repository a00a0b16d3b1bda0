"""What is Action Network's own in writing: who is who, consent and tags."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.platforms.action_network import ActionNetwork
from daemon.platforms.base import Channel, Create, Exists, Gone, OptOut, Refused, Stored, Update
from mappings.load import preset
from tests.contract.site_action_network import (
    ActionNetworkSite,
    asked,
    calls,
    edit,
    new,
    person,
    read,
    wrote,
)
from tests.contract.suite import ADA, GRACE, one, somebody

EMAIL = "new@example.org"


# Who is who


@pytest.mark.parametrize("key", ["phone_number", "email_address"])
def test_what_somebody_else_has_is_not_written(site: ActionNetworkSite, network: ActionNetwork, key: str) -> None:
    """Action Network would move the phone from them, and leave the email where it is without a word."""
    ada, grace = site.add(**ADA), site.add(**GRACE)
    before = site.now(ada), site.now(grace)
    wire = {"phone_number": GRACE["phone"], "email_address": "Grace@Example.org"}
    outcome = one(network, edit(network, ada, wire={key: wire[key], "given_name": "Other"}))
    assert isinstance(outcome, Exists)
    assert [record.external_id for record in outcome.records] == [grace]
    assert (site.now(ada), site.now(grace)) == before
    assert wrote(site) == []


def test_ones_own_phone_and_email_may_be_written_again(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = site.add(**ADA)
    wire = {"phone_number": ADA["phone"], "email_address": "ADA@example.org"}
    outcome = one(network, edit(network, id_, wire=wire))
    assert isinstance(outcome, Stored)


def test_an_email_that_is_not_applied_is_seen_in_the_receipt(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """The look-up did not show who has it yet."""
    ada = person(site, email_address="ada@example.org")
    read(network, ada)
    site.model.search_lag = 1000
    site.add(**GRACE)
    outcome = one(network, edit(network, ada, wire={"email_address": GRACE["email"], "given_name": "Ada"}))
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    assert outcome.record.wire["email_address"] == "ada@example.org"
    assert outcome.record.wire["given_name"] == "Ada"


def test_a_query_that_is_behind_does_not_make_two_of_one(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """What we wrote ourselves a moment ago we know without asking."""
    site.model.search_lag = 1000
    ada = one(network, new(1))
    assert isinstance(ada, Stored)
    same = Create(2, {"email_address": EMAIL, "phone_number": somebody(1)["phone"]}, somebody(1)["phone"], EMAIL)
    found = one(network, same)
    assert isinstance(found, Exists)
    assert [record.external_id for record in found.records] == [ada.external_id]
    grace = site.add(**GRACE)
    assert isinstance(one(network, edit(network, grace, wire={"phone_number": somebody(1)["phone"]})), Exists)
    assert site.count() == 2


def test_a_server_that_searches_laxly_is_not_believed(
    site: ActionNetworkSite, network: ActionNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = site.add(**GRACE)
    row = network._group.person(other)
    monkeypatch.setattr(network._group, "find", lambda *_: [row])
    assert isinstance(one(network, new(1)), Stored)


def test_an_email_with_signs_that_mean_something_is_found(site: ActionNetworkSite, network: ActionNetwork) -> None:
    address = "o'neil+news@example.org"
    id_ = person(site, email_address=address)
    found = one(network, Create(1, {"email_address": address}, None, address))
    assert isinstance(found, Exists)
    assert [record.external_id for record in found.records] == [id_]


@pytest.mark.parametrize("doubled", [True, False])
def test_a_quote_in_an_email_hides_nobody_however_the_platform_reads_it(
    site: ActionNetworkSite, network: ActionNetwork, doubled: bool
) -> None:
    """Whoever is not found is made anew, and so unsubscribed. Whether a quote is doubled is not documented."""
    site.sandbox.accounts["action_network"].api.selection.doubled = doubled  # type: ignore[attr-defined]
    address = "o'neil@example.org"
    id_ = person(site, given_name="Ann", email_address=address)
    found = one(network, Create(1, {"given_name": "Anna", "email_address": address}, None, address))
    assert isinstance(found, Exists)
    assert [record.external_id for record in found.records] == [id_]
    other = "d'arcy@example.org"
    made = one(network, Create(2, {"email_address": other}, None, other))
    assert isinstance(made, Stored)


def test_capitals_in_an_email_hide_nobody_where_they_count(site: ActionNetworkSite, network: ActionNetwork) -> None:
    site.sandbox.accounts["action_network"].api.selection.exact = True  # type: ignore[attr-defined]
    id_ = person(site, given_name="Emma", email_address="emma@example.org")
    found = one(
        network, Create(1, {"given_name": "Emma", "email_address": "EMMA@example.org"}, None, "EMMA@example.org")
    )
    assert isinstance(found, Exists)
    assert [record.external_id for record in found.records] == [id_]


def test_nobody_without_an_email_and_a_phone_is_made(site: ActionNetworkSite, network: ActionNetwork) -> None:
    assert isinstance(one(network, Create(1, {"given_name": "Ada"}, None, None)), Refused)
    assert not calls(site)


@pytest.mark.parametrize(
    "wire", [{"phone_status": "subscribed"}, {"email_status": "unsubscribed"}, {"tags": []}, {"other_emails": []}]
)
def test_what_cannot_be_written_is_refused_without_a_call(
    site: ActionNetworkSite, network: ActionNetwork, wire: Any
) -> None:
    for push in (Update(1, "a1", None, wire), Create(1, {"email_address": EMAIL, **wire}, None, EMAIL)):
        outcome = one(network, push)
        assert isinstance(outcome, Refused)
        assert "does not let us write" in outcome.reason
    assert not calls(site)


def test_ids_cannot_leave_their_place_in_the_path(site: ActionNetworkSite, network: ActionNetwork) -> None:
    site.add(**ADA)
    for id_ in ("../tags", "..", "?page=1", "a/b", "#", ""):
        assert list(network.fetch([id_])) == []
        assert isinstance(one(network, OptOut(1, id_, "sms")), Gone)
        assert isinstance(one(network, Update(1, id_, None, {"given_name": "x"})), Gone)
    assert not calls(site)


# Consent


def test_no_write_ever_subscribes_somebody_who_is_there(site: ActionNetworkSite, network: ActionNetwork) -> None:
    ids = [site.add(**somebody(n), sms=n % 2 == 0) for n in range(6)]
    alone = person(site, phone_number="+12025550150")  # without an email: the first one would be subscribed
    one(network, edit(network, alone, wire={"email_address": EMAIL}))
    for n, id_ in enumerate(ids):
        wire = {"given_name": "New", "phone_number": f"+1202555018{n}", "email_address": f"new{n}@example.org"}
        one(network, edit(network, id_, wire={**wire, "locality": "Turin"}, add_tags=("vols",)))
        one(network, OptOut(1, id_, "sms"))
        one(network, OptOut(1, id_, "email"))
    said = [
        entry.get("status")
        for body in wrote(site)
        for key in ("email_addresses", "phone_numbers")
        for entry in (body or {}).get(key, ())
    ]
    assert set(said) == {None, "unsubscribed"}
    assert site.model.person(alone)["email_addresses"][0]["status"] == "unsubscribed"
    for id_ in ids:
        shown = site.model.person(id_)
        assert shown["email_addresses"][0]["status"] == shown["phone_numbers"][0]["status"] == "unsubscribed"


@pytest.mark.parametrize("subscribed", [(), ("sms",), ("email",), ("sms", "email")])
def test_somebody_new_is_subscribed_only_where_they_said_so(
    site: ActionNetworkSite, network: ActionNetwork, subscribed: tuple[Channel, ...]
) -> None:
    made = one(network, new(1, subscribed=frozenset(subscribed)))
    assert isinstance(made, Stored)
    shown = site.model.person(made.external_id)
    is_in = [shown[key][0]["status"] == "subscribed" for key in ("phone_numbers", "email_addresses")]
    assert is_in == ["sms" in subscribed, "email" in subscribed]


def test_a_no_touches_the_one_channel(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org", phone_number="+12025550101", phone_status="subscribed")
    outcome = one(network, OptOut(1, id_, "email"))
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    assert (outcome.record.wire["email_status"], outcome.record.wire["phone_status"]) == ("unsubscribed", "subscribed")
    assert wrote(site) == [{"email_addresses": [{"address": "ada@example.org", "status": "unsubscribed"}]}]


def test_who_has_no_phone_cannot_be_texted_and_nothing_is_written(
    site: ActionNetworkSite, network: ActionNetwork
) -> None:
    """What Action Network shows as the status of a number that is not there is nobody's word."""
    id_ = person(site, email_address="ada@example.org")
    outcome = one(network, OptOut(1, id_, "sms"))
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    assert (outcome.record.wire["phone_number"], outcome.record.wire["phone_status"]) == (None, None)
    assert wrote(site) == []


@pytest.mark.parametrize(
    ("status", "consent"),
    [
        ("subscribed", "subscribed"),
        ("unsubscribed", "unsubscribed"),
        ("bouncing", "undeliverable"),
        ("previous bounce", "undeliverable"),
        ("spam complaint", "undeliverable"),
        ("previous spam complaint", "undeliverable"),
    ],
)
def test_every_status_has_its_meaning(
    site: ActionNetworkSite, network: ActionNetwork, status: str, consent: str
) -> None:
    id_ = person(site, email_address="ada@example.org", email_status=status)
    reading = preset("action_network").read(read(network, id_).wire)
    assert not reading.problems
    assert reading.view["consent.email"] == consent
    assert reading.view["consent.sms"] == "unknown"


# Tags


def test_tags_are_made_once_and_never_sent_by_name(site: ActionNetworkSite, network: ActionNetwork) -> None:
    site.model.tag_lag = 1000
    for n in range(3):
        outcome = one(network, new(n, add_tags=("Brand New",)))
        assert isinstance(outcome, Stored)
        assert outcome.record is not None
        assert (
            site.now(outcome.external_id)["tags"] == {"Brand New"} == {t["name"] for t in outcome.record.wire["tags"]}
        )
    assert asked(site, tail="/tags") == 2  # looked for, made
    assert not any("add_tags" in body for body in wrote(site))


def test_a_tag_that_differs_in_capitals_is_the_same(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org", tags=["Volunteers"])
    other = person(site, email_address="grace@example.org")
    one(network, edit(network, other, add_tags=("volunteers",)))
    one(network, edit(network, id_, remove_tags=("VOLUNTEERS",)))
    assert (site.now(id_)["tags"], site.now(other)["tags"]) == (set(), {"Volunteers"})


def test_the_receipt_of_a_tag_names_all_tags(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """Also one that somebody put on since we read."""
    id_ = person(site, email_address="ada@example.org", tags=["vols", "old"])
    push = edit(network, id_, add_tags=("new",), remove_tags=("old", "never there"))
    site.tag(id_, "meanwhile")
    outcome = one(network, push)
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    assert {tag["name"] for tag in outcome.record.wire["tags"]} == {"vols", "new", "meanwhile"} == site.now(id_)["tags"]


def test_a_tag_that_went_away_is_made_anew(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org")
    network._tags.names["0d5a"] = "vols"
    assert isinstance(one(network, edit(network, id_, add_tags=("vols",))), Stored)
    assert site.now(id_)["tags"] == {"vols"}


def test_a_tag_for_somebody_who_is_gone(site: ActionNetworkSite, network: ActionNetwork) -> None:
    site.tag(site.add(**GRACE), "vols")
    id_ = site.add(**ADA)
    pushes = [edit(network, id_, add_tags=("vols",)), edit(network, id_, remove_tags=("vols",))]
    site.delete(id_)
    assert all(isinstance(one(network, push), Gone) for push in pushes)
