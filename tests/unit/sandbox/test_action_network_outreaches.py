"""Outreaches at Action Network: the record outreach helper, to the letter of its document."""

from urllib.parse import quote

import pytest

AT = "2023-11-01T10:00:00Z"


def harm(sandbox):
    return {kind: count for kind, count in sandbox.harm().items() if count}


def own_id(answer):
    return answer.json["identifiers"][0].removeprefix("action_network:")


def outreach(address="ana@example.org", **more):
    person = more.pop("person", {"email_addresses": [{"address": address}]})
    return {"targets": [{"given_name": "Joe", "family_name": "Schmoe"}], "person": person, **more}


@pytest.fixture
def campaign(sandbox):
    return sandbox.action_network.campaign("Save the library")


@pytest.fixture
def ana(sandbox):
    return sandbox.action_network.add_person("Ana", "Ash", email_address="ana@example.org")


def test_an_outreach_is_recorded_for_the_person_inline(sandbox, action_network, campaign, ana):
    words = {"subject": "Please", "message": "Keep it open.", "action_network:referrer_data": {"source": "rosterd"}}
    answer = action_network("POST", f"/advocacy_campaigns/{campaign}/outreaches", outreach(created_date=AT, **words))
    assert answer.status == 200
    body = answer.json
    assert (body["created_date"], body["modified_date"]) == (AT, "2023-11-14T22:13:20Z")
    assert body["targets"] == [{"given_name": "Joe", "family_name": "Schmoe"}]
    assert {name: body[name] for name in words} == words
    assert (body["action_network:person_id"], body["action_network:advocacy_campaign_id"]) == (ana, campaign)
    assert body["_links"]["osdi:person"]["href"].endswith(f"/people/{ana}")
    path = f"/advocacy_campaigns/{campaign}/outreaches/{own_id(answer)}"
    assert action_network.get(path) == action_network.get(f"/people/{ana}/outreaches/{own_id(answer)}") == body
    assert sandbox.action_network.outreaches(campaign)[0]["person"] == ana
    assert harm(sandbox) == {}
    assert sandbox.blind_writes == 0


def test_without_created_date_it_is_made_now(action_network, campaign, ana):
    answer = action_network("POST", f"/advocacy_campaigns/{campaign}/outreaches", outreach())
    assert answer.json["created_date"] == "2023-11-14T22:13:20Z"


def test_somebody_new_is_made_and_subscribed_whatever_status_is_sent(sandbox, action_network, campaign):
    person = {"email_addresses": [{"address": "new@example.org", "status": "unsubscribed"}]}
    answer = action_network("POST", f"/advocacy_campaigns/{campaign}/outreaches", outreach(person=person))
    made = sandbox.action_network.person(answer.json["action_network:person_id"])
    assert made["email_addresses"][0]["status"] == "subscribed"
    assert harm(sandbox) == {"resubscribed": 1}


def test_subscribed_overrides_an_unsubscribe_and_nothing_else_does(sandbox, action_network, campaign, ana):
    sandbox.action_network.opt_out(ana)
    path = f"/advocacy_campaigns/{campaign}/outreaches"
    action_network("POST", path, outreach())
    assert sandbox.action_network.person(ana)["email_addresses"][0]["status"] == "unsubscribed"
    person = {"email_addresses": [{"address": "ana@example.org", "status": "subscribed"}]}
    action_network("POST", path, outreach(person=person, created_date=AT))
    assert sandbox.action_network.person(ana)["email_addresses"][0]["status"] == "subscribed"
    assert harm(sandbox) == {"resubscribed": 1}


def test_outreaches_are_not_deduplicated_and_the_same_twice_is_harm(sandbox, action_network, campaign, ana):
    path = f"/advocacy_campaigns/{campaign}/outreaches"
    for at in (AT, "2023-11-02T10:00:00Z", "2023-11-01T12:00:00+02:00"):  # the last is the first again
        assert action_network("POST", path, outreach(created_date=at)).status == 200
    assert len(sandbox.action_network.outreaches(campaign)) == 3
    assert harm(sandbox) == {"outreaches_doubled": 1}
    other = sandbox.action_network.campaign("Another")
    action_network("POST", f"/advocacy_campaigns/{other}/outreaches", outreach(created_date=AT))
    action_network("POST", path, outreach("ben@example.org", created_date=AT))
    assert harm(sandbox)["outreaches_doubled"] == 1
    assert action_network.get(f"/advocacy_campaigns/{campaign}")["total_outreaches"] == 4


def test_tags_come_along_if_they_exist(sandbox, action_network, campaign, ana):
    sandbox.action_network.tag(ana, "inactive")
    action_network("POST", "/tags", {"name": "advocate"})
    body = outreach(add_tags=["advocate", "unheard of"], remove_tags=["inactive"])
    action_network("POST", f"/advocacy_campaigns/{campaign}/outreaches", body)
    assert sandbox.action_network.person(ana)["tags"] == ["advocate"]


@pytest.mark.parametrize(
    "change",
    [
        {"targets": []},
        {"targets": [{}, {}]},
        {"targets": None},
        {"person": {"given_name": "Ana"}},
        {"person": None},
        {"created_date": "yesterday"},
        {"add_tags": "x"},
    ],
)
def test_a_bad_outreach_writes_nothing(sandbox, action_network, campaign, change):
    answer = action_network("POST", f"/advocacy_campaigns/{campaign}/outreaches", {**outreach(), **change})
    assert answer.status == 500
    assert sandbox.action_network.outreaches(campaign) == []
    assert len(sandbox.action_network) == 0


def test_a_campaign_made_by_hand_takes_no_outreaches_and_offers_no_helper(sandbox, action_network, campaign):
    by_hand = sandbox.action_network.campaign("By hand", by_api=False)
    assert action_network("POST", f"/advocacy_campaigns/{by_hand}/outreaches", outreach()).status == 500
    assert len(sandbox.action_network) == 0
    helper = "osdi:record_outreach_helper"
    assert helper not in action_network.get(f"/advocacy_campaigns/{by_hand}")["_links"]
    assert helper in action_network.get(f"/advocacy_campaigns/{campaign}")["_links"]
    assert action_network.get("/advocacy_campaigns")["total_records"] == 2


def test_a_campaign_can_be_made_by_api(sandbox, action_network):
    made = own_id(action_network("POST", "/advocacy_campaigns", {"title": "Call them", "type": "phone"}))
    answer = action_network("POST", f"/advocacy_campaigns/{made}/outreaches", outreach(duration="62"))
    assert (answer.json["type"], answer.json["duration"]) == ("phone", "62")
    assert action_network("POST", "/advocacy_campaigns", {}).status == 500


def test_without_a_key_it_works_and_says_nothing_but_a_wrong_key_is_refused(sandbox, action_network, campaign, ana):
    path = f"/advocacy_campaigns/{campaign}/outreaches"
    action_network.token = ""
    answer = action_network("POST", path, outreach())
    assert (answer.status, answer.json) == (200, {})
    assert len(sandbox.action_network.outreaches(campaign)) == 1
    assert action_network("GET", path).status == action_network("POST", "/people", {}).status == 403
    action_network.token = "wrong"
    assert action_network("POST", path, outreach()).status == 403
    assert len(sandbox.action_network.outreaches(campaign)) == 1


def test_they_are_listed_by_campaign_and_by_person_and_filtered_by_date(action_network, campaign, ana):
    path = f"/advocacy_campaigns/{campaign}/outreaches"
    for address, at in (("ana@example.org", AT), ("ben@example.org", AT), ("ana@example.org", "2023-11-03T10:00:00Z")):
        action_network("POST", path, outreach(address, created_date=at, identifiers=[f"rosterd:{address}{at}"]))
    assert action_network.get(path)["total_records"] == 3
    mine = action_network.get(f"/people/{ana}/outreaches")["_embedded"]["osdi:outreaches"]
    assert [row["created_date"] for row in mine] == [AT, "2023-11-03T10:00:00Z"]
    later = quote(f"created_date gt '{AT}'")
    assert action_network.get(f"{path}?filter={later}")["total_records"] == 1
    known = quote(f"identifier eq 'rosterd:ben@example.org{AT}'")
    assert action_network.get(f"{path}?filter={known}")["total_records"] == 1


def test_an_outreach_may_name_its_person_by_link_and_its_words_be_changed(action_network, campaign, ana):
    path = f"/advocacy_campaigns/{campaign}/outreaches"
    link = {"osdi:person": {"href": f"https://actionnetwork.org/api/v2/people/{ana}"}}
    made = action_network("POST", path, {"targets": [{"title": "Mayor"}], "_links": link})
    assert made.json["action_network:person_id"] == ana
    changed = action_network("PUT", f"{path}/{own_id(made)}", {"subject": "Please vote no!"}).json
    assert (changed["subject"], changed["targets"]) == ("Please vote no!", [{"title": "Mayor"}])


def test_outreaches_follow_somebody_who_is_merged(sandbox, action_network, campaign, ana):
    person = {"phone_numbers": [{"number": "12025550101"}]}
    action_network("POST", f"/advocacy_campaigns/{campaign}/outreaches", outreach(person=person))
    sandbox.action_network.edit_person(ana, phone_number="12025550101")
    assert action_network.get(f"/people/{ana}/outreaches")["total_records"] == 1
