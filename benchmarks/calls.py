"""API calls of a run, against the fewest the platforms allow. On the sandbox, counted in its own request log."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.process import run
from benchmarks.report import Section, say, table

if TYPE_CHECKING:
    from daemon.sandbox import Sandbox

MEMBERS, IDS, LOGS = 1000, 200, 2
"""Strive: members a page, ids in one address, logs to follow (changes, and removals from groups)."""
CONTACTS, IMPORT = 500, 200
"""Telerivet: contacts a page, and in one import."""

WORDS = """\
The fewest calls, in words:

- *Backfill*. Strive: where each of its two logs ends now (or edits during the reading would be lost), every page of
  members, and the empty page that alone proves the end. Telerivet: every page, and the names of the groups.
- *Nothing changed*. Strive: each log once. Telerivet: all its pages again, for its API neither filters nor sorts by
  time; and the groups.
- *1 % changed by hand on Strive*. As when nothing changed; the members the log names, 200 an address; and on Telerivet
  imports of 200.
- *One opt-out on Strive*. As when nothing changed; that one member; and one write to Telerivet."""
MORE = """\
Aim: 1.05. The calls a backfill makes beyond that do not grow with the people: one on either platform to find out what
it offers, once for an account, and the feeds right after the reading, for what was edited meanwhile."""


@dataclass
class Scene:
    """Two accounts that hold the same people, and `rosterd` between them."""

    sandbox: Sandbox
    config: Path

    def sync(self) -> int:
        """One run; returns how many calls it took."""
        self.sandbox.reset_log()
        env = {
            "ROSTERD_CONNECTIONS__STRIVE__API_KEY": "sandbox-strive-key",
            "ROSTERD_CONNECTIONS__TELERIVET__API_KEY": "sandbox-telerivet-key",
            "ROSTERD_LOG": "error",
        }
        run("-m", "daemon.cli", "-c", str(self.config), "sync", env=env)
        return len(self.sandbox.calls())


def measure(people: int) -> Section:
    from daemon.sandbox import Sandbox

    clock = _Clock()
    with Sandbox(empty=True, clock=clock) as sandbox, tempfile.TemporaryDirectory() as folder:
        members = _fill(sandbox, people, clock)
        clock.behind = 0.0
        scene = Scene(sandbox, _config(sandbox, Path(folder)))
        rows = [_row(*case) for case in _cases(scene, members)]
        if any(sandbox.harm().values()):
            raise RuntimeError(f"harm was done: {sandbox.harm()}")
    heads = ["", "fewest", "made", "÷"]
    return Section(f"API calls, {people:,} people on both platforms", table(heads, rows), f"{WORDS}\n\n{MORE}")


def _cases(scene: Scene, members: list[int]) -> list[tuple[str, int, int]]:
    """(what, the fewest calls, the calls made)"""
    people, some = len(members), members[: len(members) // 100]
    scan = math.ceil(people / CONTACTS) + 1
    quiet = LOGS + scan
    backfill = LOGS + math.ceil(people / MEMBERS) + 1 + scan
    changed = quiet + math.ceil(len(some) / IDS) + math.ceil(len(some) / IMPORT)

    def edit() -> None:
        for number in some:
            scene.sandbox.strive.edit_member(number, city="Elsewhere")

    def opt_out() -> None:
        scene.sandbox.strive.opt_out(members[-1])

    steps: list[tuple[str, int, Callable[[], None]]] = [
        ("backfill", backfill, lambda: None),
        ("nothing changed", quiet, lambda: None),
        (f"1 % changed ({len(some)} people)", changed, edit),
        ("one opt-out", quiet + 2, opt_out),
    ]
    done = []
    for what, fewest, happen in steps:
        happen()
        done.append((what, fewest, scene.sync()))
        say(f"calls, {what}: {done[-1][2]} where {fewest} would do")
    _must_have_arrived(scene.sandbox, len(some))
    return done


def _must_have_arrived(sandbox: Sandbox, edited: int) -> None:
    contacts = sandbox.telerivet.contacts()
    moved = sum(each["vars"].get("city") == "Elsewhere" for each in contacts)
    blocked = sum(bool(each["send_blocked"]) for each in contacts)
    if (moved, blocked) != (edited, 1):
        raise RuntimeError(f"{moved} of {edited} edits and {blocked} of 1 opt-outs arrived")


def _row(what: str, fewest: int, made: int) -> list[str]:
    return [what, str(fewest), str(made), f"{made / fewest:.2f}"]


class _Clock:
    """The sandbox's clock, which can be behind."""

    behind = 0.0

    def __call__(self) -> float:
        return time.time() - self.behind


def _fill(sandbox: Sandbox, people: int, clock: _Clock) -> list[int]:
    """The same people on both sides, one every minute until now; returns their numbers on Strive."""
    members = []
    for number in range(people):
        clock.behind = 60.0 * (people - number)
        phone, given, family = f"+1{200 + number // 1000}555{2000 + number % 1000}", f"Ann{number}", "Example"
        columns = {"first_name": given, "last_name": family, "city": "Atlanta", "state": "GA"}
        members.append(sandbox.strive.add_member(phone_number=phone, **columns))
        variables = {"city": "Atlanta", "region": "GA"}
        sandbox.telerivet.add_contact(phone_number=phone, name=f"{given} {family}", vars=variables)
    return members


def _config(sandbox: Sandbox, folder: Path) -> Path:
    config = folder / "config.toml"
    config.write_text(f"""\
[state]
url = "sqlite:///{folder / "state.db"}"

[connections.strive]
platform = "strive"
campaign_id = {sandbox.about()["strive"]["campaign_id"]}
base_url = "{sandbox.base_url("strive")}"
rate = 1000

[connections.telerivet]
platform = "telerivet"
project_id = "{sandbox.about()["telerivet"]["project_id"]}"
base_url = "{sandbox.base_url("telerivet")}"
rate = 1000
""")
    return config
