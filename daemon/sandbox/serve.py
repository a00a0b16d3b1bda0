"""Serve the sandbox until somebody ends it: `rosterd sandbox`, or `python -m daemon.sandbox`."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Sequence

from daemon.sandbox.sandbox import Sandbox


def _say(text: str) -> None:
    print(text, flush=True)  # at once, also into a pipe: somebody waits for the addresses


def serve(
    port: int = 8090,
    people: int = 60,
    seed: int = 1,
    *,
    empty: bool = False,
    echo: Callable[[str], object] = _say,
    until: threading.Event | None = None,
) -> None:
    """Serve until `until` is set or Ctrl-C is pressed. Raises OSError when the port is taken."""
    with Sandbox(people, seed, empty=empty, log_limit=10_000).start(port) as sandbox:
        echo(banner(sandbox))
        try:
            (until or threading.Event()).wait()
        except KeyboardInterrupt:
            echo("Stopped.")


def banner(sandbox: Sandbox) -> str:
    """Addresses, keys, and a configuration to paste."""
    members, contacts = len(sandbox.strive.members()), len(sandbox.telerivet.contacts())
    return f"""\
Strive     {sandbox.strive_url}  {members} members, campaign {sandbox.strive_campaign_id}
Telerivet  {sandbox.telerivet_url}  {contacts} contacts, project {sandbox.telerivet_project_id}
Control    {sandbox.url}/_sandbox/

For a configuration:

[connections.strive]
platform = "strive"
base_url = "{sandbox.strive_url}"
campaign_id = {sandbox.strive_campaign_id}

[connections.telerivet]
platform = "telerivet"
base_url = "{sandbox.telerivet_url}"
project_id = "{sandbox.telerivet_project_id}"

and the keys:

export ROSTERD_CONNECTIONS__STRIVE__API_KEY={sandbox.strive_key}
export ROSTERD_CONNECTIONS__TELERIVET__API_KEY={sandbox.telerivet_key}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m daemon.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="0: a free one")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--empty", action="store_true", help="both platforms, nobody there")
    given = parser.parse_args(arguments)
    serve(given.port, given.people, given.seed, empty=given.empty)
