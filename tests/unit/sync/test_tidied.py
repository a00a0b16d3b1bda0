"""What a platform may make of what it is given without anybody having edited it."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from daemon.sync.merge import tidied
from mappings.contact import Value


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (None, None),
        ("Macon", "MACON"),
        ("Ann@Example.org", "ann@example.org"),
        ("12  Main Street", "12 Main Street"),
        ("José Ñandú", "Jose Nandu"),
        ("Łukasz Straße", "Lukasz Strasse"),
        ("cafe\u0301", "caf\u00e9"),
        ("a note that is far too long", "a note that is far"),
        (["Vols", "São Paulo"], ["sao paulo", "vols"]),
        ([], []),
    ],
)
def test_tidied(sent: Value, got: Value) -> None:
    assert tidied(sent, got)


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("Macon", "Atlanta"),
        ("Macon", None),
        (None, "Macon"),
        ("Macon", ""),
        ("Macon, Georgia", "Macon"),  # too short to be a cut
        ("Macon, Ge", "Macon, Georgia"),  # longer is no cut
        ("a note that is far", "note that is far"),
        ("1.5", "15"),
        ("-5", "5"),
        ("12345678.5", "12345678"),
        ("2020-01-11", "2020-01-1"),
        ("a.b@example.org", "ab@example.org"),
        ("annabelle@example.org.uk", "annabelle@example.org"),
        ("+442079460123", "+44207946012"),
        ("C++", "C"),
        ("!!!", "???"),
        (["a", "b"], ["a"]),
        (["a"], ["a", "b"]),
        (["C++"], ["C"]),
        (["a"], "a"),
        ([], None),
    ],
)
def test_not_tidied(sent: Value, got: Value) -> None:
    """Somebody's edit: to take it for ours would be to lose it."""
    assert not tidied(sent, got)


_PLAIN = st.text(string.ascii_lowercase + string.digits + "+-.@_/#", min_size=1, max_size=20)
_WORDS = st.text(string.ascii_letters + " ", min_size=1, max_size=30)


@given(sent=_PLAIN, got=_PLAIN)
def test_never_for_clearly_different_values(sent: str, got: str) -> None:
    """Nothing here has case, spaces or accents: only a cut can be tidiness."""
    assume(sent != got and not sent.startswith(got))
    assert not tidied(sent, got)


@given(sent=_PLAIN, cut=st.integers(1, 19))
def test_a_cut_leaves_at_least_eight_letters_and_is_of_words(sent: str, cut: int) -> None:
    got = sent[:cut]
    assume(got != sent)
    if tidied(sent, got):
        assert len(got) >= 8
        assert "@" not in sent
        assert any(c.isalpha() for c in sent)


@given(value=_WORDS)
def test_always_for_other_case_spacing_and_accents(value: str) -> None:
    accented = unicodedata.normalize("NFC", "".join(c + "\u0301" if c in "aeiou" else c for c in value))
    for made in (value.upper(), value.lower(), " ".join(value.split()), accented):
        assert tidied(value, made)
        assert tidied(made, value)
