"""Broken configurations, and what a person is told: every line, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import BadConfig
from daemon.settings import find, load, load_all, mappings
from tests.unit.settings.bad_configs import ADDED, ENVIRONMENT, WHOLE, C
from tests.unit.settings.samples import STRIVE, Write, secret


def problems(path: Path, home: Path) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        load(path)
    return [line.replace(str(home), "HOME") for line in caught.value.problems]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in ADDED], ids=[row[0] for row in ADDED])
def test_after_a_sound_connection(home: Path, write: Write, text: str, expected: list[str]) -> None:
    found = problems(write(STRIVE + text + "\n"), home)
    assert found == expected
    assert "s3cret" not in "".join(found)


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_a_whole_file(home: Path, write: Write, text: str, expected: list[str]) -> None:
    assert problems(write(text), home) == expected


@pytest.mark.parametrize(
    ("variables", "expected"), [row[1:] for row in ENVIRONMENT], ids=[row[0] for row in ENVIRONMENT]
)
def test_the_environment(
    home: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    expected: list[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = problems(write(STRIVE), home)
    assert found == expected
    assert "s3cret" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ("s3cret", 0o604, "can be read by everybody (chmod 600 HOME/strive.key)"),
        (" \n", 0o600, "is empty (write the API key into it)"),
        ("two words", 0o600, None),
    ],
)
def test_a_bad_key_file(home: Path, write: Write, text: str, mode: int, expected: str | None) -> None:
    secret(home / "strive.key", text, mode)
    [line] = problems(write(STRIVE), home)
    if expected:
        assert line == f"{C}:4:1: connections.strive.api_key_file: HOME/strive.key {expected}"
    else:
        assert line.startswith(f"{C}:4:1: connections.strive.api_key: holds characters no API key has")


def test_a_key_file_that_is_not_text(home: Path, write: Write) -> None:
    (home / "strive.key").write_bytes(b"\xff\xfe\x00")
    assert problems(write(STRIVE), home) == [f"{C}:4:1: connections.strive.api_key_file: HOME/strive.key is not text"]


def test_a_credential_for_nobody(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "credentials").mkdir()
    secret(home / "credentials" / "connections__striv__api_key", "s3cret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(home / "credentials"))
    assert problems(write(STRIVE), home) == [
        "credential connections__striv__api_key: there is no connection 'striv' (did you mean 'strive'?)"
    ]


def test_a_file_that_is_not_utf8(home: Path) -> None:
    Path(C).write_bytes(b'a = "\xff"')
    assert problems(Path(C), home) == [f"{C}: is not UTF-8 text (byte 5)"]


def test_a_folder_for_a_config(home: Path) -> None:
    Path(C).mkdir()
    assert problems(Path(C), home) == [f"{C}: cannot be read: Is a directory"]


def test_no_config_anywhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none is told how to make one."""
    monkeypatch.setattr("daemon.settings.PLACES", (Path(C), home / "etc" / C))
    with pytest.raises(BadConfig, match="no configuration found") as caught:
        find()
    assert caught.value.hint == "`rosterd init` writes one"


def test_a_config_asked_for_that_is_not_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next in the search order is not taken instead."""
    Path(C).write_text(STRIVE)
    with pytest.raises(BadConfig, match=r"^other.toml: no such file$"):
        find("other.toml")
    monkeypatch.setenv("ROSTERD_CONFIG", "third.toml")
    with pytest.raises(BadConfig, match=r"^environment ROSTERD_CONFIG: third.toml: no such file$"):
        find()


def test_mappings_and_settings_are_told_together(home: Path, write: Write) -> None:
    """One look at the list mends everything."""
    Path("mine.yaml").write_text("preset: strive\nfeilds: {}\n")
    path = write(STRIVE + 'mapping = "mine.yaml"\n[log]\nlevel = "loud"\n')
    with pytest.raises(BadConfig) as caught:
        load_all(path)
    level, mapping = caught.value.problems
    assert level == f"{C}:7:1: log.level: must be one of debug, info, warning, error"
    assert mapping.startswith(f"{home}/mine.yaml:2:1: ")
    assert "feilds" in mapping


def test_a_bad_where_is_told_by_its_place_in_the_config(home: Path, write: Write) -> None:
    path = write(STRIVE + 'where = {feild = "region", in = ["GA"]}\n')
    with pytest.raises(BadConfig) as caught:
        mappings(load(path))
    assert all(line.startswith(f"{C}:5:1") for line in caught.value.problems)
    assert "feild" in str(caught.value)
