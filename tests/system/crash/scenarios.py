"""What is going on when the process is killed.

Each scenario has people, perhaps a first complete sync, perhaps something that happens afterwards; then comes the
command that is killed, again and again, at every point. `expect` looks at the platforms after the uninterrupted
run, so that no scenario can pass by doing nothing.
"""

from __future__ import annotations

from pathlib import Path

from daemon.sandbox import Sandbox
from tests.system.crash.people import (
    Scenario,
    State,
    at_strive,
    at_telerivet,
    contact,
    contact_in,
    member,
    member_in,
    on_both,
    phone,
)

# cold: two platforms with people, and an empty database


def cold_people(sandbox: Sandbox) -> None:
    on_both(sandbox, range(4))
    for number in range(4, 9):
        at_strive(sandbox, number, groups=["volunteer"] if number % 2 else ["volunteer", "board"])
    for number in range(9, 13):
        at_telerivet(sandbox, number, groups=["phonebank"], vars={"city": "Oslo"})
    at_strive(sandbox, 13)
    sandbox.strive.opt_out(member(sandbox, 13))
    at_telerivet(sandbox, 13)
    at_strive(sandbox, 14)
    at_telerivet(sandbox, 14, typed="(202) 555-0114", send_blocked=True)
    at_telerivet(sandbox, 15, send_blocked=True)
    sandbox.strive.opt_out(at_strive(sandbox, 16))
    sandbox.telerivet.add_contact("Zed Stranger", phone(0), {"city": "Bonn"})  # has Ada's phone: held
    sandbox.telerivet.add_contact("Mailonly Person", None, {"email": "mailonly@example.org"})


def expect_cold(state: State) -> None:
    assert len(state["strive"]) == 17
    assert len(state["telerivet"]) == 19
    assert contact_in(state, 13)["send_blocked"]
    assert contact_in(state, 16)["send_blocked"]
    assert [member_in(state, number)["opt_in"] for number in (9, 13, 14, 15, 16)] == [False] * 5
    assert not contact_in(state, 9)["send_blocked"]
    assert contact_in(state, 4)["groups"] == ["board", "volunteer"]
    assert member_in(state, 9)["groups"] == ["phonebank"]


def many_at_strive(sandbox: Sandbox) -> None:
    for number in range(30):
        at_strive(sandbox, number, city="Rome", groups=["volunteer"])
    at_telerivet(sandbox, 30)


def expect_many(state: State) -> None:
    assert len(state["strive"]) == len(state["telerivet"]) == 31
    assert all(each["groups"] == ["volunteer"] for each in state["telerivet"] if each["vars"].get("city"))


# edits


def edit_both(sandbox: Sandbox) -> None:
    strive, telerivet = sandbox.strive, sandbox.telerivet
    strive.edit_member(member(sandbox, 0), city="Paris", custom={"lang": "fr"})
    telerivet.edit_contact(contact(sandbox, 0), vars={"zip": "99999"})  # the same person, another field
    strive.edit_member(member(sandbox, 1), email="new@example.org", city=None)
    telerivet.edit_contact(contact(sandbox, 2), name="Cleopatra Sample-2", vars={"city": "Kairo"})
    strive.edit_member(member(sandbox, 2), city="Memphis", how="csv")  # the same field: one of them wins
    telerivet.edit_contact(contact(sandbox, 3), phone_number=phone(93))
    strive.edit_member(member(sandbox, 4), last_name="Newname")


def expect_edits(state: State) -> None:
    assert contact_in(state, 0)["vars"]["city"] == "Paris"
    assert contact_in(state, 0)["vars"]["lang"] == "fr"
    assert member_in(state, 0)["postal_code"] == "99999"
    assert "city" not in contact_in(state, 1)["vars"]
    assert contact_in(state, 1)["vars"]["email"] == "new@example.org"
    assert member_in(state, 2)["city"] == contact_in(state, 2)["vars"]["city"]
    assert member_in(state, 2)["first_name"] == "Cleopatra"
    assert member_in(state, 93)["first_name"] == "Dee"
    assert contact_in(state, 4)["name"].endswith("Newname")


def say_no(sandbox: Sandbox) -> None:
    sandbox.strive.opt_out(member(sandbox, 0))
    sandbox.telerivet.block(contact(sandbox, 1))
    sandbox.strive.opt_out(member(sandbox, 2))
    sandbox.strive.edit_member(member(sandbox, 2), city="Paris")
    sandbox.telerivet.edit_contact(contact(sandbox, 3), vars={"city": "Lima"}, send_blocked=True)
    sandbox.strive.opt_out(member(sandbox, 4), how="deac")
    at_telerivet(sandbox, 90, send_blocked=True)


def expect_no(state: State) -> None:
    assert all(contact_in(state, number)["send_blocked"] for number in (0, 1, 2, 3, 90))
    assert not any(member_in(state, number)["opt_in"] for number in (0, 1, 2, 3, 4, 90))
    assert contact_in(state, 2)["vars"]["city"] == "Paris"
    assert member_in(state, 3)["city"] == "Lima"


def change_tags(sandbox: Sandbox) -> None:
    sandbox.strive.add_to_group(member(sandbox, 0), "captain")
    sandbox.strive.add_to_group(member(sandbox, 0), "volunteer")
    sandbox.telerivet.add_to_group(contact(sandbox, 1), "phonebank")
    sandbox.telerivet.add_to_group(contact(sandbox, 1), "driver")
    sandbox.strive.remove_from_group(member(sandbox, 2), "member")
    sandbox.telerivet.remove_from_group(contact(sandbox, 3), "member")  # Strive cannot take anybody out
    sandbox.telerivet.remove_from_group(contact(sandbox, 0), "member")


def tagged_people(sandbox: Sandbox) -> None:
    for number in range(5):
        at_strive(sandbox, number, groups=["member"])
        at_telerivet(sandbox, number, groups=["member"])


def expect_tags(state: State) -> None:
    assert contact_in(state, 0)["groups"] == ["captain", "volunteer"]
    assert member_in(state, 1)["groups"] == ["driver", "member", "phonebank"]
    assert contact_in(state, 2)["groups"] == []
    assert member_in(state, 3)["groups"] == ["member"]


def bulk(sandbox: Sandbox) -> None:
    for number in range(32):
        columns = {"city": f"City {number % 3}", "notes": "moved"}
        sandbox.strive.edit_member(member(sandbox, number), "csv", **columns)
    for number in range(20, 24):
        sandbox.strive.add_to_group(member(sandbox, number), "movers")
    sandbox.strive.opt_out(member(sandbox, 33))
    sandbox.telerivet.edit_contact(contact(sandbox, 34), vars={"zip": "12121"})


def expect_bulk(state: State) -> None:
    assert contact_in(state, 5)["vars"]["city"] == "City 2"
    assert all(contact_in(state, number)["vars"]["notes"] == "moved" for number in range(32))
    assert contact_in(state, 21)["groups"] == ["movers"]
    assert contact_in(state, 33)["send_blocked"]
    assert member_in(state, 34)["postal_code"] == "12121"


def drift(sandbox: Sandbox) -> None:
    """What no feed shows: a deletion, and groups that leave no trace in a record."""
    sandbox.strive.groups_touch = sandbox.telerivet.groups_touch = False
    sandbox.strive.add_to_group(member(sandbox, 0), "quiet")
    sandbox.telerivet.add_to_group(contact(sandbox, 1), "silent")
    sandbox.telerivet.delete_contact(contact(sandbox, 2))
    sandbox.strive.delete_member(member(sandbox, 3))
    sandbox.strive.edit_member(member(sandbox, 4), city="Paris")


def expect_sweep(state: State) -> None:
    assert contact_in(state, 0)["groups"] == ["quiet"]
    assert member_in(state, 1)["groups"] == ["silent"]
    assert contact_in(state, 4)["vars"]["city"] == "Paris"
    assert len(state["strive"]) == len(state["telerivet"]) == 5  # nobody was deleted elsewhere, nobody made again


def more_mapped(folder: Path) -> None:
    """A variable that was not mapped so far; what it holds goes to the other side."""
    path = folder / "mappings" / "telerivet.yaml"
    path.write_text(path.read_text().replace("fields:\n", "fields:\n  custom.shirt: {at: vars.shirt}\n", 1))
    path = folder / "mappings" / "strive.yaml"
    path.write_text(path.read_text().replace("fields:\n", "fields:\n  custom.shirt: custom.shirt\n", 1))


def with_shirts(sandbox: Sandbox) -> None:
    on_both(sandbox, range(4))
    for number in range(2):
        sandbox.telerivet.edit_contact(contact(sandbox, number), vars={"shirt": "XL"})
        sandbox.strive.edit_member(member(sandbox, number + 2), custom={"shirt": "M"})


def expect_shirts(state: State) -> None:
    assert [member_in(state, number)["custom"]["shirt"] for number in range(4)] == ["XL", "XL", "M", "M"]
    assert [contact_in(state, number)["vars"].get("shirt") for number in range(4)] == ["XL", "XL", "M", "M"]


def small_pages(sandbox: Sandbox) -> None:
    sandbox.strive.max_rows = sandbox.telerivet.page_max = 4
    on_both(sandbox, range(12))
    at_strive(sandbox, 12)
    at_telerivet(sandbox, 13)
    sandbox.strive.opt_out(member(sandbox, 11))


def expect_small_pages(state: State) -> None:
    assert len(state["strive"]) == len(state["telerivet"]) == 14
    assert contact_in(state, 11)["send_blocked"]


def newcomers(sandbox: Sandbox) -> None:
    """People who turn up later, one of them on both sides at once."""
    at_strive(sandbox, 20, groups=["volunteer"])
    at_telerivet(sandbox, 21, groups=["phonebank"])
    at_strive(sandbox, 22)
    at_telerivet(sandbox, 22, vars={"city": "Oslo"})
    at_telerivet(sandbox, 23, send_blocked=True)
    sandbox.telerivet.edit_contact(contact(sandbox, 0), vars={"city": "Lima"})


def expect_newcomers(state: State) -> None:
    assert len(state["strive"]) == len(state["telerivet"]) == 7
    assert member_in(state, 22)["city"] == "Oslo"
    assert member_in(state, 23)["opt_in"] is False
    assert contact_in(state, 20)["groups"] == ["volunteer"]


def dynamic_people(sandbox: Sandbox) -> None:
    sandbox.telerivet.dynamic_groups = True
    on_both(sandbox, range(6))


def three(sandbox: Sandbox) -> None:
    on_both(sandbox, range(3))


def five(sandbox: Sandbox) -> None:
    on_both(sandbox, range(5))


def six(sandbox: Sandbox) -> None:
    on_both(sandbox, range(6))


def forty(sandbox: Sandbox) -> None:
    on_both(sandbox, range(36))


SCENARIOS: dict[str, Scenario] = {
    "cold start": Scenario(cold_people, expect_cold),
    "cold start, many new": Scenario(many_at_strive, expect_many),
    "backfill in small pages": Scenario(small_pages, expect_small_pages),
    "edits on both sides": Scenario(five, expect_edits, edit_both),
    "opt-outs on both sides": Scenario(five, expect_no, say_no),
    "tags on both sides": Scenario(tagged_people, expect_tags, change_tags),
    "new people on both sides": Scenario(three, expect_newcomers, newcomers),
    "bulk update": Scenario(forty, expect_bulk, bulk),
    "full sweep": Scenario(six, expect_sweep, drift, command=("sync", "--full")),
    "mapping changed": Scenario(with_shirts, expect_shirts, lambda _: None, reconfigure=more_mapped),
    "dynamic group": Scenario(dynamic_people, expect_edits, edit_both),
}
