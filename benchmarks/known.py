"""What a quiet service costs when it knows a million people, beside one that knows a thousand, on both engines.

`python -m benchmarks.known`. The connectors say that nothing has changed: what is measured is ours and the database's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Table

from benchmarks.report import Section, say, table
from daemon import logs
from daemon.platforms.base import Capabilities, Connector, Cursor, Facts, Outcome, Page, Push, Record
from daemon.service import due
from daemon.service.alerts import Alarms
from daemon.service.http import Server
from daemon.service.metrics import Metrics
from daemon.service.worker import Worker
from daemon.settings import Settings, load
from daemon.sync.leases import Keeper
from daemon.sync.roster import Roster, Side
from mappings.load import load as load_mapping
from state.bulk import add_rows
from state.model import CREATE_LANE, UPDATE_LANE, Account, dumps
from state.store import Store
from state.tables import contacts, counters, hours, identifiers, journal, links, outbox, runs

NAMES = ("strive", "telerivet", "action_network", "colony", "carium")
SHARE = {"strive": 1.0, "telerivet": 0.6, "action_network": 0.5, "colony": 0.25, "carium": 0.25}
"""Of everybody, who has a record there: 2.6 links a person."""
BACKLOG = 100_000
EVERY = 300.0
CHUNK = 20_000
SECRETS = {
    "strive": "campaign_id = 1\napi_key = 'made-up-key'",
    "telerivet": "project_id = 'PJ2ad0100821a98bea'\napi_key = 'made-up-key'",
    "action_network": "api_key = 'made-up-key'",
    "colony": "username = 'u'\npassword = 'made-up'\nclient_id = 'made-up'\nclient_secret = 'made-up'",
    "carium": "username = 'u'\npassword = 'made-up'",
}
ABLE = Capabilities(
    read=frozenset({"first_name", "phone_number", "opt_in"}),
    update=frozenset({"first_name", "phone_number"}),
    create=frozenset({"first_name", "phone_number"}),
    consent_read=frozenset({"sms"}),
    consent_write=frozenset({"sms"}),
    compare_and_swap=True,
)


class Quiet(Connector):
    """Nothing has changed."""

    platform: ClassVar[str] = "strive"
    capabilities = ABLE
    account = ""
    feed_is_sweep = False
    calls = 1

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def sweep(self, cursor: Cursor, *, resume: bool = True) -> Iterator[Page]:  # noqa: ARG002
        raise AssertionError("no sweep is due")

    def changes(self, cursor: Cursor) -> Iterator[Page]:
        yield Page((), cursor)

    def fetch(self, external_ids: Sequence[str]) -> Iterator[Record]:  # noqa: ARG002
        yield from ()

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:  # noqa: ARG002
        yield from ()

    def probe(self) -> Iterator[tuple[str, bool, str]]:
        yield from ()

    def close(self) -> None: ...


# the database


def fill(store: Store, people: int) -> None:
    """Everybody, their records, a year of hours, and what a month of runs leaves behind."""
    now = time.time()
    for first in range(1, people + 1, CHUNK):
        numbers = range(first, min(first + CHUNK, people + 1))
        with store.transaction() as tx:
            db = tx.db
            _add(db, contacts, ("id", "fields", "created_at"), ((n, _fields(n, now), now) for n in numbers))
            _add(db, identifiers, ("kind", "value", "contact_id"), _identifiers(numbers))
            _add(db, links, LINK, _links(numbers))
            _add(db, journal, ("at", "event", "contact_id", "connection", "detail"), _journal(numbers, now))
    with store.transaction() as tx:
        _add(tx.db, counters, ("name", "value"), [("contacts", people + 1)])
        for name in NAMES:
            tx.connections.add(Account(name, name, "", sweep=1, swept=1, swept_at=now, polled_at=now, ok_at=now))
        spent = ((now - 60 * n, now - 60 * n + 1, "done", "{}", "w1") for n in range(min(40_000, people)))
        _add(tx.db, runs, ("started_at", "ended_at", "outcome", "books", "worker"), spent)
        columns = [column.name for column in hours.columns]
        this = int(now // 3600)
        year = range(min(24 * 400, people))
        _add(tx.db, hours, columns, ((n, this - h, 9, 5, 4, 30, 0, 1, 40.0, 40.0) for n in NAMES for h in year))
    _analyze(store)


def _add(db: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Six million rows: the fastest way there is."""
    if db.dialect.name == "sqlite":
        add_rows(db, table, columns, rows)
        return
    with db.connection.cursor().copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


LINK = ("connection", "external_id", "contact_id", "state", "seen", "version", "digest", "sweep")


def _fields(number: int, now: float) -> str:
    said = {"given_name": f"Ada{number}", "phone": _phone(number), "email": f"ada{number}@example.org", "city": "Rome"}
    return dumps({name: (value, now, "strive", "manual") for name, value in said.items()})


def _phone(number: int) -> str:
    return f"+1{2_000_000_000 + number}"


def _identifiers(numbers: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    for number in numbers:
        yield "phone", _phone(number), number
        yield "email", f"ada{number}@example.org", number


def _links(numbers: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    for number in numbers:
        seen = dumps({"given_name": f"Ada{number}", "phone": _phone(number), "consent.sms": "subscribed"})
        for name in NAMES:
            if number % 100 < 100 * SHARE[name]:
                yield name, str(number), number, "linked", seen, "1", f"{number:032}", 1


def _journal(numbers: Sequence[int], now: float) -> Iterator[tuple[Any, ...]]:
    return ((now, "met", number, "strive", "{}") for number in numbers)


def owe(store: Store, count: int) -> None:
    """A backlog at one connection: half of it past the fuse and in no hurry, half not counted yet."""
    rows = []
    for number in range(1, count + 1):
        lane, kind = (CREATE_LANE, "create") if number % 2 else (UPDATE_LANE, "update")
        approved, due_at = number % 2, time.time() + 10**6
        target = ("action_network", f"r:{number}", lane, number, str(number), kind)
        rows.append((*target, "{}", "open", approved, 0, due_at, 0.0))
    target_columns = ("connection", "target", "lane", "contact_id", "external_id", "kind")
    state_columns = ("owed", "state", "approved", "attempts", "due_at", "created_at")
    with store.transaction() as tx:
        _add(tx.db, outbox, (*target_columns, *state_columns), rows)
    _analyze(store)


def _analyze(store: Store) -> None:
    with store.transaction() as tx:
        tx.db.exec_driver_sql("analyze")


# the service


class Bench:
    """A service on this database, whose turns are taken by hand."""

    def __init__(self, store: Store, settings: Settings, folder: Path) -> None:
        self.store, self.drift = store, 0.0
        self.keeper = Keeper(store, "w1", 3600.0)
        self.metrics = Metrics()
        roster = Roster(store, self._sides(folder), clock=self.clock, keeper=self.keeper)
        self.worker = Worker("w1", store, roster, self.metrics, threading.Event())
        self.alarms = Alarms(settings, store, clock=self.clock)
        self.server = Server(
            settings, store, self.metrics, clock=self.clock, health=lambda: (True, "fine"), roster=lambda: roster
        )
        self.server.start()

    def clock(self) -> float:
        return time.time() + self.drift

    def _sides(self, folder: Path) -> dict[str, Side]:
        path = folder / "mapping.yaml"
        path.write_text("platform: strive\nfields: {given_name: first_name, phone: phone_number}\n")
        mapping = load_mapping(path, platform="strive")
        made = {}
        for name in NAMES:
            made[name] = Side(name, "strive", mapping, ABLE, Quiet, every=EVERY, full_every=1e9, budget=name)
        with self.store.transaction() as tx:
            for name, side in made.items():
                tx.connections.put(name, mapping={**side.mapping.digest, "direction": side.direction})
        return made

    def look(self) -> None:
        with self.store.look() as tx:
            due.turns(tx, self.worker.roster, self.clock())

    def turn(self, name: str = "strive") -> None:
        """One that reads, finds nothing, and sends nothing."""
        self.drift += EVERY + 31
        if self.worker.turn(name) is None:
            raise RuntimeError("the turn was not taken")

    def cycle(self) -> None:
        self.drift += EVERY + 31
        for name in NAMES:
            if self.worker.turn(name) is None:
                raise RuntimeError("a turn was not taken")

    def watch(self) -> None:
        self.alarms.look()
        self.alarms.close()

    def ask(self, path: str) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/{path}", timeout=60) as answer:
            answer.read()

    def count_anew(self, path: str) -> Callable[[], None]:
        """Counts are kept for some seconds: each time they are counted anew."""

        def ask() -> None:
            self.server._desk._counted.forget()
            self.ask(path)

        return ask

    def close(self) -> None:
        self.server.stop()
        self.keeper.close()


def measure_one(bench: Bench, times: int) -> dict[str, tuple[float, float]]:
    """Milliseconds on the clock (the fastest: the machine has more to do), and of our own processor (the mean)."""
    what: dict[str, tuple[Callable[[], None], int]] = {
        "one look": (bench.look, 4 * times),
        "one quiet turn": (bench.turn, times),
        "five quiet turns": (bench.cycle, max(3, times // 5)),
        "one look for what is wrong": (bench.watch, times),
        "one scrape, counted anew": (bench.count_anew("metrics"), max(3, times // 4)),
        "one status page, counted anew": (bench.count_anew(""), max(3, times // 4)),
        "one /readyz": (lambda: bench.ask("readyz"), times),
    }
    found = {}
    for name, (do, count) in what.items():
        do()
        cpu, spent = time.process_time(), []
        for _ in range(count):
            began = time.perf_counter()
            do()
            spent.append(time.perf_counter() - began)
        found[name] = 1000 * min(spent), 1000 * (time.process_time() - cpu) / count
    return found


def an_hour(found: dict[str, tuple[float, float]]) -> float:
    """Seconds of processor that a quiet hour takes: a look each second, twelve turns a connection, a look for what is
    wrong each 15 s, a scrape each 15 s."""
    each = {name: cpu / 1000 for name, (_, cpu) in found.items()}
    looks = 3600 * each["one look"] + 240 * each["one look for what is wrong"]
    return looks + 12 * each["five quiet turns"] + 240 * each["one scrape, counted anew"]


@contextlib.contextmanager
def engines(folder: Path, wanted: str) -> Iterator[dict[str, Callable[[str], Any]]]:
    """Makes empty databases, by engine."""
    from tests.postgres import database, own_server

    with contextlib.ExitStack() as opened:
        made: dict[str, Callable[[str], Any]] = {}
        if wanted != "postgresql":
            made["SQLite"] = lambda name: contextlib.nullcontext(f"sqlite:///{folder}/{name}.db")
        if wanted != "sqlite":
            server = opened.enter_context(own_server())
            made["PostgreSQL"] = lambda _: database(server.url)
        yield made


def measure(people: int, few: int, times: int, wanted: str) -> list[Section]:
    sections = []
    with tempfile.TemporaryDirectory() as name, engines(Path(name), wanted) as made:
        folder = Path(name)
        for engine, new in made.items():
            columns: dict[str, dict[str, tuple[float, float]]] = {}
            for count in (few, people):
                with new(f"known{count}") as url:
                    columns |= _columns(folder, url, count, times, engine)
            sections.append(_section(engine, columns))
    return sections


def _columns(folder: Path, url: str, count: int, times: int, engine: str) -> dict[str, dict[str, tuple[float, float]]]:
    path = folder / "config.toml"
    tables = [f'[state]\nurl = "{url}"\n[service]\nlisten = "127.0.0.1:0"']
    path.write_text("\n".join([*tables, *(f"[connections.{n}]\nplatform = '{n}'\n{SECRETS[n]}" for n in NAMES)]))
    path.chmod(0o600)
    store = Store(url)
    try:
        began = time.monotonic()
        fill(store, count)
        say(f"{engine}: {count:,} people are there after {time.monotonic() - began:.0f} s")
        bench = Bench(store, load(path), folder)
        found = {f"{count:,}": measure_one(bench, times)}
        if count > BACKLOG:
            owe(store, BACKLOG)
            found[f"{count:,}, {BACKLOG:,} owed"] = measure_one(bench, times)
        bench.close()
    finally:
        store.close()
    say(json.dumps(found))
    return found


def _section(engine: str, columns: dict[str, dict[str, tuple[float, float]]]) -> Section:
    small, large = list(columns)[:2]
    rows = [
        [
            what,
            *(f"{columns[name][what][0]:.1f} / {columns[name][what][1]:.1f}" for name in columns),
            f"{columns[large][what][1] / cpu:.1f}",
        ]
        for what, (_, cpu) in columns[small].items()
    ]
    busy = [an_hour(each) for each in columns.values()]
    rows.append(["processor seconds in a quiet hour", *(f"{each:.1f}" for each in busy), f"{busy[1] / busy[0]:.1f}"])
    heads = [f"{engine}: ms at best / ms of processor", *columns, "÷"]
    return Section(f"A quiet service, by how many people it knows ({engine})", table(heads, rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.known", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    given = parser.parse_args()
    logs.configure(level="error")
    for section in measure(given.people, given.few, given.times, given.engine):
        print(f"\n## {section.title}\n\n{section.table}\n")


if __name__ == "__main__":
    main()
