"""One setting changed in the file: looked up, written down if the whole is sound, and told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from daemon import configfile
from daemon import settings as configuration
from daemon import settings_keys as keys
from daemon.configfile import UNSET
from daemon.configlayout import rendered
from daemon.errors import BadConfig
from daemon.output import say
from daemon.settings import Settings
from daemon.settings_problems import Found, Tree
from daemon.settings_secrets import DATABASE
from daemon.settings_sources import gather
from daemon.settings_types import has_password

WHOM = frozenset({"mapping", "where", "direction", "region", "enabled"})
"""Keys of a connection that decide who is met there, or what is sent."""

RESTART = (("state",), ("service", "lease"))
"""How the keys begin that a running service reads only when it starts."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was changed. `old`, `new`: as in the file, None: not there. `overridden`: what counts instead of the file.

    `effective`: what is in effect now. `whom`: whether it is about whom, or what is sent: `rosterd check` tells.
    """

    file: str
    key: str
    old: str | None
    new: str | None
    line: int | None
    effective: str
    overridden: str | None
    whom: bool
    next: str

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "changed": self.old != self.new}


def key(name: str, tree: Tree) -> keys.Key:
    """The setting of this name. Raises a usage error that says what was probably meant."""
    try:
        return keys.find(name, tree)
    except keys.NoSuchKey as problem:
        raise click.UsageError(str(problem)) from None


def change(path: Path, name: str, typed: str | None) -> Done:
    """Set it in the file; None: take it out. Nothing is written unless the file is sound with it.

    Raises BadConfig with what would be wrong, RosterdError where the file cannot be changed.
    """
    text = configfile.read(path)
    now = gather(path)
    found = key(name, now.tree)
    _settable(found, typed)
    value = UNSET if typed is None else found.typed(typed)
    new = configfile.changed(text, found.loc, value)
    try:
        settings, _ = configuration.load_all(path, text=new)
    except BadConfig as problem:
        raise BadConfig(problem.problems, hint="nothing was written") from None
    if new != text:
        configfile.replace(path, text, new)
    return _done(path, found, text, new, settings, now)


def _settable(found: keys.Key, typed: str | None) -> None:
    plain = found.loc == DATABASE and not has_password(typed or "")
    if found.secret and not plain:
        variable = "ROSTERD_" + "__".join(found.loc).upper()
        raise click.UsageError(
            f"{found.name} is a secret, and a command line is remembered and seen by others. Write it into a file, "
            f"chmod 600 it, and set {found.name}_file to its name; or give {variable} in the environment, or the "
            f"systemd credential {'__'.join(found.loc)}."
        )
    if found.field is None:
        raise click.UsageError(f"{found.name} is a table: set one of its keys. `rosterd config get {found.name}`")


def _done(path: Path, found: keys.Key, before: str, after: str, settings: Settings, now: Found) -> Done:
    shown = configuration.shown(settings).get(found.name, {"value": None})["value"]
    place = settings._places.get(found.loc)
    return Done(
        file=str(path),
        key=found.name,
        old=_written(before, found.loc),
        new=_written(after, found.loc),
        line=int(place.line) if place is not None else None,
        effective="" if shown is None else rendered(shown),
        overridden=_overridden(now, found.loc),
        whom=found.loc[0] in ("connections", "defaults") and found.loc[-1] in WHOM,
        next=_next(found.loc),
    )


def _written(text: str, loc: keys.Loc) -> str | None:
    node: Any = configfile.parsed(text)
    for step in loc:
        node = node.get(step) if isinstance(node, dict) else None
    return None if node is None else rendered(configuration.masked(node) if isinstance(node, str) else node)


def _overridden(now: Found, loc: keys.Loc) -> str | None:
    """What else says it, and counts more than the file; also for all of the table at once."""
    return next((now.origins[loc[:end]] for end in range(len(loc), 0, -1) if loc[:end] in now.origins), None)


def _next(loc: keys.Loc) -> str:
    anew = any(loc[: len(start)] == start for start in RESTART)
    service = f"systemctl {'restart' if anew else 'reload'} rosterd"
    return f"a running service: {service}; otherwise the next run takes it up"


def tell(done: Done) -> None:
    """For people: what it was and is, what counts instead, and what happens next."""
    was = "not set" if done.old is None else done.old
    if done.old == done.new:
        say(f"{done.file}: {done.key} is {was} already; nothing was written")
    else:
        place = f":{done.line}" if done.line and done.new is not None else ""
        now = done.new if done.new is not None else f"not set; in effect is {done.effective or 'nothing'}"
        say(f"{done.file}{place}: {done.key}: {was} -> {now}")
    if done.overridden:
        say(f"warning: {done.overridden} says {done.effective}, and counts more than the file", err=True)
    if done.old != done.new:
        say(done.next)
        if done.whom:
            say("whom that touches: rosterd check --offline")
