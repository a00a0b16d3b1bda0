"""Faults on demand, late commits, the request log, and the control interface."""

import http.client
import time

import pytest

from daemon.sandbox import Faults, Sandbox

ANA = "+12025550101"


@pytest.mark.parametrize("kind", ["429", "500", "503", "401", "402", "403"])
@pytest.mark.parametrize("platform", ["strive", "telerivet"])
def test_refusals_use_the_platforms_own_words_and_do_nothing(sandbox, request, platform, kind):
    client = request.getfixturevalue(platform)
    sandbox.faults.add(kind, platform=platform, retry_after=7)
    path = {"strive": "/members", "telerivet": "/contacts"}[platform]
    answer = client("POST", path, {"phone_number": ANA, "campaign_id": 273})
    assert answer.status == int(kind)
    assert {"strive": "code", "telerivet": "error"}[platform] in answer.json
    assert answer.headers.get("Retry-After") == ("7" if kind == "429" else None)
    assert not sandbox.strive.members()
    assert not sandbox.telerivet.contacts()
    assert client("GET", path).status == 200


@pytest.mark.parametrize(("kind", "status"), [("502", 502), ("html", 200)])
def test_a_proxys_page_is_html(sandbox, strive, kind, status):
    sandbox.faults.add(kind)
    answer = strive("GET", "/members")
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html")
    assert answer.raw.startswith(b"<!doctype html>")


def test_empty_is_200_without_a_body(sandbox, strive):
    sandbox.faults.add("empty")
    answer = strive("GET", "/members")
    assert (answer.status, answer.raw) == (200, b"")


def test_a_redirect_leads_to_another_host(sandbox, strive):
    sandbox.faults.add("redirect")
    answer = strive("GET", "/members")
    assert (answer.status, answer.headers["Location"]) == (302, "http://elsewhere.example.org/")


def post(strive):
    return strive("POST", "/members", {"phone_number": ANA, "campaign_id": 273})


def test_lost_does_the_work_and_says_nothing(sandbox, strive):
    sandbox.faults.add("lost", method="POST")
    with pytest.raises(http.client.RemoteDisconnected):
        post(strive)
    assert len(sandbox.strive.members()) == 1


def test_reset_comes_before_the_work(sandbox, strive):
    sandbox.faults.add("reset")
    with pytest.raises(ConnectionError):
        post(strive)
    assert sandbox.strive.members() == []


def test_whether_the_work_is_done_can_be_turned_round(sandbox, strive):
    sandbox.faults.add("lost", work=False)
    with pytest.raises(http.client.RemoteDisconnected):
        post(strive)
    assert sandbox.strive.members() == []
    sandbox.faults.add("500", work=True)
    assert post(strive).status == 500
    assert len(sandbox.strive.members()) == 1


def test_truncated_breaks_off_in_the_body(sandbox, strive):
    sandbox.strive.add_member(phone_number=ANA)
    sandbox.faults.add("truncated")
    with pytest.raises(http.client.IncompleteRead) as broken:
        strive("GET", "/members")
    assert broken.value.partial.startswith(b'[{"id":')


def test_hang_outlasts_the_clients_patience_and_does_not_delay_the_end(sandbox, strive):
    sandbox.faults.add("hang", seconds=60)
    strive.timeout = 0.1
    with pytest.raises(TimeoutError):
        strive("GET", "/members")
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 5


def test_slow_drips_and_is_whole(sandbox, strive):
    sandbox.faults.add("slow", seconds=0.2)
    began = time.monotonic()
    assert strive.get("/members") == []
    assert time.monotonic() - began >= 0.15


def test_a_fault_strikes_only_what_it_is_meant_for(sandbox, strive, telerivet):
    sandbox.faults.add("500", platform="strive", method="GET", path=r"^/members\?.*state", after=1, times=2)
    assert telerivet("GET", "/contacts?state=x").status == 200
    assert strive("GET", "/groups").status == 200
    assert [strive("GET", "/members?state=eq.GA").status for _ in range(5)] == [200, 500, 500, 200, 200]
    assert sandbox.faults.pending() == []


def test_a_fault_without_end_and_clearing_it(sandbox, strive):
    sandbox.faults.add(503, times=None)
    assert [strive("GET", "/members").status for _ in range(3)] == [503] * 3
    sandbox.faults.clear()
    assert strive("GET", "/members").status == 200


def test_random_faults_are_the_same_for_the_same_seed():
    def kinds(seed):
        faults = Faults()
        faults.random(0.3, seed)
        taken = [faults.take("strive", "GET", "/members") for _ in range(200)]
        return [fault.kind if fault else None for fault in taken]

    assert kinds(1) == kinds(1) != kinds(2)
    assert 30 < sum(kind is not None for kind in kinds(1)) < 90


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="unknown fault 'gremlin'"):
        Faults().add("gremlin")


# Late commits ----------------------------------------------------------------------------------------------------


def test_a_late_commit_is_passed_by_a_cursor_that_does_not_overlap(sandbox, strive, clock):
    with sandbox.strive.late(requests=2):
        slow = sandbox.strive.add_member(phone_number=ANA)
    clock.tick()
    fast = sandbox.strive.add_member(phone_number="+12025550102")
    seen = strive.get("/members?order=updated_at.asc,id.asc")
    assert [row["id"] for row in seen] == [fast]
    after = seen[-1]["updated_at"].replace("+", "%2B")
    assert strive.get(f"/members?updated_at=gt.{after}") == []
    assert strive.get(f"/members?updated_at=gt.{after}") == []  # it shows now, but behind the cursor
    assert [row["id"] for row in strive.get("/members?order=updated_at.asc")] == [slow, fast]


def test_a_late_edit_may_wait_for_time_and_a_second_writer_waits_for_it(sandbox, telerivet, clock):
    ana = sandbox.telerivet.add_contact(name="Ana", vars={"a": 1})
    ben = sandbox.telerivet.add_contact(name="Ben")
    with sandbox.telerivet.late(seconds=30):
        sandbox.telerivet.edit_contact(ana, vars={"a": 2})
        sandbox.telerivet.edit_contact(ben, name="Benjamin")
    assert telerivet.get(f"/contacts/{ana}")["vars"] == {"a": 1}
    sandbox.telerivet.edit_contact(ana, name="Anna")
    assert (telerivet.get(f"/contacts/{ana}")["name"], telerivet.get(f"/contacts/{ana}")["vars"]) == ("Anna", {"a": 2})
    assert telerivet.get(f"/contacts/{ben}")["name"] == "Ben"
    clock.tick(31)
    row = telerivet.get(f"/contacts/{ben}")
    assert (row["name"], row["time_updated"]) == ("Benjamin", 1_700_000_000)


@pytest.mark.parametrize("how", ["patch", "post"])
def test_an_api_write_waits_for_a_late_one_and_keeps_it(sandbox, strive, how):
    ana = sandbox.strive.add_member(phone_number=ANA)
    with sandbox.strive.late(requests=9):
        sandbox.strive.edit_member(ana, custom={"lang": "es"})
    if how == "patch":
        strive("PATCH", f"/members?id=eq.{ana}", {"city": "Atlanta"})
    else:
        post(strive)
    assert sandbox.strive.member(ana)["custom"] == {"lang": "es"}


def test_an_api_create_waits_for_a_late_one_of_the_same_phone(sandbox, strive):
    with sandbox.strive.late(requests=9):
        ana = sandbox.strive.add_member(phone_number=ANA, first_name="Ana")
    post(strive)
    assert [row["id"] for row in sandbox.strive.members()] == [ana]


# The log, the control interface, the life of the server -----------------------------------------------------------


def test_the_log_tells_what_was_asked_written_and_answered(sandbox, strive, telerivet):
    post(strive)
    sandbox.faults.add("lost")
    with pytest.raises(http.client.RemoteDisconnected):
        telerivet("GET", "/contacts?page_size=5")
    first, second = sandbox.calls()
    assert (first.platform, first.method, first.path, first.status) == ("strive", "POST", "/members", 201)
    assert first.wrote == {"phone_number": ANA, "campaign_id": 273}
    assert (second.path.endswith("/contacts?page_size=5"), second.fault, second.wrote) == (True, "lost", None)
    assert second.status == 0
    assert sandbox.calls(platform="strive", method="GET") == []
    sandbox.reset_log()
    assert sandbox.calls() == []


def test_the_log_can_be_bounded():
    with Sandbox(empty=True, log_limit=2) as small:
        connection = http.client.HTTPConnection("127.0.0.1", int(small.url.rsplit(":", 1)[1]))
        for path in ("/strive/a", "/strive/b", "/strive/c"):
            connection.request("GET", path)
            connection.getresponse().read()  # one connection, kept alive
        connection.close()
        assert [call.path for call in small.calls()] == ["/b", "/c"]


def test_another_process_can_act_set_faults_and_look(sandbox, control, strive):
    args = {"phone_number": ANA, "first_name": "Ana"}
    act = {"platform": "strive", "action": "add_member", "args": args}
    member = control("POST", "/act", act).json["result"]
    assert control.get("/state")["strive"][0]["first_name"] == "Ana"
    control("POST", "/act", {**act, "action": "opt_out", "args": {"member_id": member}, "late": {"requests": 1}})
    assert [strive.get("/members")[0]["opt_in"] for _ in range(2)] == [True, False]
    assert control("POST", "/faults", {"kind": "500", "method": "GET"}).json == {"pending": 1}
    assert strive("GET", "/members").status == 500
    control("POST", "/faults", {"random": 1.0, "kinds": ["503"]})
    assert strive("GET", "/members").status == 503
    control("POST", "/faults", {"clear": True})
    control("POST", "/switch", {"platform": "strive", "max_rows": 0})
    assert strive.get("/members") == []
    strive("PATCH", "/members", {"city": "Oops"})
    assert control.get("/harm")["harm"]["rows_mass_patched"] == 1
    assert control.get("/requests")[-1]["wrote"] == {"city": "Oops"}
    assert control("POST", "/reset", {"people": 24, "seed": 3}).json["strive"] > 20
    assert not any(control.get("/harm")["harm"].values())
    assert control.get("/")["strive"]["campaign_id"] == 273
    assert len(control.get("/truth")) == 24


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/act", {"platform": "strive", "action": "clear"}, 400),
        ("/act", {"platform": "strive", "action": "opt_out", "args": {"member_id": 5}}, 400),
        ("/act", {}, 400),
        ("/switch", {"platform": "strive", "lock": 1}, 400),
        ("/faults", {"kind": "gremlin"}, 400),
        ("/nothing", {}, 404),
    ],
)
def test_what_it_cannot_do_for_another_process_it_says(control, path, body, status):
    answer = control("POST", path, body)
    assert answer.status == status
    assert answer.json["message"]


def test_a_bug_of_the_sandbox_itself_does_not_pass_for_the_platforms(monkeypatch):
    broken = Sandbox(empty=True).start()
    monkeypatch.setattr(broken.strive, "commits", None)
    connection = http.client.HTTPConnection("127.0.0.1", int(broken.url.rsplit(":", 1)[1]))
    connection.request("GET", "/strive/members")
    assert connection.getresponse().read()
    connection.close()
    with pytest.raises(RuntimeError, match="the sandbox itself failed"):
        broken.stop()
