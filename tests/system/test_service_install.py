"""`rosterd service` as an administrator and a packager type it: what is written, kept, refused, and taken away."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.errors import RosterdError
from daemon.service import install, program, units
from daemon.service.install import Place
from daemon.service.units import Wanted
from tests.system.cli_world import ROOT, Shell, environment

SYSTEM = "etc/systemd/system"
NO_SYSTEMD = not install.SYSTEMD.exists()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Somebody with a home of their own, in a source tree: --force is what that asks for."""
    home = tmp_path / "home"
    home.mkdir()
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return Shell(tmp_path)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# writing


def test_the_unit_is_written_and_the_rest_is_said(shell: Shell) -> None:
    """Readable by everybody whatever the umask, with this installation's program, and with the lines left to type."""
    with umask(0o077):
        done = shell("service", "install", "--root", "image", "--force")
    unit = shell.folder / "image" / SYSTEM / "rosterd.service"
    text = unit.read_text()
    assert f"\nExecStart={sys.prefix}/bin/rosterd -c %E/rosterd/config.toml run\n" in text
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert [path.name for path in unit.parent.iterdir()] == ["rosterd.service"]
    assert f"wrote {unit}" in done.stdout
    for line in (
        "write the configuration: /etc/rosterd/config.toml (`rosterd init --dir /etc/rosterd`",
        "systemctl edit rosterd.service, and write",
        "systemctl enable --now rosterd.service",
        "journalctl -u rosterd.service -f",
    ):
        assert line in done.stdout
    assert text == shell("service", "show").stdout


@pytest.mark.parametrize(
    ("options", "files", "start"),
    [
        ((), ["rosterd.service"], "systemctl enable --now rosterd.service"),
        (("--name", "atlanta"), ["rosterd@.service"], "systemctl enable --now rosterd@atlanta.service"),
        (("--sync",), ["rosterd-sync.service", "rosterd-sync.timer"], "systemctl enable --now rosterd-sync.timer"),
        (
            ("--sync", "--name", "atlanta"),
            ["rosterd-sync@.service", "rosterd-sync@.timer"],
            "systemctl enable --now rosterd-sync@atlanta.timer",
        ),
        (("--user",), ["rosterd.service"], "systemctl --user enable --now rosterd.service"),
    ],
)
def test_each_kind_has_its_files_and_its_start(
    shell: Shell, options: tuple[str, ...], files: list[str], start: str
) -> None:
    told = shell.json("service", "install", "--root", "image", "--force", *options)
    folder = (
        shell.folder / "image" / (f"{shell.folder}/home/.config/systemd/user"[1:] if "--user" in options else SYSTEM)
    )
    assert sorted(path.name for path in folder.iterdir()) == files
    assert told["files"] == [{"path": str(folder / name), "did": "wrote"} for name in files]
    assert told["reloaded"] is False
    assert any(start in step for step in told["next"])


def test_a_second_time_changes_nothing_and_an_upgrade_only_what_is_old(shell: Shell) -> None:
    """Not even the time of a file that is as it should be."""
    shell("service", "install", "--root", "image", "--force")
    unit = shell.folder / "image" / SYSTEM / "rosterd.service"
    before = unit.stat()
    assert f"unchanged {unit}" in shell("service", "install", "--root", "image", "--force").stdout
    assert (unit.stat().st_mtime_ns, unit.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    fresh = unit.read_text()
    unit.write_text(
        units.signed("[Service]\nExecStart=/opt/rosterd/bin/rosterd serve\n", "0.0.1")
    )  # an older version's
    assert f"updated {unit}" in shell("service", "install", "--root", "image", "--force").stdout
    assert unit.read_text() == fresh


def refused(wanted: Wanted, folder: Path, *, force: bool = False) -> str:
    texts = {
        folder / file: units.rendered(wanted, file, program="/x", config=None, version="1") for file in wanted.files
    }
    try:
        install.write(texts, force=force)
    except RosterdError as problem:
        return f"{problem} | {problem.hint}"
    return ""


@pytest.mark.parametrize("how", ["edited", "foreign", "linked", "masked", "unsigned"])
def test_what_a_person_did_is_not_overwritten(tmp_path: Path, how: str) -> None:
    """And of two files neither is written then. A drop-in is what they want instead."""
    wanted, service, timer = Wanted(sync=True), tmp_path / "rosterd-sync.service", tmp_path / "rosterd-sync.timer"
    assert refused(wanted, tmp_path) == ""
    service.unlink()
    ours = timer.read_text()
    match how:
        case "edited":
            timer.write_text(ours.replace("OnCalendar=minutely", "OnCalendar=hourly"))
        case "foreign":
            timer.write_text("[Timer]\nOnCalendar=daily\n")
        case "unsigned":
            timer.write_text(ours.partition("\n")[2])
        case "linked":
            (tmp_path / "elsewhere").write_text(ours)
            timer.unlink()
            timer.symlink_to("elsewhere")
        case "masked":
            timer.unlink()
            timer.symlink_to("/dev/null")
    mine = timer.read_text()
    said = refused(wanted, tmp_path)
    assert f"{timer}: edited, or written by somebody else" in said
    assert f"{timer}.d/override.conf" in said
    assert not service.exists()
    assert timer.read_text() == mine
    assert refused(wanted, tmp_path, force=True) == ""
    assert timer.read_text() == ours
    assert not timer.is_symlink()


def test_a_folder_that_may_not_be_written_is_named(shell: Shell) -> None:
    (shell.folder / "image").write_text("a file, where a folder should be")
    done = shell("service", "install", "--root", "image/below", "--force", code=1)
    assert "Not a directory" in done.stderr


# what is left to do


def test_the_keys_that_the_configuration_names_are_the_credentials_to_write(shell: Shell) -> None:
    """Nobody has to find out the names; what needs no credential is not asked for."""
    config = shell.folder / "image/etc/rosterd/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        '[state]\nurl_file = "keys/database.url"\n'
        '[service]\ntoken_file = "keys/page.token"\n[connections.strive_atl]\nplatform = "strive"\ncampaign_id = 1\n'
        'api_key_file = "keys/strive.key"\n[connections.carium]\nplatform = "carium"\npassword_file = "/root/carium"\n'
    )
    config.chmod(0o644)
    config.parent.chmod(0o755)
    steps = shell.json("service", "install", "--root", "image", "--force")["next"]
    assert [step.strip() for step in steps if "LoadCredential=" in step] == [
        "LoadCredential=connections__strive_atl__api_key:/etc/rosterd/keys/strive.key",
        "LoadCredential=connections__carium__password:/root/carium",
        "LoadCredential=state__url:/etc/rosterd/keys/database.url",
        "LoadCredential=service__token:/etc/rosterd/keys/page.token",
    ]
    assert not [step for step in steps if "chmod" in step or "write the configuration" in step or "[state]" in step]


def test_what_the_service_could_not_read_is_named(shell: Shell) -> None:
    """As a root with a careful umask leaves it: the folders, and what is in them."""
    folder = shell.folder / "image/etc/rosterd"
    (folder / "mappings").mkdir(parents=True)
    (folder / "config.toml").write_text(
        '[connections.strive_atl]\nplatform = "strive"\nmapping = "mappings/strive.yaml"\n'
    )
    (folder / "mappings/strive.yaml").write_text("preset: strive\n")
    for each in (folder, folder / "config.toml", folder / "mappings", folder / "mappings/strive.yaml"):
        each.chmod(0o700 if each.is_dir() else 0o600)
    (step,) = [
        step for step in shell.json("service", "install", "--root", "image", "--force")["next"] if "chmod" in step
    ]
    said = "/etc/rosterd /etc/rosterd/config.toml /etc/rosterd/mappings /etc/rosterd/mappings/strive.yaml"
    assert step.endswith(f": chmod a+rX {said}")
    subprocess.run(["chmod", "a+rX", *(f"{shell.folder}/image{each}" for each in said.split())], check=True)
    assert "chmod" not in " ".join(shell.json("service", "install", "--root", "image", "--force")["next"])


@pytest.mark.parametrize(
    ("options", "url", "wanted"),
    [
        ((), None, None),
        ((), "sqlite:////var/lib/rosterd/other.db", None),
        (("--name", "atlanta"), "in a file", None),
        ((), "postgresql:///rosterd", None),
        ((), "sqlite:///state.db", "sqlite:////var/lib/rosterd/state.db"),
        (("--name", "atlanta"), None, "sqlite:////var/lib/rosterd-atlanta/state.db"),
        (("--name", "atlanta"), "sqlite:////var/lib/rosterd/state.db", "sqlite:////var/lib/rosterd-atlanta/state.db"),
        (("--name", "atlanta"), "sqlite:////var/lib/rosterd-atlanta/state.db", None),
        (("--user",), None, "sqlite:///HOME/.local/share/rosterd/state.db"),
        (("--user",), "sqlite:////home/me/state.db", None),
    ],
)
def test_a_database_where_the_service_cannot_write_is_pointed_out(
    shell: Shell, options: tuple[str, ...], url: str | None, wanted: str | None
) -> None:
    home = f"{shell.folder}/home"
    folder = shell.folder / "image" / (f"{home}/.config/rosterd"[1:] if "--user" in options else "etc/rosterd")
    folder.mkdir(parents=True)
    named = "[log]" if url is None else f'url = "{url}"' if ":" in url else 'url_file = "database.url"'
    (folder / ("atlanta.toml" if "--name" in options else "config.toml")).write_text(f"[state]\n{named}\n")
    steps = shell.json("service", "install", "--root", "image", "--force", *options)["next"]
    said = [step.partition("url = ")[2].strip('"') for step in steps if "url = " in step]
    assert said == ([wanted.replace("HOME", home)] if wanted else [])


def test_another_configuration_is_read_where_it_is(shell: Shell) -> None:
    """Given here or before the command."""
    for words in (("service", "show", "--config", "/srv/ro ster.toml"), ("-c", "/srv/ro ster.toml", "service", "show")):
        assert 'rosterd -c "/srv/ro ster.toml" run\n' in shell(*words).stdout


# what is refused


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--root", "image"), 1, "it runs a source tree, which changes as it is worked on"),
        (("--root", "image", "--force", "--config", "/home/me/config.toml"), 1, "the service does not see /home/me"),
        (
            ("--root", "image", "--force", "--config", "/tmp/config.toml"),
            1,
            "the service does not see /tmp/config.toml",
        ),
        (("--root", "image", "--name", "a", "--config", "/etc/a.toml"), 2, "--config does not go with --name"),
        (("--root", "image", "--name", "Atlanta"), 2, "small letters"),
        (("--root", "image", "--name", "a/../b"), 2, "small letters"),
        (("--root", "image", "--name", "a" * 24), 2, "small letters"),
    ],
)
def test_what_could_not_work_is_refused(shell: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    done = shell("service", "install", *words, code=code)
    assert said in done.stderr
    assert not (shell.folder / "image").exists()


@pytest.mark.skipif(not NO_SYSTEMD, reason="systemd runs this machine")
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_without_systemd_there_is_nothing_to_install_for(shell: Shell, verb: str) -> None:
    done = shell("service", verb, code=1)
    assert "systemd does not run this machine" in done.stderr
    assert "cron" in done.stderr


def test_a_program_that_may_go_away_or_cannot_be_reached_is_no_place_for_a_service(tmp_path: Path) -> None:
    """Each with its reason: what the machine's service does not see is fine for a user's own."""
    closed = tmp_path / "closed" / "rosterd"
    closed.parent.mkdir(mode=0o700)
    closed.write_text("#!/bin/sh\n")
    closed.chmod(0o755)
    assert "closed to others" in program.closed_to_others(closed)
    assert "in a home" in program.closed_to_others(Path("/home/me/.local/share/uv/tools/rosterd/bin/rosterd"))
    assert program.closed_to_others(Path("/usr/bin/env")) == ""
    assert Path("/tmp") in program.fleeting()


# taking away


def test_what_was_written_goes_and_what_is_yours_stays(shell: Shell) -> None:
    """Enabled or not; and it says what it left."""
    shell("service", "install", "--sync", "--root", "image", "--force")
    folder = shell.folder / "image" / SYSTEM
    (folder / "timers.target.wants").mkdir()
    (folder / "timers.target.wants/rosterd-sync.timer").symlink_to("/etc/systemd/system/rosterd-sync.timer")
    (folder / "rosterd-sync.service.d").mkdir()
    (folder / "rosterd-sync.service.d/override.conf").write_text("[Service]\n")
    (folder / "other.service").write_text("[Service]\n")
    for below in ("etc/rosterd/config.toml", "var/lib/rosterd/state.db"):
        (shell.folder / "image" / below).parent.mkdir(parents=True)
        (shell.folder / "image" / below).write_text("mine\n")
    done = shell("service", "uninstall", "--sync", "--root", "image")
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    assert left == ["other.service", "rosterd-sync.service.d/override.conf"]
    image = shell.folder / "image"
    assert done.stdout.splitlines() == [
        "stopped and disabled rosterd-sync.timer",
        f"removed {folder}/rosterd-sync.service",
        f"removed {folder}/rosterd-sync.timer",
        f"left alone: {folder}/rosterd-sync.service.d",
        f"left alone: {image}/etc/rosterd",
        f"left alone: {image}/var/lib/rosterd",
    ]
    assert "nothing was installed" in shell("service", "uninstall", "--sync", "--root", "image").stdout


def test_a_template_stays_while_another_roster_uses_it(shell: Shell) -> None:
    folder = shell.folder / "image" / SYSTEM
    shell("service", "install", "--name", "atlanta", "--root", "image", "--force")
    (folder / "multi-user.target.wants").mkdir()
    for name in ("atlanta", "boston"):
        (folder / f"multi-user.target.wants/rosterd@{name}.service").symlink_to("/etc/systemd/system/rosterd@.service")
    first = shell.json("service", "uninstall", "--name", "atlanta", "--root", "image")
    assert (first["stopped"], first["removed"]) == (["rosterd@atlanta.service"], [])
    assert first["kept_for"] == ["rosterd@boston.service"]
    last = shell.json("service", "uninstall", "--name", "boston", "--root", "image")
    unit, *manual = last["removed"]
    assert unit == str(folder / "rosterd@.service")
    assert all("/share/man/" in page for page in manual)  # as the installation has them, or not


def test_an_edited_file_is_not_removed_unasked(shell: Shell) -> None:
    shell("service", "install", "--root", "image", "--force")
    unit = shell.folder / "image" / SYSTEM / "rosterd.service"
    unit.write_text(unit.read_text() + "# mine\n")
    assert "edited" in shell("service", "uninstall", "--root", "image", code=1).stderr
    assert unit.exists()
    shell("service", "uninstall", "--root", "image", "--force")
    assert not unit.exists()


# from the wheel


@pytest.fixture(scope="module")
def wheeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """rosterd installed from its wheel into an environment of its own; what it depends on is borrowed from ours."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    base = os.path.realpath(sys.executable)
    subprocess.run(["sh", ".ci/install", base, folder / "venv", wheel], cwd=ROOT, check=True, capture_output=True)
    [site] = (folder / "venv/lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(os.path.dirname(os.path.dirname(sys.modules["click"].__file__ or "")))
    return folder / "venv"


def run(venv: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = environment(HOME=str(folder)) | {"PYTHONPATH": ""}
    command = [str(venv / "bin/rosterd"), "service", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_an_installation_writes_its_own_path_from_its_own_files(wheeled: Path, tmp_path: Path) -> None:
    """Here it is in a temporary folder, which it says; the units are those in the wheel."""
    done = run(wheeled, tmp_path, "install", "--root", "image")
    assert done.returncode == 1
    assert "is in a folder that is emptied now and then" in done.stderr
    done = run(wheeled, tmp_path, "install", "--root", "image", "--force")
    assert done.returncode == 0, done.stderr
    unit = (tmp_path / "image" / SYSTEM / "rosterd.service").read_text()
    assert f"\nExecStart={wheeled}/bin/rosterd -c %E/rosterd/config.toml run\n" in unit
    assert units.untouched(unit)
    [shipped] = wheeled.glob("lib/python*/site-packages/daemon/service/units/rosterd.service")
    assert shipped.read_text() == (ROOT / "deploy/rosterd.service").read_text()


def test_manual_and_completion_are_linked_to_where_they_are_looked_for(wheeled: Path, tmp_path: Path) -> None:
    """As links, so that an upgrade of rosterd upgrades them; what is somebody else's stays."""
    page = wheeled / "share/man/man1/rosterd.1"
    if not page.exists():  # as a wheel brings it
        page.parent.mkdir(parents=True)
        page.write_text('.TH "ROSTERD" "1"\n')
        [record] = wheeled.glob("lib/python*/site-packages/rosterd-*.dist-info/RECORD")
        with record.open("a") as out:
            out.write(f"{os.path.relpath(page, record.parents[1])},,\n")
    link = tmp_path / "image/usr/local/share/man/man1/rosterd.1"
    done = run(wheeled, tmp_path, "install", "--root", "image", "--force")
    assert f"linked {link}" in done.stdout
    assert link.readlink() == page
    assert "linked" not in run(wheeled, tmp_path, "install", "--root", "image", "--force").stdout
    assert f"removed {link}" in run(wheeled, tmp_path, "uninstall", "--root", "image").stdout
    assert not link.is_symlink()
    link.write_text("of the distribution's package")
    run(wheeled, tmp_path, "install", "--root", "image", "--force")
    run(wheeled, tmp_path, "uninstall", "--root", "image")
    assert link.read_text() == "of the distribution's package"


def test_the_places_of_a_user_follow_their_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))
    place = Place(user=True)
    assert (place.units, place.share, place.config) == (
        tmp_path / "c/systemd/user",
        tmp_path / "d",
        tmp_path / "c/rosterd",
    )
