"""`rosterd run` as a process of its own: started, watched, asked, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.process import ENVIRONMENT, ROOT
from benchmarks.sandboxed import serving

PATIENCE = 60.0
"""Real seconds until it must have started or ended."""


class Service:
    """`config`: its file, whose `listen` is at `port`."""

    def __init__(self, config: Path, port: int, log: Path) -> None:
        self.config, self.port, self.log = config, port, log
        self.process: subprocess.Popen[bytes] | None = None
        self.ended: Counter[str] = Counter()
        self.started = 0.0

    def start(self) -> None:
        command = [sys.executable, "-m", "daemon.cli", "-c", str(self.config), "run"]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=ENVIRONMENT, cwd=ROOT)
        self.started = time.time()
        until = time.monotonic() + PATIENCE
        while self.ask("healthz")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"rosterd run does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def end(self, number: int) -> float:
        """How long it took, in seconds."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        wanted = -signal.SIGKILL if number == signal.SIGKILL else 0
        if code != wanted:
            raise RuntimeError(f"rosterd run ended with {code}: {self.log.read_text()[-2000:]}")
        self.ended[signal.Signals(number).name] += 1
        return time.monotonic() - began

    def reload(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        self.ended["reloads"] += 1

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body; status 0: no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[str, dict[str, float]]:
        """By name, then by labels as they stand there."""
        found: dict[str, dict[str, float]] = {}
        for line in self.ask("metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                bare, _, labels = name.partition("{")
                found.setdefault(bare, {})[labels.rstrip("}")] = float(value)
        return found

    def ready(self) -> tuple[int, dict[str, Any]]:
        status, text = self.ask("readyz")
        return status, json.loads(text) if text.startswith("{") else {}

    def resources(self) -> tuple[float, int, float]:
        """MB resident, open files, seconds of processor."""
        assert self.process is not None
        proc = Path(f"/proc/{self.process.pid}")
        pages = int((proc / "statm").read_text().split()[1])
        ticks = (proc / "stat").read_text().rpartition(")")[2].split()
        cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(list((proc / "fd").iterdir())), cpu


def free_port() -> int:
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def sandbox(faults: float, seed: int) -> AbstractContextManager[str]:
    """`rosterd sandbox` with nobody there; gives its address."""
    nobody = ("--port", "0", "--people", "0", "--seed", str(seed))
    return serving("daemon.cli", "sandbox", *nobody, "--faults", str(faults))
