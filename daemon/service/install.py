"""Writing unit files and taking them away again: all or nothing, and never over what a person wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from daemon.errors import RosterdError
from daemon.service.units import Wanted, untouched

SYSTEMD = Path("/run/systemd/system")
"""There while systemd runs the machine (sd_booted(3))."""


@dataclass(frozen=True)
class Place:
    """Where things go. `root`: the folder a packager fills; / for this machine."""

    user: bool
    root: Path = Path("/")

    @property
    def units(self) -> Path:
        return (
            self._home("XDG_CONFIG_HOME", ".config") / "systemd/user" if self.user else self._at("/etc/systemd/system")
        )

    @property
    def share(self) -> Path:
        """Where manual pages and shell completion are looked for."""
        return self._home("XDG_DATA_HOME", ".local/share") if self.user else self._at("/usr/local/share")

    @property
    def config(self) -> Path:
        """What %E/rosterd is, on the machine it will be."""
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return home / "rosterd" if self.user else Path("/etc/rosterd")

    def staged(self, path: Path) -> Path:
        """Where a path of that machine is now."""
        return self._at(str(path))

    @property
    def live(self) -> bool:
        """Whether it is this machine, and a manager runs to be told."""
        manager = Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere"), "systemd/private") if self.user else SYSTEMD
        return self.root == Path("/") and manager.exists()

    def _home(self, variable: str, usual: str) -> Path:
        return self._at(os.environ.get(variable) or str(Path.home() / usual))

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def systemctl(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask the manager. Raises RosterdError if there is no such program."""
    command = ["systemctl", *(["--user"] if place.user else []), "--no-ask-password", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise RosterdError(f"systemctl {words[0]}: {problem}", hint="is systemd in order?") from None


# ── unit files


def write(wanted: Mapping[Path, str], *, force: bool) -> dict[Path, str]:
    """What was done with each file: wrote, updated, unchanged. An edited one stops it before anything is written."""
    plan = {path: _change(path, text) for path, text in wanted.items()}
    edited = [str(path) for path, what in plan.items() if what == "edited"]
    if edited and not force:
        raise RosterdError(
            f"{', '.join(edited)}: edited, or written by somebody else",
            hint=f"put your lines into {edited[0]}.d/override.conf (systemctl edit); --force overwrites the file",
        )
    plan = {path: "updated" if what == "edited" else what for path, what in plan.items()}
    with trouble():
        for path, what in plan.items():
            if what != "unchanged":
                _replace(path, wanted[path])
    return plan


def _change(path: Path, text: str) -> str:
    before = content(path)
    if before is None:
        return "wrote"
    if before == text and not path.is_symlink():
        return "unchanged"
    return "updated" if ours(path) else "edited"


def content(path: Path) -> str | None:
    """The text of a unit file; None if there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "" if path.is_symlink() else None
    except OSError as problem:
        raise RosterdError(f"{path} cannot be read: {problem.strerror}") from None


def ours(path: Path) -> bool:
    """Whether we wrote it, and nobody has changed it since. A link, as `systemctl mask` makes, is somebody's."""
    return not path.is_symlink() and untouched(content(path) or "")


def _replace(path: Path, text: str) -> None:
    """At once or not at all, readable by everybody whatever the umask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with new.open("x", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o644)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)


@contextmanager
def trouble() -> Iterator[None]:
    """An error of the file system as one that says what to do."""
    try:
        yield
    except PermissionError as problem:
        hint = "with sudo; or --user, for a service of your own"
        raise RosterdError(f"{problem.filename}: {problem.strerror}", hint=hint) from None
    except OSError as problem:
        raise RosterdError(f"{problem.filename}: {problem.strerror}") from None


# ── manual pages and completion


def shared(prefix: Path | None = None) -> Iterator[tuple[Path, Path]]:
    """What the wheel brought for share/: (where it is below share, the file itself)."""
    share = (prefix or Path(sys.prefix)) / "share"
    try:
        found = files("rosterd") or []
    except PackageNotFoundError:
        return
    for path in (Path(os.path.normpath(str(one.locate()))) for one in found):
        if path.is_relative_to(share) and path.is_file():
            yield path.relative_to(share), path


def link(place: Place) -> list[Path]:
    """Links to them where man and shells look, so that an upgrade needs nothing. What is there already stays."""
    made = []
    with trouble():
        for below, path in shared():
            at = place.share / below
            if at.exists() or at.is_symlink():
                continue
            at.parent.mkdir(parents=True, exist_ok=True)
            at.symlink_to(path)
            made.append(at)
    return made


def unlink(place: Place) -> list[Path]:
    """Takes away the links that lead to this installation, and no file."""
    gone = [place.share / below for below, path in shared() if _leads(place.share / below, path)]
    with trouble():
        for at in gone:
            at.unlink()
    return gone


def _leads(at: Path, path: Path) -> bool:
    return at.is_symlink() and at.readlink() == path


# ── taking away


def enabled(place: Place, stem: str) -> list[Path]:
    """The links by which `systemctl enable` made units of this name start."""
    return sorted(place.units.glob(f"*.wants/{stem}*"))


def others(place: Place, wanted: Wanted) -> list[str]:
    """Other rosters that are served by the same template."""
    if not wanted.name:
        return []
    names = {at.name for at in enabled(place, wanted.stem)}
    if place.live:
        shown = systemctl(place, "list-units", "--plain", "--no-legend", "--state=active,activating", f"{wanted.stem}*")
        names |= {line.split()[0] for line in shown.stdout.splitlines() if line.strip()}
    return sorted(names - {wanted.unit, wanted.service})


def stop(place: Place, wanted: Wanted) -> bool:
    """Stop and disable the unit, if it runs or starts by itself. Whether there was anything to do."""
    if place.live:
        state = [systemctl(place, verb, wanted.unit).stdout.strip() for verb in ("is-active", "is-enabled")]
        if not ({"active", "activating", "reloading"} & set(state) or state[1].startswith("enabled")):
            return False
        done = systemctl(place, "disable", "--now", wanted.unit)
        if done.returncode:
            raise RosterdError(f"{wanted.unit} does not stop: {done.stderr.strip()}", hint="nothing was removed")
        return True
    links = [at for at in enabled(place, wanted.stem) if at.name == wanted.unit]
    with trouble():
        for at in links:
            at.unlink()
    return bool(links)


def remove(place: Place, wanted: Wanted) -> list[Path]:
    """Takes the unit files away. To be asked `ours` before."""
    gone = [place.units / file for file in wanted.files if content(place.units / file) is not None]
    with trouble():
        for path in gone:
            path.unlink()
    return gone
