"""The contract of a connector, as tests. A platform's tests inherit them and add what is its own.

Harm is counted by the platform itself and must be nil after every test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.errors import AnswerLost, NeedsPerson, RetryLater
from daemon.platforms.base import (
    Connector,
    Create,
    Cursor,
    Exists,
    Gone,
    Lost,
    OptOut,
    Outcome,
    Page,
    Push,
    Record,
    Stored,
    Update,
)
from tests.contract.sites import Person, Site

ADA: Person = {
    "first": "Ada",
    "last": "Lovelace",
    "phone": "+12025550101",
    "email": "ada@example.org",
    "city": "London",
}
GRACE: Person = {"first": "Grace", "last": "Hopper", "phone": "+12025550102", "email": "grace@example.org"}
GRACE["city"] = "Arlington"
KING = {"first": "Kim", "last": "King"}  # some platforms have one field for the whole name
BYRON = {"first": "Bo", "last": "Byron"}


def somebody(number: int) -> Person:
    """One of many people, each with a phone and an email of their own."""
    phone, email = f"+1202555{number:04d}", f"p{number}@example.org"
    return {"first": f"P{number}", "last": "Example", "phone": phone, "email": email, "city": "Macon"}


def kept(cursor: Cursor) -> Cursor:
    """A cursor as it comes back from the database."""
    restored: Cursor = json.loads(json.dumps(cursor))
    return restored


def swept(connector: Connector, cursor: Cursor | None = None) -> Cursor:
    """Read everything; the cursor afterwards."""
    *_, last = connector.sweep(cursor or {})
    assert last.sweep_done
    return kept(last.cursor)


def changed(connector: Connector, cursor: Cursor) -> tuple[dict[str, Record], Cursor]:
    """The records that `changes` shows, by id, and the cursor afterwards."""
    found: dict[str, Record] = {}
    for page in connector.changes(cursor):
        found.update({record.external_id: record for record in page.records})
        cursor = page.cursor
    return found, kept(cursor)


def one(connector: Connector, push: Push) -> Outcome:
    """Send one push; its outcome."""
    (outcome,) = connector.push([push])
    assert outcome.ref == push.ref
    return outcome


class ReadsContract:
    """What every connector can do: read. Inherit, and say with `make_site` on what."""

    @pytest.fixture
    def site(self) -> Iterator[Site]:
        site = self.make_site()
        yield site
        site.close()
        assert not site.harm()

    def make_site(self) -> Site:
        raise TypeError("a contract test needs a platform")

    @pytest.fixture
    def connector(self, site: Site) -> Connector:
        return site.connect()

    def read(self, connector: Connector, id_: str) -> Record:
        (record,) = connector.fetch([id_])
        return record

    # Sweeps

    def test_a_sweep_shows_every_record_once_as_it_is(self, site: Site, connector: Connector) -> None:
        tags = {"vols"} if site.tags else set()
        people = {site.add(**somebody(n), tags=sorted(tags), sms=False): somebody(n) for n in range(7)}
        every = [record for page in connector.sweep({}) for record in page.records]
        shown = {record.external_id: record for record in every}
        assert set(shown) == set(people)
        assert site.may_repeat or len(every) == len(people)
        for id_, record in shown.items():
            assert site.person(record.wire) == site.keeps({**people[id_], "tags": tags, "sms": False})

    def test_a_sweep_of_an_empty_account_is_done_at_once(self, connector: Connector) -> None:
        pages = list(connector.sweep({}))
        assert [page.sweep_done for page in pages] == [True]
        assert not pages[0].records

    def test_only_the_last_page_of_a_sweep_says_that_it_is_done(self, site: Site, connector: Connector) -> None:
        for n in range(7):
            site.add(**somebody(n))
        done = [page.sweep_done for page in connector.sweep({})]
        assert done == [False] * (len(done) - 1) + [True]
        assert len(done) > 2

    def test_a_sweep_that_was_broken_off_goes_on_with_the_next_page(self, site: Site, connector: Connector) -> None:
        ids = {site.add(**somebody(n)) for n in range(7)}
        first: Page = next(iter(connector.sweep({})))
        rest = [record.external_id for page in site.connect().sweep(kept(first.cursor)) for record in page.records]
        before = [record.external_id for record in first.records]
        assert set(before + rest) == ids
        assert site.may_repeat or site.repeats_after_break or len(before + rest) == len(ids)

    def test_a_sweep_that_is_not_to_be_resumed_begins_at_the_beginning(self, site: Site, connector: Connector) -> None:
        ids = {site.add(**somebody(n)) for n in range(7)}
        first: Page = next(iter(connector.sweep({})))
        pages = list(site.connect().sweep(kept(first.cursor), resume=False))
        assert {record.external_id for page in pages for record in page.records} == ids
        assert pages[-1].sweep_done

    def test_a_second_sweep_begins_at_the_beginning(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        cursor = swept(connector)
        shown = [record.external_id for page in connector.sweep(cursor) for record in page.records]
        assert set(shown) == {id_}
        assert site.may_repeat or len(shown) == 1

    def test_what_is_deleted_between_two_pages_of_a_sweep_does_no_harm(self, site: Site, connector: Connector) -> None:
        ids = [site.add(**somebody(n)) for n in range(7)]
        pages = connector.sweep({})
        shown = [record.external_id for record in next(iter(pages)).records]
        site.delete(shown[-1])
        shown += [record.external_id for page in pages for record in page.records]
        assert set(shown) == set(ids)

    # Changes

    def test_a_quiet_feed_is_cheap_and_shows_nothing(self, site: Site, connector: Connector) -> None:
        for n in range(3):
            site.add(**somebody(n))
        cursor = swept(connector)
        _, cursor = changed(connector, cursor)
        before = connector.calls
        found, _ = changed(connector, cursor)
        assert self.feed_repeats or not found
        assert connector.calls - before <= self.quiet_calls

    quiet_calls = 2
    feed_repeats = False  # whether a feed shows again what it showed; harmless, for the sync compares

    def test_an_edit_shows_in_the_feed(self, site: Site, connector: Connector) -> None:
        id_, other = site.add(**ADA), site.add(**GRACE)
        cursor = swept(connector)
        _, cursor = changed(connector, cursor)
        site.edit(id_, **KING)
        found, cursor = changed(connector, cursor)
        assert site.person(found[id_].wire)["last"] == "King"
        site.edit(other, **BYRON)
        found, _ = changed(connector, cursor)
        assert site.person(found[other].wire)["last"] == "Byron"

    def test_an_edit_made_during_a_sweep_is_not_missed(self, site: Site, connector: Connector) -> None:
        ids = [site.add(**somebody(n)) for n in range(7)]
        cursor: Cursor = {}
        for place, page in enumerate(connector.sweep({})):
            if place == 1:
                site.edit(ids[0], **KING)
            cursor = page.cursor
        found, _ = changed(connector, kept(cursor))
        assert site.person(found[ids[0]].wire)["last"] == "King"

    def test_a_new_record_shows_in_the_feed(self, site: Site, connector: Connector) -> None:
        site.add(**ADA)
        cursor = swept(connector)
        id_ = site.add(**GRACE)
        found, _ = changed(connector, cursor)
        assert site.person(found[id_].wire)["last"] == "Hopper"

    def test_a_change_that_shows_late_is_found(self, site: Site, connector: Connector) -> None:
        """Its time and place in the log are older than what was read meanwhile."""
        slow, quick = site.add(**ADA), site.add(**GRACE)
        _, cursor = changed(connector, swept(connector))
        with site.late():
            site.edit(slow, **KING)
        site.edit(quick, **BYRON)
        found, cursor = changed(connector, cursor)
        assert quick in found
        site.settle()
        found, _ = changed(connector, cursor)
        assert site.person(found[slow].wire)["last"] == "King"

    def test_an_opt_out_shows_in_the_feed(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, sms=True)
        cursor = swept(connector)
        site.opt_out(id_)
        found, _ = changed(connector, cursor)
        assert site.person(found[id_].wire)["sms"] is False

    def test_tags_put_on_and_taken_off_show_in_the_feed(self, site: Site, connector: Connector) -> None:
        if not site.tags:
            assert not connector.capabilities.add_tags
            return
        id_ = site.add(**ADA, tags=["vols"])
        cursor = swept(connector)
        site.tag(id_, "canvass")
        found, cursor = changed(connector, cursor)
        assert site.person(found[id_].wire)["tags"] == {"vols", "canvass"}
        site.untag(id_, "vols")
        found, _ = changed(connector, cursor)
        assert site.person(found[id_].wire)["tags"] == {"canvass"}

    def test_a_long_feed_comes_in_pages_whose_cursors_hold(self, site: Site, connector: Connector) -> None:
        ids = [site.add(**somebody(n)) for n in range(8)]
        _, cursor = changed(connector, swept(connector))
        for id_ in ids:
            site.edit(id_, **KING)
        pages = connector.changes(cursor)
        first = next(iter(pages))
        rest, _ = changed(site.connect(), kept(first.cursor))
        assert {record.external_id for record in first.records} | set(rest) == set(ids)

    def test_facts_may_be_lost(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, tags=["vols"] if site.tags else [])
        cursor = swept(connector)
        site.edit(id_, **KING)
        found, _ = changed(site.connect(facts={}), cursor)
        assert site.person(found[id_].wire)["tags"] == ({"vols"} if site.tags else set())

    def test_facts_can_be_kept(self, site: Site, connector: Connector) -> None:
        site.add(**ADA, tags=["vols"] if site.tags else [])
        swept(connector)
        assert json.loads(json.dumps(connector.facts)) == connector.facts

    # Fetch

    def test_fetch_reads_what_is_there_and_leaves_out_what_is_not(self, site: Site, connector: Connector) -> None:
        ids = [site.add(**somebody(n)) for n in range(5)]
        site.delete(ids[2])
        found = {record.external_id for record in connector.fetch([*ids, "999999"])}
        assert found == set(ids) - {ids[2]}
        assert list(connector.fetch([])) == []

    # Trouble

    @pytest.mark.parametrize("read", ["sweep", "changes", "fetch"])
    def test_a_busy_platform_is_tried_again_later(self, site: Site, connector: Connector, read: str) -> None:
        id_ = site.add(**ADA)
        cursor = swept(connector)
        site.fail("later", write=False, times=20)
        with pytest.raises(RetryLater):
            self.reading(connector, read, id_, cursor)

    @pytest.mark.parametrize("read", ["sweep", "changes", "fetch"])
    def test_a_refused_key_needs_a_person(self, site: Site, connector: Connector, read: str) -> None:
        id_ = site.add(**ADA)
        cursor = swept(connector)
        site.fail("person", write=False, times=20)
        with pytest.raises(NeedsPerson) as caught:
            self.reading(connector, read, id_, cursor)
        assert site.refused in str(caught.value)
        assert "sandbox-" not in str(caught.value)

    def reading(self, connector: Connector, read: str, id_: str, cursor: Cursor) -> list[Any]:
        ways: dict[str, Any] = {"sweep": lambda: connector.sweep({}), "changes": lambda: connector.changes(cursor)}
        return list(ways.get(read, lambda: connector.fetch([id_]))())

    # The rest

    def test_a_well_account_probes_well(self, site: Site, connector: Connector) -> None:
        site.add(**ADA)
        found = list(connector.probe())
        assert found
        assert all(well for _, well, _ in found)

    def test_calls_are_counted(self, site: Site, connector: Connector) -> None:
        assert connector.calls == 0
        swept(connector)
        assert connector.calls > 0

    def test_the_account_has_a_name_without_a_secret(self, connector: Connector) -> None:
        assert connector.account.startswith(connector.platform)
        assert "key" not in connector.account

    def test_what_it_can_do_is_consistent(self, connector: Connector) -> None:
        able = connector.capabilities
        assert able.update <= able.read
        assert able.consent_write <= able.consent_read
        assert able.batch >= 1
        assert able.fetch >= 1


class ConnectorContract(ReadsContract):
    """What a connector that reads and writes can do."""

    def make(self, site: Site, person: Person, *, ref: int = 1, **more: Any) -> Create:
        return Create(ref, site.wire(**person), person["phone"], person["email"], **more)

    def update(self, site: Site, record: Record, *, ref: int = 1, fields: Any = None, **more: Any) -> Update:
        return Update(ref, record.external_id, record.version, site.wire(**(fields or {})), **more)

    # Updates

    def test_an_update_changes_what_it_carries_and_nothing_else(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, tags=["vols"], sms=False)
        before = site.now(id_)
        outcome = one(connector, self.update(site, self.read(connector, id_), fields={"city": "Turin"}))
        assert isinstance(outcome, Stored)
        assert site.now(id_) == {**before, "city": "Turin"}
        assert outcome.record is None or site.person(outcome.record.wire) == site.now(id_)

    def test_a_receipt_carries_the_version_of_the_next_update(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        first = one(connector, self.update(site, self.read(connector, id_), fields={"city": "Turin"}))
        assert isinstance(first, Stored)
        assert first.record is not None
        second = one(connector, self.update(site, first.record, fields={"city": "Boston"}))
        assert isinstance(second, Stored)
        assert site.now(id_)["city"] == "Boston"

    def test_a_blank_is_written_as_a_blank(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        one(connector, self.update(site, self.read(connector, id_), fields={"city": None}))
        assert site.now(id_) == {**ADA, "city": None, "tags": set(), "sms": None}

    @pytest.mark.parametrize("city", ["Łódź", 'O\'Brien, "quoted" & <b>', "Zoë 🎈", "100%_(a.b):*"])
    def test_text_arrives_as_it_was_sent(self, site: Site, connector: Connector, city: str) -> None:
        id_ = site.add(**ADA)
        one(connector, self.update(site, self.read(connector, id_), fields={"city": city}))
        assert site.now(id_)["city"] == city
        assert site.person(self.read(connector, id_).wire)["city"] == city

    def test_an_update_of_a_record_that_is_gone_says_so(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        old = self.read(connector, id_)
        site.delete(id_)
        assert isinstance(one(connector, self.update(site, old, fields={"city": "Turin"})), Gone)
        assert isinstance(one(connector, self.update(site, old, add_tags=("vols",))), Gone)
        assert site.count() == 0

    def test_tags_are_added_and_all_else_stays(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, tags=["vols"], sms=True)
        before = site.now(id_)
        push = self.update(site, self.read(connector, id_), fields={"city": "Turin"}, add_tags=("canvass", "new one"))
        outcome = one(connector, push)
        assert isinstance(outcome, Stored)
        assert site.now(id_) == {**before, "city": "Turin", "tags": {"vols", "canvass", "new one"}}

    # Creates

    def test_a_new_record_is_stored_as_asked(self, site: Site, connector: Connector) -> None:
        outcome = one(connector, self.make(site, ADA, add_tags=("vols", "new one"), subscribed=frozenset({"sms"})))
        assert isinstance(outcome, Stored)
        expected = {**ADA, "tags": {"vols", "new one"}, "sms": True if site.consent else None}
        assert site.now(outcome.external_id) == expected
        assert outcome.record is None or site.person(outcome.record.wire) == expected

    def test_without_a_recorded_opt_in_a_new_record_is_unsubscribed(self, site: Site, connector: Connector) -> None:
        outcome = one(connector, self.make(site, ADA))
        assert isinstance(outcome, Stored)
        assert site.now(outcome.external_id)["sms"] is False

    @pytest.mark.parametrize("same", ["phone", "email"])
    def test_nobody_is_created_twice(self, site: Site, connector: Connector, same: str) -> None:
        id_ = site.add(**ADA)
        site.add(**GRACE)
        outcome = one(connector, self.make(site, {**somebody(7), same: ADA[same]}))
        assert isinstance(outcome, Exists)
        assert [record.external_id for record in outcome.records] == [id_]
        assert site.person(outcome.records[0].wire)["last"] == "Lovelace"
        assert site.count() == 2

    def test_an_email_is_the_same_in_another_case(self, site: Site, connector: Connector) -> None:
        site.add(**{**ADA, "email": "Ada@Example.org"})
        assert isinstance(one(connector, self.make(site, {**somebody(7), "email": "ada@example.org"})), Exists)

    def test_an_email_that_merely_looks_alike_is_somebody_else(self, site: Site, connector: Connector) -> None:
        site.add(**{**ADA, "email": "adaxl@example.org"})
        made = one(connector, self.make(site, {**somebody(7), "email": "ada_l@example.org"}))
        assert isinstance(made, Stored)

    def test_two_that_share_a_phone_become_one(self, site: Site, connector: Connector) -> None:
        both = [self.make(site, ADA, ref=1), self.make(site, {**GRACE, "phone": ADA["phone"]}, ref=2)]
        first, second = connector.push(both)
        assert isinstance(first, Stored)
        assert isinstance(second, Exists)
        assert [record.external_id for record in second.records] == [first.external_id]

    # Opt-outs

    def test_a_no_is_written_and_may_be_written_again(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, tags=["vols"], sms=True)
        before = site.now(id_)
        for _ in range(2):
            outcome = one(connector, OptOut(1, id_, "sms"))
            assert isinstance(outcome, Stored)
            assert outcome.record is None or site.person(outcome.record.wire)["sms"] is False
        assert site.now(id_) == {**before, "sms": False}

    def test_a_no_reaches_who_was_never_asked(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, sms=None)
        assert isinstance(one(connector, OptOut(1, id_, "sms")), Stored)
        assert site.now(id_)["sms"] is False

    def test_a_no_to_a_record_that_is_gone_says_so(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        site.delete(id_)
        assert isinstance(one(connector, OptOut(1, id_, "sms")), Gone)

    def test_a_no_does_not_mind_a_race(self, site: Site, connector: Connector) -> None:
        """It carries no version: a person's wish is not overtaken by an edit of their city."""
        id_ = site.add(**ADA, sms=True)
        self.read(connector, id_)
        site.edit(id_, city="Turin")
        assert isinstance(one(connector, OptOut(1, id_, "sms")), Stored)
        assert (site.now(id_)["sms"], site.now(id_)["city"]) == (False, "Turin")

    # Many at once

    def test_every_push_has_one_outcome(self, site: Site, connector: Connector) -> None:
        ids = [site.add(**somebody(n), sms=True) for n in range(60)]
        site.delete(ids[5])
        records = {record.external_id: record for record in connector.fetch(ids)}
        gone = Record(ids[5], {}, "2026-01-01T00:00:00+00:00")
        pushes: list[Push] = [OptOut(1000 + n, ids[n], "sms") for n in range(30)]
        for n, id_ in enumerate(ids):
            record = records.get(id_, gone)
            if n < 30 and id_ in records:  # the opt-outs come first, and move the version
                continue
            pushes.append(self.update(site, record, ref=n, fields={"city": "Turin"}))
        pushes += [self.make(site, somebody(n), ref=n) for n in range(100, 150)]
        outcomes = {outcome.ref: outcome for outcome in connector.push(pushes)}
        assert sorted(outcomes) == sorted(push.ref for push in pushes)
        assert isinstance(outcomes[5], Gone)
        assert isinstance(outcomes[1005], Gone)
        fine = [ref for ref in outcomes if ref not in (5, 1005)]
        assert all(isinstance(outcomes[ref], Stored) for ref in fine)
        assert all(site.now(ids[n])["city"] == "Turin" for n in range(30, 60))
        assert all(site.now(ids[n])["sms"] is False for n in range(30) if n != 5)
        assert site.count() == 59 + 50
        for ref in range(100, 150):
            made = outcomes[ref]
            assert isinstance(made, Stored)
            assert site.now(made.external_id)["phone"] == somebody(ref)["phone"]

    # Trouble

    def test_a_create_whose_answer_was_lost_is_found_by_the_next(self, site: Site, connector: Connector) -> None:
        site.fail("lost", write=True)
        with pytest.raises(AnswerLost):
            one(connector, self.make(site, ADA))
        assert site.count() == 1
        again = one(connector, self.make(site, ADA))
        assert isinstance(again, Exists)
        assert site.person(again.records[0].wire)["email"] == ADA["email"]

    def test_an_update_whose_answer_was_lost_is_told_apart(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        record = self.read(connector, id_)
        site.fail("lost", write=True)
        with pytest.raises(AnswerLost):
            one(connector, self.update(site, record, fields={"city": "Turin"}))
        assert site.person(self.read(connector, id_).wire)["city"] == "Turin"

    def test_outcomes_known_before_the_trouble_are_told(self, site: Site, connector: Connector) -> None:
        ids = [site.add(**somebody(n)) for n in range(11)]
        records = {record.external_id: record for record in connector.fetch(ids)}
        pushes = [self.update(site, records[id_], ref=n, fields={"city": "Turin"}) for n, id_ in enumerate(ids)]
        outcomes = connector.push(pushes)
        first = next(iter(outcomes))
        site.fail("person", write=True, times=20)
        with pytest.raises(NeedsPerson):
            list(outcomes)
        assert isinstance(first, Stored)
        assert site.now(ids[0])["city"] == "Turin"
        assert site.now(ids[-1])["city"] == "Macon"

    def test_what_it_can_write_is_consistent(self, connector: Connector) -> None:
        assert connector.capabilities.create


class ComparesAndSwaps(ConnectorContract):
    """For platforms that can refuse an update planned against an older version."""

    def test_an_update_planned_against_an_older_version_is_lost(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        old = self.read(connector, id_)
        site.edit(id_, city="Turin")
        for more in ({"fields": {"city": "Boston"}}, {"add_tags": ("vols",)}):
            outcome = one(connector, self.update(site, old, **more))
            assert isinstance(outcome, Lost)
            assert outcome.record is not None
            assert site.person(outcome.record.wire)["city"] == "Turin"
        assert site.now(id_)["city"] == "Turin"
        assert site.now(id_)["tags"] == set()


class TakesTagsOff(ConnectorContract):
    """For platforms that can take a tag off again."""

    def test_tags_are_taken_off(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, tags=["vols", "canvass"])
        outcome = one(connector, self.update(site, self.read(connector, id_), remove_tags=("vols", "never had")))
        assert isinstance(outcome, Stored)
        assert site.now(id_)["tags"] == {"canvass"}
