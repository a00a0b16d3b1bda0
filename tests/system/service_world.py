"""`rosterd run` as a real process, against a sandbox in this one, under a manager that writes down what it says.

    with service_world(tmp_path) as world:
        world.defaults(every="2s")
        with world.serve() as service:
            service.ready()
            world.sandbox.strive.opt_out(member)
            service.saw("run.finished", connection="telerivet", opted_out=1)
            assert service.ends(signal.SIGTERM) == 0

Nothing here sleeps for a fixed time: everything is waited for, with a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from daemon.sandbox import Sandbox
from tests.system.cli_world import ROOT, TWO, Shell, environment, sandbox_and_shell

WITHIN = 20.0
"""Seconds that anything may take on a busy machine. Only a failing test waits so long."""
T = TypeVar("T")
Line = dict[str, Any]


def wait_for(test: Callable[[], T], what: str = "it", *, within: float = WITHIN) -> T:
    """What `test` says as soon as it is true."""
    end = time.monotonic() + within
    while not (found := test()):
        assert time.monotonic() < end, f"{what} did not come within {within:g} s"
        time.sleep(0.01)
    return found


class Heard(Generic[T]):
    """What somebody says, in order, with its time (monotonic), for others to wait for."""

    def __init__(self) -> None:
        self._all: list[tuple[float, T]] = []
        self._news = threading.Condition()

    def add(self, one: T) -> None:
        with self._news:
            self._all.append((time.monotonic(), one))
            self._news.notify_all()

    def __len__(self) -> int:
        return len(self._all)

    def all(self, fits: Callable[[T], bool] = lambda _: True, *, start: int = 0) -> list[T]:
        with self._news:
            return [one for _, one in self._all[start:] if fits(one)]

    def times(self, fits: Callable[[T], bool]) -> list[float]:
        with self._news:
            return [at for at, one in self._all if fits(one)]

    def wait(self, fits: Callable[[T], bool], *, start: int, within: float) -> T | None:
        """The first from `start` on that fits, or None when the time is over."""

        def found() -> list[T]:
            return [one for _, one in self._all[start:] if fits(one)]

        with self._news:
            self._news.wait_for(lambda: bool(found()), timeout=within)
            return next(iter(found()), None)


class Manager:
    """Stands for systemd: a notify socket. Each message is a mapping: {"READY": "1", "STATUS": "..."}."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: Heard[Mapping[str, str]] = Heard()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while message := self._socket.recv(65536):
                lines = message.decode().splitlines()
                self.heard.add(dict(line.split("=", 1) for line in lines))  # type: ignore[arg-type]

    def wait(self, name: str, text: str = "", *, start: int = 0, within: float = WITHIN) -> Mapping[str, str]:
        """The first message from `start` on with this variable, and `text` (a regular expression) in its value."""
        found = self.heard.wait(lambda m: name in m and bool(re.search(text, m[name])), start=start, within=within)
        assert found is not None, f"no {name} with {text!r} within {within:g} s, but {self.heard.all()}"
        return found

    def times(self, name: str) -> list[float]:
        return self.heard.times(lambda message: name in message)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink()


class Service:
    """One `rosterd run`: its process, what it logs, and what it says to its manager."""

    def __init__(self, process: subprocess.Popen[str], manager: Manager) -> None:
        self.process, self.manager = process, manager
        self.log: Heard[Line] = Heard()
        self.plain: list[str] = []  # lines that are no JSON: errors for a person, and tracebacks
        self._reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            try:
                self.log.add(json.loads(line))
            except ValueError:
                self.plain.append(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        return self.process.pid

    def mark(self) -> int:
        """A place in the log, for `start`."""
        return len(self.log)

    def saw(self, event: str, *, start: int = 0, within: float = WITHIN, **facts: Any) -> Line:
        """Wait for this event with these facts; a value may be a test."""
        found = self.log.wait(lambda line: _fits(line, event, facts), start=start, within=within)
        assert found is not None, f"no {event} {facts} within {within:g} s, but\n{self.told()}"
        return found

    def lines(self, event: str, *, start: int = 0, **facts: Any) -> list[Line]:
        """What was logged so far."""
        return self.log.all(lambda line: _fits(line, event, facts), start=start)

    def ready(self, *, within: float = WITHIN) -> None:
        self.manager.wait("READY", within=within)

    def idle(self, *, within: float = WITHIN) -> None:
        """Wait until nothing is under way, and nothing is due at once."""

        def rests() -> bool:
            begun, ended = (len(self.lines(f"run.{what}")) for what in ("started", "finished"))
            said = [message["STATUS"] for message in self.manager.heard.all() if "STATUS" in message]
            return begun == ended > 0 and bool(said) and said[-1].startswith("idle")

        try:
            wait_for(rests, "rest", within=within)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.manager.heard.all()}\n{self.told()}") from None

    @property
    def port(self) -> int:
        return int(self.saw("page.listening")["port"])

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, problem.read().decode()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ends(self, number: int | None = None, *, within: float = WITHIN) -> int:
        """Send this signal, if any; the exit code, once it has ended (negative: the signal that killed it)."""
        if number is not None:
            self.signal(number)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {within:g} s\n{self.told()}") from None
        self._reader.join(5)
        return code

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory(self) -> int:
        """Bytes that it has in memory."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def told(self) -> str:
        return "\n".join([*self.plain, *(json.dumps(line) for line in self.log.all())])


def _fits(line: Line, event: str, facts: Mapping[str, Any]) -> bool:
    def same(found: Any, wanted: Any) -> bool:
        return bool(wanted(found)) if callable(wanted) else bool(found == wanted)

    return line.get("event") == event and all(name in line and same(line[name], v) for name, v in facts.items())


@dataclass
class ServiceWorld:
    """A folder with a configuration, a sandbox for it, and services that are started there."""

    folder: Path
    sandbox: Sandbox
    shell: Shell
    tolerated: tuple[str, ...] = ()  # filters of warnings, for those that are no defect of ours
    _count: int = field(default=0)

    # the configuration

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def replace(self, old: str, new: str) -> None:
        """In the configuration, once."""
        text = self.config.read_text()
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        self.config.write_text(text.replace(old, new))

    def table(self, name: str, **values: Any) -> None:
        """Set keys of a table; what is there of the same name goes. JSON's values are TOML's, as far as we need."""
        text = self.config.read_text()
        head, found, rest = text.partition(f"[{name}]\n")
        body, begins, after = rest.partition("\n[")
        kept = [line for line in body.splitlines() if line.split("=")[0].strip() not in values]
        lines = [*kept, *(f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None)]
        if not found:
            head, body, begins, after = text + "\n", "", "", ""
        self.config.write_text(head + f"[{name}]\n" + "\n".join(lines) + "\n" + begins + after)

    def defaults(self, **values: Any) -> None:
        self.table("defaults", **values)

    # services

    @contextmanager
    def serve(
        self,
        *arguments: str,
        watchdog: float | None = None,
        patience: Mapping[str, float] | None = None,
        env: Mapping[str, str] | None = None,
        defects: bool = False,
    ) -> Iterator[Service]:
        """`rosterd run`, killed at the end if it still runs. `watchdog`: seconds; `patience`: bounds of the service
        that a test cannot wait for (see `impatient`); `defects`: the test provokes some."""
        self._count += 1
        manager = Manager(self.folder / f"notify{self._count}")
        told = {"NOTIFY_SOCKET": str(manager.path), **(env or {})}
        if watchdog is not None:
            told["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        if patience:
            told["IMPATIENT"] = json.dumps(patience)
        module = "tests.system.impatient" if patience else "daemon.cli"
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *(f"-W{each}" for each in self.tolerated), "-m", module, *arguments, "run"],
            cwd=self.folder,
            env=environment(**told),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        service = Service(process, manager)
        try:
            yield service
            broken = [line for what in ("turn", "service") for line in service.lines(f"{what}.defect")]
            assert defects or not broken, service.told()
            assert "Traceback" not in "\n".join(service.plain), service.told()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            service._reader.join(5)
            assert process.stderr is not None
            process.stderr.close()
            manager.close()

    # what became of it

    def harmless(self) -> None:
        """Nothing was destroyed, nothing sent twice, nothing written that had not been read."""
        assert not any(self.sandbox.harm().values()), self.sandbox.harm_log.details
        assert self.sandbox.blind_writes == 0, self.sandbox.harm_log.details

    def agrees(self) -> None:
        """A run after it all finds nothing to send, and what every platform was sent did no harm."""
        for _ in range(4):
            done = self.shell.json("sync", code=None)
            if done["outcome"] == "done" and done["sent"] == 0:
                break
        else:
            raise AssertionError(f"it never became quiet: {done}")
        assert done["balanced"]
        self.harmless()

    def people(self, count: int, city: str = "Rome", *, start: int = 0) -> list[int]:
        """So many members on Strive (100 at most), whom nobody else knows. Returns their ids."""
        return [
            self.sandbox.strive.add_member(
                phone_number=f"+120255501{number:02}", first_name="Ann", last_name=f"No{number}", city=city
            )
            for number in range(start, start + count)
        ]

    def edit_all(self, city: str) -> None:
        for member in self.sandbox.strive.members():
            self.sandbox.strive.edit_member(member["id"], city=city)

    def cities(self) -> list[str]:
        """Of the contacts on Telerivet, in no order."""
        return [contact["vars"].get("city") for contact in self.sandbox.telerivet.contacts()]

    def polls(self, platform: str) -> int:
        """How many calls that platform has had."""
        return len(self.sandbox.calls(platform))


@contextmanager
def service_world(
    folder: Path, *, platforms: tuple[str, ...] = TWO, listen: str = "", **population: Any
) -> Iterator[ServiceWorld]:
    """A world without people, unless `population` says otherwise, whose service reads every second."""
    population = population or {"empty": True}
    with sandbox_and_shell(folder, platforms=platforms, **population) as (sandbox, shell):
        world = ServiceWorld(folder, sandbox, shell)
        world.defaults(every="1s")
        world.table("service", listen=listen)
        yield world


def ended_by(number: int) -> int:
    """The exit code of a process that a second signal ended at once."""
    return 128 + number


__all__ = ["ROOT", "WITHIN", "Manager", "Service", "ServiceWorld", "ended_by", "service_world", "signal", "wait_for"]
