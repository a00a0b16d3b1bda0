"""The tour of the README with the real process: init, check, dry run, sync, sync again, and looking around."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sandbox import Sandbox
from state.engine import FileLock
from state.migrate import HEAD
from tests.system.cli_world import Shell, add, sandbox_and_shell


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Sandbox, Shell]]:
    """Four people: one on both sides, one new to each side, and one who said no on Strive only."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        strive, telerivet = sandbox.strive, sandbox.telerivet
        strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Sample", email="ada@example.org")
        strive.add_member(phone_number="+12025550102", first_name="Bo", last_name="Sample")
        no = strive.add_member(phone_number="+12025550104", first_name="Dee", last_name="Sample")
        strive.opt_out(no)
        telerivet.add_contact("ADA SAMPLE", "(202) 555-0101", {"city": "Rome"})
        telerivet.add_contact("Cy Sample", "+12025550103")
        telerivet.add_contact("Dee Sample", "+12025550104")
        yield sandbox, shell


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as database:
        return list(database.iterdump())


def test_the_tour(both: tuple[Sandbox, Shell]) -> None:
    """With real processes: init, check, dry run, sync, sync. The second sync is quiet, and nobody was harmed."""
    sandbox, shell = both[0], Shell(both[1].folder, process=True)
    checked = shell.json("check")
    assert checked["ok"]
    assert {f["what"].split(":")[0] for f in checked["findings"] if f["group"] == "account"} == {"strive", "telerivet"}
    assert shell.json("sync", "--dry-run")["counts"]
    first = shell.json("sync")
    assert (first["outcome"], first["balanced"]) == ("done", True)
    assert first["sent"] > 0
    second = shell.json("sync")
    assert (second["outcome"], second["sent"]) == ("done", 0)
    assert not any(sandbox.harm().values())
    assert [contact["send_blocked"] for contact in sandbox.telerivet.contacts()].count(True) == 1


def test_a_dry_run_writes_nothing_anywhere(both: tuple[Sandbox, Shell]) -> None:
    """No database appears, the accounts are only read, and what it shows is what a sync then sends."""
    sandbox, shell = both
    plan = shell.json("sync", "--dry-run")
    assert sorted(path.name for path in shell.folder.iterdir()) == [
        "config.toml",
        "mappings",
        "strive.key",
        "telerivet.key",
    ]
    assert {call.method for call in sandbox.calls()} == {"GET"}
    assert plan["dry_run"]
    counts = {(each["connection"], each["kind"]): each["count"] for each in plan["counts"]}
    sent = shell.json("sync")["connections"]
    for name, books in sent.items():
        done = {"create": books["created"], "update": books["updated"], "opt_out": books["opted_out"]}
        assert {kind: counts.get((name, kind), 0) for kind in done} == done, name


def test_a_dry_run_shows_old_and_new(both: tuple[Sandbox, Shell]) -> None:
    """After an edit: who, which field, from what to what; and the database is as it was, cursor and all."""
    sandbox, shell = both
    shell("sync")
    before = dump(shell.folder / "state.db")
    ada = sandbox.strive.members()[0]["id"]
    sandbox.strive.edit_member(ada, city="Paris")
    plan = shell.json("sync", "--dry-run")
    (push,) = plan["planned"]
    assert (push["connection"], push["kind"]) == ("telerivet", "update")
    assert push["name"].casefold() == "ada sample"  # as the later side wrote it, which a second may decide
    assert push["fields"] == {"city": ["Rome", "Paris"]}
    told = shell("sync", "--dry-run").stdout
    assert "city: Rome → Paris" in told
    assert "dry run: 1 push would be sent; nothing was written" in told
    assert dump(shell.folder / "state.db") == before
    assert sandbox.telerivet.contacts()[0]["vars"]["city"] == "Rome"


def test_a_dry_run_tells_opt_outs_and_new_people(both: tuple[Sandbox, Shell]) -> None:
    """The first dry run shows the no on its way to Telerivet and each person on the way to the other side."""
    told = both[1]("sync", "--dry-run").stdout
    assert "Dee Sample: no more sms" in told
    assert "telerivet: create 1" in told
    assert "strive: create 1" in told


def test_progress_and_log_leave_standard_output_alone(both: tuple[Sandbox, Shell]) -> None:
    """In a pipe: tables on standard output; plain progress lines and JSON log lines on standard error."""
    done = Shell(both[1].folder, process=True)("sync")
    assert done.stdout.startswith("connection  read  changed  unchanged  out of scope  held  failed  created  ")
    lines = done.stderr.splitlines()
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert events == ["run.started", "run.finished"]
    assert any(line.startswith("strive: ") and " read, " in line for line in lines)
    assert "ada@" not in done.stderr
    assert "555" not in done.stderr


def test_only_one_connection(both: tuple[Sandbox, Shell]) -> None:
    """--connection reads that one only; the other waits to be read, so nothing is sent."""
    sandbox, shell = both
    done = shell("sync", "--connection", "strive")
    assert "only opt-outs are sent yet: telerivet must be read whole first" in done.stdout
    assert not sandbox.calls("telerivet")
    assert "There is no connection 'nope'" in shell("sync", "--connection", "nope", code=2).stderr


def test_another_instance(both: tuple[Sandbox, Shell]) -> None:
    """While another process holds the database: exit 75 and who it is; looking and deciding work all the same."""
    shell = both[1]
    shell("sync")
    lock = FileLock(shell.folder / "state.db")
    lock.take()
    try:
        done = shell("sync", code=75)
        assert "error: the database is in use by process" in done.stderr
        assert "there is no hold 1" in shell("holds", "decide", 1, "same", code=1).stderr
        assert shell.json("status")["contacts"] == 4
        assert "is now part of c1" in shell("merge", "c1", "c2").stdout
        assert shell.json("status")["contacts"] == 3
        assert shell.json("sync", "--dry-run")["sent"] == 0
        assert shell.json("db", "check")["whole"]
    finally:
        lock.release()
    shell("sync")


def test_sigterm_finishes_the_page_and_the_next_run_goes_on(both: tuple[Sandbox, Shell]) -> None:
    """Exit 75 after the page at hand; nothing is lost, and the next run ends the job."""
    sandbox, shell = both
    sandbox.faults.add("slow", platform="strive", path="/members", times=1, seconds=2)
    with shell.start("sync", "--json") as process:
        deadline = time.monotonic() + 20
        while not any(call.fault == "slow" for call in sandbox.calls("strive")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert "stopping after the page at hand" in err
    assert json.loads(out)["outcome"] == "later"
    assert not sandbox.calls(method="POST")
    assert shell.json("sync")["outcome"] == "done"
    assert shell.json("sync")["sent"] == 0


def test_a_second_signal_ends_it_at_once(both: tuple[Sandbox, Shell]) -> None:
    """Ctrl-C twice while a platform hangs: exit 130 without waiting for it; the next run does the job."""
    sandbox, shell = both
    sandbox.faults.add("hang", platform="strive", path="/members", times=1, seconds=60)
    begun = time.monotonic()
    with shell.start("sync") as process:
        while not any(call.fault == "hang" for call in sandbox.calls("strive")) and time.monotonic() < begun + 20:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "Ctrl-C again stops at once" in err
    assert time.monotonic() - begun < 40
    assert shell.json("sync")["outcome"] == "done"


def test_the_sandbox_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """It says where it is before anybody asks, serves the people asked for, and SIGTERM is a good end."""
    shell = Shell(tmp_path)
    with shell.start("sandbox", "--port", 0, "--people", 24) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[0] == "Strive"
        shell("init", "--sandbox", words[1].removesuffix("/strive"), "--only", "strive", "--only", "telerivet")
        assert shell.json("sync", "--dry-run", code=None)["connections"]["strive"]["read"] > 10
        port = words[1].split(":")[2].split("/")[0]
        assert f"port {port} cannot be used" in shell("sandbox", "--port", port, code=1).stderr
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_status(both: tuple[Sandbox, Shell]) -> None:
    """Connections, people, and the last runs; before the first sync it says how to begin."""
    shell = both[1]
    assert "hint: rosterd sync makes it" in shell("status", code=1).stderr
    shell("sync")
    state = shell.json("status")
    assert {c["name"]: (c["sweep"], c["records"]) for c in state["connections"]} == {
        "strive": ("read whole", {"linked": 4}),
        "telerivet": ("read whole", {"linked": 4}),
    }
    assert state["runs"][0]["outcome"] == "done"
    told = shell("status").stdout
    assert "4 contacts" in told
    assert "Last runs" in told


def test_a_connection_that_refuses_our_key_is_shown(both: tuple[Sandbox, Shell]) -> None:
    """check and sync both fail, name the connection and say why; status remembers it."""
    shell = both[1]
    (shell.folder / "strive.key").write_text("wrong-key\n")
    checked = shell("check", code=1)
    assert "fail  strive" in checked.stdout
    assert "ok    telerivet: project" in checked.stdout
    done = shell("sync", code=1)
    assert "strive is left alone: a person is needed" in done.stdout
    assert "when that is mended: rosterd sync --connection strive" in done.stdout
    assert "wrong-key" not in checked.stdout + checked.stderr + done.stdout + done.stderr
    assert "strive: failed 1 time in a row: a person is needed" in shell("status").stdout


def test_check_finds_what_the_platform_cannot_take(both: tuple[Sandbox, Shell]) -> None:
    """A mapping that writes where nothing can be written: exit 78, with the place and a hint; no call is made."""
    sandbox, shell = both
    (shell.folder / "mappings/strive.yaml").write_text("preset: strive\nfields:\n  birth_date: nonsense\n")
    done = shell("check", "--offline", code=78)
    assert "fail  " in done.stdout
    assert "fields.birth_date" in done.stdout
    assert not sandbox.calls()


def test_contacts_show_why(both: tuple[Sandbox, Shell]) -> None:
    """A person is found by any spelling of a name part, and each value has its origin and its story."""
    shell = both[1]
    shell("sync")
    (found,) = shell.json("contacts", "find", "ada sample")
    assert (found["phone"], found["connections"]) == ("+12025550101", ["strive", "telerivet"])
    whole = shell.json("contacts", "show", found["id"])
    assert whole["fields"]["city"]["value"] == "Rome"
    assert whole["fields"]["city"]["connection"] == "telerivet"
    told = shell("contacts", "show", found["id"][1:]).stdout
    assert "told: city Rome" in told
    assert "strive record 1001: linked" in told
    assert "nobody found" in shell("contacts", "find", "zzz").stdout
    assert "there is no contact 999" in shell("contacts", "show", "c999", code=1).stderr
    assert "is no contact" in shell("contacts", "show", "Ada", code=2).stderr


def test_the_keys_are_never_shown(both: tuple[Sandbox, Shell]) -> None:
    """Neither `config show` nor a verbose sync prints a key."""
    _sandbox, shell = both
    shown = shell("config", "show")
    assert "connections.strive.campaign_id" in shown.stdout
    done = shell("-v", "--unmask", "sync")
    for key in ("sandbox-strive-key", "sandbox-telerivet-key"):
        assert key not in shown.stdout + done.stdout + done.stderr


def test_db(both: tuple[Sandbox, Shell]) -> None:
    """upgrade makes and names the revision; check finds a damaged file."""
    shell = both[1]
    assert shell.json("db", "upgrade") == {"before": None, "after": HEAD}
    assert shell.json("db", "upgrade") == {"before": HEAD, "after": HEAD}
    assert "the database is whole" in shell("db", "check").stdout
    with sqlite3.connect(shell.folder / "state.db") as database:
        database.execute("update alembic_version set version_num = '9999'")
    assert "does not know" in shell("sync", code=1).stderr
    assert "hint: rosterd db upgrade" in shell("status", code=1).stderr


def test_a_file_that_is_no_database(both: tuple[Sandbox, Shell]) -> None:
    """Exit 1 with words, not a traceback."""
    shell = both[1]
    (shell.folder / "state.db").write_text("this is a text, and a long one, but surely no database" * 100)
    for typed in (("sync",), ("status",)):
        assert "error: the database is damaged (file is not a database)" in shell(*typed, code=1).stderr
    assert "wrong: file is not a database" in shell("db", "check", code=1).stdout
    add(shell.folder / "config.toml", "[fuse]\ncreate = {rows = 1}\n")
    assert "fail  " in shell("check", "--offline", code=1).stdout
