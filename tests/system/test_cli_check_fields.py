"""`rosterd check` on custom fields that a mapping writes and the group does not have."""

from __future__ import annotations

from pathlib import Path

from tests.system.cli_world import sandbox_and_shell

SHIRT = """
preset: action_network
fields:
  custom.shirt: custom_fields.shirt
  custom.ward: {at: custom_fields.ward, direction: in}
"""
LINE = "warn  action_network: custom_fields.shirt: is mapped, and cannot be written: the group has no such custom field"


def test_a_field_the_group_lacks_is_told_before_anything_is_sent_there(tmp_path: Path) -> None:
    """Only what is written matters: a field that is only read is blank for everybody, and no harm."""
    with sandbox_and_shell(tmp_path, empty=True, platforms=("strive", "action_network")) as (sandbox, shell):
        (tmp_path / "mappings" / "action_network.yaml").write_text(SHIRT)
        told = shell("check").stdout
        assert LINE in told
        assert "custom_fields.ward" not in told
        sandbox.action_network.custom_field("shirt")
        assert "custom_fields.shirt" not in shell("check").stdout


def test_a_connection_that_is_only_read_lacks_nothing(tmp_path: Path) -> None:
    with sandbox_and_shell(tmp_path, empty=True, platforms=("strive", "action_network")) as (_, shell):
        (tmp_path / "mappings" / "action_network.yaml").write_text(SHIRT)
        config = tmp_path / "config.toml"
        table = "[connections.action_network]\n"
        config.write_text(config.read_text().replace(table, f'{table}direction = "in"\n'))
        assert "custom_fields.shirt" not in shell("check").stdout
