"""Sound configurations: where they are found, what they mean, and where each value came from."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import spanned_toml

from daemon import logs
from daemon.errors import BadConfig
from daemon.settings import Limit, Strive, Telerivet, config_schema, find, load, load_all, mappings, shown
from daemon.settings_platforms import Colony
from daemon.settings_types import parse_duration, show_duration
from tests.unit.settings.samples import STRIVE, TELERIVET, Write, secret


def test_two_connections_with_nothing_but_the_needed(home: Path, write: Write) -> None:
    """Everything else has a default, and the name is the key of the table."""
    settings = load(write(STRIVE + TELERIVET))
    strive, telerivet = settings.connections.values()
    assert isinstance(strive, Strive)
    assert isinstance(telerivet, Telerivet)
    assert (strive.name, strive.campaign_id, strive.base_url) == (
        "strive",
        273,
        "https://api.strivemessaging.org",
    )
    assert (telerivet.name, telerivet.feed, telerivet.base_url) == (
        "telerivet",
        "auto",
        "https://api.telerivet.com",
    )
    assert strive.api_key.get_secret_value() == "strive-key"
    assert strive.every == timedelta(minutes=5)
    assert settings.state.url == "sqlite:////var/lib/rosterd/state.db"
    assert settings.path == Path("config.toml")


def test_what_a_connection_leaves_out_the_defaults_say(home: Path, write: Write) -> None:
    text = '[defaults]\nevery = "2m"\nregion = "ZA"\n' + STRIVE + 'every = "30s"\n' + TELERIVET
    settings = load(write(text))
    assert [one.every for one in settings.connections.values()] == [
        timedelta(seconds=30),
        timedelta(minutes=2),
    ]
    assert {one.region for one in settings.connections.values()} == {"ZA"}
    assert settings.connections["strive"].direction == "both"


def test_paths_are_relative_to_the_file_not_to_where_one_stands(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd starts in /."""
    (home / "mine.yaml").write_text("preset: strive\n")
    write('[state]\nurl = "sqlite:///data/state.db"\n' + STRIVE + 'mapping = "mine.yaml"\n')
    monkeypatch.chdir("/")
    settings = load(home / "config.toml")
    assert settings.state.url == f"sqlite:///{home}/data/state.db"
    assert settings.connections["strive"].mapping == home / "mine.yaml"


def test_the_environment_lies_over_the_file(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTERD_CONNECTIONS__STRIVE__RATE", "0.5")
    monkeypatch.setenv("ROSTERD_IDENTITY__IGNORE", '["+12025550123"]')
    monkeypatch.setenv("ROSTERD_FUSE__UPDATE__ROWS", "7")
    monkeypatch.setenv("ROSTERD_TEST_ANYTHING", "is not ours to judge")
    settings = load(write("[fuse]\nupdate = {percent = 3}\n" + STRIVE + "rate = 9\n"))
    assert settings.connections["strive"].rate == 0.5
    assert settings.identity.ignore == ["+12025550123"]
    assert settings.fuse.update == Limit(rows=7, percent=3)


def test_a_connection_may_come_from_the_environment_alone(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As containers like it. It takes a platform to make one."""
    for key, value in {"PLATFORM": "telerivet", "PROJECT_ID": "PJ2ad0100821a98bea", "API_KEY": "k1"}.items():
        monkeypatch.setenv(f"ROSTERD_CONNECTIONS__OTHER__{key}", value)
    assert load(write(STRIVE)).connections["other"].account_id == "PJ2ad0100821a98bea"


@pytest.mark.parametrize(("log", "long", "level"), [("DEBUG", None, "debug"), ("debug", "error", "error")])
def test_rosterd_log_is_short_for_the_level(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch, log: str, long: str | None, level: str
) -> None:
    monkeypatch.setenv("ROSTERD_LOG", log)
    if long:
        monkeypatch.setenv("ROSTERD_LOG__LEVEL", long)
    assert load(write(STRIVE + '[log]\nlevel = "warning"\n')).log.level == level


def test_half_a_limit_keeps_the_other_half(home: Path, write: Write) -> None:
    settings = load(write(STRIVE + "[fuse]\ncreate = {rows = 10}\n[consent]\nupward = {percent = 1}\n"))
    assert settings.fuse.create == Limit(rows=10, percent=50)
    assert settings.fuse.blank == Limit(rows=50, percent=5)
    assert settings.consent.upward == Limit(rows=20, percent=1)


@pytest.mark.parametrize(
    ("count", "holds", "tripped"),
    [(50, 0, False), (51, 0, True), (100, 1000, False), (101, 1000, True), (51, 100, True)],
)
def test_a_limit_is_tripped_above_both(count: int, holds: int, tripped: bool) -> None:
    """50 rows or 10 per cent, whichever is more."""
    assert Limit(rows=50, percent=10).tripped(count, holds) is tripped


# ── secrets


def credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "credentials"
    folder.mkdir()
    secret(folder / "connections__strive__api_key", "from-systemd\n")
    secret(folder / "of-another-service", "x")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))


def test_a_key_from_systemd(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(home, monkeypatch)
    settings = load(write(STRIVE.replace('api_key_file = "strive.key"\n', "")))
    assert settings.connections["strive"].api_key.get_secret_value() == "from-systemd"
    assert shown(settings)["connections.strive.api_key"]["from"] == "credential connections__strive__api_key"


PASSWORD = "postgresql://rosterd:s3cr%40t@db.example.org:5433/rosterd?sslmode=require"


@pytest.mark.parametrize("how", ["file of its own", "environment", "credential", "config nobody else can read"])
def test_the_address_of_the_database_is_a_secret_when_it_has_a_password(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Given as any secret, and never shown nor logged with it."""
    credentials(home, monkeypatch)
    if how == "environment":
        monkeypatch.setenv("ROSTERD_STATE__URL", PASSWORD)
    elif how == "credential":
        secret(home / "credentials" / "state__url", PASSWORD + "\n")
    secret(home / "database.url", PASSWORD + "\n")
    given = {
        "file of its own": 'url_file = "database.url"',
        "config nobody else can read": f'url = "{PASSWORD}"',
    }.get(how, 'url = "postgresql:///other"')
    settings = load(write(f"[state]\n{given}\n{STRIVE}", mode=0o600 if "config" in how else 0o644))
    assert settings.state.url == PASSWORD
    value = "postgresql://rosterd:•••@db.example.org:5433/rosterd?sslmode=require"
    assert shown(settings)["state.url"]["value"] == value
    assert "s3cr" not in repr(settings)
    assert "s3cr@t" in logs._hidden


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///rosterd",
        "postgresql+psycopg://rosterd@/rosterd?host=/run/postgresql",
        "postgres://rosterd@db.example.org:5433/rosterd?sslmode=verify-full",
    ],
)
def test_the_address_of_a_server_without_a_password_is_no_secret(home: Path, write: Write, url: str) -> None:
    settings = load(write(f'[state]\nurl = "{url}"\n{STRIVE}'))
    assert settings.state.url == url
    assert shown(settings)["state.url"]["value"] == url


def test_the_nearest_key_wins(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment over credential over file; a file that is not used need not be there."""
    credentials(home, monkeypatch)
    (home / "strive.key").unlink()
    assert load(write(STRIVE)).connections["strive"].api_key.get_secret_value() == "from-systemd"
    monkeypatch.setenv("ROSTERD_CONNECTIONS__STRIVE__API_KEY", "from-environment")
    assert load(write(STRIVE)).connections["strive"].api_key.get_secret_value() == "from-environment"


def test_a_file_named_in_the_environment(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    secret(home / "other.key", "other-key", 0o640)
    monkeypatch.setenv("ROSTERD_CONNECTIONS__STRIVE__API_KEY_FILE", "other.key")
    assert load(write(STRIVE)).connections["strive"].api_key.get_secret_value() == "other-key"


def test_a_file_named_in_the_environment_is_nearer_than_a_credential(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(home, monkeypatch)
    secret(home / "other.key", "other-key")
    monkeypatch.setenv("ROSTERD_CONNECTIONS__STRIVE__API_KEY_FILE", "other.key")
    assert load(write(STRIVE)).connections["strive"].api_key.get_secret_value() == "other-key"


def test_a_key_in_a_file_nobody_else_can_read(home: Path, write: Write) -> None:
    text = STRIVE.replace('api_key_file = "strive.key"', 'api_key = "in-place"')
    assert load(write(text, 0o600)).connections["strive"].api_key.get_secret_value() == "in-place"


def test_a_key_is_never_shown(home: Path, write: Write) -> None:
    settings = load(write(STRIVE))
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(shown(settings))):
        assert "strive-key" not in text


def test_a_key_once_read_is_masked_in_the_log(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is logged later, and wherever in it the key turns up."""
    monkeypatch.setattr(logs, "_hidden", set())
    load(write(STRIVE))
    assert logs.text("GET /v1/strive-key/x") == "GET /v1/<secret>/x"


# ── finding


def test_the_order_of_the_search(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = home / "etc.toml"
    monkeypatch.setattr("daemon.settings.PLACES", (Path("config.toml"), system))
    system.touch()
    assert find() == system
    Path("config.toml").touch()
    assert find() == Path("config.toml")
    Path("from-environment.toml").touch()
    monkeypatch.setenv("ROSTERD_CONFIG", "from-environment.toml")
    assert find() == Path("from-environment.toml")
    Path("asked.toml").touch()
    assert find("asked.toml") == Path("asked.toml")


def test_load_without_a_path_searches(home: Path, write: Write) -> None:
    write(STRIVE)
    assert load().path == Path("config.toml")


# ── accounts


def test_a_disabled_connection_may_be_on_the_account_of_another(home: Path, write: Write) -> None:
    again = STRIVE.replace("strive]", "again]") + "enabled = false\n"
    settings = load(write(STRIVE + again))
    assert list(settings.connections) == ["strive", "again"]
    assert list(settings.enabled) == ["strive"]


def test_two_campaigns_are_two_accounts(home: Path, write: Write) -> None:
    again = STRIVE.replace("strive]", "again]").replace("273", "274")
    assert len(load(write(STRIVE + again)).enabled) == 2


def test_three_groups_with_a_key_each_are_three_accounts(home: Path, write: Write) -> None:
    """Nothing but the key tells groups of Action Network apart."""
    text = ""
    for name in ("north", "south", "west"):
        secret(home / f"{name}.key", f"{name}-key\n")
        text += f'[connections.{name}]\nplatform = "action_network"\napi_key_file = "{name}.key"\n'
    assert len(load(write(text)).enabled) == 3


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8001", "http://localhost:1", "http://[::1]:8001", "https://x.example.org:8443"],
)
def test_addresses_that_are_fine(home: Path, write: Write, address: str) -> None:
    """Plain http reaches this machine only; a slash at the end is taken off."""
    assert load(write(STRIVE + f'base_url = "{address}/"\n')).connections["strive"].base_url == address


# ── mappings


def test_without_a_mapping_the_preset_of_the_platform_is_taken(home: Path, write: Write) -> None:
    loaded = mappings(load(write(STRIVE + TELERIVET)))
    assert sorted(loaded) == ["strive", "telerivet"]
    assert loaded["strive"].read({"first_name": "Ada"}).view["given_name"] == "Ada"


def test_where_in_the_config_narrows_the_mapping(home: Path, write: Write) -> None:
    settings, loaded = load_all(write(STRIVE + 'where = {field = "region", in = ["GA"]}\n' + TELERIVET))
    assert settings.connections["strive"].where == {"field": "region", "in": ["GA"]}
    assert loaded["strive"].in_scope({"region": "GA"})
    assert not loaded["strive"].in_scope({"region": "IL"})
    assert loaded["telerivet"].in_scope({"region": "IL"})


def test_the_region_of_a_connection_reaches_its_mapping(home: Path, write: Write) -> None:
    loaded = mappings(load(write(STRIVE + 'region = "ZA"\n')))
    assert loaded["strive"].read({"phone_number": "082 123 4567"}).view["phone"] == "+27821234567"


# ── what is shown


def test_shown_tells_where_each_value_came_from(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTERD_CONNECTIONS__STRIVE__RATE", "2")
    rows = shown(load(write('[defaults]\nevery = "2m"\n' + STRIVE)))
    assert rows["connections.strive.campaign_id"] == {"value": 273, "from": "config.toml:5"}
    assert rows["connections.strive.every"] == {"value": "2m", "from": "[defaults]"}
    assert rows["connections.strive.rate"]["from"] == "environment ROSTERD_CONNECTIONS__STRIVE__RATE"
    assert rows["connections.strive.api_key"] == {"value": "•••", "from": "config.toml:6"}
    assert rows["fuse.update.rows"] == {"value": 500, "from": "default"}
    assert json.loads(json.dumps(rows)) == rows


def test_the_schema_takes_what_load_takes_and_refuses_what_it_refuses(home: Path, write: Write) -> None:
    """For editors: the key may be elsewhere, an unknown key may not be anywhere."""
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    def document(text: str) -> object:
        return _plain(spanned_toml.loads(text))

    assert validator.is_valid(document(STRIVE + TELERIVET + "[fuse]\nblank = {rows = 3, percent = 1}\n"))
    assert not validator.is_valid(document(STRIVE + 'evry = "5m"\n'))
    assert not validator.is_valid(document(STRIVE + 'every = "soon"\n'))
    assert not validator.is_valid(document(STRIVE.replace("campaign_id", "project_id")))
    assert schema["$defs"]["Defaults"]["properties"]["every"]["default"] == "5m"


def _plain(node: object) -> object:
    from daemon.settings_sources import _plain as plain

    return plain(node)


@pytest.mark.parametrize(
    ("written", "seconds", "shortest"),
    [("90s", 90, "1m30s"), ("5m", 300, "5m"), ("1h30m", 5400, "1h30m"), ("2w", 1209600, "14d")],
)
def test_durations(written: str, seconds: int, shortest: str) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)
    assert show_duration(parse_duration(written)) == shortest


def test_importing_the_settings_does_not_pull_in_the_rest() -> None:
    """Neither the database, nor HTTP, nor phone numbers: `rosterd config example` is quick."""
    code = "import sys, daemon.settings; print({'sqlalchemy', 'httpx', 'phonenumbers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


COLONY = """
[connections.colony]
platform = "colony"
username = "rosterd@example.org"
client_id = "c-1"
password_file = "colony.password"
client_secret_file = "colony.secret"
"""


def test_defaults_do_not_make_a_connection_write_that_is_only_read_as_it_comes(write: Write) -> None:
    colony = load(write('[defaults]\ndirection = "both"\nregion = "GB"\nevery = "7m"\n' + COLONY)).connections["colony"]
    assert (colony.direction, colony.region) == ("in", "ZA")
    assert colony.every.total_seconds() == 420


def test_a_connection_says_for_itself_that_it_is_written_to(write: Write) -> None:
    colony = load(write(COLONY + 'direction = "both"\nregion = "NA"\n')).connections["colony"]
    assert (colony.direction, colony.region) == ("both", "NA")


def test_every_secret_can_come_from_a_file(write: Write) -> None:
    colony = load(write(COLONY)).connections["colony"]
    assert isinstance(colony, Colony)
    assert colony.password.get_secret_value() == "colony.password-text"
    assert colony.client_secret.get_secret_value() == "colony.secret-text"


def test_every_secret_can_come_from_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTERD_CONNECTIONS__COLONY__PASSWORD", "pass phrase")
    colony = load(write(COLONY.replace('password_file = "colony.password"\n', ""))).connections["colony"]
    assert isinstance(colony, Colony)
    assert colony.password.get_secret_value() == "pass phrase"


def test_a_platform_that_cannot_be_written_to_is_not_configured_to_be(write: Write) -> None:
    text = '[connections.c]\nplatform = "carium"\nusername = "r"\npassword_file = "carium.password"\n'
    assert load(write(text)).connections["c"].direction == "in"
    with pytest.raises(BadConfig, match="direction"):
        load(write(text + 'direction = "both"\n'))


def test_no_secret_is_shown(write: Write) -> None:
    values = {key: row["value"] for key, row in shown(load(write(COLONY))).items()}
    assert values["connections.colony.password"] == values["connections.colony.client_secret"] == "•••"


GROUP = """
[connections.{name}]
platform = "action_network"
api_key = "key-of-{name}"
mapping = "{name}.yaml"
"""
RULE = """
preset: action_network
outreach:
  - name: {name}
    when: {{tag: {when}}}
    campaign: f77e736b-d295-4e68-96ec-a765090c6523
    target: {{title: Mayor}}
    add_tags: [{adds}]
"""


def test_outreaches_of_two_groups_do_not_set_each_other_off(home: Path, write: Write) -> None:
    (home / "north.yaml").write_text(RULE.format(name="one", when="a", adds="B"))
    (home / "south.yaml").write_text(RULE.format(name="two", when="b", adds="other"))
    config = write(GROUP.format(name="north") + GROUP.format(name="south"), 0o600)
    with pytest.raises(BadConfig) as caught:
        load_all(config)
    (problem,) = caught.value.problems
    assert problem.endswith("the tag 'B' fires the rule 'two' of 'south': an outreach must not bring about another")
    (home / "south.yaml").write_text(RULE.format(name="two", when="c", adds="other"))
    assert set(load_all(config)[1]) == {"north", "south"}
