"""The JSON Schemas underline what the program refuses, and nothing that it takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from daemon import settings
from daemon.errors import BadConfig
from daemon.settings_models import Settings
from mappings import load
from mappings.errors import MappingError
from mappings.yaml import load as read_yaml
from tests.docs_tables import DOCS

ONE = '[connections.strive_atl]\nplatform = "strive"\ncampaign_id = 273\napi_key_file = "strive.key"\n'


def schema(name: str) -> Any:
    return json.loads((DOCS / "schema" / f"{name}.json").read_text(encoding="utf-8"))


def errors(name: str, document: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema(name)).iter_errors(document)
    return [error.json_path for error in found]


def test_every_table_is_in_the_schema() -> None:
    """With a meaning for every key, which the editor shows."""
    whole = schema("config")
    assert set(whole["properties"]) == set(Settings.model_fields)
    for name in ("Service", "Alerts", "Keep"):
        keys = whole["$defs"][name]["properties"]
        assert all(key["description"] for key in keys.values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[service]\nlisten = "127.0.0.1:1"\ndrain = "1m"\n',
        '[alerts]\non = ["failed", "late"]\ncommand = ["/bin/true"]\n',
        '[keep]\njournal = "400d"\nrows = 100\n',
        'quiet_hours = ["22:00-07:00"]\nlate_after = "1h"\n',
        'where = {all = [{field = "city", eq = "Rome"}]}\n',
        "[fuse]\nupdate.rows = 3\n",
    ],
)
def test_what_the_program_takes_is_not_underlined(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(ONE + text)
    (tmp_path / "strive.key").touch(mode=0o600)
    (tmp_path / "strive.key").write_text("key\n")
    settings.load(file)
    assert errors("config", tomllib.loads(ONE + text)) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("evry = '5m'\n", "$.connections.strive_atl"),
        ("every = 5\n", "$.connections.strive_atl"),
        ("[service]\nlissten = ''\n", "$.service"),
        ("[service]\ndrain = 30\n", "$.service.drain"),
        ("[alerts]\non = ['sometimes']\n", "$.alerts.on[0]"),
        ("[alerts]\ncommand = '/bin/true'\n", "$.alerts.command"),
        ("[keep]\nrows = 1\n", "$.keep.rows"),
        ("[keep]\njournal = 'for ever'\n", "$.keep.journal"),
        ("[kep]\n", "$"),
    ],
)
def test_what_the_program_refuses_is_underlined(text: str, place: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(ONE + text)
    with pytest.raises(BadConfig):
        settings.load(file)
    assert place in errors("config", tomllib.loads(ONE + text))


@pytest.mark.parametrize(
    "text",
    [
        "preset: strive\nfield: {}\n",
        "preset: strive\nfields: {city: {att: city}}\n",
        "preset: strive\nfields: {city: {at: city, direction: up}}\n",
        "preset: strive\nwhere: {feild: city, eq: Rome}\n",
        "preset: strife\n",
    ],
)
def test_a_slip_in_a_mapping_is_underlined(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    with pytest.raises(MappingError):
        load.load(file)
    assert errors("mapping", read_yaml(text, "mapping.yaml").value) != []
