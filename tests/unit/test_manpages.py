"""The manual pages say what the program says, and troff takes them without a murmur."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from daemon.cli import COMMANDS
from daemon.commands import options
from daemon.settings_models import Settings
from tests import manpages
from tests.docs_tables import PLATFORMS, Connection
from tests.machine import needs
from tests.system.test_cli_start import leaves

PAGES = dict(manpages.files())


def rendered(page: Path) -> str:
    """The page as `man` shows it, without its bold and italics."""
    command = ["groff", "-k", "-man", "-Tutf8", "-ww", "-rLL=100n", "-P-cbou", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_there_is_a_page_for_every_command_and_no_other() -> None:
    """What they say is compared in test_docs.py, with all else that is made from the code."""
    assert {path for path in manpages.MAN.rglob("*") if path.is_file()} == set(PAGES)
    assert {f"rosterd-{name}.1" for name in COMMANDS} < {path.name for path in PAGES}


@pytest.mark.parametrize(("typed", "command"), list(leaves()), ids=lambda one: one if isinstance(one, str) else "")
def test_every_option_of_a_command_is_on_its_page(typed: str, command: click.Command) -> None:
    text = PAGES[manpages.MAN / "man1" / f"rosterd-{typed.split(maxsplit=1)[0]}.1"]
    for param in command.params:
        if isinstance(param, click.Option):
            assert manpages.plain(param.opts[0]) in text
    assert manpages.plain(f"rosterd {typed}") in text


def test_the_page_of_the_program_has_every_exit_code() -> None:
    found = [int(code) for code, _ in manpages.exit_codes()]
    codes = (0, options.FAILED, options.USAGE, options.PARTIAL, options.LATER, options.CONFIG, options.INTERRUPTED)
    assert found == list(codes)


def test_the_page_of_the_configuration_has_every_key() -> None:
    text = PAGES[manpages.MAN / "man5" / "rosterd.toml.5"]
    for name, field in Settings.model_fields.items():
        assert manpages.plain(f"[{name}" if name != "connections" else "[connections.NAME]") in text
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"\\fB{manpages.plain(key)}" in text
    for model in (Connection, *PLATFORMS.values()):
        assert all(f"\\fB{manpages.plain(key)}" in text for key in model.model_fields)


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.name)
def test_no_line_is_taken_for_a_request(page: Path) -> None:
    """Whatever a help text begins with; and nothing but ASCII, which every troff can read."""
    requests = {"TH", "SH", "SS", "PP", "TP", "B", "RS", "RE", "nf", "fi"}
    for line in PAGES[page].splitlines():
        assert line.isascii()
        assert not line.startswith("'")
        assert not line.startswith(".") or line[1:].split()[0] in requests, line
        assert not re.search(r"\\(?![-efu&\[])", line), line


@pytest.mark.parametrize("text", ["'quoted' first", ".dotted", "a\\b -c", "`.toml` files", "…"])
def test_what_troff_would_take_for_its_own_is_written_so_that_it_does_not(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text(
        manpages.whole(['.TH "X" "1" "2026-11-28"', ".SH NAME", manpages.marked(text), manpages.plain(text)])
    )
    needs("groff", "groff")
    shown = rendered(page)
    assert text.replace("`", "") in shown
    assert text in shown


def test_troff_takes_every_page() -> None:
    """No warning, and the words of a page in their places."""
    needs("groff", "groff")
    shown = rendered(manpages.MAN / "man1" / "rosterd-config.1")
    assert 'rosterd config set identity.ignore \'["+12025550100", "frontdesk@example.org"]\'' in shown
    for page in PAGES:
        assert "SEE ALSO" in rendered(page)


def test_mandoc_finds_nothing_to_say() -> None:
    needs("mandoc", "mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *PAGES], capture_output=True, text=True, check=False)
    assert done.stdout == ""
