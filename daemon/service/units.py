"""The unit files: those shipped, made to fit this installation, and signed so that edits are noticed.

The files a person reads are in deploy/; in the wheel they stand beside this module. Each setting has its explanation
in the comment above it; together they are a *block*. The service of a user (`systemctl --user`) is the same file
without the blocks that only the system's manager can obey.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import RosterdError

SHIPPED = (Path(__file__).with_name("units"), Path(__file__).parents[2] / "deploy")
"""In the wheel; in a tree."""
PROGRAM = "/opt/rosterd/bin/rosterd"
CONFIG = "%E/rosterd/config.toml"
"""What the shipped files say where an installation says its own."""
ROSTER = re.compile(r"[a-z][a-z0-9_-]{0,22}")
"""With `rosterd-` before it, it is the name of a user: at most 31 characters."""
SIGNED = re.compile(r"# rosterd (?P<version>\S+) (?P<hash>[0-9a-f]{64}) [^\n]*\n")

SYSTEM_ONLY = re.compile(
    r"DynamicUser|User|StateDirectory(Mode)?|Wants|After|PrivateMounts"  # whose it is, and what it waits for
    r"|CapabilityBoundingSet|AmbientCapabilities|Protect\w+|ProcSubset|Private\w+|RemoveIPC|KeyringMode"  # root's gift
)

FOR_USER = {
    "`systemctl ": "`systemctl --user ",
    "`rosterd service install": "`rosterd service install --user",
    "start with the machine": "start with your session",
    "starts with the machine": "starts with your session",
    "multi-user.target": "default.target",
    "/etc/rosterd/": "~/.config/rosterd/",
}
"""Words of the machine's service, and what they are in a user's."""


@dataclass(frozen=True)
class Wanted:
    """Which unit: the long run or the timer, of one roster or of several, for the machine or for a user."""

    user: bool = False
    sync: bool = False
    name: str = ""

    @property
    def stem(self) -> str:
        return ("rosterd-sync" if self.sync else "rosterd") + ("@" if self.name else "")

    @property
    def files(self) -> tuple[str, ...]:
        kinds = ("service", "timer") if self.sync else ("service",)
        return tuple(f"{self.stem}.{kind}" for kind in kinds)

    @property
    def unit(self) -> str:
        """What is enabled and started."""
        return f"{self.stem}{self.name}.{'timer' if self.sync else 'service'}"

    @property
    def service(self) -> str:
        """What holds the log and the credentials."""
        return f"{self.stem}{self.name}.service"

    @property
    def systemctl(self) -> str:
        return "systemctl --user" if self.user else "systemctl"


def rendered(wanted: Wanted, file: str, *, program: Path | str, config: Path | None, version: str) -> str:
    """The file as it is installed. `config`: None for the usual place."""
    text = shipped(file)
    if wanted.user:
        text = for_user(text)
    text = text.replace(f"={PROGRAM} ", f"={quoted(program)} ")
    if config is not None:
        text = text.replace(f" {CONFIG} ", f" {quoted(config)} ")
    return signed(text, version)


def shipped(file: str) -> str:
    """A unit file as it is in the wheel, or in the tree of those who work on rosterd."""
    for folder in SHIPPED:
        if (folder / file).is_file():
            return (folder / file).read_text(encoding="utf-8")
    raise RosterdError(f"this installation has no unit file {file}", hint="install rosterd from its wheel")


def quoted(path: Path | str) -> str:
    """A path as a unit file wants it. Raises RosterdError for one that systemd could not be given."""
    text = str(path)
    if not text.isprintable() or set(text) & set("\"'\\$"):
        raise RosterdError(f"systemd cannot be given this path: {text!r}", hint="choose one of plain letters")
    text = text.replace("%", "%%")
    return f'"{text}"' if " " in text else text


# ── the service of a user


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The file in pieces: (setting, its comment and itself), and ("", what is between) as it stands."""
    piece: list[str] = []
    for line in text.splitlines(keepends=True):
        piece.append(line)
        key = re.match(r"(\w+)=", line)
        if key or not line.startswith("#"):
            yield (key[1] if key else "", "".join(piece))
            piece = []
    yield "", "".join(piece)


def for_user(text: str) -> str:
    """Without what needs root, and under the manager that a user's session starts."""
    kept = "".join(block for key, block in blocks(text) if not SYSTEM_ONLY.fullmatch(key))
    kept = re.sub(r"# ── Keys of accounts ──\n.*?(?=# ── )", "", kept, flags=re.DOTALL)
    for machine, session in FOR_USER.items():
        kept = kept.replace(machine, session)
    return kept


# ── the signature


def signed(text: str, version: str) -> str:
    """With a first line that says who wrote it, and the hash of all that follows."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"# rosterd {version} {digest} (by this line `rosterd service` knows its own file)\n{text}"


def untouched(text: str) -> bool:
    """Whether we wrote this, and nobody has changed it since."""
    found = SIGNED.match(text)
    return found is not None and hashlib.sha256(text[found.end() :].encode()).hexdigest() == found["hash"]
