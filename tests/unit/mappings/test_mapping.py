"""What a mapping makes of a record, and a record of what we know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mappings.errors import MappingError
from mappings.load import load, preset
from mappings.mapping import Mapping, Problem


def mapping(text: str, tmp_path: Path, *, region: str | None = None) -> Mapping:
    file = tmp_path / "m.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, platform="strive", region=region)


def one(rule: str, tmp_path: Path, field: str = "custom.x") -> Mapping:
    return mapping(f"platform: strive\nfields:\n  {field}: {rule}\n", tmp_path)


MEMBER = {
    "id": 7,
    "campaign_id": 1,
    "phone_number": "+12025550123",
    "first_name": " Ada ",
    "last_name": "Lo\u0308ve",
    "city": "",
    "state": "GA",
    "email": "Ada@Example.org",
    "notes": None,
    "opt_in": True,
    "custom": {"gift": 12.5},
    "groups": [{"id": 2, "name": "volunteers"}, {"id": 1, "name": "board"}],
    "van_id": 99,
}


def test_a_member_of_strive_as_the_preset_reads_it() -> None:
    assert preset("strive").read(MEMBER).view == {
        "phone": "+12025550123",
        "email": "Ada@example.org",
        "given_name": "Ada",
        "family_name": "Löve",
        "city": None,
        "region": "GA",
        "notes": None,
        "external.van": "99",
        "tags": ["board", "volunteers"],
        "consent.sms": "subscribed",
    }


def test_a_contact_of_telerivet_as_the_preset_reads_it() -> None:
    wire = {
        "name": "Ada Löve",
        "phone_number": "(202) 555-0123",
        "send_blocked": False,
        "vars": {"email": "ada@example.org", "birth_date": "1990-02-01"},
        "groups": [],
    }
    blank = dict.fromkeys(["street", "city", "region", "postal_code", "country", "language", "notes"])
    assert preset("telerivet").read(wire).view == {
        "full_name": "Ada Löve",
        "phone": "+12025550123",
        "email": "ada@example.org",
        "birth_date": "1990-02-01",
        "tags": [],
        "consent.sms": "unknown",
        **blank,
    }


def test_what_the_presets_can_read_and_write() -> None:
    strive = preset("strive")
    assert strive.readable - strive.writable == {"consent.sms", "external.van", "external.actionkit"}
    assert strive.writable <= strive.readable
    assert "tags" in strive.writable
    assert preset("telerivet").readable - preset("telerivet").writable == {"consent.sms"}


@pytest.mark.parametrize(("opt_in", "state"), [(True, "subscribed"), (False, "unsubscribed"), (None, "unknown")])
def test_consent_of_strive(opt_in: bool | None, state: str) -> None:
    assert preset("strive").read({"opt_in": opt_in}).view == {"consent.sms": state}


def test_a_consent_the_map_does_not_name_is_a_problem_and_no_guess() -> None:
    reading = preset("strive").read({"opt_in": "maybe"})
    assert reading.view == {}
    assert reading.problems == (Problem("consent.sms", "a value that the map of this consent does not name"),)


def test_three_states_on_the_way_in(tmp_path: Path) -> None:
    m = one("custom.gift", tmp_path)
    assert m.read({"custom": {"gift": "a"}}).view == {"custom.x": "a"}
    assert m.read({"custom": {"gift": None}}).view == {"custom.x": None}
    assert m.read({"custom": {"gift": " "}}).view == {"custom.x": None}
    assert m.read({"custom": None}).view == {"custom.x": None}
    assert m.read({"custom": {}}).view == {}
    assert m.read({"custom": "text"}).view == {}
    assert m.read({}).view == {}


def test_three_states_three_steps_down(tmp_path: Path) -> None:
    m = one("a.b.c", tmp_path)
    assert m.read({"a": {"b": {"c": 1}}}).view == {"custom.x": "1"}
    assert m.read({"a": {"b": None}}).view == {"custom.x": None}
    assert m.read({"a": {"b": {}}}).view == m.read({"a": {}}).view == m.read({"a": {"b": []}}).view == {}


def test_missing_can_mean_blank_but_only_inside_what_is_there(tmp_path: Path) -> None:
    m = one("{at: vars.gift, missing: blank}", tmp_path)
    assert m.read({"vars": {}}).view == {"custom.x": None}
    assert m.read({}).view == {}


def test_three_states_on_the_way_out() -> None:
    m = preset("telerivet")
    assert m.write({"email": "ada@example.org", "city": None}).wire == {
        "vars": {"email": "ada@example.org", "city": None}
    }
    assert m.write({}).wire == {}


def test_consent_tags_and_what_is_only_read_are_never_written() -> None:
    fields = {
        "consent.sms": "subscribed",
        "tags": ["a"],
        "external.van": "1",
        "country": "US",
        "city": "Rome",
    }
    writing = preset("strive").write(fields)
    assert writing.wire == {"city": "Rome"}
    assert writing.problems == ()


def test_one_bad_field_does_not_spoil_the_others() -> None:
    reading = preset("strive").read({"phone_number": "555-0123", "first_name": "Ada", "city": ["Rome"]})
    assert reading.view == {"given_name": "Ada"}
    assert {problem.field for problem in reading.problems} == {"phone", "city"}


def test_problems_never_repeat_what_was_read_or_written() -> None:
    wire = {"phone_number": "call Ada", "email": "ada at home", "city": {"Rome": 1}, "groups": "Ada"}
    problems = preset("strive").read(wire).problems
    assert len(problems) == 4
    assert not any(word in p.text for p in problems for word in ("Ada", "ada", "Rome"))


@pytest.mark.parametrize(
    ("rule", "wire", "ours", "back"),
    [
        ("{at: x, as: number}", 12.5, "12.5", 12.5),
        ("{at: x, as: number}", "12.50", "12.5", 12.5),
        ("{at: x, as: number}", 12.0, "12", 12),
        ("{at: x, as: number}", "-0", "0", 0),
        ("{at: x, as: number}", "1e2", "100", 100),
        ("{at: x, as: number}", "", None, None),
        ("{at: x, as: integer}", 2**60, str(2**60), 2**60),
        ("{at: x, as: boolean}", True, "true", True),
        ("{at: x, as: boolean}", "No", "false", False),
        ("{at: x, as: date}", "1990-02-01T00:00:00Z", "1990-02-01", "1990-02-01"),
        ("{at: x, as: date, format: '%m/%d/%Y'}", "2/1/1990", "1990-02-01", "02/01/1990"),
        ("{at: x, as: phone, format: digits}", "27825550123", "+27825550123", "27825550123"),
        ("{at: x, as: email}", "A@Example.org", "A@example.org", "A@example.org"),
        ("{at: x, map: {en: [English, Inglés], es: Spanish}}", "inglés", "en", "English"),
        ("{at: x, map: {a: 1, b: true, c: null}}", 1, "a", 1),
        ("{at: x, map: {a: 1, b: true, c: null}}", True, "b", True),
        ("{at: x, map: {a: 1, b: true, c: null}}", None, "c", None),
        ("{at: x, map: {a: 1, b: true, c: null}}", "TRUE", "b", True),
        ("{at: x, map: {a: X, b: x}}", "X", "a", "X"),
        ("{at: x, transform: [upper]}", False, "FALSE", "FALSE"),
        ("{at: x, map: {en: English}, default: same}", "Latin", "Latin", "Latin"),
        ("{at: x, map: {en: English, other: Other}, default: other}", "Latin", "other", "Other"),
        ("{at: x, transform: [us_state]}", "georgia", "GA", "Georgia"),
        ("{at: x, transform: [squeeze, upper]}", " a  b ", "A B", "A B"),
        ("{at: x, transform: [language]}", "en_US", "en", "en"),
        ("{at: x, transform: [language]}", "zh-Hant-TW", "zh", "zh"),
        ("{at: x, transform: [language]}", "English", "English", "English"),
        ("{at: x, transform: [first_line]}", "a\nb", "a", "a"),
        ("{at: x, transform: [digits], as: number}", "$ 1,200", "1200", 1200),
        ("{at: x, transform: [digits]}", "none", None, None),
        ("{at: x, transform: [zip5]}", "30301-1234", "30301", "30301"),
        ("{at: x, transform: [title]}", "ada LÖVE", "Ada Löve", "Ada Löve"),
        ("x", 12, "12", "12"),
        ("x", True, "true", "true"),
        ("'vars.\"a.b\"'", None, None, None),
    ],
)
def test_a_value_there_here_and_back(rule: str, wire: Any, ours: str | None, back: Any, tmp_path: Path) -> None:
    m = one(rule, tmp_path)
    record = {"x": wire, "vars": {"a.b": wire}}
    reading = m.read(record)
    assert (reading.view, reading.problems) == ({"custom.x": ours}, ())
    writing = m.write({"custom.x": ours})
    assert writing.problems == ()
    assert writing.wire in ({"x": back}, {"vars": {"a.b": back}})
    assert m.read(writing.wire).view == reading.view


@pytest.mark.parametrize(
    ("rule", "wire"),
    [
        ("{at: x, as: number}", "12,5"),
        ("{at: x, as: number}", float("nan")),
        ("{at: x, as: number}", True),
        ("{at: x, as: number}", 10**400),
        ("{at: x, as: number}", "1e999999999"),
        ("{at: x, as: integer}", 1.5),
        ("{at: x, as: boolean}", "maybe"),
        ("{at: x, as: date}", "02/01/1990"),
        ("{at: x, as: date}", "0001-01-01"),
        ("{at: x, as: date, format: '%m/%d/%Y'}", "1990-02-01"),
        ("{at: x, as: email}", "nobody"),
        ("{at: x, map: {en: English}}", "Latin"),
        ("{select: 'length(x)'}", 5),
        ("x", {"a": 1}),
        ("x", 10**400),
    ],
)
def test_what_cannot_be_read_is_a_problem(rule: str, wire: Any, tmp_path: Path) -> None:
    reading = one(rule, tmp_path).read({"x": wire})
    assert reading.view == {}
    assert [problem.field for problem in reading.problems] == ["custom.x"]


def test_a_number_too_long_to_print_is_a_problem(tmp_path: Path) -> None:
    """Python refuses to print it; it must cost this one field only."""
    assert [p.text for p in one("x", tmp_path).read({"x": 10**5000}).problems] == ["a number that is too large"]


@pytest.mark.parametrize(
    ("rule", "ours"),
    [
        ("{at: x, as: number}", "many"),
        ("{at: x, as: number}", "9" * 30),
        ("{at: x, as: integer}", "1.5"),
        ("{at: x, as: boolean}", "yes"),
        ("{at: x, as: date}", "soon"),
        ("{at: x, map: {en: English}}", "fr"),
        ("{at: x, max: 3}", "four"),
        ("{at: x, max: 4 bytes}", "éèê"),
        ("{at: x, map: {en: English}, max: 3}", "en"),
        ("x", ["a"]),
    ],
)
def test_what_cannot_be_written_is_a_problem(rule: str, ours: Any, tmp_path: Path) -> None:
    writing = one(rule, tmp_path).write({"custom.x": ours})
    assert writing.wire == {}
    assert [problem.field for problem in writing.problems] == ["custom.x"]


def test_what_just_fits_is_written(tmp_path: Path) -> None:
    assert one("{at: x, max: 6 bytes}", tmp_path).write({"custom.x": "éèê"}).wire == {"x": "éèê"}


def test_a_length_of_the_platform_holds_where_the_mapping_says_none(tmp_path: Path) -> None:
    m = mapping("platform: strive\nfields: {city: c, notes: {at: n, max: 9}}\n", tmp_path)
    bounded = m.with_lengths({"c": 3, "n": 3})
    assert [p.text for p in bounded.write({"city": "Rome"}).problems] == [
        "too long: 4 characters, the platform takes 3"
    ]
    assert bounded.write({"notes": "four"}).problems == ()
    assert m.write({"city": "Rome"}).problems == ()


def test_a_selection_reads_one_of_many_and_knows_absent_from_blank(tmp_path: Path) -> None:
    m = one('{select: "(emails[?primary] | [0].address) || emails[0].address", as: email}', tmp_path)
    assert m.writable == frozenset()
    emails = [{"address": "a@example.org"}, {"address": "b@example.org", "primary": True}]
    assert m.read({"emails": emails}).view == {"custom.x": "b@example.org"}
    assert m.read({"emails": emails[:1]}).view == {"custom.x": "a@example.org"}
    assert m.read({"emails": []}).view == {"custom.x": None}
    assert m.read({"phones": []}).view == {}
    assert m.canonical("emails") == {"custom.x"}


def test_lists_of_phones_and_emails(tmp_path: Path) -> None:
    m = mapping('platform: strive\nfields: {other_phones: phones, other_emails: "emails[].address"}\n', tmp_path)
    wire = {
        "phones": ["+12025550124", "(202) 555-0123", None, "+12025550123"],
        "emails": [{"address": "B@Example.org"}, {"address": " "}],
    }
    view = {"other_phones": ["+12025550123", "+12025550124"], "other_emails": ["B@example.org"]}
    assert m.read(wire).view == view
    assert m.write(view).wire == {
        "phones": ["+12025550123", "+12025550124"],
        "emails": [{"address": "B@example.org"}],
    }
    assert m.read({"phones": None, "emails": []}).view == {"other_phones": [], "other_emails": []}
    assert m.write({"other_phones": []}).wire == {"phones": []}
    assert [p.field for p in m.read({"phones": ["none"], "emails": ["a"]}).problems] == [
        "other_phones",
        "other_emails",
    ]


TAGS = """\
platform: strive
tags: {at: "groups[].name", only: [volunteer, "Chapter: *", "a[b]"], rename: {vols: volunteer}}
"""


def test_tags_are_renamed_and_only_ours_are_read(tmp_path: Path) -> None:
    m = mapping(TAGS, tmp_path)
    groups = [{"name": name} for name in ("vols", " Chapter: Rome ", "secret", "Volunteer", "a[b]", "ab")]
    assert m.read({"groups": groups}).view == {"tags": ["Chapter: Rome", "a[b]", "volunteer"]}
    assert m.read({"groups": None}).view == m.read({"groups": []}).view == {"tags": []}
    assert m.read({}).view == {}
    assert m.tag_owned("volunteer")
    assert not m.tag_owned("vols")
    assert m.tag_out("volunteer") == "vols"
    assert m.tag_out("Chapter: Rome") == "Chapter: Rome"
    assert m.tags_in(["vols", "volunteer"]) == ["volunteer"]


def test_without_tags_in_the_mapping_no_tag_is_ours(tmp_path: Path) -> None:
    m = mapping("preset: strive\ntags: off\n", tmp_path)
    assert not m.tag_owned("volunteer")
    assert "tags" not in m.readable | m.writable
    assert "tags" not in m.read(MEMBER).view


def test_tags_may_be_a_plain_list_and_read_only(tmp_path: Path) -> None:
    m = mapping("platform: strive\ntags: {at: labels, direction: in}\n", tmp_path)
    assert m.read({"labels": ["b", "a", "b", 7]}).view == {"tags": ["7", "a", "b"]}
    assert m.writable == frozenset()


def test_what_a_key_of_the_wire_feeds(tmp_path: Path) -> None:
    m = mapping("preset: strive\nfields: {custom.a: custom.a, custom.b: custom.b.c}\n", tmp_path)
    assert m.canonical("custom") == {"custom.a", "custom.b"}
    assert m.canonical("groups") == {"tags"}
    assert m.canonical("opt_in") == {"consent.sms"}
    assert m.canonical("updated_at") == frozenset()


def test_policies(tmp_path: Path) -> None:
    m = mapping("preset: strive\nfields: {email: {policy: fill}, custom.o: {at: o, direction: out}}\n", tmp_path)
    assert m.policy("email") == "fill"
    assert m.policy("city") == "latest"
    assert m.policy("tags") == "union"
    assert m.policy("custom.o") == m.policy("consent.sms") == m.policy("country") == "never"


def test_a_rule_without_a_place_changes_only_what_it_says_of_the_preset(tmp_path: Path) -> None:
    m = mapping("preset: strive\nfields:\n  region: {transform: [us_state]}\n  notes: off\n", tmp_path)
    assert m.read({"state": "Georgia", "notes": "x"}).view == {"region": "GA"}


def test_a_rule_with_a_place_stands_alone(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("preset: telerivet\nfields: {email: vars.mail}\n")
    m = load(file, platform="telerivet")
    assert m.write({"email": "a@example.org"}).wire == {"vars": {"mail": "a@example.org"}}
    assert "email" not in m.read({"vars": {}}).view


def test_tags_of_the_preset_can_be_narrowed(tmp_path: Path) -> None:
    m = mapping("preset: strive\ntags: {only: [board]}\n", tmp_path)
    assert m.read(MEMBER).view["tags"] == ["board"]


def test_the_region_of_the_file_wins_over_that_of_the_connection(tmp_path: Path) -> None:
    text = "preset: strive\n"
    assert mapping(text, tmp_path).region == "US"
    assert mapping(text, tmp_path, region="ZA").region == "ZA"
    m = mapping(text + "region: GB\n", tmp_path, region="ZA")
    assert m.region == "GB"
    assert m.read({"phone_number": "020 7946 0123"}).view == {"phone": "+442079460123"}


def test_an_unknown_region_of_the_connection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="there is no region 'EN'"):
        mapping("preset: strive\n", tmp_path, region="EN")


def test_a_mapping_does_not_change() -> None:
    with pytest.raises(AttributeError):
        preset("strive").platform = "colony"


def changed(a: Mapping, b: Mapping) -> set[str]:
    return {key for key in {*a.digest, *b.digest} if a.digest.get(key) != b.digest.get(key)}


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        ("", set()),
        ("# a remark\n", set()),
        ("fields: {city: town}\n", {"city"}),
        ("fields: {city: {max: 9}}\n", {"city"}),
        ("fields: {city: off}\n", {"city"}),
        ("fields: {country: country}\n", {"country"}),
        ("tags: {only: [a]}\n", {"tags"}),
        ("where: {tag: a}\n", {"where"}),
        ("region: ZA\n", {"phone"}),
        ("consent: {sms: {map: {true: unsubscribed}}}\n", {"consent.sms"}),
    ],
)
def test_a_digest_changes_exactly_with_its_rule(more: str, differs: set[str], tmp_path: Path) -> None:
    assert changed(preset("strive"), mapping(f"preset: strive\n{more}", tmp_path)) == differs


VIEW = {
    "region": "GA",
    "tags": ["active", "Chapter: Rome"],
    "phone": "+14045550123",
    "city": None,
    "custom.n": "5",
}


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({"field": "region", "eq": "ga"}, True),
        ({"field": "region", "in": ["IL", "GA"]}, True),
        ({"field": "region", "in": ["IL"]}, False),
        ({"field": "custom.n", "eq": 5}, True),
        ({"field": "city", "eq": None}, True),
        ({"field": "country", "eq": None}, True),
        ({"field": "country", "in": ["US", None]}, True),
        ({"field": "country", "eq": "US"}, False),
        ({"field": "city", "exists": True}, False),
        ({"field": "city", "exists": False}, True),
        ({"field": "region", "exists": True}, True),
        ({"field": "phone", "prefix": "+1404"}, True),
        ({"field": "country", "prefix": "U"}, False),
        ({"tag": "active"}, True),
        ({"tag": "Active"}, False),
        ({"tag": "Chapter: *"}, True),
        ({"not": {"tag": "inactive"}}, True),
        ({"all": [{"tag": "active"}, {"field": "region", "eq": "IL"}]}, False),
        ({"any": [{"tag": "active"}, {"field": "region", "eq": "IL"}]}, True),
    ],
)
def test_who_is_in_scope(where: dict[str, Any], holds: bool) -> None:
    assert preset("strive").with_where(where, "config.toml").in_scope(VIEW) is holds


def test_everybody_is_in_scope_without_where() -> None:
    assert preset("strive").in_scope({})


def test_where_of_the_config_narrows_that_of_the_file(tmp_path: Path) -> None:
    m = mapping("preset: strive\nwhere: {field: region, eq: GA}\n", tmp_path)
    narrowed = m.with_where({"tag": "active"}, "config.toml")
    assert narrowed.in_scope(VIEW)
    assert not narrowed.in_scope({**VIEW, "tags": []})
    assert not narrowed.in_scope({**VIEW, "region": "IL"})
    assert changed(m, narrowed) == {"where"}
    assert m.with_where(None, "config.toml") is m


def test_a_malformed_where_of_the_config_is_told_with_its_place() -> None:
    with pytest.raises(MappingError) as refusal:
        preset("strive").with_where({"all": [{"tag": "a"}, {"field": "cty", "eq": 1e300}]}, "config.toml:7:1")
    assert refusal.value.problems == [
        "config.toml:7:1: where.all.1.field: 'cty' is not a field. Did you mean 'city'?",
        "config.toml:7:1: where.all.1.eq: this number is too large. Put it in quotes.",
    ]
