"""Writing to Telerivet: look-ups that find the wrong person, batches refused whole, and what is counted."""

import gzip
import json

import pytest

ANA, BEN = "+12025550101", "+12025550102"


def harm(sandbox):
    return {kind: count for kind, count in sandbox.harm().items() if count}


def test_post_creates_and_the_same_phone_finds_it_again(sandbox, telerivet):
    made = telerivet("POST", "/contacts", {"name": "Ana", "phone_number": ANA}).json
    again = telerivet("POST", "/contacts", {"phone_number": ANA, "vars": {"email": "ana@example.org"}}).json
    assert (again["id"], again["name"], again["vars"]) == (made["id"], "Ana", {"email": "ana@example.org"})
    assert harm(sandbox) == {}


@pytest.mark.parametrize(("stored", "sent"), [("5550101", ANA), (ANA, "5550101")])
def test_the_default_look_up_reaches_a_stranger_by_suffix(sandbox, telerivet, stored, sent):
    stranger = sandbox.telerivet.add_contact(name="Old Neighbour", phone_number=stored)
    answer = telerivet("POST", "/contacts", {"name": "Ana", "phone_number": sent}).json
    assert answer["id"] == stranger
    assert (sandbox.telerivet.contact(stranger)["name"], answer["phone_number"]) == ("Ana", sent)
    assert harm(sandbox) == {"wrong_person": 1}


def test_the_same_number_in_another_format_is_the_same_person(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana", phone_number="(202) 555-0101")
    assert telerivet("POST", "/contacts", {"phone_number": ANA}).json["id"] == ana
    assert harm(sandbox) == {}


def test_very_short_numbers_match_only_as_a_whole(sandbox, telerivet):
    short = sandbox.telerivet.add_contact(phone_number="0101")
    assert telerivet("POST", "/contacts", {"phone_number": ANA}).json["id"] != short


def test_without_a_phone_a_namesake_is_reached(sandbox, telerivet):
    namesake = sandbox.telerivet.add_contact(name="Ana García", phone_number=BEN)
    assert telerivet("POST", "/contacts", {"name": "ANA GARCÍA"}).json["id"] == namesake
    assert harm(sandbox) == {"wrong_person": 1}


def test_lookup_key_none_always_creates_and_an_existing_phone_or_email_is_a_duplicate(sandbox, telerivet):
    sandbox.telerivet.add_contact(phone_number="202-555-0101", vars={"email": "ana@example.org"})
    telerivet("POST", "/contacts", {"phone_number": ANA, "lookup_key": "none"})
    telerivet("POST", "/contacts", {"name": "A", "vars": {"email": "ANA@example.org"}, "lookup_key": "none"})
    telerivet("POST", "/contacts", {"phone_number": BEN, "lookup_key": "none"})
    assert len(sandbox.telerivet.contacts()) == 4
    assert harm(sandbox) == {"duplicates": 2}


def test_lookup_by_a_variable_of_ones_own(sandbox, telerivet):
    body = {"phone_number": ANA, "lookup_key": "vars.rosterd", "vars": {"rosterd": "c1"}}
    first, second = (telerivet("POST", "/contacts", body).json["id"] for _ in range(2))
    assert first == second
    assert len(sandbox.telerivet.contacts()) == 1


def test_update_by_id_leaves_what_is_not_sent_and_null_deletes_a_variable(sandbox, telerivet, clock):
    ana = sandbox.telerivet.add_contact(name="Ana", phone_number=ANA, vars={"a": 1, "b": True, "c": "x"})
    clock.tick(5)
    row = telerivet("POST", f"/contacts/{ana}", {"vars": {"a": None, "d": "y"}}).json
    assert (row["name"], row["vars"]) == ("Ana", {"b": True, "c": "x", "d": "y"})
    assert row["time_updated"] == row["time_created"] + 5


def test_an_update_by_id_ignores_group_ids_and_a_look_up_by_id_takes_them(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana")
    group = telerivet("POST", "/groups", {"name": "Donor"}).json["id"]
    telerivet("POST", f"/contacts/{ana}", {"add_group_ids": [group]})
    assert sandbox.telerivet.contact(ana)["groups"] == []
    body = {"lookup_key": "id", "id": ana}
    telerivet("POST", "/contacts", {**body, "add_group_ids": [group]})
    assert sandbox.telerivet.contact(ana)["groups"] == ["Donor"]
    telerivet("POST", "/contacts", {**body, "remove_group_ids": [group]})
    assert sandbox.telerivet.contact(ana)["groups"] == []
    assert harm(sandbox) == {}


def test_put_and_delete_change_membership(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana")
    group = telerivet("POST", "/groups", {"name": "Donor"}).json["id"]
    assert telerivet("PUT", f"/groups/{group}/contacts/{ana}").status == 200
    assert sandbox.telerivet.contact(ana)["group_ids"] == [group]
    assert telerivet("DELETE", f"/groups/{group}/contacts/{ana}").status == 200
    assert sandbox.telerivet.contact(ana)["group_ids"] == []
    assert telerivet("PUT", f"/groups/{group}/contacts/CTnone").status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"vars": {"bad name": 1}},
        {"vars": {"x" * 33: 1}},
        {"vars": {"a": [1]}},
        {"vars": {"a": "é" * 2049}},
        {"vars": {f"v{n}": n for n in range(101)}},
        {"vars": "x"},
        {"name": 5},
        {"send_blocked": "yes"},
        {"conversation_status": "open"},
        {"lookup_key": "email"},
        {"add_group_ids": ["CGnone"]},
        {"add_group_ids": ["CG"] * 21},
    ],
)
def test_bad_contacts_are_refused(sandbox, telerivet, body):
    answer = telerivet("POST", "/contacts", {"phone_number": ANA, **body})
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_param")
    assert sandbox.telerivet.contacts() == []


def test_a_hundred_variables_are_the_limit_of_the_record_not_of_the_request(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana", vars={f"v{n}": n for n in range(100)})
    assert telerivet("POST", f"/contacts/{ana}", {"vars": {"v0": 1}}).status == 200
    assert telerivet("POST", f"/contacts/{ana}", {"vars": {"new": 1}}).status == 400


def test_import_answers_in_the_order_given(sandbox, telerivet):
    ids = [sandbox.telerivet.add_contact(name=f"N{n}", phone_number=f"+120255501{n:02d}") for n in range(3)]
    objects = [{"id": contact, "vars": {"n": n}} for n, contact in enumerate(reversed(ids))]
    group = telerivet("POST", "/groups", {"name": "Donor"}).json["id"]
    body = {"contacts": objects, "lookup_key": "id", "add_group_ids": [group]}
    assert telerivet("POST", "/import_contacts", body).json == {"contacts": [{"id": c} for c in reversed(ids)]}
    assert [row["vars"] for row in sandbox.telerivet.contacts()] == [{"n": 2}, {"n": 1}, {"n": 0}]
    assert all(row["groups"] == ["Donor"] for row in sandbox.telerivet.contacts())
    assert harm(sandbox) == {}


@pytest.mark.parametrize("bad", [{"vars": {"bad name": 1}}, {"name": 5}, {"send_blocked": "yes"}])
def test_one_bad_object_refuses_the_whole_batch(sandbox, telerivet, bad):
    ana = sandbox.telerivet.add_contact(name="Ana")
    objects = [{"id": ana, "name": "Anna"}, {"id": ana, **bad}]
    assert telerivet("POST", "/import_contacts", {"contacts": objects, "lookup_key": "id"}).status == 400
    assert sandbox.telerivet.contact(ana)["name"] == "Ana"


def test_import_with_an_id_that_is_gone_makes_a_new_contact_or_refuses(sandbox, telerivet):
    gone = {"contacts": [{"id": "CTgone", "vars": {"a": 1}}], "lookup_key": "id"}
    assert telerivet("POST", "/import_contacts", gone).status == 400
    gone["contacts"][0]["name"] = "Ana"
    answer = telerivet("POST", "/import_contacts", gone)
    assert answer.json["contacts"][0]["id"] not in ("CTgone", None)
    assert len(sandbox.telerivet.contacts()) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"contacts": [{"name": "x"}] * 201},
        {"contacts": "x"},
        {"contacts": [{"name": "x"}], "lookup_key": "name"},
        {"contacts": [{"name": "x"}], "add_group_ids": ["CG"] * 6},
        {"contacts": ["x"]},
    ],
)
def test_bad_imports_are_refused(sandbox, telerivet, body):
    assert telerivet("POST", "/import_contacts", body).status == 400
    assert sandbox.telerivet.contacts() == []


def test_unblocking_by_api_is_counted_and_by_hand_is_not(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana", phone_number=ANA, send_blocked=True)
    telerivet("POST", f"/contacts/{ana}", {"send_blocked": False})
    assert harm(sandbox) == {"resubscribed": 1}
    sandbox.telerivet.block(ana)
    sandbox.telerivet.unblock(ana)
    assert harm(sandbox) == {"resubscribed": 1}


def test_a_reachable_contact_made_for_somebody_opted_out_elsewhere_is_counted(sandbox, telerivet, strive):
    strive.get("/members?limit=1")  # of a platform it never called a client cannot know
    member = sandbox.strive.add_member(phone_number=ANA)
    sandbox.strive.opt_out(member)
    telerivet("POST", "/contacts", {"phone_number": "(202) 555-0101", "lookup_key": "none"})
    assert harm(sandbox) == {"resubscribed": 1}
    telerivet("POST", "/contacts", {"phone_number": ANA, "lookup_key": "none", "send_blocked": True})
    assert harm(sandbox) == {"resubscribed": 1, "duplicates": 1}


def test_giving_a_contact_the_phone_of_another_is_counted(sandbox, telerivet):
    sandbox.telerivet.add_contact(name="Ana", phone_number=ANA)
    ben = sandbox.telerivet.add_contact(name="Ben", phone_number=BEN)
    telerivet.get("/contacts")
    telerivet("POST", f"/contacts/{ben}", {"phone_number": "+12025550199"})
    assert harm(sandbox) == {}
    telerivet("POST", f"/contacts/{ben}", {"phone_number": ANA})
    assert harm(sandbox) == {"wrong_person": 1}


def test_a_write_to_what_was_not_read_since_a_human_edit_is_blind(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana")
    telerivet.get(f"/contacts/{ana}")
    telerivet("POST", f"/contacts/{ana}", {"name": "Anna"})
    sandbox.telerivet.edit_contact(ana, name="Hannah")
    telerivet("POST", f"/contacts/{ana}", {"send_blocked": True})  # a "no" is never too early
    assert sandbox.blind_writes == 0
    sandbox.telerivet.edit_contact(ana, name="Johanna")
    telerivet("POST", f"/contacts/{ana}", {"name": "Anna"})
    assert sandbox.blind_writes == 1


def test_delete_by_api(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana")
    assert telerivet("DELETE", f"/contacts/{ana}").json == {}
    assert telerivet("GET", f"/contacts/{ana}").status == 404


def test_tidying_changes_what_is_stored(sandbox, telerivet):
    sandbox.telerivet.tidy = True
    body = {"name": "Ana  María", "phone_number": ANA, "vars": {"region": "ga"}}
    row = telerivet("POST", "/contacts", body).json
    assert (row["name"], row["vars"]["region"]) == ("Ana María", "GA")


def test_bodies_may_be_gzipped_and_must_be_json(telerivet):
    raw = gzip.compress(json.dumps({"name": "Ana"}).encode())
    assert telerivet("POST", "/contacts", raw, Content_Encoding="gzip").json["name"] == "Ana"
    assert telerivet("POST", "/contacts", b"{nonsense").status == 400
    assert telerivet("POST", "/contacts", b"not gzip", Content_Encoding="gzip").status == 400


@pytest.mark.parametrize("touch", [True, False])
def test_whether_groups_move_time_updated_is_a_switch(sandbox, clock, touch):
    sandbox.telerivet.groups_touch = touch
    ana = sandbox.telerivet.add_contact(name="Ana")
    clock.tick(60)
    sandbox.telerivet.add_to_group(ana, "Donor")
    row = sandbox.telerivet.contact(ana)
    assert (row["time_updated"] > row["time_created"]) == touch


def test_joining_a_group_is_not_reading(sandbox, telerivet):
    ana = sandbox.telerivet.add_contact(name="Ana")
    group = telerivet("POST", "/groups", {"name": "Donor"}).json["id"]
    telerivet("PUT", f"/groups/{group}/contacts/{ana}")
    telerivet("POST", f"/contacts/{ana}", {"name": "Anna"})
    assert sandbox.blind_writes == 1
