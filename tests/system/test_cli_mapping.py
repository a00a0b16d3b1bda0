"""`rosterd mapping`: a mapping tried on a record; no account, no database and no configuration are needed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from daemon import logs
from daemon.cli import main
from tests.system.cli_world import ROOT, Done, Shell, environment

MEMBER = {
    "phone_number": "(202) 555-0123",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "Ada@Example.ORG",
    "opt_in": True,
    "custom": {"lang": "English"},
    "van_id": 77,
    "groups": [{"id": 1, "name": "vols"}, {"id": 2, "name": "inactive"}],
}
MINE = """\
preset: strive
fields:
  language: {at: custom.lang, map: {en: English, es: Spanish}}
  notes: {at: notes, direction: in}
tags: {at: "groups[].name", only: [volunteer], rename: {vols: volunteer}}
where: {field: email, exists: true}
"""


def attempt(folder: Path, *arguments: object, given: object = MEMBER, code: int = 0, process: bool = False) -> Done:
    """`rosterd mapping try`, with a record on standard input."""
    text = given if isinstance(given, (str, bytes)) else json.dumps(given)
    names = [str(each) for each in arguments]
    raw = text if isinstance(text, bytes) else text.encode()
    run = _outside if process else _inside
    done = run(folder, _placed(names), raw)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _inside(folder: Path, names: list[str], raw: bytes) -> Done:
    ours = {name: None for name in os.environ if name.upper().startswith("ROSTERD_")}
    try:
        with contextlib.chdir(folder):
            done = CliRunner(env=ours).invoke(main, names, input=raw)
    finally:
        logs.configure(stream=io.StringIO())  # the runner's streams are closed by now
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(names, done.exit_code, done.stdout, done.stderr)


def _outside(folder: Path, names: list[str], raw: bytes) -> Done:
    command = [sys.executable, "-W", "error", "-m", "daemon.cli", *names]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, input=raw, timeout=60, check=False
    )
    return Done(names, done.returncode, done.stdout.decode(), done.stderr.decode())


def _placed(names: list[str]) -> list[str]:
    if names[:1] == ["-c"]:
        return [*names[:2], "mapping", "try", *names[2:]]
    return ["mapping", "try", *names]


def tried(folder: Path, *arguments: object, given: object = MEMBER) -> Any:
    (only,) = json.loads(attempt(folder, *arguments, "--json", given=given).stdout)
    return only


def offer(one: Any, name: str) -> Any:
    (found,) = [each for each in one["offers"] if each["name"] == name]
    return found


def test_a_record_becomes_a_contact_and_the_payload_of_every_platform(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    one = tried(tmp_path, "mine.yaml")
    assert one["contact"]["phone"] == "+12025550123"
    assert one["contact"]["email"] == "Ada@example.org"
    assert one["contact"]["language"] == "en"
    assert one["contact"]["tags"] == ["volunteer"]
    assert one["contact"]["consent.sms"] == "subscribed"
    assert one["in_scope"] is True
    theirs = offer(one, "telerivet")
    assert theirs["update"]["wire"]["name"] == "Ada Lovelace"
    assert theirs["update"]["wire"]["vars"]["email"] == "Ada@example.org"
    assert theirs["update"]["tags"] == ["volunteer"]
    assert theirs["create"]["subscribed"] == ["sms"]
    assert "send_blocked" not in theirs["update"]["wire"], "consent is never in a write"
    ours = offer(one, "strive")
    assert ours["update"]["tags"] == ["vols"], "what is ours is called there by their name"
    assert ours["update"]["wire"]["custom"] == {"lang": "English"}


def test_what_cannot_be_written_is_named_with_the_reason(tmp_path: Path) -> None:
    one = tried(tmp_path, "strive")
    assert offer(one, "strive")["kept_back"]["external.van"] == "its mapping only reads it there"
    assert offer(one, "telerivet")["kept_back"]["external.van"] == "its mapping does not name it"
    assert offer(one, "telerivet")["kept_back"]["given_name"] == "goes with full_name"
    assert one["unread"] == ["custom"]


def test_nobody_is_made_where_the_platform_lacks_what_it_needs(tmp_path: Path) -> None:
    one = tried(tmp_path, "telerivet", given={"name": "Ada", "vars": {"email": "ada@example.org"}})
    assert offer(one, "strive")["create"] is None
    assert offer(one, "strive")["no_create"] == "strive makes nobody without phone"
    assert offer(one, "telerivet")["create"]["wire"]["vars"] == {"email": "ada@example.org"}


def test_out_of_scope_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    one = tried(tmp_path, "mine.yaml", given={**MEMBER, "email": None})
    assert one["in_scope"] is False
    assert offer(one, "strive")["no_create"] == "outside the `where:` of this connection"
    assert "out of scope" in attempt(tmp_path, "mine.yaml", given={**MEMBER, "email": None}).stdout


def test_a_no_is_shown_as_told_first_and_never_in_a_write(tmp_path: Path) -> None:
    one = tried(tmp_path, "strive", given={**MEMBER, "opt_in": False})
    assert one["contact"]["consent.sms"] == "unsubscribed"
    for name in ("strive", "telerivet"):
        assert offer(one, name)["says_no"] == ["sms"]
        assert offer(one, name)["create"]["subscribed"] == []


def test_a_field_that_is_not_understood_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    one = tried(tmp_path, "strive", given={**MEMBER, "phone_number": "12"})
    assert list(one["problems"]) == ["phone"]
    assert one["contact"]["given_name"] == "Ada"
    assert "not understood: phone" in attempt(tmp_path, "strive", given={**MEMBER, "phone_number": "12"}).stdout


def test_the_region_says_where_a_local_number_is_at_home(tmp_path: Path) -> None:
    given = {"phone_number": "082 555 0123"}
    assert tried(tmp_path, "strive", "--region", "ZA", given=given)["contact"]["phone"] == "+27825550123"
    done = attempt(tmp_path, "strive", "--region", "QQ", given=given, code=2)
    assert "there is no region 'QQ'" in done.stderr


def test_it_is_so_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = attempt(tmp_path, "strive", "--json", process=True)
    assert json.loads(done.stdout)[0]["contact"]["given_name"] == "Ada"
    assert done.stderr == ""
    assert attempt(tmp_path, "strive", given="{", code=1, process=True).stderr.startswith("error: standard input:1:2:")


def test_a_list_of_records_is_tried_one_by_one(tmp_path: Path) -> None:
    done = attempt(tmp_path, "strive", given=[MEMBER, {"first_name": "Bo"}])
    assert "Record 1" in done.stdout
    assert "Record 2" in done.stdout
    assert len(json.loads(attempt(tmp_path, "strive", "--json", given=[MEMBER, MEMBER]).stdout)) == 2


def test_the_record_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("\ufeff" + json.dumps(MEMBER), encoding="utf-8")
    assert tried(tmp_path, "strive", "--record", "one.json", given="")["contact"]["given_name"] == "Ada"
    assert "one.json" in attempt(tmp_path, "strive", "--record", "missing/one.json", given="", code=2).stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"a": 1,\n "b": }', "standard input:2:7: not JSON"),
        ("[{}, 3]", "entry 2 of standard input is not a record: it is a number"),
        ('"text"', "standard input is not a record: it is a text"),
        ("null", "standard input is not a record: it is null"),
        ("[]", "the list is empty"),
        ("  \n", "nothing in it"),
        (b"\xff\xfe{", "this is not UTF-8"),
        ('{"a": NaN}', "NaN is no number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "a number in it is too long"),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(tmp_path: Path, given: str | bytes, said: str) -> None:
    done = attempt(tmp_path, "strive", given=given, code=1)
    assert said in done.stderr
    assert done.stdout == ""


def test_a_wrong_mapping_is_told_as_everywhere_else(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("preset: strive\nfields:\n  emial: email\n")
    assert "bad.yaml:3:" in attempt(tmp_path, "bad.yaml", code=78).stderr
    assert "cannot be read: No such file" in attempt(tmp_path, "none.yaml", code=78).stderr
    assert "Did you mean 'telerivet'?" in attempt(tmp_path, "telerivt", code=2).stderr


def test_with_a_configuration_the_connections_are_shown_with_their_own_mappings(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    key = tmp_path / "a.key"
    key.write_text("a-key\n")
    key.chmod(0o600)
    shell("init", "--strive-campaign-id", 9, "--strive-key-file", key)
    (tmp_path / "mappings/strive.yaml").write_text("preset: strive\nfields: {notes: off}\n")
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace("[connections.strive]\n", '[connections.strive]\ndirection = "in"\n'))
    one = tried(tmp_path, "-c", "config.toml", "telerivet", given={"name": "Ada", "phone_number": "+12025550123"})
    (only,) = one["offers"]
    assert only["name"] == "strive"
    assert only["no_create"] == "this connection is only read"
    assert only["update"] == {"wire": {}, "tags": [], "subscribed": []}
    again = tried(tmp_path, "telerivet", "--connections", given={"name": "Ada"})
    assert [each["name"] for each in again["offers"]] == ["strive"]


def test_a_terminal_without_a_record_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits in front of a silent prompt."""
    monkeypatch.setattr("daemon.commands.mapping._at_a_keyboard", lambda: True)
    done = CliRunner().invoke(main, ["mapping", "try", "strive"])
    assert done.exit_code == 2
    assert "--record FILE" in done.stderr


def test_the_presets_are_listed_and_shown_as_they_are_written(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert "telerivet" in shell("mapping", "list").stdout
    assert "phone" in shell.json("mapping", "list")["strive"]["reads"]
    for name in shell.json("mapping", "list"):
        assert shell.json("mapping", "show", name)["text"] == shell("mapping", "show", name).stdout
        assert shell("mapping", "show", name).stdout == (ROOT / f"mappings/presets/{name}.yaml").read_text()
    assert "There is no preset 'stive'" in shell("mapping", "show", "stive", code=2).stderr
