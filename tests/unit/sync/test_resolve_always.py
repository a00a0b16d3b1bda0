"""What must never happen when it is decided who is meant, whoever asks."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from daemon.sync.resolve import Candidate, Join, Known, New, identifiers, joinable, name_of
from mappings.contact import View, full_names_compatible
from tests.unit.sync.asked import E1, E2, P1, P2, ask, contact, record

_KEYS = st.sampled_from([P1, P2, E1, E2, "7", "8"])
_NAMES = st.sampled_from([None, "Ann Smith", "A. Smith", "Ann", "Bob Jones", "Smith", "Ann Smith Jones"])
_AT = st.sets(st.sampled_from(["strive", "telerivet", "action", "boss"]), max_size=2).map(sorted).map(tuple)
_CANDIDATES = st.lists(st.tuples(_NAMES, st.sets(_KEYS), _AT), max_size=3).map(
    lambda rows: [contact(n, name, *held, at=at) for n, (name, held, at) in enumerate(rows, start=1)]
)


@st.composite
def _records(draw: st.DrawFn) -> View:
    pick: Any = lambda *of: draw(st.sampled_from([None, *of]))  # noqa: E731 - three of a kind, side by side
    return record(draw(_NAMES), pick(P1, P2), pick(E1, E2), pick("7", "8"))


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
