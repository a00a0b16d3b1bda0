"""The twin keeps the contract too: what the sync's stories prove with it holds for the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import RetryLater
from daemon.platforms.base import Create, Lost, OptOut, Refused, Stored, Update
from mappings.load import load
from tests.contract.sites import Site, TwinSite
from tests.contract.suite import ComparesAndSwaps, ConnectorContract, TakesTagsOff
from tests.twin import FULL, MAPPING, TwinConnector, TwinPlatform, without


class TestTwin(ComparesAndSwaps, TakesTagsOff):
    def make_site(self) -> Site:
        return TwinSite()


class TestTwinThatIsLimited(ConnectorContract):
    """No compare-and-swap, no taking off of tags, no log: like the poorest of the platforms."""

    feed_repeats = True

    def make_site(self) -> Site:
        poor = without(FULL, compare_and_swap=False, remove_tags=False, batch=1, fetch=1)
        return TwinSite(capabilities=poor, feed_is_sweep=True)

    quiet_calls = 3


def test_the_twin_counts_what_a_bad_client_does() -> None:
    """Else a story could end well by accident."""
    site = TwinPlatform(capabilities=without(FULL, remove_tags=False))
    twin = TwinConnector(site)
    no = site.add(phone="+12025550101", sms=False)
    outcomes = [
        site.take(Create(1, {}, "+12025550101", None, subscribed=frozenset({"sms"}))),
        *twin.push([Update(2, no, None, {"city": "x"}), Update(3, no, "1", {"opt_in": {"sms": True}})]),
        *twin.push([Update(4, no, "1", {}, remove_tags=("a",)), OptOut(4, no, "sms")]),
    ]
    assert [type(outcome) for outcome in outcomes] == [Stored, Lost, Refused, Refused, Stored]
    assert site.harm == {
        "duplicate created": 1,
        "resubscribed": 1,
        "blind update": 1,
        "consent in an ordinary write": 1,
        "asked for what it cannot do": 2,
        "one ref twice": 1,
    }
    assert site.rows[no]["opt_in"]["sms"] is False
    assert site.idle_writes == 1


def test_the_twin_counts_writes_to_what_was_not_read() -> None:
    site = TwinPlatform(capabilities=without(FULL, compare_and_swap=False))
    twin = TwinConnector(site)
    id_ = site.add(city="London")
    (record,) = twin.fetch([id_])
    site.before_push = lambda push: site.edit(id_, city="Turin")
    list(twin.push([Update(1, id_, record.version, {"notes": "x"})]))
    assert site.blind_writes == 1
    assert [type(push) for push in site.writes] == [Update]


def test_the_twins_faults_come_when_they_are_set() -> None:
    site = TwinPlatform()
    twin = TwinConnector(site)
    site.fail("later", on="fetch")
    site.fail(KeyboardInterrupt(), on="any")
    assert not list(twin.push([]))
    with pytest.raises(RetryLater):
        list(twin.fetch(["1"]))
    with pytest.raises(KeyboardInterrupt):
        list(twin.fetch(["1"]))
    assert not list(twin.fetch(["1"]))


def test_the_twin_can_tidy_what_it_is_given() -> None:
    site = TwinPlatform(tidy=lambda wire: {**wire, "city": (wire["city"] or "").upper() or None})
    id_ = site.add(city="london")
    assert site.wires()[id_]["city"] == "LONDON"
    site.edit(id_, city="turin")
    assert site.wires()[id_]["city"] == "TURIN"


def test_the_twins_mapping_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "twin.yaml"
    path.write_text(MAPPING)
    mapping = load(path, platform="twin")
    wire = {"phone": "+12025550101", "city": None, "tags": [{"name": "vols"}], "opt_in": {"sms": False}}
    view = mapping.read(wire).view
    assert (view["phone"], view["tags"], view["consent.sms"]) == ("+12025550101", ["vols"], "unsubscribed")
    assert mapping.write({"city": "Turin", "phone": None}).wire == {"city": "Turin", "phone": None}
