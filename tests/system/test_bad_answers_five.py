"""Broken answers of Action Network, Colony and Carium: what `rosterd sync` says, how it exits, and nothing is lost."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.platforms import http
from daemon.sandbox import Sandbox
from daemon.sandbox.wire import Request, Response, answer
from tests.system.cli_world import Shell, sandbox_and_shell
from tests.system.test_bad_answers import CAP, LATER, PAGES, PARTIAL, PERSON, PHONE, PRIVATE, SECRETS, Case

NewWorld = Callable[..., tuple[Sandbox, Shell]]
THREE = ("action_network", "colony", "carium")
READ = {
    "action_network": r"^/api/v2/people\?",
    "colony": r"^/contact/contactlists/contact/\?",
    "carium": r"^/courier/v1/users/\?",
}
LOGIN = {"colony": r"^/oauth2/", "carium": r"^/identity/v1/login/"}
COLONY_WRITES = '[connections.colony]\ndirection = "both"\nscope = "read+write"\n'
OWN = {
    "a list": answer(200, [PRIVATE]),
    "nothing in it": answer(200, {}),
    "people are a text": answer(200, {"_embedded": {"osdi:people": PRIVATE}}),
    "no people": answer(200, {"_embedded": {"osdi:people": [None, 5, PRIVATE]}}),
    "people without ids": answer(200, {"_embedded": {"osdi:people": [{"given_name": "Ana"}]}}),
    "results are a text": answer(200, {"count": 1, "next": None, "results": PRIVATE}),
    "no contacts": answer(200, {"count": 2, "next": None, "results": [None, PRIVATE]}),
    "contacts without ids": answer(200, {"count": 1, "next": None, "results": [{"first_name": "Ana"}]}),
    "next is elsewhere": answer(200, {"next": "http://elsewhere.example.org/contact/contactlists/", "results": []}),
    "next is another path": answer(200, {"next": "BASE/contact/optouts/?page=2", "results": []}),
    "next is this page": answer(200, {"next": "BASE/contact/contactlists/contact/?contact_list=1", "results": []}),
    "next is a number": answer(200, {"next": 5, "results": []}),
    "data is a text": answer(200, {"data": PRIVATE}),
    "a token without a token": answer(200, {"token_type": "Bearer", "expires_in": 3600}),
}
NOT_AN_OBJECT = "the platform answered with something other than an object"
NOT_A_LIST = "the platform answered with something other than a list"
NOT_A_PAGE = "the platform answered with something other than a page"
ALL = [
    ("html", LATER, "gave no usable answer (a web page instead of JSON)"),
    ("gone", PERSON, "cannot be read: 404"),
    ("fault empty", LATER, "gave no usable answer (an empty answer)"),
    ("fault truncated", LATER, "gave no usable answer (RemoteProtocolError)"),
    ("fault 503", LATER, "is busy (503)"),
]
CASES = [Case(platform, *each) for each in ALL for platform in THREE] + [
    Case("action_network", "key refused", PERSON, "refused our key (401)"),
    Case("action_network", "fault 403", PERSON, "refused our key (403)"),
    Case("action_network", "null", LATER, NOT_AN_OBJECT),
    Case("action_network", "a list", LATER, NOT_AN_OBJECT),
    Case("action_network", "an object", LATER, NOT_A_PAGE),
    Case("action_network", "people are a text", LATER, NOT_A_PAGE),
    Case("colony", "key refused", PERSON, "let us log in, and refused what we asked for (401)"),
    Case("colony", "null", LATER, NOT_AN_OBJECT),
    Case("colony", "nothing in it", LATER, NOT_A_LIST),
    Case("colony", "results are a text", LATER, NOT_A_LIST),
    Case("colony", "contacts without ids", PERSON, "no contact of Colony has a field 'id'; there are: first_name"),
    Case("colony", "next is elsewhere", PERSON, "the next page of Colony's answer is not on 127.0.0.1"),
    Case("colony", "next is another path", PERSON, "the next page of Colony's answer is not on 127.0.0.1"),
    Case("colony", "next is this page", LATER, "the platform's pages do not come to an end"),
    Case("colony", "next is a number", LATER, "the platform named a next page that is no address"),
    Case("colony", "nothing in it", LATER, NOT_A_LIST, r"^/contact/contactlists/\?"),
    Case("colony", "html", LATER, "a web page instead of JSON", r"^/contact/optouts/"),
    Case("colony", "html", LATER, "a web page instead of JSON", LOGIN["colony"]),
    Case("colony", "a token without a token", LATER, "the platform let us in without a token", LOGIN["colony"]),
    Case("colony", "fault 401", PERSON, "refused our login (401)", LOGIN["colony"]),
    Case("carium", "key refused", PERSON, "let us log in, and refused what we asked for (401)"),
    Case("carium", "null", LATER, NOT_A_LIST),
    Case("carium", "nothing in it", LATER, NOT_A_LIST),
    Case("carium", "data is a text", LATER, NOT_A_LIST),
    Case("carium", "html", LATER, "a web page instead of JSON", r"^/courier/v1/user-consents/"),
    Case("carium", "html", LATER, "a web page instead of JSON", LOGIN["carium"]),
    Case("carium", "a token without a token", LATER, "the platform let us in without a token", LOGIN["carium"]),
    Case("carium", "fault 401", PERSON, "refused our login (401)", LOGIN["carium"]),
]


@pytest.fixture
def new_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewWorld]:
    """Ana, known on Strive and one of the three; waits between attempts are left out, and limits are small."""
    monkeypatch.setattr("daemon.platforms.http.random.uniform", lambda *_: 0.0)
    monkeypatch.setattr(http, "Api", functools.partial(http.Api, timeout=0.4, deadline=1.0, cap=CAP))
    with ExitStack() as stack:

        def make(platform: str, config: str = "") -> tuple[Sandbox, Shell]:
            platforms = ("strive", platform)
            sandbox, shell = stack.enter_context(sandbox_and_shell(tmp_path, platforms=platforms, empty=True))
            if config:
                table, _, lines = config.partition("\n")
                path = tmp_path / "config.toml"
                path.write_text(path.read_text().replace(f"{table}\n", f"{table}\n{lines}", 1))
            ana(sandbox, "strive")
            ana(sandbox, platform)
            shell("sync")
            return sandbox, shell

        yield make


def ana(sandbox: Sandbox, platform: str) -> None:
    if platform == "action_network":
        sandbox.action_network.add_person("Ana", "Sample", PHONE, "ana@example.org", phone_status="subscribed")
        return
    columns: dict[str, Any] = {"first_name": "Ana", "last_name": "Sample", "email": "ana@example.org"}
    if platform == "strive":
        sandbox.strive.add_member(phone_number=PHONE, **columns)
    elif platform == "colony":
        sandbox.colony.add_contact(mobile_number=PHONE[1:], **columns)
    else:
        sandbox.carium.add_user(phone=PHONE, **columns)


def edit(sandbox: Sandbox, platform: str) -> None:
    """Ana has another first name there."""
    (row,) = sandbox.accounts[platform].everybody()
    if platform == "action_network":
        sandbox.action_network.edit_person(row["id"], given_name="Anita")
    elif platform == "strive":
        sandbox.strive.edit_member(row["id"], first_name="Anita")
    elif platform == "colony":
        sandbox.colony.edit_contact(row["id"], first_name="Anita")
    else:
        sandbox.carium.edit_user(row["id"], first_name="Anita")


def arrived(sandbox: Sandbox, platform: str) -> bool:
    """Whether the one there has the new name."""
    (row,) = sandbox.accounts[platform].everybody()
    return bool(row["given_name" if platform == "action_network" else "first_name"] == "Anita")


def private(sandbox: Sandbox, platform: str) -> tuple[str, ...]:
    """What is never to be printed."""
    return (*SECRETS, *sandbox.accounts[platform].secrets.values())


def spoil(sandbox: Sandbox, patch: pytest.MonkeyPatch, case: Case) -> None:
    path = case.path or READ[case.platform]
    if case.how.startswith("fault "):
        sandbox.faults.add(case.how.removeprefix("fault "), platform=case.platform, path=path, times=None)
        return
    page = {**PAGES, **OWN}[case.how]
    body = page.body.replace(b"BASE", sandbox.base_url(case.platform).encode())
    for secret in sandbox.accounts[case.platform].secrets.values():
        body = body.replace(b"sandbox-telerivet-key", secret.encode()).replace(b"sandbox-PLATFORM-key", secret.encode())
    instead_of(sandbox, patch, case.platform, path, lambda _: dataclasses.replace(page, body=body))


def instead_of(
    sandbox: Sandbox, patch: pytest.MonkeyPatch, platform: str, path: str, instead: Callable[[Response], Response]
) -> None:
    """Another answer than the sandbox's own, for all that is asked at one place."""
    whole = sandbox.respond

    def respond(name: str, request: Request) -> Response:
        hit = name == platform and re.search(path, request.target.removeprefix(f"/{name}"))
        return instead(whole(name, request)) if hit else whole(name, request)

    patch.setattr(sandbox, "respond", respond)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_answer(new_world: NewWorld, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    """It is told in words without anybody's data, with the right exit code; the edit that could not be read arrives
    when the platform is well again, and the other platform goes on meanwhile."""
    sandbox, shell = new_world(case.platform)
    edit(sandbox, case.platform)
    with monkeypatch.context() as patch:
        spoil(sandbox, patch, case)
        done = shell("sync", code=case.code)
    told = " ".join(done.stdout.split())
    assert f"{case.platform} is left alone:" in told
    assert case.says in told
    assert ("somebody is needed" if case.code == PERSON else "run again later") in told
    for secret in private(sandbox, case.platform):
        assert secret not in done.stdout + done.stderr
    assert not arrived(sandbox, "strive")
    heals(sandbox, shell, case.platform)


def heals(sandbox: Sandbox, shell: Shell, platform: str) -> None:
    sandbox.faults.clear()
    shell("sync", "--connection", platform)  # a person says: try again
    shell("sync")
    assert arrived(sandbox, "strive")
    assert len(sandbox.strive.members()) == 1
    assert shell.json("sync")["sent"] == 0
    assert not any(sandbox.harm().values()), sandbox.harm_log.details


def rows_of(platform: str, data: Any) -> list[dict[str, Any]]:
    """The people of an answer, as they can be changed in place."""
    if platform == "action_network":
        return list(data["_embedded"]["osdi:people"])
    if platform == "colony":
        return list(data["results"])
    return [row["attributes"] for row in data["data"]]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("action_network", {"given_name": ["Ana"]}, "given_name: "),
    ("action_network", {"phone_numbers": [{"primary": True, "number": {"a": PRIVATE}}]}, "phone: "),
    ("action_network", {"email_addresses": [{"primary": True, "address": 5, "status": "subscribed"}]}, "email: "),
    ("action_network", {"email_addresses": PRIVATE}, "email: "),
    ("action_network", {"phone_numbers": [PRIVATE, None]}, "phone: "),
    ("action_network", {"phone_numbers": "12025550199"}, "phone: "),
    ("action_network", {"postal_addresses": PRIVATE}, "street: "),
    ("action_network", {"postal_addresses": [{"address_lines": {"a": PRIVATE}}]}, "street: "),
    ("action_network", {"email_addresses": [{"address": "ana@example.org", "status": PRIVATE}]}, "consent.email: "),
    ("action_network", {"identifiers": None, "_links": None}, "no person with an id"),
    ("colony", {"first_name": {"a": PRIVATE}}, "given_name: "),
    ("colony", {"mobile_number": [PRIVATE]}, "phone: "),
    ("colony", {"email": 5}, "email: "),
    ("carium", {"first-name": ["Ana"]}, "given_name: "),
    ("carium", {"phone": {"a": PRIVATE}}, "phone: "),
    ("carium", {"email": 5}, "email: "),
]


@pytest.mark.parametrize(("platform", "wrong", "says"), WRONG, ids=lambda each: str(each)[:40])
def test_wrong_types_in_a_row(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch, platform: str, wrong: dict[str, Any], says: str
) -> None:
    """That record is set aside, with the field and without the value; it is taken in when it is well again."""
    sandbox, shell = new_world(platform)
    edit(sandbox, platform)

    def instead(response: Response) -> Response:
        data = orjson.loads(response.body)
        for row in rows_of(platform, data):
            row.update(wrong)
        return answer(200, data)

    with monkeypatch.context() as patch:
        instead_of(sandbox, patch, platform, READ[platform], instead)
        done = shell("sync", code=PARTIAL)
    assert f"{platform}: 1 record: {says}" in done.stdout
    for secret in private(sandbox, platform):
        assert secret not in done.stdout + done.stderr
    shell("sync", "--full")
    heals(sandbox, shell, platform)
    assert sandbox.strive.members()[0]["opt_in"] is True


@pytest.mark.parametrize("fault", ["lost", "truncated", "html", "empty", "reset"])
@pytest.mark.parametrize(("platform", "method"), [("action_network", "PUT"), ("colony", "PATCH")])
def test_a_broken_answer_to_a_write(new_world: NewWorld, platform: str, method: str, fault: str) -> None:
    """Done or not, who knows: the next run finds out, and the edit is there once, with no harm done."""
    sandbox, shell = new_world(platform, COLONY_WRITES if platform == "colony" else "")
    edit(sandbox, "strive")
    sandbox.faults.add(fault, platform=platform, method=method, times=None)
    done = shell("sync", code=LATER)
    sandbox.faults.clear()
    told = rf"{platform} is left alone: 127\.0\.0\.1:\d+ (took a write but its answer was lost|gave no usable answer)"
    assert re.search(told, " ".join(done.stdout.split()))
    for secret in private(sandbox, platform):
        assert secret not in done.stdout + done.stderr
    shell("sync")
    assert arrived(sandbox, platform)
    assert shell.json("sync")["sent"] == 0
    assert not any(sandbox.harm().values())
