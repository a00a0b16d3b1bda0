"""What is Strive's own: how its feed is found and read, and what its writes must never do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.errors import AnswerLost, NeedsPerson
from daemon.platforms.base import Create, Exists, Gone, Lost, OptOut, Refused, Stored, Update
from daemon.platforms.strive import Strive
from daemon.sandbox.sandbox import Call
from daemon.sandbox.strive import StriveModel
from tests.contract.sites import OVERLAP, StriveSite
from tests.contract.suite import ADA, GRACE, changed, kept, one, somebody, swept


@pytest.fixture
def site() -> Iterator[StriveSite]:
    site = StriveSite()
    yield site
    site.close()
    assert not site.harm()


@pytest.fixture
def strive(site: StriveSite) -> Strive:
    connector = site.connect()
    assert isinstance(connector, Strive)
    return connector


def calls(site: StriveSite, method: str | None = None) -> list[Call]:
    return site.sandbox.calls("strive", method)


def update(strive: Strive, id_: str, **more: Any) -> Update:
    (record,) = strive.fetch([id_])
    return Update(1, id_, record.version, more.pop("wire", {}), **more)


# The feed


def test_the_feed_tells_when_and_how_each_field_changed(site: StriveSite, strive: Strive) -> None:
    strive._tables.page = 50
    id_ = site.add(**ADA, sms=True)
    cursor = swept(strive)
    _, cursor = changed(strive, cursor)
    site.model.edit_member(int(id_), how="csv", city="Turin", custom={"gift": "3"})
    site.model.opt_out(int(id_), how="deac")
    site.model.edit_member(int(id_), how="manual", city="Boston")
    found, _ = changed(strive, cursor)
    evidence = found[id_].evidence
    assert {key: one.how for key, one in evidence.items()} == {"city": "manual", "custom": "csv", "opt_in": "deac"}
    assert evidence["opt_in"].at < evidence["city"].at <= site.clock.now
    assert strive.capabilities.dead == {"deac"}


def test_a_removal_from_a_group_is_seen_even_where_it_moves_nothing(site: StriveSite, strive: Strive) -> None:
    site.model.groups_touch = False
    id_ = site.add(**ADA, tags=["vols", "canvass"])
    _, cursor = changed(strive, swept(strive))
    site.untag(id_, "vols")
    found, _ = changed(strive, cursor)
    assert site.person(found[id_].wire)["tags"] == {"canvass"}
    assert found[id_].evidence["groups"].how == "manual"


def test_a_burst_does_not_make_quiet_polls_dear(site: StriveSite, strive: Strive) -> None:
    """The rows of the overlap were seen: only the gaps between them are asked for again."""
    for n in range(40):
        site.add(**somebody(n))
    _, cursor = changed(strive, swept(strive))
    before = strive.calls
    for _ in range(3):
        found, cursor = changed(strive, cursor)
        assert not found
    assert strive.calls - before == 2 * 3  # the change log, and the log of group removals


def test_many_that_show_late_are_all_found(site: StriveSite, strive: Strive) -> None:
    ids = [site.add(**somebody(n)) for n in range(60)]
    _, cursor = changed(strive, swept(strive))
    for place, id_ in enumerate(ids):
        if place % 2:
            with site.late():
                site.edit(id_, city="Turin")
        else:
            site.edit(id_, city="Boston")
    found, cursor = changed(strive, cursor)
    assert set(found) == set(ids[::2])
    site.settle()
    found, cursor = changed(strive, cursor)
    assert set(found) == set(ids[1::2])
    assert not changed(strive, cursor)[0]


def test_what_shows_later_than_the_overlap_waits_for_the_next_sweep(site: StriveSite, strive: Strive) -> None:
    slow, quick = site.add(**ADA), site.add(**GRACE)
    _, cursor = changed(strive, swept(strive))
    with site.late():
        site.edit(slow, city="Turin")
    site.clock.now += OVERLAP + 60
    site.edit(quick, city="Boston")
    _, cursor = changed(strive, cursor)
    site.settle()
    found, _ = changed(strive, cursor)
    assert slow not in found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("member_changes", "member_change_log"),
        ("member_changes", None),
        (None, "member_changes"),
    ],
)
def test_a_feed_that_moves_is_found_again(
    site: StriveSite, strive: Strive, before: str | None, after: str | None
) -> None:
    site.model.change_log = before
    id_ = site.add(**ADA)
    _, cursor = changed(strive, swept(strive))
    site.model.change_log = after
    if before is None:
        strive.facts.clear()  # nothing tells us of a new table; facts do not last for ever
    site.edit(id_, city="Turin")
    found, cursor = changed(strive, cursor)
    assert site.person(found[id_].wire)["city"] == "Turin"
    site.edit(id_, city="Boston")
    found, _ = changed(strive, cursor)
    assert site.person(found[id_].wire)["city"] == "Boston"


def test_tables_are_asked_for_one_by_one_where_the_root_is_closed(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA)
    strive.facts["tables"] = ["members"]
    api = strive._api
    asked = api.request

    def closed(method: str, path: str, **more: Any) -> Any:
        return asked(method, "/nothing" if path == "/" else path, **more)

    strive.facts.clear()
    api.request = closed  # type: ignore[method-assign]
    _, cursor = changed(strive, swept(strive))
    assert cursor["feed"]["table"] == "member_changes"
    site.edit(id_, city="Turin")
    assert id_ in changed(strive, cursor)[0]


def test_a_change_costs_as_few_calls_as_there_can_be(site: StriveSite, strive: Strive) -> None:
    """The log, the members it names, the log of group removals: a short page is known to be the last."""
    strive._tables.page = 50
    ids = [site.add(**somebody(n)) for n in range(9)]
    _, cursor = changed(strive, swept(strive))
    for id_ in ids[:4]:
        site.edit(id_, city="Turin")
    before = strive.calls
    found, _ = changed(strive, cursor)
    assert (len(found), strive.calls - before) == (4, 3)


def test_a_later_sweep_keeps_the_place_of_the_feed(site: StriveSite, strive: Strive) -> None:
    """Else what changed before that sweep would lose the evidence of when and how it did."""
    strive._tables.page = 50
    id_ = site.add(**ADA)
    _, cursor = changed(strive, swept(strive))
    site.model.edit_member(int(id_), how="csv", city="Turin")
    site.clock.now += 2 * OVERLAP
    site.add(**GRACE)
    found, _ = changed(strive, swept(strive, cursor))
    assert found[id_].evidence["city"].how == "csv"


def test_two_rows_of_one_member_need_one_reading(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA)
    _, cursor = changed(strive, swept(strive))
    site.edit(id_, city="Turin", first="Augusta", last="King")
    site.sandbox.reset_log()
    changed(strive, cursor)
    assert [call.path for call in calls(site) if "in." in call.path] == [
        f"/members?campaign_id=eq.273&id=in.({id_})&order=id.asc&limit=3"
    ]


def test_a_row_that_is_broken_is_told_and_the_rest_come(site: StriveSite, strive: Strive) -> None:
    site.add(**ADA)
    rows = [{"id": 5, "campaign_id": 273}, {"id": None}, "text", {"id": 6, "campaign_id": 9}]
    page = strive._page(rows, {}, {})
    assert [record.external_id for record in page.records] == ["5"]
    assert [why for _, why in page.broken] == ["no id", "not an object", "of another campaign"]


def test_a_server_that_ignores_the_order_does_not_send_us_round_for_ever(site: StriveSite, strive: Strive) -> None:
    for n in range(5):
        site.add(**somebody(n))
    strive._tables.select = lambda *_, **__: [{"id": 1001}]  # type: ignore[method-assign]
    with pytest.raises(Exception, match="order asked for"):
        list(strive.sweep({"feed": {"table": "member_changes", "id": 0}, "sweep": 1001}))


def test_members_that_are_not_there_need_a_person(site: StriveSite, strive: Strive) -> None:
    strive.facts["tables"] = ["members"]
    strive._tables.select = _no_table  # type: ignore[method-assign]
    with pytest.raises(NeedsPerson, match="404"):
        list(strive.sweep({}))


def _no_table(*_: Any, **__: Any) -> Any:
    from daemon.platforms.answers import ApiError

    raise ApiError(404, "PGRST205", "no such table")


# Writing


def test_every_patch_names_one_member_one_campaign_and_a_guard(site: StriveSite, strive: Strive) -> None:
    ids = [site.add(**somebody(n), sms=True) for n in range(3)]
    for id_ in ids:
        one(strive, update(strive, id_, wire={"city": "Turin"}))
        one(strive, OptOut(1, id_, "sms"))
    patches = [call.path for call in calls(site, "PATCH")]
    assert len(patches) == 6
    for path in patches:
        assert re.fullmatch(r"/members\?id=eq\.\d+&campaign_id=eq\.273&(updated_at=eq\.\S+|opt_in=is\.true)", path)


@pytest.mark.parametrize("id_", ["", "*", "1,2", "1 or 1=1", "²", "-1"])
def test_no_other_id_gets_near_a_filter(site: StriveSite, strive: Strive, id_: str) -> None:
    site.add(**ADA)
    assert isinstance(one(strive, Update(1, id_, "x", {"city": "Turin"})), Gone)
    assert isinstance(one(strive, OptOut(1, id_, "sms")), Gone)
    assert not calls(site)


def test_adding_a_group_leaves_every_column_as_it_was(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA, sms=True)
    extras = {"notes": "n", "additional_notes": "a", "van_id": 7, "ak_id": 8, "street_address": "1 Main"}
    site.model.edit_member(int(id_), **extras, custom={"gift": 3})
    before = site.model.member(int(id_))
    assert isinstance(one(strive, update(strive, id_, add_tags=("vols",))), Stored)
    after = site.model.member(int(id_))
    same = {key: value for key, value in after.items() if key not in ("groups", "updated_at")}
    assert same == {key: value for key, value in before.items() if key not in ("groups", "updated_at")}
    assert [group["name"] for group in after["groups"]] == ["vols"]


def test_one_custom_key_is_written_and_the_others_stay(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA, sms=True)
    site.model.edit_member(int(id_), custom={"gift": 3, "size": "M"})
    one(strive, update(strive, id_, wire={"custom": {"size": "L", "new": "x"}}))
    assert site.model.member(int(id_))["custom"] == {"gift": 3, "size": "L", "new": "x"}
    one(strive, update(strive, id_, wire={"custom": {"gift": None}, "city": "Turin"}))
    member = site.model.member(int(id_))
    assert (member["custom"].get("gift"), member["custom"]["size"], member["city"]) == (None, "L", "Turin")


@pytest.mark.parametrize("log", ["member_changes", None])
def test_a_no_said_between_our_reading_and_our_writing_stands(
    site: StriveSite, strive: Strive, monkeypatch: pytest.MonkeyPatch, log: str | None
) -> None:
    """A POST carries the whole row, opt_in too, and cannot be guarded."""
    site.model.change_log = log
    id_ = site.add(**ADA, sms=True)
    push = update(strive, id_, add_tags=("vols",))
    post = strive._writer._post

    def race(row: Any) -> Any:
        site.opt_out(id_)
        return post(row)

    monkeypatch.setattr(strive._writer, "_post", race)
    outcome = one(strive, push)
    assert isinstance(outcome, Stored)
    assert outcome.record is not None
    assert outcome.record.wire["opt_in"] is False
    assert site.now(id_)["sms"] is False
    assert site.now(id_)["tags"] == {"vols"}
    harm = site.sandbox.harm_log  # the sandbox saw the "no" lifted for a moment: forgive it that once
    assert harm.counts.pop("resubscribed") == 1
    harm.blind_writes = 0


def test_a_write_without_a_version_is_guarded_all_the_same(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA)
    assert isinstance(one(strive, Update(1, id_, None, {"city": "Turin"})), Lost)
    assert site.now(id_)["city"] == "London"


def test_a_phone_that_another_member_has_is_refused(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA)
    site.add(**GRACE)
    outcome = one(strive, update(strive, id_, wire={"phone_number": GRACE["phone"]}))
    assert outcome == Refused(1, "another member of this campaign already has this phone number")


@pytest.mark.parametrize(
    ("wire", "more", "words"),
    [
        ({"opt_in": True}, {}, "write opt_in"),
        ({"opt_in": False, "city": "x"}, {}, "write opt_in"),
        ({"van_id": 3}, {}, "write van_id"),
        ({"id": 3, "campaign_id": 4}, {}, "write campaign_id, id"),
        ({}, {"remove_tags": ("vols",)}, "out of groups"),
    ],
)
def test_what_strive_cannot_take_is_refused_without_a_call(
    site: StriveSite, strive: Strive, wire: Any, more: Any, words: str
) -> None:
    outcome = one(strive, Update(1, "1001", "v", wire, **more))
    assert isinstance(outcome, Refused)
    assert words in outcome.reason
    assert not calls(site)


def test_a_value_that_is_too_long_is_refused_and_not_told(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA)
    outcome = one(strive, update(strive, id_, wire={"city": "Llanfair" * 40}))
    assert isinstance(outcome, Refused)
    assert "22001" in outcome.reason
    assert "Llanfair" not in outcome.reason


def test_a_new_member_always_says_whether_it_opted_in(site: StriveSite, strive: Strive) -> None:
    for n, subscribed in enumerate([frozenset(), frozenset({"sms"}), frozenset({"email"})]):
        person = somebody(n)
        push = Create(1, {"first_name": "P"}, person["phone"], None, subscribed=subscribed)  # type: ignore[arg-type]
        one(strive, push)
    assert [call.wrote["opt_in"] for call in calls(site, "POST")] == [False, True, False]


def test_nobody_is_made_without_a_phone_or_with_a_consent_of_our_own(site: StriveSite, strive: Strive) -> None:
    assert isinstance(one(strive, Create(1, {"first_name": "Ada"}, None, "ada@example.org")), Refused)
    assert isinstance(one(strive, Create(1, {"opt_in": True}, ADA["phone"], None)), Refused)
    assert not calls(site)


@pytest.mark.parametrize("email", ['o"brien@example.org', "a,b@example.org", "100%(x)*@example.org"])
def test_an_email_with_letters_that_mean_something_to_a_filter(site: StriveSite, strive: Strive, email: str) -> None:
    id_ = site.add(**{**ADA, "email": email})
    found = one(strive, Create(1, {}, GRACE["phone"], email))
    assert isinstance(found, Exists)
    assert [record.external_id for record in found.records] == [id_]
    assert isinstance(one(strive, Create(1, {"email": "x" + email}, GRACE["phone"], "x" + email)), Stored)


def test_the_calls_a_write_costs(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA, sms=True)
    change = update(strive, id_, wire={"city": "Turin"})
    strive.facts["tables"] = ["members", "member_changes"]
    for push, expected in (
        (change, 1),
        (OptOut(1, id_, "sms"), 1),
        (Create(1, {"email": "g@example.org"}, GRACE["phone"], "g@example.org"), 2),
    ):
        before = strive.calls
        assert isinstance(one(strive, push), Stored)
        assert strive.calls - before == expected


def test_a_write_that_is_answered_with_nothing_is_a_lost_answer(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA)
    push = update(strive, id_, wire={"city": "Turin"})
    site.sandbox.faults.add("empty", method="PATCH", work=True)
    with pytest.raises(AnswerLost):
        one(strive, push)
    outcome = one(strive, push)  # sent again, it meets its own work
    assert isinstance(outcome, Lost)
    assert outcome.record is not None
    assert outcome.record.wire["city"] == "Turin"


def test_probe_warns_of_the_other_integration(site: StriveSite, strive: Strive) -> None:
    id_ = site.add(**ADA)
    site.model.edit_member(int(id_), how="actionNetwork", city="Turin")
    assert [what for what, well, _ in strive.probe() if not well] == ["integrations"]


def test_probe_wonders_at_an_empty_campaign(site: StriveSite, strive: Strive) -> None:
    assert [what for what, well, _ in strive.probe() if not well] == ["campaign"]


def test_a_killed_sweep_and_its_feed_miss_nothing(site: StriveSite, strive: Strive) -> None:
    """The position of the feed is that of before the sweep, also when another process ends it."""
    ids = [site.add(**somebody(n)) for n in range(9)]
    first = next(iter(strive.sweep({})))
    site.edit(ids[0], city="Turin")
    cursor = swept(site.connect(), kept(first.cursor))
    found, _ = changed(site.connect(), cursor)
    assert ids[0] in found


def test_a_sweep_does_not_stop_at_a_page_that_was_cut_short(site: StriveSite, strive: Strive) -> None:
    model: StriveModel = site.model
    ids = [site.add(**somebody(n)) for n in range(9)]
    pages = strive.sweep({})
    shown = [record.external_id for record in next(iter(pages)).records]
    model.max_rows = 1
    shown += [record.external_id for page in pages for record in page.records]
    assert sorted(shown) == sorted(ids)


def test_rows_read_by_id_are_all_read_though_the_page_is_cut(site: StriveSite, strive: Strive) -> None:
    site.model.max_rows = 2
    ids = [site.add(**somebody(n)) for n in range(9)]
    assert sorted(record.external_id for record in strive.fetch(ids)) == sorted(ids)
