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
        *_config(wanted, config, there, table),
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


def _config(wanted: Wanted, config: Path, there: Path, table: dict[str, Any]) -> Iterator[str]:
    if not there.exists():
        yield f"write the configuration: {config} (`rosterd init --dir {config.parent}` makes a first one)"
    if not wanted.user and (closed := list(dict.fromkeys(_closed(config, there, table)))):
        yield f"let the service read it, so keep keys out of it: chmod a+rX {' '.join(map(str, closed))}"


def _closed(config: Path, there: Path, table: dict[str, Any]) -> Iterator[Path]:
    """What a user without rights could not open of the configuration and the mappings that it names."""
    named = [one.get("mapping") for one in _tables(table.get("connections")).values()]
    for file in [Path(config.name), *(Path(name) for name in named if isinstance(name, str))]:
        for part, needed in ((file.parent, stat.S_IXOTH), (file, stat.S_IROTH)):
            found = there.parent / part
            if found.exists() and not found.stat().st_mode & needed:
                yield config.parent / part
    if not there.exists():
        yield config


def _database(wanted: Wanted, config: Path, table: dict[str, Any]) -> Iterator[str]:
    """The built-in place is that of the machine's one roster; any other has to be named, and be one it may write to."""
    state, service = (_tables(table).get(name, {}) for name in ("state", "service"))
    if "url_file" not in state and not _writable(wanted, config, state.get("url")):
        yield f"say in {config} where the database is, for the service writes nowhere else:"
        yield f'    [state]  url = "{database(wanted)}"'
    if wanted.name and not wanted.sync and "listen" not in service:
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
    named = {f"connections__{name}": one for name, one in _tables(table.get("connections")).items()}
    named |= {name: one for name, one in _tables(table).items() if name in ("state", "service", "alerts")}
    for prefix, one in named.items():
        for key, value in one.items():
            if key.endswith("_file") and isinstance(value, str):
                yield f"{prefix}__{key.removesuffix('_file')}", str(folder / value)


def _tables(found: Any) -> dict[str, dict[str, Any]]:
    """The tables in what should be a table of tables; what else is in there is for `rosterd check` to say."""
    return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}


def _start(wanted: Wanted) -> Iterator[str]:
    yield f"start it, now and at every boot: {wanted.systemctl} enable --now {wanted.unit}"
    if wanted.user:
        yield "let it run while you are logged out: loginctl enable-linger"
    journal = "journalctl --user" if wanted.user else "journalctl"
    yield f"see how it does: {wanted.systemctl} status {wanted.service}; {journal} -u {wanted.service} -f"
