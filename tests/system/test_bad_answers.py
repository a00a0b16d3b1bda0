"""Broken answers of a platform: what `rosterd sync` says, how it exits, and that nothing is lost by them."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.platforms import http
from daemon.sandbox import Sandbox
from daemon.sandbox.wire import Request, Response, answer
from tests.system.cli_world import Shell, sandbox_and_shell

PHONE = "+12025550101"
PRIVATE = "Ana Sample ana@example.org +12025550101 (202) 555-0101 sandbox-strive-key sandbox-telerivet-key"
ECHO = '"Ana Sample" ana@example.org +12025550101 sandbox-PLATFORM-key'
SECRETS = ("Ana", "ana@", "5550101", "555-0101", "sandbox-strive-key", "sandbox-telerivet-key")
CAP = 1 << 20
LATER, PERSON, PARTIAL = 75, 1, 3
READ = {"strive": r"^/members\?", "telerivet": r"/contacts\?"}
PAGES = {
    "html": Response(200, f"<html>{PRIVATE}</html>".encode(), content_type="text/html"),
    "not JSON": Response(200, PRIVATE.encode()),
    "not UTF-8": Response(200, b'["\xff\xfe"]'),
    "no number": Response(200, b"[NaN]"),
    "too deep": Response(200, b"[" * 100_000),
    "half": Response(200, b'[{"id": 1001, "first_na'),
    "null": answer(200, None),
    "an object": answer(200, {"message": PRIVATE}),
    "a text": answer(200, PRIVATE),
    "no rows": answer(200, [None, 5, PRIVATE]),
    "no ids": answer(200, [{"first_name": "Ana", "email": "ana@example.org"}]),
    "another row": answer(200, [{"id": 999_999, "campaign_id": 273, "first_name": "Ana"}]),
    "huge": Response(200, b'["' + b"x" * CAP + b'"]'),
    "a bomb": Response(200, gzip.compress(b" " * (50 * CAP)), (("Content-Encoding", "gzip"),)),
    "no gzip": Response(200, PRIVATE.encode(), (("Content-Encoding", "gzip"),)),
    "half a gzip": Response(200, gzip.compress(b"[]")[:-6], (("Content-Encoding", "gzip"),)),
    "other packing": Response(200, b"[]", (("Content-Encoding", "br"),)),
    "refused": answer(400, {"code": "22P02", "message": f'bad input "{PRIVATE}"', "details": PRIVATE}),
    "refused, unreadably": Response(418, PRIVATE.encode()),
    "gone": answer(404, {"code": "PGRST205", "message": f"not found: {ECHO}"}),
    "key refused": answer(401, {"message": f"bad key {PRIVATE}"}),
    "early hints": Response(304),
    "round and round": answer(200, {"data": [{"id": "CT1"}], "truncated": True, "next_marker": "again"}),
    "no marker": answer(200, {"data": [{"id": "CT1"}], "truncated": True}),
    "no data": answer(200, {"truncated": False}),
    "data is an object": answer(200, {"data": {"id": "CT1"}, "truncated": False}),
    "an error that says 200": answer(200, {"error": {"code": "oops", "message": PRIVATE}}),
}


@dataclass(frozen=True)
class Case:
    """`how`: a page from above, or a fault of the sandbox. `says`: what standard output must hold."""

    platform: str
    how: str
    code: int
    says: str
    path: str = ""

    @property
    def name(self) -> str:
        return f"{self.platform}: {self.how}{' ' + self.path if self.path else ''}"


BOTH = [
    ("html", LATER, "gave no usable answer (a web page instead of JSON)"),
    ("not JSON", LATER, "gave no usable answer (an answer that is not JSON)"),
    ("not UTF-8", LATER, "gave no usable answer (an answer that is not JSON)"),
    ("no number", LATER, "gave no usable answer (an answer that is not JSON)"),
    ("too deep", LATER, "gave no usable answer (an answer that is not JSON)"),
    ("half", LATER, "gave no usable answer (an answer that is not JSON)"),
    ("null", LATER, "the platform answered with something other than a list"),
    ("an object", LATER, "the platform answered with something other than a list"),
    ("a text", LATER, "the platform answered with something other than a list"),
    ("huge", LATER, "gave no usable answer (an answer above 1048576 bytes)"),
    ("a bomb", LATER, "gave no usable answer (an answer above 1048576 bytes)"),
    ("no gzip", LATER, "gave no usable answer (an answer that cannot be unpacked)"),
    ("half a gzip", LATER, "gave no usable answer (a truncated answer)"),
    ("other packing", LATER, "gave no usable answer (an answer packed as br)"),
    ("refused, unreadably", PERSON, "cannot be read: 418"),
    ("gone", PERSON, "cannot be read: 404"),
    ("refused", PERSON, "cannot be read: 400 22P02 bad input …"),
    ("key refused", PERSON, "refused our key (401)"),
    ("early hints", PERSON, "sends us on to http://127.0.0.1"),
    # faults of the sandbox
    ("fault empty", LATER, "gave no usable answer (an empty answer)"),
    ("fault truncated", LATER, "gave no usable answer (RemoteProtocolError)"),
    ("fault reset", LATER, "gave no usable answer (ReadError)"),
    ("fault lost", LATER, "gave no usable answer (RemoteProtocolError)"),
    ("fault hang", LATER, "gave no usable answer (ReadTimeout)"),
    ("fault slow", LATER, "gave no usable answer (an answer that took longer than 1 seconds)"),
    ("fault 500", LATER, "is busy (500)"),
    ("fault 502", LATER, "is busy (502)"),
    ("fault 503", LATER, "is busy (503)"),
    ("fault 401", PERSON, "refused our key (401)"),
    ("fault 403", PERSON, "refused our key (403)"),
    ("fault 402", PERSON, "wants payment, or a limit of the account is used up (402)"),
    ("fault redirect", PERSON, "sends us on to http://elsewhere.example.org"),
]
ONE = [
    Case("strive", "no rows", LATER, "other rows than those asked for"),
    Case("strive", "no ids", LATER, "other rows than those asked for"),
    Case("strive", "another row", LATER, "other rows than those asked for"),
    Case("strive", "no rows", LATER, "a row of the feed carries no id", r"^/member_changes"),
    Case("strive", "no ids", LATER, "a row of the feed carries no id", r"^/member_changes"),
    Case("strive", "an object", LATER, "something other than a list", r"^/member_changes"),
    Case("telerivet", "round and round", LATER, "pages do not come to an end"),
    Case("telerivet", "no marker", LATER, "pages do not come to an end"),
    Case("telerivet", "no data", LATER, "something other than a list"),
    Case("telerivet", "data is an object", LATER, "something other than a list"),
    Case("telerivet", "an error that says 200", PERSON, "the platform answered with an error"),
    Case("telerivet", "an object", LATER, "something other than a list", r"/groups\?"),
]
CASES = [Case(platform, *each) for each in BOTH for platform in ("strive", "telerivet")] + ONE


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sandbox, Shell]]:
    """Ana, known on both sides; waits between attempts are left out, and limits are small."""
    monkeypatch.setattr("daemon.platforms.http.random.uniform", lambda *_: 0.0)
    monkeypatch.setattr(http, "Api", functools.partial(http.Api, timeout=0.4, deadline=1.0, cap=CAP))
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        names = {"first_name": "Ana", "last_name": "Sample", "email": "ana@example.org"}
        sandbox.strive.add_member(phone_number=PHONE, **names)
        sandbox.telerivet.add_contact("Ana Sample", PHONE, {"email": "ana@example.org"})
        shell("sync")
        yield sandbox, shell


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_answer(world: tuple[Sandbox, Shell], monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    """It is told in words without anybody's data, with the right exit code; the other platform goes on, and the edit
    that could not be read arrives when the platform is well again."""
    sandbox, shell = world
    edit(sandbox, case.platform)
    with monkeypatch.context() as patch:
        spoil(sandbox, patch, case)
        done = shell("sync", code=case.code)
    told = " ".join(done.stdout.split())
    assert f"{case.platform} is left alone:" in told
    assert case.says in told
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
    sandbox.faults.clear()
    shell("sync", "--connection", case.platform)  # a person says: try again
    shell("sync")
    assert arrived(sandbox, case.platform)
    assert shell.json("sync")["sent"] == 0
    assert not any(sandbox.harm().values())


def edit(sandbox: Sandbox, platform: str) -> None:
    if platform == "strive":
        sandbox.strive.edit_member(sandbox.strive.members()[0]["id"], city="Paris")
    else:
        sandbox.telerivet.edit_contact(sandbox.telerivet.contacts()[0]["id"], vars={"city": "Paris"})


def arrived(sandbox: Sandbox, platform: str) -> bool:
    (member,), (contact,) = sandbox.strive.members(), sandbox.telerivet.contacts()
    return bool((contact["vars"].get("city") if platform == "strive" else member["city"]) == "Paris")


def spoil(sandbox: Sandbox, patch: pytest.MonkeyPatch, case: Case) -> None:
    path = case.path or READ[case.platform]
    if case.how.startswith("fault "):
        sandbox.faults.add(case.how.removeprefix("fault "), platform=case.platform, path=path, times=None, seconds=3)
        return
    page = PAGES[case.how]
    page = dataclasses.replace(page, body=page.body.replace(b"PLATFORM", case.platform.encode()))
    patch.setattr(sandbox, "respond", spoiled(sandbox, case.platform, path, lambda _: page))


def spoiled(
    sandbox: Sandbox, platform: str, path: str, instead: Callable[[Response], Response]
) -> Callable[[str, Request], Response]:
    """The sandbox's own `respond`, except for what is read from one place on one platform."""
    whole = sandbox.respond

    def respond(name: str, request: Request) -> Response:
        response = whole(name, request)
        hit = name == platform and request.method == "GET"
        return instead(response) if hit and re.search(path, request.target.removeprefix(f"/{name}")) else response

    return respond


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("strive", {"phone_number": 5}, "phone: "),
    ("strive", {"email": {"a": PRIVATE}}, "email: "),
    ("strive", {"city": ["Ana", "Sample"]}, "city: "),
    ("strive", {"opt_in": PRIVATE}, "consent.sms: "),
    ("strive", {"groups": PRIVATE}, "tags: "),
    ("telerivet", {"phone_number": {"a": PRIVATE}}, "phone: "),
    ("telerivet", {"name": ["Ana"]}, "full_name: "),
    ("telerivet", {"vars": {"email": {"a": PRIVATE}}}, "email: "),
    ("telerivet", {"send_blocked": PRIVATE}, "consent.sms: "),
]


@pytest.mark.parametrize(("platform", "wrong", "says"), WRONG, ids=lambda each: str(each)[:30])
def test_wrong_types_in_a_row(
    world: tuple[Sandbox, Shell], monkeypatch: pytest.MonkeyPatch, platform: str, wrong: dict[str, Any], says: str
) -> None:
    """That record is set aside, with the field and without the value; it is taken in when it is well again."""
    sandbox, shell = world
    edit(sandbox, platform)

    def instead(response: Response) -> Response:
        data = orjson.loads(response.body)
        for row in data if platform == "strive" else data["data"]:
            row.update(wrong)
        return answer(200, data)

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "respond", spoiled(sandbox, platform, READ[platform], instead))
        done = shell("sync", code=PARTIAL)
    assert f"{platform}: 1 record: {says}" in done.stdout
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
    shell("sync", "--full")
    assert arrived(sandbox, platform)
    assert shell.json("sync")["sent"] == 0
    (member,), (contact,) = sandbox.strive.members(), sandbox.telerivet.contacts()
    assert (member["opt_in"], contact["send_blocked"]) == (True, False)
    assert not any(sandbox.harm().values())


@pytest.mark.parametrize("fault", ["lost", "truncated", "500", "html", "empty", "reset", "hang"])
@pytest.mark.parametrize("platform", ["strive", "telerivet"])
def test_a_broken_answer_to_a_write(world: tuple[Sandbox, Shell], platform: str, fault: str) -> None:
    """Done or not, who knows: the next run finds out, and the edit is there once, with no harm done."""
    sandbox, shell = world
    other = {"strive": "telerivet", "telerivet": "strive"}[platform]
    edit(sandbox, other)
    method = "PATCH" if platform == "strive" else "POST"
    sandbox.faults.add(fault, platform=platform, method=method, times=1, seconds=1)
    done = shell("sync", code=LATER)
    assert re.search(
        rf"{platform} is left alone: 127\.0\.0\.1:\d+ (took a write but its answer was lost|answered 500)", done.stdout
    )
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
    shell("sync")
    assert arrived(sandbox, other)
    assert shell.json("sync")["sent"] == 0
    assert not any(sandbox.harm().values())
