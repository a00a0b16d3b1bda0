"""`rosterd config get` and `set`: as somebody types them who edits a file that has comments in it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.system.cli_world import Shell

CONFIG = """\
# Ours, since March.
[state]
url = "sqlite:///state.db"

[connections.strive_atl]   # Atlanta
platform = "strive"
campaign_id = 273
api_key_file = "strive.key"
every = "5m"               # as the campaign asked

[connections.colony]
platform = "colony"
username = "ann@example.org"
client_id = "abc"
password_file = "strive.key"
client_secret_file = "strive.key"

# A bad import must not get through.
[fuse]
update.rows = 100
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "strive.key").touch(mode=0o600)
    (tmp_path / "strive.key").write_text("key-of-strive\n")
    return Shell(tmp_path)


def text(shell: Shell) -> str:
    return (shell.folder / "config.toml").read_text()


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("connections.strive_atl.every", "5m", "config.toml:9"),
        ("connections.strive_atl.rate", "3", "default"),
        ("connections.strive_atl.where", "", "not set"),
        ("connections.strive_atl.api_key", "•••", "config.toml:8"),
        ("connections.colony.direction", "in", "default"),
        ("connections.colony.paths.token", "/oauth2/access_token/", "default"),
        ("fuse.update.rows", "100", "config.toml:20"),
        ("identity.ignore", "[]", "default"),
        ("log.unmask", "false", "default"),
    ],
)
def test_get_says_what_is_in_effect(shell: Shell, key: str, value: str, place: str) -> None:
    """As one would type it for `set`, and nothing besides: it can be used in a script."""
    assert shell("config", "get", key).stdout == f"{value}\n"
    assert shell("config", "get", key, "--from").stdout == f"{value}  ({place})\n"
    assert shell.json("config", "get", key)["from"] == place


def test_get_knows_the_environment(shell: Shell) -> None:
    env = {"ROSTERD_FUSE__UPDATE__ROWS": "7"}
    done = shell("config", "get", "fuse.update.rows", "--from", env=env)
    assert done.stdout == "7  (environment ROSTERD_FUSE__UPDATE__ROWS)\n"


def test_get_of_a_table_shows_its_keys(shell: Shell) -> None:
    """No key of an account among them."""
    shown = shell("config", "get", "connections.strive_atl")
    assert "connections.strive_atl.every" in shown.stdout
    assert "colony" not in shown.stdout
    assert "key-of-strive" not in shown.stdout
    assert set(shell.json("config", "get", "fuse.update")) == {"fuse.update.rows", "fuse.update.percent"}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("connections.strive_atl.evry", "there is no setting 'connections.strive_atl.evry' (did you mean 'every'?)"),
        ("connections.strive_alt.every", "there is no connection 'strive_alt' (did you mean 'strive_atl'?)"),
        ("fuze", "(did you mean 'fuse'?)"),
        ("fuse.update.rows.x", "fuse.update.rows is set as a whole"),
        ("", "there is no setting ''"),
    ],
)
def test_a_key_that_does_not_exist(shell: Shell, key: str, hint: str) -> None:
    for typed in (("config", "get", key), ("config", "set", key, "1")):
        assert hint in " ".join(shell(*typed, code=2).stderr.split())
    assert text(shell) == CONFIG


@pytest.mark.parametrize(
    ("key", "typed", "before", "after"),
    [
        ("connections.strive_atl.every", "10m", 'every = "5m"  ', 'every = "10m"  '),
        ("connections.strive_atl.every", '"10m"', 'every = "5m"  ', 'every = "10m"  '),
        ("connections.strive_atl.campaign_id", "274", "= 273", "= 274"),
        ("connections.colony.username", "274", '"ann@example.org"', '"274"'),
        ("connections.colony.username", "true", '"ann@example.org"', '"true"'),
        ("fuse.update.rows", "3", "rows = 100", "rows = 3"),
        ("fuse.create.percent", "2.5", "rows = 100\n", "rows = 100\ncreate.percent = 2.5\n"),
        ("connections.strive_atl.enabled", "false", "asked\n", "asked\nenabled = false\n"),
        (
            "connections.strive_atl.quiet_hours",
            '["22:00-07:00"]',
            "asked\n",
            'asked\nquiet_hours = ["22:00-07:00"]\n',
        ),
        ("connections.strive_atl.where", '{tag = "vol"}', "asked\n", 'asked\nwhere = {tag = "vol"}\n'),
        ("log.level", "debug", "rows = 100\n", 'rows = 100\n\n[log]\nlevel = "debug"\n'),
    ],
)
def test_set_changes_one_key_and_nothing_else(shell: Shell, key: str, typed: str, before: str, after: str) -> None:
    """Typed as the settings mean it: a text that looks like a number stays a text."""
    shell("config", "set", key, typed)
    assert text(shell) == CONFIG.replace(before, after)
    shell("check", "--offline")


def test_set_says_what_it_did_and_what_is_next(shell: Shell) -> None:
    told = shell("config", "set", "connections.strive_atl.every", "10m").stdout
    assert 'config.toml:9: connections.strive_atl.every: "5m" -> "10m"' in told
    assert "systemctl reload rosterd" in told
    assert "rosterd check" not in told
    assert "rosterd check" in shell("config", "set", "connections.strive_atl.direction", "in").stdout
    assert "systemctl restart rosterd" in shell("config", "set", "service.lease", "2m").stdout
    assert (
        'is "10m" already; nothing was written' in shell("config", "set", "connections.strive_atl.every", "10m").stdout
    )


def test_unset_lets_the_default_count_again(shell: Shell) -> None:
    done = shell.json("config", "set", "connections.strive_atl.every", "--unset")
    assert (done["old"], done["new"], done["effective"], done["changed"]) == ('"5m"', None, '"5m"', True)
    assert text(shell) == CONFIG.replace('every = "5m"               # as the campaign asked\n', "")
    assert "is not set in this file" in shell("config", "set", "connections.strive_atl.every", "--unset", code=1).stderr


@pytest.mark.parametrize(
    ("key", "typed", "problem"),
    [
        (
            "connections.strive_atl.every",
            "soon",
            "config.toml:9:1: connections.strive_atl.every: 'soon' is not a duration",
        ),
        (
            "connections.strive_atl.direction",
            "up",
            "config.toml:10:1: connections.strive_atl.direction: must be one of",
        ),
        ("connections.strive_atl.mapping", "no.yaml", "no.yaml does not exist"),
        ("connections.strive_atl.where", "{tga = 'x'}", "tga"),
        ("identity.ignore", "one", "must be a list"),
        ("service.listen", "0.0.0.0:8787", "there is no token"),  # wrong only together with the rest
        ("connections.colony.platform", "strive", "campaign_id: is missing"),
    ],
)
def test_what_would_be_wrong_is_not_written(shell: Shell, key: str, typed: str, problem: str) -> None:
    """The whole new file is checked first, as `rosterd check` would: exit 78, and the old one stands."""
    done = shell("config", "set", key, typed, code=78)
    assert problem in done.stderr
    assert "nothing was written" in done.stderr
    assert text(shell) == CONFIG
    assert {path.name for path in shell.folder.iterdir()} == {"config.toml", "strive.key"}


def test_what_is_wrong_can_be_mended(shell: Shell) -> None:
    """A file that is wrong now, and is not with the new value."""
    (shell.folder / "config.toml").write_text(CONFIG.replace('"5m"', '"5 minutes"'))
    shell("config", "set", "connections.strive_atl.every", "5m")
    assert text(shell) == CONFIG


@pytest.mark.parametrize(
    "key", ["connections.strive_atl.api_key", "connections.colony.client_secret", "alerts.smtp_password"]
)
def test_a_secret_is_not_set_here(shell: Shell, key: str) -> None:
    """A command line is remembered by the shell, and seen by others."""
    done = shell("config", "set", key, "hunter2-hunter2-hunter2", code=2)
    assert f"{key}_file" in " ".join(done.stderr.split())
    assert "hunter2" not in done.stderr
    assert text(shell) == CONFIG


def test_the_address_of_the_database_is_a_secret_with_a_password_in_it(shell: Shell) -> None:
    """Without one it is a setting like any other."""
    shell("config", "set", "state.url", "sqlite:///other.db")
    assert 'url = "sqlite:///other.db"' in text(shell)
    done = shell("config", "set", "state.url", "postgresql://ann:hunter2@db.example.org/rosterd", code=2)
    assert "state.url_file" in " ".join(done.stderr.split())
    assert "hunter2" not in done.stderr + text(shell)


def test_the_environment_that_counts_more_is_named(shell: Shell) -> None:
    done = shell("config", "set", "fuse.update.rows", "9", env={"ROSTERD_FUSE__UPDATE__ROWS": "7"})
    assert "warning: environment ROSTERD_FUSE__UPDATE__ROWS says 7, and counts more than the file" in done.stderr
    assert "update.rows = 9" in text(shell)
    done = shell("config", "set", "identity.max_shared", "4", env={"ROSTERD_IDENTITY": '{"max_shared": 2}'})
    assert "environment ROSTERD_IDENTITY says 2" in done.stderr


def test_a_table_is_not_set_as_a_whole(shell: Shell) -> None:
    assert "is a table" in shell("config", "set", "fuse.update", "{rows = 1}", code=2).stderr


def test_a_file_for_its_owner_alone_stays_so(shell: Shell) -> None:
    """And one behind a link, as configuration managers make them, is changed where it is."""
    file, real = shell.folder / "config.toml", shell.folder / "real.toml"
    file.rename(real)
    real.chmod(0o600)
    file.symlink_to("real.toml")
    shell("config", "set", "log.level", "debug")
    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert "debug" in real.read_text()


def test_the_password_of_a_database_is_not_shown() -> None:
    from daemon.settings import masked

    assert masked("postgresql://ann:p@ss:w@db.example.org/rosterd") == "postgresql://ann:•••@db.example.org/rosterd"
    assert masked("postgresql+psycopg://h/d?password=x&sslmode=on").endswith("?password=•••&sslmode=on")
    assert masked("https://example.org:8443/a@b") == "https://example.org:8443/a@b"
