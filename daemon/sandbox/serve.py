"""Serve the sandbox until somebody ends it: `rosterd sandbox`, or `python -m daemon.sandbox`."""

from __future__ import annotations

import argparse
import json
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
    faults: float = 0.0,
    echo: Callable[[str], object] = _say,
    until: threading.Event | None = None,
) -> None:
    """Serve until `until` is set or Ctrl-C is pressed; a share `faults` of all requests goes wrong. Raises OSError when
    the port is taken."""
    with Sandbox(people, seed, empty=empty, log_limit=10_000).start(port) as sandbox:
        sandbox.faults.random(faults, seed)
        echo(banner(sandbox))
        try:
            (until or threading.Event()).wait()
        except KeyboardInterrupt:
            echo("Stopped.")


def banner(sandbox: Sandbox) -> str:
    """Addresses, keys, and a configuration to paste."""
    accounts = sandbox.accounts.values()
    wide = max(len(account.title) for account in accounts) + 2
    lines = [
        f"{account.title:<{wide}}{sandbox.base_url(account.name)}  {len(account.model)} {account.noun}"
        for account in accounts
    ]
    lines += [f"{'Control':<{wide}}{sandbox.url}/_sandbox/", "", "For a configuration:", ""]
    for account in accounts:
        table = {"platform": account.name, "base_url": sandbox.base_url(account.name), **account.settings}
        lines += [
            f"[connections.{account.name}]",
            *(f"{key} = {json.dumps(value)}" for key, value in table.items()),
            "",
        ]
    lines += ["and the keys:", ""]
    for account in accounts:
        start = f"ROSTERD_CONNECTIONS__{account.name.upper()}__"
        lines += [f"export {start}{key.upper()}={value}" for key, value in account.secrets.items()]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m daemon.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="0: a free one")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--empty", action="store_true", help="every platform, nobody there")
    parser.add_argument("--faults", type=float, default=0.0, help="the share of all requests that goes wrong")
    given = parser.parse_args(arguments)
    serve(given.port, given.people, given.seed, empty=given.empty, faults=given.faults)
