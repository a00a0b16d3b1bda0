"""What holds for every record and every contact, not only for those we thought of."""

from __future__ import annotations

import datetime as dt
import importlib.resources
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.check import round_trip
from mappings.contact import CONSENT, CONSENT_STATES, SETS, text
from mappings.load import load, preset, presets
from mappings.mapping import Mapping

EVERYTHING = """\
platform: strive
region: US
fields:
  phone: {at: phone, format: digits}
  email: mail
  given_name: a.b.c
  city: {at: city, map: {en: [English, Inglés], es: true, pt: 3}, default: same}
  region: {at: state, transform: [us_state]}
  street: {at: street, transform: [squeeze, upper], max: 40}
  country: {select: "address.country || join('-', names)"}
  birth_date: {at: born, as: date, format: "%d.%m.%Y"}
  custom.n: {at: custom.n, as: number, missing: blank}
  custom.i: {at: custom.i, as: integer}
  custom.b: {at: custom.b, as: boolean}
  other_phones: phones
  other_emails: "mails[].address"
tags: {at: "groups[].name", rename: {vols: volunteer}}
consent: {sms: {at: opt_in, map: {true: subscribed, false: unsubscribed, null: unknown}}}
"""


def _everything() -> Mapping:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "m.yaml"
        file.write_text(EVERYTHING, encoding="utf-8")
        return load(file, platform="strive")


MAPPINGS = [_everything(), *(preset(name) for name in presets())]
KEYS = sorted({key for m in MAPPINGS for rule in m.spec.rules for key in rule.keys} | {"groups", "opt_in", "names"})

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["+12025550123", "202-555-0123", "ada@example.org", "01.02.1990", "12.50", "English", "yes"]),
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*KEYS, "name", "address"]), inner, max_size=4),
    ),
    max_leaves=12,
)
_RECORDS = st.dictionaries(st.sampled_from(KEYS), _JSON, max_size=8)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=["everything", *presets()])
@given(wire=_RECORDS)
def test_reading_never_fails_and_always_yields_canonical_values(mapping: Mapping, wire: dict[str, Any]) -> None:
    reading = mapping.read(wire)
    assert reading.view.keys() <= mapping.readable
    assert reading.view.keys().isdisjoint(problem.field for problem in reading.problems)
    for name, value in reading.view.items():
        if name in SETS:
            assert isinstance(value, list)
            assert value == sorted(set(value))
            assert all(text(each) == each for each in value)
        elif name in CONSENT:
            assert value in CONSENT_STATES
        else:
            assert value is None or (isinstance(value, str) and text(value) == value)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=["everything", *presets()])
@given(wire=_RECORDS)
def test_what_was_read_can_be_written_and_reads_the_same(mapping: Mapping, wire: dict[str, Any]) -> None:
    """So a receipt says what the feed said, and a quiet run stays quiet."""
    view = mapping.read(wire).view
    writing = mapping.write(view)
    orjson.dumps(writing.wire)
    refused = {problem.field for problem in writing.problems}
    assert refused <= {"custom.n", "custom.i", "street"}  # too large for JSON, too long for the platform
    back = mapping.read(writing.wire)
    assert back.problems == ()
    for name, value in back.view.items():
        if name in view and name != "custom.n":  # floats hold 15 digits, decimal text any number
            assert value == view[name]


_SPOKEN = st.text(max_size=12).map(text)
_MORE_EMAILS = st.lists(st.sampled_from(["a@example.org", "B@example.org"]), unique=True)
_VIEWS = st.fixed_dictionaries(
    {},
    optional={
        "phone": st.sampled_from([None, "+12025550123", "+27825550123"]),
        "email": st.sampled_from([None, "Ada@example.org", "jörg@xn--mnchen-3ya.example.com"]),
        "given_name": _SPOKEN,
        "region": st.sampled_from([None, "GA", "IL", "Bavaria"]),
        "birth_date": st.dates(min_value=dt.date(1000, 1, 1)).map(str),
        "custom.n": st.one_of(st.none(), st.integers(-(10**14), 10**14).map(str), st.just("12.5")),
        "custom.i": st.one_of(st.none(), st.integers(-(2**62), 2**62).map(str)),
        "custom.b": st.sampled_from([None, "true", "false"]),
        "other_phones": st.lists(st.sampled_from(["+12025550123", "+12025550124"]), unique=True).map(sorted),
        "other_emails": st.lists(st.sampled_from(["a@example.org", "B@example.org"]), unique=True).map(sorted),
    },
)


@given(view=_VIEWS)
def test_what_inverts_comes_back_as_it_went(view: dict[str, Any]) -> None:
    mapping = MAPPINGS[0]
    assert round_trip(mapping, view) == {}
    writing = mapping.write(view)
    assert writing.problems == ()
    assert {name: v for name, v in mapping.read(writing.wire).view.items() if name in view} == view


@given(view=_VIEWS)
def test_exactly_what_was_given_is_written(view: dict[str, Any]) -> None:
    """A key we were not given is not on the wire: missing stays missing, so that nothing is blanked by silence."""
    written = MAPPINGS[0].write(view).wire
    top = {"phone": "phone", "email": "mail", "given_name": "a", "region": "state", "birth_date": "born"}
    top |= {"other_phones": "phones", "other_emails": "mails"}
    expected = {top.get(name, "custom") for name in view}
    assert written.keys() == expected
    assert written.get("custom", {}).keys() == {name[-1] for name in view if name.startswith("custom.")}


def test_the_presets_are_in_the_package() -> None:
    folder = importlib.resources.files("mappings") / "presets"
    assert {f"{name}.yaml" for name in presets()} <= {file.name for file in folder.iterdir()}
    assert {"strive", "telerivet"} <= set(presets())
