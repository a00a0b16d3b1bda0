"""Phones and emails: one spelling each, and those that say nothing."""

from __future__ import annotations

import unicodedata

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from mappings.contact import email, email_key, is_placeholder, is_role, phone


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("+12025550123", "US", "+12025550123"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("202.555.0123 ext. 5", "US", "+12025550123"),
        ("1-202-555-0123", "US", "+12025550123"),
        ("\uff0b12025550123", None, "+12025550123"),
        ("+①②025550123", None, "+12025550123"),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("0000000", "ZA", None),
        ("082 555 0123", "ZA", "+27825550123"),
        ("555-0123", "US", None),
        ("2025550123", None, None),
        ("2025550123 or 2025550124", "US", None),
        ("", "US", None),
        ("none", "US", None),
        ("\0", "US", None),
    ],
)
def test_a_phone_is_e164_or_none(raw: str, region: str | None, e164: str | None) -> None:
    assert phone(raw, region) == e164


def _by_the_library(raw: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", raw), region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@given(st.from_regex(r"\+1[0-9]{9,11}\n?", fullmatch=True), st.sampled_from(["US", "CA", "ZA", "GB", None]))
def test_the_short_cut_for_north_america_says_what_the_library_says(raw: str, region: str | None) -> None:
    assert phone(raw, region) == _by_the_library(raw, region)


@given(st.text("+0123456789 ()-.extABC\u0661", max_size=20), st.sampled_from(["US", "ZA", "IT", None]))
def test_a_phone_stays_what_it_is(raw: str, region: str | None) -> None:
    once = phone(raw, region)
    assert once is None or phone(once, region) == once


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (" Ada.Lovelace@Example.ORG ", "Ada.Lovelace@example.org"),
        ("ada+news@example.org", "ada+news@example.org"),
        ("ada@münchen.example.com", "ada@xn--mnchen-3ya.example.com"),
        ("jörg@example.org", "jörg@example.org"),
        ("Info@example.org", "info@example.org"),  # one of the mailboxes RFC 2142 spells in lower case
        ("ada@example", None),
        ("ada@localhost", None),
        ("ada example.org", None),
        ("a@b@example.org", None),
        ("", None),
    ],
)
def test_an_email_keeps_its_spelling_and_has_an_ascii_domain(raw: str, stored: str | None) -> None:
    assert email(raw) == stored


_EMAILS = st.one_of(
    st.emails(),
    st.from_regex(r"[A-Za-z0-9_.+-]{1,12}@[A-Za-z0-9.-]{1,15}\.(com|org|test|uk|c)", fullmatch=True),
)


@given(_EMAILS)
def test_the_short_cut_for_plain_emails_says_what_the_library_says(raw: str) -> None:
    try:
        found = validate_email(raw, check_deliverability=False)
    except EmailNotValidError:
        assert email(raw) is None
    else:
        assert email(raw) == f"{found.local_part}@{found.ascii_domain.lower()}"


@given(_EMAILS)
def test_an_email_stays_what_it_is(raw: str) -> None:
    once = email(raw)
    assert once is None or email(once) == once


def test_emails_match_without_regard_to_case() -> None:
    assert email_key("Ada@example.org") == email_key("ADA@example.org") == "ada@example.org"


@pytest.mark.parametrize(
    "value", ["+10000000000", "+11111111111", "+19999999999", "+12020000000", "+11234567890", "+12125551212"]
)
def test_a_phone_typed_to_please_a_form_is_a_placeholder(value: str) -> None:
    assert is_placeholder("phone", value)


@pytest.mark.parametrize("value", ["+12025550123", "+12025555555", "+27825550123", "+18005550199"])
def test_a_real_phone_is_no_placeholder(value: str) -> None:
    assert not is_placeholder("phone", value)


@pytest.mark.parametrize(
    "value",
    ["none@example.org", "No-Email@example.org", "test@example.com", "test123@example.com", "x@noemail.com"],
)
def test_an_email_typed_to_please_a_form_is_a_placeholder(value: str) -> None:
    assert is_placeholder("email", value)


@pytest.mark.parametrize("value", ["nona@example.org", "testa.rossa@example.org", "ada@nonesuch.com"])
def test_a_real_email_is_no_placeholder(value: str) -> None:
    assert not is_placeholder("email", value)


def test_only_phones_and_emails_can_be_placeholders() -> None:
    with pytest.raises(ValueError, match="no such kind"):
        is_placeholder("name", "none")


@pytest.mark.parametrize("value", ["info@example.org", "Front-Desk@example.org", "support+42@example.org"])
def test_an_office_has_a_role_address(value: str) -> None:
    assert is_role(value)


def test_a_person_has_no_role_address() -> None:
    assert not is_role("infanta@example.org")
