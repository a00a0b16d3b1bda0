"""Writing people to Action Network: whom it matches, what it drops without a word, and what is counted as harm."""

import pytest

ANA, BEN = "12025550101", "12025550102"
NO = {"status": "unsubscribed"}


def email(address, **more):
    return {"email_addresses": [{"address": address, **more}]}


def phone(number, **more):
    return {"phone_numbers": [{"number": number, **more}]}


def harm(sandbox):
    counts = {kind: count for kind, count in sandbox.harm().items() if count}
    return counts | ({"blind_writes": sandbox.blind_writes} if sandbox.blind_writes else {})


def own_id(answer):
    return answer.json["identifiers"][0].removeprefix("action_network:")


@pytest.fixture
def people(sandbox):
    return sandbox.action_network


@pytest.fixture
def signup(action_network):
    def post(person, **more):
        answer = action_network("POST", "/people", {"person": person, **more})
        assert answer.status == 200, answer.raw
        return own_id(answer)

    return post


@pytest.fixture
def ana(people, action_network):
    """Has email and phone, and has been read."""
    made = people.add_person("Ana", "Ash", ANA, "ana@example.org", locality="Atlanta", region="GA")
    action_network.get(f"/people/{made}")
    return made


@pytest.fixture
def put(action_network):
    def send(person_id, body):
        answer = action_network("PUT", f"/people/{person_id}", body)
        assert answer.status == 200, answer.raw
        return answer.json

    return send


# Making -------------------------------------------------------------------------------------------------------------


def test_somebody_new_is_subscribed_to_email_by_default_and_that_is_harm(sandbox, people, signup):
    made = people.person(signup(email("ana@example.org")))
    assert made["email_addresses"][0]["status"] == "subscribed"
    assert made["created_date"] == made["modified_date"]
    assert harm(sandbox) == {"resubscribed": 1}


def test_somebody_new_with_a_status_gets_it_and_texts_stay_off(sandbox, people, signup):
    made = people.person(signup(email("ana@example.org", **NO) | phone("(202) 555-0101")))
    assert made["email_addresses"][0]["status"] == "unsubscribed"
    assert (made["phone_numbers"][0]["number"], made["phone_numbers"][0]["status"]) == (ANA, "unsubscribed")
    assert harm(sandbox) == {}


@pytest.mark.parametrize("typed", ["+1 202 555 0101", "202-555-0101", 12025550101, "1.202.555.0101"])
def test_phones_are_taken_in_any_shape_and_shown_without_plus(people, signup, typed):
    assert people.person(signup(phone(typed)))["phone_numbers"][0]["number"] == ANA


@pytest.mark.parametrize(
    "person",
    [{"given_name": "Ana"}, phone("123"), email("nobody"), {"email_addresses": "x"}, {"given_name": 1}, None, []],
)
def test_a_bad_payload_answers_500_or_400_and_writes_nothing(people, action_network, person):
    answer = action_network("POST", "/people", {"person": person})
    assert (answer.status, list(answer.json)) == (500, ["error"])
    people.bad_is_500 = False
    assert action_network("POST", "/people", {"person": person}).status == 400
    assert action_network("POST", "/people", b"{").status == 400
    assert len(people) == 0


def test_the_same_email_whatever_its_case_is_the_same_person(sandbox, people, signup, ana):
    assert signup(email("ANA@example.org") | {"given_name": "Anna"}) == ana
    assert (people.person(ana)["given_name"], people.person(ana)["family_name"]) == ("Anna", "Ash")
    assert harm(sandbox) == {}


def test_the_same_email_with_a_new_phone_overwrites_the_phone(people, signup, ana):
    assert signup(email("ana@example.org") | phone(BEN)) == ana
    assert people.person(ana)["phone_numbers"][0]["number"] == BEN


def test_the_same_phone_without_an_email_is_the_same_person(people, signup, ana):
    assert signup(phone(ANA) | {"given_name": "Anna"}) == ana


def test_the_same_phone_with_another_email_is_stripped_from_its_owner(sandbox, people, signup, ana):
    people.opt_in(ana, "sms")
    other = signup(email("ben@example.org", **NO) | phone(ANA))
    assert other != ana
    assert "number" not in people.person(ana)["phone_numbers"][0]
    moved = people.person(other)["phone_numbers"][0]
    assert (moved["number"], moved["status"]) == (ANA, "subscribed")  # the mobile status went along
    assert harm(sandbox) == {"wrong_person": 1, "duplicates": 1}


def test_somebody_known_by_phone_gets_the_email(sandbox, people, signup):
    by_phone = people.add_person("Ana", phone_number=ANA)
    assert signup(email("ana@example.org", **NO) | phone(ANA)) == by_phone
    assert people.person(by_phone)["email_addresses"][0]["status"] == "unsubscribed"


def test_somebody_known_by_phone_is_merged_into_who_has_the_email(sandbox, people, action_network, signup):
    by_email = people.add_person(email_address="ana@example.org", tags=["Donor"])
    by_phone = people.add_person("Ana", phone_number=ANA, tags=["Donor", "Vol"])
    action_network.get("/people")
    assert signup(email("ana@example.org") | phone(ANA)) == by_email
    merged = people.person(by_email)
    assert (merged["given_name"], merged["tags"]) == ("Ana", ["Donor", "Vol"])
    assert action_network("GET", f"/people/{by_phone}").status == 404
    assert harm(sandbox) == {"wrong_person": 1}


def test_tags_are_added_by_the_names_that_are_there_and_adds_run_before_removes(people, action_network, signup):
    for name in ("Donor", "Vol"):
        action_network("POST", "/tags", {"name": name})
    made = signup(phone(ANA), add_tags=["Donor", "Vol", "Unheard of"], remove_tags=["Vol"])
    assert people.person(made)["tags"] == ["Donor"]
    assert action_network.get("/tags")["total_records"] == 2


def test_a_fresh_tag_may_not_be_found_by_name_yet(people, action_network, signup):
    people.tag_lag = 1
    action_network("POST", "/tags", {"name": "Donor"})
    assert people.person(signup(phone(ANA), add_tags=["Donor"]))["tags"] == []
    assert people.person(signup(phone(ANA), add_tags=["Donor"]))["tags"] == ["Donor"]


def test_in_the_background_everything_looks_well(people, action_network):
    good = action_network("POST", "/people?background_request=true", {"person": phone(ANA)})
    bad = action_network("POST", "/people?background_request=true", {"person": {}})
    assert (good.status, good.json) == (bad.status, bad.json) == (200, {})
    assert len(people) == 1
    known = action_network("POST", "/people?background_processing=true", {"person": phone(ANA)})
    assert "identifiers" in known.json  # that parameter the platform does not know


# Changing -----------------------------------------------------------------------------------------------------------


def test_put_changes_what_is_sent_and_leaves_the_rest(sandbox, people, put, ana, clock):
    clock.tick(5)
    answer = put(ana, {"given_name": "Anna"})
    assert (answer["given_name"], answer["family_name"]) == ("Anna", "Ash")
    assert answer["modified_date"] == "2023-11-14T22:13:25Z"
    assert answer["email_addresses"][0]["status"] == "subscribed"
    assert harm(sandbox) == {}


def test_a_hash_wrapped_in_person_changes_nothing(people, put, ana):
    assert put(ana, {"person": {"given_name": "Anna"}})["given_name"] == "Ana"


def test_put_to_nobody_answers_404(action_network):
    assert action_network("PUT", "/people/x", {}).status == 404


def test_an_email_of_somebody_else_is_left_out_without_a_word(sandbox, people, put, ana):
    ben = people.add_person(email_address="ben@example.org")
    answer = put(ana, email("ben@example.org") | {"given_name": "Anna"})
    assert (answer["email_addresses"][0]["address"], answer["given_name"]) == ("ana@example.org", "Anna")
    assert people.person(ben)["email_addresses"][0]["address"] == "ben@example.org"
    assert harm(sandbox) == {}


def test_an_email_nobody_has_replaces_ones_own_and_keeps_the_status(people, put, ana):
    people.opt_out(ana)
    (entry,) = put(ana, email("anna@example.org"))["email_addresses"]
    assert (entry["address"], entry["status"]) == ("anna@example.org", "unsubscribed")


def test_a_phone_of_somebody_else_moves_here(sandbox, people, put, ana):
    ben = people.add_person(phone_number=BEN, email_address="ben@example.org")
    assert put(ana, phone(BEN))["phone_numbers"][0]["number"] == BEN
    assert "number" not in people.person(ben)["phone_numbers"][0]
    assert harm(sandbox) == {"wrong_person": 1}


def test_a_phone_of_somebody_known_by_phone_alone_merges_them(sandbox, people, action_network, put, ana):
    ben = people.add_person("Ben", phone_number=BEN)
    put(ana, phone(BEN))
    assert action_network("GET", f"/people/{ben}").status == 404
    assert people.person(ana)["given_name"] == "Ana"
    assert harm(sandbox) == {"wrong_person": 1}


def test_a_put_to_somebody_known_by_phone_alone_may_be_answered_by_somebody_else(people, action_network, put, ana):
    ben = people.add_person("Ben", phone_number=BEN)
    action_network.get(f"/people/{ben}")
    answer = put(ben, phone(ANA))
    assert answer["identifiers"] == [f"action_network:{ana}"]
    assert action_network("GET", f"/people/{ben}").status == 404


@pytest.mark.parametrize(("clears", "left"), [(False, ("Ana", "Atlanta", ANA)), (True, (None, None, None))])
def test_a_null_clears_only_when_the_switch_says_so(people, put, ana, clears, left):
    people.nulls_clear = clears
    address = {"postal_addresses": [{"locality": None}]}
    answer = put(ana, {"given_name": None, **address, **phone(None)})
    kept = (answer.get("given_name"), answer["postal_addresses"][0].get("locality"))
    assert (*kept, answer["phone_numbers"][0].get("number")) == left


def test_the_last_of_email_and_phone_cannot_be_cleared(people, put, ana):
    people.nulls_clear = True
    answer = put(ana, {"email_addresses": None, "phone_numbers": None})
    assert answer["email_addresses"] != [] or "number" in answer["phone_numbers"][0]


def test_the_number_of_somebody_without_email_cannot_be_cleared(people, put):
    people.nulls_clear = True
    by_phone = people.add_person(phone_number=ANA)
    assert put(by_phone, phone(None))["phone_numbers"][0]["number"] == ANA


def test_custom_fields_merge_as_text_unknown_names_are_dropped_and_null_clears(people, put, ana):
    for name in ("shirt", "age", "vip"):
        people.custom_field(name)
    assert put(ana, {"custom_fields": {"shirt": "XL", "age": 7, "shoe": "9"}})["custom_fields"] == {
        "shirt": "XL",
        "age": "7",
    }
    assert put(ana, {"custom_fields": {"shirt": None, "vip": True}})["custom_fields"] == {"age": "7", "vip": "1"}


def test_the_country_becomes_the_us_when_another_part_comes_without_it(people, put, ana):
    people.edit_person(ana, country="MX")
    assert (
        put(ana, {"postal_addresses": [{"country": "MX", "region": "SON"}]})["postal_addresses"][0]["country"] == "MX"
    )
    assert put(ana, {"postal_addresses": [{"region": "GA"}]})["postal_addresses"][0]["country"] == "US"


def test_an_unknown_language_becomes_english(put, ana):
    assert put(ana, {"languages_spoken": ["es"]})["languages_spoken"] == ["es"]
    assert put(ana, {"languages_spoken": ["tlh"]})["languages_spoken"] == ["en"]


def test_a_locality_may_slip_the_first_time(people, put, ana):
    people.locality_slips = True
    savannah = {"postal_addresses": [{"locality": "Savannah"}]}
    assert [put(ana, savannah)["postal_addresses"][0]["locality"] for _ in range(2)] == ["Atlanta", "Savannah"]


def test_the_platform_may_tidy_what_it_is_given(people, put, ana):
    people.tidy = True
    answer = put(ana, {"given_name": " Ana  María ", "postal_addresses": [{"region": "ga"}]})
    assert (answer["given_name"], answer["postal_addresses"][0]["region"]) == ("Ana María", "GA")


def test_foreign_identifiers_stay_for_ever_and_belong_to_one(people, put, ana, signup):
    assert put(ana, {"identifiers": ["other:1"]})["identifiers"] == [f"action_network:{ana}", "other:1"]
    assert put(ana, {"identifiers": []})["identifiers"][1:] == ["other:1"]
    assert len(people.person(signup(phone(BEN) | {"identifiers": ["other:1"]}))["identifiers"]) == 1


# Consent ------------------------------------------------------------------------------------------------------------


def test_unsubscribing_needs_no_reading_first_and_no_address(sandbox, people, put):
    ana = people.add_person(phone_number=ANA, email_address="ana@example.org", phone_status="subscribed")
    answer = put(ana, {"email_addresses": [NO], **phone(ANA, **NO)})
    assert answer["email_addresses"][0]["status"] == answer["phone_numbers"][0]["status"] == "unsubscribed"
    assert harm(sandbox) == {}


@pytest.mark.parametrize("act", ["opt_out", "bounce", "complain"])
def test_subscribed_overrides_what_was_said_before_and_that_is_harm(sandbox, people, action_network, signup, ana, act):
    getattr(people, act)(ana)
    action_network.get(f"/people/{ana}")
    assert signup(email("ana@example.org", status="subscribed")) == ana
    assert people.person(ana)["email_addresses"][0]["status"] == "subscribed"
    assert harm(sandbox) == {"resubscribed": 1}


def test_subscribed_for_who_is_subscribed_is_no_harm(sandbox, put, ana):
    put(ana, email("ana@example.org", status="subscribed"))
    assert harm(sandbox) == {}


def test_a_status_the_api_cannot_write_is_passed_over(people, put, ana):
    assert put(ana, email("ana@example.org", status="bouncing"))["email_addresses"][0]["status"] == "subscribed"


def test_without_a_status_an_unsubscribe_stays(sandbox, people, signup, put, ana):
    people.opt_out(ana)
    people.opt_out(ana, "sms")
    put(ana, {"given_name": "Anna"})
    signup(email("ana@example.org") | phone(ANA))
    shown = people.person(ana)
    assert shown["email_addresses"][0]["status"] == shown["phone_numbers"][0]["status"] == "unsubscribed"
    assert "resubscribed" not in harm(sandbox)


def test_switching_texts_on_is_harm_for_somebody_who_is_there(sandbox, put, ana):
    put(ana, phone(ANA, status="subscribed"))
    assert harm(sandbox) == {"resubscribed": 1}


def test_somebody_new_who_said_no_elsewhere_must_not_be_texted(sandbox, strive, signup):
    sandbox.strive.add_member(phone_number=f"+{ANA}", opt_in=False)
    signup(phone(ANA, status="subscribed"))
    assert harm(sandbox) == {}  # the client has not called Strive: it cannot know
    strive.get("/members")
    sandbox.strive.add_member(phone_number=f"+{BEN}", opt_in=False)
    signup(phone(BEN, status="subscribed"))
    assert harm(sandbox) == {"resubscribed": 1}


def test_only_a_refusal_is_a_no_to_the_other_platforms(people):
    ana = people.add_person(phone_number=ANA)
    assert not people.says_no(ANA)  # unsubscribed by default
    people.opt_out(ana, "sms")
    assert people.says_no(ANA)
    people.opt_in(ana, "sms")
    assert not people.says_no(ANA)
    people.add_person(phone_number=BEN, phone_status="unsubscribed")
    assert people.says_no(BEN)


# Blind writes and people's own hands --------------------------------------------------------------------------------


def test_a_write_to_somebody_changed_since_they_were_read_is_blind(sandbox, people, put, ana):
    people.edit_person(ana, family_name="Birch")
    put(ana, {"given_name": "Anna"})
    assert harm(sandbox) == {"blind_writes": 1}
    put(ana, {"given_name": "Anne"})  # the answer showed them
    assert harm(sandbox) == {"blind_writes": 1}


def test_a_signup_over_somebody_never_read_is_blind(sandbox, people, signup):
    people.add_person(email_address="ana@example.org")
    signup(email("ana@example.org"))
    assert harm(sandbox) == {}  # says only who is meant
    people.edit_person(people.people()[0]["id"], given_name="Ana")
    signup(email("ana@example.org") | {"given_name": "Anna"})
    assert harm(sandbox) == {"blind_writes": 1}


def test_an_edit_nobody_could_have_read_yet_makes_no_write_blind_and_is_not_lost(sandbox, people, put, ana):
    with people.late(requests=5):
        people.edit_person(ana, family_name="Birch")
    answer = put(ana, {"given_name": "Anna"})
    assert (answer["given_name"], answer["family_name"]) == ("Anna", "Birch")
    assert harm(sandbox) == {}


def test_what_people_do_by_hand_is_never_harm(sandbox, people, ana):
    people.opt_out(ana)
    people.opt_in(ana)
    people.add_person(email_address="ben@example.org", phone_number=ANA)
    people.edit_person(ana, phone_number=ANA, given_name=None)
    assert "given_name" not in people.person(ana)
    assert harm(sandbox) == {}


def test_staff_cannot_give_somebodys_email_to_another_nor_a_number_that_is_none(people, ana):
    ben = people.add_person(email_address="ben@example.org")
    for columns in ({"email_address": "ana@example.org"}, {"phone_number": "12"}, {"shoe": "9"}, {"email_status": "x"}):
        with pytest.raises(ValueError, match=r"somebody else|no phone|no shoe|no such status"):
            people.edit_person(ben, **columns)


# Taggings -----------------------------------------------------------------------------------------------------------


def test_a_tag_is_made_once_and_a_person_tagged_once(people, action_network, ana):
    first, second = (action_network("POST", "/tags", {"name": "Donor"}) for _ in range(2))
    assert own_id(first) == own_id(second)
    path, link = f"/tags/{own_id(first)}/taggings", {"href": f"https://actionnetwork.org/api/v2/people/{ana}"}
    one, two = (action_network("POST", path, {"_links": {"osdi:person": link}}) for _ in range(2))
    assert own_id(one) == own_id(two)
    assert people.person(ana)["tags"] == ["Donor"]
    assert action_network.get(f"{path}/{own_id(one)}")["_links"]["osdi:person"]["href"].endswith(ana)


def test_a_tagging_is_taken_away_by_its_id_and_only_below_its_tag(people, action_network, ana):
    people.tag(ana, "Donor")
    people.tag(ana, "Vol")
    donor, vol = (own_id(action_network("POST", "/tags", {"name": name})) for name in ("Donor", "Vol"))
    (tagging,) = action_network.get(f"/tags/{donor}/taggings")["_embedded"]["osdi:taggings"]
    tagging_id = tagging["identifiers"][0].partition(":")[2]
    assert action_network("DELETE", f"/tags/{vol}/taggings/{tagging_id}").status == 404
    assert action_network("DELETE", f"/tags/{donor}/taggings/{tagging_id}").status == 200
    assert action_network("DELETE", f"/tags/{donor}/taggings/{tagging_id}").status == 404
    assert people.person(ana)["tags"] == ["Vol"]


def test_a_tagging_needs_somebody(action_network):
    tag = own_id(action_network("POST", "/tags", {"name": "Donor"}))
    assert action_network("POST", f"/tags/{tag}/taggings", {}).status == 500
    link = {"_links": {"osdi:person": {"href": "https://actionnetwork.org/api/v2/people/x"}}}
    assert action_network("POST", f"/tags/{tag}/taggings", link).status == 404
    assert action_network("POST", "/tags", {"name": " "}).status == 500
