"""`rosterd check` says whom a change would touch before it is live: in the real command line, on a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.cli_world import Shell, sandbox_and_shell

TITLE = "What this configuration would change"


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A folder whose two connections are in step. Every test leaves the configuration as it found it."""
    with sandbox_and_shell(tmp_path_factory.mktemp("whom")) as (_, shell):
        shell("sync", code=None)
        yield shell


@pytest.fixture
def shell(synced: Shell) -> Iterator[Shell]:
    config, mapping = synced.folder / "config.toml", synced.folder / "mappings" / "telerivet.yaml"
    texts = config.read_text(), mapping.read_text()
    yield synced
    config.write_text(texts[0])
    mapping.write_text(texts[1])


def mapping(shell: Shell) -> Path:
    return shell.folder / "mappings" / "telerivet.yaml"


def test_nothing_is_said_where_nothing_changed(shell: Shell) -> None:
    assert TITLE not in shell("check", "--offline").stdout
    assert shell.json("check", "--offline")["changes"] == []


def test_people_are_counted_and_named_by_number_masked(shell: Shell) -> None:
    """Enough to look somebody up by, and nothing that could be written to."""
    mapping(shell).write_text(mapping(shell).read_text() + "\nwhere: {field: region, in: [GA]}\n")
    told = shell("check", "--offline").stdout
    assert TITLE in told
    assert "telerivet: changed since the last run: where; all of it is read again" in told
    assert "are outside `where:`; they stay linked and in step, nobody is deleted" in told
    [line] = [line for line in told.splitlines() if "such as those who have a record there" in line]
    number = int(line.partition(": c")[2].split()[0])
    person = shell.json("contacts", "show", f"c{number}")["fields"]
    phone, name = person["phone"]["value"], person["given_name"]["value"]
    assert phone not in told
    assert name not in line
    assert f"{name[0]}•••" in line
    [change] = shell.json("check", "--offline")["changes"]
    assert (change["connection"], change["why"], change["changed"]) == ("telerivet", "changed", ["where"])
    assert {effect["what"] for effect in change["effects"]} >= {"outside"}


def test_the_config_command_points_there(shell: Shell) -> None:
    """From `config set` to what it means to `config set` back."""
    assert "rosterd check" in shell("config", "set", "connections.telerivet.direction", "in").stdout
    assert "telerivet: changed since the last run: direction (both -> in)" in shell("check", "--offline").stdout
    shell("config", "set", "connections.telerivet.direction", "--unset")
    assert TITLE not in shell("check", "--offline").stdout


def test_a_connection_under_another_name_is_noticed(shell: Shell) -> None:
    """It would be read anew, and what is owed to the old name never sent."""
    config = shell.folder / "config.toml"
    config.write_text(config.read_text().replace("[connections.telerivet]", "[connections.tele]"))
    told = shell("check", "--offline").stdout
    assert "telerivet: tele is the same account under another name" in told
    assert "tele: is new" in told


def test_another_account_is_a_mistake(shell: Shell) -> None:
    """Exit 1: the next run would refuse it."""
    config = shell.folder / "config.toml"
    config.write_text(config.read_text().replace("PJ", "PJ00", 1))
    done = shell("check", "--offline", code=1)
    assert "records of one account are not those of another" in done.stdout
    assert shell.json("check", "--offline", code=1)["ok"] is False


def test_no_more_people_are_looked_at_than_asked_for(shell: Shell) -> None:
    mapping(shell).write_text(mapping(shell).read_text() + "\nwhere: {field: region, in: [GA]}\n")
    told = shell("check", "--offline", "--sample", "20").stdout
    assert "reckoned from 20 of " in told
    assert "about " in told
    [change] = shell.json("check", "--offline", "--sample", "20")["changes"]
    assert (change["looked_at"], change["people"] > 20) == (20, True)
