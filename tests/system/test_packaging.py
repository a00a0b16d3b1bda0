"""What is shipped is what was written: the wheel, the lock files, the scripts around them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("daemon", "mappings", "state")
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock")
# Where packages come from is a matter of the machine, not of the project. (In parts: this file is read too.)
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("npmjs", "org"),
        ("anaconda", "org"),
        ("crates", "io"),
    )
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built here and now, without network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("rosterd-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def files(folder: Path) -> Iterator[Path]:
    """The files of the project below `folder`, without what tools leave behind."""
    for at, folders, names in os.walk(folder):
        folders[:] = [
            one for one in folders if one not in ("__pycache__", "dist", "build") and (one[0] != "." or one == ".ci")
        ]
        yield from (Path(at, name) for name in names if not name.endswith((".pyc", ".db", ".db-wal", ".db-shm")))


def test_the_wheel_carries_every_file_of_the_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Presets, migrations and type markers too: a line in .gitignore can take them away without a word."""
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name and ".data/" not in name}
    written = {str(path.relative_to(ROOT)) for package in PACKAGES for path in files(ROOT / package)}
    written |= {f"daemon/service/units/{path.relative_to(ROOT / 'deploy')}" for path in files(ROOT / "deploy")}
    assert shipped == written
    assert {
        f"daemon/service/units/{name}" for name in ("rosterd.service", "rosterd@.service", "rosterd-sync.timer")
    } < shipped
    assert {"mappings/presets/strive.yaml", "mappings/presets/telerivet.yaml", "daemon/py.typed"} < shipped
    assert any(re.fullmatch(r"state/migrations/versions/\w+\.py", name) for name in shipped - {"__init__.py"})


def test_nothing_but_unit_files_is_shipped_as_such() -> None:
    """deploy/ goes into the wheel as it is."""
    assert {path.suffix for path in files(ROOT / "deploy")} == {".service", ".timer"}


def test_the_wheel_carries_the_manual_where_man_looks_for_it(wheel: zipfile.ZipFile) -> None:
    """Beside the command: bin/rosterd, share/man."""
    found = {name.partition(".data/data/")[2] for name in wheel.namelist() if "/share/man/" in name}
    man = ROOT / "docs" / "man"
    assert found == {f"share/man/{path.relative_to(man)}" for path in files(man)}
    assert {"share/man/man1/rosterd.1", "share/man/man5/rosterd.toml.5"} < found


def test_the_wheel_makes_the_command_and_names_what_it_needs(wheel: zipfile.ZipFile) -> None:
    [entry] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "rosterd = daemon.cli:main" in wheel.read(entry).decode()
    [metadata] = [name for name in wheel.namelist() if name.endswith("METADATA")]
    fields = HeaderParser().parsestr(wheel.read(metadata).decode())
    assert fields["Requires-Python"] == ">=3.11"
    assert fields["License-Expression"] == "MIT"
    needed = [one for one in fields.get_all("Requires-Dist") or [] if "extra ==" not in one]
    assert len(needed) == len(dependencies())
    assert fields.get_all("Provides-Extra") == ["postgresql"]
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def dependencies() -> list[str]:
    """The names of what pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.split(r"[<>=\[]", one)[0].lower() for one in project["dependencies"]]


def pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_pins_everything_by_hash_and_names_no_place(lock: str) -> None:
    """Made by `make lock`."""
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(entries) == len(pinned(lock)) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_the_lock_files_agree_and_hold_all_we_ask_for() -> None:
    runtime, dev, bench = (pinned(lock) for lock in LOCKS)
    assert set(dependencies()) <= set(runtime)
    assert runtime.items() <= dev.items()
    assert {name: bench[name] for name in runtime} == runtime
    assert {"hatchling", "editables", "pytest", "ruff", "mypy", "import-linter"} <= set(dev)
    assert "dlt" in bench


def test_no_file_names_a_package_registry() -> None:
    for path in files(ROOT):
        text = path.read_text(errors="replace")
        assert not [host for host in REGISTRIES if host in text], path


@pytest.mark.parametrize(("shell", "script"), [("bash", ".ci/run"), ("sh", ".ci/install")])
def test_the_scripts_can_be_read_by_their_shell(shell: str, script: str) -> None:
    subprocess.run([shell, "-n", ROOT / script], check=True)
    assert shell == "sh" or os.access(ROOT / script, os.X_OK)


def test_what_the_machine_must_have_is_listed_with_its_package() -> None:
    """`.ci/run` installs what is missing, instead of leaving out what needs it."""
    lines = (ROOT / ".ci/needs").read_text().splitlines()
    needs = dict(line.split() for line in lines if line and not line.startswith("#"))
    assert needs["systemd-analyze"] == "systemd"
    assert ".ci/needs" in (ROOT / ".ci/run").read_text()


def test_make_knows_its_targets() -> None:
    """And none of them needs more than the Makefile to be understood."""
    targets = ["setup", "test", "demo", "lint", "bench", "crash", "lock", "ci"]
    done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("-m pytest -n 3", "rosterd demo", "ruff check", "mypy", "lint-imports", ".ci/run"):
        assert command in done.stdout
