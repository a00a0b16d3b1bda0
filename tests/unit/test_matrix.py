"""What the matrix says of a platform is what the sync does there."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon import matrix
from daemon.platforms import registry
from daemon.platforms.base import Capabilities
from mappings.load import load
from tests.twin import FULL, MAPPING, without

NONE: frozenset[str] = frozenset()


def able(folder: Path, can: Capabilities, *, mapping: str = MAPPING, direction: str = "both") -> matrix.Able:
    path = folder / "twin.yaml"
    path.write_text(mapping)
    return matrix.able(matrix.offline("t", "twin", load(path), can, direction))


def test_everything_that_can_be_done_is_said(tmp_path: Path) -> None:
    one = able(tmp_path, FULL)
    assert one.fields_read == one.fields_written
    assert one.fields_read == ("phone", "email", "given_name", "family_name", "city", "notes", "custom.shoe")
    assert one.fields_created == ()
    assert one.consents_read == one.consents_written == ("email", "sms")
    assert (one.tags_read, one.tags_added, one.tags_removed, one.create) == (True, True, True, "")
    assert (one.batch, one.fetch, one.compare_and_swap, one.deletes_visible) == (10, 50, True, False)


def test_what_the_platform_cannot_is_not_said(tmp_path: Path) -> None:
    can = without(FULL, update=frozenset({"city"}), consent_write=NONE, add_tags=False, required=frozenset({"phone"}))
    one = able(tmp_path, can)
    assert one.fields_written == ("city",)
    assert "phone" in one.fields_created
    assert one.consents_written == ()
    assert (one.tags_added, one.tags_removed) == (False, True)
    assert one.required == ("phone",)


def test_what_the_mapping_does_not_name_is_not_said(tmp_path: Path) -> None:
    mapping = MAPPING.replace("  city: city\n", "").replace("notes: notes", "notes: {at: notes, direction: in}")
    one = able(tmp_path, FULL, mapping=mapping.replace('tags: {at: "tags[].name"}\n', ""))
    assert "city" not in one.fields_read
    assert "notes" in one.fields_read
    assert "notes" not in one.fields_written
    assert (one.tags_read, one.tags_added, one.tags_removed) == (False, False, False)


@pytest.mark.parametrize(("direction", "reads", "writes"), [("in", True, False), ("out", False, True)])
def test_the_direction_counts(tmp_path: Path, direction: str, reads: bool, writes: bool) -> None:
    one = able(tmp_path, FULL, direction=direction)
    assert bool(one.fields_read) is reads
    assert bool(one.fields_written) is writes
    assert one.tags_added is writes
    assert (one.create == "") is writes
    assert one.consents_read == ("email", "sms"), 'a "no" is heard everywhere'
    assert bool(one.consents_written) is writes


def test_both_tables_have_a_cell_for_every_platform() -> None:
    columns = [matrix.able(matrix.of_platform(name)) for name in registry.PLATFORMS]
    for rows in (matrix.capability_rows(columns), matrix.field_rows(columns)):
        assert {len(row) for row in rows} == {len(columns) + 1}
        assert all(cell for row in rows for cell in row)


def test_a_field_is_shown_by_the_ways_it_goes(tmp_path: Path) -> None:
    mapping = MAPPING.replace("notes: notes", "notes: {at: notes, direction: in}")
    mapping = mapping.replace("city: city", "city: {at: city, direction: out}")
    one = able(tmp_path, without(FULL, update=FULL.update - {"email"}), mapping=mapping)
    ways = dict(matrix.field_rows([one]))
    assert ways["phone"] == "both ways"
    assert ways["notes"] == "read"
    assert ways["city"] == "written"
    assert ways["email"] == "read; written when made"
