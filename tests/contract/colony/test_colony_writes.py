"""What is Colony's own when it is written to: opt-outs first, nobody twice, an import that tells nothing."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from daemon.errors import AnswerLost, RetryLater
from daemon.platforms.base import Create, Exists, OptOut, Push, Refused, Stored, Update
from daemon.platforms.colony import Colony
from daemon.sandbox.sandbox import Call
from daemon.sandbox.wire import Request, Response, answer
from tests.contract.colony_ways import YES, calls, change, make
from tests.contract.site_colony import WRITING, ColonySite, shape
from tests.contract.suite import ADA, kept, one, somebody, swept

# Writing


def test_nobody_is_made_reachable_without_a_yes_on_record(site: ColonySite, colony: Colony) -> None:
    """The opt-outs are there before the contact is."""
    outcome = one(colony, make(101))
    assert isinstance(outcome, Stored)
    made = site.model.contact(outcome.external_id)
    assert (made["sms_optout"], made["email_optout"]) == (True, True)
    assert [call.path for call in calls(site, "POST", "/contact/")] == [
        *["/contact/optouts/"] * 2,
        "/contact/contactlists/contact/",
    ]


def test_where_no_opt_out_can_be_written_only_those_who_said_yes_are_made(site: ColonySite) -> None:
    site.shape = shape()
    colony = site.connect()
    refused, stored = colony.push([make(101, subscribed=frozenset({"sms"})), make(102, subscribed=YES)])
    assert isinstance(refused, Refused)
    assert "paths.create_optout" in refused.reason
    assert isinstance(stored, Stored)
    assert site.count() == 1


def test_who_is_opted_out_already_can_be_made_without_a_path_for_opt_outs(site: ColonySite) -> None:
    site.shape = shape()
    site.model.add_optout("12025550101")
    assert isinstance(one(site.connect(), make(101, subscribed=frozenset({"email"}))), Stored)


def test_nobody_is_made_without_a_list_for_them_or_without_a_phone(site: ColonySite, colony: Colony) -> None:
    assert isinstance(one(colony, Create(1, {"email": "x@example.org"}, None, "x@example.org")), Refused)
    colony._contacts.home = None
    assert isinstance(one(colony, make(101, subscribed=YES)), Refused)
    assert site.count() == 0


def test_a_number_that_was_typed_differently_is_found(site: ColonySite, colony: Colony) -> None:
    id_ = site.model.add_contact(mobile_number="(202) 555-0101", first_name="Ada")
    outcome = one(colony, make(101, subscribed=YES))
    assert isinstance(outcome, Exists)
    assert [record.external_id for record in outcome.records] == [id_]
    assert outcome.records[0].wire["sms_optout"] is False


def test_contacts_read_a_moment_ago_are_not_read_again_before_a_create(site: ColonySite, colony: Colony) -> None:
    site.add(**ADA)
    swept(colony)
    site.sandbox.reset_log()
    outcomes = list(colony.push([make(n, subscribed=YES) for n in (102, 103)]))
    assert all(isinstance(each, Stored) for each in outcomes)
    assert not calls(site, "GET")
    site.clock.now += 1000
    assert isinstance(one(colony, make(101, subscribed=YES)), Exists)
    assert calls(site, "GET", "contact_list=")


def test_a_no_goes_along_with_a_new_number(site: ColonySite, colony: Colony) -> None:
    id_ = site.add(**ADA, sms=False)
    (before,) = colony.fetch([id_])
    outcome = one(colony, Update(1, id_, before.version, {"phone": "12025550199"}))
    assert isinstance(outcome, Stored)
    assert site.now(id_)["phone"] == "+12025550199"
    assert site.now(id_)["sms"] is False


def test_a_new_number_is_refused_where_the_no_cannot_go_along(site: ColonySite) -> None:
    site.shape = shape()
    id_ = site.add(**ADA, sms=False)
    colony = site.connect()
    (before,) = colony.fetch([id_])
    assert isinstance(one(colony, Update(1, id_, before.version, {"phone": "12025550199"})), Refused)
    assert site.now(id_)["phone"] == ADA["phone"]


def test_an_update_sends_what_changed_and_nothing_else(site: ColonySite, colony: Colony) -> None:
    id_ = site.add(**ADA)
    (before,) = colony.fetch([id_])
    one(colony, Update(1, id_, before.version, {"city": "Turin"}))
    (call,) = calls(site, "PATCH")
    assert (call.path, call.wrote) == (f"/contact/contactlists/contact/{id_}/", {"city": "Turin"})
    assert isinstance(one(colony, Update(1, id_, before.version, {"birth_date": "1815-12-10"})), Refused)


def test_a_refusal_names_fields_and_no_values(site: ColonySite, colony: Colony) -> None:
    id_ = site.add(**ADA)
    (before,) = colony.fetch([id_])
    outcome = one(colony, Update(1, id_, before.version, {"city": 5}))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "400 refused: city"


def test_an_opt_out_that_stands_is_not_written_again(site: ColonySite, colony: Colony) -> None:
    id_ = site.add(**ADA, sms=False)
    assert isinstance(one(colony, OptOut(1, id_, "sms")), Stored)
    assert not calls(site, "POST", "optouts")
    assert isinstance(one(colony, OptOut(1, id_, "email")), Stored)
    assert [call.wrote["originator"] for call in calls(site, "POST", "optouts")] == [ADA["email"]]
    bare = site.add(first="No", phone="+12025550188")
    assert isinstance(one(colony, OptOut(1, bare, "email")), Refused)


def test_an_opt_out_that_does_not_show_was_not_written(
    site: ColonySite, colony: Colony, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = site.add(**ADA)

    def how(request: Request, ask: Any) -> Response:
        deaf = request.method == "POST" and "optouts" in request.path
        found: Response = answer(200, {}) if deaf else ask(request)
        return found

    change(site, how, monkeypatch)
    outcome = one(colony, OptOut(1, id_, "sms"))
    assert isinstance(outcome, Refused)
    assert "does not show" in outcome.reason


# The import


def imports(site: ColonySite) -> list[Call]:
    return calls(site, "POST", "/import/")


def test_many_new_contacts_go_as_one_file_and_are_found_afterwards(site: ColonySite, colony: Colony) -> None:
    site.add(**somebody(110))
    outcomes = {each.ref: each for each in colony.push([make(n, subscribed=YES) for n in range(100, 140)])}
    assert isinstance(outcomes.pop(110), Exists)
    assert len(outcomes) == 39
    for ref, outcome in outcomes.items():
        assert isinstance(outcome, Stored)
        assert site.now(outcome.external_id)["email"] == somebody(ref)["email"]
    (sent,) = imports(site)
    text = sent.wrote[sent.wrote.index("mobile_number") :]
    assert len([row for row in csv.DictReader(io.StringIO(text)) if row["first_name"]]) == 39
    assert not calls(site, "POST", "/contact/contactlists/contact/")
    assert "imported_at" not in colony.facts


def test_texts_arrive_by_import_as_they_were_sent(site: ColonySite, colony: Colony) -> None:
    odd = 'O\'Brien, "quoted"\r\nŁódź;'
    pushes: list[Push] = [make(n, subscribed=YES) for n in range(100, 130)]
    pushes[3] = Create(
        103, {"phone": "12025550103", "last_name": odd, "city": None}, "+12025550103", None, subscribed=YES
    )
    outcomes = list(colony.push(pushes))
    stored = next(each for each in outcomes if each.ref == 103)
    assert isinstance(stored, Stored)
    assert site.model.contact(stored.external_id)["last_name"] == odd


def test_an_import_that_shows_later_is_waited_for(site: ColonySite, colony: Colony) -> None:
    site.model.import_after = 3
    outcomes = list(colony.push([make(n, subscribed=YES) for n in range(100, 130)]))
    assert all(isinstance(each, Stored) for each in outcomes)
    assert site.naps[:2] == [0.0, 5.0]
    assert site.count() == 30


def test_what_an_import_does_not_show_is_not_sent_again(site: ColonySite, colony: Colony) -> None:
    site.model.import_after = 1000
    outcomes = list(colony.push([make(n, subscribed=YES) for n in range(100, 130)]))
    assert len(outcomes) == 30
    assert all(isinstance(each, Refused) and "import has not shown" in each.reason for each in outcomes)
    assert site.naps == [0.0, 5.0, 15.0, 40.0]
    assert len(imports(site)) == 1
    site.settle()
    again = list(site.connect().push([make(n, subscribed=YES) for n in range(100, 130)]))
    assert all(isinstance(each, Exists) for each in again)


def test_after_an_import_whose_answer_was_lost_nobody_is_made_for_a_while(site: ColonySite, colony: Colony) -> None:
    """It may be at work still: whoever looks now may not find them, and would make them twice."""
    site.model.import_after = 50
    site.sandbox.faults.add("lost", platform="colony", path="/import/")
    pushes: list[Push] = [make(n, subscribed=YES) for n in range(100, 130)]
    with pytest.raises(AnswerLost):
        list(colony.push(pushes))
    later = site.connect(facts=kept(colony.facts))
    with pytest.raises(RetryLater, match="import") as caught:
        list(later.push(pushes))
    assert caught.value.after is not None
    site.settle()
    site.clock.now += caught.value.after + 1
    assert all(isinstance(each, Exists) for each in later.push(pushes))
    assert site.count() == 30


def test_an_import_that_is_refused_is_done_one_by_one(site: ColonySite, colony: Colony) -> None:
    site.shape = shape(paths={**WRITING, "import_csv": "/contact/contactlists/imports/"})
    outcomes = list(site.connect().push([make(n, subscribed=YES) for n in range(100, 130)]))
    assert all(isinstance(each, Stored) for each in outcomes)
    assert site.count() == 30


def test_nobody_in_a_file_is_reachable_without_a_yes_on_record(site: ColonySite, colony: Colony) -> None:
    outcomes = list(colony.push([make(n, subscribed=frozenset({"email"})) for n in range(100, 130)]))
    assert len(imports(site)) == 1
    assert all(isinstance(each, Stored) for each in outcomes)
    assert all(each["sms_optout"] and not each["email_optout"] for each in site.model.contacts())
    paths = [call.path for call in calls(site, "POST", "/contact/")]
    assert paths == [*["/contact/optouts/"] * 30, "/contact/contactlists/import/"]


def test_two_with_one_phone_in_a_file_become_one(site: ColonySite, colony: Colony) -> None:
    pushes: list[Push] = [make(n, subscribed=YES) for n in range(100, 130)]
    pushes.append(Create(500, {"phone": "12025550100", "first_name": "Twin"}, "+12025550100", None, subscribed=YES))
    outcomes = {each.ref: each for each in colony.push(pushes)}
    assert isinstance(outcomes[500], Exists)
    assert site.count() == 30
