"""What `check` says about a mapping that loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.check import Finding, check, round_trip
from mappings.load import load, preset
from mappings.mapping import Mapping, Problem

KEYS = frozenset({"city", "custom", "groups", "name", "first_name", "opt_in"})


def mapping(text: str, tmp_path: Path) -> Mapping:
    file = tmp_path / "m.yaml"
    file.write_text(f"platform: strive\n{text}", encoding="utf-8")
    return load(file, platform="strive")


def findings(text: str, tmp_path: Path, **lengths: int) -> list[tuple[str, str, str]]:
    found = check(mapping(text, tmp_path), readable_wire=KEYS, writable_wire=KEYS - {"opt_in"}, lengths=lengths)
    return [(f.level, f.where, f.text.partition(":")[0]) for f in found]


def test_nothing_is_said_of_the_presets_on_their_platforms() -> None:
    strive = preset("strive")
    columns = frozenset(key for rule in strive.spec.rules for key in rule.keys) | {"groups", "opt_in"}
    assert check(strive, readable_wire=columns, writable_wire=columns, lengths={}) == []
    keys = frozenset({"name", "phone_number", "vars", "groups", "send_blocked"})
    assert check(preset("telerivet"), readable_wire=keys, writable_wire=keys, lengths={}) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fields: {city: town}", ("error", "fields.city", "strive has nothing called 'town' to read.")),
        ("tags: {at: labels}", ("error", "tags", "strive has nothing called 'labels' to read.")),
        (
            "consent: {sms: {at: optin, map: {true: subscribed}}}",
            ("error", "consent.sms", "strive has nothing called 'optin' to read."),
        ),
        (
            'fields: {custom.x: {select: "towns[0]"}}',
            ("error", "fields.custom.x", "strive has nothing called 'towns' to read."),
        ),
        (
            "fields: {custom.x: opt_in}",
            ("error", "fields.custom.x", "'opt_in' cannot be written on this platform."),
        ),
        ("fields: {city: city, custom.x: city}", ("error", "fields.custom.x", "looping")),
        ("fields: {custom.x: custom, custom.y: custom.y}", ("error", "fields.custom.y", "looping")),
        ("fields: {full_name: name, given_name: first_name}", ("warning", "fields.full_name", "looping")),
        ("fields: {city: {at: city, transform: [upper]}}", ("warning", "fields.city", "lossy")),
        (
            "fields: {birth_date: {at: custom.born, as: date, format: '%d.%m.%y'}}",
            ("warning", "fields.birth_date", "lossy"),
        ),
        ("fields: {custom.x: {at: custom.x, as: number}}", ("note", "fields.custom.x", "lossy")),
        ("fields: {city: {at: city, map: {a: X, b: x}}}", ("warning", "fields.city", "lossy")),
        ("fields: {city: {at: city, map: {a: X, b: null}}}", ("warning", "fields.city", "lossy")),
        ("fields: {city: {at: city, map: {a: X}, default: a}}", ("note", "fields.city", "lossy")),
        (
            "fields: {city: {at: city, map: {a: Long}, max: 3}}",
            ("error", "fields.city", "the map's value for 'a' cannot be written"),
        ),
        ('tags: {at: "groups[].name", rename: {a: x, b: x}}', ("warning", "tags.rename", "lossy")),
        (
            'tags: {at: "groups[].name", only: [y], rename: {a: x}}',
            ("warning", "tags.rename", "'a' becomes 'x', which `only` leaves out"),
        ),
        (
            "fields: {city: {at: city, direction: out, policy: fill}}",
            ("note", "fields.city", "`policy` says nothing about a field that is only written."),
        ),
    ],
)
def test_what_is_doubtful_is_said_once(text: str, says: tuple[str, str, str], tmp_path: Path) -> None:
    assert findings(text, tmp_path) == [says]


@pytest.mark.parametrize(
    "text",
    [
        "fields: {city: city, custom.x: {at: city, direction: in}}",
        "fields: {city: {at: city, transform: [upper], direction: in}}",
        "fields: {city: {at: city, transform: [us_state]}}",
        "fields: {city: {at: city, map: {a: [X, Y], b: Z}}}",
        "fields: {custom.x: {at: opt_in, direction: in, as: boolean}}",
        "fields: {custom.x: custom.x, custom.y: custom.y}",
    ],
)
def test_what_is_sound_is_not_doubted(text: str, tmp_path: Path) -> None:
    assert findings(text, tmp_path) == []


def test_lengths_the_platform_refuses(tmp_path: Path) -> None:
    assert findings("fields: {city: city}", tmp_path, city=20)[0][0] == "note"
    assert findings("fields: {city: {at: city, max: 30}}", tmp_path, city=20)[0][0] == "warning"
    assert findings("fields: {city: {at: city, max: 20}}", tmp_path, city=20) == []
    assert findings("fields: {city: {at: city, map: {a: Long}}}", tmp_path, city=3)[0][0] == "error"


def test_errors_come_first_and_with_a_hint(tmp_path: Path) -> None:
    m = mapping("fields: {city: {at: citty, transform: [upper]}}", tmp_path)
    found = check(m, readable_wire=KEYS, writable_wire=KEYS, lengths={})
    assert found[0] == Finding(
        "error", "fields.city", "strive has nothing called 'citty' to read.", "Did you mean 'city'?"
    )
    assert [f.level for f in found] == ["error", "warning"]


def test_what_does_not_come_back_is_named(tmp_path: Path) -> None:
    m = mapping(
        "fields:\n"
        "  city: {at: city, transform: [upper]}\n"
        "  language: {at: custom.l, map: {en: English}}\n"
        "  notes: custom.notes\n"
        "  custom.o: {at: custom.o, direction: out}\n"
        'tags: {at: "groups[].name", only: [x, y], rename: {y: x}}\n',
        tmp_path,
    )
    view = {"city": "Rome", "language": "fr", "notes": "n", "custom.o": "o", "tags": ["x", "y", "z"]}
    assert round_trip(m, view) == {
        "city": "ROME",
        "language": Problem("language", "a value that the map does not name"),
        "tags": ["x"],
    }
    assert round_trip(m, {"city": "ROME", "language": None, "notes": None, "tags": ["x"]}) == {}
