"""Carium keeps the reading part of the contract, over real HTTP; it has no other."""

from __future__ import annotations

from tests.contract.site_carium import CariumSite
from tests.contract.sites import Site
from tests.contract.suite import ReadsContract


class TestCarium(ReadsContract):
    feed_repeats = True
    quiet_calls = 3  # the consents; a page of users, and the page that says there are no more

    def make_site(self) -> Site:
        return CariumSite()


class TestCariumThatCutsPages(ReadsContract):
    """It gives shorter pages than it is asked for, and tells how many there are."""

    feed_repeats = True
    quiet_calls = 4

    def make_site(self) -> Site:
        site = CariumSite(page=1000)
        site.model.page_max, site.model.page_total = 2, True
        return site
