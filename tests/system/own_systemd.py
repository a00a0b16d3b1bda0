"""A real systemd for a test, where this machine lets us have one: root, and namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.cli_world import environment

SCRIPT = Path(__file__).with_suffix(".sh")
SYSTEMD = Path("/lib/systemd/systemd")
TARGET = "[Unit]\nDefaultDependencies=no\n"
APART = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


class Systemd:
    """A manager of user services, in namespaces of its own. It sees the network and files of the machine, and may
    change nothing but what is below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = folder / "units"
        self.units.mkdir()
        for name in ("basic", "shutdown", "exit", "timers"):
            (self.units / f"{name}.target").write_text(TARGET)
        self._log = (folder / "log").open("w")
        command = [*APART, "sh", str(SCRIPT), str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    def up(self) -> bool:
        """Whether it came up; False where the machine does not let it."""
        until = time.monotonic() + 10
        while time.monotonic() < until and self._process.poll() is None:
            if (self.folder / "runtime/systemd/private").exists() and not self.ask(
                "show", "--property=Version"
            ).returncode:
                return True
            time.sleep(0.05)
        return False

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """systemctl, asked from within: it talks to nobody whose process it cannot see."""
        return self.within("systemctl", "--user", *words)

    def within(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Any command, as its user would type it."""
        [inner] = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        enter = ["nsenter", f"--target={inner}", "--mount", "--pid", *command]
        path = f"{self.folder}/config/systemd/user:{self.units}"
        env = {**environment(), "XDG_RUNTIME_DIR": f"{self.folder}/runtime", "HOME": str(self.folder)}
        env |= {"XDG_CONFIG_HOME": f"{self.folder}/config", "SYSTEMD_UNIT_PATH": path}
        return subprocess.run(enter, env=env, capture_output=True, text=True, timeout=60, check=False)

    def show(self, unit: str, *names: str) -> dict[str, str]:
        shown = self.ask("show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def wait(self, unit: str, seconds: float = 10, **wanted: str) -> dict[str, str]:
        """Until the unit shows these."""
        return wait(lambda: self.show(unit, *wanted), lambda shown: shown == wanted, seconds)

    def close(self) -> None:
        """Ends the first process of the namespaces, and so everything in them, by its number."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        tidy = 'mount -t cgroup2 none "$1/cgroup" && find "$1/cgroup/${1##*/}" -depth -type d -exec rmdir {} +'
        for _ in range(20):
            done = subprocess.run(
                ["unshare", "--mount", "sh", "-c", tidy, "sh", self.folder], capture_output=True, check=False
            )
            if not done.returncode:
                return
            time.sleep(0.05)


def wait(look: Callable[[], dict[str, str]], right: Callable[[dict[str, str]], bool], seconds: float) -> dict[str, str]:
    until = time.monotonic() + seconds
    while not right(found := look()):
        assert time.monotonic() < until, f"after {seconds} s still {found}"
        time.sleep(0.02)
    return found


def why_not() -> str:
    """Why there can be none here; "" if it is worth a try."""
    if os.geteuid():
        return "a systemd of our own needs root"
    lacking = [name for name in ("unshare", "nsenter", "systemctl", "awk") if shutil.which(name) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else "" if SYSTEMD.exists() else f"there is no {SYSTEMD}"


@contextmanager
def systemd() -> Iterator[Systemd | None]:
    """None if it does not come up here."""
    folder = Path(tempfile.mkdtemp(prefix="rosterd-systemd-"))  # short: it holds the path of a socket
    manager = Systemd(folder)
    try:
        yield manager if manager.up() else None
    finally:
        manager.close()
        shutil.rmtree(folder)
