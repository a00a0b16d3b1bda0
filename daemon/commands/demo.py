"""`rosterd demo`: the main job on made-up people, told as a story that is checked while it is told."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from daemon import assemble, logs
from daemon.commands import starter, tale
from daemon.commands.options import FAILED, Globals, as_json
from daemon.commands.session import set_up_log
from daemon.output import json_out, plural, say, table
from daemon.sandbox import Sandbox
from daemon.settings import Settings
from daemon.sync import cycle
from daemon.sync.roster import Roster

LETTER = "Wrote a letter"
OUTREACH = """
outreach:
  - name: letter
    when: {tag: Wrote a letter}
    campaign: CAMPAIGN
    target: {title: Senator, family_name: Example}
    subject: "A letter from {city|somewhere}"
"""
"""What the demo's Action Network records when somebody gets that tag, wherever."""


@click.command()
@click.option("--people", type=click.IntRange(24, 5000), default=60, show_default=True, help="How many there are.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same people.")
@as_json
@click.pass_context
def command(ctx: click.Context, people: int, seed: int, as_json: bool) -> None:
    """Watch a whole sync between five platforms, on this machine, with made-up people.

    Nothing of yours is read or written: no configuration, no environment, no database. The exit code is 0 when the
    story came true.

    \b
    rosterd demo
    rosterd demo --people 500 --seed 7
    """
    set_up_log(ctx.find_object(Globals) or Globals())
    clock = Time()
    with Sandbox(people, seed, clock=clock) as sandbox, _roster(sandbox, clock) as roster:
        story = tell(sandbox, roster, clock, aloud=not as_json)
    if as_json:
        json_out(story)
    ctx.exit(0 if story["came_true"] else FAILED)


class Time:
    """Runs in a demo as elsewhere, but for the minutes between two runs, which nobody wants to wait for."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def passes(self, seconds: float = 300.0) -> None:
        self._ahead += seconds


@contextmanager
def _roster(sandbox: Sandbox, clock: Time) -> Iterator[Roster]:
    """A roster on the sandbox, with its mappings and its database in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="rosterd-demo-") as folder:
        settings = _settings(sandbox, Path(folder))
        store = assemble.open_store(settings.state.url)
        try:
            yield assemble.roster(settings, store, clock=clock)
        finally:
            store.close()


def _settings(sandbox: Sandbox, folder: Path) -> Settings:
    """Made here rather than read: a ROSTERD_STATE__URL of the user's must not lead to their real database."""
    connections: dict[str, Any] = {}
    for one in starter.accounts_of(sandbox.about()):
        mapping = folder / f"{one.platform}.yaml"
        text = starter.mapping_text(one.platform, sandbox=True)
        if one.platform == "action_network":
            text += OUTREACH.replace("CAMPAIGN", sandbox.action_network.campaign("Write to your senator"))
        mapping.write_text(text, encoding="utf-8")
        connections[one.platform] = {
            **one.settings,
            "platform": one.platform,
            **one.secrets,
            "mapping": str(mapping),
        }
        logs.hide(*one.secrets.values())
    state = {"url": f"sqlite:///{folder / 'state.db'}"}
    return Settings.model_validate({"state": state, "connections": connections}, context={"folder": folder})


def tell(sandbox: Sandbox, roster: Roster, clock: Time, *, aloud: bool) -> dict[str, Any]:
    """The story, chapter by chapter; what did not come true is listed under `broken`."""
    play = Play(sandbox, roster, clock)
    if aloud:
        say("Nothing here is real: five platforms run on this machine only, and their people are made up.", dim=True)
    for happen, told in (
        (play.before, _tell_before),
        (play.first_run, _tell_first),
        (play.edits, _tell_edits),
        (play.second_run, _tell_second),
        (play.third_run, _tell_third),
        (play.harm, _tell_harm),
    ):
        happen()
        if aloud:
            told(play.story)
    story = play.story
    story["broken"] = tale.broken(story)
    story["came_true"] = not story["broken"]
    if aloud:
        _end(story)
    return story


@dataclass
class Play:
    """What happens, and what is kept of it in `story`."""

    sandbox: Sandbox
    roster: Roster
    clock: Time
    story: dict[str, Any] = field(default_factory=dict)

    def before(self) -> None:
        self.story["before"] = tale.snapshot(self.sandbox)

    def first_run(self) -> None:
        done = cycle.run(self.roster)
        with self.roster.store.look() as tx:
            self.story |= {
                "recognised": tale.recognised(tx, self.story["before"]),
                "pushed": tale.pushed(tx, done.run),
                "holds": tale.held(tx),
                "contacts": tx.contacts.count(),
            }
        self.story["first"] = tale.books(done)

    def edits(self) -> None:
        self.clock.passes()
        with self.roster.store.look() as tx:
            mover, leaver, writer = tale.known_everywhere(tx, self.sandbox, 3)
        to = "Savannah Beach"
        self.story |= {"edit": {**mover, "from": mover["city"], "to": to}, "opt_out": leaver, "letter": writer}
        self.sandbox.strive.edit_member(int(mover["strive"]), city=to)
        self.sandbox.carium.unsubscribe(leaver["carium"])
        self.sandbox.telerivet.add_to_group(writer["telerivet"], LETTER)
        self.sandbox.reset_log()

    def second_run(self) -> None:
        self.story["second"] = tale.books(cycle.run(self.roster))
        edit, leaver, sandbox = self.story["edit"], self.story["opt_out"], self.sandbox
        moved = sandbox.action_network.person(edit["action_network"])["postal_addresses"]
        left = sandbox.action_network.person(leaver["action_network"])["phone_numbers"]
        (campaign,) = sandbox.action_network.campaign_table.rows
        self.story["arrived"] = {
            "city": {
                "Telerivet": sandbox.telerivet.contact(edit["telerivet"])["vars"].get("city"),
                "Action Network": moved[0]["locality"] if moved else None,
            },
            "no": {
                "Strive": sandbox.strive.member(int(leaver["strive"]))["opt_in"] is False,
                "Telerivet": sandbox.telerivet.contact(leaver["telerivet"])["send_blocked"],
                "Action Network": bool(left) and left[0]["status"] == "unsubscribed",
            },
            "opt_out_first": tale.opt_out_first(sandbox, edit["to"]),
            "outreaches": len(sandbox.action_network.outreaches(campaign)),
        }

    def third_run(self) -> None:
        self.clock.passes()
        self.story["third"] = tale.books(cycle.run(self.roster))

    def harm(self) -> None:
        self.story["harm"] = {**self.sandbox.harm(), "blind_writes": self.sandbox.blind_writes}


# how it is told


def _chapter(title: str) -> None:
    say()
    say(title, bold=True)


def _tell_before(story: dict[str, Any]) -> None:
    _chapter("Five platforms, many of the same people, typed by different hands")
    for platform, people in story["before"].items():
        nos = sum(person["no"] for person in people.values())
        say(f"  {platform:<15} holds {len(people):,} records; {nos} of them have said no")


def _tell_first(story: dict[str, Any]) -> None:
    known = story["recognised"]
    many = f"{known['count']} people were recognised on several platforms, {known['everywhere']} of them on all five"
    _chapter(f"The first run: {many}; {story['contacts']} people in all")
    for one in known["examples"]:
        say()
        table((one["contact"], *tale.SHOWN), one["rows"])
    _chapter("What was sent")
    for line in story["pushed"]["lines"]:
        say(f"  {line}")
    for example in story["pushed"]["examples"]:
        say(f"    {example}", dim=True)
    _chapter("What is held, because guessing would be worse")
    for why, count in story["holds"]["why"].items():
        say(f"  {count} × {why}")
    for line in story["holds"]["examples"]:
        say(f"    {line}", dim=True)
    _tell_calls(story["first"])


def _tell_calls(books: dict[str, Any]) -> None:
    used = ", ".join(f"{name} {each['calls']}" for name, each in books["connections"].items())
    say(f"  calls: {used}")


def _tell_edits(story: dict[str, Any]) -> None:
    edit = story["edit"]
    _chapter("Then three things happen within five minutes")
    say(f"  {edit['name']} moves: on Strive, city {edit['from']} → {edit['to']}")
    say(f"  {story['opt_out']['name']} answers STOP to a text from Carium, which takes no writes but is heard")
    say(f"  {story['letter']['name']} gets the tag {LETTER!r} on Telerivet")


def _tell_second(story: dict[str, Any]) -> None:
    arrived = story["arrived"]
    _chapter(f"The second run: {plural(story['second']['sent'], 'push', 'pushes')} sent")
    first = ", before anything else was written" if arrived["opt_out_first"] else ""
    told = ", ".join(name for name, said in arrived["no"].items() if said)
    say(f"  {story['opt_out']['name']} gets no more texts: {told or 'NOBODY'} told{first}")
    cities = ", ".join(f"{city} on {name}" for name, city in arrived["city"].items())
    say(f"  {story['edit']['name']} lives in {cities}")
    recorded = plural(arrived["outreaches"], "outreach", "outreaches")
    say(f"  {recorded} recorded on Action Network: {story['letter']['name']} wrote to Senator Example")
    _tell_calls(story["second"])


def _tell_third(story: dict[str, Any]) -> None:
    sent = story["third"]["sent"]
    _chapter("The third run: nobody edited anything")
    say(f"  {plural(sent, 'push', 'pushes')} sent" if sent else "  nothing was sent")
    _tell_calls(story["third"])


def _tell_harm(story: dict[str, Any]) -> None:
    _chapter("What a careless client would have destroyed meanwhile")
    for kind, count in story["harm"].items():
        say(f"  {kind.replace('_', ' '):<20} {count}")


def _end(story: dict[str, Any]) -> None:
    say()
    for line in story["broken"]:
        say(f"This should not have happened: {line}", err=True)
    if story["came_true"]:
        say("Every word of it came true. Try it on a mapping of your own: rosterd sandbox", bold=True)
