"""Planning never owes a platform what it cannot take; what it can take, it is owed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.platforms.base import Create, OptOut, Update
from tests.stories.world import World
from tests.twin import FULL, MAPPING, without

NEW_WORLD = Callable[..., World]
NONE: frozenset[str] = frozenset()
TAGS_IN = MAPPING.replace('{at: "tags[].name"}', '{at: "tags[].name", direction: in}')


def meet(world: World) -> tuple[str, str]:
    """The same person on both sides, known to be one."""
    ada = world.a.add(phone="+12025550101", email="ada@example.org", first="Ada", last="Lovelace", city="Macon")
    twin = world.b.add(phone="+12025550101", email="ada@example.org", first="Ada", last="Lovelace", city="Macon")
    world.settle()
    return ada, twin


def nothing_asked_in_vain(world: World) -> None:
    """Nothing was refused, nothing is left lying, and nobody was asked for what they cannot do."""
    assert world.outbox() == []
    assert [twin.harm for twin in world.twins.values() if twin.harm] == []
    assert [each for each in world.holds() if each.kind != "match"] == []


def test_a_platform_without_updates_is_owed_none(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"capabilities": without(FULL, update=NONE, add_tags=False, remove_tags=False)})
    ada, _ = meet(world)
    world.a.edit(ada, city="Rome", email="countess@example.org", phone="+12025550102", custom={"shoe": "38"})
    world.a.tag(ada, "volunteer")
    world.sync()
    assert world.outbox() == []
    assert world.b.pushes == []
    nothing_asked_in_vain(world)


def test_an_update_carries_only_the_keys_that_can_be_written(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"capabilities": without(FULL, update=frozenset({"city"}))})
    ada, twin = meet(world)
    world.a.edit(ada, city="Rome", notes="x", first="Augusta", custom={"shoe": "38"})
    world.settle()
    assert [push.wire for push in world.b.pushes if isinstance(push, Update)] == [{"city": "Rome"}]
    assert world.b.rows[twin]["notes"] is None
    nothing_asked_in_vain(world)


def test_a_platform_that_makes_no_records_is_owed_no_new_people(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"capabilities": without(FULL, create=NONE)})
    world.a.add(phone="+12025550101", first="Ada")
    world.settle()
    assert world.b.rows == {}
    nothing_asked_in_vain(world)


def test_a_channel_that_cannot_be_told_is_not_owed_and_the_other_is(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"capabilities": without(FULL, consent_write=frozenset({"email"}))})
    ada, twin = meet(world)
    world.a.opt_out(ada, "sms")
    world.a.opt_out(ada, "email")
    world.settle()
    assert [push.channel for push in world.b.pushes if isinstance(push, OptOut)] == ["email"]
    assert world.b.says_no(twin, "email")
    nothing_asked_in_vain(world)


def test_a_platform_that_takes_no_consent_still_has_its_own_heard(new_world: NEW_WORLD) -> None:
    """Carium's way: it can only be read, yet its "no" reaches the rest."""
    mute = without(FULL, update=NONE, create=NONE, consent_write=NONE, add_tags=False, remove_tags=False)
    world = new_world("a", "b", b={"capabilities": mute, "direction": "in"})
    ada, twin = meet(world)
    world.b.opt_out(twin)
    world.settle()
    assert world.a.says_no(ada)
    world.a.edit(ada, city="Rome")
    world.a.opt_out(ada, "email")
    world.a.add(phone="+12025550109", first="Bo")
    world.settle()
    assert world.b.pushes == []
    nothing_asked_in_vain(world)


def test_tags_are_added_where_they_can_only_be_added(new_world: NEW_WORLD) -> None:
    """Strive's way."""
    world = new_world("a", "b", b={"capabilities": without(FULL, remove_tags=False)})
    ada, twin = meet(world)
    world.a.tag(ada, "volunteer", "driver")
    world.settle()
    world.a.untag(ada, "driver")
    world.settle()
    assert world.b.tags(twin) == {"volunteer", "driver"}
    nothing_asked_in_vain(world)


def test_tags_are_removed_where_they_can_only_be_removed(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"capabilities": without(FULL, add_tags=False)})
    ada, twin = meet(world)
    world.b.tag(twin, "volunteer")
    world.settle()
    world.a.tag(ada, "driver")
    world.a.untag(ada, "volunteer")
    world.settle()
    assert world.b.tags(twin) == set()
    nothing_asked_in_vain(world)


def test_tags_that_a_mapping_only_reads_are_not_written(new_world: NEW_WORLD) -> None:
    """Neither with an edit nor with a new record."""
    world = new_world("a", "b", b={"mapping": TAGS_IN})
    ada, twin = meet(world)
    world.a.tag(ada, "volunteer")
    world.a.add(phone="+12025550103", first="Bo", tags=["driver"])
    world.settle()
    assert world.b.tags(twin) == set()
    assert world.b.tags(world.b.find(phone="+12025550103")[0]) == set()
    world.b.tag(twin, "speaker")
    world.settle()
    assert world.a.tags(ada) == {"speaker", "volunteer"}, "what is read there counts"
    nothing_asked_in_vain(world)


@pytest.mark.parametrize("line", ["", "  phone: {at: phone, direction: in}\n"], ids=["not mapped", "only read"])
def test_nobody_is_made_where_the_mapping_does_not_write_what_is_required(new_world: NEW_WORLD, line: str) -> None:
    """A record without its phone would be refused for each new person."""
    mapping = MAPPING.replace("  phone: phone\n", line)
    world = new_world("a", "b", b={"mapping": mapping, "capabilities": without(FULL, required=frozenset({"phone"}))})
    world.a.add(phone="+12025550101", email="ada@example.org", first="Ada")
    world.settle()
    assert world.b.rows == {}
    nothing_asked_in_vain(world)


def test_nobody_is_made_who_could_not_be_found_again(new_world: NEW_WORLD) -> None:
    """A record with neither phone nor email: the look-up before the next create would miss it, and make another."""
    mapping = MAPPING.replace("  phone: phone\n", "").replace("  email: email\n", "")
    world = new_world("a", "b", b={"mapping": mapping})
    world.a.add(phone="+12025550101", email="ada@example.org", first="Ada")
    world.settle()
    assert world.b.rows == {}
    nothing_asked_in_vain(world)


def test_nobody_is_made_without_the_identifier_the_platform_asks_for(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"capabilities": without(FULL, required=frozenset({"phone"}))})
    ada = world.a.add(email="ada@example.org", first="Ada")
    world.settle()
    assert world.b.rows == {}
    world.a.edit(ada, phone="+12025550101")
    world.settle()
    assert world.b.one(phone="+12025550101")["first"] == "Ada"
    nothing_asked_in_vain(world)


def test_a_new_record_is_given_what_only_an_update_can_write_in_an_update(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"capabilities": without(FULL, create=FULL.create - {"notes"})})
    world.a.add(phone="+12025550101", first="Ada", notes="likes tea")
    world.settle()
    assert ["notes" in push.wire for push in world.b.pushes if isinstance(push, Create)] == [False]
    assert world.b.one(phone="+12025550101")["notes"] == "likes tea"
    nothing_asked_in_vain(world)


ONLY_WRITTEN = MAPPING.replace("  notes: notes\n", "  notes: {at: notes, direction: out}\n")


def test_a_field_that_is_only_written_is_written_once_and_blanked(new_world: NEW_WORLD) -> None:
    """`direction: out` on a field: theirs is never asked, ours arrives."""
    world = new_world("a", "b", b={"mapping": ONLY_WRITTEN})
    ada, twin = meet(world)
    world.a.edit(ada, notes="likes tea")
    world.settle()
    assert world.b.rows[twin]["notes"] == "likes tea"
    world.b.edit(twin, notes="scribbled there")
    world.settle()
    assert world.a.rows[ada]["notes"] == "likes tea"
    world.a.edit(ada, notes=None)
    world.settle()
    assert world.b.rows[twin]["notes"] is None
    assert len([push for push in world.b.writes if isinstance(push, Update)]) == 2
    nothing_asked_in_vain(world)


def test_what_is_only_written_is_written_with_a_new_record_too(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"mapping": ONLY_WRITTEN})
    world.a.add(phone="+12025550101", first="Ada", notes="likes tea")
    world.settle()
    assert world.b.one(phone="+12025550101")["notes"] == "likes tea"
    assert len(world.b.pushes) == 1
    nothing_asked_in_vain(world)


def test_a_connection_that_is_only_read_is_owed_nothing_of_any_kind(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"direction": "in"})
    ada, _ = meet(world)
    world.a.edit(ada, city="Rome")
    world.a.tag(ada, "volunteer")
    world.a.opt_out(ada)
    world.a.add(phone="+12025550102", first="Bo")
    world.settle()
    assert world.b.pushes == []
    nothing_asked_in_vain(world)


def test_a_connection_that_is_only_written_brings_nobody_in(new_world: NEW_WORLD) -> None:
    world = new_world("a", "b", b={"direction": "out"})
    world.b.add(phone="+12025550102", first="Bo")
    world.settle()
    assert world.a.rows == {}
    nothing_asked_in_vain(world)
