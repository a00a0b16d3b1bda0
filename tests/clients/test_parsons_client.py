"""The sandbox's Action Network through `parsons` (6.1), by the data people of several campaigns.

Its methods hand back plain JSON, or its own `Table` of JSON.
"""

import json
import logging
import warnings
from typing import Any

import pytest
from requests.exceptions import HTTPError

from daemon.sandbox import Sandbox

with warnings.catch_warnings():
    # Said at every import, about what `pip install parsons` no longer installs: we want no more than the core.
    warnings.filterwarnings("ignore", "The behavior of 'pip install parsons' has changed", RuntimeWarning)
    from parsons.action_network import action_network

# It writes to the standard error of the moment it was imported in, which pytest has closed by the time of a test.
logging.getLogger("parsons").handlers.clear()


def phone(number: int) -> str:
    return f"120255503{number:02}"


@pytest.fixture
def url(sandbox: Sandbox) -> str:
    return sandbox.base_url("action_network") + "/api/v2"


@pytest.fixture
def group(sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> action_network.ActionNetwork:
    """The group, as its key sees it."""
    monkeypatch.setattr(action_network, "API_URL", url)  # there is no argument for it
    return action_network.ActionNetwork(sandbox.accounts["action_network"].secrets["api_key"])


def uuid(entry: dict[str, Any]) -> str:
    (id_,) = (name.split(":")[1] for name in entry["identifiers"] if name.startswith("action_network:"))
    return id_


def names(people) -> list[str]:
    return sorted(person["given_name"] for person in people)


def tagged(group: action_network.ActionNetwork, tag: str, person: str) -> bool:
    """Whether a tag is on a person."""
    return any(person in entry["_links"]["osdi:person"]["href"] for entry in group.get_taggings(tag))


@pytest.fixture
def three(group: action_network.ActionNetwork) -> list[str]:
    """Ada, Ben and Cy, subscribed to emails because nothing else was said. Their ids."""
    ids = []
    for place, name in enumerate(("Ada", "Ben", "Cy"), 1):
        email = f"{name.lower()}@example.org"
        ids.append(uuid(group.upsert_person(email, given_name=name, family_name="Ames", mobile_number=phone(place))))
    return ids


# People -----------------------------------------------------------------------------------------------------------


def test_a_person_comes_back_as_stored(group, three):
    person = group.get_person(three[0])
    assert (person["given_name"], person["family_name"]) == ("Ada", "Ames")
    (email,) = person["email_addresses"]
    assert (email["address"], email["primary"], email["status"]) == ("ada@example.org", True, "subscribed")
    (number,) = person["phone_numbers"]
    assert (number["number"], number["status"]) == (phone(1), "unsubscribed")
    assert (person["created_date"], person["modified_date"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z")


def test_everybody_is_read_in_pages_of_25_until_an_empty_one(sandbox, group):
    for place in range(30):
        group.upsert_person(f"p{place}@example.org", given_name=f"P{place}")
    sandbox.reset_log()
    people = group.get_people()
    assert len({uuid(person) for person in people}) == 30
    pages = [call.path for call in sandbox.calls("action_network")]
    # A short page is no end: parsons reads on until an empty one, as the vendor's docs have it of people.
    assert [f"page={page}&per_page=25" in path for page, path in enumerate(pages, 1)] == [True, True, True]
    # parsons asks for no more than 25 whatever it is told; the platform gives no more.
    assert group.api.get_request("people", params={"per_page": 100})["per_page"] == 25


def test_a_limit_and_a_single_page(group, three):
    assert len(list(group.get_people(limit=2))) == 2
    page = group.get_people(page=1, per_page=2)
    assert len(page["_embedded"]["osdi:people"]) == 2
    assert "next" in page["_links"]
    empty = group.get_people(page=9)
    assert empty["_embedded"]["osdi:people"] == []
    assert "next" not in empty["_links"]


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("given_name eq 'Ada'", ["Ada"]),
        ("family_name eq 'Ames'", ["Ada", "Ben", "Cy"]),
        ("email_address eq 'ben@example.org'", ["Ben"]),
        (f"phone_number eq '{phone(3)}'", ["Cy"]),
        ("modified_date gt '2023-11-14T22:13:19Z'", ["Ada", "Ben", "Cy"]),
        ("modified_date gt '2023-11-14T22:13:20Z'", []),
        ("created_date gt '2023-11-14T22:13:20Z'", []),
        ("created_date lt '2023-11-14T22:13:21Z'", ["Ada", "Ben", "Cy"]),
        ("modified_date gt '2023-11-14' and given_name eq 'Ben'", ["Ben"]),
    ],
)
def test_filters(group, three, filter_, found):
    assert names(group.get_people(filter=filter_)) == found


def test_the_same_email_is_the_same_person_and_what_is_not_sent_stays(clock, group, three):
    clock.tick(60)
    again = group.upsert_person("ada@example.org", family_name="Moss")
    assert uuid(again) == three[0]
    now = group.get_person(three[0])
    assert (now["given_name"], now["family_name"], now["phone_numbers"][0]["number"]) == ("Ada", "Moss", phone(1))
    assert now["created_date"] < now["modified_date"]
    assert len(list(group.get_people())) == 3


def test_a_phone_moves_to_who_signs_up_with_it(sandbox, group, three):
    # The vendor's docs say so ("removed from the old activist and added to the new activist"), and parsons does not
    # look. It is what our connector must prevent, so the sandbox does it, and counts it.
    group.upsert_person("new@example.org", given_name="Dee", mobile_number=phone(1))
    assert "number" not in group.get_person(three[0])["phone_numbers"][0]
    assert sandbox.harm()["wrong_person"] == 1


def test_nobody_can_be_made_with_a_phone_alone(sandbox, group):
    # parsons is wrong, by its own docstring ("Either email_address or mobile_number are required"): an email of
    # None ends in ValueError before anything is sent. Action Network takes a person with a phone only, and so does
    # the sandbox.
    with pytest.raises(ValueError, match="email_address"):
        group.upsert_person(mobile_number=phone(9))
    assert sandbox.calls("action_network") == []
    alone = {"person": {"given_name": "Pat", "phone_numbers": [{"number": phone(9)}]}}
    made = group.api.post_request("people", data=json.dumps(alone))
    assert (made["email_addresses"], made["phone_numbers"][0]["number"]) == ([], phone(9))


def test_a_list_of_phones_in_words_is_dropped_by_the_client(sandbox, group):
    # parsons is wrong: it looks for a list of lists where its docstring promises a list of strings.
    made = group.upsert_person("list@example.org", mobile_number=[phone(9)])
    assert "phone_numbers" not in sandbox.calls("action_network", "POST")[-1].wrote["person"]
    assert "number" not in made["phone_numbers"][0]


def test_the_old_way_to_add_a_person_still_subscribes_the_phone(group):
    # Deprecated in parsons as "not legally compliant". Action Network does as it is told, and so does the sandbox.
    group.add_person("old@example.org", given_name="Olga", mobile_number=phone(8))
    (person,) = group.get_people(filter="email_address eq 'old@example.org'")
    assert person["phone_numbers"][0]["status"] == "subscribed"


def test_a_status_is_only_changed_when_one_is_sent(group, three):
    group.upsert_person([{"address": "ada@example.org", "status": "unsubscribed"}])
    assert group.get_person(three[0])["email_addresses"][0]["status"] == "unsubscribed"
    group.upsert_person("ada@example.org", given_name="Ada M.")
    assert group.get_person(three[0])["email_addresses"][0]["status"] == "unsubscribed"


def test_subscribed_undoes_an_opt_out_and_is_counted(sandbox, group, three):
    group.upsert_person([{"address": "ada@example.org", "status": "unsubscribed"}])
    before = sandbox.harm()["resubscribed"]
    group.upsert_person([{"address": "ada@example.org", "status": "subscribed"}])
    assert group.get_person(three[0])["email_addresses"][0]["status"] == "subscribed"
    assert sandbox.harm()["resubscribed"] == before + 1


def test_background_processing_is_no_argument_of_the_platform(sandbox, group):
    # parsons is wrong: the argument is `background_request`, in the vendor's general concepts and in every helper's
    # page. The unknown one is ignored, which saves parsons: it reads `identifiers` of the answer, and the answer of a
    # real background request is `{}`.
    made = group.upsert_person("bg@example.org", given_name="Bea", background_processing=True)
    assert "background_processing=true" in sandbox.calls("action_network", "POST")[-1].path
    assert group.get_person(uuid(made))["given_name"] == "Bea"


def test_an_update_by_id_changes_what_is_sent(group, three):
    group.update_person(three[1], given_name="Benny", custom_fields={})
    now = group.get_person(three[1])
    assert (now["given_name"], now["family_name"]) == ("Benny", "Ames")


def test_an_update_to_the_email_of_somebody_else_is_half_done_without_a_word(group, three):
    answer = group.update_person(
        three[1], given_name="Benny", email_addresses=[{"address": "ada@example.org", "primary": True}]
    )
    assert answer["given_name"] == "Benny"
    assert [email["address"] for email in answer["email_addresses"]] == ["ben@example.org"]


def test_custom_fields_stick_where_the_group_has_them(sandbox, group, three):
    sandbox.action_network.custom_field("shirt")
    fields = group.get_custom_fields()["action_network:custom_fields"]
    assert [field["name"] for field in fields] == ["shirt"]
    group.upsert_person("ada@example.org", shirt="M", unknown="x")
    group.update_person(three[1], custom_fields={"shirt": "L", "unknown": "x"})
    assert [group.get_person(id_)["custom_fields"] for id_ in three] == [{"shirt": "M"}, {"shirt": "L"}, {}]


# Tags -------------------------------------------------------------------------------------------------------------


def test_tags_are_made_once_by_name_and_listed(group):
    first, again = group.add_tag("Volunteer"), group.add_tag("Volunteer")
    assert uuid(first) == uuid(again)
    assert [tag["name"] for tag in group.get_tags()] == ["Volunteer"]
    assert group.get_tag(uuid(first))["name"] == "Volunteer"


def test_tagging_and_untagging_a_person(group, url, three):
    tag = uuid(group.add_tag("Volunteer"))
    link = {"_links": {"osdi:person": {"href": f"{url}/people/{three[0]}"}}}
    tagging = group.create_tagging(tag, link)
    assert uuid(group.create_tagging(tag, link)) == uuid(tagging)  # once a person
    assert len(list(group.get_taggings(tag))) == 1
    assert three[0] in group.get_tagging(tag, uuid(tagging))["_links"]["osdi:person"]["href"]
    group.delete_tagging(tag, uuid(tagging))
    assert list(group.get_taggings(tag)) == []


def test_a_sign_up_adds_tags_that_exist_and_ignores_others(group, three):
    tag = uuid(group.add_tag("Volunteer"))
    group.upsert_person("ada@example.org", tags=["Volunteer", "Nobody made this one"])
    assert tagged(group, tag, three[0])
    assert [entry["name"] for entry in group.get_tags()] == ["Volunteer"]


# Outreaches -------------------------------------------------------------------------------------------------------


@pytest.fixture
def campaign(sandbox: Sandbox) -> str:
    return sandbox.action_network.campaign("Write to your council")


def test_campaigns_and_their_outreaches_are_read(group, url, campaign, three):
    assert [found["title"] for found in group.get_advocacy_campaigns()] == ["Write to your council"]
    assert group.get_advocacy_campaign(campaign)["type"] == "email"
    made = record(group, campaign, three[0])
    assert [uuid(found) for found in group.get_advocacy_campaign_outreaches(campaign)] == [uuid(made)]
    assert [uuid(found) for found in group.get_person_outreaches(three[0])] == [uuid(made)]
    assert list(group.get_person_outreaches(three[1])) == []
    assert group.get_advocacy_campaign_outreach(campaign, uuid(made))["subject"] == "Please"
    assert group.get_person_outreach(three[0], uuid(made))["action_network:person_id"] == three[0]


def record(group: action_network.ActionNetwork, campaign: str, person: str) -> dict[str, Any]:
    """An outreach by a person who is there, sent past `create_outreach` (see below)."""
    body = {
        "subject": "Please",
        "targets": [{"given_name": "Joe", "family_name": "Schmoe"}],
        "_links": {"osdi:person": {"href": f"{group.api_url}/people/{person}"}},
    }
    return group.api.post_request(f"advocacy_campaigns/{campaign}/outreaches", data=json.dumps(body))


def test_the_client_cannot_create_an_outreach(sandbox, group, campaign, three):
    # parsons is wrong: it puts the payload into the query and sends no body, where the vendor's page ("Record
    # Outreach Helper", its example) has JSON in the body. What looks like an outreach must not become half a one.
    payload = {"targets": [{"given_name": "Joe"}], "_links": {"osdi:person": {"href": f"x/people/{three[0]}"}}}
    with pytest.raises(HTTPError, match=r"Code: (400|500)"):
        group.create_outreach(campaign, payload)
    assert sandbox.action_network.outreaches(campaign) == []


def test_an_outreach_is_changed_by_a_payload_in_json(sandbox, group, campaign, three):
    made = uuid(record(group, campaign, three[0]))
    # Given a dict, as its docstring shows, parsons sends a form under the heading of JSON, which is neither. Given the
    # text of the JSON, it sends that.
    with pytest.raises(HTTPError, match=r"Code: (400|500)"):
        group.update_outreach(campaign, made, {"subject": "Thanks"})
    assert group.update_outreach(campaign, made, json.dumps({"subject": "Thanks"}))["subject"] == "Thanks"
    (outreach,) = sandbox.action_network.outreaches(campaign)
    assert outreach["subject"] == "Thanks"


# Errors -----------------------------------------------------------------------------------------------------------


def test_an_unknown_person_is_404_with_the_words_of_the_platform(group):
    with pytest.raises(HTTPError, match=r"Code: 404.*Couldn't find person with id"):
        group.get_person("00000000-0000-0000-0000-000000000000")


def test_a_wrong_key_is_403(url, monkeypatch):
    monkeypatch.setattr(action_network, "API_URL", url)
    with pytest.raises(HTTPError, match="Code: 403"):
        action_network.ActionNetwork("wrong").get_people()


def test_too_many_requests_is_said_and_not_waited_for(sandbox, group, three):
    sandbox.faults.add("429", platform="action_network", times=1)
    with pytest.raises(HTTPError, match="Code: 429"):
        group.get_people()
