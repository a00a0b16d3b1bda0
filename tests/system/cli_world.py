"""The real command line in a folder of its own, against a sandbox in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from daemon import logs
from daemon.cli import main
from daemon.sandbox import Sandbox

TWO = ("strive", "telerivet")
ROOT = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """Ours, without anything that is about rosterd."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("ROSTERD_")}
    kept.pop("CREDENTIALS_DIRECTORY", None)
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1", **more}


@dataclass
class Shell:
    """`rosterd` as somebody in this folder types it.

    `process`: in a process of its own, as it really is; otherwise within this one, which saves a second each time.
    """

    folder: Path
    process: bool = False

    def __call__(self, *arguments: object, code: int | None = 0, env: dict[str, str] | None = None) -> Done:
        """Run to the end. `code`: the exit code that is expected; None for any."""
        run = self._outside if self.process else self._inside
        done = run([str(argument) for argument in arguments], env or {})
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def _outside(self, arguments: list[str], env: dict[str, str]) -> Done:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment(**env),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def _inside(self, arguments: list[str], env: dict[str, str]) -> Done:
        ours = {name: None for name in os.environ if name.upper().startswith("ROSTERD_")}
        try:
            with contextlib.chdir(self.folder):
                done = CliRunner(env={**ours, **env}).invoke(main, arguments, prog_name="rosterd")
        finally:
            logs.configure(stream=io.StringIO())  # the runner's streams are closed by now
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(arguments, done.exit_code, done.stdout, done.stderr)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "daemon.cli", *map(str, arguments)]

    def json(self, *arguments: object, code: int | None = 0) -> Any:
        """Run with --json; standard output must be one JSON document and nothing else."""
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def sandbox_and_shell(
    folder: Path, *, process: bool = False, platforms: tuple[str, ...] = TWO, **population: Any
) -> Iterator[tuple[Sandbox, Shell]]:
    """A sandbox, and a folder that `rosterd init --sandbox` has prepared for it."""
    with Sandbox(**population) as sandbox:
        shell = Shell(folder, process)
        shell("init", "--sandbox", sandbox.url, *(word for name in platforms for word in ("--only", name)))
        yield sandbox, shell


def add(config: Path, text: str) -> None:
    config.write_text(config.read_text() + "\n" + text)
