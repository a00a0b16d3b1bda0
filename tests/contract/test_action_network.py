"""Action Network keeps the contract, over real HTTP."""

from __future__ import annotations

import pytest

from daemon.errors import RetryLater
from daemon.platforms.base import Connector, Exists, Stored
from tests.contract.site_action_network import ActionNetworkSite
from tests.contract.sites import Site
from tests.contract.suite import ADA, TakesTagsOff, one


class TestActionNetwork(TakesTagsOff):
    """A reading of one person, and the answer to an edit, say nothing of tags: they would cost a call of their own.

    Every write may be sent twice, so one whose answer was lost is sent again at once.
    """

    quiet_calls = 2

    def make_site(self) -> Site:
        return ActionNetworkSite()

    def test_an_update_changes_what_it_carries_and_nothing_else(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA, tags=["vols"], sms=False)
        before = site.now(id_)
        outcome = one(connector, self.update(site, self.read(connector, id_), fields={"city": "Turin"}))
        assert site.now(id_) == {**before, "city": "Turin"}
        assert isinstance(outcome, Stored)
        assert outcome.record is not None
        assert site.person(outcome.record.wire) == {k: v for k, v in site.now(id_).items() if k != "tags"}

    def test_a_create_whose_answer_was_lost_is_found_by_the_next(self, site: Site, connector: Connector) -> None:
        site.fail("lost", write=True, times=20)
        with pytest.raises(RetryLater):
            one(connector, self.make(site, ADA))
        assert site.count() == 1
        assert isinstance(site, ActionNetworkSite)
        site.sandbox.faults.clear()
        again = one(connector, self.make(site, ADA))
        assert isinstance(again, Exists)
        assert site.person(again.records[0].wire)["email"] == ADA["email"]

    def test_a_create_whose_answer_was_lost_is_sent_again(self, site: Site, connector: Connector) -> None:
        site.fail("lost", write=True)
        outcome = one(connector, self.make(site, ADA))
        assert isinstance(outcome, Stored)
        assert site.count() == 1
        assert site.now(outcome.external_id)["sms"] is False

    def test_an_update_whose_answer_was_lost_is_told_apart(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        record = self.read(connector, id_)
        site.fail("lost", write=True, times=20)
        with pytest.raises(RetryLater):
            one(connector, self.update(site, record, fields={"city": "Turin"}))
        assert site.person(self.read(connector, id_).wire)["city"] == "Turin"
