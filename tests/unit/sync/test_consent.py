"""Consent: a "no" is never lost nor undone, and an echo of our own is nobody's word."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.sync import consent
from daemon.sync.consent import CHANNELS, NO
from mappings.contact import CONSENT_STATES, View, worst
from state.model import Link

STATES = CONSENT_STATES
RANK = {state: rank for rank, state in enumerate(STATES)}

_states = st.sampled_from(STATES)


@st.composite
def _links(draw: st.DrawFn) -> Link:
    state = draw(st.sampled_from(["linked", "linked", "linked", "held", "vanished", "failed", "out_of_scope"]))
    seen: View = draw(st.fixed_dictionaries({}, optional={f"consent.{c}": _states | st.none() for c in CHANNELS}))
    told = draw(st.sets(st.sampled_from(CHANNELS)))
    return Link(draw(st.sampled_from(["strive", "telerivet"])), "1", state, 1, seen, told=sorted(told))


def link(state: str | None, *, told: bool = False, where: str = "strive", kept: str = "linked") -> Link:
    return Link(where, "1", kept, 1, {"consent.sms": state}, told=["sms"] if told else [])


# the lattice


def test_the_states_from_the_least_to_the_most_restrictive() -> None:
    assert STATES == ("unknown", "subscribed", "undeliverable", "unsubscribed")
    assert worst() == "unknown"


@pytest.mark.parametrize(("a", "b", "c"), list(itertools.product(STATES, repeat=3)))
def test_worst_is_a_join(a: str, b: str, c: str) -> None:
    """So neither the order in which connections report matters, nor how often."""
    assert worst(a, worst(b, c)) == worst(worst(a, b), c) == worst(a, b, c)
    assert worst(a, b) == worst(b, a)
    assert worst(a, a) == a
    assert worst(a, "unknown") == a
    assert worst(a, NO) == NO


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATES, repeat=2)))
def test_a_downward_move_is_one_to_something_more_restrictive(before: str, after: str) -> None:
    assert consent.lower(before, after) is (worst(before, after) == after != before)


# what a side reports


@pytest.mark.parametrize(
    ("said", "told", "report"),
    [
        ("unsubscribed", False, "unsubscribed"),
        ("unsubscribed", True, "unknown"),  # the echo of ours
        ("undeliverable", True, "undeliverable"),  # that we did not write
        ("subscribed", True, "subscribed"),
        ("subscribed", False, "subscribed"),
        ("undeliverable", False, "undeliverable"),
        (None, False, "unknown"),
    ],
)
def test_what_a_side_reports_of_its_own_accord(said: str | None, told: bool, report: str) -> None:
    assert consent.report(link(said, told=told), "sms") == report
    assert consent.report(link(said, told=told), "email") == "unknown"


def test_an_echo_on_one_channel_is_none_on_the_other() -> None:
    both = Link("strive", "1", "linked", 1, {"consent.sms": NO, "consent.email": NO}, told=["sms"])
    assert consent.nos(both) == {"email": NO}


@pytest.mark.parametrize(
    ("links", "suppressed", "effective"),
    [
        ([], [], ("unknown", "")),
        ([link("subscribed")], [], ("subscribed", "strive")),
        ([link("subscribed"), link(NO, where="telerivet")], [], (NO, "telerivet")),
        ([link("subscribed"), link(NO, told=True, where="telerivet")], [], ("subscribed", "strive")),
        ([link(NO, told=True)], [], ("unknown", "strive")),
        ([link("undeliverable"), link("subscribed", where="telerivet")], [], ("undeliverable", "strive")),
        ([link("subscribed")], [NO], (NO, "")),  # said by a record that belongs to nobody now
        ([link(NO)], ["undeliverable"], (NO, "strive")),
        ([link(NO, kept="held"), link("subscribed", where="telerivet")], [], ("subscribed", "telerivet")),
        ([link(NO, kept="vanished")], [], ("unknown", "")),  # its "no" is kept as a suppression
    ],
)
def test_the_effective_state(links: list[Link], suppressed: list[str], effective: tuple[str, str]) -> None:
    assert consent.effective(links, "sms", suppressed) == effective


@given(
    links=st.lists(_links(), max_size=5), suppressed=st.lists(_states, max_size=3), channel=st.sampled_from(CHANNELS)
)
def test_the_effective_state_is_never_less_restrictive_than_any_own_report(
    links: list[Link], suppressed: list[str], channel: consent.Channel
) -> None:
    state, where = consent.effective(links, channel, suppressed)
    own = [each.seen.get(f"consent.{channel}") for each in links if each.state == "linked" and channel not in each.told]
    for said in [*own, *suppressed]:
        assert said is None or RANK[state] >= RANK[str(said)]
    if where:
        assert any(each.connection == where and consent.report(each, channel) == state for each in links)


@given(links=st.lists(_links(), max_size=4), more=_links(), suppressed=st.lists(_states, max_size=2))
def test_one_more_record_never_makes_it_less_restrictive(links: list[Link], more: Link, suppressed: list[str]) -> None:
    before, _ = consent.effective(links, "sms", suppressed)
    after, _ = consent.effective([*links, more], "sms", suppressed)
    assert RANK[after] >= RANK[before]


@given(links=st.lists(_links(), max_size=4), suppressed=st.lists(_states, max_size=2), order=st.randoms())
def test_the_order_of_the_records_does_not_matter(links: list[Link], suppressed: list[str], order: object) -> None:
    assert consent.effective(links, "sms", suppressed)[0] == consent.effective(links[::-1], "sms", suppressed[::-1])[0]


@given(state=_states, telling=_links())
def test_telling_a_side_our_no_does_not_make_it_a_second_reporter(state: str, telling: Link) -> None:
    """Somebody says no and takes it back, there: our echo elsewhere must not hold them to it."""
    telling.seen["consent.sms"], telling.told = NO, ["sms"]
    sayer = link(state)
    assert consent.effective([sayer, telling], "sms", ())[0] == consent.effective([sayer], "sms", ())[0]


# moves


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATES, repeat=2)))
def test_a_no_is_lifted_by_a_yes_or_by_forgetting(before: str, after: str) -> None:
    assert consent.lifted(before, after) is (before == NO and after in ("subscribed", "unknown"))


@pytest.mark.parametrize(("before", "now", "echo"), list(itertools.product([None, *STATES], STATES, [False, True])))
def test_a_number_found_dead_does_not_take_back_its_owner_s_no(before: str | None, now: str, echo: bool) -> None:
    """Else a "no" could be laundered: unsubscribed, undeliverable, subscribed."""
    kept = before == NO and now == "undeliverable" and not echo
    assert consent.believed(before, now, echo=echo) == (NO if kept else now)


def test_a_no_is_there_already_whoever_said_it() -> None:
    assert consent.says_no(link(NO), "sms")
    assert consent.says_no(link(NO, told=True), "sms")
    assert not consent.says_no(link("undeliverable"), "sms")
    assert not consent.says_no(link(NO), "email")


@pytest.mark.parametrize("state", STATES)
def test_what_must_outlive_a_record(state: str) -> None:
    outlives = state in (NO, "undeliverable")
    assert consent.nos(link(state)) == ({"sms": state} if outlives else {})
    assert consent.nos(link(NO, told=True)) == {}


def test_each_channel_reaches_one_kind_of_identifier() -> None:
    assert consent.KIND.keys() == set(CHANNELS)
    assert [consent.field(channel) for channel in CHANNELS] == ["consent.sms", "consent.email"]
