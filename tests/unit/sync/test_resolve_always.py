"""What must never happen when it is decided who is meant, whoever asks."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from daemon.sync.resolve import Ambiguous, Candidate, Join, Known, New, identifiers, joinable, name_of
from mappings.contact import View, full_names_compatible
from tests.unit.sync.asked import E1, E2, P1, P2, ask, contact, record

_KEYS = st.sampled_from([P1, E1, "7", P2, E2, "8"])
_NAMES = st.sampled_from(["Ann Smith", "Bob Jones", None, "A. Smith", "Ann Smith Jones"])
_AT = st.sampled_from(["strive", "action", "boss", "telerivet"])
_CANDIDATES = st.lists(st.tuples(_NAMES, st.sets(_KEYS, min_size=1, max_size=3), _AT), max_size=3).map(
    lambda rows: [contact(n, name, *held, at=(at,)) for n, (name, held, at) in enumerate(rows, start=1)]
)
_often = settings(max_examples=400)  # what must not happen needs several things to come together


@st.composite
def _records(draw: st.DrawFn) -> View:
    pick: Any = lambda *of: draw(st.sampled_from([None, *of]))  # noqa: E731 - three of a kind, side by side
    return record(draw(_NAMES), pick(P1, P2), pick(E1, E2), pick("7", "8"))


@_often
@given(view=_records(), known=_CANDIDATES)
def test_named_strangers_never_become_one(view: View, known: list[Candidate]) -> None:
    """Whatever identifiers they share: without a person's verdict the names must be compatible."""
    decision = ask(view, *known)
    by_id = {c.id: c for c in known}
    event(type(decision).__name__)
    if isinstance(decision, Known):
        assert full_names_compatible(name_of(view), by_id[decision.contact].name)
    if isinstance(decision, Join):
        names = [name_of(view), by_id[decision.keep].name, by_id[decision.drop].name]
        assert all(full_names_compatible(a, b) for a in names for b in names)


@_often
@given(
    names=st.tuples(_NAMES, _NAMES, _NAMES),
    at=st.tuples(_AT, _AT),
    ids=st.tuples(*[st.sampled_from(["", "7", "8"])] * 2),
)
def test_two_become_one_only_if_all_three_names_agree(
    names: tuple[str | None, str | None, str | None], at: tuple[str, str], ids: tuple[str, str]
) -> None:
    """... and their records are at different connections, neither of them here, and no id contradicts."""
    one = contact(1, names[1], P1, *filter(None, ids[:1]), at=at[:1])
    other = contact(2, names[2], E1, *filter(None, ids[1:]), at=at[1:])
    decision = ask(record(names[0], P1, E1), one, other)
    agree = all(full_names_compatible(a, b) for a in names for b in names)
    apart = at[0] != at[1] and "telerivet" not in at
    one_id = "" in ids or ids[0] == ids[1]
    assert decision == (Join(1, 2) if agree and apart and one_id else Ambiguous("two_people", (1, 2)))


@_often
@given(view=_records(), known=_CANDIDATES)
def test_nobody_gets_a_second_record_here_nor_is_matched_by_nothing(view: View, known: list[Candidate]) -> None:
    decision = ask(view, *known)
    by_id = {c.id: c for c in known}
    for number in {"Known": "contact", "Join": "keep drop"}.get(type(decision).__name__, "").split():
        chosen = by_id[getattr(decision, number)]
        assert "telerivet" not in chosen.connections
        assert chosen.identifiers & identifiers(view)


@given(view=_records(), known=_CANDIDATES)
def test_whoever_shares_an_identifier_is_new_to_nobody(view: View, known: list[Candidate]) -> None:
    """A record is made a new person only if no identifier matches: anything else would be a silent duplicate."""
    shared = any(c.identifiers & identifiers(view) for c in known)
    assert isinstance(ask(view, *known), New) is not shared


@given(view=_records(), known=_CANDIDATES, order=st.randoms())
def test_the_order_of_the_contacts_does_not_matter(view: View, known: list[Candidate], order: Any) -> None:
    mixed = list(known)
    order.shuffle(mixed)
    assert ask(view, *mixed) == ask(view, *known)


@given(view=_records(), known=_CANDIDATES, verdict=st.sampled_from(["same", "different"]))
def test_a_verdict_is_final(view: View, known: list[Candidate], verdict: str) -> None:
    assume(known)
    decision = ask(view, *known, verdicts={1: verdict})
    if verdict == "same":
        assert decision == Known(1)
    else:
        assert decision == ask(view, *known[1:])


@given(one=_CANDIDATES.filter(bool), other=_CANDIDATES.filter(bool))
def test_joinable_is_symmetric(one: list[Candidate], other: list[Candidate]) -> None:
    assert joinable(one[0], other[-1]) is joinable(other[-1], one[0])
