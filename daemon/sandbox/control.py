"""The sandbox's own HTTP interface, below /_sandbox/: for tests in other processes and for people trying it.

| request | does |
| --- | --- |
| GET /_sandbox/ | what this is, addresses, keys |
| GET /_sandbox/state | everybody, as each platform shows them |
| GET /_sandbox/truth | who is behind which record |
| GET /_sandbox/harm | the counters, and what they counted |
| GET /_sandbox/requests | the request log |
| GET /_sandbox/counts | how many requests each platform had, by status (0: no answer), since the start |
| POST /_sandbox/faults | `{"kind": "lost", "times": 2}`, or `{"random": 0.1, "seed": 3}`, or `{"clear": true}` |
| POST /_sandbox/reset | `{"people": 60, "seed": 1, "empty": false}`: start over |
| POST /_sandbox/reset_log | forget the request log |
| POST /_sandbox/switch | `{"platform": "strive", "max_rows": 10}`: a switch of a model |
| POST /_sandbox/act | `{"platform": "strive", "action": "opt_out", "args": {"member_id": 1001}}` |

An act may be `"late": {"requests": 3}` or `{"seconds": 1.5}`: see commits.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daemon.sandbox.postgrest import PostgrestError
from daemon.sandbox.telerivet_record import TelerivetError
from daemon.sandbox.wire import BadBodyError, Request, Response, answer

if TYPE_CHECKING:
    from daemon.sandbox.sandbox import Sandbox


class Control:
    """Answers what comes in below /_sandbox/."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", ""): lambda _: self._sandbox.about(),
            ("GET", "state"): lambda _: self._state(),
            ("GET", "truth"): lambda _: self._sandbox.truth,
            ("GET", "harm"): lambda _: self._harm(),
            ("GET", "requests"): lambda _: [asdict(call) for call in self._sandbox.calls()],
            ("GET", "counts"): lambda _: self._sandbox.counts,
            ("POST", "faults"): self._faults,
            ("POST", "reset"): lambda body: self._sandbox.reset(**body),
            ("POST", "reset_log"): lambda _: self._sandbox.reset_log(),
            ("POST", "switch"): self._switch,
            ("POST", "act"): self._act,
        }

    def respond(self, request: Request) -> Response:
        name = request.path.removeprefix("/_sandbox").strip("/")
        route = self._routes.get((request.method, name))
        if route is None:
            return answer(404, {"message": f"no such thing: {request.method} {request.path}"})
        try:
            body = request.json if request.body else {}
            return answer(200, route(body))
        except (BadBodyError, KeyError, TypeError, ValueError, PostgrestError, TelerivetError) as problem:
            return answer(400, {"message": f"{type(problem).__name__}: {problem}"})

    def _state(self) -> dict[str, Any]:
        return {name: account.everybody() for name, account in self._sandbox.accounts.items()}

    def _harm(self) -> dict[str, Any]:
        harm = self._sandbox.harm_log
        return {"harm": self._sandbox.harm(), "blind_writes": harm.blind_writes, "details": harm.details}

    def _faults(self, body: dict[str, Any]) -> dict[str, Any]:
        faults = self._sandbox.faults
        if body.pop("clear", False):
            faults.clear()
        elif "random" in body:
            faults.random(body.pop("random"), **body)
        else:
            faults.add(**body)
        return {"pending": len(faults.pending())}

    def _switch(self, body: dict[str, Any]) -> dict[str, Any]:
        account = self._sandbox.accounts[body.pop("platform")]
        unknown = set(body) - set(account.switches)
        if unknown:
            raise ValueError(f"{account.name} has no switch {', '.join(sorted(unknown))}")
        for name, value in body.items():
            setattr(account.model, name, value)
        return {name: getattr(account.model, name) for name in account.switches}

    def _act(self, body: dict[str, Any]) -> dict[str, Any]:
        account, action = self._sandbox.accounts[body["platform"]], body["action"]
        if action not in account.actions:
            raise ValueError(f"{account.name} has no action {action}; there are: {', '.join(account.actions)}")
        with account.model.late(**body["late"]) if body.get("late") else nullcontext():
            return {"result": getattr(account.model, action)(**body.get("args", {}))}
