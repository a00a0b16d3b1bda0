"""Reading Telerivet: markers, filters with modifiers, and the ones it ignores without a word."""

import base64

import pytest

from daemon.sandbox.telerivet_record import PROJECT


@pytest.fixture
def four(sandbox, clock):
    """Four contacts, ten seconds apart."""
    ids = []
    for number, name in enumerate(("Ana García", "ben", "Ben", None)):
        variables = {"email": f"p{number}@example.org", "gift": number * 10}
        ids.append(sandbox.telerivet.add_contact(name=name, phone_number=f"+120255501{number:02d}", vars=variables))
        clock.tick(10)
    return ids


def ids(page):
    return [row["id"] for row in page["data"]]


def test_a_contact_looks_as_documented(four, telerivet):
    row = telerivet.get(f"/contacts/{four[0]}")
    assert (row["name"], row["phone_number"], row["send_blocked"]) == ("Ana García", "+12025550100", False)
    assert (row["time_created"], row["time_updated"]) == (1_700_000_000, 1_700_000_000)  # whole seconds
    assert row["vars"] == {"email": "p0@example.org", "gift": 0}
    assert (row["group_ids"], row["conversation_status"]) == ([], "closed")
    assert not any(name.startswith("_") for name in row)


def test_pages_follow_the_marker_and_truncated_may_precede_an_empty_page(four, telerivet):
    first = telerivet.get("/contacts?page_size=2")
    assert (ids(first), first["truncated"], first["next_marker"]) == (four[:2], True, four[1])
    second = telerivet.get(f"/contacts?page_size=2&marker={first['next_marker']}")
    assert (ids(second), second["truncated"]) == (four[2:], True)
    third = telerivet.get(f"/contacts?page_size=2&marker={second['next_marker']}")
    assert (third["data"], third["truncated"], third["next_marker"]) == ([], False, None)


def test_a_marker_outlives_its_contact(sandbox, four, telerivet):
    sandbox.telerivet.delete_contact(four[1])
    assert ids(telerivet.get(f"/contacts?marker={four[1]}")) == four[2:]
    assert telerivet("GET", "/contacts?marker=CTnone").status == 400


def test_offsets_skip_when_somebody_is_deleted_and_markers_do_not(sandbox, four, telerivet):
    telerivet.get("/contacts?page_size=2")
    sandbox.telerivet.delete_contact(four[0])
    assert ids(telerivet.get("/contacts?page_size=2&offset=2")) == [four[3]]
    assert ids(telerivet.get(f"/contacts?page_size=2&marker={four[1]}")) == four[2:]


def test_pages_are_50_by_default_and_cut_at_the_maximum(sandbox, telerivet):
    for number in range(60):
        sandbox.telerivet.add_contact(name=f"N{number}")
    assert len(telerivet.get("/contacts")["data"]) == 50
    sandbox.telerivet.page_max = 20
    assert len(telerivet.get("/contacts?page_size=500")["data"]) == 20


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("time_updated[min]=1700000015", [0, 1, 2, 3]),  # unknown to the query: ignored
        ("time_updated=1", [0, 1, 2, 3]),
        ("time_created[min]=1700000010", [1, 2, 3]),
        ("time_created[min]=1700000010&time_created[max]=1700000030", [1, 2]),
        ("name=BEN", [1, 2]),
        ("name[prefix]=ana%20g", [0]),
        ("name[ne]=ben", [0, 3]),
        ("phone_number=%2B12025550102", [2]),
        ("phone_number=+12025550102", []),  # an unencoded plus is a space
        ("phone_number=2025550102", []),  # the query is exact, the look-up of a POST is not
        ("vars[email]=P3@example.org", [3]),
        ("vars%5Bemail%5D=p3@example.org", [3]),
        ("vars[gift][min]=20", [2, 3]),
        ("vars[none][exists]=0", [0, 1, 2, 3]),
        ("send_blocked=1", [2]),
        ("send_blocked=false", [0, 1, 3]),
        ("sort=name&sort_dir=desc", [2, 1, 0, 3]),
        ("sort_dir=desc", [3, 2, 1, 0]),
        ("last_incoming_message_time[exists]=1", []),
    ],
)
def test_filters(sandbox, four, telerivet, query, places):
    sandbox.telerivet.block(four[2])
    assert ids(telerivet.get(f"/contacts?{query}")) == [four[place] for place in places]


def test_count_counts_instead_of_listing(four, telerivet):
    assert telerivet.get("/contacts?count=1&name=ben") == {"count": 2}


@pytest.mark.parametrize("query", ["sort=time_updated", "page_size=0", "page_size=many", "offset=x"])
def test_bad_parameters_are_refused(telerivet, query):
    answer = telerivet("GET", f"/contacts?{query}")
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_param")


def test_groups_are_found_whatever_the_case_and_list_their_contacts(sandbox, four, telerivet):
    group = telerivet("POST", "/groups", {"name": "Volunteer"}).json
    again = telerivet("POST", "/groups", {"name": "volunteer"}).json
    assert (again["id"], again["name"]) == (group["id"], "Volunteer")
    sandbox.telerivet.add_to_group(four[1], "VOLUNTEER")
    assert ids(telerivet.get(f"/groups/{group['id']}/contacts")) == [four[1]]
    assert ids(telerivet.get(f"/contacts?group_id={group['id']}")) == [four[1]]
    listed = telerivet.get("/groups")["data"]
    assert [(row["name"], row["num_members"], row["dynamic"]) for row in listed] == [("Volunteer", 1, False)]
    assert telerivet.get("/groups?name=nobody")["data"] == []


def test_the_key_is_checked_in_the_header_or_the_query(sandbox, telerivet):
    telerivet.authorization = "Basic " + base64.b64encode(b"wrong:").decode()
    assert telerivet("GET", "").status == 401
    assert telerivet.get("?api_key=sandbox-telerivet-key")["id"] == PROJECT
    assert "error" in telerivet("GET", "").json


def test_what_is_not_there_is_404_and_what_is_not_allowed_405(telerivet):
    assert telerivet("GET", "/contacts/CTnone").status == 404
    assert telerivet("GET", "/groups/CGnone").status == 404
    assert telerivet("GET", "/services").status == 404
    assert telerivet("DELETE", "/contacts").status == 405
    telerivet.prefix = telerivet.prefix[:-1] + "0"
    assert telerivet("GET", "").status == 404


def test_an_unpaid_account_answers_402(sandbox, telerivet):
    sandbox.telerivet.unpaid = True
    assert telerivet("GET", "/contacts").status == 402


def test_without_dynamic_groups_the_route_is_unknown_and_not_described(sandbox, telerivet):
    route = "/v1/projects/{project_id}/create_group"
    body = {"name": "rosterd feed", "filters": {"time_updated": {"gte": 0}}}
    assert telerivet("POST", "/create_group", body).status == 404
    telerivet.prefix = "/telerivet"
    assert route not in telerivet.get("/openapi.json")["paths"]
    sandbox.telerivet.dynamic_groups = True
    assert route in telerivet.get("/openapi.json")["paths"]


def test_a_dynamic_group_lists_who_changed_since(sandbox, four, telerivet, clock):
    sandbox.telerivet.dynamic_groups = True
    body = {"name": "rosterd feed", "filters": {"time_updated": {"gte": 1_700_000_020}}}
    group = telerivet("POST", "/create_group", body).json
    assert (group["dynamic"], group["num_members"]) == (True, None)
    where = f"/groups/{group['id']}"
    assert ids(telerivet.get(f"{where}/contacts")) == four[2:]
    assert telerivet("POST", where, {"filters": {"time_updated": {"gte": int(clock())}}}).status == 200
    sandbox.telerivet.edit_contact(four[0], vars={"email": None})
    assert ids(telerivet.get(f"{where}/contacts")) == [four[0]]
    assert telerivet("PUT", f"{where}/contacts/{four[1]}").status == 400
    assert telerivet.get(f"/contacts/{four[0]}")["group_ids"] == []


@pytest.mark.parametrize("filters", [{"time_updated": {"gt": 1}}, {"nickname": "A"}, ["x"]])
def test_a_dynamic_group_takes_only_the_filters_it_knows(sandbox, telerivet, filters):
    sandbox.telerivet.dynamic_groups = True
    assert telerivet("POST", "/create_group", {"name": "feed", "filters": filters}).status == 400
    assert telerivet.get("/groups")["data"] == []
