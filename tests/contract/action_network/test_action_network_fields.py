"""A person of Action Network, field by field."""

from __future__ import annotations

import pytest

from daemon.platforms.action_network import ActionNetwork
from daemon.platforms.action_network_person import record as as_record
from daemon.platforms.base import Create, Refused, Stored, Update
from tests.contract.site_action_network import (
    LONG_AGO,
    ActionNetworkSite,
    connected,
    edit,
    person,
    read,
    wrote,
)
from tests.contract.suite import ADA, one

EMAIL = "new@example.org"


# Fields


def test_a_person_is_read_in_our_words(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(
        site,
        given_name="Ada",
        email_address="ada@example.org",
        phone_number="+27821234567",
        street="12 Long St",
        locality="Cape Town",
        postal_code="8001",
        country="ZA",
        language="fr",
        custom_fields={"ward": "5"},
        tags=["vols"],
    )
    site.clock.now += 1000
    *pages, _ = network.sweep({})
    (record,) = [record for page in pages for record in page.records]
    assert record.external_id == id_
    assert record.at == LONG_AGO
    assert record.wire.pop("tags")[0]["name"] == "vols"
    assert record.wire == {
        "given_name": "Ada",
        "family_name": None,
        "email_address": "ada@example.org",
        "email_status": "subscribed",
        "other_emails": [],
        "phone_number": "+27821234567",
        "phone_status": "unsubscribed",
        "street": "12 Long St",
        "locality": "Cape Town",
        "region": None,
        "postal_code": "8001",
        "country": "ZA",
        "language": "fr",
        "custom_fields": {"ward": "5"},
    }


def test_the_country_everybody_has_says_nothing(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org")
    assert "country" not in read(network, id_).wire
    site.model.edit_person(id_, locality="Macon", country="US")
    assert read(network, id_).wire["country"] == "US"


def test_an_address_keeps_its_country_and_its_other_parts(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """Of an address sent without its country Action Network makes one in the US."""
    id_ = person(site, email_address="ada@example.org", street="12 Long St", locality="Cape Town", country="ZA")
    outcome = one(network, edit(network, id_, wire={"locality": "Paarl", "street": "1 Main St\nFlat 4"}))
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    said = {key: outcome.record.wire[key] for key in ("street", "locality", "country")}
    assert said == {"street": "1 Main St\nFlat 4", "locality": "Paarl", "country": "ZA"}


def test_an_address_of_somebody_not_read_of_late_is_read_first(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org", locality="Cape Town", postal_code="8001", country="ZA")
    old = read(network, id_)
    one(connected(site), Update(1, id_, old.version, {"locality": "Paarl"}))
    shown = site.model.person(id_)["postal_addresses"][0]
    assert (shown["locality"], shown["postal_code"], shown["country"]) == ("Paarl", "8001", "ZA")


def test_an_address_that_moved_since_it_was_read_here_is_read_again(
    site: ActionNetworkSite, network: ActionNetwork
) -> None:
    """The sync may know of a later version, by the feed."""
    id_ = person(site, email_address="ada@example.org", locality="Macon")
    read(network, id_)
    site.model.edit_person(id_, country="ZA")
    later = read(connected(site), id_)
    one(network, Update(1, id_, later.version, {"locality": "Paarl"}))
    assert site.model.person(id_)["postal_addresses"][0]["country"] == "ZA"


def test_a_blank_that_does_not_stick_is_seen_in_the_receipt(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """Clients found that nulls do not always clear."""
    site.model.nulls_clear = False
    id_ = site.add(**ADA)
    outcome = one(network, edit(network, id_, wire={"given_name": None, "locality": None, "phone_number": None}))
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    said = {key: outcome.record.wire[key] for key in ("given_name", "locality", "phone_number")}
    assert said == {"given_name": "Ada", "locality": "London", "phone_number": ADA["phone"]}


def test_what_is_blanked_is_blank(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = site.add(**ADA)
    site.model.edit_person(id_, street="1 Main St", custom_fields={"ward": "5"})
    gone = {"given_name": None, "street": None, "locality": None, "phone_number": None, "custom_fields": {"ward": None}}
    outcome = one(network, edit(network, id_, wire=gone))
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    wire = outcome.record.wire
    assert [wire[key] for key in gone] == [None, None, None, None, {}]
    assert (wire["family_name"], wire["email_address"]) == (ADA["last"], ADA["email"])


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("12025550101", "+12025550101"),
        ("27821234567", "+27821234567"),
        ("2025550101", "2025550101"),
        ("5550101", "5550101"),
    ],
)
def test_digits_are_international_only_where_they_can_be_nothing_else(
    site: ActionNetworkSite, network: ActionNetwork, stored: str, shown: str
) -> None:
    id_ = site.add(**ADA)
    row = {**network._group.person(id_), "phone_numbers": [{"number": stored, "status": "subscribed"}]}  # type: ignore[dict-item]
    assert as_record(row).wire["phone_number"] == shown


def test_a_custom_field_is_written_by_itself(site: ActionNetworkSite, network: ActionNetwork) -> None:
    id_ = person(site, email_address="ada@example.org", custom_fields={"ward": "5", "gift": "10"})
    outcome = one(network, edit(network, id_, wire={"custom_fields": {"ward": "6"}}))
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    assert outcome.record.wire["custom_fields"] == {"ward": "6", "gift": "10"}
    assert wrote(site) == [{"custom_fields": {"ward": "6"}}]


def test_a_custom_field_that_is_not_there_is_refused_by_name(site: ActionNetworkSite, network: ActionNetwork) -> None:
    """Its value would be dropped without a word."""
    id_ = person(site, email_address="ada@example.org")
    wire = {"custom_fields": {"ward": "5"}}
    for push in (edit(network, id_, wire=wire), Create(2, {"email_address": EMAIL, **wire}, None, EMAIL)):
        outcome = one(network, push)
        assert isinstance(outcome, Refused)
        assert outcome.reason == "the group has no custom field ward: make it there first"
    assert wrote(site) == []
    site.model.custom_field("ward")
    assert isinstance(one(network, edit(network, id_, wire=wire)), Stored)
