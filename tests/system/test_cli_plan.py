"""A plan is looked at, kept as a file, and applied: exactly that is sent, by the real command line on the sandbox."""

from __future__ import annotations

import hashlib
import json
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.sandbox import Sandbox
from daemon.sandbox.sandbox import Call
from state.engine import FileLock
from tests.system.cli_world import Shell, add, sandbox_and_shell

World = tuple[Sandbox, Shell]
PHONES = [f"+1202555010{number}" for number in range(1, 6)]


@pytest.fixture
def known(tmp_path: Path) -> Iterator[World]:
    """Four people on both sides, in agreement, and a quiet log."""
    with sandbox_and_shell(tmp_path, empty=True) as (sandbox, shell):
        for number, phone in enumerate(PHONES[:4]):
            sandbox.strive.add_member(phone_number=phone, first_name=f"Ada{number}", last_name="Sample", city="Rome")
            sandbox.telerivet.add_contact(f"Ada{number} Sample", phone, {"city": "Rome"})
        shell("sync")
        sandbox.reset_log()
        yield sandbox, shell


def member(sandbox: Sandbox, phone: str) -> int:
    (found,) = [each["id"] for each in sandbox.strive.members() if each["phone_number"] == phone]
    return int(found)


def contact(sandbox: Sandbox, phone: str) -> dict[str, Any]:
    (found,) = [each for each in sandbox.telerivet.contacts() if each["phone_number"] == phone]
    return dict(found)


def edits(sandbox: Sandbox) -> None:
    """One edit, one opt-out, one new person and one tag at Strive; one edit at Telerivet."""
    sandbox.strive.edit_member(member(sandbox, PHONES[0]), city="Paris")
    sandbox.strive.opt_out(member(sandbox, PHONES[1]))
    sandbox.strive.edit_member(member(sandbox, PHONES[1]), city="Oslo")
    sandbox.strive.add_member(phone_number=PHONES[4], first_name="Eve", last_name="Sample", city="Bonn")
    sandbox.telerivet.edit_contact(contact(sandbox, PHONES[2])["id"], vars={"city": "Kyiv"})


def keep(shell: Shell, *arguments: object, code: int | None = 0) -> dict[str, Any]:
    shell("plan", "--out", "plan.json", *arguments, code=code)
    found: dict[str, Any] = json.loads((shell.folder / "plan.json").read_text())
    return found


def writes(sandbox: Sandbox) -> list[Call]:
    return [call for call in sandbox.calls() if call.method != "GET"]


def rehashed(shell: Shell, change: Callable[[dict[str, Any]], object]) -> None:
    """As somebody who knows how the sum is made would edit it."""
    path = shell.folder / "plan.json"
    document = json.loads(path.read_text())
    change(document)
    del document["sha256"]
    document["sha256"] = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
    path.write_text(json.dumps(document))


def test_apply_sends_exactly_the_plan(known: World) -> None:
    """Real processes: plan, apply. The platforms saw what the file says and nothing else; a sync has nothing more."""
    sandbox, shell = known[0], Shell(known[1].folder, process=True)
    edits(sandbox)
    plan = keep(shell)
    kinds = Counter((push["connection"], push["kind"]) for push in plan["pushes"])
    assert kinds == {
        ("telerivet", "update"): 2,
        ("telerivet", "opt_out"): 1,
        ("telerivet", "create"): 1,
        ("strive", "update"): 1,
    }
    assert not writes(sandbox)
    done = shell.json("apply", "plan.json", "--yes")
    assert done["plan"] == {"sent": 5, "already": 0, "refused": 0, "later": 0}
    assert done["still_owed"] == {"opt_outs": 0, "pushes": 0, "outreaches": 0}
    assert contact(sandbox, PHONES[0])["vars"]["city"] == "Paris"
    assert contact(sandbox, PHONES[1])["vars"]["city"] == "Oslo"
    assert contact(sandbox, PHONES[1])["send_blocked"] is True
    assert contact(sandbox, PHONES[4])["name"] == "Eve Sample"
    assert {each["city"] for each in sandbox.strive.members() if each["phone_number"] == PHONES[2]} == {"Kyiv"}
    assert targets(sandbox) == {record_of(sandbox, push) for push in plan["pushes"]}
    sandbox.reset_log()
    assert shell.json("sync")["sent"] == 0
    assert not writes(sandbox)
    assert not any(sandbox.harm().values())


def record_of(sandbox: Sandbox, push: dict[str, Any]) -> str:
    """The record that a push of the plan is about; of a new one, as it is there now."""
    return push["record"] or str(contact(sandbox, push["fields"]["phone"][1])["id"])


def targets(sandbox: Sandbox) -> set[str]:
    """The records that were written to, by the platforms' own log."""
    known = {str(each["id"]) for each in [*sandbox.strive.members(), *sandbox.telerivet.contacts()]}
    phones = {each["phone_number"]: str(each["id"]) for each in sandbox.telerivet.contacts()}
    found = set()
    for call in writes(sandbox):
        said = f"{call.path} {json.dumps(call.wrote)}"
        named = {each for each in known if each in said} or {id_ for phone, id_ in phones.items() if phone in said}
        assert named, call
        found |= named
    return found


def test_an_opt_out_of_the_plan_goes_before_its_edits(known: World) -> None:
    """The first write to Telerivet is the one that blocks."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    shell("apply", "plan.json", "--yes")
    first = next(call for call in writes(sandbox) if call.platform == "telerivet")
    assert "send_blocked" in json.dumps(first.wrote)


def test_a_second_apply_sends_nothing(known: World) -> None:
    """It says that all is so already, with exit code 0."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    shell("apply", "plan.json", "--yes")
    sandbox.reset_log()
    again = shell.json("apply", "plan.json", "--yes")
    assert again["plan"] == {"sent": 0, "already": 5, "refused": 0, "later": 0}
    assert not writes(sandbox)


@pytest.mark.parametrize("where", ["there", "here"])
def test_what_changed_since_is_refused_and_the_rest_goes(known: World, where: str) -> None:
    """An edit of the record to be written, or of the person elsewhere: that push is refused with the reason, the
    others are sent, and nothing is lost: the next sync sends what is right by then."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    if where == "there":
        sandbox.telerivet.edit_contact(contact(sandbox, PHONES[0])["id"], vars={"zip": "00100"}, name="Ada Zero Sample")
    else:
        sandbox.strive.edit_member(member(sandbox, PHONES[0]), city="Lima")
    done = shell.json("apply", "plan.json", "--yes", code=3)
    assert done["plan"] == {"sent": 4, "already": 0, "refused": 1, "later": 0}
    (refused,) = [push for push in done["pushes"] if push["fate"] == "refused"]
    assert refused["fields"] == {"city": ["Rome", "Paris"]}
    assert (
        refused["why"]
        == {
            "there": "the record changed there since",
            "here": "the contact changed since: something else is owed now",
        }[where]
    )
    assert contact(sandbox, PHONES[0])["vars"]["city"] == "Rome"
    assert done["still_owed"]["pushes"] >= 1
    shell("sync")
    assert contact(sandbox, PHONES[0])["vars"]["city"] == {"there": "Paris", "here": "Lima"}[where]


def test_what_is_new_since_is_not_sent_and_told(known: World) -> None:
    """An edit and an opt-out after the plan: neither goes with it, both are told, and go with the next sync."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    sandbox.strive.edit_member(member(sandbox, PHONES[3]), city="Quito")
    sandbox.strive.opt_out(member(sandbox, PHONES[3]))
    told = shell("apply", "plan.json", "--yes").stdout
    assert "1 opt-out that the plan does not have must still go out: rosterd sync" in told
    assert "1 push that the plan does not have stay owed" in told
    assert contact(sandbox, PHONES[3])["vars"]["city"] == "Rome"
    assert not contact(sandbox, PHONES[3])["send_blocked"]
    assert shell.json("sync")["sent"] == 2
    assert contact(sandbox, PHONES[3])["vars"]["city"] == "Quito"
    assert contact(sandbox, PHONES[3])["send_blocked"]


def test_the_plan_shows_what_the_fuse_would_hold_and_apply_sends_it(known: World) -> None:
    """Held in the plan and by a sync between; applied, just what is in the plan goes. Others stay held."""
    sandbox, shell = known
    add(shell.folder / "config.toml", "[fuse]\nupdate = {rows = 1, percent = 0}\n")
    for phone in PHONES[:2]:
        sandbox.strive.edit_member(member(sandbox, phone), city="Paris")
    plan = keep(shell, code=3)
    assert [push["fuse"] for push in plan["pushes"]] == [True, True]
    told = shell("plan", code=3).stdout
    assert "telerivet, held by the fuse: update 2" in told
    assert "dry run: 0 pushes would be sent" in told
    shell("sync", code=3)
    sandbox.strive.edit_member(member(sandbox, PHONES[2]), city="Paris")
    shell("sync", code=3)
    assert not writes(sandbox)
    done = shell.json("apply", "plan.json", "--yes")
    assert done["plan"]["sent"] == 2
    assert [contact(sandbox, phone)["vars"]["city"] for phone in PHONES[:3]] == ["Paris", "Paris", "Rome"]
    (hold,) = shell.json("holds", "list")
    assert [push["state"] for push in shell.json("outbox", "list")] == ["held"]
    shell("holds", "decide", hold["id"], "approve")
    shell("sync")
    assert contact(sandbox, PHONES[2])["vars"]["city"] == "Paris"


def test_a_fuse_with_nothing_left_behind_it_is_closed(known: World) -> None:
    """When the plan had all that the fuse held, no hold waits any more."""
    sandbox, shell = known
    add(shell.folder / "config.toml", "[fuse]\nupdate = {rows = 1, percent = 0}\n")
    for phone in PHONES[:2]:
        sandbox.strive.edit_member(member(sandbox, phone), city="Paris")
    shell("sync", code=3)
    keep(shell, code=3)
    assert shell.json("holds", "list")
    shell("apply", "plan.json", "--yes")
    assert shell.json("holds", "list") == []


def test_a_killed_apply_can_be_repeated(known: World) -> None:
    """kill -9 while Telerivet hangs over a write: applied again, the rest is sent, and nothing twice."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    sandbox.faults.add("lost", platform="telerivet", method="POST", times=1)
    sandbox.faults.add("hang", platform="telerivet", method="POST", times=1, seconds=60)
    with shell.start("apply", "plan.json", "--yes") as process:
        deadline = time.monotonic() + 30
        while not any(call.fault for call in sandbox.calls("telerivet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
        process.communicate(timeout=30)
    sandbox.faults.clear()
    again = shell.json("apply", "plan.json", "--yes", code=None)
    assert again["plan"]["sent"] + again["plan"]["already"] == 5, again["pushes"]
    assert len([each for each in sandbox.telerivet.contacts() if each["phone_number"] == PHONES[4]]) == 1
    assert contact(sandbox, PHONES[1])["send_blocked"]
    assert shell.json("sync")["sent"] == 0
    assert not any(sandbox.harm().values())


def test_a_connection_that_cannot_be_reached_is_told_apart(known: World) -> None:
    """Exit 75: neither its pushes nor those that follow from what it says are called refused. Later they go."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    sandbox.faults.add("503", platform="strive", times=None)
    done = shell.json("apply", "plan.json", "--yes", code=75)
    assert done["plan"] == {"sent": 0, "already": 0, "refused": 0, "later": 5}
    why = {push["connection"]: push["why"] for push in done["pushes"]}
    assert why["strive"].startswith("strive is left alone: ")
    assert why["telerivet"] == "strive was not read: nobody knows whether it still says so"
    assert not writes(sandbox)
    sandbox.faults.clear()
    shell("apply", "plan.json", "--yes")
    assert shell.json("sync")["sent"] == 0


# the file


def test_the_file_is_private_and_has_no_secret(known: World) -> None:
    """0600; it says that it holds personal data; no key of any account is in it; an old file is not overwritten."""
    sandbox, shell = known
    edits(sandbox)
    told = shell("plan", "--out", "plan.json").stderr
    path = shell.folder / "plan.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "with names, phones and emails" in told
    text = path.read_text()
    keys = [secret for account in sandbox.accounts.values() for secret in account.secrets.values()]
    assert keys
    assert not [key for key in keys if key in text]
    assert "plan.json exists" in shell("plan", "--out", "plan.json", code=2).stderr
    assert path.read_text() == text
    shell("plan", "--out", "plan.json", "--force")
    assert json.loads(path.read_text())["pushes"] == json.loads(text)["pushes"]
    assert sorted(each.name for each in shell.folder.iterdir() if "plan" in each.name) == ["plan.json"]


def test_a_plan_moves_nothing(known: World) -> None:
    """The database is byte for byte what it was, and the platforms were only read."""
    sandbox, shell = known
    edits(sandbox)
    before = (shell.folder / "state.db").read_bytes()
    keep(shell)
    assert (shell.folder / "state.db").read_bytes() == before
    assert {call.method for call in sandbox.calls()} == {"GET"}


def test_plan_and_dry_run_say_the_same(known: World) -> None:
    """One implementation: the same JSON, but for the calls and times of each."""
    sandbox, shell = known
    edits(sandbox)
    plan, dry = shell.json("plan"), shell.json("sync", "--dry-run")
    assert plan["planned"] == dry["planned"]
    assert plan["counts"] == dry["counts"]
    told = shell("plan").stdout
    assert "city: Rome → Paris" in told
    assert told.splitlines()[-1] == "dry run: 5 pushes would be sent; nothing was written"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.replace("Paris", "Turin"), "not as it was written"),
        (lambda text: text[: len(text) // 2], "cut short"),
        (lambda text: text.replace('"format": 1', '"format": 99'), "has format 99"),
        (lambda _: "[]", "is no plan"),
        (lambda _: "", "is no plan"),
        (lambda text: text.replace('"sha256"', '"md5"'), "not as it was written"),
    ],
    ids=["edited", "cut short", "other format", "a list", "empty", "no sum"],
)
def test_a_file_that_is_not_what_was_written_is_refused(known: World, damage: Callable[[str], str], says: str) -> None:
    """Exit 2 with words and what to do; no account is called."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    path = shell.folder / "plan.json"
    path.write_text(damage(path.read_text()))
    sandbox.reset_log()
    done = shell("apply", "plan.json", "--yes", code=2)
    assert says in done.stderr
    assert not sandbox.calls()


def test_a_well_summed_file_with_nonsense_in_it_is_refused(known: World) -> None:
    """A field too many, a kind that is none: exit 2 and the place, not a traceback."""
    _sandbox, shell = known
    edits(known[0])
    keep(shell)
    rehashed(shell, lambda document: document["pushes"][0].update(kind="resubscribe"))
    assert "is no plan: pushes.0.kind" in shell("apply", "plan.json", "--yes", code=2).stderr


def test_a_forged_push_is_not_sent(known: World) -> None:
    """A file may say what it likes: what is not owed is not sent."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell, "--connection", "strive", "--connection", "telerivet")
    forged = {"city": ["Rome", "Gotham"]}
    rehashed(shell, lambda d: [push.update(fields=forged) for push in d["pushes"] if push["kind"] == "update"])
    done = shell.json("apply", "plan.json", "--yes", code=3)
    assert done["plan"]["refused"] == 3
    assert "Gotham" not in json.dumps([call.wrote for call in writes(sandbox)])


def test_another_configuration_is_refused(known: World) -> None:
    """A mapping that changed, or a connection switched off: exit 78, which connection, and what to do."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    mapping = shell.folder / "mappings/telerivet.yaml"
    before = mapping.read_text()
    mapping.write_text(before + "where:\n  all:\n    - {field: city, in: [Rome]}\n")
    sandbox.reset_log()
    done = shell("apply", "plan.json", "--yes", code=78)
    assert "connection telerivet has another account, direction or mapping" in done.stderr
    assert "strive" not in done.stderr
    assert "rosterd plan --out" in done.stderr
    assert not sandbox.calls()
    mapping.write_text(before)
    shell("apply", "plan.json", "--yes")


def test_it_asks_first(known: World) -> None:
    """Without a terminal and without --yes: exit 2, and nothing was done."""
    sandbox, shell = known
    edits(sandbox)
    keep(shell)
    sandbox.reset_log()
    assert "say --yes" in shell("apply", "plan.json", code=2).stderr
    assert not sandbox.calls()


def test_another_instance(known: World) -> None:
    """A plan can be made while another process holds the database; applying waits for it: exit 75."""
    sandbox, shell = known
    edits(sandbox)
    lock = FileLock(shell.folder / "state.db")
    lock.take()
    try:
        keep(shell)
        assert "in use by process" in shell("apply", "plan.json", "--yes", code=75).stderr
    finally:
        lock.release()
    shell("apply", "plan.json", "--yes")


def test_the_first_plan_of_all(tmp_path: Path) -> None:
    """Before there is a database: the plan is the whole backfill, and apply makes it so, but for whom the
    platform's own look-up finds somebody."""
    with sandbox_and_shell(tmp_path, people=30) as (sandbox, shell):
        plan = keep(shell, "--limit", 1, code=None)
        assert len(plan["pushes"]) > 10
        assert not (shell.folder / "state.db").exists()
        done = shell.json("apply", "plan.json", "--yes", code=None)
        left = [push for push in done["pushes"] if push["fate"] != "sent"]
        assert done["plan"]["sent"] > 20
        assert {push["why"] for push in left} == {
            "another record there has that phone or email; see rosterd holds list"
        }
        assert len(left) == len(shell.json("holds", "list", "--kind", "shared_identifier"))
        assert not any(sandbox.harm().values())
        assert shell.json("sync", code=None)["sent"] == 0
