"""Rules for outreaches: their words, and what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.errors import MappingError
from mappings.load import load, preset
from mappings.outreach import OutreachRule, When, template

RULES = """\
preset: strive
outreach:
  - name: wrote_letter
    when: {tag: " Wrote letter "}
    campaign: F77E736B-d295-4e68-96ec-a765090c6523
    target: {title: Senator, given_name: "{custom.senator}"}
    subject: "A letter from {given_name|a friend}"
    message: "{{I}} live in {city}."
    referrer: {source: rosterd}
    add_tags: [advocate]
    remove_tags: [inactive]
  - name: called
    when: {field: custom.calls, is: 3}
    campaign: 00000000-0000-0000-0000-000000000001
    target: {ocdid: "ocd-division/country:us/state:ny/cd:18"}
    duration: "{custom.minutes} minutes"
  - name: joined
    when: {consent: email}
    campaign: 00000000-0000-0000-0000-000000000002
    target: {family_name: Schmoe}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(RULES)
    return path


def rules(file: Path) -> tuple[OutreachRule, ...]:
    return load(file, platform="strive").spec.outreach


def test_rules_are_read_as_written(file: Path) -> None:
    letter, call, joined = rules(file)
    assert (letter.name, letter.when, letter.campaign) == (
        "wrote_letter",
        When("tag", "Wrote letter"),
        "f77e736b-d295-4e68-96ec-a765090c6523",
    )
    assert (letter.referrer, letter.add_tags, letter.remove_tags) == (
        {"source": "rosterd"},
        ("advocate",),
        ("inactive",),
    )
    assert set(letter.words) == {"subject", "message"}
    assert call.when == When("field", "custom.calls", "3")
    assert joined.when == When("consent", "consent.email")
    assert [rule.when.words for rule in (letter, call, joined)] == [
        "tag Wrote letter",
        "custom.calls set to 3",
        "yes to email",
    ]


def test_a_preset_has_no_rules() -> None:
    assert preset("strive").spec.outreach == ()


def test_a_new_rule_is_no_changed_mapping(file: Path) -> None:
    """Nobody is read again for it, and so nothing known becomes news."""
    assert load(file, platform="strive").digest == preset("strive").digest


def test_a_platform_without_campaigns_refuses_the_section(file: Path) -> None:
    with pytest.raises(MappingError, match=r"m\.yaml:2:1: this platform records no outreaches"):
        load(file, platform="strive", outreach=False)


def test_rules_stay_when_the_scope_is_narrowed_or_the_platform_has_lengths(file: Path) -> None:
    mapping = load(file, platform="strive")
    narrowed = mapping.with_where({"field": "city", "eq": "Athens"}, "config").with_lengths({"city": 5})
    assert narrowed.spec.outreach == mapping.spec.outreach


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Dear Senator", "Dear Senator"),
        ("I am {given_name} {family_name}.", "I am Ann ."),
        ("I am {full_name}", "I am Ann"),
        ("{city}", ""),
        ("{city|my town} and { given_name | x }", "my town and Ann"),
        ("{city|}", ""),
        ("{{given_name}} is {given_name}", "{given_name} is Ann"),
        ("{custom.gift}{custom.gone}", "{given_name}"),
        ("  {given_name}\n", "Ann"),
    ],
)
def test_a_template_is_filled_from_the_contact_and_computes_nothing(text: str, filled: str) -> None:
    """A blank field is nothing, or the word after the bar; what a field says is never read as a template."""
    contact = {
        "given_name": "Ann",
        "full_name": "Ann",
        "family_name": None,
        "custom.gift": "{given_name}",
        "tags": ["a"],
    }
    assert template(text).fill(contact) == filled
