"""Which fields are written into a key of the wire, and a mapping that says itself whose it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.load import MappingError, load

TEXT = """\
platform: shop
fields:
  phone: phone
  email: {at: email, direction: in}
  notes: {at: notes, direction: out}
  custom.a: extra.a
  custom.b: {at: extra.b, direction: out}
  custom.c: {select: "extra.c"}
tags: {at: "labels[]"}
consent:
  sms: {at: agreed, map: {true: subscribed}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("phone", {"phone"}),
        ("email", set()),
        ("notes", {"notes"}),
        ("extra", {"custom.a", "custom.b"}),
        ("labels", set()),
        ("agreed", set()),
        ("nothing", set()),
    ],
)
def test_written_is_what_goes_out_whether_it_is_read_or_not(file: Path, key: str, fields: set[str]) -> None:
    assert load(file).written(key) == fields


def test_all_that_is_written_is_written_somewhere(file: Path) -> None:
    mapping = load(file)
    somewhere = {name for key in ("phone", "email", "notes", "extra") for name in mapping.written(key)}
    assert somewhere == mapping.writable - {"tags"}


def test_a_file_says_which_platform_it_is_for(file: Path, tmp_path: Path) -> None:
    assert load(file).platform == "shop"
    mine = tmp_path / "mine.yaml"
    mine.write_text("preset: strive\n")
    assert load(mine).platform == "strive"


def test_a_file_that_says_nothing_of_its_platform_is_refused(tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text("fields: {phone: phone}\n")
    with pytest.raises(MappingError, match="preset or platform is missing"):
        load(bare)


def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    both = tmp_path / "both.yaml"
    both.write_text("preset: strive\nplatform: telerivet\n")
    with pytest.raises(MappingError, match="this mapping is for strive"):
        load(both)
