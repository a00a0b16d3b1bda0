"""Telerivet keeps the contract, over real HTTP, by scan and by dynamic group."""

from __future__ import annotations

from tests.contract.sites import Site, TelerivetSite
from tests.contract.suite import TakesTagsOff


class TestTelerivetByScan(TakesTagsOff):
    feed_repeats = True
    quiet_calls = 3

    def make_site(self) -> Site:
        return TelerivetSite("scan")


class TestTelerivetByDynamicGroup(TakesTagsOff):
    feed_repeats = True
    quiet_calls = 3

    def make_site(self) -> Site:
        return TelerivetSite("auto", dynamic_groups=True)
