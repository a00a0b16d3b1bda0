"""The units under a real systemd, where this machine can run one: what it makes of our messages, and we of its limits.

It is the manager of a user's services, run as root in namespaces; so all that needs no second user is in force.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from daemon.service import units
from daemon.service.units import Wanted
from tests.system import own_systemd
from tests.system.cli_world import ROOT, sandbox_and_shell
from tests.system.own_systemd import Systemd

SERVICE = """
import os, signal, sys, time
from pathlib import Path
from daemon.service.notify import Notify

notify, here = Notify.from_environment(), Path(__file__).parent
signal.signal(signal.SIGHUP, lambda *_: (notify.reloading(), time.sleep(0.2), notify.ready("read again")))
signal.signal(signal.SIGTERM, lambda *_: (notify.stopping("after the page at hand"), time.sleep(0.2), sys.exit(0)))
(here / "seen").write_text(f"{notify.watchdog_every} {'NOTIFY_SOCKET' in os.environ}")
notify.ready("up for the first time" if not (here / "hang").exists() else "up again")
while True:
    if not (here / "hang").exists() or (here / "hung").exists():
        notify.watchdog()
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def manager() -> Iterator[Systemd]:
    if reason := own_systemd.why_not():
        pytest.skip(reason)
    with own_systemd.systemd() as found:
        if found is None:
            pytest.skip("no systemd comes up here: namespaces or control groups are not ours to make")
        yield found


def unit(manager: Systemd, wanted: Wanted, command: str, *more: str) -> None:
    """The unit as installed, with another command, and lines of ours behind it."""
    [file] = [file for file in wanted.files if file.endswith(".service")]
    text = units.rendered(wanted, file, program="/opt/rosterd/bin/rosterd", config=None, version="1")
    text = re.sub(r"^ExecStart=.*$", f"ExecStart={command}", text, flags=re.MULTILINE)
    assert command in text
    ours = [f"Environment=PYTHONPATH={ROOT}", f"StandardError=append:{manager.folder}/said", *more]
    (manager.units / file).write_text("\n".join([text, "[Service]", *ours, ""]))
    assert not manager.ask("daemon-reload").returncode


def test_a_whole_life_under_systemd(manager: Systemd) -> None:
    """Start, ready, reload, hang, restart by the watchdog, stop: each as `systemctl` shows it."""
    script, name = manager.folder / "service.py", "rosterd.service"
    script.write_text(SERVICE)
    unit(manager, Wanted(user=True), f"{sys.executable} {script}", "WatchdogSec=2s", "RestartSec=100ms")
    done = manager.ask("start", name)
    assert done.returncode == 0, done.stderr
    manager.wait(name, ActiveState="active", StatusText="up for the first time", NotifyAccess="main")
    assert (manager.folder / "seen").read_text() == "1.0 False"
    assert not manager.ask("reload", name).returncode
    manager.wait(name, ActiveState="active", StatusText="read again", NRestarts="0")
    (manager.folder / "hang").touch()
    manager.wait(name, NRestarts="1")
    (manager.folder / "hung").touch()
    manager.wait(name, ActiveState="active", StatusText="up again")
    assert not manager.ask("stop", name).returncode
    manager.wait(name, ActiveState="inactive", Result="success", ExecMainStatus="0")
    assert "Current thread" in (manager.folder / "said").read_text()  # what the hang left behind


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (78, ("failed", "0")),
        (2, ("failed", "0")),
        (0, ("inactive", "0")),
        (75, ("activating", "1")),
        (1, ("activating", "1")),
    ],
)
def test_how_it_ended_decides_whether_it_starts_again(manager: Systemd, code: int, state: tuple[str, str]) -> None:
    """Not before a person has mended the configuration; but when the database was in use, soon."""
    name, script = "rosterd.service", manager.folder / "end.py"
    manager.ask("stop", name)
    manager.ask("reset-failed", name)
    (manager.folder / "ended").unlink(missing_ok=True)
    script.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom daemon.service.notify import Notify\n"
        f"ended = Path({str(manager.folder / 'ended')!r})\nnotify = Notify.from_environment()\n"
        f"if ended.exists():\n    time.sleep(60)\nended.touch()\nnotify.ready()\nsys.exit({code})\n"
    )
    unit(manager, Wanted(user=True), f"{sys.executable} {script}", "RestartSec=100ms")
    manager.ask("start", "--no-block", name)
    manager.wait(name, ActiveState=state[0], NRestarts=state[1])
    manager.ask("stop", name)


def test_a_sync_works_behind_all_the_walls(manager: Systemd) -> None:
    """The machine's unit, with all its hardening that needs no second user: rosterd reads, writes and exits as ever.

    Its keys come by LoadCredential=; the files that the configuration names are not there for it.
    """
    with sandbox_and_shell(manager.folder, people=5) as (_, shell):
        keys = manager.folder / "keys"
        keys.mkdir()
        lines = [
            "DynamicUser=no",
            "User=",
            "StateDirectory=",
            f"BindPaths={manager.folder}",
            f"BindReadOnlyPaths={ROOT}",
        ]
        for name in ("strive", "telerivet"):
            (manager.folder / f"{name}.key").rename(keys / name)
            lines.append(f"LoadCredential=connections__{name}__api_key:{keys}/{name}")
        lines += ["ProtectHome=no"]  # that is where trees and their Python are
        unit(
            manager,
            Wanted(sync=True),
            f"{sys.executable} -m daemon.cli -c {manager.folder}/config.toml sync --due",
            *lines,
        )
        done = manager.ask("start", "rosterd-sync.service")
        assert done.returncode == 0, done.stderr + (manager.folder / "said").read_text()[-3000:]
        shown = manager.show("rosterd-sync.service", "Result", "ExecMainStatus")
        assert (shown["Result"], shown["ExecMainStatus"] in ("0", "3")) == ("success", True)
        for name in ("strive", "telerivet"):
            (keys / name).rename(manager.folder / f"{name}.key")
        runs = shell.json("status")
        assert runs["contacts"] > 0


def test_install_tells_systemd_and_uninstall_stops_what_runs(manager: Systemd) -> None:
    """Nothing is started by installing, and nothing is stopped without a word."""
    program = [sys.executable, "-m", "daemon.cli", "service"]
    done = manager.within(*program, "install", "--user", "--sync", "--force")
    assert done.returncode == 0, done.stderr
    assert "told systemd: systemctl --user daemon-reload" in done.stdout
    assert manager.show("rosterd-sync.timer", "ActiveState", "LoadState") == {
        "LoadState": "loaded",
        "ActiveState": "inactive",
    }
    done = manager.ask("enable", "--now", "rosterd-sync.timer")
    assert done.returncode == 0, done.stderr
    manager.wait("rosterd-sync.timer", ActiveState="active")
    done = manager.within(*program, "uninstall", "--user", "--sync")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stopped and disabled rosterd-sync.timer\nremoved ")
    manager.wait("rosterd-sync.timer", ActiveState="inactive")
    assert not list((manager.folder / "config").rglob("rosterd-sync*"))
