"""The status page over real HTTP: what it shows, to whom, and what it lets whom do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.sync.verdicts import CHOICES
from state.model import Hold, Noted
from tests.system.page_world import TOKEN, PageWorld

ADA = ("Ada", "Sample", "+12025550101", "ada@example.org")
OPEN = f'listen = "0.0.0.0:0"\ntoken = "{TOKEN}"'


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageWorld]:
    """A page with a token on loopback; a hold, a refused push, two days of hours. For tests that change nothing."""
    with PageWorld(tmp_path_factory.mktemp("seen"), f'token = "{TOKEN}"', empty=True) as world:
        world.two_with_one_phone()
        world.refused()
        world.hours()
        yield world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PageWorld]:
    """The same, with nothing in it yet, to be changed."""
    with PageWorld(tmp_path, f'token = "{TOKEN}"', empty=True) as made:
        yield made


def stamp(text: str) -> str:
    found = re.search(r'name="stamp" value="(\w+)"', text)
    assert found is not None
    return found[1]


# what is seen


def test_the_overview_tells_how_it_all_stands(seen: PageWorld) -> None:
    reply = seen.get("/")
    assert reply.status == 200
    for words in ("All 2 connections are up to date", "of 30 min", "balanced", "who is this?", "Changes per hour"):
        assert words in reply.text
    assert "400 invalid_param" in reply.text  # why it was refused
    assert "profile" in reply.text


def test_nobody_is_told_who_people_are(seen: PageWorld) -> None:
    """Not on the overview, not at a hold, not at a contact: not even to who is signed in, before they ask."""
    contact = next(each for each in seen.contacts().values() if each.get("phone") == "+12025550101")
    for cookie in ("", seen.sign_in()):
        for path in ("/", f"/contacts/{contact.id}", f"/holds/{seen.holds()[0].id}"):
            text = seen.get(path, Cookie=cookie).text
            assert [word for word in (*ADA, "Zoe", "Example ") if word in text] == []


def test_a_page_asks_nobody_else_for_anything(seen: PageWorld) -> None:
    """No script, nothing from anywhere; its own style, and nothing that is not in it."""
    reply = seen.get("/")
    assert "<script" not in reply.text
    assert re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', reply.text) == []
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert re.findall(r"\son\w+=|\sstyle=", reply.text) == []
    assert reply.headers["server"] == "rosterd"


def test_a_database_with_nothing_in_it_has_a_page_too(world: PageWorld) -> None:
    text = world.get("/").text
    for words in ("first reading is under way", "not read yet", "There was no run yet", "No push was refused"):
        assert words in text
    assert world.get("/readyz").status == 503


def test_the_page_renews_itself_only_when_asked(seen: PageWorld) -> None:
    assert 'http-equiv="refresh"' not in seen.get("/").text
    assert '<meta http-equiv="refresh" content="30">' in seen.get("/?every=30").text


def test_books_that_do_not_balance_are_shown(world: PageWorld) -> None:
    """With by how much; a run that was killed as one."""
    books = {"strive": {"read": 10, "changed": 3, "unchanged": 5, "reasons": {}}}

    def write(tx: Any) -> None:
        tx.runs.end(tx.runs.begin(world.now - 60), world.now, "done", books)
        tx.runs.begin(world.now)

    world.write(write)
    text = world.get("/").text
    assert "off by +2" in text
    assert "under way, or killed" in text


def test_what_platforms_say_is_text(world: PageWorld) -> None:
    """Whatever is written into a reason, a hold or a record: it is shown, and it is nothing else."""
    evil = '<script>alert("x")</script>'
    world.two_with_one_phone()

    def write(tx: Any) -> None:
        tx.connections.put("strive", failures=1, paused_why=f"{evil}\u202egnp.exe")
        tx.holds.open(Hold("k", "unwritable", {"field": evil, "why": evil}, "strive", evil, 1, opened_at=world.now))
        tx.journal.add([Noted("refused", {"reason": evil}, 1, "strive", None, world.now), Noted(evil, {evil: evil}, 1)])

    world.write(write)
    hold = next(each for each in world.holds() if each.kind == "unwritable")
    for path in ("/", f"/holds/{hold.id}", "/contacts/1"):
        text = world.get(path).text
        assert "&lt;script&gt;" in text
        assert "<script" not in text
        assert "\u202e" not in text


def test_a_complete_reading_under_way_shows_how_far_it_is(world: PageWorld) -> None:
    """The first one in records, as nobody knows how many there are; a later one in per cent of those known."""
    for number in range(1, 5):
        world.strive.add_member(phone_number=f"+1202555010{number}", first_name="Ada", last_name=f"Sample{number}")
    world.sync()

    def half(tx: Any) -> None:
        tx.connections.put("strive", sweep=2)
        tx.links.mark("strive", [str(each["id"]) for each in world.strive.members()][:2], 2)

    world.write(half)
    world.server.reload(world.settings)
    assert "under way: 50 % of 4 records" in world.get("/").text
    world.write(lambda tx: tx.connections.put("strive", swept=0))
    world.server.reload(world.settings)
    assert "under way: 2 records so far" in world.get("/").text


# for machines


def test_readyz_tells_of_each_connection(world: PageWorld) -> None:
    """Not before the first complete reading; then as long as each was read to the end within its bound."""
    first = world.get("/readyz")
    assert (first.status, json.loads(first.text)["connections"]["strive"]["why"]) == (503, "not read yet")
    world.sync()
    ready = world.get("/readyz")
    assert (ready.status, json.loads(ready.text)["ready"]) == (200, True)
    world.now += 1800
    assert world.get("/readyz").status == 200
    world.now += 1
    late = json.loads(world.get("/readyz").text)
    assert late["connections"]["telerivet"] == {
        "platform": "telerivet",
        "ready": False,
        "state": "late",
        "why": "not read to the end within 30 min",
        "lag_seconds": 1801.0,
        "late_after_seconds": 1800.0,
        "last_success": round(world.now - 1801, 1),
        "at": round(world.now, 1),
    }


def test_healthz_says_what_the_service_says(world: PageWorld) -> None:
    assert (world.get("/healthz").status, json.loads(world.get("/healthz").text)["ok"]) == (200, True)
    world.healthy = (False, "the loop has not moved for 5 min")
    reply = world.get("/healthz")
    assert (reply.status, json.loads(reply.text)) == (503, {"ok": False, "says": world.healthy[1]})


def test_metrics_tell_what_the_database_knows(seen: PageWorld) -> None:
    seen.metrics.told_no("strive", 42)
    reply = seen.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    for line in (
        "rosterd_database_up 1.0",
        'rosterd_connection_ready{connection="strive"} 1.0',
        'rosterd_connection_late_after_seconds{connection="telerivet"} 1800.0',
        'rosterd_dead_letters{class="profile",connection="telerivet"} 1.0',
        'rosterd_holds_open{kind="match"} 1.0',
        'rosterd_optout_propagation_seconds_bucket{connection="strive",le="60.0"} 1.0',
    ):
        assert line in reply.text
    assert [word for word in (*ADA, "2025550") if word in reply.text] == []


def test_a_dead_letter_that_a_person_leaves_is_none(world: PageWorld) -> None:
    """A shared phone: the push stays dead by decision, and waits for nobody."""
    world.strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Sample")
    world.telerivet.add_contact("Zoe Example", "+12025550101")
    world.sync()
    world.post(f"/holds/{world.holds()[0].id}", {"choice": "different"}, Authorization=f"Bearer {TOKEN}")
    world.sync()
    shared = next(hold for hold in world.holds() if hold.kind == "shared_identifier")
    assert "rosterd_dead_letters{" in world.get("/metrics").text
    done = world.post(f"/holds/{shared.id}", {"choice": "dismiss"}, Authorization=f"Bearer {TOKEN}")
    assert "dismissed" in done.text
    assert [push.state for push in world.outbox()].count("dead") >= 1
    assert (
        f'rosterd_dead_letters{{class="backfill",connection="{shared.connection}"}}' not in world.get("/metrics").text
    )


# deciding


def test_a_hold_is_decided(world: PageWorld) -> None:
    """By who is signed in, on a form of this session; the next run sends what follows."""
    hold, cookie = world.two_with_one_phone(), world.sign_in()
    page = world.get(f"/holds/{hold}", Cookie=cookie).text
    assert 'value="same c1"' in page
    done = world.post(f"/holds/{hold}", {"choice": "same c1", "stamp": stamp(page)}, Cookie=cookie)
    assert (done.status, "the record belongs to contact c1" in done.text) == (200, True)
    assert world.holds() == []
    again = world.post(f"/holds/{hold}", {"choice": "same c1", "stamp": stamp(page)}, Cookie=cookie)
    assert (again.status, "was decided on" in again.text) == (409, True)
    assert "Decided" in world.get(f"/holds/{hold}").text


def test_what_was_refused_is_tried_again(world: PageWorld) -> None:
    push, contact = world.refused()
    cookie = world.sign_in()
    page = world.get("/", Cookie=cookie).text
    assert f'<button type="submit" name="id" value="{push}"' in page
    world.with_room(contact)
    done = world.post("/outbox", {"id": push, "stamp": stamp(page)}, Cookie=cookie)
    assert f"Push {push} goes with the next run" in done.text
    world.sync()
    assert world.telerivet.contact(contact)["vars"]["city"] == "Rome"
    assert "there is no push" in world.post("/outbox", {"id": push, "stamp": stamp(page)}, Cookie=cookie).text


DETAILS: dict[str, dict[str, Any]] = {
    "match": {"why": "name_differs", "contacts": [1], "view": {"given_name": "Zoe"}, "at": 1.0},
    "flip": {"field": "city", "says": {"strive": "Rome", "telerivet": "Oslo"}},
    "fuse": {"kind": "update", "count": 900, "holds": 1000},
    "consent_jump": {"field": "consent.sms", "records": {"7": "subscribed"}},
    "consent_missing": {"channel": "sms"},
    "not_stored": {"field": "city", "sent": "Rome", "says": "Oslo"},
    "unwritable": {"field": "language", "why": "no word for it"},
    "shared_identifier": {"why": "a record there has it", "contacts": [1], "records": ["7"]},
    "outreach": {
        "outreach": 1,
        "rule": "thanks",
        "event": "tag",
        "at": 1.0,
        "why": "the answer was lost",
        "contacts": [1],
    },
}


def test_every_kind_of_hold_can_be_looked_at_and_decided(seen: PageWorld) -> None:
    """With every choice that the command line takes for it."""
    assert set(DETAILS) == set(CHOICES)
    holds = [Hold(f"of {kind}", kind, detail, "strive", "7", 1, opened_at=1.0) for kind, detail in DETAILS.items()]
    seen.write(lambda tx: [tx.holds.open(hold) for hold in holds])
    for hold in [each for each in seen.holds() if each.key.startswith("of ")]:
        for asked in (seen.get, lambda path, **more: seen.post(path, {"do": "reveal"}, **more)):
            page = asked(f"/holds/{hold.id}", Authorization=f"Bearer {TOKEN}")
            assert page.status == 200
            offered = {value.split()[0] for value in re.findall(r'name="choice" value="([^"]*)"', page.text)}
            assert offered == {choice.split()[0] for choice in CHOICES[hold.kind].split(" | ")}
    seen.write(lambda tx: [tx.holds.close(hold.key, {}, at=2.0) for hold in holds])


@pytest.mark.parametrize("choice", ["same c99", "approve", "", "same c1 --only 3", "different now", "same c1 c2"])
def test_only_what_is_offered_can_be_chosen(seen: PageWorld, choice: str) -> None:
    hold = seen.holds()[0].id
    reply = seen.post(f"/holds/{hold}", {"choice": choice}, Authorization=f"Bearer {TOKEN}")
    assert (reply.status, "is no choice" in reply.text) == (409, True)
    assert seen.holds()[0].state == "open"


@pytest.mark.parametrize("push", ["", "x", "17x", "0", "-1", "o", "99", "o99", "1 2"])
def test_a_push_that_is_none_is_not_tried_again(seen: PageWorld, push: str) -> None:
    reply = seen.post("/outbox", {"id": push}, Authorization=f"Bearer {TOKEN}")
    assert (reply.status, "no push" in reply.text) == (409, True)


def decisions(world: PageWorld) -> list[tuple[str, dict[str, object]]]:
    push = next(push for push in world.outbox() if push.state == "dead")
    hold = world.holds()[0].id
    return [
        (f"/holds/{hold}", {"choice": "different"}),
        (f"/holds/{hold}", {"do": "reveal"}),
        ("/contacts/1", {"do": "reveal"}),
        ("/outbox", {"id": push.id}),
    ]


def untouched(world: PageWorld) -> bool:
    return bool(world.holds()) and any(push.state == "dead" for push in world.outbox())


def test_nothing_is_decided_or_revealed_without_the_token(seen: PageWorld) -> None:
    for path, form in decisions(seen):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": "a=b"}):
            reply = seen.post(path, form, **headers)
            assert (reply.status, "www-authenticate" in reply.headers) == (401, True)
            assert "Ada" not in reply.text
    assert untouched(seen)


def test_a_form_of_another_session_decides_nothing(seen: PageWorld) -> None:
    """No stamp, somebody else's stamp, or a stamp that was made up."""
    cookie, other = seen.sign_in(), seen.sign_in()
    theirs = stamp(seen.get("/", Cookie=other).text)
    assert theirs != stamp(seen.get("/", Cookie=cookie).text)
    for path, form in decisions(seen):
        for wrong in ({}, {"stamp": theirs}, {"stamp": "é"}):
            assert seen.post(path, form | wrong, Cookie=cookie).status == 403
    assert untouched(seen)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # another service of this machine
        {"Origin": "http://["},  # no address at all
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_a_form_of_another_page_decides_nothing(seen: PageWorld, elsewhere: dict[str, str]) -> None:
    """Also with the cookie and the right stamp; and nobody is signed in by one."""
    cookie = seen.sign_in()
    right = {"stamp": stamp(seen.get("/", Cookie=cookie).text)}
    for path, form in decisions(seen):
        assert seen.post(path, form | right, Cookie=cookie, **elsewhere).status == 403
    assert seen.post("/sign-in", {"token": TOKEN}, **elsewhere).status == 403
    assert untouched(seen)


def test_a_form_that_does_not_say_where_it_comes_from_decides_nothing(seen: PageWorld) -> None:
    cookie = seen.sign_in()
    assert seen.raw("POST", "/outbox", "id=1", Cookie=cookie).status == 403


# signing in


def test_a_cookie_is_not_the_token_and_ends(world: PageWorld) -> None:
    reply = world.post("/sign-in", {"token": TOKEN, "to": "/holds/3"})
    cookie, attributes = reply.headers["set-cookie"].split("; ", 1)
    assert (reply.status, reply.headers["location"]) == (303, "/holds/3")
    assert attributes == "Path=/; Max-Age=28800; HttpOnly; SameSite=Strict"
    assert TOKEN not in cookie
    assert "Sign out" in world.get("/", Cookie=cookie).text
    world.now += 8 * 3600 + 1
    assert "Sign out" not in world.get("/", Cookie=cookie).text


def test_a_cookie_cannot_be_made_up_or_made_longer(world: PageWorld) -> None:
    cookie = world.sign_in()
    ends, number, signature = cookie.partition("=")[2].split(".")
    longer = f"rosterd_session={int(ends) + 9999}.{number}.{signature}"
    for made_up in (longer, "rosterd_session=", "rosterd_session=..", f"rosterd_session={TOKEN}", cookie[:-1], "=;=;"):
        assert "Sign out" not in world.get("/", Cookie=made_up).text


def test_another_token_ends_every_session(world: PageWorld) -> None:
    cookie = world.sign_in()
    world.server.reload(world.configure('token = "another-token-altogether"'))
    assert "Sign out" not in world.get("/", Cookie=cookie).text
    assert world.post("/sign-in", {"token": TOKEN}).status == 403


def test_signing_out_takes_the_cookie_away(world: PageWorld) -> None:
    cookie = world.sign_in()
    form = {"stamp": stamp(world.get("/", Cookie=cookie).text)}
    assert "Max-Age=0" in world.post("/sign-out", form, Cookie=cookie).headers["set-cookie"]
    assert "set-cookie" not in world.post("/sign-out", {}, Cookie=cookie).headers


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example/", "/\\evil.example", "/holds/3\r\nX: y", "x"])
def test_signing_in_leads_nowhere_else(seen: PageWorld, to: str) -> None:
    assert seen.post("/sign-in", {"token": TOKEN, "to": to}).headers["location"] == "/"


def test_the_wrong_token_signs_nobody_in(seen: PageWorld) -> None:
    for wrong in ("", "wrong", TOKEN[:-1], TOKEN + "x", "é"):
        reply = seen.post("/sign-in", {"token": wrong})
        assert (reply.status, "set-cookie" in reply.headers) == (403, False)
        assert "not the token" in reply.text


def test_behind_https_the_cookie_is_never_sent_in_the_clear(seen: PageWorld) -> None:
    reply = seen.post("/sign-in", {"token": TOKEN}, X_Forwarded_Proto="https")
    assert reply.headers["set-cookie"].endswith("; Secure")


def test_without_a_token_the_page_only_shows(tmp_path: Path) -> None:
    """And says how to change that. No button, and no way to decide."""
    with PageWorld(tmp_path, empty=True) as world:
        hold = world.two_with_one_phone()
        text = world.get("/").text
        assert "openssl rand -hex 24" in text
        assert "Sign in" not in text
        page = world.get(f"/holds/{hold}").text
        assert "<button" not in page
        assert f"rosterd holds decide {hold} different" in page
        assert world.get("/sign-in").status == 404
        for token in ("", "None", TOKEN):
            assert world.post("/sign-in", {"token": token}).status == 404
            denied = world.post(f"/holds/{hold}", {"choice": "different"}, Authorization=f"Bearer {token}")
            assert denied.status == 401
        assert [each.id for each in world.holds() if each.kind == "match"] == [hold]


# from elsewhere


def test_on_another_address_everything_but_healthz_asks_for_the_token(tmp_path: Path) -> None:
    with PageWorld(tmp_path, OPEN, empty=True) as world:
        world.two_with_one_phone()
        assert world.get("/healthz").status == 200
        for path in ("/", "/readyz", "/metrics", "/contacts/1", "/holds/1", "/nowhere"):
            assert world.get(path).status == 401
            assert world.get(path, Authorization="Bearer wrong").status == 401
        assert world.post("/contacts", {"asked": "c1"}).status == 401
        assert "Sign in" in world.get("/").text
        assert world.get("/readyz", Authorization=f"Bearer {TOKEN}").status == 200
        assert "rosterd_workers" in world.get("/metrics", Authorization=f"bearer {TOKEN}").text
        assert "All 2 connections" in world.get("/", Cookie=world.sign_in()).text
        assert world.get("/healthz", Host="roster.example.org").status == 200
        assert json.loads(world.get("/healthz").text) == {"ok": True}  # not whom it works with, nor what ails it
        assert "says" in json.loads(world.get("/healthz", Authorization=f"Bearer {TOKEN}").text)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]", "", "a b"]
)
def test_a_name_that_was_made_to_lead_here_is_not_answered(seen: PageWorld, host: str) -> None:
    for path in ("/", "/healthz", "/metrics"):
        assert seen.get(path, Host=host).status == 421
    assert seen.post("/sign-in", {"token": TOKEN}, Host=host, Origin=f"http://{host}").status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "[::1]:8787", "LOCALHOST", "127.0.0.2", "localhost."])
def test_the_names_of_this_machine_are_answered(seen: PageWorld, host: str) -> None:
    assert seen.get("/healthz", Host=host).status == 200


def test_a_proxy_lets_nobody_in_without_the_token(seen: PageWorld) -> None:
    """Though it asks from this machine."""
    for header in ("X_Forwarded_For", "Forwarded"):
        assert seen.get("/", **{header: "192.0.2.7"}).status == 401
        assert seen.get("/", Authorization=f"Bearer {TOKEN}", **{header: "192.0.2.7"}).status == 200


# finding somebody


@pytest.mark.parametrize("asked", ["+12025550101", "(202) 555-0101", "202.555.0101", " c1 ", "ADA@example.org"])
def test_a_contact_is_found_by_what_is_known_of_it(seen: PageWorld, asked: str) -> None:
    """As a whole, however it is typed; the address of the page names nobody."""
    reply = seen.post("/contacts", {"asked": asked})
    assert reply.status == 303
    assert re.fullmatch(r"/contacts/\d+", reply.headers["location"])


def test_a_contact_is_found_by_its_record(seen: PageWorld) -> None:
    link = next(link for links in seen.links().values() for link in links if link.contact_id)
    reply = seen.post("/contacts", {"asked": link.external_id})
    assert reply.headers["location"] == f"/contacts/{link.contact_id}"


@pytest.mark.parametrize("asked", ["Ada", "+1202555", "ada@", "%", "", "2025550101 or 1=1", "c99", "c0", "x" * 5000])
def test_nobody_feels_their_way_to_somebody(seen: PageWorld, asked: str) -> None:
    """A part of a number, or a name, finds nobody for who is not signed in."""
    reply = seen.post("/contacts", {"asked": asked})
    assert (reply.status, "Nobody was found" in reply.text) == (200, True)


def test_who_is_signed_in_searches_names_too(seen: PageWorld) -> None:
    reply = seen.post("/contacts", {"asked": "sample"}, Cookie=seen.sign_in())
    assert reply.text.count('href="/contacts/') == 2
    assert "A••• S•••" in reply.text
    assert "Ada" not in reply.text


def test_a_contact_is_uncovered_when_asked_and_it_is_noted(seen: PageWorld, capfd: pytest.CaptureFixture[str]) -> None:
    from daemon import logs

    logs.configure("json")
    cookie = seen.sign_in()
    page = seen.get("/contacts/1", Cookie=cookie).text
    assert "A••• S•••" in page
    told = seen.post("/contacts/1", {"do": "reveal", "stamp": stamp(page)}, Cookie=cookie).text
    assert "+12025550101" in told
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    (noted,) = [line for line in lines if line["event"] == "contact.revealed"]
    assert (noted["contact"], noted["peer"]) == ("c1", "127.0.0.1")
    assert "+12025550101" not in json.dumps(lines)
    assert TOKEN not in json.dumps(lines)


def test_a_hold_is_uncovered_when_asked(seen: PageWorld) -> None:
    hold = seen.holds()[0].id
    reply = seen.post(f"/holds/{hold}", {"do": "reveal"}, Authorization=f"Bearer {TOKEN}")
    assert "Ada Sample" in reply.text
    assert "Zoe Example" in reply.text
    assert seen.holds()[0].state == "open"


@pytest.mark.parametrize("path", ["/contacts/99", "/holds/99"])
def test_what_is_not_there_is_said(seen: PageWorld, path: str) -> None:
    reply = seen.get(path)
    assert (reply.status, "There is no" in reply.text) == (404, True)
