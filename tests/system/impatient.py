"""`rosterd`, with bounds that a test cannot wait for made shorter, and with a clock that can be made to jump.

    IMPATIENT='{"STUCK": 2.0}' python -m tests.system.impatient run
    CLOCK=file                    the wall clock is so many seconds wrong as that file says

Nothing else differs from the real thing. A clock of one process cannot be set, and that of the machine is everybody's:
so the two ways by which this program asks for the time answer wrongly, as they do after a jump.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import Any


def shorten() -> None:
    from daemon.service import due, run, worker
    from daemon.sync import accounts

    for name, seconds in json.loads(os.environ.get("IMPATIENT", "{}")).items():
        (module,) = [each for each in (accounts, due, run, worker) if hasattr(each, name)]
        setattr(module, name, seconds)


def bend(clock: Path) -> None:
    real, known = time.time, dt.datetime

    def wrong() -> float:
        try:
            return real() + float(clock.read_text() or 0)
        except (OSError, ValueError):
            return real()

    class Bent(known):  # type: ignore[valid-type, misc]
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return known.fromtimestamp(wrong(), tz)

    time.time = wrong
    dt.datetime = Bent  # type: ignore[misc]


if __name__ == "__main__":
    if place := os.environ.get("CLOCK"):
        bend(Path(place))
    shorten()
    from daemon.cli import main

    main()
