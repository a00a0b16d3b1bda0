"""`rosterd alerts`: as somebody sets them up, tries them, and looks at them when they come."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from daemon import assemble
from daemon import settings as config
from daemon.service.alerts import Alarms
from tests.stories.alerts_world import CONFIG, NOON, World
from tests.system.cli_world import Shell
from tests.unit.service.receivers import Hook, Mailbox

SECRET = 'webhook_secret = "0123456789abcdef0123"\n'


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "config.toml").touch(0o600)
    (tmp_path / "config.toml").write_text(CONFIG)
    return Shell(tmp_path)


def alerts(shell: Shell, text: str) -> None:
    (shell.folder / "config.toml").write_text(CONFIG + "[alerts]\n" + text)


def test_a_test_says_for_each_way_whether_it_arrived(shell: Shell) -> None:
    """Exit 1 unless by every way; the secret is in none of it."""
    with Hook() as hook, Mailbox() as box:
        mail = f'email_to = ["oncall@example.org"]\nemail_from = "rosterd@example.org"\nsmtp = "localhost:{box.port}"\n'
        alerts(shell, f'webhook = "{hook.url}"\n{SECRET}{mail}')
        said = shell("alerts", "test").stdout
        assert said == "webhook: arrived: it answered 204\nemail: arrived: the mail server accepted it\n"
        told = json.loads(hook.got[0][2])
        assert (told["kind"], told["config"]) == ("test", str(shell.folder / "config.toml"))
        assert len(box.got) == 1
        alerts(shell, f'command = ["/nowhere/page-me"]\nwebhook = "{hook.url}"\n{SECRET}')
        hook.status = 500
        assert shell.json("alerts", "test", code=1) == [
            {"way": "command", "arrived": False, "text": "/nowhere/page-me cannot be run: No such file or directory"},
            {"way": "webhook", "arrived": False, "text": "it answered 500"},
        ]
        hook.status = 200
        said = shell("alerts", "test", code=1).stdout
        assert "command: did not arrive: /nowhere/page-me" in said
        assert "webhook: arrived" in said


def test_with_nothing_configured_it_says_how(shell: Shell) -> None:
    """What it says is a configuration that works."""
    said = shell("alerts", "test", code=1).stdout
    assert "no way is configured" in said
    shown = said.partition("[alerts]\n")[2]
    alerts(shell, shown)
    secret = shell.folder / "webhook.secret"
    secret.touch(0o600)
    secret.write_text("0123456789abcdef0123")
    loaded = config.load(shell.folder / "config.toml").alerts
    assert (loaded.command, loaded.email_to) == (["/usr/local/bin/page-me"], ["oncall@example.org"])


def test_what_is_broken_is_listed_with_what_to_do(shell: Shell) -> None:
    """Beside a running service; open ones first."""
    with assemble.state_errors():
        store = assemble.open_store(f"sqlite:///{shell.folder}/state.db")
    assert shell("alerts", "list").stdout == "there are no alerts\n"
    world = World(shell.folder, store)
    world.trips()
    hold = world.trips("create")
    assert len(world.look()) == 2
    world.decides()
    world.person.down = "it is out of order"
    world.look(15)
    text = shell("alerts", "list").stdout
    assert "not yet, after 1 try" in text.splitlines()[2]
    assert text.splitlines()[1].split()[1:3] == ["fuse", "strive"]
    assert f"   rosterd holds show {hold}" in text.splitlines()
    assert "a mass change (create) at strive waits" in text
    first, second = shell.json("alerts", "list")
    assert (first["state"], first["key"], first["since"]) == ("broken", "fuse:strive:create", NOON)
    assert (second["state"], second["key"], second["healed_at"]) == ("healed", "fuse:strive:update", NOON + 15)
    assert [each["key"] for each in shell.json("alerts", "list", "--open")] == ["fuse:strive:create"]
    status = shell("status").stdout
    assert "a mass change (create) at strive waits" in status
    assert f"  rosterd holds show {hold}" in status.splitlines()
    (broken,) = shell.json("status")["alerts"]
    assert (broken["id"], broken["kind"], broken["connection"]) == (first["id"], "fuse", "strive")
    world.decides("create")
    world.look(15)
    assert shell("alerts", "list", "--open").stdout == "nothing is broken\n"
    store.close()


def test_a_service_tells_by_the_ways_of_its_configuration(shell: Shell) -> None:
    """The whole way: from what the database says to a web server, and after a reload to another."""
    with Hook() as hook, Hook() as other:
        alerts(shell, f'webhook = "{hook.url}"\n{SECRET}')
        settings = config.load(shell.folder / "config.toml")
        with assemble.state_errors():
            store = assemble.open_store(settings.state.url)
        world = World(shell.folder, store)
        world.trips()
        service = Alarms(settings, store, clock=lambda: world.now)
        service.look()
        service.close()
        alerts(shell, f'webhook = "{other.url}"\n{SECRET}')
        service.reload(config.load(shell.folder / "config.toml"))
        world.decides()
        service.look()
        service.close()
        assert [json.loads(body)["state"] for _, _, body in [*hook.got, *other.got]] == ["broken", "healed"]
        assert (len(hook.got), len(other.got)) == (1, 1)
        store.close()


def test_status_says_what_the_page_says(shell: Shell) -> None:
    """In the same words: who is late, since when, and who is fine."""
    with assemble.state_errors():
        store = assemble.open_store(f"sqlite:///{shell.folder}/state.db")
    world = World(shell.folder, store)
    now = time.time()
    for name, ago in (("strive", 3600.0), ("telerivet", 60.0)):
        world.put(name, polled_at=now - ago)
    strive, telerivet = shell.json("status")["connections"]
    assert (strive["state"], telerivet["state"]) == ("late", "fine")
    assert 3600 <= strive["lag_seconds"] < 3700
    text = shell("status").stdout
    assert text.splitlines()[1].split()[:3] == ["strive", "strive", "late"]
    assert "strive: late: not read to the end since" in text
    assert "telerivet: late" not in text
    store.close()
