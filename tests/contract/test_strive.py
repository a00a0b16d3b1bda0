"""Strive keeps the contract, over real HTTP, whichever way its feed is found."""

from __future__ import annotations

from tests.contract.sites import Site, StriveSite
from tests.contract.suite import ComparesAndSwaps


class TestStrive(ComparesAndSwaps):
    def make_site(self) -> Site:
        return StriveSite()


class TestStriveWithTheOtherLog(ComparesAndSwaps):
    def make_site(self) -> Site:
        site = StriveSite()
        site.model.change_log = "member_change_log"
        return site


class TestStriveWithoutALog(ComparesAndSwaps):
    quiet_calls = 3  # the overlap comes again, and fills a page of three

    def make_site(self) -> Site:
        site = StriveSite()
        site.model.change_log = None
        return site


class TestStriveThatCutsPages(ComparesAndSwaps):
    def make_site(self) -> Site:
        site = StriveSite()
        site.model.max_rows = 2
        return site
