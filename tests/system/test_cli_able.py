"""`rosterd status --platforms` and `rosterd check`: what each connection can do, with its own mapping."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.cli_world import Shell, add


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Two connections to platforms nobody calls; the second is only read."""
    key = tmp_path / "a.key"
    key.write_text("a-key\n")
    key.chmod(0o600)
    shell = Shell(tmp_path)
    shell("init", "--strive-campaign-id", 9, "--strive-key-file", key)
    more = '[connections.reader]\nplatform = "telerivet"\nproject_id = "PJ2ad0100821a98bea"\napi_key_file = "a.key"\n'
    add(tmp_path / "config.toml", more + 'direction = "in"\n')
    return shell


def test_the_matrix_is_of_the_connections_with_their_own_mappings(shell: Shell) -> None:
    (shell.folder / "mappings/strive.yaml").write_text("preset: strive\nfields: {notes: off}\n")
    strive, reader = shell.json("status", "--platforms")
    assert (strive["name"], reader["name"], reader["platform"]) == ("strive", "reader", "telerivet")
    assert "notes" not in strive["fields_written"]
    assert "notes" in reader["fields_read"]
    assert reader["fields_written"] == []
    shown = shell("status", "--platforms").stdout
    assert "reader (telerivet)" in shown
    assert "no: this connection is only read" in shown


def test_a_mapping_that_keeps_new_people_from_being_made_is_noted(shell: Shell) -> None:
    before = [each["text"] for each in shell.json("check", "--offline")["findings"]]
    assert not [text for text in before if "no new people" in text], "nothing is said where it is meant"
    (shell.folder / "mappings/strive.yaml").write_text("preset: strive\nfields: {phone: {direction: in}}\n")
    said = shell.json("check", "--offline")
    (found,) = [each for each in said["findings"] if "no new people" in each["text"]]
    assert found["level"] == "note"
    assert found["what"] == "mapping of strive"
    assert found["text"].endswith("its mapping does not write phone, which strive asks for")
