"""The example and the skeleton: rendered from the settings, so they cannot promise what is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.example import example, skeleton
from daemon.settings import load
from daemon.settings_models import Settings
from daemon.settings_platforms import PLATFORMS
from tests.unit.settings.samples import Write, secret

ROOT = Path(__file__).parents[3]


def test_the_committed_example_is_what_the_settings_say() -> None:
    """After a change: `rosterd config example > config.example.toml`."""
    assert (ROOT / "config.example.toml").read_text() == example()


def test_the_example_loads(home: Path, write: Write) -> None:
    settings = load(write(example()))
    assert list(settings.connections) == ["strive_atl", "telerivet", "action_network", "colony", "carium"]


def test_every_key_of_the_example_is_real(home: Path, write: Write) -> None:
    """Also the commented ones: all are switched on, but for what is given another way already."""
    for platform in PLATFORMS:
        mapping = home / "mappings" / f"{platform}.yaml"
        mapping.parent.mkdir(exist_ok=True)
        mapping.write_text(f"preset: {platform}\n")
    for name in ("service.token", "webhook.secret", "smtp.password"):
        secret(home / name, "0123456789abcdef")
    in_files = "api_key|password|client_secret|token|webhook_secret|smtp_password|url_file"
    text = re.sub(rf"^# (?!(?:{in_files}) = )([\w.]+ = )", r"\1", example(), flags=re.MULTILINE)
    settings = load(write(text))
    assert settings.connections["strive_atl"].where is not None
    assert settings.connections["strive_atl"].mapping == home / "mappings" / "strive.yaml"


def test_every_key_is_in_the_example_with_its_meaning() -> None:
    text = example()
    for model in (*PLATFORMS.values(), *(field.annotation for field in Settings.model_fields.values())):
        for key, field in getattr(model, "model_fields", {}).items():
            assert re.search(rf"^(# )?{key}(\.\w+)? = ", text, re.MULTILINE), key
            assert field.description or key == "platform", key


def test_a_skeleton_loads_and_says_what_was_answered(home: Path, write: Write) -> None:
    secret(home / 'odd"name.key', "k-1")
    text = skeleton(
        state_url="sqlite:///state.db",
        every="2m",
        strive={"campaign_id": 9, "base_url": "http://127.0.0.1:8001", "api_key_file": 'odd"name.key'},
        telerivet={"name": "texts", "project_id": "PJ2ad0100821a98bea", "api_key_file": "telerivet.key"},
    )
    settings = load(write(text))
    assert settings.state.url == f"sqlite:///{home}/state.db"
    assert settings.connections["strive"].base_url == "http://127.0.0.1:8001"
    assert settings.connections["strive"].api_key.get_secret_value() == "k-1"
    assert settings.connections["texts"].account_id == "PJ2ad0100821a98bea"
    assert settings.connections["texts"].every.total_seconds() == 120


def test_a_skeleton_of_one_platform_has_no_other(home: Path, write: Write) -> None:
    text = skeleton(state_url="sqlite:///s.db", strive={"campaign_id": 9, "api_key_file": "strive.key"})
    assert list(load(write(text)).connections) == ["strive"]


def test_a_skeleton_refuses_a_key_the_platform_does_not_have() -> None:
    with pytest.raises(KeyError, match="feed"):
        skeleton(state_url="sqlite:///s.db", strive={"campaign_id": 9, "feed": "scan"})
