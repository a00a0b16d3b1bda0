"""What holds of every merge, not only of those we thought of."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daemon.sync.merge import FLIPS, combine, value_of
from mappings.contact import CONSENT, CONSENT_STATES, SETS, Value, View, worst
from state.model import Entry
from tests.unit.sync.given import PRIORITIES, after, say, values

TEXTS = ("city", "given_name", "family_name", "phone", "custom.x")
POLICIES = ("latest", "priority", "fill", "never")

_words = st.sampled_from(["Ann", "Smith", "van Dyk", "Ann Marie"])
_text = st.none() | _words
_set = st.lists(st.sampled_from("abcde"), unique=True, max_size=4).map(sorted)
_names = st.sampled_from(sorted(PRIORITIES))
_at = st.integers(0, 9).map(float)
_full = st.none() | st.lists(_words, min_size=1, max_size=2).map(" ".join)
_policy = st.sampled_from(POLICIES)


@st.composite
def _entries(draw: st.DrawFn, value: st.SearchStrategy[Any]) -> Entry:
    return Entry(draw(value), draw(_at), draw(_names), "record", draw(_text), draw(st.integers(0, FLIPS)))


@st.composite
def contacts(draw: st.DrawFn) -> dict[str, Entry]:
    fields = {name: draw(_entries(_text)) for name in draw(st.sets(st.sampled_from(TEXTS), min_size=2))}
    if draw(st.booleans()):
        fields["tags"] = draw(_entries(_set))._replace(was=None, flips=0)
    return fields


def _views() -> st.SearchStrategy[View]:
    """A side has either two name fields or one."""
    # Few words and few fields, so that they often meet.
    two: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(TEXTS, _text) | {"tags": _set}
    one = {name: values for name, values in two.items() if not name.endswith("_name")} | {"full_name": _full}
    return st.fixed_dictionaries({}, optional=two) | st.fixed_dictionaries({}, optional=one)


@given(contact=contacts(), view=_views(), by=_names, policy=_policy)
def test_what_one_already_said_changes_nothing(contact: dict[str, Entry], view: View, by: str, policy: str) -> None:
    """Whatever the contact became since: a side that only repeats itself has no say."""
    assert say(contact, view, view, by=by, policy=policy) == say({}, {})


@settings(max_examples=300)
@given(contact=contacts(), view=_views(), by=_names, policy=_policy, at=_at)
def test_first_contact_never_blanks_out(contact: dict[str, Entry], view: View, by: str, policy: str, at: float) -> None:
    """Neither the contact by what the side says, nor the side by what the contact lacks."""
    result = say(contact, view, {}, by=by, policy=policy, at=at)
    merged = after(contact, result)
    for name, entry in contact.items():
        if entry.value not in (None, []):
            assert merged[name].value not in (None, [])
    for name, said in result.lost.items():
        assert said is None or value_of(merged, name) is not None


@given(contact=contacts(), view=_views(), seen=_views(), by=_names, policy=_policy, at=_at)
def test_only_what_was_said_moves(
    contact: dict[str, Entry], view: View, seen: View, by: str, policy: str, at: float
) -> None:
    """Absent, blank and value stay three: an absent field neither moves nor is lost, a blank arrives as a blank."""
    result = say(contact, view, seen, by=by, policy=policy, at=at)
    spoken = set(view) | ({"given_name", "family_name"} if "full_name" in view else set())
    assert result.moved.keys() <= spoken
    assert result.lost.keys() <= set(view)
    for name, entry in result.moved.items():
        if name in view and name not in SETS and name not in result.flipping:
            assert entry.value == view[name]


@given(contact=contacts(), view=_views(), seen=_views(), by=_names, policy=_policy, at=_at)
def test_a_merge_done_twice_is_a_merge_done_once(
    contact: dict[str, Entry], view: View, seen: View, by: str, policy: str, at: float
) -> None:
    """A page that is read again after a crash says the same again: nothing moves a second time."""
    first = say(contact, view, seen, by=by, policy=policy, at=at)
    merged = after(contact, first)
    again = say(merged, view, seen, by=by, policy=policy, at=at)
    assert again.moved == {}
    assert again.tags == {}
    assert again.flipping == {}


@given(contact=contacts(), view=_views(), seen=_views(), by=_names, policy=_policy, at=_at)
def test_a_side_agrees_or_is_owed_or_the_field_is_held_or_only_it_knows(
    contact: dict[str, Entry], view: View, seen: View, by: str, policy: str, at: float
) -> None:
    """Nothing a side changed is dropped in silence."""
    result = say(contact, view, seen, by=by, policy=policy, at=at)
    merged = after(contact, result)
    held = {name for name, entry in merged.items() if entry.flips >= FLIPS}
    held |= {"full_name"} if held & {"given_name", "family_name"} else set()
    for name, value in view.items():
        changed = name not in seen or seen[name] != value
        if name in SETS or not changed or name in result.lost or name in held:
            continue
        known = value_of(merged, name)
        assert known == value or (known is None and value is not None and policy == "never")


_edit = st.fixed_dictionaries({}, optional=dict.fromkeys(TEXTS, _text))


@given(
    contact=st.fixed_dictionaries(dict.fromkeys(TEXTS, _entries(_text))),
    seen=st.fixed_dictionaries(dict.fromkeys(TEXTS, _text)),
    one=_edit,
    other=_edit,
    sides=st.lists(_names, min_size=2, max_size=2, unique=True),
    times=st.tuples(_at, _at),
    policy=st.sampled_from(["latest", "priority"]),
)
def test_two_sides_edits_in_either_order(
    contact: dict[str, Entry],
    seen: View,
    one: View,
    other: View,
    sides: list[str],
    times: tuple[float, float],
    policy: str,
) -> None:
    """Which connection is read first does not matter, as long as edits are later than what they replace.

    (Coming round to what the roster says already is no edit: it moves nothing, not even the time.)
    """
    contact = {name: entry._replace(at=0.0, flips=0, was="?") for name, entry in contact.items()}
    one, other = ({n: v for n, v in edit.items() if contact[n].value != v} for edit in (one, other))

    def both(first: int) -> dict[str, Value]:
        merged = contact
        for place in (first, 1 - first):
            view = (one, other)[place]
            merged = after(merged, say(merged, view, seen, by=sides[place], at=times[place], policy=policy))
        return values(merged)

    assert both(0) == both(1)


@given(current=_set, seen=st.tuples(_set, _set), now=st.tuples(_set, _set))
def test_two_sides_set_changes_commute(
    current: list[str], seen: tuple[list[str], list[str]], now: tuple[list[str], list[str]]
) -> None:
    """Unless one adds the very tag the other removes."""
    added = [set(now[i]) - set(seen[i]) for i in (0, 1)]
    removed = [set(seen[i]) - set(now[i]) for i in (0, 1)]
    assume(not (added[0] & removed[1]) and not (added[1] & removed[0]))
    contact = {"tags": Entry(current, 1.0, "strive", "record")}

    def both(first: int) -> Value:
        merged = contact
        for side in (first, 1 - first):
            merged = after(merged, say(merged, {"tags": now[side]}, {"tags": seen[side]}))
        return merged["tags"].value

    expected = sorted((set(current) | added[0] | added[1]) - removed[0] - removed[1])
    assert both(0) == both(1) == expected


@st.composite
def _with_consent(draw: st.DrawFn) -> dict[str, Entry]:
    fields = draw(contacts())
    for name in draw(st.sets(st.sampled_from(CONSENT))):
        fields[name] = draw(_entries(st.sampled_from(CONSENT_STATES)))
    return fields


@given(ours=_with_consent(), theirs=_with_consent())
def test_combining_loses_no_value_no_tag_and_no_no(ours: dict[str, Entry], theirs: dict[str, Entry]) -> None:
    joined = combine(ours, theirs)
    assert joined.keys() == ours.keys() | theirs.keys()
    for name in joined:
        said = [side[name].value for side in (ours, theirs) if name in side]
        value = joined[name].value
        if name in SETS:
            assert value == sorted({tag for tags in said if isinstance(tags, list) for tag in tags})
        elif name in CONSENT:
            assert value == worst(*(str(state) for state in said))
        else:
            assert value in said
            assert value is not None or set(said) == {None}


@given(contact=_with_consent())
def test_combining_with_oneself_changes_nothing(contact: dict[str, Entry]) -> None:
    assert combine(contact, contact) == contact
    assert combine(contact, {}) == contact
    assert combine({}, contact) == contact
