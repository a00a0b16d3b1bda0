"""`rosterd sandbox`: all platforms on this machine, with made-up people, to try a mapping on."""

from __future__ import annotations

import click

from daemon.commands.sync import stopping
from daemon.errors import RosterdError
from daemon.output import say


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="0: a free one.")
@click.option("--people", type=click.IntRange(0), default=60, show_default=True, help="How many there are.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same people.")
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The share of requests that goes wrong: busy, broken, lost, no answer at all.",
)
def command(port: int, people: int, seed: int, faults: float) -> None:
    """Serve all five platforms on this machine, with made-up people, until Ctrl-C.

    \b
    rosterd sandbox &
    rosterd init --sandbox http://127.0.0.1:8090

    \b
    rosterd sandbox --faults 0.05    one request in twenty goes wrong
    """
    from daemon.sandbox import serve

    try:
        with stopping(quiet=True) as stop:
            serve(port, people, seed, empty=people == 0, faults=faults, echo=say, until=stop)
    except OSError as problem:
        raise RosterdError(
            f"port {port} cannot be used: {problem.strerror}", hint="rosterd sandbox --port 0 takes a free one"
        ) from None
    say("stopped", err=True)
