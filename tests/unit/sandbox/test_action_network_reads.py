"""Reading Action Network: pages without an end, filters without an order, records fuller than they seem."""

from urllib.parse import quote, urlsplit

import pytest

ANA, BEN = "+12025550101", "+12025550102"


def filtered(client, text, **params):
    more = "".join(f"&{name}={value}" for name, value in params.items())
    return client.get(f"/people?filter={quote(text)}{more}")["_embedded"]["osdi:people"]


def ids(people):
    return [person["identifiers"][0].removeprefix("action_network:") for person in people]


@pytest.fixture
def three(sandbox, clock):
    """Three people, made ten seconds apart."""
    made = []
    for name in ("Ana", "Ben", "Cy"):
        made.append(sandbox.action_network.add_person(name, "Ash", email_address=f"{name}@example.org", region="GA"))
        clock.tick(10)
    return made


@pytest.mark.parametrize("token", ["", "wrong-key-123"])
def test_without_the_key_the_answer_is_403_and_repeats_what_was_sent(action_network, token):
    action_network.token = token
    answer = action_network("GET", "/people")
    assert answer.status == 403
    assert token in answer.json["error"]
    assert "people" not in answer.json


def test_the_entry_point_leads_to_people(action_network):
    assert action_network.get("")["_links"]["osdi:people"]["href"].endswith("/action_network/api/v2/people")


def test_a_person_is_shown_as_the_platform_shows_one(sandbox, action_network):
    ana = sandbox.action_network.add_person(
        "Ana", "Ash", "(202) 555-0101", "ana@example.org", street="1 Main St", locality="Atlanta", region="GA",
        postal_code="30303", language="es", custom_fields={"shirt": "XL"},
    )  # fmt: skip
    person = action_network.get(f"/people/{ana}")
    assert person["identifiers"] == [f"action_network:{ana}"]
    assert person["created_date"] == person["modified_date"] == "2023-11-14T22:13:20Z"
    assert person["email_addresses"] == [{"primary": True, "address": "ana@example.org", "status": "subscribed"}]
    phone = {"primary": True, "number": "12025550101", "number_type": "Mobile", "status": "unsubscribed"}
    assert person["phone_numbers"] == [phone]
    address = person["postal_addresses"][0]
    assert (address["address_lines"], address["locality"], address["country"]) == (["1 Main St"], "Atlanta", "US")
    assert address["location"]["accuracy"] == "Approximate"
    assert (person["languages_spoken"], person["custom_fields"]) == (["es"], {"shirt": "XL"})
    assert urlsplit(person["_links"]["self"]["href"]).path == f"/action_network/api/v2/people/{ana}"


def test_a_person_of_an_email_only_has_no_names_a_phone_without_number_and_a_country(sandbox, action_network):
    person = action_network.get(f"/people/{sandbox.action_network.add_person(email_address='ana@example.org')}")
    assert "given_name" not in person
    assert "number" not in person["phone_numbers"][0]
    assert (person["postal_addresses"][0]["region"], person["postal_addresses"][0]["country"]) == ("", "US")


def test_text_that_looks_like_a_link_of_ours_stays_as_it_is(sandbox, action_network):
    ana = sandbox.action_network.add_person("\\u0000/x", email_address="ana@example.org")
    assert action_network.get(f"/people/{ana}")["given_name"] == "\\u0000/x"


def test_somebody_gone_answers_404_in_the_platforms_words(sandbox, action_network, three):
    sandbox.action_network.delete_person(three[0])
    answer = action_network("GET", f"/people/{three[0]}")
    assert (answer.status, answer.json) == (404, {"error": f"Couldn't find person with id = {three[0]}"})
    assert three[0] not in ids(action_network.get("/people")["_embedded"]["osdi:people"])


def test_pages_hold_25_at_most_tell_no_totals_and_only_an_empty_one_has_no_next(sandbox, action_network):
    for number in range(30):
        sandbox.action_network.add_person(email_address=f"p{number}@example.org")
    first, second, third = (action_network.get(f"/people?page={page}&per_page=100") for page in (1, 2, 3))
    assert [len(page["_embedded"]["osdi:people"]) for page in (first, second, third)] == [25, 5, 0]
    assert ["next" in page["_links"] for page in (first, second, third)] == [True, True, False]
    assert "total_records" not in first
    assert first["per_page"] == 25


def test_the_next_link_leads_to_the_next_page_of_the_same_question(sandbox, action_network, three):
    sandbox.action_network.edit_person(three[0], region="IL")
    sandbox.action_network.edit_person(three[1], family_name="Birch")
    filter_ = quote("region eq 'GA'")
    link = urlsplit(action_network.get(f"/people?per_page=1&filter={filter_}")["_links"]["next"]["href"])
    path = link.path.removeprefix("/action_network/api/v2")
    assert ids(action_network.get(f"{path}?{link.query}")["_embedded"]["osdi:people"]) == [three[1]]


def test_whoever_is_written_moves_to_the_end_so_that_pages_shift(sandbox, action_network, three):
    first = ids(action_network.get("/people?per_page=1")["_embedded"]["osdi:people"])
    sandbox.action_network.edit_person(three[0], given_name="Anna")
    second = ids(action_network.get("/people?per_page=1&page=2")["_embedded"]["osdi:people"])
    assert first + second == [three[0], three[2]]  # Ben was skipped


def test_modified_date_gt_is_exclusive_and_joins_with_lt(action_network, three):
    at = "2023-11-14T22:13:{}Z".format
    assert ids(filtered(action_network, f"modified_date gt '{at(20)}'")) == three[1:]
    window = f"modified_date gt '{at(19)}' and modified_date lt '{at(40)}'"
    assert ids(filtered(action_network, window)) == three[:2]
    assert ids(filtered(action_network, f"modified_date eq '{at(30)}'")) == three[1:2]


@pytest.mark.parametrize(
    "text",
    [
        "email_address eq 'BEN@example.org'",
        "given_name eq 'ben'",
        "given_name gt 'Ana' and given_name lt 'Cy'",
        "region eq 'ga' and created_date eq '2023-11-14T22:13:30Z'",
    ],
)
def test_other_fields_filter_whatever_the_case(action_network, three, text):
    assert ids(filtered(action_network, text)) == [three[1]]


def test_phone_identifier_and_a_doubled_quote_are_found(sandbox, action_network):
    ana = sandbox.action_network.add_person(family_name="O'Neill", phone_number=ANA, email_address="o'n+1@example.org")
    sandbox.action_network.add_person(phone_number=BEN)
    questions = ("phone_number eq '(202) 555-0101'", f"identifier eq 'action_network:{ana}'")
    questions += ("family_name eq 'O''Neill'", "email_address eq 'o''n+1@example.org'")
    assert [ids(filtered(action_network, question)) for question in questions] == [[ana]] * 4


@pytest.mark.parametrize(
    "text", ["shoe_size eq '9'", "given_name ge 'A'", "given_name eq Ana", "x", "given_name eq 'A' or"]
)
def test_an_unknown_filter_is_refused(sandbox, action_network, text):
    assert action_network("GET", f"/people?filter={quote(text)}").status == 500
    sandbox.action_network.bad_is_500 = False
    assert action_network("GET", f"/people?filter={quote(text)}").status == 400


def test_with_search_lag_what_was_just_written_is_missing_from_filtered_queries_only(sandbox, action_network, three):
    sandbox.action_network.search_lag = 2
    action_network.get("")
    action_network.get("")
    sandbox.action_network.edit_person(three[0], given_name="Anna")
    question = "region eq 'GA'"
    assert len(filtered(action_network, question)) == 2
    assert len(action_network.get("/people")["_embedded"]["osdi:people"]) == 3
    assert len(filtered(action_network, question)) == 3


def test_late_writes_show_late_with_the_time_they_were_made(sandbox, action_network, clock):
    with sandbox.action_network.late(requests=1):
        sandbox.action_network.add_person(email_address="ana@example.org", tags=["Donor"])
    clock.tick(60)
    assert action_network.get("/people")["_embedded"]["osdi:people"] == []
    (ana,) = action_network.get("/people")["_embedded"]["osdi:people"]
    assert ana["modified_date"] == "2023-11-14T22:13:20Z"
    assert sandbox.action_network.people()[0]["tags"] == ["Donor"]


def test_custom_fields_are_listed_by_name(sandbox, action_network):
    sandbox.action_network.custom_field("shirt")
    (field,) = action_network.get("/metadata/custom_fields")["action_network:custom_fields"]
    assert field["name"] == "shirt"


def test_tags_and_their_taggings_have_totals(sandbox, action_network, three):
    for person in three:
        sandbox.action_network.tag(person, "Donor")
    tags = action_network.get("/tags")
    assert (tags["total_records"], tags["_embedded"]["osdi:tags"][0]["name"]) == (1, "Donor")
    path = urlsplit(tags["_embedded"]["osdi:tags"][0]["_links"]["osdi:taggings"]["href"]).path
    taggings = action_network.get(path.removeprefix("/action_network/api/v2") + "?per_page=2")
    assert (taggings["total_records"], taggings["total_pages"]) == (3, 2)
    people = [
        tagging["_links"]["osdi:person"]["href"].rpartition("/")[2]
        for tagging in taggings["_embedded"]["osdi:taggings"]
    ]
    assert people == three[:2]
    assert action_network.get(f"/people/{three[2]}/taggings")["total_records"] == 1


@pytest.mark.parametrize("touch", [True, False])
def test_the_switch_says_whether_tagging_moves_modified_date(sandbox, clock, three, touch):
    sandbox.action_network.taggings_touch = touch
    before = sandbox.action_network.person(three[0])["modified_date"]
    sandbox.action_network.tag(three[0], "Donor")
    assert (sandbox.action_network.person(three[0])["modified_date"] != before) is touch


@pytest.mark.parametrize(
    "path", ["/people/x", "/tags/x", "/advocacy_campaigns/x", "/tags/x/taggings", "/nothing", "/people/x/shoes"]
)
def test_what_is_not_there_answers_404(action_network, path):
    assert action_network("GET", path).status == 404
