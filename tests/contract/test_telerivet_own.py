"""What is Telerivet's own: its look-ups, imports, groups and feeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from daemon.errors import NeedsPerson
from daemon.platforms.base import Create, Exists, Gone, OptOut, Push, Refused, Stored, Update
from daemon.platforms.telerivet import Telerivet
from daemon.sandbox.sandbox import Call
from tests.contract.sites import TelerivetSite
from tests.contract.suite import ADA, GRACE, changed, kept, one, somebody, swept


@pytest.fixture
def site() -> Iterator[TelerivetSite]:
    site = TelerivetSite("auto")
    yield site
    site.close()
    assert not site.harm()


@pytest.fixture
def telerivet(site: TelerivetSite) -> Telerivet:
    connector = site.connect()
    assert isinstance(connector, Telerivet)
    return connector


def calls(site: TelerivetSite, method: str | None = None) -> list[Call]:
    return site.sandbox.calls("telerivet", method)


def imports(site: TelerivetSite) -> list[Any]:
    return [call.wrote for call in calls(site, "POST") if call.path.endswith("/import_contacts")]


def make(n: int, **more: Any) -> Create:
    person = somebody(n)
    wire = {"name": f"P{n}", "phone_number": person["phone"], "vars": {"email": person["email"]}}
    return Create(n, wire, person["phone"], person["email"], **more)


def set_var(telerivet: Telerivet, ids: list[str], **more: Any) -> list[Push]:
    """One update of a variable for each; read just before, as the sync does."""
    found = {record.external_id: record for record in telerivet.fetch(ids)}
    return [
        Update(n, id_, found[id_].version if id_ in found else None, {"vars": {"city": "Turin"}}, **more)
        for n, id_ in enumerate(ids)
    ]


# Who is who


@pytest.mark.parametrize("stored", ["5550101", "2025550101", "12025550101", "(202) 555-0101", "+442025550101", ""])
def test_a_number_that_only_ends_alike_is_somebody_else(site: TelerivetSite, telerivet: Telerivet, stored: str) -> None:
    id_ = site.add(first="Ada", last="Lovelace", phone=stored)
    before = site.now(id_)
    outcome = one(telerivet, make(101))
    if stored == "12025550101":  # the same number, written without its plus
        assert isinstance(outcome, Stored | Exists)
    else:
        assert isinstance(outcome, Stored)
    assert site.now(id_) == before
    site.sandbox.harm_log.counts["duplicates"] = 0  # the sandbox knows national spellings; so will the mapping


def test_a_server_that_searches_laxly_is_not_believed(
    site: TelerivetSite, telerivet: Telerivet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it finds is compared here, digit by digit."""
    alike = ["5550101", "+442025550101", "2025550101", None, 7]
    rows = [{"id": f"CT{n}", "phone_number": number} for n, number in enumerate(alike)]
    monkeypatch.setattr(telerivet._writer, "_search", lambda _: iter(rows))
    assert isinstance(one(telerivet, make(101)), Stored)
    rows.append({"id": "CTsame", "phone_number": "001 (202) 555-0101"})
    outcome = one(telerivet, make(101))
    assert isinstance(outcome, Exists)
    assert [record.external_id for record in outcome.records] == ["CTsame"]


def test_namesakes_stay_two(site: TelerivetSite, telerivet: Telerivet) -> None:
    id_ = site.add(first="Ada", last="Lovelace")
    outcome = one(telerivet, Create(1, {"name": "ada lovelace"}, None, None))
    assert isinstance(outcome, Stored)
    assert outcome.external_id != id_


def test_an_email_is_looked_up_in_the_variable_it_is_written_to(site: TelerivetSite, telerivet: Telerivet) -> None:
    id_ = site.model.add_contact("Ada", None, {"mail_private": "Ada@Example.org"})
    wire = {"name": "Ada", "vars": {"mail_private": "ada@example.org", "other": "x"}}
    outcome = one(telerivet, Create(1, wire, None, "ada@example.org"))
    assert isinstance(outcome, Exists)
    assert [record.external_id for record in outcome.records] == [id_]


def test_no_look_up_of_theirs_is_ever_used_and_nobody_is_ever_unblocked(
    site: TelerivetSite, telerivet: Telerivet
) -> None:
    ids = [site.add(**somebody(n)) for n in range(60)]
    pushes = [make(n, add_tags=("vols",), subscribed=frozenset({"sms"})) for n in range(100, 140)]
    pushes += [make(200), make(201, add_tags=tuple(f"t{n}" for n in range(7)))]
    list(telerivet.push([*set_var(telerivet, ids[:30]), *[OptOut(500 + n, id_, "sms") for n, id_ in enumerate(ids)]]))
    list(telerivet.push(pushes))
    bodies = [call.wrote for call in calls(site, "POST") if isinstance(call.wrote, dict)]
    for call in calls(site, "POST"):
        if call.path.endswith(("/contacts", "/import_contacts")):
            assert call.wrote["lookup_key"] in ("id", "none")
    inner = [contact for body in bodies for contact in body.get("contacts", ())]
    assert all(sent.get("send_blocked", True) is True for sent in [*bodies, *inner])
    assert len(imports(site)) >= 2


# Imports


def test_many_updates_go_by_id_in_few_calls(site: TelerivetSite, telerivet: Telerivet) -> None:
    ids = [site.add(**somebody(n), tags=["old"]) for n in range(230)]
    pushes = set_var(telerivet, ids, add_tags=("vols",), remove_tags=("old",))
    telerivet._project.refresh_groups()
    before = telerivet.calls
    outcomes = list(telerivet.push(pushes))
    assert telerivet.calls - before == 1 + 2  # the group is made, then 200 and 30
    assert all(isinstance(outcome, Stored) and outcome.record is None for outcome in outcomes)
    assert all(site.now(id_)["city"] == "Turin" and site.now(id_)["tags"] == {"vols"} for id_ in ids)
    assert site.now(ids[7])["email"] == somebody(7)["email"]


def test_a_bad_one_among_many_is_found_and_the_rest_are_written(site: TelerivetSite, telerivet: Telerivet) -> None:
    ids = [site.add(**somebody(n)) for n in range(60)]
    site.model.edit_contact(ids[33], vars={f"v{n}": n for n in range(96)})
    pushes = set_var(telerivet, ids)
    pushes[33] = Update(33, ids[33], None, {"vars": {f"new{n}": "x" for n in range(9)}})
    outcomes = {outcome.ref: outcome for outcome in telerivet.push(pushes)}
    assert isinstance(outcomes.pop(33), Refused)
    assert len(outcomes) == 59
    assert all(isinstance(outcome, Stored) for outcome in outcomes.values())
    assert site.now(ids[32])["city"] == site.now(ids[34])["city"] == "Turin"


def test_one_that_is_gone_is_not_made_again_by_an_import(site: TelerivetSite, telerivet: Telerivet) -> None:
    ids = [site.add(**somebody(n)) for n in range(60)]
    pushes = set_var(telerivet, ids)
    names = [Update(100 + n, id_, None, {"name": "New Name"}) for n, id_ in enumerate(ids)]
    for place in (0, 20, 59):
        site.delete(ids[place])
    outcomes = {outcome.ref: outcome for outcome in telerivet.push([*pushes, *names])}
    gone = {ref for ref, outcome in outcomes.items() if isinstance(outcome, Gone)}
    assert gone == {0, 20, 59, 100, 120, 159}
    assert len(outcomes) == 120
    assert site.count() == 57


def test_many_new_ones_are_made_together_by_their_groups(site: TelerivetSite, telerivet: Telerivet) -> None:
    site.add(**somebody(105))
    pushes = [make(n, add_tags=("even",) if n % 2 == 0 else ("odd", "x")) for n in range(100, 180)]
    outcomes = {outcome.ref: outcome for outcome in telerivet.push(pushes)}
    assert sorted(outcomes) == list(range(100, 180))
    assert isinstance(outcomes.pop(105), Exists)
    assert [len(body["contacts"]) for body in imports(site)] == [40, 39]
    for ref, outcome in outcomes.items():
        assert isinstance(outcome, Stored)
        now = site.now(outcome.external_id)
        assert now["phone"] == somebody(ref)["phone"]
        assert now["tags"] == ({"even"} if ref % 2 == 0 else {"odd", "x"})
        assert now["sms"] is False


def test_a_refused_import_of_new_ones_makes_nobody_twice(site: TelerivetSite, telerivet: Telerivet) -> None:
    """What the refused call has done is not known: each is looked up before it is made alone."""
    site.sandbox.faults.add("500", path="never", times=1)
    pushes = [make(n) for n in range(100, 140)]
    pushes[3] = Create(103, {"phone_number": "+12025550003", "name": "x", "vars": {"a b": 1}}, "+12025550003", None)
    telerivet._project.post = _refusing(telerivet._project.post)  # type: ignore[method-assign]
    outcomes = {outcome.ref: outcome for outcome in telerivet.push(pushes)}
    assert isinstance(outcomes.pop(103), Refused)
    kinds = [type(outcome) for outcome in outcomes.values()]
    assert (kinds.count(Exists), kinds.count(Stored)) == (10, 29)
    assert site.count() == 39


def _refusing(post: Any) -> Any:
    """An import that does a part of its work and is then refused."""
    from daemon.platforms.answers import ApiError

    def refuse(path: str, body: Any, *, safe: bool = False) -> Any:
        if path == "/import_contacts":
            post(path, {**body, "contacts": body["contacts"][:10]}, safe=safe)
            raise ApiError(400, "invalid_param", "one of them")
        return post(path, body, safe=safe)

    return refuse


def test_two_of_a_household_in_one_batch(site: TelerivetSite, telerivet: Telerivet) -> None:
    pushes = [make(n) for n in range(100, 140)]
    twin = pushes[3]
    pushes.append(Create(999, {"name": "Other"}, twin.phone, None))
    outcomes = {outcome.ref: outcome for outcome in telerivet.push(pushes)}
    assert isinstance(outcomes[103], Stored)
    assert isinstance(outcomes[999], Exists)


def test_an_import_that_changed_others_stops_everything(site: TelerivetSite, telerivet: Telerivet) -> None:
    ids = [site.add(**somebody(n)) for n in range(30)]
    pushes = set_var(telerivet, ids)
    telerivet._writer._import = lambda *_, **__: ["CTother"] * 30  # type: ignore[method-assign]
    with pytest.raises(NeedsPerson, match="other contacts"):
        list(telerivet.push(pushes))


# Groups


def test_dynamic_groups_are_no_tags(site: TelerivetSite, telerivet: Telerivet) -> None:
    site.model.dynamic_groups = True
    with site.model.lock:
        group = site.model.make_group("everybody", {"send_blocked": False})
    id_ = site.add(**ADA, tags=["vols"])
    site.model.edit_contact(id_)
    swept(telerivet)
    shown = telerivet._project.tags([group["id"], *telerivet._project.groups])
    assert [tag["name"] for tag in shown] == ["vols"]
    (record,) = telerivet.fetch([id_])
    outcome = one(telerivet, Update(1, id_, record.version, {}, add_tags=("everybody",)))
    assert isinstance(outcome, Refused)
    assert "computes its members" in outcome.reason


def test_a_group_made_meanwhile_is_learnt(site: TelerivetSite, telerivet: Telerivet) -> None:
    id_ = site.add(**ADA, tags=["vols"])
    swept(telerivet)
    site.tag(id_, "brand new")
    (record,) = telerivet.fetch([id_])
    assert site.person(record.wire)["tags"] == {"vols", "brand new"}


def test_a_group_that_is_hidden_is_asked_for_once(site: TelerivetSite, telerivet: Telerivet) -> None:
    row = {"id": "CT1", "group_ids": ["CGhidden"], "vars": []}
    wires = [telerivet._project.record(row).wire for _ in range(3)]
    assert wires == [{"vars": {}, "groups": []}] * 3
    assert len(calls(site)) == 1


def test_a_group_that_was_deleted_is_made_anew(site: TelerivetSite, telerivet: Telerivet) -> None:
    id_ = site.add(**ADA)
    (record,) = telerivet.fetch([id_])
    telerivet._project.groups["CGgone"] = ["vols", False]
    assert isinstance(one(telerivet, Update(1, id_, record.version, {}, add_tags=("vols",))), Stored)
    assert site.now(id_)["tags"] == {"vols"}


def test_more_groups_than_a_call_takes(site: TelerivetSite, telerivet: Telerivet) -> None:
    names = tuple(f"g{n:02}" for n in range(23))
    outcome = one(telerivet, make(1, add_tags=names))
    assert isinstance(outcome, Stored)
    assert site.now(outcome.external_id)["tags"] == set(names)


# Feeds


def test_auto_finds_out_once(site: TelerivetSite, telerivet: Telerivet) -> None:
    assert telerivet.feed_is_sweep
    cursor = swept(telerivet)
    changed(telerivet, cursor)
    assert [call.path for call in calls(site)].count("/openapi.json") == 1
    site.model.dynamic_groups = True
    assert not site.connect().feed_is_sweep


def test_the_feed_group_is_made_once_and_shows_in_no_record(site: TelerivetSite) -> None:
    site.model.dynamic_groups = True
    telerivet = site.connect()
    id_ = site.add(**ADA)
    cursor = swept(telerivet)
    for city in ("Turin", "Boston", "Macon"):
        site.edit(id_, city=city)
        connector = site.connect()  # every time without its facts
        found, cursor = changed(connector, cursor)
        assert site.person(found[id_].wire) == {**ADA, "city": city, "tags": set(), "sms": None}
    assert [call.path for call in calls(site, "POST")].count("/v1/projects/PJ2ad0100821a98bea/create_group") == 1


def test_the_feed_group_leaves_out_what_did_not_move(site: TelerivetSite) -> None:
    site.model.dynamic_groups = True
    telerivet = site.connect()
    ids = [site.add(**somebody(n)) for n in range(9)]
    cursor = swept(telerivet)
    _, cursor = changed(telerivet, cursor)
    site.clock.now += 1000
    _, cursor = changed(telerivet, cursor)
    site.edit(ids[4], city="Turin")
    found, _ = changed(telerivet, cursor)
    assert list(found) == [ids[4]]


def test_an_account_that_loses_its_dynamic_groups_is_read_whole(site: TelerivetSite) -> None:
    site.model.dynamic_groups = True
    telerivet = site.connect()
    id_ = site.add(**ADA)
    cursor = swept(telerivet)
    site.model.dynamic_groups = False
    site.edit(id_, city="Turin")
    found, _ = changed(telerivet, cursor)
    assert site.person(found[id_].wire)["city"] == "Turin"
    assert telerivet.feed_is_sweep


def test_a_feed_that_was_asked_for_and_is_not_there_needs_a_person() -> None:
    site = TelerivetSite("dynamic_group")
    telerivet = site.connect()
    site.add(**ADA)
    cursor = swept(telerivet)
    with pytest.raises(NeedsPerson, match="no dynamic groups") as caught:
        list(telerivet.changes(cursor))
    assert "scan" in caught.value.hint
    site.close()


def test_a_scan_that_was_broken_off_goes_on_from_its_page(site: TelerivetSite, telerivet: Telerivet) -> None:
    ids = {site.add(**somebody(n)) for n in range(9)}
    first = next(iter(telerivet.changes(swept(telerivet))))
    rest, _ = changed(site.connect(), kept(first.cursor))
    assert {record.external_id for record in first.records} | set(rest) == ids
    assert len(rest) == 6


def test_a_marker_that_means_nothing_any_more_begins_again(site: TelerivetSite, telerivet: Telerivet) -> None:
    ids = {site.add(**somebody(n)) for n in range(5)}
    pages = list(telerivet.sweep({"since": 1, "marker": "CTnobody"}))
    assert {record.external_id for page in pages for record in page.records} == ids


def test_the_earlier_of_two_clocks_counts(site: TelerivetSite, telerivet: Telerivet) -> None:
    telerivet._project.date = "Wed, 01 Jan 2020 00:00:00 GMT"
    assert telerivet._now() == 1_577_836_800
    telerivet._project.date = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert telerivet._now() == int(site.clock.now)


# The rest


def test_an_unpaid_account_needs_a_person(site: TelerivetSite, telerivet: Telerivet) -> None:
    site.model.unpaid = True
    for work in (lambda: list(telerivet.sweep({})), lambda: one(telerivet, make(1))):
        with pytest.raises(NeedsPerson, match="402"):
            work()


def test_a_project_that_is_not_there_needs_a_person(site: TelerivetSite) -> None:
    api = site.api(site.sandbox.base_url("telerivet"), auth=("sandbox-telerivet-key", ""))
    telerivet = Telerivet(api, project_id="PJ0000000000000000", facts={})
    with pytest.raises(NeedsPerson, match="404"):
        list(telerivet.sweep({}))
    telerivet.close()


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ({"send_blocked": False}, "write send_blocked"),
        ({"send_blocked": True}, "write send_blocked"),
        ({"group_ids": []}, "write group_ids"),
        ({"vars": {"a-b": 1}}, "no name of a Telerivet variable"),
        ({"vars": {"x" * 33: 1}}, "no name of a Telerivet variable"),
        ({"vars": {"x": "é" * 2049}}, "longer than the 4096 bytes"),
        ({"vars": {f"v{n}": 1 for n in range(101)}}, "more than 100 variables"),
    ],
)
def test_what_telerivet_cannot_take_is_refused_without_a_call(
    site: TelerivetSite, telerivet: Telerivet, wire: Any, words: str
) -> None:
    for push in (Update(1, "CT1", None, wire), Create(1, {"name": "x", **wire}, None, None)):
        outcome = one(telerivet, push)
        assert isinstance(outcome, Refused)
        assert words in outcome.reason
    assert not calls(site)


def test_somebody_without_a_name_and_a_number_cannot_be_made(site: TelerivetSite, telerivet: Telerivet) -> None:
    push = Create(1, {"vars": {"email": "ada@example.org"}}, None, "ada@example.org")
    assert isinstance(one(telerivet, push), Refused)
    assert not calls(site)


def test_ids_cannot_leave_their_place_in_the_path(site: TelerivetSite, telerivet: Telerivet) -> None:
    site.add(**ADA)
    site.add(**GRACE)
    for id_ in ("../groups", "..%2Fgroups", "?x=1", "a/b", "#"):
        assert list(telerivet.fetch([id_])) == []
        assert isinstance(one(telerivet, OptOut(1, id_, "sms")), Gone)
    assert all("/contacts/" in call.path for call in calls(site))


def test_consent_to_email_is_not_kept_here(telerivet: Telerivet) -> None:
    assert isinstance(one(telerivet, OptOut(1, "CT1", "email")), Refused)
