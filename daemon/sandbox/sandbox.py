"""The sandbox as a whole: all platforms on one port of the loopback interface."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from daemon.sandbox.accounts import Ground, opened
from daemon.sandbox.action_network import ActionNetworkModel
from daemon.sandbox.carium import CariumModel
from daemon.sandbox.colony import ColonyModel
from daemon.sandbox.commits import Clock
from daemon.sandbox.control import Control
from daemon.sandbox.elsewhere import ELSEWHERE
from daemon.sandbox.faults import Fault, Faults
from daemon.sandbox.harm import Harm
from daemon.sandbox.population import Population, Truth
from daemon.sandbox.server import Server
from daemon.sandbox.strive import StriveModel
from daemon.sandbox.telerivet import TelerivetModel
from daemon.sandbox.wire import Request, Response, answer

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request in the log. `path` has the query; `status` 0: the client got no answer; `wrote`: the body."""

    platform: str
    method: str
    path: str
    status: int
    wrote: Any
    fault: str | None


class Sandbox:
    """Every platform as a local server, faithful down to the traps.

    `people` and `seed` make the population (see population.py) of Strive, Telerivet and `others` (None: of every
    platform); `empty`: nobody is there. `clock` gives the
    times of records, in seconds since 1970; `log_limit` keeps only so many of the newest requests.
    A context manager; leaving it raises RuntimeError if the sandbox itself had a bug meanwhile.
    """

    def __init__(
        self,
        people: int = 60,
        seed: int = 1,
        *,
        empty: bool = False,
        others: Collection[str] | None = None,
        clock: Clock = time.time,
        log_limit: int | None = None,
    ) -> None:
        lock = threading.RLock()
        self.harm_log = Harm()
        self._called: set[str] = set()
        self.accounts = opened(Ground(self.harm_log, lock, clock), self._called)
        self.faults = Faults()
        self.requests: deque[Call] = deque(maxlen=log_limit)
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in self.accounts}
        self.errors: list[str] = []
        self.truth: Truth = {}
        self._control = Control(self)
        self._server: Server | None = None
        self._lock = lock
        self._others = [name for name in ELSEWHERE if name in (self.accounts if others is None else others)]
        self.reset(people, seed, empty=empty)

    # Running ------------------------------------------------------------------------------------------------

    def start(self, port: int = 0) -> Self:
        """Begin to listen; port 0 takes a free one. Raises OSError when the port is taken."""
        self._server = Server(self, port)
        return self

    def stop(self) -> None:
        """End every connection. Raises RuntimeError if the sandbox itself had a bug meanwhile."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self.errors:
            raise RuntimeError(f"the sandbox itself failed {len(self.errors)} times:\n{self.errors[0]}")

    def __enter__(self) -> Self:
        return self if self._server else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the sandbox is not started")
        return f"http://127.0.0.1:{self._server.port}"

    def base_url(self, platform: str) -> str:
        """Stands for the platform's own address."""
        return f"{self.url}/{platform}"

    @property
    def strive(self) -> StriveModel:
        return self._model("strive", StriveModel)

    @property
    def telerivet(self) -> TelerivetModel:
        return self._model("telerivet", TelerivetModel)

    @property
    def carium(self) -> CariumModel:
        return self._model("carium", CariumModel)

    @property
    def action_network(self) -> ActionNetworkModel:
        return self._model("action_network", ActionNetworkModel)

    @property
    def colony(self) -> ColonyModel:
        return self._model("colony", ColonyModel)

    def _model(self, platform: str, kind: type[T]) -> T:
        model = self.accounts[platform].model
        assert isinstance(model, kind)
        return model

    # For tests and the demo -----------------------------------------------------------------------------------

    def reset(self, people: int = 60, seed: int = 1, *, empty: bool = False) -> dict[str, int]:
        """Start over: a new population, no faults, an empty log, no harm. Switches stay."""
        with self._lock:
            for account in self.accounts.values():
                account.model.clear()
            self._called.clear()
            self.faults.clear()
            self.requests.clear()
            self.harm_log.__init__()  # type: ignore[misc]
            others = {name: self.accounts[name].model for name in self._others if name in self.accounts}
            population = Population(self.strive, self.telerivet, others, seed)
            self.truth = population.fill(0 if empty else people)
            return {name: len(account.model) for name, account in self.accounts.items()}

    def harm(self) -> dict[str, int]:
        """What a bad client would have destroyed, by kind (see harm.py). All zero: nothing."""
        return dict(self.harm_log.counts)

    @property
    def blind_writes(self) -> int:
        """Writes to records whose present state the client had not read (see Harm)."""
        return self.harm_log.blind_writes

    def calls(self, platform: str | None = None, method: str | None = None) -> list[Call]:
        """The request log, or the part of it that fits."""
        return [
            call for call in list(self.requests) if platform in (None, call.platform) and method in (None, call.method)
        ]

    def reset_log(self) -> None:
        self.requests.clear()

    def about(self) -> dict[str, Any]:
        """Addresses and keys."""
        titles = ", ".join(account.title for account in self.accounts.values())
        return {"what": f"rosterd's sandbox: {titles}, made up, on this machine only"} | {
            name: {"base_url": self.base_url(name), **account.settings, **account.secrets}
            for name, account in self.accounts.items()
        }

    # What the server asks (see server.App) --------------------------------------------------------------------

    def platform_of(self, path: str) -> str:
        name = path.split("/", 2)[1] if path.startswith("/") else ""
        return name if name in self.accounts else ""

    def take_fault(self, platform: str, request: Request) -> Fault | None:
        return self.faults.take(platform, request.method, request.target.removeprefix(f"/{platform}"))

    def respond(self, platform: str, request: Request) -> Response:
        if platform:
            path = request.path.removeprefix(f"/{platform}")
            inner = Request(request.method, path or "/", request.query, request.headers, request.body)
            self._called.add(platform)
            return self.accounts[platform].api.respond(inner)
        if request.path.startswith("/_sandbox"):
            return self._control.respond(request)
        return answer(404, {"message": f"try /_sandbox/ or one of {', '.join(self.accounts)}"})

    def refusal(self, platform: str, status: int) -> Response:
        return self.accounts[platform].api.refusal(status)

    def log(self, platform: str, request: Request, status: int, fault: Fault | None) -> None:
        if platform:
            path = request.target.removeprefix(f"/{platform}")
            kind = fault.kind if fault else None
            with self._lock:
                self.counts[platform][str(status)] += 1
            self.requests.append(Call(platform, request.method, path, status, request.written, kind))

    def crashed(self, trace: str) -> None:
        self.errors.append(trace)
