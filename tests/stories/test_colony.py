"""Colony with the others, end to end: as it comes a source of people and of their "no"; both ways, it gets them."""

from __future__ import annotations

from pathlib import Path

from tests.stories.sandbox_world import SandboxWorld

BOTH = """\
direction = "both"
scope = "read+write"
paths.create_optout = "/contact/optouts/"
"""
PLATFORMS = ("strive", "colony")


def quiet(world: SandboxWorld) -> bool:
    """Whether a run with no edits sends nothing."""
    world.sandbox.reset_log()
    world.sync()
    return not any(call.method not in ("GET", "OPTIONS") for call in world.sandbox.calls() if "oauth2" not in call.path)


def test_an_opt_out_at_colony_reaches_strive_first_and_nothing_is_written_to_colony(tmp_path: Path) -> None:
    with SandboxWorld(tmp_path, platforms=PLATFORMS, empty=True) as world:
        colony = world.sandbox.colony
        ada = colony.add_contact(["vols"], mobile_number="12025550101", first_name="Ada", last_name="Lovelace")
        world.strive.add_member(phone_number="+12025550101", first_name="Ada", last_name="Lovelace", opt_in=True)
        world.settle()
        assert [group["name"] for group in world.member("+12025550101")["groups"]] == ["vols"]
        colony.opt_out(ada)
        world.settle()
        assert world.member("+12025550101")["opt_in"] is False
        assert not [c for c in world.sandbox.calls("colony") if c.method != "GET" and "oauth2" not in c.path]
        assert quiet(world)
        world.harmless()


def test_people_edits_and_a_no_reach_colony_where_it_may_be_written(tmp_path: Path) -> None:
    with SandboxWorld(tmp_path, {"colony": BOTH}, platforms=PLATFORMS, empty=True) as world:
        grace = world.strive.add_member(phone_number="+12025550102", first_name="Grace", opt_in=True)
        world.settle()
        (made,) = world.sandbox.colony.contacts()
        assert (made["mobile_number"], made["first_name"], made["sms_optout"]) == ("12025550102", "Grace", False)
        world.strive.edit_member(grace, city="Arlington")
        world.settle()
        assert world.sandbox.colony.contact(made["id"])["city"] == "Arlington"
        world.strive.opt_out(grace)
        world.settle()
        assert world.sandbox.colony.contact(made["id"])["sms_optout"] is True
        assert quiet(world)
        world.harmless()


def test_somebody_who_never_said_yes_comes_to_colony_with_an_opt_out_that_is_nobodys_word(tmp_path: Path) -> None:
    """Our own opt-out, read back, does not reach the side where the person was merely never asked."""
    with SandboxWorld(tmp_path, {"colony": BOTH}, platforms=PLATFORMS, empty=True) as world:
        world.strive.add_member(phone_number="+12025550103", first_name="Kim", opt_in=None)
        world.settle()
        (made,) = world.sandbox.colony.contacts()
        assert made["sms_optout"] is True
        assert world.member("+12025550103")["opt_in"] is None
        assert quiet(world)
        world.harmless()
