"""Every broken mapping is refused, with all its mistakes, their places and hints; and so the schema."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mappings import yaml
from mappings.errors import MappingError
from mappings.load import load, preset_text, presets
from mappings.schema import schema


def _table() -> Any:
    """The table beside this file; the tests are no package, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("bad_mappings", Path(__file__).with_name("bad_mappings.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BAD


BAD = _table()
VALIDATOR = jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_broken_mapping_is_refused_with_all_its_mistakes(bad: Any, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(bad.text, encoding="utf-8")
    with pytest.raises(MappingError) as refusal:
        load(file, platform="strive")
    assert [line.removeprefix(f"{file}:") for line in refusal.value.problems] == bad.says


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_the_schema_refuses_what_the_loader_refuses_by_its_shape(bad: Any) -> None:
    value = yaml.load(bad.text, "m.yaml").value
    assert VALIDATOR.is_valid(value) is not bad.schema_sees_it


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(BAD) >= 60
    assert sum(bad.schema_sees_it for bad in BAD) >= 40


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", presets())
def test_presets_satisfy_the_schema(name: str) -> None:
    document = yaml.load(preset_text(name), name)
    assert document.problems == ()
    VALIDATOR.validate(document.value)


GOOD = """\
preset: strive
region: US
fields:
  given_name: first_name
  email: {at: email, policy: fill}
  notes: off
  country: {select: "custom.country || 'US'", policy: never}
  custom.gift: {at: custom.donation_amount, direction: in, as: number}
  language: {at: custom.lang, map: {en: [English, Inglés], es: Spanish}, default: same}
  birth_date: {at: custom.born, as: date, format: "%m/%d/%Y", max: 10, missing: blank}
  other_emails: {at: "custom.emails[].address", policy: union}
tags: {at: "groups[].name", only: ["volunteer", "Chapter: *"], rename: {vols: volunteer}}
consent: {sms: {at: opt_in, map: {true: subscribed, false: unsubscribed, null: unknown}}, email: off}
where:
  all:
    - {field: region, in: [GA, IL]}
    - {not: {tag: inactive}}
    - any: [{field: phone, prefix: "+1"}, {field: consent.sms, eq: subscribed}, {field: email, exists: true}]
"""


def test_loader_and_schema_take_the_whole_language(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert load(file, platform="strive").platform == "strive"
    VALIDATOR.validate(yaml.load(GOOD, "m.yaml").value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"nowhere\.yaml: the mapping cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml", platform="strive")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_bytes(b"preset: strive\n# caf\xe9\n")
    with pytest.raises(MappingError, match=r"m\.yaml:2:1: this is not UTF-8\."):
        load(file, platform="strive")


def test_a_file_that_is_far_too_large(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(MappingError, match="larger than a mapping can be"):
        load(file, platform="strive")


def test_an_unknown_preset_is_refused_with_a_hint() -> None:
    with pytest.raises(MappingError, match=r"there is no preset 'telerivt'\. Did you mean 'telerivet'\?"):
        preset_text("telerivt")


def test_brackets_without_end_are_refused(tmp_path: Path) -> None:
    """Hostile nesting must end in a message, not in a crash."""
    file = tmp_path / "m.yaml"
    file.write_text("fields: " + "[" * 500_000)
    with pytest.raises(MappingError, match=r"m\.yaml:1:\d+: this is nested too deeply"):
        load(file, platform="strive")
