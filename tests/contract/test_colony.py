"""Colony keeps the contract, over real HTTP: as it comes, only read; and with all that writing to it needs.

Two things of the contract it cannot do, and says so: put people into lists, and tell with a write's answer who has
opted out. What it does instead is asserted here.
"""

from __future__ import annotations

from daemon.platforms.base import Connector, Gone, Refused, Stored
from tests.contract.site_colony import WRITING, ColonySite
from tests.contract.sites import Site
from tests.contract.suite import ADA, ConnectorContract, ReadsContract, one


class TestColonyAsItComes(ReadsContract):
    """Read only: one call for the lists, one for each list (there are up to three), one for the opt-outs."""

    feed_repeats = True
    quiet_calls = 5

    def make_site(self) -> Site:
        return ColonySite()

    def test_tags_put_on_and_taken_off_show_in_the_feed(self, site: Site, connector: Connector) -> None:
        """Lists are tags, although none can be added."""
        assert not connector.capabilities.add_tags
        super().test_tags_put_on_and_taken_off_show_in_the_feed(site, connector)


class TestColonyInShortPages(TestColonyAsItComes):
    """Pages of two, so that everything is in several of them."""

    quiet_calls = 8

    def make_site(self) -> Site:
        site = ColonySite()
        site.model.page_max = 2
        return site


class TestColonyThatNamesNoLists(TestColonyAsItComes):
    """Contacts that do not show which lists they are in: that is learnt from where they are found."""

    quiet_calls = 6

    def make_site(self) -> Site:
        site = ColonySite()
        site.model.names_lists = False
        return site


class TestColonyBothWays(ConnectorContract):
    feed_repeats = True
    quiet_calls = 5

    def make_site(self) -> Site:
        return ColonySite(writes=True, paths={**WRITING, "import_csv": ""})

    def test_an_update_changes_what_it_carries_and_nothing_else(self, site: Site, connector: Connector) -> None:
        """The answer to a PATCH tells nothing of opt-outs, and so neither do we."""
        id_ = site.add(**ADA, tags=["vols"], sms=False)
        before = site.now(id_)
        outcome = one(connector, self.update(site, self.read(connector, id_), fields={"city": "Turin"}))
        assert isinstance(outcome, Stored)
        assert site.now(id_) == {**before, "city": "Turin"}
        assert outcome.record is not None
        assert {**site.person(outcome.record.wire), "sms": False} == site.now(id_)

    def test_tags_are_added_and_all_else_stays(self, site: Site, connector: Connector) -> None:
        """They are not added: nothing is written, and it is said."""
        id_ = site.add(**ADA, tags=["vols"], sms=True)
        before = site.now(id_)
        push = self.update(site, self.read(connector, id_), fields={"city": "Turin"}, add_tags=("canvass",))
        assert isinstance(one(connector, push), Refused)
        assert site.now(id_) == before

    def test_a_new_record_is_stored_as_asked(self, site: Site, connector: Connector) -> None:
        outcome = one(connector, self.make(site, ADA, subscribed=frozenset({"sms"})))
        assert isinstance(outcome, Stored)
        expected = {**ADA, "tags": set(), "sms": None}
        assert site.now(outcome.external_id) == expected
        assert outcome.record is not None
        assert {**site.person(outcome.record.wire), "sms": None} == expected

    def test_an_update_with_nothing_to_say_finds_out_who_is_gone(self, site: Site, connector: Connector) -> None:
        id_ = site.add(**ADA)
        assert isinstance(one(connector, self.update(site, self.read(connector, id_))), Stored)
        old = self.read(connector, id_)
        site.delete(id_)
        assert isinstance(one(connector, self.update(site, old)), Gone)


class TestColonyByImport(TestColonyBothWays):
    """From 25 new contacts on they go as one file."""

    def make_site(self) -> Site:
        return ColonySite(writes=True, paths=WRITING)
