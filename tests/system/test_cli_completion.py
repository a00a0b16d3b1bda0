"""Completion, as a shell asks for it: the real scripts, run by the real shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from daemon import places, settings
from daemon.cli import COMMANDS
from daemon.completing import outline
from state.model import Hold
from state.store import Store
from tests.system.cli_world import Shell, environment
from tests.system.test_cli_start import leaves

BIN = Path(sys.executable).parent
CONFIG = """\
[state]
url = "sqlite:///state.db"

[connections.strive_atl]
platform = "strive"
campaign_id = 273
api_key_file = "strive.key"

[connections.colony]
platform = "colony"
"""
"""Not sound: completion takes the file as it stands."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def bash(folder: Path, line: str) -> list[str]:
    """What bash offers behind this line, whose last word is being typed."""
    words = line.split(" ")
    typed = " ".join(f"'{word}'" for word in words)
    program = (
        "source <(rosterd completion bash) || exit 1; compopt() { :; }\n"
        f"COMP_WORDS=({typed}) COMP_CWORD={len(words) - 1}\n"
        '_rosterd_completion rosterd; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    return _run(["bash", "--norc", "--noprofile", "-c", program], folder).split()


def _run(command: list[str], folder: Path, **env: str) -> str:
    path = {"PATH": f"{BIN}:{environment()['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment(**path, **env), capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def ask(folder: Path, line: str, **env: str) -> list[str]:
    """As the script for bash asks, without the shell."""
    words = line.split(" ")
    told = _run(
        [str(BIN / "rosterd")],
        folder,
        _ROSTERD_COMPLETE="bash_complete",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
        **env,
    )
    return [each.partition(",")[2] for each in told.split()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("rosterd sta", ["status"]),
        ("rosterd sync --conn", ["--connection"]),
        ("rosterd sync --connection ", ["strive_atl", "colony"]),
        ("rosterd sync --connection s", ["strive_atl"]),
        ("rosterd config sh", ["show"]),
    ],
)
def test_bash_completes(folder: Path, line: str, offered: list[str]) -> None:
    assert bash(folder, line) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_their_scripts(folder: Path, shell: str) -> None:
    """Where they are installed; what they ask is asked in the same way."""
    script = _run([str(BIN / "rosterd"), "completion", shell], folder)
    assert (script.startswith("#compdef rosterd\n")) == (shell == "zsh")
    assert f"_ROSTERD_COMPLETE={shell}_complete" in script
    if shutil.which(shell) is not None:
        (folder / "script").write_text(script)
        _run([shell, "-n", "script"], folder)


def test_the_script_says_where_to_put_it(folder: Path) -> None:
    for shell, place in (("bash", "bash-completion"), ("zsh", "fpath"), ("fish", "config/fish")):
        first = Shell(folder)("completion", shell).stdout.splitlines()[:4]
        assert place in "\n".join(line for line in first if line.startswith("# "))


def test_what_is_in_the_configuration_is_offered(folder: Path) -> None:
    """Settings by their platform, those that are secret not; and from the file that is named on the line."""
    assert ask(folder, "rosterd config get connections.strive_atl.api") == ["connections.strive_atl.api_key_file"]
    assert "connections.colony.paths.token" in ask(folder, "rosterd config set connections.colony.p")
    assert ask(folder, "rosterd config set fuse.update.") == ["fuse.update.rows", "fuse.update.percent"]
    (folder / "other.toml").write_text(CONFIG.replace("strive_atl", "strive_sav"))
    assert ask(folder, "rosterd -c other.toml sync --connection s") == ["strive_sav"]
    assert ask(folder, "rosterd sync --connection s", ROSTERD_CONFIG="other.toml") == ["strive_sav"]


def test_open_holds_are_offered_by_number(folder: Path) -> None:
    store = Store(f"sqlite:///{folder}/state.db")
    with store.transaction() as tx:
        for number in range(3):
            tx.holds.open(Hold(f"key{number}", "match", {}, "strive_atl"))
        tx.holds.close("key1", {}, at=1.0)
    store.close()
    assert ask(folder, "rosterd holds decide ") == ["1", "3"]
    assert "same" in ask(folder, "rosterd holds decide 1 ")


@pytest.mark.parametrize("text", ["not = [toml", "connections = 3", "[connections]\na = 1", None])
def test_a_broken_configuration_offers_nothing_and_says_nothing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    assert ask(tmp_path, "rosterd sync --connection ") == []
    assert ask(tmp_path, "rosterd holds show ") == []
    assert ask(tmp_path, "rosterd stat") == ["status"]


@pytest.mark.parametrize(
    "line", ["rosterd ", "rosterd sync --connection ", "rosterd config set connections.", "rosterd holds decide "]
)
def test_completing_imports_no_database_no_http_and_no_validation(folder: Path, line: str) -> None:
    """Nothing but click: which is why it takes a tenth of a second."""
    program = (
        "import os, sys\nfrom daemon.cli import main\n"
        f"os.environ.update(_ROSTERD_COMPLETE='bash_complete', COMP_WORDS={line!r}, COMP_CWORD='{line.count(' ')}')\n"
        "try: main(prog_name='rosterd')\n"
        "finally: print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout or "holds" in line
    assert set(done.stderr.split()) == {"__main__", "click", "daemon"}


def test_every_command_is_in_the_outline() -> None:
    """With every option: what is not in it is not completed. Made anew by `python -m tests.docs_tables --write`."""
    known = outline()["commands"]
    assert list(known) == list(COMMANDS)
    for typed, command in leaves():
        entry = known[typed.split()[0]]
        for word in typed.split()[1:]:
            entry = entry["commands"][word]
        options = {opt for param in entry["params"] for opt in param.get("opts", ())}
        assert options == {
            opt
            for param in command.params
            if isinstance(param, click.Option) and not param.hidden
            for opt in (*param.opts, *param.secondary_opts)
        }


def test_the_configuration_is_looked_for_in_the_same_places() -> None:
    assert settings.PLACES == places.CONFIG
