"""Reading Strive: PostgREST to the letter, caps and all."""

import pytest

COLUMNS = (
    "id campaign_id phone_number first_name last_name city state postal_code email notes additional_notes opt_in "
    "custom created_at updated_at groups carrier first_sub_id street_address van_id ak_id"
)
ANA, BEN, CLEO = "+12025550101", "+12025550102", "+12025550103"


@pytest.fixture
def three(sandbox, clock):
    """Ana, Ben and Cleo, one second apart."""
    ids = []
    for phone, name, state in ((ANA, "Ana", "GA"), (BEN, 'Ben, "B"', "IL"), (CLEO, None, "GA")):
        ids.append(sandbox.strive.add_member(phone_number=phone, first_name=name, state=state))
        clock.tick()
    return ids


def names(rows):
    return [row["first_name"] for row in rows]


def test_a_row_has_every_documented_column_and_times_with_zeros_trimmed(three, strive):
    row = strive.get(f"/members?id=eq.{three[0]}")[0]
    assert " ".join(row) == COLUMNS
    assert row["updated_at"] == "2023-11-14T22:13:20.25+00:00"


def test_times_have_microseconds_or_no_fraction_at_all(sandbox, strive, clock):
    clock.time = 1_700_000_000.0
    sandbox.strive.add_member(phone_number=ANA)
    clock.time = 1_700_000_000.000123
    sandbox.strive.add_member(phone_number=BEN)
    times = [row["created_at"] for row in strive.get("/members?order=id.asc")]
    assert times == ["2023-11-14T22:13:20+00:00", "2023-11-14T22:13:20.000123+00:00"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("first_name=eq.Ana", ["Ana"]),
        ("first_name=neq.Ana", ['Ben, "B"']),  # NULL is neither equal nor unequal
        ("first_name=not.eq.Ana", ['Ben, "B"']),
        ("first_name=isdistinct.Ana", ['Ben, "B"', None]),
        ("first_name=is.null", [None]),
        ("first_name=not.is.null", ["Ana", 'Ben, "B"']),
        ("opt_in=is.true&state=eq.GA", ["Ana", None]),
        ("first_name=like.A*", ["Ana"]),
        ("first_name=ilike.a%25", ["Ana"]),
        ("phone_number=in.(%2B12025550101,%2B12025550103)", ["Ana", None]),
        ("first_name=in.(%22Ben,%20\\%22B\\%22%22,Nobody)", ['Ben, "B"']),
        ("id=in.()", []),
        ("id=gt.1001&id=lte.1002", ['Ben, "B"']),
        ("or=(state.eq.IL,first_name.is.null)", ['Ben, "B"', None]),
        ("or=(id.gt.1002,and(id.eq.1001,state.eq.GA))", ["Ana", None]),
        ("not.or=(state.eq.IL,first_name.is.null)", ["Ana"]),
        ("or=(first_name.in.(Ana,Zoe),id.eq.1003)", ["Ana", None]),
        ("order=id.desc&limit=2", [None, 'Ben, "B"']),
        ("order=state.desc,id.asc&offset=1", ["Ana", None]),
        ("order=first_name.desc", [None, 'Ben, "B"', "Ana"]),  # NULLS FIRST, as PostgreSQL does for DESC
        ("order=first_name.desc.nullslast", ['Ben, "B"', "Ana", None]),
        ("campaign_id=eq.999", []),
    ],
)
def test_filters_and_orders(three, strive, query, found):
    order = "" if "order=" in query else "&order=id.asc"
    assert names(strive.get(f"/members?{query}{order}")) == found


def test_keyset_paging_by_time_and_id_reads_every_row_once(sandbox, strive):
    ids = [sandbox.strive.add_member(phone_number=f"+120255501{n:02d}") for n in range(7)]  # all in one instant
    seen, last = [], ("2000-01-01T00:00:00Z", 0)
    while True:
        tree = f"(updated_at.gt.{last[0]},and(updated_at.eq.{last[0]},id.gt.{last[1]}))".replace("+", "%2B")
        page = strive.get(f"/members?or={tree}&order=updated_at.asc,id.asc&limit=3")
        if not page:
            break
        seen += [row["id"] for row in page]
        last = (page[-1]["updated_at"], page[-1]["id"])
    assert seen == ids


def test_an_index_never_changes_what_a_query_finds(sandbox, strive, clock):
    for n in range(20):
        member = sandbox.strive.add_member(phone_number=f"+120255501{n:02d}", state="GA" if n % 3 else "IL")
        clock.tick()
        if n % 4 == 0:
            sandbox.strive.edit_member(member - n // 2, city=f"City {n}")
    everyone = sandbox.strive.members()
    middle = sorted(row["updated_at"] for row in everyone)[10]
    for op, keep in (("gt", lambda at: at > middle), ("lte", lambda at: at <= middle)):
        for direction in ("asc", "desc"):
            query = (
                f"updated_at={op}.{middle.replace('+', '%2B')}&state=eq.GA&order=updated_at.{direction},id.{direction}"
            )
            wanted = [row for row in everyone if keep(row["updated_at"]) and row["state"] == "GA"]
            wanted.sort(key=lambda row: (row["updated_at"], row["id"]), reverse=direction == "desc")
            assert strive.get(f"/members?{query}") == wanted


def test_a_large_limit_is_cut_without_a_word(sandbox, three, strive):
    sandbox.strive.max_rows = 2
    answer = strive("GET", "/members?order=id.asc&limit=500")
    assert (answer.status, len(answer.json)) == (200, 2)
    assert answer.headers["Content-Range"] == "0-1/*"
    assert len(strive.get("/members?id=gt.1002&order=id.asc&limit=500")) == 1


def test_past_the_end_there_is_an_empty_page_unless_a_count_was_asked_for(three, strive):
    assert strive.get("/members?offset=10") == []
    counted = strive("GET", "/members?offset=10", Prefer="count=exact")
    assert (counted.status, counted.json["code"]) == (416, "PGRST103")
    part = strive("GET", "/members?limit=2", Prefer="count=exact")
    assert (part.status, part.headers["Content-Range"]) == (206, "0-1/3")


def test_without_an_order_an_edit_between_two_pages_hides_a_row(sandbox, three, strive):
    first = strive.get("/members?limit=1&offset=0")
    sandbox.strive.edit_member(first[0]["id"], city="Atlanta")
    second = strive.get("/members?limit=1&offset=1")
    assert three[1] not in {first[0]["id"], second[0]["id"]}


def test_an_unencoded_plus_is_a_space(three, strive):
    assert strive.get("/members?phone_number=eq.+12025550101") == []
    assert names(strive.get("/members?phone_number=eq.%2B12025550101")) == ["Ana"]
    late = strive("GET", "/members?updated_at=gt.2023-11-14T22:13:20.25+00:00")
    assert (late.status, late.json["code"]) == (400, "22007")


def test_select_gives_only_those_columns(three, strive):
    assert strive.get("/members?select=id,name:first_name&id=eq.1001") == [{"id": 1001, "name": "Ana"}]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/members?nickname=eq.A", 400, "42703"),
        ("/members?order=nickname", 400, "42703"),
        ("/members?select=nickname", 400, "42703"),
        ("/nothing", 404, "PGRST205"),
        ("/members?id=eq.abc", 400, "22P02"),
        ("/members?id=like", 400, "PGRST100"),
        ("/members?opt_in=is.maybe", 400, "PGRST100"),
        ("/members?limit=many", 400, "PGRST100"),
        ("/members?first_name=fts.x", 501, "SANDBOX"),
        ("/members?custom->>lang=eq.en", 501, "SANDBOX"),
        ("/members?select=id,groups(name)", 501, "SANDBOX"),
    ],
)
def test_what_it_cannot_do_it_refuses(strive, path, status, code):
    answer = strive("GET", path)
    assert (answer.status, answer.json["code"]) == (status, code)


def test_a_wrong_key_and_no_key_are_refused(strive):
    strive.authorization = "Bearer wrong"
    answer = strive("GET", "/members")
    assert (answer.status, answer.json["code"]) == (401, "PGRST301")
    strive.authorization = ""
    assert strive("GET", "/rpc/ping").status == 401


def test_the_root_lists_the_tables_and_ping_answers(sandbox, strive):
    assert strive.get("/rpc/ping") == "pong"
    assert strive("POST", "/rpc/ping").status == 200
    root = strive.get("/")
    assert {"members", "member_changes", "groups_members"} <= root["definitions"].keys()
    assert "/rpc/ping" in root["paths"]
    sandbox.strive.change_log = "member_change_log"
    assert "member_change_log" in strive.get("/")["definitions"]
    sandbox.strive.change_log = None
    assert not any("change" in name for name in strive.get("/")["definitions"])
    assert strive("GET", "/member_changes").status == 404


def test_every_edit_leaves_one_change_row_a_field_with_its_origin(sandbox, three, strive):
    sandbox.strive.edit_member(three[0], how="csv", city="Atlanta", custom={"lang": "es"})
    rows = strive.get(f"/member_changes?member_id=eq.{three[0]}&change_type=eq.csv&order=id.asc")
    assert [(row["key"], row["prior_value"], row["updated_value"]) for row in rows] == [
        ("city", None, "Atlanta"),
        ("custom", "{}", '{"lang":"es"}'),
    ]
    assert rows[1]["previous_value"] == {"custom": {}}
    assert rows[0]["updated_at"] == sandbox.strive.member(three[0])["updated_at"]


def test_an_opt_out_is_in_the_row_the_change_log_and_the_subscription_events(sandbox, three, strive):
    sandbox.strive.opt_out(three[1], how="deac")
    assert strive.get("/members?opt_in=is.false")[0]["id"] == three[1]
    change = strive.get("/member_changes?key=eq.opt_in&change_action=eq.update")[0]
    assert (change["change_type"], change["updated_value"]) == ("deac", "false")
    event = strive.get("/subscription_events?unsubscribe=is.true")[0]
    assert (event["member_id"], event["type"]) == (three[1], "deac")


def test_groups_show_in_the_member_in_their_tables_and_in_the_delete_log(sandbox, three, strive):
    sandbox.strive.add_to_group(three[0], "Volunteer")
    group = strive.get("/groups")[0]
    assert strive.get(f"/members?id=eq.{three[0]}")[0]["groups"] == [{"id": group["id"], "name": "Volunteer"}]
    assert strive.get("/groups_members")[0]["group_id"] == group["id"]
    sandbox.strive.remove_from_group(three[0], "Volunteer")
    assert strive.get(f"/members?id=eq.{three[0]}")[0]["groups"] is None
    assert strive.get("/groups_members") == []
    assert strive.get("/member_group_delete_log")[0]["member_id"] == three[0]


@pytest.mark.parametrize("touch", [True, False])
def test_whether_groups_move_updated_at_is_a_switch(sandbox, three, clock, touch):
    sandbox.strive.groups_touch = touch
    before = sandbox.strive.member(three[0])["updated_at"]
    clock.tick(60)
    sandbox.strive.add_to_group(three[0], "Donor")
    assert (sandbox.strive.member(three[0])["updated_at"] != before) == touch


def test_a_deleted_member_is_gone_from_every_table(sandbox, three, strive):
    sandbox.strive.add_to_group(three[0], "Donor")
    sandbox.strive.delete_member(three[0])
    assert strive.get(f"/members?id=eq.{three[0]}") == []
    assert strive.get("/groups_members") == []
