"""A plan as a file: what `rosterd plan --out` writes and `rosterd apply` reads.

    {"format": 1, "rosterd": "0.1.0", "made": "2026-11-21T08:17:00Z", "full": false, "only": [],
     "connections": {NAME: fingerprint}, "pushes": [...], "sha256": "..."}

It holds names, phones and emails, and no secret: of each connection only a fingerprint of its platform, account,
direction and mapping. The sum is over the canonical JSON of everything else, so that a file that was cut short or
edited by hand is not taken for what somebody has looked at. It keeps nobody out who means to forge one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError

from daemon.assemble import account_of
from daemon.errors import BadConfig, BadPlan
from daemon.settings import Settings
from daemon.sync.planned import Planned

if TYPE_CHECKING:
    from mappings.mapping import Mapping as FieldMapping

FORMAT = 1
AGAIN = "make a new one: rosterd plan --out FILE"
Fingerprints = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PlanFile:
    """What a plan says of itself. `full` and `only`: how everything was read, and is to be read again.

    `pushes` in the order of `Planned.place`; `made`: when, UTC.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    format: int = FORMAT
    rosterd: str
    made: str
    full: bool = False
    only: list[str] = field(default_factory=list)
    connections: dict[str, str]
    pushes: list[Planned]


_CHECKED = TypeAdapter(PlanFile)


def made(at: float) -> str:
    """A moment as the file has it."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fingerprints(settings: Settings, mappings: Mapping[str, FieldMapping]) -> dict[str, str]:
    """What must not have changed between plan and apply, of every connection that is switched on."""
    return {
        name: _sum([one.platform, account_of(one), one.direction, dict(mappings[name].digest)])
        for name, one in settings.enabled.items()
    }


def same_configuration(plan: PlanFile, now: Fingerprints) -> None:
    """Raises BadConfig, connection by connection, unless the plan was made with this configuration."""
    problems = []
    for name in sorted({*plan.connections, *now}):
        if name not in now:
            problems.append(f"connection {name}, which the plan was made with, is not in the configuration (any more)")
        elif name not in plan.connections:
            problems.append(f"connection {name} was added, or switched on, since the plan was made")
        elif plan.connections[name] != now[name]:
            problems.append(f"connection {name} has another account, direction or mapping than when the plan was made")
    if problems:
        raise BadConfig(problems, hint=f"this plan says nothing about how things are now; {AGAIN}")


# writing


def write(path: Path, plan: PlanFile) -> None:
    """At once or not at all, and readable by its owner alone. Raises BadPlan when it cannot be written."""
    document: dict[str, Any] = {
        "format": plan.format,
        "rosterd": plan.rosterd,
        "made": plan.made,
        "full": plan.full,
        "only": sorted(plan.only),
        "connections": dict(sorted(plan.connections.items())),
        "pushes": [push.as_dict() for push in sorted(plan.pushes, key=lambda push: push.place)],
    }
    try:
        _write(path, orjson.dumps({**document, "sha256": _sum(document)}, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as problem:
        raise BadPlan(f"{path} cannot be written: {problem.strerror}") from None


def _write(path: Path, text: bytes) -> None:
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(new, path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def _sum(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


# reading


def read(path: Path) -> PlanFile:
    """Raises BadPlan, saying what to do, for whatever is not exactly what `write` wrote."""
    document = _document(path)
    if document.get("format") != FORMAT:
        raise BadPlan(
            f"{path} has format {document.get('format')!r}, made by rosterd {document.get('rosterd')}; "
            f"this program works with format {FORMAT}",
            hint=AGAIN,
        )
    said = document.pop("sha256", None)
    if said != _sum(document):
        raise BadPlan(f"{path} is not as it was written: its sum is wrong", hint=f"it was edited; {AGAIN}")
    try:
        return _CHECKED.validate_json(orjson.dumps(document))
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadPlan(f"{path} is no plan: {place}: {first['msg']}", hint=AGAIN) from None


def _document(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as problem:
        raise BadPlan(f"{path} cannot be read: {problem.strerror}") from None
    except ValueError:
        raise BadPlan(f"{path} is no plan, or was cut short: it is not JSON", hint=AGAIN) from None
    if not isinstance(found, dict):
        raise BadPlan(f"{path} is no plan", hint=AGAIN)
    return found


def personal(pushes: Sequence[Planned]) -> str:
    """What to tell whoever has just written one."""
    return f"it holds {len(pushes):,} pushes with names, phones and emails, readable by you alone: delete it when done"
