"""What /metrics tells: counts of this process, and what the database knows at the moment of asking.

Labels name connections, classes and kinds, never a person: a label is kept for years by whoever scrapes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from daemon.service.look_figures import Figures, Owed

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each counter was made: twice the series, for nobody

TOLD_NO = (1, 2, 5, 10, 15, 30, 60, 90, 120, 180, 300, 600, 1800, 3600)
"""Seconds. The promise is the poll interval and a minute: fine steps around it."""
TURN = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)


class Metrics:
    """The metrics of this process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._figures = _FromTheDatabase()
        one = ["connection"]
        self._turns = self._counter("rosterd_turns", "Turns of a connection, by how they ended.", [*one, "outcome"])
        self._turn_seconds = self._histogram("rosterd_turn_seconds", "How long a turn took.", TURN)
        self._calls = self._counter("rosterd_calls", "Calls made to the platform.", one)
        self._throttled = self._counter("rosterd_calls_throttled", "Calls that were answered with 429.", one)
        self._rate = self._gauge("rosterd_budget_calls_per_second", "Calls a second that the credential may make.")
        self._share = self._gauge("rosterd_budget_share_ratio", "The part of it in use, after complaints: 1 is all.")
        self._used = self._gauge("rosterd_budget_used_ratio", "Calls made in the last minute, of those allowed.")
        self._budgets: set[str] = set()
        self._told = self._histogram(
            "rosterd_optout_propagation_seconds", "From an opt-out being said to this connection being told.", TOLD_NO
        )
        self.registry.register(self._figures)

    def _counter(self, name: str, says: str, labels: list[str]) -> Counter:
        return Counter(name, says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(name, says, ["connection"], registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(name, says, ["connection"], buckets=list(buckets), registry=self.registry)

    # what the service tells

    def turn_ended(self, connection: str, outcome: str, seconds: float) -> None:
        """A turn is over: `outcome` as in the runs (done, partial, later, failed)."""
        self._turns.labels(connection, outcome).inc()
        self._turn_seconds.labels(connection).observe(max(0.0, seconds))

    def calls(self, connection: str, calls: int, throttled: int) -> None:
        """So many more calls were made, of which `throttled` were answered with 429."""
        self._calls.labels(connection).inc(calls)
        self._throttled.labels(connection).inc(throttled)

    def budget(self, connection: str, rate: float | None, share: float, used: float) -> None:
        """`rate`: calls a second allowed (None: without a limit), `share`: the part of it in use after complaints,
        `used`: calls made in the last minute, of those allowed."""
        if rate is None:
            self._rate.remove(connection)  # no error when there is none
        else:
            self._rate.labels(connection).set(rate)
        self._share.labels(connection).set(share)
        self._used.labels(connection).set(used)
        self._budgets.add(connection)

    def only(self, connections: Iterable[str]) -> None:
        """Tell no budgets but those of these: of one that is gone it would be told for ever how it last was."""
        for name in self._budgets - set(connections):
            for gauge in (self._rate, self._share, self._used):
                gauge.remove(name)
            self._budgets.discard(name)

    def told_no(self, connection: str, seconds: float) -> None:
        """A connection was told of an opt-out, so many seconds after it was said."""
        self._told.labels(connection).observe(max(0.0, seconds))

    # what is asked

    def watch(self, read: Callable[[], Figures | None]) -> None:
        """Where what the database knows comes from; it returns None when the database cannot be asked."""
        self._figures.read = read

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


class _FromTheDatabase(Collector):
    def __init__(self) -> None:
        self.read: Callable[[], Figures | None] = lambda: None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Asked when registered, long before there is a database to read: the names are known without it."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self.read()
        yield _one("rosterd_database_up", "1 when the database answered.", [([], float(found is not None))])
        if found is not None:
            yield from _connections(found)
            yield from _outbox(found.owed, found.at)
            yield from _waiting(found)


Sample = tuple[list[str], float]


def _one(name: str, says: str, samples: Iterable[Sample], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _connections(found: Figures) -> Iterator[GaugeMetricFamily]:
    enabled = [one for one in found.connections if one.state != "off"]
    lags = [([one.name], one.lag) for one in enabled if one.lag is not None]
    yield _one("rosterd_connection_lag_seconds", "Since the last complete reading began.", lags, "connection")
    yield _one(
        "rosterd_connection_late_after_seconds",
        "The lag above which a connection is late.",
        [([one.name], one.bound) for one in enabled],
        "connection",
    )
    yield _one(
        "rosterd_connection_last_success_timestamp_seconds",
        "When a turn last ended without a failure.",
        [([one.name], one.ok_at) for one in enabled if one.ok_at is not None],
        "connection",
    )
    yield _one(
        "rosterd_connection_ready",
        "1 when read to the end within its bound; 0 also before the first complete reading.",
        [([one.name], float(one.ready)) for one in enabled],
        "connection",
    )


def _outbox(owed: list[Owed], now: float) -> Iterator[GaugeMetricFamily]:
    labels = ("connection", "class", "state")
    waiting = [one for one in owed if one.state != "dead"]
    counts = [([one.connection, one.kind, one.state], float(one.pushes)) for one in waiting]
    yield _one("rosterd_outbox_pushes", "Pushes owed; held: by the fuse, or until a person decides.", counts, *labels)
    ages = [
        ([one.connection, one.kind, one.state], max(0.0, now - one.oldest_at))
        for one in waiting
        if one.oldest_at is not None
    ]
    yield _one("rosterd_outbox_oldest_age_seconds", "Since the oldest of them is owed.", ages, *labels)
    dead = [([one.connection, one.kind], float(one.pushes)) for one in owed if one.state == "dead"]
    yield _one("rosterd_dead_letters", "Pushes that were refused, and wait for a person.", dead, *labels[:2])


def _waiting(found: Figures) -> Iterator[GaugeMetricFamily]:
    yield _one("rosterd_holds_open", "What waits for a person's decision.", _by(found.holds), "kind")
    yield _one("rosterd_alerts_open", "What is broken and not healed yet.", _by(found.alerts), "kind")
    yield _one("rosterd_workers", "Processes that work on this database.", [([], float(found.workers))])
    yield _one("rosterd_runs_last_day", "Runs that ended in the last 24 hours.", _by(found.outcomes), "outcome")


def _by(counts: dict[str, int]) -> list[Sample]:
    return [([name], float(count)) for name, count in sorted(counts.items())]
