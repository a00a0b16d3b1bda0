"""The sandbox's Carium: the login, the lists without an order, errors as documented, and what does harm."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.sandbox import Sandbox
from tests.unit.sandbox.conftest import Client, Clock

LOGIN = {"username": "sandbox-carium", "password": "sandbox-carium-password"}


def client(sandbox: Sandbox) -> Client:
    return Client(int(sandbox.url.rsplit(":", 1)[1]), "/carium", "")


@pytest.fixture
def carium(sandbox: Sandbox) -> Client:
    """Logged in."""
    found = client(sandbox)
    found.authorization = f"Bearer {found('POST', '/identity/v1/login/', LOGIN).json['access-token']}"
    return found


def wrap(**attributes: Any) -> dict[str, Any]:
    return {"data": {"attributes": attributes, "type": "x"}, "meta": {}}


def listed(carium: Client, offset: int = 0, limit: int = 100) -> list[str]:
    page = carium.get(f"/courier/v1/users/?page%5Blimit%5D={limit}&page%5Boffset%5D={offset}")
    return [row["attributes"]["first-name"] for row in page["data"]]


def no_harm(sandbox: Sandbox) -> bool:
    return not any(sandbox.harm().values())


# Access


@pytest.mark.parametrize("body", [{}, {**LOGIN, "password": "x"}, {**LOGIN, "username": "x"}, [], "x"])
def test_a_wrong_login_is_refused_in_the_documented_shape(sandbox: Sandbox, body: Any) -> None:
    answer = client(sandbox)("POST", "/identity/v1/login/", body)
    assert answer.status == 401
    (error,) = answer.json["errors"]
    assert set(error) == {"code", "detail", "meta", "source", "status"}
    assert (error["code"], error["status"]) == ("invalid-credentials", 401)


def test_a_token_runs_out(sandbox: Sandbox, clock: Clock, carium: Client) -> None:
    sandbox.carium.token_seconds = 10
    carium.authorization = f"Bearer {carium('POST', '/identity/v1/login/', LOGIN).json['access-token']}"
    clock.tick(9)
    assert carium("GET", "/courier/v1/users/").status == 200
    clock.tick(1)
    assert carium("GET", "/courier/v1/users/").status == 401


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic sandbox-carium-token-1"])
def test_without_a_token_there_is_nothing_to_see(carium: Client, authorization: str) -> None:
    carium.authorization = authorization
    for path in ("/courier/v1/users/", "/courier/v1/user-consents/", "/courier/v1/purge-data/"):
        assert carium("GET", path).status == 401


def test_a_get_is_no_login(sandbox: Sandbox) -> None:
    assert client(sandbox)("GET", "/identity/v1/login/").status == 405


# Reads


def test_a_user_looks_as_documented(sandbox: Sandbox, carium: Client) -> None:
    user = sandbox.carium.add_user(first_name="Ada", last_name="Lovelace", phone="+12025550101")
    shown = carium.get(f"/courier/v1/users/{user}/")["data"]
    assert set(shown) == {"attributes", "id", "type"}
    assert (shown["id"], shown["type"]) == (user, "users")
    assert set(shown["attributes"]) == {
        *("auto-sign-up", "communication-preferences", "email", "email-verified", "first-name", "last-name"),
        *("last-sync-time", "locale", "locale-explicit", "notifications", "phone", "phone-unsubscribed"),
        *("phone-verified", "primary-individual-id", "sms-mode", "state", "tz", "tz-explicit", "username"),
    }
    assert shown["attributes"]["last-sync-time"] == "2023-11-14 22:13:20"  # whole seconds


def test_a_row_that_is_written_moves_to_the_end(sandbox: Sandbox, carium: Client) -> None:
    """The trap: whoever reads by offset meanwhile misses one."""
    ids = [sandbox.carium.add_user(first_name=name) for name in "ABCDE"]
    assert listed(carium, 0, 2) == ["A", "B"]
    sandbox.carium.edit_user(ids[0], last_name="X")
    assert listed(carium, 2, 3) == ["D", "E", "A"]  # and C?
    assert sandbox.carium.users()[0]["first-name"] == "A"  # people see them as they were made


@pytest.mark.parametrize(
    "query", ["page%5Blimit%5D=1001", "page%5Blimit%5D=0", "page%5Boffset%5D=-1", "page%5Blimit%5D=x"]
)
def test_a_page_out_of_range_is_refused(carium: Client, query: str) -> None:
    answer = carium("GET", f"/courier/v1/users/?{query}")
    assert answer.status == 400
    assert answer.json["errors"][0]["source"]["parameter"].startswith("page[")


def test_pages_are_a_hundred_long_unless_asked(sandbox: Sandbox, carium: Client) -> None:
    for n in range(105):
        sandbox.carium.add_user(first_name=f"P{n}")
    assert len(carium.get("/courier/v1/users/")["data"]) == 100
    assert len(listed(carium, 0, 1000)) == 105
    sandbox.carium.page_max, sandbox.carium.page_total = 7, True
    page = carium.get("/courier/v1/users/?page%5Blimit%5D=1000")
    assert (len(page["data"]), page["meta"]) == (7, {"page[total]": 105})


def test_filters_narrow_and_unknown_ones_are_refused(sandbox: Sandbox, carium: Client) -> None:
    ada = sandbox.carium.add_user(first_name="Ada", email="ada@example.org", username="ada")
    bo = sandbox.carium.add_user(first_name="Bo", email="bo@example.org", username="bo")
    sandbox.carium.consent(ada)
    sandbox.carium.consent(bo, "declined")
    for query in ("email%5D=ADA@example.org", "username%5D=ada"):
        assert [row["id"] for row in carium.get(f"/courier/v1/users/?filter%5B{query}")["data"]] == [ada]
    (consent,) = carium.get(f"/courier/v1/user-consents/?filter%5Buser-id%5D={bo}")["data"]
    assert (consent["attributes"]["state"], consent["attributes"]["type"]) == ("declined", "sms")
    assert carium("GET", "/courier/v1/users/?filter%5Bmodified%5D=1").status == 400


def test_a_consent_has_one_row_for_an_organization_and_changes_in_it(
    sandbox: Sandbox, clock: Clock, carium: Client
) -> None:
    user = sandbox.carium.add_user(first_name="Ada")
    first = sandbox.carium.consent(user, "pending")
    clock.tick(60)
    assert sandbox.carium.consent(user, "accepted") == first
    assert sandbox.carium.consent(user, "accepted", "another") != first
    times = [
        (row["attributes"]["created-at"], row["attributes"]["last-modified-at"])
        for row in carium.get("/courier/v1/user-consents/")["data"]
        if row["id"] == first
    ]
    assert times == [("2023-11-14 22:13:20", "2023-11-14 22:14:20")]


def test_what_is_said_of_a_number_is_only_what_was_looked_up(sandbox: Sandbox, carium: Client) -> None:
    path = "/courier/v1/text-number-info/"
    assert carium.get(f"{path}?number=%2B12025550101")["data"] == []
    assert carium("GET", path).status == 400
    assert carium("GET", f"{path}?number=5550101").status == 400
    assert no_harm(sandbox)
    assert carium("POST", path, wrap(number="+12025550101")).status == 201
    assert carium.get(f"{path}?number=%2B12025550101")["data"][0]["attributes"]["status"] == "pending"
    assert sandbox.harm()["carium_writes"] == 1


def test_what_shows_late_shows_late(sandbox: Sandbox, carium: Client) -> None:
    with sandbox.carium.late(requests=1):
        sandbox.carium.add_user(first_name="Slow")
    assert listed(carium) == []
    assert listed(carium) == ["Slow"]


@pytest.mark.parametrize(
    "path", ["/", "/courier/v1/", "/courier/v1/nothing/", "/courier/v1/users", "/courier/v1/users/x/"]
)
def test_what_is_not_there_is_not_found(carium: Client, path: str) -> None:
    answer = carium("GET", path)
    assert answer.status == 404
    assert answer.json["errors"][0]["code"] == "not-found"


# What does harm


def test_asking_for_consent_texts_the_person(sandbox: Sandbox, carium: Client) -> None:
    user = sandbox.carium.add_user(first_name="Ada")
    body = wrap(**{"user-id": user, "type": "sms", "state": "accepted"})
    made = carium("POST", "/courier/v1/user-consents/", body)
    assert (made.status, made.json["data"]["attributes"]["state"]) == (201, "pending")
    assert sandbox.harm()["people_texted"] == 1


def test_a_purge_destroys_a_person(sandbox: Sandbox, carium: Client) -> None:
    user = sandbox.carium.add_user(first_name="Ada")
    whose = sandbox.carium.user(user)["primary-individual-id"]
    body = wrap(**{"entity-type": "individual", "entity-id": whose, "archive": False})
    assert carium("POST", "/courier/v1/purge-data/", body).status == 201
    assert (sandbox.harm()["data_purged"], len(sandbox.carium)) == (1, 0)


def test_an_edit_by_a_client_counts_and_takes_no_contact_data(sandbox: Sandbox, carium: Client) -> None:
    user = sandbox.carium.add_user(first_name="Ada")
    path = f"/courier/v1/users/{user}/"
    assert carium("PATCH", path, wrap(**{"first-name": "Bo"})).status == 400
    assert carium("PATCH", path, wrap(notifications=[])).status == 200
    shown = sandbox.carium.user(user)
    assert (shown["first-name"], shown["notifications"]) == ("Ada", [])
    assert sandbox.harm()["carium_writes"] == 2


def test_what_people_do_by_hand_is_no_harm(sandbox: Sandbox) -> None:
    model = sandbox.carium
    user = model.add_user(first_name="Ada", phone="+1 (202) 555-0101")
    model.consent(user)
    assert not model.says_no("12025550101")
    model.unsubscribe(user)
    assert model.says_no("12025550101")
    model.archive(user)
    assert (model.user(user)["state"], model.user(user)["consents"]) == ("archived", ["accepted"])
    model.delete_user(user)
    with pytest.raises(KeyError):
        model.user(user)
    assert (len(model), len(model.consent_table), no_harm(sandbox)) == (0, 0, True)


def test_acts_and_switches_from_outside(sandbox: Sandbox, control: Client) -> None:
    act = {"platform": "carium", "action": "add_user", "args": {"first_name": "Ada"}}
    user = control("POST", "/act", act).json["result"]
    assert sandbox.carium.user(user)["first-name"] == "Ada"
    assert control("POST", "/act", {**act, "args": {"shoe_size": 7}}).status == 400
    assert control("POST", "/switch", {"platform": "carium", "token_seconds": 5}).json["token_seconds"] == 5
    assert sandbox.carium.token_seconds == 5
