"""`rosterd init`: what it writes loads, keeps keys private, and never overwrites by accident."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.sandbox import Sandbox
from tests.system.cli_world import Shell, environment

PROJECT = "PJ2ad0100821a98bea"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def key_file(folder: Path, name: str = "my.key") -> Path:
    path = folder / name
    path.write_text("a-key-of-mine\n")
    path.chmod(0o600)
    return path


def test_from_flags(shell: Shell) -> None:
    """Everything by flags: the configuration loads, the mappings say what they are, the next steps are told."""
    key = key_file(shell.folder)
    done = shell(
        *("init", "--dir", "here", "--strive-campaign-id", 9, "--strive-key-file", key, "--region", "ZA"),
        *("--telerivet-project-id", PROJECT, "--telerivet-key-file", key),
    )
    assert "rosterd -c here/config.toml check" in done.stdout
    shown = shell.json("-c", "here/config.toml", "config", "show")
    assert shown["connections.strive.campaign_id"]["value"] == 9
    assert shown["connections.strive.region"]["value"] == "ZA"
    assert shown["connections.telerivet.project_id"]["value"] == PROJECT
    assert shown["state.url"]["value"] == f"sqlite:///{shell.folder}/here/state.db"
    assert shell.json("-c", "here/config.toml", "check", "--offline")["ok"]
    mapping = (shell.folder / "here/mappings/telerivet.yaml").read_text()
    assert "\npreset: telerivet\n" in mapping
    assert "#   phone: phone_number" in mapping


def test_the_preset_in_the_comments_is_a_mapping_when_uncommented(shell: Shell) -> None:
    """Whoever edits the comments finds the real preset there."""
    shell("init", "--strive-campaign-id", 9)
    from mappings.load import preset_text

    text = (shell.folder / "mappings/strive.yaml").read_text()
    comments = text.split("what is not changed above is so ----\n#\n")[1].splitlines()
    assert [line.removeprefix("#").removeprefix(" ").rstrip() for line in comments] == [
        line.rstrip() for line in preset_text("strive").splitlines()
    ]


def test_without_a_key_it_says_where_to_put_it(shell: Shell) -> None:
    """No key yet: the next steps name the file; check then says that it is missing, exit 78."""
    done = shell("init", "--strive-campaign-id", 9)
    assert "put the API key of Strive into strive.key, and chmod 600 it" in done.stdout
    assert "strive.key does not exist" in shell("check", code=78).stderr


def test_nothing_is_overwritten(shell: Shell) -> None:
    """A file in the way: exit 1, named, and nothing else is written; --force overwrites."""
    (shell.folder / "mappings").mkdir()
    mine = shell.folder / "mappings/strive.yaml"
    mine.write_text("mine")
    done = shell("init", "--strive-campaign-id", 9, code=1)
    assert "error: mappings/strive.yaml: there already" in done.stderr
    assert mine.read_text() == "mine"
    assert not (shell.folder / "config.toml").exists()
    shell("init", "--strive-campaign-id", 9, "--force")
    assert mine.read_text() != "mine"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ((), "Say which accounts: --strive-campaign-id, --telerivet-project-id, --action-network-group, --colony-"),
        (("--colony-username", "r"), "--colony-username needs --colony-client-id."),
        (("--carium-password-file", __file__), "--carium-password-file goes with --carium-username."),
        (("--strive-url", "https://x.example.org"), "--strive-url goes with --strive-campaign-id."),
        (("--sandbox", "http://127.0.0.1:1", "--strive-campaign-id", "9"), "--sandbox fills in everything"),
        (("--strive-campaign-id", "nine"), "not a valid integer"),
        (("--only", "strive"), "--only goes with --sandbox."),
    ],
)
def test_wrong_usage(shell: Shell, typed: tuple[str, ...], told: str) -> None:
    """Without a terminal nothing is asked: exit 2 and what is missing."""
    assert told in shell("init", *typed, code=2).stderr
    assert not list(shell.folder.iterdir())


def test_a_sandbox_that_is_not_there(shell: Shell) -> None:
    """Exit 1 and how to start one; an address elsewhere is not even asked."""
    done = shell("init", "--sandbox", "http://127.0.0.1:1", code=1)
    assert "no sandbox answers at http://127.0.0.1:1/_sandbox/" in done.stderr
    assert "hint: start one: rosterd sandbox" in done.stderr
    assert "is no sandbox" in shell("init", "--sandbox", "http://example.org", code=1).stderr


def test_keys_are_private(shell: Shell) -> None:
    """A key goes into a file of its own that nobody else can read, and is not shown."""
    with Sandbox(empty=True) as sandbox:
        written = shell.json("init", "--sandbox", sandbox.url)["written"]
        assert "strive.key" in written
        for account in sandbox.accounts.values():
            for name, secret in account.secrets.items():
                path = shell.folder / f"{account.name}.{name.rpartition('_')[2]}"
                assert path.stat().st_mode & 0o777 == 0o600
                assert path.read_text() == f"{secret}\n"
                assert secret not in (shell.folder / "config.toml").read_text()
    assert shell.json("check", "--offline")["ok"]


def test_every_platform_by_flags(shell: Shell) -> None:
    """Name and password, or a word for the group: what is configured loads, and the secrets stay where they were."""
    key = key_file(shell.folder)
    done = shell(
        *("init", "--region", "US", "--action-network-group", "atlanta", "--action-network-key-file", key),
        *("--colony-username", "ops", "--colony-client-id", "c1", "--colony-password-file", key),
        *("--colony-secret-file", key, "--carium-username", "ops@example.org"),
    )
    assert "put the password of Carium into carium.password, and chmod 600 it" in done.stdout
    key_file(shell.folder, "carium.password")
    shown = shell.json("config", "show")
    assert shown["connections.colony.region"]["value"] == "ZA"
    assert shown["connections.action_network.group"]["value"] == "atlanta"
    assert shell.json("check", "--offline")["ok"]


def test_it_asks_on_a_terminal(shell: Shell) -> None:
    """Number and key are asked for; the key is not echoed; a blank answer leaves a platform out."""
    ours, theirs = pty.openpty()
    # A new session takes the first terminal it opens for its own; getpass wants one.
    program = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.executable, sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", program, *shell.command("init")],
        cwd=shell.folder,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        blank = [("id of the project", ""), ("word for the group", ""), ("Colony: name", ""), ("Carium: name", "")]
        seen = answer(ours, ("number of the campaign", "42"), ("API key", "s3cret-typed"), *blank)
        assert process.wait(timeout=30) == 0
    os.close(ours)
    assert "s3cret-typed" not in seen
    assert "wrote config.toml" in seen
    config = (shell.folder / "config.toml").read_text()
    assert "campaign_id = 42" in config
    assert "telerivet" not in config
    assert (shell.folder / "strive.key").read_text() == "s3cret-typed\n"


def answer(terminal: int, *dialogue: tuple[str, str]) -> str:
    """Answer each question when it appears; returns all that was seen."""
    seen = ""
    for question, reply in dialogue:
        while question not in seen:
            seen += os.read(terminal, 4096).decode()
        while not seen.endswith(": "):
            seen += os.read(terminal, 4096).decode()
        os.write(terminal, f"{reply}\n".encode())
    try:
        while piece := os.read(terminal, 4096):
            seen += piece.decode()
    except OSError:
        pass  # the other end is closed
    return seen
