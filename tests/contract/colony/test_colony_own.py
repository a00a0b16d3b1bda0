"""What is Colony's own: lists, opt-outs by number, moving pages, guessed names, an import that tells nothing."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.errors import NeedsPerson, RetryLater, StopSync
from daemon.platforms.base import OptOut, Stored
from daemon.platforms.colony import Colony
from daemon.platforms.colony_contact import seconds
from daemon.platforms.colony_shape import PATHS, Shape, capabilities, unfit
from daemon.sandbox.colony import HOME
from daemon.sandbox.wire import Request, Response, answer
from tests.contract.colony_ways import YES, calls, change, make, shown
from tests.contract.site_colony import WRITING, ColonySite, shape
from tests.contract.suite import ADA, GRACE, KING, changed, one, somebody, swept

# Lists


def test_a_contact_in_two_lists_is_one_record_with_two_tags(site: ColonySite, colony: Colony) -> None:
    for names_lists in (True, False):
        site.model.clear()
        site.model.names_lists = names_lists
        id_ = site.add(**ADA, tags=["vols", "ward 3"])
        pages = list(colony.sweep({}))
        (record,) = [record for page in pages for record in page.records]
        assert record.external_id == id_
        assert [each["title"] for each in record.wire["lists"]] == ["vols", "ward 3"]


def test_the_list_that_new_contacts_go_to_is_no_tag(site: ColonySite, colony: Colony) -> None:
    id_ = site.add(**ADA)
    assert shown(colony)[id_].wire["lists"] == []
    assert site.model.contact(id_)["contact_lists"] == [HOME]


def test_a_computed_list_is_read_and_is_a_tag(site: ColonySite, colony: Colony) -> None:
    site.model.list_called("recent", saved_query=5)
    id_ = site.add(**ADA, tags=["recent"])
    assert [each["title"] for each in shown(colony)[id_].wire["lists"]] == ["recent"]


def test_a_list_deleted_while_we_read_is_passed_over(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = site.add(**ADA)
    gone = site.model.list_called("old")["id"]

    def how(request: Request, ask: Any) -> Response:
        if f"contact_list={gone}" in request.query:
            site.model.list_table.drop(gone)
            return answer(404, {"detail": "Not found."})
        found: Response = ask(request)
        return found

    change(site, how, monkeypatch)
    assert set(shown(colony)) == {id_}


def test_a_list_that_cannot_be_read_is_not_passed_over(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    def how(request: Request, ask: Any) -> Response:
        refused = "contact_list=" in request.query
        found: Response = answer(404, {}) if refused else ask(request)
        return found

    change(site, how, monkeypatch)
    with pytest.raises(NeedsPerson, match="cannot be read"):
        swept(colony)


def test_a_contact_that_moves_up_between_two_pages_has_not_left_its_list(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One leaves and one comes, so the count is the same and a row in the middle slips away."""
    site.model.page_max = 3
    ids = [site.add(**somebody(n), tags=["vols"]) for n in range(6)]
    cursor = swept(colony)
    moved = iter([True])

    def how(request: Request, ask: Any) -> Response:
        found: Response = ask(request)
        if "contact_list=2" in request.query and next(moved, False):
            site.delete(ids[0])
            site.add(**somebody(7), tags=["vols"])
        return found

    change(site, how, monkeypatch)
    found, _ = changed(colony, cursor)
    assert set(found) >= set(ids[1:])
    assert all(found[id_].wire["lists"] for id_ in ids[1:])


def test_a_list_that_never_holds_still_says_nothing_of_tags(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model.page_max, site.model.names_lists = 3, False
    ids = [site.add(**somebody(n), tags=["vols"]) for n in range(6)]
    cursor = swept(colony)
    more = iter(range(100, 200))

    def how(request: Request, ask: Any) -> Response:
        found: Response = ask(request)
        if "contact_list=2" in request.query:
            site.add(**somebody(next(more)), tags=["vols"])
        return found

    change(site, how, monkeypatch)
    found, _ = changed(colony, cursor)
    assert set(found) >= set(ids)
    assert all("lists" not in record.wire for record in found.values())


def test_an_unchanged_list_is_read_once_and_a_changed_one_again(site: ColonySite, colony: Colony) -> None:
    site.model.page_max = 2
    ids = [site.add(**somebody(n), tags=["vols"]) for n in range(4)]
    _, cursor = changed(colony, swept(colony))
    site.sandbox.reset_log()
    _, cursor = changed(colony, cursor)
    assert len(calls(site, "GET", "contact_list=2")) == 2
    site.edit(ids[0], **KING)
    changed(colony, cursor)
    assert len(calls(site, "GET", "contact_list=2")) == 4, "an edit is not a change of who is there"
    site.untag(ids[0], "vols")
    changed(colony, cursor)
    assert len(calls(site, "GET", "contact_list=2")) == 8


def test_the_last_page_going_away_while_we_read_is_no_error(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model.page_max = 2
    ids = [site.add(**somebody(n), tags=["vols"]) for n in range(3)]
    gone = iter([True])

    def how(request: Request, ask: Any) -> Response:
        found: Response = ask(request)
        if "contact_list=2" in request.query and next(gone, False):
            site.delete(ids[2])
        return found

    change(site, how, monkeypatch)
    assert set(shown(colony)) == set(ids[:2])


# Pages


@pytest.mark.parametrize(
    "following",
    [
        "https://elsewhere.example.org/contact/contactlists/?page=2",
        "//elsewhere.example.org/contact/contactlists/?page=2",
    ],
)
def test_a_next_page_elsewhere_is_not_followed(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch, following: str
) -> None:
    def how(request: Request, ask: Any) -> Response:
        found: Response = ask(request)
        if request.path != "/contact/contactlists/":
            return found
        return answer(200, {"count": 9, "next": following, "previous": None, "results": []})

    change(site, how, monkeypatch)
    with pytest.raises(NeedsPerson, match=r"not on 127\.0\.0\.1"):
        swept(colony)


def test_a_next_page_at_another_path_is_not_followed(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"count": 9, "next": "/contact/messages/send/?page=2", "previous": None, "results": []}
    change(
        site, lambda request, ask: answer(200, page) if "contactlists" in request.path else ask(request), monkeypatch
    )
    with pytest.raises(NeedsPerson):
        swept(colony)
    assert not calls(site, part="messages")


def test_pages_that_go_round_are_an_error(site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"count": 9, "next": "?page=2", "previous": None, "results": []}
    page["next"] = "/contact/contactlists/?page=2"
    change(
        site, lambda request, ask: answer(200, page) if "contactlists" in request.path else ask(request), monkeypatch
    )
    with pytest.raises(RetryLater, match="come to an end"):
        swept(colony)


def test_a_collection_that_is_a_bare_list_is_one_page(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    import orjson

    id_ = site.add(**ADA)

    def how(request: Request, ask: Any) -> Response:
        found: Response = ask(request)
        data = orjson.loads(found.body) if request.method == "GET" else {}
        return answer(200, data["results"]) if "results" in data else found

    change(site, how, monkeypatch)
    assert set(shown(colony)) == {id_}


# Names that are guesses


def test_other_names_and_paths_make_the_same_records(site: ColonySite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Colony that calls things differently, and a config that says so."""
    site.shape = shape(
        paths={"optouts": "/compliance/optouts/"}, fields={"phone": "msisdn", "city": ""}, other=("suburb", "city")
    )
    id_ = site.add(**ADA)

    def how(request: Request, ask: Any) -> Response:
        path = request.path.replace("/compliance/", "/contact/")
        found: Response = ask(Request(request.method, path, request.query, request.headers, request.body))
        return Response(found.status, found.body.replace(b"mobile_number", b"msisdn"), found.headers)

    change(site, how, monkeypatch)
    colony = site.connect()
    assert isinstance(colony, Colony)
    wire = shown(colony)[id_].wire
    assert (wire["phone"], wire["other"]) == ("12025550101", {"city": "London"})
    assert "city" not in wire
    assert colony.capabilities.update == {"phone", "first_name", "last_name", "email", "other"}


def test_a_wrong_name_for_the_phone_needs_a_person_and_says_what_there_is(site: ColonySite) -> None:
    site.shape = shape(fields={"phone": "msisdn"})
    site.add(**ADA)
    with pytest.raises(NeedsPerson, match=r"'msisdn'; there are: .*mobile_number") as caught:
        swept(site.connect())
    assert caught.value.hint == "set fields.phone"
    assert ADA["phone"][1:] not in str(caught.value)


@pytest.mark.parametrize("names_lists", [True, False])
def test_a_filter_that_is_not_heard_does_not_make_everybody_a_member_of_every_list(
    site: ColonySite, names_lists: bool
) -> None:
    site.shape = shape(fields={"list": "group"})
    site.model.names_lists = names_lists
    site.add(**ADA, tags=["vols"])
    site.add(**GRACE, tags=["ward 3"])
    with pytest.raises(NeedsPerson, match="no notice of the filter 'group'"):
        swept(site.connect())


def test_a_contact_without_an_id_is_broken_and_the_others_are_read(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = site.add(**ADA)
    site.add(**GRACE)

    def how(request: Request, ask: Any) -> Response:
        found: Response = ask(request)
        return Response(
            found.status,
            found.body.replace(b'"id":2,"company":7,"date_created"', b'"id":null,"company":7,"date_created"'),
            found.headers,
        )

    change(site, how, monkeypatch)
    pages = list(colony.sweep({}))
    assert [record.external_id for page in pages for record in page.records] == [id_]
    assert [broken for page in pages for broken in page.broken] == [("dict", "no contact with an id")]


def test_what_is_not_named_can_neither_be_read_nor_written() -> None:
    bare = capabilities(shape(fields={"email": "", "city": ""}), None)
    assert bare.update == {"phone", "first_name", "last_name"}
    assert bare.create == frozenset()
    assert bare.consent_read == {"sms"}
    assert not bare.consent_write
    full = capabilities(shape(paths=WRITING), HOME)
    assert full.create == full.update == {"phone", "first_name", "last_name", "email", "city"}
    assert full.consent_write == {"sms", "email"}


def test_numbers_are_shown_in_one_spelling(site: ColonySite) -> None:
    ids = [
        site.model.add_contact(mobile_number=typed)
        for typed in ("27815854565", "(202) 555-0101", "+1 202 555 0102", "x")
    ]
    records = shown(site.connect())  # type: ignore[arg-type]
    assert [records[id_].wire["phone"] for id_ in ids] == ["27815854565", "12025550101", "12025550102", "x"]


def test_a_time_without_a_zone_is_not_known() -> None:
    assert seconds("2026-01-02T03:04:05Z") == seconds("2026-01-02T05:04:05+02:00") == 1767323045.0
    assert seconds("2026-01-02 03:04:05") is None
    assert seconds(7) is None


# Opt-outs


def test_an_opt_out_counts_for_every_contact_with_its_number(site: ColonySite, colony: Colony) -> None:
    one_, other = site.add(**ADA), site.model.add_contact(mobile_number="(202) 555-0101", first_name="A")
    site.model.add_optout("12025550101")
    records = shown(colony)
    assert records[one_].wire["sms_optout"] is records[other].wire["sms_optout"] is True
    assert records[one_].evidence["sms_optout"].how == "optout"


def test_an_opt_out_that_was_lifted_says_no_no_more(site: ColonySite, colony: Colony) -> None:
    id_ = site.add(**ADA, sms=False)
    cursor = swept(colony)
    site.model.lift_opt_out(id_)
    found, cursor = changed(colony, cursor)
    assert found[id_].wire["sms_optout"] is False
    site.opt_out(id_)
    found, _ = changed(colony, cursor)
    assert found[id_].wire["sms_optout"] is True


def test_an_opt_out_that_we_made_is_nobodys_word_until_somebody_says_it(site: ColonySite, colony: Colony) -> None:
    """The sync tells our own opt-outs, come back in the feed, from a person's by this word."""
    made = one(colony, make(101))
    assert isinstance(made, Stored)
    assert shown(colony)[made.external_id].evidence["sms_optout"].how == "api"
    site.model.add_optout("12025550101", reason="")
    assert shown(colony)[made.external_id].evidence["sms_optout"].how == "api", "of whom is not told"
    site.opt_out(made.external_id)
    assert shown(colony)[made.external_id].evidence["sms_optout"].how == "optout"


def test_an_opt_out_of_an_email_is_one_of_the_email_only(site: ColonySite, colony: Colony) -> None:
    id_ = site.add(**ADA)
    site.model.opt_out(id_, channel="email")
    (record,) = colony.fetch([id_])
    for wire in (record.wire, shown(colony)[id_].wire):
        assert (wire["sms_optout"], wire["email_optout"]) == (False, True)


def test_opt_outs_that_got_lost_on_their_way_are_not_taken_for_lifted(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty list of opt-outs, of which there were two: nobody is said to be free of them, until they are back."""
    ids = [site.add(**ADA, sms=False), site.add(**GRACE, sms=False), site.add(**somebody(5))]
    cursor = swept(colony)
    empty: Any = {"count": 0, "next": None, "previous": None, "results": []}
    with monkeypatch.context() as patch:
        change(site, lambda request, ask: answer(200, empty) if "optouts" in request.path else ask(request), patch)
        for _ in range(3):
            found, cursor = changed(colony, cursor)
            assert all("sms_optout" not in found[id_].wire for id_ in ids)
    site.model.add_optout("12025550777")
    found, cursor = changed(colony, cursor)
    assert [found[id_].wire["sms_optout"] for id_ in ids] == [True, True, False]
    found, _ = changed(colony, cursor)
    assert [found[id_].wire["sms_optout"] for id_ in ids] == [True, True, False]


def test_the_cursor_is_small(site: ColonySite, colony: Colony) -> None:
    for n in range(30):
        site.add(**somebody(n), sms=False, tags=["vols"])
    cursor = swept(colony)
    assert len(repr(cursor)) < 400


# What is never asked


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/contact/messages/send/"),
        ("POST", "/contact/optouts/1/overwrite/"),
        ("PUT", "/contact/optouts/1/"),
        ("POST", "/contact/deployments/"),
        ("GET", "/contact/contactlists/refresh/"),
        ("DELETE", "/contact/contactlists/contact/1/"),
        ("PUT", "/contact/contactlists/contact/1/"),
        ("POST", "/contact/contactlists/contact/1/"),
        ("DELETE", "/contact/contactlists/1/"),
        ("POST", "/contact/contactlists/"),
        ("PATCH", "/contact/contactlists/contact/"),
        ("GET", "/contact/contactlists/contact/1/../../"),
        ("OPTIONS", "/contact/deployments/"),
    ],
)
def test_no_other_request_can_be_made(site: ColonySite, colony: Colony, method: str, path: str) -> None:
    site.sandbox.reset_log()
    with pytest.raises(StopSync):
        colony._door.request(method, path, safe=False)
    assert not calls(site)


def test_a_connection_that_is_only_read_can_make_no_request_that_writes(site: ColonySite) -> None:
    site.writes = False
    colony = site.connect()
    assert isinstance(colony, Colony)
    for method, name in (("POST", "contacts"), ("PATCH", "contact"), ("POST", "import_csv"), ("POST", "create_optout")):
        with pytest.raises(StopSync):
            colony._door.request(method, colony._door.path(name, "1"), safe=False)


def test_a_harmful_path_is_not_asked_even_if_the_shape_names_it(site: ColonySite) -> None:
    site.shape = shape(
        paths={"create_optout": "/contact/optouts/1/overwrite/", "import_csv": "/contact/messages/send/"}
    )
    id_ = site.add(**ADA)
    colony = site.connect()
    with pytest.raises(StopSync):
        list(colony.push([OptOut(1, id_, "sms")]))
    with pytest.raises(StopSync):
        list(colony.push([make(n, subscribed=YES) for n in range(30)]))


def test_the_paths_that_come_with_rosterd_are_fit_and_the_harmful_ones_are_not() -> None:
    assert not any(unfit(word.default, one=name == "contact") for name, word in PATHS.items() if word.default)
    harmful = (
        "/contact/optouts/1/overwrite/",
        "/messages/",
        "/sms/",
        "/deployments/",
        "/contact/contactlists/refresh/",
    )
    strange = ("contact/", "https://elsewhere.example.org/x/", "/x?y=1", "/a/../b/", "", "/x/{id}/")
    assert all(unfit(path) for path in (*harmful, *strange))
    assert unfit("/contact/one/", one=True)
    assert not unfit("/sms/optouts/")


# The probe


def test_the_probe_says_what_each_path_takes_and_which_fields_there_are(site: ColonySite, colony: Colony) -> None:
    site.add(**ADA)
    found = {what: (well, text) for what, well, text in colony.probe()}
    assert all(well for well, _ in found.values())
    assert found["paths.contacts"][1].startswith("takes GET, HEAD, OPTIONS, POST; fields: ")
    assert "mobile_number" in found["paths.contacts"][1]
    assert set(found) >= {f"paths.{name}" for name in PATHS if name != "token"}
    assert not [call for call in calls(site) if call.method not in ("GET", "OPTIONS", "POST")]
    assert not calls(site, "POST", "/contact/")


def test_the_probe_says_which_names_and_paths_are_wrong(site: ColonySite) -> None:
    site.writes = False
    site.shape = shape(paths={"optouts": "/contact/optout/"}, fields={"phone": "msisdn", "city": "town"})
    site.add(**ADA)
    found = {what: (well, text) for what, well, text in site.connect().probe()}
    assert found["paths.optouts"] == (False, "/contact/optout/ is not there (404): set paths.optouts to what it is")
    well, text = found["fields"]
    assert not well
    assert "does not show msisdn, town; it shows" in text
    assert ADA["first"] not in text
    site.shape = shape(fields={"city": "town"})
    assert {what: well for what, well, _ in site.connect().probe()}["fields"]


def test_the_probe_says_when_the_list_for_new_contacts_is_not_there(site: ColonySite, colony: Colony) -> None:
    colony._contacts.home = "99"
    assert ("contact_list", False, "there is no list 99") in list(colony.probe())


def test_the_shape_as_it_comes_is_what_the_config_says() -> None:
    assert Shape().paths["import_csv"] == Shape().paths["create_optout"] == ""
