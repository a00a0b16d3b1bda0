"""The sandbox in a process of its own, which outlives every process that is killed.

The keeper holds the state from which each kill begins. It serves from clones of itself (fork): what a clone is
told dies with it, so every kill begins with exactly the same platforms, times and versions included.
"""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.request
from collections.abc import Callable
from typing import Any, NoReturn

from daemon.sandbox import Sandbox

Act = Callable[[Sandbox], None]


class Clock:
    """The clock on the wall, but so many seconds `ahead` of it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Keeper:
    """Commands to the keeper; one process at a time listens to them: the keeper, or its clone."""

    def __init__(self, acts: dict[str, Act]) -> None:
        self.port = _free_port()
        self._acts = acts
        theirs, self._ask = os.pipe()
        answers, self._tell = os.pipe()
        self._answers = os.fdopen(answers)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._ask)
            self._answers.close()
            self._keep(os.fdopen(theirs))
        os.close(theirs)
        os.close(self._tell)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, command: str) -> None:
        """`serve`, `rest`, `clone`, `later SECONDS`, `end` (of the clone), the name of an act, or `quit`."""
        os.write(self._ask, f"{command}\n".encode())
        answer = self._answers.readline().strip()
        if answer != "done":
            raise RuntimeError(f"the sandbox said {answer!r} to {command!r}")

    def get(self, name: str) -> Any:
        """Ask the sandbox that is serving, over HTTP."""
        with urllib.request.urlopen(f"{self.url}/_sandbox/{name}", timeout=30) as answer:
            return json.load(answer)

    def outreaches(self, campaign: str) -> Any:
        """The outreaches that the platform has of a campaign."""
        act = {"platform": "action_network", "action": "outreaches", "args": {"campaign": campaign}}
        asked = urllib.request.Request(f"{self.url}/_sandbox/act", json.dumps(act).encode())
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)["result"]

    def quit(self) -> None:
        self("quit")
        os.waitpid(self.pid, 0)
        os.close(self._ask)
        self._answers.close()

    def _keep(self, commands: Any) -> NoReturn:
        clock = Clock()
        sandbox = Sandbox(empty=True, clock=clock)
        is_clone = False
        while line := commands.readline():
            command = line.strip()
            if command == "clone":
                clone = os.fork()
                if clone == 0:
                    is_clone = True
                    sandbox.start(self.port)
                else:
                    status = os.waitstatus_to_exitcode(os.waitpid(clone, 0)[1])
                    self._say("done" if status == 0 else f"clone failed: {status}")
                    continue
            elif command in ("end", "quit", "rest"):
                sandbox.stop()  # raises when the sandbox itself had a bug: then this process ends, and it shows
            elif command.startswith("later "):
                clock.ahead += float(command.removeprefix("later "))
            elif command == "serve":
                sandbox.start(self.port)
            else:
                self._acts[command](sandbox)
            if command == "end" and is_clone:
                os._exit(0)  # the keeper answers for it
            self._say("done")
            if command == "quit":
                os._exit(0)
        os._exit(1)

    def _say(self, word: str) -> None:
        os.write(self._tell, f"{word}\n".encode())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
