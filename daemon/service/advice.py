"""What is left for a person to do after `rosterd service install`, with the lines to type."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.service.units import Wanted

DEFAULT_PORT = "127.0.0.1:8787"


def steps(wanted: Wanted, config: Path, staged: Path | None = None) -> list[str]:
    """In order, each a line; those that begin with blanks belong to the one before.

    `config`: the configuration the service reads; `staged`: where that file is until then, if elsewhere.
    """
    there = staged or config
    table = _read(there)
    return [
        *_config(wanted, config, there),
        *_database(wanted, config, table),
        *(() if wanted.user else _keys(wanted, config, table)),
        *_start(wanted),
    ]


def _read(config: Path) -> dict[str, Any]:
    """The configuration, as far as it is there to be read; what is wrong with it `rosterd check` says better."""
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _config(wanted: Wanted, config: Path, there: Path) -> Iterator[str]:
    if not there.exists():
        yield f"write the configuration: {config} (`rosterd init --dir {config.parent}` makes a first one)"
    if not wanted.user and not (there.exists() and there.stat().st_mode & stat.S_IROTH):
        yield f"let the service read it, so keep keys out of it: chmod 644 {config}"


def _database(wanted: Wanted, config: Path, table: dict[str, Any]) -> Iterator[str]:
    """The built-in place is that of the machine's one roster; any other has to be named, and be one it may write to."""
    state, service = table.get("state"), table.get("service")
    url = state.get("url") if isinstance(state, dict) else None
    if not _writable(wanted, config, url):
        yield f"say in {config} where the database is, for the service writes nowhere else:"
        yield f'    [state]  url = "{database(wanted)}"'
    if wanted.name and not wanted.sync and not (isinstance(service, dict) and "listen" in service):
        yield f"give the roster a port of its own: [service]  listen, unless it is the only one on {DEFAULT_PORT}"


def _writable(wanted: Wanted, config: Path, url: Any) -> bool:
    """Whether the database is where the service may write. Not for us to say of one that is no file."""
    if not isinstance(url, str):
        return not (wanted.user or wanted.name)
    if not url.startswith("sqlite:///") or wanted.user:
        return True
    folder = Path(database(wanted).removeprefix("sqlite:///")).parent
    return Path(os.path.normpath(config.parent / url.removeprefix("sqlite:///"))).is_relative_to(folder)


def database(wanted: Wanted) -> str:
    """An address for the database that the service may write to."""
    if wanted.user:
        return f"sqlite:///{Path.home()}/.local/share/rosterd/{wanted.name or 'state'}.db"
    return f"sqlite:////var/lib/rosterd{'-' if wanted.name else ''}{wanted.name}/state.db"


def _keys(wanted: Wanted, config: Path, table: dict[str, Any]) -> Iterator[str]:
    found = list(credentials(table, config.parent))
    if table and not found:
        return
    yield f"hand it the keys, which only root can read: {wanted.systemctl} edit {wanted.service}, and write"
    yield "    [Service]"
    for name, path in found or [("connections__NAME__api_key", f"{config.parent}/keys/NAME.key")]:
        yield f"    LoadCredential={name}:{path}"
    yield "  (encrypted: systemd-creds encrypt --name=CREDENTIAL FILE FILE.cred, and LoadCredentialEncrypted=)"


def credentials(table: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """(credential, file) for each secret that the configuration names by file. A credential is taken before a file."""
    connections = table.get("connections")
    tables = [
        *(
            (f"connections__{name}", one)
            for name, one in (connections if isinstance(connections, dict) else {}).items()
        ),
        *((name, table.get(name)) for name in ("service", "alerts")),
    ]
    for prefix, one in tables:
        for key, value in (one if isinstance(one, dict) else {}).items():
            if key.endswith("_file") and isinstance(value, str):
                yield f"{prefix}__{key.removesuffix('_file')}", str(folder / value)


def _start(wanted: Wanted) -> Iterator[str]:
    yield f"start it, now and at every boot: {wanted.systemctl} enable --now {wanted.unit}"
    if wanted.user:
        yield "let it run while you are logged out: loginctl enable-linger"
    journal = "journalctl --user" if wanted.user else "journalctl"
    yield f"see how it does: {wanted.systemctl} status {wanted.service}; {journal} -u {wanted.service} -f"
