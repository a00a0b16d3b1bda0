"""The unit files as tests look at them, and the rating of their hardening for the docs.

python -m tests.unit_files            says whether docs/systemd.md has the rating (exit 1 if not)
python -m tests.unit_files --write    writes it anew
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from daemon.service import units
from daemon.service.units import Wanted
from tests.machine import needs

DEPLOY = Path(__file__).parents[1] / "deploy"
PAGE = DEPLOY.parent / "docs" / "systemd.md"
MARKED = re.compile(r"(<!-- security[^>]*-->\n).*?(<!-- end of security -->)", re.DOTALL)
FILES = sorted(path.name for path in DEPLOY.iterdir())
SERVICES = [name for name in FILES if name.endswith(".service")]
EVERY = [Wanted(user, sync, name) for user in (False, True) for sync in (False, True) for name in ("", "atlanta")]

WHY = {
    "PrivateNetwork": "it talks to platforms",
    "RestrictAddressFamilies_AF_INET_INET6": "the same",
    "RestrictAddressFamilies_AF_UNIX": "to systemd, and to a PostgreSQL on this machine",
    "IPAddressDeny": "platforms change their addresses; a list of yours can go into a drop-in",
    "RootDirectoryOrRootImage": "Python and its libraries are the machine's",
    "DeviceAllow": "the clock may be read; ProtectClock= comes with it",
}


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """systemd-analyze, which needs no running systemd. Missing, it is a reason to skip, but not in CI."""
    needs("systemd-analyze", "systemd")
    with tempfile.TemporaryDirectory() as runtime:  # --user wants one, and looks at nothing in it
        return subprocess.run(
            ["systemd-analyze", *words],
            env={**os.environ, "XDG_RUNTIME_DIR": runtime},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def installed(wanted: Wanted, folder: Path, *, program: str = "/usr/bin/true") -> list[Path]:
    """The files as install writes them; verify wants a program that is there."""
    paths = []
    for file in wanted.files:
        path = folder / file
        path.write_text(units.rendered(wanted, file, program=program, config=None, version="0.1.0"))
        paths.append(path)
    return paths


def exposure(path: Path) -> list[dict[str, Any]]:
    """What systemd finds open, the heaviest first."""
    done = analyze("security", "--offline=true", "--json=short", "--no-pager", str(path))
    found: list[dict[str, Any]] = json.loads(done.stdout)
    still = [one for one in found if one["exposure"] not in (None, "0.0") and not one["set"]]
    return sorted(still, key=lambda one: (-float(one["exposure"]), one["name"]))


def overall(path: Path) -> str:
    done = analyze("security", "--offline=true", "--no-pager", str(path))
    found = re.search(r"exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found, done.stdout + done.stderr
    return found[1]


def rating() -> str:
    with tempfile.TemporaryDirectory() as folder:
        lines = ["| unit | exposure, of 10 |", "| --- | --- |"]
        rows: list[dict[str, Any]] = []
        for wanted in EVERY:
            if not wanted.user:
                service = installed(wanted, Path(folder))[0]
                lines.append(f"| `{service.name}` | {overall(service)} |")
                rows = rows or exposure(service)
    lines += ["", "| what is open | weight | why |", "| --- | --- | --- |"]
    for one in rows:
        name = one["name"].replace("|", "\\|")
        lines.append(f"| {one['description']} (`{name}`) | {one['exposure']} | {WHY[one['json_field']]} |")
    return "\n".join(lines) + "\n"


def current(text: str) -> str:
    made = rating()
    return MARKED.sub(lambda found: f"{found[1]}\n{made}\n{found[2]}", text)


def main(arguments: list[str]) -> int:
    text = PAGE.read_text(encoding="utf-8")
    wanted = current(text)
    if wanted != text and "--write" in arguments:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    print("up to date" if wanted == text else f"out of date: {PAGE}")
    return int(wanted != text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
