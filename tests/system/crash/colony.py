"""The scenario in which Colony is written to."""

from __future__ import annotations

from pathlib import Path

from daemon.sandbox import Sandbox
from tests.system.crash.people import (
    Scenario,
    State,
    at_colony,
    at_strive,
    colony_contact,
    colony_in,
    member,
    member_in,
    phone,
)

WRITING = """[connections.colony]
direction = "both"
scope = "read+write"
paths.create_optout = "/contact/optouts/"
"""


def writing(folder: Path) -> None:
    path = folder / "config.toml"
    path.write_text(path.read_text().replace("[connections.colony]\n", WRITING, 1))


def people(sandbox: Sandbox) -> None:
    for number in range(4):
        at_strive(sandbox, number, opt_in=True)
        at_colony(sandbox, number, lists=["Newsletter"])


def both_ways(sandbox: Sandbox) -> None:
    sandbox.strive.edit_member(member(sandbox, 0), city="Paris", last_name="Newname")
    sandbox.strive.opt_out(member(sandbox, 1))
    sandbox.colony.edit_contact(colony_contact(sandbox, 2), city="Lima")
    sandbox.colony.opt_out(colony_contact(sandbox, 2))
    sandbox.strive.edit_member(member(sandbox, 3), phone_number=phone(93))
    at_strive(sandbox, 20, opt_in=True)
    sandbox.strive.opt_out(at_strive(sandbox, 21))
    at_colony(sandbox, 22)
    at_strive(sandbox, 23, opt_in=True)
    at_colony(sandbox, 23, city="Oslo")


def expect(state: State) -> None:
    assert len(state["strive"]) == len(state["colony"]) == 8
    assert (colony_in(state, 0)["city"], colony_in(state, 0)["last_name"]) == ("Paris", "Newname")
    assert member_in(state, 2)["city"] == "Lima"
    assert not any(member_in(state, number)["opt_in"] for number in (1, 2, 21, 22))
    assert all(colony_in(state, number)["sms_optout"] for number in (1, 2, 21))
    assert not any(colony_in(state, number)["sms_optout"] for number in (0, 93, 20, 22))
    assert member_in(state, 23)["city"] == "Oslo"
    assert colony_in(state, 0)["lists"] == ["Newsletter"]


SCENARIOS: dict[str, Scenario] = {
    "colony: writing": Scenario(people, expect, both_ways, configure=writing, platforms=("strive", "colony")),
}
