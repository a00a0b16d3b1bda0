"""Writing to Strive: the POST that blanks, the PATCH that hits everybody, and what is counted."""

import pytest

ANA, BEN = "+12025550101", "+12025550102"
FULL = {"Prefer": "return=representation"}


@pytest.fixture
def ana(sandbox):
    return sandbox.strive.add_member(
        phone_number=ANA, first_name="Ana", notes="call", email="ana@example.org", van_id=7, custom={"lang": "es"}
    )


def post(strive, **row):
    return strive("POST", "/members", {"phone_number": ANA, "campaign_id": 273, **row}, **FULL)


def harm(sandbox):
    return {kind: count for kind, count in sandbox.harm().items() if count}


def test_post_creates_with_everything_left_out_null(sandbox, strive):
    answer = post(strive, first_name="Ana")
    assert (answer.status, answer.json[0]["first_name"], answer.json[0]["opt_in"]) == (201, "Ana", None)
    assert harm(sandbox) == {}


def test_post_without_prefer_answers_with_nothing(strive):
    answer = strive("POST", "/members", {"phone_number": ANA, "campaign_id": 273})
    assert (answer.status, answer.raw) == (201, b"")


def test_a_partial_post_blanks_what_it_leaves_out_and_that_is_counted(sandbox, ana, strive):
    sandbox.strive.add_to_group(ana, "Donor")
    before = sandbox.strive.member(ana)
    row = post(strive, first_name="Anna", custom={"gift": 5}, groups=[{"name": "Volunteer"}]).json[0]
    assert (row["first_name"], row["notes"], row["van_id"], row["opt_in"]) == ("Anna", None, None, None)
    assert row["custom"] == {"lang": "es", "gift": 5}
    assert [group["name"] for group in row["groups"]] == ["Donor", "Volunteer"]
    assert [row[name] for name in ("id", "created_at", "first_sub_id")] == [
        before[name] for name in ("id", "created_at", "first_sub_id")
    ]
    assert harm(sandbox) == {"fields_nulled": 4}  # notes, email, van_id, opt_in


def test_posting_the_complete_row_harms_nothing(sandbox, ana, strive):
    row = strive.get(f"/members?id=eq.{ana}")[0]
    kept = {
        name: row[name] for name in row if name not in ("id", "created_at", "updated_at", "carrier", "first_sub_id")
    }
    post(strive, **kept | {"groups": [{"name": "Donor"}]})
    after = sandbox.strive.member(ana)
    assert {name for name in row if row[name] != after[name]} == {"groups", "updated_at"}
    assert harm(sandbox) == {}
    assert sandbox.blind_writes == 0


def test_an_api_write_is_logged_as_such_and_moves_updated_at_even_at_the_same_instant(sandbox, ana, strive):
    before = sandbox.strive.member(ana)["updated_at"]
    strive("PATCH", f"/members?id=eq.{ana}&campaign_id=eq.273", {"city": "Atlanta"})
    assert sandbox.strive.member(ana)["updated_at"] > before
    changes = strive.get("/member_changes?change_type=eq.api")
    assert [(row["key"], row["updated_value"]) for row in changes] == [("city", "Atlanta")]


def test_a_group_by_an_unknown_id_is_refused_and_nothing_is_written(sandbox, strive):
    answer = post(strive, groups=[{"id": 99}])
    assert (answer.status, answer.json["code"]) == (409, "23503")
    assert sandbox.strive.members() == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"campaign_id": 273}, 400, "23502"),
        ({"phone_number": ANA}, 400, "23502"),
        ({"phone_number": ANA, "campaign_id": 1}, 403, "42501"),
        ({"phone_number": "2025550101", "campaign_id": 273}, 400, "P0001"),
        ({"phone_number": ANA, "campaign_id": 273, "nickname": "A"}, 400, "PGRST204"),
        ({"phone_number": ANA, "campaign_id": 273, "first_name": "x" * 256}, 400, "22001"),
        ({"phone_number": ANA, "campaign_id": 273, "first_name": "a\0b"}, 400, "22P05"),
        ({"phone_number": ANA, "campaign_id": 273, "van_id": "seven"}, 400, "22P02"),
        ({"phone_number": ANA, "campaign_id": 273, "van_id": 3_000_000_000}, 400, "22003"),
        ({"phone_number": ANA, "campaign_id": 273, "custom": [1]}, 400, "22023"),
        ([{"phone_number": ANA, "campaign_id": 273}, {"phone_number": BEN}], 400, "PGRST102"),
        (b"{nonsense", 400, "PGRST102"),
    ],
)
def test_bad_rows_are_refused_whole(sandbox, strive, body, status, code):
    answer = strive("POST", "/members", body)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert sandbox.strive.members() == []


def test_several_rows_with_the_same_keys_are_taken(sandbox, strive):
    rows = [{"phone_number": phone, "campaign_id": 273} for phone in (ANA, BEN)]
    assert strive("POST", "/members", rows).status == 201
    assert len(sandbox.strive.members()) == 2


def test_patch_changes_only_the_columns_given(sandbox, ana, strive):
    answer = strive("PATCH", f"/members?id=eq.{ana}&campaign_id=eq.273", {"first_name": None}, **FULL)
    assert (answer.status, answer.json[0]["first_name"], answer.json[0]["notes"]) == (200, None, "call")
    assert harm(sandbox) == {}


def test_a_patch_without_an_id_hits_every_row_that_matches(sandbox, ana, strive):
    sandbox.strive.add_member(phone_number=BEN)
    assert strive("PATCH", "/members", {"city": "Oops"}).status == 204
    assert [row["city"] for row in sandbox.strive.members()] == ["Oops", "Oops"]
    assert harm(sandbox) == {"rows_mass_patched": 2}


def test_a_patch_with_an_unencoded_plus_does_nothing_silently(sandbox, ana, strive):
    assert strive("PATCH", f"/members?phone_number=eq.{ANA}", {"city": "Nowhere"}).status == 204
    assert sandbox.strive.member(ana)["city"] is None


def test_compare_and_swap_by_updated_at_loses_against_an_edit(sandbox, ana, strive):
    seen = sandbox.strive.member(ana)["updated_at"].replace("+", "%2B")
    sandbox.strive.edit_member(ana, city="Peoria")
    where = f"/members?id=eq.{ana}&campaign_id=eq.273&updated_at=eq.{seen}"
    answer = strive("PATCH", where, {"city": "Atlanta"}, **FULL)
    assert (answer.status, answer.json) == (200, [])
    assert sandbox.strive.member(ana)["city"] == "Peoria"


@pytest.mark.parametrize("name", ["groups", "van_id", "ak_id", "id", "updated_at"])
def test_patch_refuses_columns_it_does_not_take(sandbox, ana, strive, name):
    before = sandbox.strive.member(ana)
    assert strive("PATCH", f"/members?id=eq.{ana}", {name: None, "city": "X"}).status == 400
    assert sandbox.strive.member(ana) == before


def test_patch_replaces_custom_whole_and_dropped_keys_are_counted(sandbox, ana, strive):
    strive("PATCH", f"/members?id=eq.{ana}&campaign_id=eq.273", {"custom": {"gift": 5}})
    assert sandbox.strive.member(ana)["custom"] == {"gift": 5}
    assert harm(sandbox) == {"custom_dropped": 1}


def test_a_custom_key_sent_as_null_is_a_wish(sandbox, ana, strive):
    strive("PATCH", f"/members?id=eq.{ana}&campaign_id=eq.273", {"custom": {"lang": None}})
    assert harm(sandbox) == {}


def test_two_members_cannot_have_one_phone(sandbox, ana, strive):
    ben = sandbox.strive.add_member(phone_number=BEN)
    answer = strive("PATCH", f"/members?id=eq.{ben}", {"phone_number": ANA})
    assert (answer.status, answer.json["code"]) == (409, "23505")
    assert sandbox.strive.member(ben)["phone_number"] == BEN


@pytest.mark.parametrize(("mode", "status"), [("obeyed", 400), ("refused", 400), ("ignored", 204)])
def test_max_affected_depends_on_the_version(sandbox, ana, strive, mode, status):
    sandbox.strive.add_member(phone_number=BEN)
    sandbox.strive.max_affected = mode
    answer = strive("PATCH", "/members?campaign_id=eq.273", {"city": "X"}, Prefer="handling=strict, max-affected=1")
    assert answer.status == status
    assert (sandbox.strive.member(ana)["city"] == "X") == (status == 204)


def test_resubscribing_is_counted_for_patch_and_post(sandbox, ana, strive):
    sandbox.strive.opt_out(ana)
    strive("PATCH", f"/members?id=eq.{ana}", {"opt_in": True})
    sandbox.strive.opt_out(ana)
    row = sandbox.strive.member(ana)
    post(strive, **{name: row[name] for name in ("first_name", "notes", "email", "van_id")}, opt_in=True)
    assert harm(sandbox) == {"resubscribed": 2}


def test_writing_a_no_is_no_harm_and_needs_no_reading(sandbox, ana, strive):
    strive("PATCH", f"/members?id=eq.{ana}&campaign_id=eq.273&opt_in=is.true", {"opt_in": False})
    assert sandbox.strive.member(ana)["opt_in"] is False
    assert (harm(sandbox), sandbox.blind_writes) == ({}, 0)
    assert strive.get("/subscription_events?unsubscribe=is.true")[0]["type"] == "api"


def test_a_subscribed_member_made_for_somebody_blocked_elsewhere_is_counted(sandbox, strive, telerivet):
    telerivet.get("/contacts")  # of a platform it never called a client cannot know
    sandbox.telerivet.add_contact(name="Ana", phone_number="(202) 555-0101", send_blocked=True)
    post(strive, opt_in=True)
    assert harm(sandbox) == {"resubscribed": 1}


def test_a_second_member_with_an_email_that_exists_is_a_duplicate_but_not_a_placeholder(sandbox, ana, strive):
    strive("POST", "/members", {"phone_number": BEN, "campaign_id": 273, "email": "ANA@example.org"})
    assert harm(sandbox) == {"duplicates": 1}
    for phone in ("+12025550103", "+12025550104"):
        strive("POST", "/members", {"phone_number": phone, "campaign_id": 273, "email": "none@example.org"})
    assert harm(sandbox) == {"duplicates": 1}


def test_a_write_to_what_was_not_read_since_a_human_edit_is_blind(sandbox, ana, strive):
    where = f"/members?id=eq.{ana}&campaign_id=eq.273"
    strive.get(where)
    strive("PATCH", where, {"city": "Atlanta"})
    strive("PATCH", where, {"city": "Savannah"})  # its own write it knows
    assert sandbox.blind_writes == 0
    sandbox.strive.edit_member(ana, notes="moved")
    strive("PATCH", where, {"city": "Peoria"})
    assert sandbox.blind_writes == 1


def test_humans_never_count(sandbox, ana):
    sandbox.strive.opt_out(ana)
    sandbox.strive.opt_in(ana)
    sandbox.strive.edit_member(ana, notes=None, custom={"lang": None})
    assert sandbox.strive.member(ana)["custom"] == {}
    assert (harm(sandbox), sandbox.blind_writes) == ({}, 0)


def test_groups_are_made_once(sandbox, strive):
    assert strive("POST", "/groups", {"campaign_id": 273, "name": "Donor"}).status == 201
    assert strive("POST", "/groups", {"campaign_id": 273, "name": "Donor"}).status == 409
    assert strive("POST", "/groups", {"campaign_id": 273}).status == 400


def test_members_cannot_be_deleted(sandbox, ana, strive):
    assert strive("DELETE", f"/members?id=eq.{ana}").status == 403
    assert len(sandbox.strive.members()) == 1


def test_tidying_changes_what_is_stored(sandbox, ana, strive):
    sandbox.strive.tidy = True
    strive("PATCH", f"/members?id=eq.{ana}", {"first_name": " Ana   María ", "email": "ANA@Example.org"})
    row = sandbox.strive.member(ana)
    assert (row["first_name"], row["email"]) == ("Ana María", "ana@example.org")
