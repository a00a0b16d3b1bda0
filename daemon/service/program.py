"""Where this installation's `rosterd` is, and whether a unit can rely on it being there tomorrow."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from daemon.errors import RosterdError

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome=yes hides."""


def program(*, user: bool, force: bool) -> Path:
    """This installation's command. Raises RosterdError where a service could not rely on it, unless forced."""
    found = Path(sys.prefix) / "bin" / "rosterd"
    if not os.access(found, os.X_OK):
        raise RosterdError(f"there is no command {found}", hint="install rosterd: docs/install.md says how")
    wrong = unfit(found, user=user)
    if wrong and not force:
        how = "uv tool install rosterd" if user else "a virtual environment in /opt/rosterd does"
        raise RosterdError(f"{found} is no place for a service: {wrong}", hint=f"{how}; --force takes it all the same")
    return found


def unfit(found: Path, *, user: bool) -> str:
    """Why a service could not rely on this command; "" if it can."""
    if editable():
        return "it runs a source tree, which changes as it is worked on"
    for place in (found, Path(os.path.realpath(sys.executable))):
        if any(place.is_relative_to(folder) for folder in fleeting()):
            return f"{place} is in a folder that is emptied now and then"
        if not user and (hidden := closed_to_others(place)):
            return hidden
    return ""


def editable() -> bool:
    """Whether the package is a link to somebody's tree (`pip install -e`)."""
    try:
        said = distribution("rosterd").read_text("direct_url.json")
    except PackageNotFoundError:
        return True  # started from a tree that is not installed at all
    return said is not None and bool(json.loads(said).get("dir_info", {}).get("editable"))


def fleeting() -> set[Path]:
    """Temporary folders and caches: what `uvx` runs is in one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    told = [Path(os.environ[name]) for name in ("UV_CACHE_DIR", "PIPX_CACHE_DIR") if os.environ.get(name)]
    return {Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path(tempfile.gettempdir()), cache, *told}  # noqa: S108


def closed_to_others(place: Path) -> str:
    """Why a user without rights, in the system's service, could not start this; "" if it could."""
    for home in HOMES:
        if place.is_relative_to(home):
            return f"{place} is in a home, which the service does not see"
    for at in (place, *place.parents):
        if not at.stat().st_mode & stat.S_IXOTH:
            return f"{at} is closed to others, and the service runs as a user of its own"
    return ""
