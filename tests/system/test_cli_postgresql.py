"""The command line on PostgreSQL: everything as on SQLite, and what is wrong with a server in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from daemon.sandbox import Sandbox
from tests.postgres import admin
from tests.system.cli_world import Shell, sandbox_and_shell

World = tuple[Sandbox, Shell]


def at(folder: Path, url: str) -> None:
    """Keep the state there."""
    config = folder / "config.toml"
    lines = [f'url = "{url}"' if line.startswith("url = ") else line for line in config.read_text().splitlines()]
    config.write_text("\n".join(lines) + "\n")


def changed(url: str, **parts: object) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path, pg_url: str) -> Iterator[World]:
    """Four people at Strive, none at Telerivet."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        at(tmp_path, pg_url)
        for number in range(1, 5):
            sandbox.strive.add_member(phone_number=f"+1202555010{number}", first_name=f"Ada{number}", city="Rome")
        yield sandbox, shell


def test_a_plan_sends_nothing_and_the_sync_sends_it(world: World) -> None:
    sandbox, shell = world
    plan = shell.json("sync", "--dry-run")
    assert [(each["connection"], each["kind"], each["count"]) for each in plan["counts"]] == [
        ("telerivet", "create", 4)
    ]
    assert "Ada1" in shell("plan").stdout
    assert shell.json("status")["contacts"] == 0
    shell("sync")
    assert len(sandbox.telerivet.contacts()) == 4
    sandbox.strive.edit_member(sandbox.strive.members()[0]["id"], city="Paris")
    shell("plan", "--out", "plan.json")
    shell("apply", "plan.json", "--yes")
    assert [each["vars"].get("city") for each in sandbox.telerivet.contacts()].count("Paris") == 1
    assert shell.json("sync", "--dry-run")["counts"] == []


def test_the_other_commands(world: World) -> None:
    _, shell = world
    assert "0 contacts" in shell("check").stdout
    shell("sync")
    assert "4 contacts" in shell("check").stdout
    assert [each["id"] for each in shell.json("contacts", "find", "ada2")] == ["c2"]
    assert "whole" in shell("db", "check").stdout
    assert "nothing waits" in shell("holds", "list").stdout
    assert "there is no hold 99" in shell("holds", "decide", 99, "same", code=1).stderr


def test_a_database_where_nothing_was_kept_yet(tmp_path: Path, postgres: str, empty_database: str) -> None:
    """A dry run makes nothing there; the sync makes what it needs."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        at(tmp_path, empty_database)
        sandbox.strive.add_member(phone_number="+12025550101", first_name="Ada")
        assert shell.json("sync", "--dry-run")["counts"][0]["count"] == 1
        assert "rosterd db upgrade" in shell("status", code=1).stderr
        done = shell("db", "upgrade").stdout
        assert "was at nothing" in done
        shell("sync")
        assert len(sandbox.telerivet.contacts()) == 1


# what is wrong with the server


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """What `rosterd status` says of a database at this address."""
    with sandbox_and_shell(tmp_path, empty=True) as (_, shell):

        def ask(url: str, command: str = "sync") -> str:
            (tmp_path / "config.toml").chmod(0o600)
            at(tmp_path, url)
            done = shell(command, code=None)
            assert done.returncode in (1, 75)
            assert "s3cret" not in done.stdout + done.stderr
            return done.stderr

        yield ask


def test_no_such_database(told: Callable[..., str], postgres: str) -> None:
    said = told(changed(postgres, database="nowhere"))
    assert 'database "nowhere" does not exist' in said
    assert "make it first" in said


def test_no_such_user(told: Callable[..., str], postgres: str) -> None:
    assert 'role "nobody" does not exist' in told(changed(postgres, username="nobody"))


@pytest.fixture
def strict(postgres: str) -> Iterator[str]:
    """The address of a server as a user who needs a password."""
    with admin(postgres) as connection:
        connection.exec_driver_sql("create role strict login password 's3cret-is-right'")
    yield changed(postgres, username="strict")
    with admin(postgres) as connection:
        connection.exec_driver_sql("drop role strict")


def test_passwords(told: Callable[..., str], strict: str, postgres: str) -> None:
    said = told(strict)
    assert "no password supplied" in said
    assert "url_file" in said
    said = told(changed(strict, password="s3cret-is-wrong"))
    assert "password authentication failed" in said
    assert "is the password in state.url right?" in said
    said = told(changed(strict, password="s3cret-is-right"))
    assert "permission denied" in said
    assert "docs/postgresql.md" in said


def test_no_server(told: Callable[..., str], tmp_path: Path) -> None:
    said = told(f"postgresql:///rosterd?host={tmp_path}")
    assert "the database is away (" in said
    assert "is the server running" in said


def test_an_option_that_is_none(told: Callable[..., str], postgres: str) -> None:
    said = told(postgres + "&hots=here")
    assert 'invalid connection option "hots"' in said


def test_the_driver_is_missing(told: Callable[..., str], postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'rosterd[postgresql]'" in told(postgres)
