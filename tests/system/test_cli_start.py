"""Before any work is done: help, versions, wrong usage, wrong configuration, and how errors are told."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from daemon import cli, errors
from daemon.cli import COMMANDS, exit_code
from tests.system.cli_world import ROOT, Shell, environment

WITHOUT_JSON = {"sandbox", "run", "config example", "config schema", "completion"}
"""The first shows nothing but an address, the second logs; the others are files in formats of their own."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def leaves() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what one types."""
    for name in COMMANDS:
        command: click.Command = importlib.import_module(f"daemon.commands.{name}").command
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", each) for below, each in command.commands.items())
        else:
            yield name, command


def test_help_imports_nothing_but_click() -> None:
    """`rosterd --help` starts no database, no HTTP client and no validation."""
    program = (
        "import sys; from daemon.cli import main; before = set(sys.stdlib_module_names)\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd=ROOT,
    )
    assert done.stderr.strip() == "['__main__', 'click', 'daemon']"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "command"), list(leaves()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_has_an_example_and_json(typed: str, command: click.Command) -> None:
    """The help of a command shows how it is typed, and what shows something can show JSON."""
    assert f"rosterd {typed}" in (command.help or "")
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert ("--json" in flags) != (typed in WITHOUT_JSON)


def test_a_command_that_does_not_exist(shell: Shell) -> None:
    """Exit 2, and the command that was probably meant."""
    done = shell("sttus", code=2)
    assert "There is no command 'sttus'. Did you mean 'status'?" in done.stderr
    assert done.stdout == ""


def test_version(shell: Shell) -> None:
    """The version is told without a configuration."""
    assert shell("--version").stdout.startswith("rosterd ")


@pytest.mark.parametrize(
    "typed",
    [("sync",), ("status",), ("check", "--offline"), ("contacts", "find", "x"), ("holds", "list"), ("db", "check")],
)
def test_without_a_configuration(shell: Shell, typed: tuple[str, ...]) -> None:
    """Exit 78, where it looked, and what writes one."""
    done = shell(*typed, code=78)
    assert "error: no configuration found (looked at config.toml and /etc/rosterd/config.toml)" in done.stderr
    assert "hint: `rosterd init` writes one" in done.stderr


def test_every_mistake_in_the_configuration_is_told_at_once(shell: Shell) -> None:
    """Exit 78; one line a mistake, each with its place."""
    (shell.folder / "config.toml").write_text('[state]\nurll = "x"\n[connections.a]\nplatform = "strive"\n')
    done = shell("sync", code=78)
    lines = done.stderr.splitlines()
    assert any(line.startswith("error: config.toml:2:1: state.urll") for line in lines)
    assert any(line.startswith("error: config.toml:3") and "campaign_id" in line for line in lines)


def test_a_config_that_is_not_there(shell: Shell) -> None:
    """-c names a file that does not exist."""
    assert "error: nowhere.toml: no such file" in shell("-c", "nowhere.toml", "status", code=78).stderr


def test_a_reader_that_goes_away_is_no_error(shell: Shell) -> None:
    """`rosterd config example | head -1` prints one line and nothing about a broken pipe."""
    with shell.start("config", "example") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == cli.PIPE


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.BadConfig(["x"]), 78),
        (errors.Busy("x"), 75),
        (errors.RetryLater("x"), 75),
        (errors.AnswerLost("x"), 75),
        (errors.NeedsPerson("x"), 1),
        (errors.StopSync("x"), 1),
        (errors.SkipRecord("x"), 1),
    ],
)
def test_exit_codes(problem: errors.RosterdError, code: int) -> None:
    """What happens next is in the exit code."""
    assert exit_code(problem) == code


def test_config_example_is_the_file_in_the_repository(shell: Shell) -> None:
    """What is printed is what is documented."""
    assert shell("config", "example").stdout == (ROOT / "config.example.toml").read_text()
    assert shell("config", "example", "--schema").stdout.startswith("{")
