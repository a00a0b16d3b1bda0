"""What is Carium's own: it is only read, its pages drift, and a consent is put together from two places."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from daemon.errors import NeedsPerson, RetryLater
from daemon.platforms import carium, registry
from daemon.platforms.answers import Answer
from daemon.platforms.base import Connector, Create, Evidence, OptOut, Page, Push, Record, Refused, Update
from daemon.platforms.carium_scan import PASSES, Place, Scan, notebook
from daemon.platforms.carium_user import Consents, record
from daemon.sandbox import Sandbox
from daemon.sandbox.sandbox import Call
from daemon.settings_platforms import PLATFORMS as SETTINGS
from mappings.load import preset
from tests.contract.site_carium import CariumSite
from tests.contract.suite import ADA, changed, kept, somebody, swept


@pytest.fixture
def site() -> Iterator[CariumSite]:
    site = CariumSite()
    yield site
    site.close()
    assert not site.harm()


@pytest.fixture
def connector(site: CariumSite) -> Connector:
    return site.connect()


def calls(site: CariumSite, path: str = "") -> list[Call]:
    return [call for call in site.sandbox.calls("carium") if path in call.path]


def shown(pages: Iterator[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


def read(connector: Connector, id_: str) -> Record:
    (found,) = connector.fetch([id_])
    return found


# It is only read


def test_whatever_is_pushed_is_refused_and_nothing_is_sent(site: CariumSite, connector: Connector) -> None:
    id_ = site.add(**ADA)
    before = site.model.user(id_)
    pushes: list[Push] = [
        Create(1, {"first-name": "Bo"}, "+12025550107", "bo@example.org", subscribed=frozenset({"sms"})),
        Update(2, id_, None, {"first-name": "Bo", "phone-unsubscribed": False}, add_tags=("vols",)),
        Update(3, id_, None, {"notifications": []}, remove_tags=("vols",)),
        OptOut(4, id_, "sms"),
        OptOut(5, "../purge-data", "email"),
    ]
    outcomes = list(connector.push(pushes))
    assert [(type(each), each.ref) for each in outcomes] == [(Refused, ref) for ref in (1, 2, 3, 4, 5)]
    assert connector.calls == len(calls(site)) == 0
    assert site.model.user(id_) == before


def test_all_that_is_ever_sent_is_get_and_the_login(site: CariumSite, connector: Connector) -> None:
    ids = [site.add(**somebody(n), sms=True) for n in range(7)]
    cursor = swept(connector)
    changed(connector, cursor)
    list(connector.fetch(ids))
    list(connector.probe())
    list(connector.push([OptOut(1, ids[0], "sms")]))
    others = [(call.method, call.path) for call in calls(site) if call.method != "GET"]
    assert others == [("POST", "/identity/v1/login/")]
    assert not [name for name in vars(carium.Window) if not name.startswith("_") and name not in ("get", "page")]


def test_nothing_is_ever_owed_to_it() -> None:
    able = registry.capabilities("carium")
    assert not (able.update | able.create | able.consent_write)
    assert able.add_tags is able.remove_tags is False
    assert preset("carium").writable == frozenset()


def test_ids_cannot_leave_their_place_in_the_path(site: CariumSite, connector: Connector) -> None:
    site.add(**ADA)
    for id_ in ("../user-consents", "..%2Fpurge-data", "?x=1", "a/b", "#"):
        assert list(connector.fetch([id_])) == []
    assert all(call.path.startswith(("/courier/v1/users/", "/identity/")) for call in calls(site))


# Pages that drift


def test_brackets_are_encoded_and_pages_are_as_long_as_they_may_be(site: CariumSite) -> None:
    site.page = 1000
    site.add(**ADA)
    swept(site.connect())
    assert "page%5Blimit%5D=1000&page%5Boffset%5D=0" in calls(site, "users")[0].path
    assert not [call.path for call in calls(site) if "[" in call.path]


def test_a_steady_list_is_read_once(site: CariumSite, connector: Connector) -> None:
    ids = [site.add(**somebody(n)) for n in range(8)]
    assert shown(connector.sweep({})) == ids
    offsets = [call.path.rpartition("=")[2] for call in calls(site, "users/")]
    assert offsets == ["0", "2", "4", "6"]  # each page begins with the last row of the one before


def test_a_sweep_that_was_broken_off_repeats_no_more_than_the_overlap(site: CariumSite) -> None:
    ids = [site.add(**somebody(n)) for n in range(8)]
    first = next(site.connect().sweep({}))
    assert shown(iter([first])) == ids[:3]
    assert shown(site.connect().sweep(kept(first.cursor))) == ids[2:]


def test_a_row_that_slips_between_two_pages_is_found_by_another_pass(site: CariumSite, connector: Connector) -> None:
    ids = [site.add(**somebody(n)) for n in range(9)]
    pages = connector.sweep({})
    first = shown(iter([next(pages)]))
    site.edit(ids[0], first="New")
    site.edit(ids[1], first="New")
    assert first == ids[:3]
    rest = shown(pages)
    assert ids[3] in rest
    assert set(first + rest) == set(ids)
    assert len(rest) == 6 + 2  # the rest, and the two that look different now: nobody else is shown again


def test_a_repeated_pass_ends_when_it_brings_nobody_new(site: CariumSite, connector: Connector) -> None:
    """However much moves: here somebody is edited between any two pages."""
    ids = [site.add(**somebody(n)) for n in range(12)]
    found: list[str] = []
    for n, page in enumerate(connector.sweep({})):
        found += shown(iter([page]))
        site.edit(ids[n % 12], first=f"N{n}")
    assert set(found) == set(ids)
    assert len([call for call in calls(site, "users/") if call.path.endswith("=0")]) <= PASSES


@pytest.mark.parametrize("seed", range(25))
def test_whoever_is_there_all_the_time_is_seen(site: CariumSite, connector: Connector, seed: int) -> None:
    """Others come, go and move between the pages."""
    dice = random.Random(seed)
    ids = [site.add(**somebody(n)) for n in range(dice.randrange(20, 40))]
    staying, going = set(ids[::2]), ids[1::2]
    found: list[str] = []
    pages = connector.sweep({})
    for n, page in enumerate(pages):
        found += shown(iter([page]))
        if n > 14:  # then it calms down
            continue
        site.edit(dice.choice(sorted(staying)), first=f"N{n}")
        if dice.random() < 0.4 and going:
            site.delete(going.pop(dice.randrange(len(going))))
        if dice.random() < 0.2:
            site.add(**somebody(100 + n))
    assert staying <= set(found)


def test_a_sweep_goes_on_in_a_later_pass(site: CariumSite, connector: Connector) -> None:
    """A kill in the second pass: the next run goes on there, with an empty notebook."""
    ids = [site.add(**somebody(n)) for n in range(9)]
    pages = connector.sweep({})
    found = shown(iter([next(pages)]))
    site.edit(ids[0], first="New")
    site.edit(ids[1], first="New")
    cursor: Any = {}
    for page in pages:
        found += shown(iter([page]))
        cursor = kept(page.cursor)
        if cursor["users"]["number"] == 2 and cursor["users"]["offset"]:
            break
    rest = list(site.connect().sweep(cursor))
    assert rest[-1].sweep_done
    assert set(found + shown(iter(rest))) == set(ids)


def scan(ask: Callable[[int, int], Answer], **more: Any) -> list[str]:
    with notebook() as book:
        return [row["id"] for rows, _ in Scan(ask, book, "x", **more).pages(Place()) for row in rows]


def listing(rows: list[Any], **meta: Any) -> Answer:
    return Answer(200, {"data": rows, "meta": meta}, {})


def row(n: int) -> dict[str, Any]:
    return {"id": f"u{n}", "type": "users", "attributes": {"first-name": f"P{n}"}}


def passes(everybody: list[Any], *, growing: bool = False) -> int:
    """How often a list is read whose order changes within each page, so that no pass is steady."""
    starts: list[int] = []

    def ask(offset: int, limit: int) -> Answer:
        starts.append(offset)
        if growing:
            everybody.append(row(1000 + len(starts)))
        return listing(everybody[offset : offset + limit][:: -1 if offset else 1])

    assert set(scan(ask, limit=6)) >= {one["id"] for one in everybody[:20]}
    return starts.count(0)


def test_passes_end_when_one_brings_nobody_new_and_after_a_few_in_any_case() -> None:
    assert passes([row(n) for n in range(20)]) == 2
    assert passes([row(n) for n in range(20)], growing=True) == PASSES


def test_a_list_that_shows_fewer_than_it_says_it_holds_is_not_believed() -> None:
    everybody = [row(n) for n in range(8)]
    with pytest.raises(RetryLater, match="says it holds 9 and shows 8"):
        scan(lambda offset, limit: listing(everybody[offset : offset + limit], **{"page[total]": 9}), limit=3)


def test_a_server_that_ignores_the_offset_is_noticed() -> None:
    with pytest.raises(RetryLater, match="do not come to an end"):
        scan(lambda *_: listing([row(1), row(2), row(3)]), limit=3)


def test_an_order_that_changes_from_page_to_page_still_ends() -> None:
    everybody, dice = [row(n) for n in range(30)], random.Random(5)

    def ask(offset: int, limit: int) -> Answer:
        dice.shuffle(everybody)
        return listing(everybody[offset : offset + limit])

    assert len(scan(ask, limit=5)) > 20


def test_memory_holds_a_page_however_many_there_are() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        pages = 0
        with notebook() as book:
            scan = Scan(
                lambda offset, limit: listing([row(n) for n in range(offset, min(offset + limit, count))]),
                book,
                "x",
                limit=100,
            )
            for _ in scan.pages(Place()):
                pages += 1
        assert pages > count // 100
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(500)  # what is imported and made once
    assert peak(20_000) < 1.5 * peak(2_000)


def test_rows_that_are_no_users_are_reported_once() -> None:
    rows = [row(1), {"id": 7}, "x", row(3), {"id": "u2"}]
    with notebook() as book:
        scan = Scan(lambda offset, limit: listing(rows[offset : offset + limit]), book, "x", limit=3)
        pages = [([each["id"] for each in found], scan.broken) for found, _ in scan.pages(Place())]
    assert [id_ for ids, _ in pages for id_ in ids] == ["u1", "u3"]
    assert [one for _, broken in pages for one in broken] == [{"id": 7}, "x", {"id": "u2"}]


# Consent


@pytest.mark.parametrize(
    ("unsubscribed", "states", "said"),
    [
        (False, [], None),
        (None, [], None),
        (True, [], "unsubscribed"),
        (True, ["accepted"], "unsubscribed"),
        ("yes", [], "unsubscribed"),
        (False, ["accepted"], "accepted"),
        (None, [" Accepted"], "accepted"),
        (False, ["accepted", "accepted"], "accepted"),
        (False, ["accepted", "pending"], "unclear"),
        (False, ["accepted", "declined"], "unsubscribed"),
        (False, ["Revoked"], "unsubscribed"),
        (False, ["pending"], "unclear"),
        (False, ["a word nobody knows"], "unclear"),
        (False, [None], "unclear"),
    ],
)
def test_the_no_wins_and_a_yes_must_be_all_that_is_said(unsubscribed: Any, states: list[Any], said: str | None) -> None:
    rows = [
        {"id": f"c{n}", "attributes": {"user-id": "u1", "type": "sms", "state": state}}
        for n, state in enumerate(states)
    ]
    with notebook() as book:
        consents = Consents(book)
        consents.add(rows)
        user = {"id": "u1", "attributes": {"phone-unsubscribed": unsubscribed}}
        found = record(user, consents.of("u1"))
    assert found.wire["sms_consent"] == said
    assert not found.evidence


def test_a_yes_carries_when_it_was_said(site: CariumSite, connector: Connector) -> None:
    id_ = site.add(**ADA)
    site.clock.now = 1_800_001_000.7
    site.model.consent(id_)
    (page,) = [page for page in connector.sweep({}) if page.records]
    (found,) = page.records
    assert found.evidence == {"sms_consent": Evidence(1_800_001_001.0, "accepted")}
    assert read(connector, id_) == found
    assert (found.at, found.version) == (None, None)


def test_the_latest_of_several_says_when() -> None:
    times: list[dict[str, Any]] = [
        {"last-modified-at": "2024-01-01 00:00:00"},
        {"created-at": "2024-01-03 00:00:00", "last-modified-at": None},
        {"last-modified-at": "2024-01-02T01:00:00+01:00", "created-at": "2024-01-05 00:00:00"},
        {"last-modified-at": "no time at all"},
    ]
    said = {"user-id": "u1", "type": "sms", "state": "accepted"}
    rows = [{"id": f"c{n}", "attributes": {**said, **each}} for n, each in enumerate(times)]
    with notebook() as book:
        consents = Consents(book)
        consents.add(rows)
        found = record({"id": "u1", "attributes": {}}, consents.of("u1"))
    assert found.evidence == {"sms_consent": Evidence(1_704_240_000.0, "accepted")}


def test_consents_for_other_things_and_other_people_say_nothing() -> None:
    rows = [
        {"id": "c1", "attributes": {"user-id": "u1", "type": "email", "state": "accepted"}},
        {"id": "c2", "attributes": {"user-id": "u2", "type": "sms", "state": "accepted"}},
    ]
    with notebook() as book:
        consents = Consents(book)
        consents.add(rows)
        assert consents.of("u1") == []
        assert [each.state for each in consents.of("u2")] == ["accepted"]


def test_consents_are_found_for_everybody_across_pages(site: CariumSite, connector: Connector) -> None:
    ids = [site.add(**somebody(n)) for n in range(11)]
    for n, id_ in enumerate(ids):
        site.model.consent(id_, "declined" if n % 2 else "accepted")
    said = {one.external_id: one.wire["sms_consent"] for page in connector.sweep({}) for one in page.records}
    assert said == {id_: "unsubscribed" if n % 2 else "accepted" for n, id_ in enumerate(ids)}


def test_a_consent_that_is_taken_back_shows(site: CariumSite, connector: Connector) -> None:
    id_ = site.add(**ADA, sms=True)
    cursor = swept(connector)
    site.model.consent(id_, "revoked")
    found, _ = changed(connector, cursor)
    assert found[id_].wire["sms_consent"] == "unsubscribed"
    assert found[id_].wire["sms_consent_states"] == "revoked"


def test_only_the_listed_attributes_are_taken(site: CariumSite, connector: Connector) -> None:
    id_ = site.add(**ADA)
    wire = read(connector, id_).wire
    assert set(wire) <= registry.capabilities("carium").read
    assert not {"communication-preferences", "notifications", "last-sync-time"} & set(wire)


def test_the_preset_reads_a_user(site: CariumSite, connector: Connector) -> None:
    id_ = site.add(**ADA, sms=True)
    site.model.edit_user(id_, locale="en-US", locale_explicit=True)
    site.model.archive(id_)
    reading = preset("carium").read(read(connector, id_).wire)
    assert not reading.problems
    assert reading.view == {
        "phone": "+12025550101",
        "email": "ada@example.org",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "language": "en",
        "external.carium_individual": "ca1d0000-0000-4000-8000-000000000001",
        "custom.carium_state": "archived",
        "consent.sms": "subscribed",
    }


# Access and trouble


@pytest.mark.parametrize("key", ["locale", "tz"])
def test_what_nobody_chose_is_not_said_of_them(site: CariumSite, connector: Connector, key: str) -> None:
    """Carium tells which locale and time zone it only assumes."""
    id_ = site.add(**ADA)
    site.model.edit_user(id_, locale="en_US", tz="UTC")
    assert key not in read(connector, id_).wire
    site.model.edit_user(id_, **{f"{key}_explicit": True})
    assert key in read(connector, id_).wire


def test_a_token_that_ran_out_is_fetched_anew_and_nothing_is_lost(site: CariumSite, connector: Connector) -> None:
    site.model.token_seconds = 6.0
    ids = [site.add(**somebody(n)) for n in range(9)]
    assert shown(connector.sweep({})) == ids
    logins = [call.status for call in calls(site, "/login/")]
    assert len(logins) > 1
    assert set(logins) == {200}
    refused = [call for call in calls(site) if call.status == 401]
    assert len(refused) == len(logins) - 1  # once each: then it was let in


def test_one_login_does_for_a_whole_reading(site: CariumSite, connector: Connector) -> None:
    for n in range(9):
        site.add(**somebody(n))
    changed(connector, swept(connector))
    assert len(calls(site, "/login/")) == 1


def test_a_wrong_password_needs_a_person_and_is_not_told(site: CariumSite) -> None:
    api = site.api(
        site.sandbox.base_url("carium"),
        authorize=carium.bearer("sandbox-carium", "hunter-two"),
        secrets=("hunter-two",),
    )
    with pytest.raises(NeedsPerson) as caught:
        swept(carium.Carium(api, username="sandbox-carium", facts={}))
    assert "hunter" not in f"{caught.value} {caught.value.hint}"
    assert len(calls(site)) == 1
    api.close()


def test_errors_tell_codes_only(site: CariumSite) -> None:
    """Their `detail` quotes what was sent and what is stored."""
    site.page = 1001
    with pytest.raises(NeedsPerson) as caught:
        swept(site.connect())
    assert str(caught.value) == "the consents cannot be read: 400 invalid"


@pytest.mark.parametrize("status", ["401", "402", "403", "500", "503"])
def test_no_error_repeats_what_the_platform_said(site: CariumSite, connector: Connector, status: str) -> None:
    site.add(**ADA)
    swept(connector)
    site.sandbox.faults.add(status, platform="carium", method="GET", times=None)
    with pytest.raises((NeedsPerson, RetryLater)) as caught:
        swept(connector)
    quoted = site.sandbox.refusal("carium", int(status)).body.decode()
    assert quoted[30:60] not in f"{caught.value} {caught.value.hint}"
    assert not [word for word in ("token is", "may not", "subscription") if word in str(caught.value)]


def test_check_says_which_states_of_consent_there_are(site: CariumSite, connector: Connector) -> None:
    for n, state in enumerate(("accepted", "pending", "declined")):
        site.model.consent(site.add(**somebody(n)), state)
    told = {what: words for what, _, words in connector.probe()}
    assert told["consents"] == "states for sms: accepted (a yes), declined (a no), pending (unclear)"
    assert connector.calls <= 4


def test_a_configured_connection_reads_its_account() -> None:
    with Sandbox(empty=True) as sandbox:
        sandbox.carium.add_user(first_name="Ada")
        about = sandbox.about()["carium"]
        table = {key: about[key] for key in ("base_url", "username", "password")}
        settings = SETTINGS["carium"].model_validate({"platform": "carium", "rate": 500.0, **table})
        connector = registry.connect(settings, {})
        swept(connector)
        assert connector.account == f"carium:sandbox-carium@{sandbox.url.removeprefix('http://')}"
        assert connector.calls == len(sandbox.calls("carium"))
        connector.close()


# Numbers


def with_numbers(site: CariumSite) -> Connector:
    table = {"platform": "carium", "number_info": True, **site.sandbox.about()["carium"], "rate": 500.0}
    return registry.connect(SETTINGS["carium"].model_validate(table), {})


def test_what_is_known_of_numbers_is_read_by_complete_readings_only_and_only_where_asked_for(site: CariumSite) -> None:
    ada = site.model.add_user(first_name="Ada", phone="+12025550101")
    site.model.add_user(first_name="Bo", phone="+27821234567")
    site.model.add_user(first_name="Cy", phone="+12025550103")
    site.model.look_up_number("+12025550101", status="resolved", carrier="Example Wireless")
    known = {"number_status": "resolved", "number_type": "mobile", "number_carrier": "Example Wireless"}
    connector = with_numbers(site)
    shown = {record.external_id: record.wire for page in connector.sweep({}) for record in page.records}
    assert known.items() <= shown[ada].items()
    assert [wire for wire in shown.values() if "number_status" in wire] == [shown[ada]]
    asked = [call for call in site.sandbox.calls("carium") if "text-number-info" in call.path]
    assert len(asked) == 2, "one call for each American number"
    for page in connector.changes({}):
        assert not any("number_status" in record.wire for record in page.records), "a poll says nothing of it"
    connector.close()
    swept(site.connect())
    calls = site.sandbox.calls("carium")
    assert [call for call in calls if "text-number-info" in call.path] == asked, "not as it comes"
    assert {call.method for call in calls if "login" not in call.path} == {"GET"}
