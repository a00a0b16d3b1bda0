"""Where the configuration is looked for. Here, apart, because completion must know it and cannot wait for pydantic."""

from __future__ import annotations

from pathlib import Path

CONFIG = (Path("config.toml"), Path("/etc/rosterd/config.toml"))
"""After --config and $ROSTERD_CONFIG: the first that is there."""
