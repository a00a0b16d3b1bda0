"""The sandbox's Colony: the login, pages that move, errors by field, opt-outs by number, and what does harm."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from daemon.sandbox import Sandbox
from tests.unit.sandbox.conftest import Answer, Client, Clock

PASSWORD = {
    "grant_type": "password",
    "client_id": "sandbox-colony-client",
    "client_secret": "sandbox-colony-secret",
    "username": "sandbox-colony",
    "password": "sandbox-colony-password",
    "scope": "read+write",
}
CONTACTS = "/contact/contactlists/contact/"


def bare(sandbox: Sandbox) -> Client:
    return Client(int(sandbox.url.rsplit(":", 1)[1]), "/colony", "")


def login(client: Client, **changes: Any) -> Answer:
    form = {name: value for name, value in {**PASSWORD, **changes}.items() if value is not None}
    return client("POST", "/oauth2/access_token/", urlencode(form).encode())


@pytest.fixture
def colony(sandbox: Sandbox) -> Client:
    """Logged in, and allowed to write."""
    client = bare(sandbox)
    client.authorization = f"Bearer {login(client).json['access_token']}"
    return client


@pytest.fixture
def ada(sandbox: Sandbox) -> str:
    return sandbox.colony.add_contact(["vols"], mobile_number="27815854565", first_name="Ada", email="ada@example.org")


def harm(sandbox: Sandbox) -> dict[str, int]:
    return {kind: count for kind, count in sandbox.harm().items() if count}


# The login


def test_a_login_gives_a_token_and_one_to_renew_it_with(sandbox: Sandbox, clock: Clock) -> None:
    sandbox.colony.token_seconds = 600
    client = bare(sandbox)
    given = login(client).json
    assert (given["expires_in"], given["scope"]) == (600, "read write")
    client.authorization = f"Bearer {given['access_token']}"
    assert client("GET", CONTACTS).status == 200
    clock.tick(601)
    assert client("GET", CONTACTS).status == 401
    renewed = login(client, grant_type="refresh_token", refresh_token=given["refresh_token"]).json
    client.authorization = f"Bearer {renewed['access_token']}"
    assert client("GET", CONTACTS).status == 200
    assert login(client, grant_type="refresh_token", refresh_token=given["refresh_token"]).status == 400


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"username": "wrong"}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "magic"}, 400, "invalid_grant"),
    ],
)
def test_a_wrong_login_is_refused(sandbox: Sandbox, changes: Any, status: int, error: str) -> None:
    found = login(bare(sandbox), **changes)
    assert (found.status, found.json) == (status, {"error": error})


def test_without_a_token_nothing_is_shown(sandbox: Sandbox) -> None:
    for path in (CONTACTS, "/contact/contactlists/", "/contact/optouts/", "/nowhere/"):
        assert bare(sandbox)("GET", path).status == 401


def test_a_token_for_reading_writes_nothing(sandbox: Sandbox, ada: str) -> None:
    client = bare(sandbox)
    client.authorization = f"Bearer {login(client, scope=None).json['access_token']}"
    assert client("PATCH", f"{CONTACTS}{ada}/", {"first_name": "x"}).status == 403
    assert "actions" not in client("OPTIONS", CONTACTS).json


# Reading


def test_a_contact_shows_its_fields_and_lists(sandbox: Sandbox, colony: Client, ada: str) -> None:
    shown = colony.get(f"{CONTACTS}{ada}/")
    assert (shown["mobile_number"], shown["first_name"], shown["city"]) == ("27815854565", "Ada", None)
    assert shown["contact_lists"] == [2]
    assert not any(name.startswith("_") for name in shown)
    sandbox.colony.names_lists = False
    assert "contact_lists" not in colony.get(f"{CONTACTS}{ada}/")


def test_pages_say_how_many_there_are_and_where_the_next_one_is(sandbox: Sandbox, colony: Client) -> None:
    for number in range(5):
        sandbox.colony.add_contact(["vols"], mobile_number=f"2781585456{number}")
    page = colony.get(f"{CONTACTS}?contact_list=2&page_size=2")
    assert (page["count"], len(page["results"]), page["previous"]) == (5, 2, None)
    assert page["next"].startswith(f"{sandbox.url}/colony{CONTACTS}?")
    last = colony.get(f"{CONTACTS}?contact_list=2&page_size=2&page=3")
    assert (len(last["results"]), last["next"]) == (1, None)
    assert colony("GET", f"{CONTACTS}?contact_list=2&page_size=2&page=4").status == 404
    sandbox.colony.page_max = 3
    assert len(colony.get(f"{CONTACTS}?page_size=100")["results"]) == 3


def test_pages_move_when_somebody_writes_in_between(sandbox: Sandbox, colony: Client) -> None:
    ids = [int(sandbox.colony.add_contact(mobile_number=f"2781585456{number}")) for number in range(4)]
    first = colony.get(f"{CONTACTS}?contact_list=1&page_size=2")
    sandbox.colony.edit_contact(str(ids[0]), city="Durban")
    second = colony.get(f"{CONTACTS}?contact_list=1&page_size=2&page=2")
    assert [row["id"] for row in (*first["results"], *second["results"])] == [ids[0], ids[1], ids[3], ids[0]]


def test_lists_of_contacts_are_up_to_date(sandbox: Sandbox, colony: Client, ada: str) -> None:
    def members(list_id: int) -> list[str]:
        return [row["first_name"] for row in colony.get(f"{CONTACTS}?contact_list={list_id}")["results"]]

    sandbox.colony.add_to_list(ada, "ward 3")
    assert members(2) == members(3) == ["Ada"]
    sandbox.colony.remove_from_list(ada, "vols")
    assert (members(1), members(2), members(3)) == ([], [], ["Ada"])
    sandbox.colony.delete_list("ward 3")
    assert members(1) == ["Ada"]
    sandbox.colony.delete_contact(ada)
    assert members(1) == []


def test_opt_outs_belong_to_numbers_and_are_lifted_not_deleted(sandbox: Sandbox, colony: Client, ada: str) -> None:
    sandbox.colony.opt_out(ada)
    (row,) = colony.get("/contact/optouts/?originator=27815854565")["results"]
    assert (row["originator"], row["reason"], row["date_overwritten"]) == ("27815854565", "STOP", None)
    assert colony.get("/contact/optouts/?originator=2781")["count"] == 0
    assert sandbox.colony.contact(ada)["sms_optout"] is True
    sandbox.colony.lift_opt_out(ada)
    assert colony.get("/contact/optouts/")["results"][0]["date_overwritten"] is not None
    assert sandbox.colony.contact(ada)["sms_optout"] is False
    assert harm(sandbox) == {}


def test_options_tell_methods_and_fields(colony: Client) -> None:
    found = colony("OPTIONS", CONTACTS)
    assert found.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert found.json["actions"]["POST"]["mobile_number"]["required"] is True


def test_what_shows_late_is_not_there_before(sandbox: Sandbox, colony: Client) -> None:
    with sandbox.colony.late(requests=1):
        sandbox.colony.add_contact(mobile_number="27815854565")
    assert colony.get(CONTACTS)["count"] == 0
    assert colony.get(CONTACTS)["count"] == 1


# Writing


def test_a_new_contact_is_put_into_a_list(sandbox: Sandbox, colony: Client) -> None:
    made = colony("POST", CONTACTS, {"contact_list": 1, "mobile_number": "27815854565", "unknown": 1})
    assert (made.status, made.json["contact_lists"]) == (201, [1])
    assert sandbox.colony.contact(str(made.json["id"]))["lists"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contact_list": 1}, "mobile_number"),
        ({"contact_list": 1, "mobile_number": "+27815854565"}, "mobile_number"),
        ({"contact_list": 99, "mobile_number": "27815854565"}, "contact_list"),
        ({"contact_list": 1, "mobile_number": "27815854565", "city": 5}, "city"),
        ([], "non_field_errors"),
    ],
)
def test_what_is_wrong_is_said_by_field(colony: Client, body: Any, field: str) -> None:
    found = colony("POST", CONTACTS, body)
    assert (found.status, list(found.json)) == (400, [field])


def test_a_patch_leaves_the_rest_and_a_put_blanks_it(sandbox: Sandbox, colony: Client, ada: str) -> None:
    colony.get(f"{CONTACTS}{ada}/")
    assert colony("PATCH", f"{CONTACTS}{ada}/", {"city": "Durban"}).json["first_name"] == "Ada"
    assert harm(sandbox) == {}
    assert colony("PUT", f"{CONTACTS}{ada}/", {"mobile_number": "27815854565"}).json["first_name"] is None
    assert harm(sandbox) == {"fields_nulled": 3}


def test_an_import_takes_a_file_and_says_nothing(sandbox: Sandbox, colony: Client) -> None:
    lines = b'mobile_number,last_name\r\n27815854565,"O\'Brien, x"\r\nnonsense,y\r\n'
    parts = [
        b'name="contact_list"\r\n\r\n1',
        b'name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n' + lines,
    ]
    body = b"".join(b"--xyz\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--xyz--\r\n"
    kind = {"Content_Type": "multipart/form-data; boundary=xyz"}
    assert colony("POST", "/contact/contactlists/import/", body, **kind).json == {}
    assert [row["last_name"] for row in sandbox.colony.contacts()] == ["O'Brien, x"]
    sandbox.colony.clear()
    sandbox.colony.import_after = 2
    colony("POST", "/contact/contactlists/import/", body, **kind)
    assert [colony.get(CONTACTS)["count"] for _ in range(3)] == [0, 0, 1]
    assert colony("POST", "/contact/contactlists/import/", b"--xyz--\r\n", **kind).status == 400


# Harm


@pytest.mark.parametrize("path", ["messages/send/", "messages/sendbulk/", "deployments/"])
def test_sending_is_harm(sandbox: Sandbox, colony: Client, path: str) -> None:
    colony("POST", f"/contact/{path}", {})
    assert harm(sandbox) == {"messages_sent": 1}


def test_lifting_an_opt_out_is_harm(sandbox: Sandbox, colony: Client, ada: str) -> None:
    id_ = sandbox.colony.opt_out(ada)
    colony("POST", f"/contact/optouts/{id_}/overwrite/", {})
    assert harm(sandbox) == {"optouts_overwritten": 1}
    assert sandbox.colony.contact(ada)["sms_optout"] is False


@pytest.mark.parametrize("path", [f"{CONTACTS}1/", "/contact/contactlists/2/"])
def test_deleting_is_harm(sandbox: Sandbox, colony: Client, ada: str, path: str) -> None:
    assert colony("DELETE", path).status == 204
    assert colony("GET", path).status == 404
    assert harm(sandbox) == {"records_deleted": 1}


@pytest.mark.parametrize("same", [{"mobile_number": "27815854565"}, {"email": "ADA@example.org"}])
def test_making_somebody_twice_is_harm(sandbox: Sandbox, colony: Client, ada: str, same: Any) -> None:
    colony("POST", CONTACTS, {"contact_list": 1, "mobile_number": "27815854566", **same})
    assert harm(sandbox) == {"duplicates": 1}


def test_making_somebody_reachable_who_said_no_elsewhere_is_harm(sandbox: Sandbox, colony: Client) -> None:
    sandbox.strive.add_member(phone_number="+12025550101", opt_in=False)
    Client(colony.port, "/strive", "Bearer sandbox-strive-key")("GET", "/")
    colony("POST", "/contact/optouts/", {"originator": "12025550101"})
    colony("POST", CONTACTS, {"contact_list": 1, "mobile_number": "12025550101"})
    assert harm(sandbox) == {}
    sandbox.strive.add_member(phone_number="+12025550102", opt_in=False)
    colony("POST", CONTACTS, {"contact_list": 1, "mobile_number": "12025550102"})
    assert harm(sandbox) == {"resubscribed": 1}


def test_a_new_number_that_sheds_an_opt_out_is_harm(sandbox: Sandbox, colony: Client, ada: str) -> None:
    sandbox.colony.opt_out(ada)
    colony.get(f"{CONTACTS}{ada}/")
    colony("PATCH", f"{CONTACTS}{ada}/", {"mobile_number": "27815854567"})
    assert harm(sandbox) == {"resubscribed": 1}


def test_taking_the_number_of_another_is_harm(sandbox: Sandbox, colony: Client, ada: str) -> None:
    other = sandbox.colony.add_contact(mobile_number="27815854566")
    colony.get(f"{CONTACTS}{ada}/")
    colony("PATCH", f"{CONTACTS}{ada}/", {"mobile_number": "27815854566"})
    assert harm(sandbox) == {"wrong_person": 1}
    assert sandbox.blind_writes == 0
    colony("PATCH", f"{CONTACTS}{other}/", {"city": "Durban"})
    assert sandbox.blind_writes == 1
