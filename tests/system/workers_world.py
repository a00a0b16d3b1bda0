"""Several `rosterd run` on one PostgreSQL, against one sandbox, while people edit, opt out and are added all the time.

    with workers_world(tmp_path, pg_url) as world, world.load():
        first, second = world.start(), world.start()
        world.hang("telerivet", "POST", "/contacts")
        killed = world.kill(world.hung())
        world.taken_over("telerivet", killed, within=LEASE + SLACK)
        world.agree()

Whose a request was is asked of the kernel: which process has the other end of its connection. So that no worker calls
for a connection that another one has is seen from outside.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from daemon.sandbox.sandbox import Call
from daemon.sandbox.server import Handler
from daemon.sandbox.wire import Request
from state.model import Account
from state.store import Store
from tests.system.cli_world import TWO, sandbox_and_shell
from tests.system.service_world import Service, ServiceWorld, wait_for

LEASE = 5.0
"""Seconds: the shortest there is."""
SLACK = 6.0
"""Seconds more that a busy machine may need: to look (one), to claim, and to call."""
PATIENCE = 60.0
"""Seconds in which everything must agree once nobody edits any more: a connection that failed pauses for half of it."""


@dataclass(frozen=True)
class Seen:
    """A request as it came in. `pid`: whose; None where the process was gone before it could be asked."""

    at: float
    pid: int | None
    platform: str
    method: str
    path: str


@dataclass(frozen=True)
class Killed:
    """A worker that was stopped or killed, and when."""

    service: Service
    at: float


class Load(threading.Thread):
    """People. Each field is edited on one side only, so that what must be everywhere in the end is known."""

    def __init__(self, world: WorkersWorld, *, seed: int = 1, pause: float = 0.06) -> None:
        super().__init__(daemon=True)
        self.world, self.dice, self.pause = world, random.Random(seed), pause
        self.city: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.no: set[str] = set()
        self.ending = threading.Event()
        self.count = 0
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.ending.wait(self.pause):
                self.act()
        except BaseException as problem:  # noqa: BLE001 - told by the test
            self.problem = problem

    def act(self) -> None:
        self.count += 1
        do = self.dice.choices((self.move, self.write, self.say_no, self.come), (50, 30, 7, 9))[0]
        do()

    def move(self) -> None:
        member = self.dice.choice(self.world.sandbox.strive.members())
        city = f"City {self.count}"
        self.world.sandbox.strive.edit_member(member["id"], city=city)
        self.city[member["phone_number"]] = city

    def write(self) -> None:
        contacts = self.world.sandbox.telerivet.contacts()
        if contacts:
            contact = self.dice.choice(contacts)
            self.world.sandbox.telerivet.edit_contact(contact["id"], vars={"notes": f"note {self.count}"})
            self.notes[contact["phone_number"]] = f"note {self.count}"

    def say_no(self) -> None:
        """Who is on both sides, and has not said it before: nobody could know of a "no" in the second before somebody
        is made elsewhere, nor of one that changes nothing where it is said."""
        members = {m["phone_number"]: m["id"] for m in self.world.sandbox.strive.members() if m["opt_in"]}
        both = [c for c in self.world.sandbox.telerivet.contacts() if c["phone_number"] in members]
        if both:
            contact = self.dice.choice(both)
            phone = contact["phone_number"]
            self.no.add(phone)
            if self.dice.random() < 0.5:
                self.world.sandbox.telerivet.block(contact["id"])
            else:
                self.world.sandbox.strive.opt_out(members[phone])

    def come(self) -> None:
        phone = f"+1202556{self.count:04}"
        if self.dice.random() < 0.5:
            name = {"first_name": "Ann", "last_name": f"No{self.count}"}
            self.world.sandbox.strive.add_member(phone_number=phone, **name)
        else:
            self.world.sandbox.telerivet.add_contact(f"Bea No{self.count}", phone)

    def end(self) -> None:
        self.ending.set()
        self.join()
        if self.problem is not None:
            raise self.problem


@dataclass
class WorkersWorld(ServiceWorld):
    """A service world whose state is in PostgreSQL. `seen`: all requests, in order. `lives`: the people, if any."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    workers: list[Service] = field(default_factory=list)
    lives: Load | None = None
    open: ExitStack = field(default_factory=ExitStack)
    _before: int = 0  # calls that such a fault had hit before
    beside: set[int] = field(default_factory=set)  # runs that were under way when their worker was stopped

    # workers

    def start(self, *arguments: str, ready: bool = True) -> Service:
        service = self.open.enter_context(self.serve(*arguments))
        self.workers.append(service)
        if ready:
            self.ready(service)
        return service

    def ready(self, service: Service) -> None:
        try:
            service.manager.wait("READY", "1", within=60)
        except AssertionError:
            raise AssertionError(service.told()) from None

    def start_all(self, count: int) -> None:
        """So many more, at once."""
        for each in [self.start(ready=False) for _ in range(count)]:
            self.ready(each)

    def name(self, service: Service) -> str:
        return str(service.saw("service.started")["worker"])

    def of(self, pid: int | None) -> Service:
        return next(each for each in self.workers if each.pid == pid)

    def kill(self, service: Service) -> Killed:
        service.process.kill()
        service.process.wait()
        return Killed(service, time.time())

    def gone(self, service: Service) -> Killed:
        """It has ended just now."""
        return Killed(service, time.time())

    def pause(self, service: Service) -> Killed:
        """Stopped, as a machine that is suspended. It may go on later."""
        service.signal(signal.SIGSTOP)
        name = self.name(service)
        self.beside |= {run["id"] for run in self.runs() if run["worker"] == name and run["ended_at"] is None}
        return Killed(service, time.time())

    # moments

    def hang(self, platform: str, method: str, path: str, *, kind: str = "hang", **options: Any) -> None:
        """The next such call gets no answer, although (unless `work=False`) it is done."""
        self._before = sum(call.fault == kind for call in self.sandbox.calls())
        self.sandbox.faults.add(kind, platform=platform, method=method, path=path, **{"work": True, **options})

    def _hit(self, kind: str) -> list[Call]:
        return [call for call in self.sandbox.calls() if call.fault == kind][self._before :]

    def hung(self, kind: str = "hang", *, within: float = 30.0) -> Service:
        """Whose call it was, as soon as it has come."""
        try:
            calls = wait_for(
                lambda: [c for c in self.sandbox.calls() if c.fault == kind][self._before :], kind, within=within
            )
        except AssertionError:
            raise AssertionError("\n".join([f"no {kind}", *self.told()])) from None
        call = calls[0]
        same = [s for s in self.seen if (s.platform, s.method, s.path) == (call.platform, call.method, call.path)]
        return self.of(same[-1].pid)

    def kill_reader(self, platform: str, path: str, *, within: float = 60.0) -> Killed:
        """Kill whoever has kept some pages of a reading whose end has not come: each page takes half a second."""
        self.hang(platform, "GET", path, kind="slow", seconds=0.5, times=None)
        wait_for(lambda: self.accounts()[platform].reading_since is not None, "the mark of a reading", within=within)
        owner = self.accounts()[platform].owner
        killed = self.kill(next(each for each in self.workers if self.name(each) == owner))
        self.sandbox.faults.clear()
        return killed

    def taken_over(self, platform: str, killed: Killed, *, within: float, free: bool = False) -> Service:
        """Who goes on with the platform. Nobody did before the lease was over, unless (`free`) it was given back."""

        def others() -> list[Seen]:
            mine = (killed.service.pid, os.getpid(), None)
            return [s for s in self.seen if s.platform == platform and s.at > killed.at and s.pid not in mine]

        first = wait_for(others, f"another worker at {platform}", within=within + 20)[0]
        assert first.at - killed.at <= within, f"{platform} was taken over after {first.at - killed.at:.1f} s"
        assert free or first.at - killed.at > LEASE / 2, "it was taken from whoever had it"
        return self.of(first.pid)

    def told(self) -> list[str]:
        """What all have said last, for whoever looks into a failure."""
        return [f"{each.pid} {line}" for each in self.workers for line in each.told().splitlines()[-12:]]

    def story(self, phone: str) -> list[str]:
        """What we know of one person, and how."""

        def tell(tx: Any) -> list[str]:
            numbers = tx.contacts.owners({("phone", phone)}).get(("phone", phone), set())
            links = [str(link) for found in tx.links.of_contacts(numbers).values() for link in found]
            owed = [str(push) for push in tx.outbox.of_contacts(numbers)]
            return [*links, *owed, *(str(entry) for entry in tx.journal.of_contacts(numbers))]

        return list(self.look(tell))

    # the database

    def look(self, ask: Callable[[Any], Any]) -> Any:
        with self.store.look() as tx:
            return ask(tx)

    @cached_property
    def store(self) -> Store:
        found = Store(self.url, exclusive=False)
        self.open.callback(found.close)
        return found

    def accounts(self) -> dict[str, Account]:
        return dict(self.look(lambda tx: tx.connections.all()))

    def runs(self) -> list[dict[str, Any]]:
        return list(self.look(lambda tx: tx.runs.latest(100_000)))

    def all_read(self) -> None:
        """Every connection has been read whole, and everybody has been planned for."""

        def ready() -> bool:
            known = self.accounts().values()
            return len(known) > 0 and all(each.primed and each.plan_after is None for each in known)

        wait_for(ready, "the first reading", within=40)

    def owed(self, connection: str) -> int:
        return len(self.look(lambda tx: tx.outbox.listed(connection=connection, limit=100_000)))

    def quiet(self, runs: int = 3) -> None:
        """So many runs of each connection have sent nothing, nobody reads, and nothing that may go is owed."""
        start = max((run["id"] for run in self.runs()), default=0)

        def silent() -> bool:
            nonlocal start
            ended = [run for run in self.runs() if run["id"] > start and run["outcome"] in ("done", "partial")]
            loud = [run for run in ended if any(_sent(books) for books in run["books"].values())]
            start = max([start, *(run["id"] for run in loud)])
            each = [name for run in ended if run["id"] > start for name in run["books"]]
            marked = any(account.reading_since for account in self.accounts().values())
            return not marked and all(each.count(name) >= runs for name in self.accounts())

        wait_for(silent, "quiet", within=PATIENCE)

    # people

    @contextmanager
    def load(self, **options: Any) -> Iterator[Load]:
        self.lives = Load(self, **options)
        self.lives.start()
        try:
            yield self.lives
        finally:
            self.lives.end()

    # what became of it

    def agree(self, *, within: float = PATIENCE) -> None:
        """Every edit and every "no" is everywhere, everybody is there once, and no harm was done."""
        end = time.monotonic() + within
        while found := self.differences():
            assert time.monotonic() < end, "\n".join([*found[:10], *self.story(found[0].split()[1]), *self.told()])
            time.sleep(0.05)
        assert not any(self.sandbox.harm().values()), self.sandbox.harm_log.details
        assert self.look(lambda tx: tx.holds.counts()) == {}

    def differences(self) -> list[str]:
        strive, telerivet = self.sandbox.strive.members(), self.sandbox.telerivet.contacts()
        lives = self.lives or Load(self)
        there = {
            "strive": [(m["phone_number"], m["city"], m["notes"], m["opt_in"] is False) for m in strive],
            "telerivet": [
                (c["phone_number"], c["vars"].get("city"), c["vars"].get("notes"), c["send_blocked"]) for c in telerivet
            ],
        }
        found = []
        phones = {side: sorted(phone for phone, *_ in people) for side, people in there.items()}
        if phones["strive"] != phones["telerivet"] or len(set(phones["strive"])) != len(phones["strive"]):
            found.append(f"not the same people: {phones}")
        for side, people in there.items():
            for phone, city, notes, no in people:
                if phone in lives.city and city != lives.city[phone]:
                    found.append(f"{side} {phone} city {city} not {lives.city[phone]}")
                if phone in lives.notes and notes != lives.notes[phone]:
                    found.append(f"{side} {phone} notes {notes} not {lives.notes[phone]}")
                if phone in lives.no and not no:
                    found.append(f"{side} {phone} has not heard the no")
        return found

    def no_run_is_left_open(self) -> None:
        """Those that were killed are said to be, by whoever went on."""
        for service in self.workers:
            if service.process.poll() is None:
                service.ends(signal.SIGTERM)
        left = [run for run in self.runs() if run["ended_at"] is None]
        assert left == []

    def one_at_a_time(self) -> None:
        """No worker called for a connection while another one was at it, nor were two at one at once."""
        names = {self.name(service): service.pid for service in self.workers if service.lines("service.started")}
        spans: dict[str, list[tuple[float, float, int, int]]] = {}
        for run in self.runs():
            if run["id"] in self.beside:
                continue  # it was stopped, and said so when it went on: its own requests are still looked at
            for connection in (name for name, books in run["books"].items() if not _left_alone(books)):
                pid = names.get(run["worker"] or "", os.getpid())
                span = (run["started_at"], run["ended_at"] or time.time(), pid, run["id"])
                spans.setdefault(connection, []).append(span)
        assert len(spans) > 1
        for found in spans.values():
            found.sort()
            for (_, ended, mine, run), (started, _, other, next_run) in pairwise(found):
                assert mine == other or ended <= started + 0.001, f"runs {run} and {next_run} overlap"
        for request in self.seen:
            for started, ended, pid, run in spans.get(request.platform, ()):
                if started < request.at < ended and request.pid is not None and request.pid != pid:
                    raise AssertionError(f"in run {run} of {pid}, another worker called: {request}")


def _left_alone(books: dict[str, Any]) -> bool:
    """Paused, or another's: it was not touched."""
    return bool(books.get("paused")) and not books["calls"]


def _sent(books: dict[str, Any]) -> int:
    return sum(books.get(kind, 0) for kind in ("created", "updated", "opted_out", "outreaches"))


@contextmanager
def workers_world(
    folder: Path, url: str, *, platforms: tuple[str, ...] = TWO, people: int = 20, every: str = "1s"
) -> Iterator[WorkersWorld]:
    """People on Strive, whom nobody else knows yet. The workers that are started end at the end."""
    with sandbox_and_shell(folder, platforms=platforms, empty=True) as (sandbox, shell), ExitStack() as opened:
        world = WorkersWorld(folder, sandbox, shell, url=url, open=opened)
        world.table("state", url=url)
        world.defaults(every=every)
        world.table("service", listen="", lease=f"{LEASE:g}s")
        for name in platforms:
            world.table(f"connections.{name}", rate=500)
        world.people(people)
        opened.enter_context(_noting(world))
        yield world


@contextmanager
def _noting(world: WorkersWorld) -> Iterator[None]:
    """Write down each request as it comes in, and whose it is."""
    exchange, owners = Handler._exchange, dict[int, int | None]()

    def noted(self: Handler, request: Request) -> bool:
        at, port = time.time(), int(self.client_address[1])
        if port not in owners or owners[port] is None:
            owners[port] = _owner(port, world.workers)
        _, platform, path = request.target.split("/", 2)
        world.seen.append(Seen(at, owners[port], platform, request.method, f"/{path}"))
        try:
            return exchange(self, request)
        finally:
            if self.owner.stopping.is_set():
                owners.clear()

    Handler._exchange = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Handler._exchange = exchange  # type: ignore[method-assign]


def _owner(port: int, workers: list[Service]) -> int | None:
    """The process that has this port of the loopback interface as its own end."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1] == f"0100007F:{port:04X}":
            socket = f"socket:[{words[9]}]"
            return next((pid for pid in [os.getpid(), *(w.pid for w in workers)] if socket in _files(pid)), None)
    return None


def _files(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(each))
    return found


__all__ = ["LEASE", "SLACK", "Killed", "Load", "Seen", "WorkersWorld", "workers_world"]
