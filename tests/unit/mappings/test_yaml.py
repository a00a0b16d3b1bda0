"""YAML without surprises."""

from __future__ import annotations

import pytest

from mappings import yaml


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("01234", "01234"),
        ("12:30:45", "12:30:45"),
        ("2026-01-02", "2026-01-02"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        (".inf", ".inf"),
        ("<<", "<<"),
        ("True", "True"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("-12", -12),
        ("1.50", 1.5),
        ("9" * 19, "9" * 19),
        ('"7"', "7"),
    ],
)
def test_only_what_looks_like_json_is_not_text(written: str, read: object) -> None:
    value = yaml.load(f"key: {written}\n", "m.yaml").value["key"]
    assert (value, type(value)) == (read, type(read))


def test_keys_are_always_text() -> None:
    assert yaml.load("{true: a, null: b, 1: c}", "m.yaml").value == {"true": "a", "null": "b", "1": "c"}


def test_everything_has_a_place_from_1() -> None:
    document = yaml.load("a:\n  - {b: 1, c: 2}\n", "m.yaml")
    assert document.at(("a",)) == "m.yaml:1:1"
    assert document.at(("a", 0)) == "m.yaml:2:5"
    assert document.at(("a", 0, "c")) == "m.yaml:2:12"


def test_what_has_no_place_has_that_of_what_is_around_it() -> None:
    document = yaml.load("x: 1\na: {b: 1}\n", "m.yaml")
    assert document.at(("a", "b", "nowhere")) == "m.yaml:2:5"


def test_all_mistakes_of_a_file_are_told_together() -> None:
    document = yaml.load("a: 1\na: 2\nb: !x 3\nc: &n [1]\nd: *n\n", "m.yaml")
    assert [problem.split(" ")[0] for problem in document.problems] == [
        "m.yaml:2:1:",
        "m.yaml:3:4:",
        "m.yaml:5:1:",
    ]


def test_a_character_yaml_forbids_is_a_problem_and_no_crash() -> None:
    assert yaml.load("a: \x07", "m.yaml").problems[0].startswith("m.yaml:1:1: this is not YAML:")
