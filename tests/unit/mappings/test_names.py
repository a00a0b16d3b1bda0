"""Names: who may be the same, and one field into two and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.contact import (
    fold,
    full_names_compatible,
    join_name,
    name_tokens,
    names_compatible,
    split_name,
    text,
    worst,
)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("J. Smith", "Jane Smith"),
        ("José García", "Jose Garcia"),
        ("JANE SMITH", "jane smith"),
        ("Jane", "Jane Smith"),
        ("Smith", "Jane Smith"),
        ("Jane A. Smith", "Jane Anne Smith"),
        ("Smith, Jane", "Jane Smith"),
        ("Dr. Jane Smith", "Mrs Jane Smith"),
        ("Mary-Ann Lee", "Maryann Lee"),
        ("Łukasz Żółć", "Lukasz Zolc"),
        ("Sean O’Brien", "Sean O'Brien"),
        ("", "Jane Smith"),
        (None, None),
        ("???", "Jane"),
    ],
)
def test_compatible_names(a: str | None, b: str | None) -> None:
    assert full_names_compatible(a, b)
    assert full_names_compatible(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Ann Smith", "Bob Smith"),
        ("Robert", "Bob"),
        ("John Smith Jr.", "John Smith Sr."),
        ("J. Smith", "Ann Smith"),
        ("Ann Ann", "Ann Smith"),
        ("Jane Smith", "Jane Jones"),
    ],
)
def test_incompatible_names(a: str, b: str) -> None:
    assert not full_names_compatible(a, b)
    assert not full_names_compatible(b, a)


def test_names_in_two_parts() -> None:
    assert names_compatible("Jane", None, "Jane", "Smith")
    assert names_compatible("Jane", "Smith", "Smith", "Jane")  # typed into the wrong boxes
    assert names_compatible("Ann Marie", "Smith", "Ann", "Smith Jones")
    assert names_compatible(None, None, "Jane", "Smith")
    assert not names_compatible("Ann", "Smith", "Bob", "Smith")


def test_courtesy_titles_are_no_part_of_a_name_unless_they_are_all_of_it() -> None:
    assert name_tokens("Dr. José O'Brien-Cruz") == ["jose", "obrien", "cruz"]
    assert name_tokens("Hon") == ["hon"]


@pytest.mark.parametrize(
    ("full", "given_name", "family"),
    [
        ("Jane Smith", "Jane", "Smith"),
        ("Jane", "Jane", None),
        ("Mary Ann Smith", "Mary Ann", "Smith"),
        ("Maria de la Cruz", "Maria", "de la Cruz"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Van Morrison", "Van", "Morrison"),
        ("Omar bin Said", "Omar", "bin Said"),
        ("João dos Santos", "João", "dos Santos"),
        ("John Smith Jr.", "John", "Smith Jr."),
        ("John Jr", "John", "Jr"),
        ("Smith, Jane A.", "Jane A.", "Smith"),
        ("Jane Smith, MD", "Jane Smith,", "MD"),
        ("", None, None),
        (None, None, None),
        ("  ", None, None),
    ],
)
def test_a_name_is_cut_where_names_usually_are(full: str, given_name: str, family: str) -> None:
    assert split_name(full) == (given_name, family)


def test_the_names_known_so_far_guide_the_cut() -> None:
    assert split_name("Jane Doe Roe", "Jane", "Smith") == ("Jane", "Doe Roe")
    assert split_name("Mary Jane García Lopez", None, "Garcia Lopez") == ("Mary Jane", "García Lopez")
    assert split_name("Mary Ann Smith", "Mary", "Smith") == ("Mary Ann", "Smith")
    assert split_name("Jane", "Jane", "Smith") == ("Jane", None)
    assert split_name("Smith", "Jane", "Smith") == ("Smith", None)


_NAMES = st.text("ab cdÉ'-. \t", max_size=20)


@given(_NAMES, _NAMES, _NAMES)
def test_what_was_split_joins_to_what_it_was(full: str, given_name: str, family: str) -> None:
    assert join_name(*split_name(full, given_name, family)) == (" ".join(full.split()) or None)


@given(_NAMES, _NAMES)
def test_what_was_joined_splits_to_what_it_was(given_name: str, family: str) -> None:
    """So a name that comes back as it was sent moves nothing, in whichever way it is cut elsewhere."""
    parts = (" ".join(given_name.split()) or None, " ".join(family.split()) or None)
    if parts[0] is not None:
        assert split_name(join_name(*parts), *parts) == parts


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  Ada  ", "Ada"),
        ("a\r\nb\nc", "a\nb\nc"),
        ("e\u0301", "é"),
        ("a\0b", "ab"),
        ("a\ud800b", "ab"),
        (" \0 ", None),
        ("", None),
        ("\u00a0", None),
    ],
)
def test_text_is_kept_in_one_spelling(raw: str, kept: str | None) -> None:
    assert text(raw) == kept


@given(st.text(st.characters(categories=["L", "M", "Z", "Cc", "Cs"])))
def test_text_stays_what_it_is(raw: str) -> None:
    once = text(raw)
    assert once is None or text(once) == once
    if once is not None:
        once.encode()


@given(st.text())
def test_folding_twice_is_folding_once(raw: str) -> None:
    assert fold(fold(raw)) == fold(raw)


def test_the_worst_consent_wins() -> None:
    assert worst("subscribed", "unsubscribed", "undeliverable") == "unsubscribed"
    assert worst("subscribed", "undeliverable") == "undeliverable"
    assert worst("unknown", "subscribed") == "subscribed"
    assert worst() == "unknown"
