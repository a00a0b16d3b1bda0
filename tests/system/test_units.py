"""The unit files: systemd understands them, finds them closed enough, and a person finds every line explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon import settings
from daemon.errors import RosterdError
from daemon.service import units
from daemon.service.units import Wanted
from daemon.settings_service import Service
from tests import unit_files
from tests.unit_files import DEPLOY, EVERY, FILES, PAGE, SERVICES, analyze, installed

SETTING = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)
IDS = [f"{'user ' if one.user else ''}{one.unit}" for one in EVERY]


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def values(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in SETTING.findall(text(name)):
        found.setdefault(key, []).append(value)
    return found


# what systemd says


@pytest.mark.parametrize("wanted", EVERY, ids=IDS)
def test_systemd_understands_every_line(wanted: Wanted, tmp_path: Path) -> None:
    """`verify` ends with 0 on a key it does not know, and says so on standard error alone."""
    paths = installed(wanted, tmp_path)
    done = analyze("verify", *(["--user"] if wanted.user else []), *map(str, paths))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_systemd_does_not_know_would_be_noticed(tmp_path: Path) -> None:
    """The check above is one."""
    [path] = installed(Wanted(), tmp_path)
    path.write_text(path.read_text().replace("MemoryMax=", "MemoryMaximum="))
    assert "MemoryMaximum" in analyze("verify", str(path)).stderr


@pytest.mark.parametrize("wanted", [one for one in EVERY if not one.user], ids=lambda one: str(one.unit))
def test_a_service_is_rated_two_or_better(wanted: Wanted, tmp_path: Path) -> None:
    service = installed(wanted, tmp_path)[0]
    done = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(service))
    assert done.returncode == 0, done.stdout


def test_a_service_that_is_open_would_be_noticed(tmp_path: Path) -> None:
    [path] = installed(Wanted(), tmp_path)
    path.write_text(re.sub(r"^(Protect|Private|Restrict|SystemCall)\w+=.*\n", "", path.read_text(), flags=re.MULTILINE))
    assert analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(path)).returncode == 1


def test_the_docs_print_the_rating() -> None:
    """As systemd 252 gives it, Debian 12's; later ones look at more. Mend with: python -m tests.unit_files --write"""
    version = re.match(r"systemd (\d+)", analyze("--version").stdout)
    if version is None or version[1] != "252":
        pytest.skip(f"the docs have the rating of systemd 252, and this is {version and version[1]}")
    page = PAGE.read_text(encoding="utf-8")
    assert unit_files.MARKED.search(page)
    assert unit_files.current(page) == page


# what a person reads


@pytest.mark.parametrize("name", FILES)
def test_every_setting_is_explained_above_it(name: str) -> None:
    for key, block in units.blocks(text(name)):
        comment = block.splitlines()[:-1]
        assert not key or any(re.search(r"\w{3}", line) for line in comment), f"{name}: {key} stands unexplained"


@pytest.mark.parametrize("wanted", EVERY, ids=IDS)
def test_no_explanation_goes_on_from_one_that_is_not_there(wanted: Wanted, tmp_path: Path) -> None:
    """`... or handed down` needs the line before it, also where a user's service leaves lines out."""
    for path in installed(wanted, tmp_path):
        before = ""
        for key, block in units.blocks(path.read_text()):
            if key:
                assert block.startswith("# ...") == before.endswith(" ..."), f"{path.name}: {block}"
                before = block.splitlines()[-2]
        assert not before.endswith(" ...")


@pytest.mark.parametrize("name", FILES)
def test_lines_fit_a_terminal(name: str) -> None:
    assert max(map(len, text(name).splitlines())) <= 120


def test_a_users_service_says_nothing_of_the_machines() -> None:
    """No setting that its manager would refuse or cannot obey, and no command that would speak to the wrong manager."""
    for wanted in EVERY:
        for file in wanted.files if wanted.user else ():
            shown = units.for_user(text(file))
            keys = {key for key, _ in SETTING.findall(shown)}
            assert not keys & {"DynamicUser", "User", "StateDirectory", "ProtectSystem", "PrivateTmp"}, file
            assert {"NoNewPrivileges", "SystemCallFilter", "UMask", "MemoryMax"} <= keys or file.endswith(".timer")
            assert not re.search(r"systemctl (?!--user)|/etc/rosterd|multi-user|LoadCredential", shown), file


# what the lines have to say


def test_hardening_is_the_same_everywhere() -> None:
    """Who tightens or loosens one file does so in all."""
    own = {
        "Description",
        "Type",
        "ExecStart",
        "ExecReload",
        "User",
        "StateDirectory",
        "StartLimitIntervalSec",
        "WantedBy",
    }
    own |= {"TimeoutStartSec", "WatchdogSec", "Environment", "SuccessExitStatus"}
    own |= {"Restart", "RestartSec", "RestartPreventExitStatus"}
    shared = [{key: value for key, value in values(name).items() if key not in own} for name in SERVICES]
    assert len(SERVICES) == 4
    assert all(one == shared[0] for one in shared)
    for run, template in (("rosterd.service", "rosterd@.service"), ("rosterd-sync.service", "rosterd-sync@.service")):
        differ = {key for key in values(run) if values(run)[key] != values(template)[key]}
        assert differ == {"Description", "ExecStart", "User", "StateDirectory"}


def test_a_stop_is_given_more_time_than_rosterd_takes() -> None:
    """Otherwise systemd kills what is just being finished."""
    drain = Service.model_fields["drain"].default
    for name in SERVICES:
        [stop] = values(name)["TimeoutStopSec"]
        assert seconds(stop) >= drain.total_seconds() + 10


def seconds(value: str) -> float:
    return {"s": 1, "min": 60}[value.lstrip("0123456789")] * float(re.match(r"\d+", value)[0])  # type: ignore[index]


def test_exit_codes_mean_what_the_docs_say() -> None:
    """A wrong configuration is not tried again and again; a held record is no failure of a timer."""
    assert values("rosterd.service")["RestartPreventExitStatus"] == ["2 78"]
    assert values("rosterd.service")["Restart"] == ["on-failure"]
    assert "SuccessExitStatus" not in values("rosterd.service")  # 75, the database is in use: try again later
    assert values("rosterd-sync.service")["SuccessExitStatus"] == ["3 75"]
    assert values("rosterd.service")["Type"] == ["notify"]  # Debian 12 would take notify-reload for simple


def test_the_built_in_database_is_in_the_state_directory() -> None:
    """Nobody has to write state.url for the machine's one roster."""
    folder = f"/var/lib/{values('rosterd.service')['StateDirectory'][0]}"
    assert settings.State().url == f"sqlite:///{folder}/state.db"


def test_the_docs_name_credentials_as_the_units_do() -> None:
    shown = set(re.findall(r"^LoadCredential=(\w+):", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert shown
    assert shown <= set(re.findall(r"^#LoadCredential=(\w+):", text("rosterd.service"), re.MULTILINE))


SAMPLES = {
    "strive_atl": 'platform = "strive"\ncampaign_id = 273',
    "telerivet": 'platform = "telerivet"\nproject_id = "PJ2ad0100821a98bea"',
    "action_network": 'platform = "action_network"',
    "colony": 'platform = "colony"\nusername = "example"\nclient_id = "example"',
    "carium": 'platform = "carium"\nusername = "example"',
}


def test_every_credential_in_the_units_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example is the name of a secret, and together they are all that the five platforms need."""
    names = set(re.findall(r"^#LoadCredential=(\w+):", text("rosterd.service"), re.MULTILINE))
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name in names:
        (folder / name).write_text(
            f"sqlite:///{tmp_path}/elsewhere.db\n" if name == "state__url" else f"{name}-secret\n"
        )
    config = tmp_path / "config.toml"
    mail = 'alerts = {smtp_tls = "starttls", smtp_username = "example"}\n'
    config.write_text(mail + "\n".join(f"[connections.{name}]\n{keys}" for name, keys in SAMPLES.items()))
    monkeypatch.setattr("os.environ", {"CREDENTIALS_DIRECTORY": str(folder)})
    loaded = settings.load(config)
    assert loaded.state.url == f"sqlite:///{tmp_path}/elsewhere.db"
    assert loaded.service.token is not None
    taken = {name for name, one in settings.shown(loaded).items() if str(one["from"]).startswith("credential ")}
    assert taken == {name.replace("__", ".") for name in names}


def test_a_key_file_is_for_the_person_and_a_credential_for_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One configuration serves both: root's commands read the file, the service never opens it."""
    (tmp_path / "strive_atl.key").write_text("key-in-the-file\n")
    (tmp_path / "strive_atl.key").chmod(0o600)
    config = tmp_path / "config.toml"
    config.write_text(f'[connections.strive_atl]\n{SAMPLES["strive_atl"]}\napi_key_file = "strive_atl.key"\n')
    monkeypatch.setattr("os.environ", {})
    assert key_of(config) == "key-in-the-file"
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "connections__strive_atl__api_key").write_text("key-by-systemd\n")
    (tmp_path / "strive_atl.key").unlink()
    monkeypatch.setattr("os.environ", {"CREDENTIALS_DIRECTORY": str(folder)})
    assert key_of(config) == "key-by-systemd"


def key_of(config: Path) -> str:
    one = settings.load(config).connections["strive_atl"]
    assert one.platform == "strive"
    return one.api_key.get_secret_value()


# paths


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/opt/rosterd/bin/rosterd", "/opt/rosterd/bin/rosterd"),
        ("/opt/my tools/r", '"/opt/my tools/r"'),
        ("/a%b", "/a%%b"),
    ],
)
def test_a_path_is_written_as_systemd_reads_it(path: str, written: str) -> None:
    assert units.quoted(path) == written


@pytest.mark.parametrize("path", ["/opt/it's/r", '/a"b', "/a$b", "/a\\b", "/a\nExecStartPre=/bin/false"])
def test_a_path_that_could_be_read_as_something_else_is_refused(path: str) -> None:
    with pytest.raises(RosterdError, match="systemd cannot be given this path"):
        units.quoted(path)


def test_a_program_in_a_folder_with_a_blank_is_found(tmp_path: Path) -> None:
    """systemd itself looks for it."""
    folder = tmp_path / "my tools 100%"
    folder.mkdir()
    (folder / "rosterd").symlink_to("/usr/bin/true")
    [path] = installed(Wanted(), tmp_path, program=str(folder / "rosterd"))
    done = analyze("verify", str(path))
    assert (done.returncode, done.stderr) == (0, "")
