"""The sandbox's Telerivet through `telerivet`, the vendor's own client for Python (1.9.6)."""

from collections.abc import Iterator

import pytest
import telerivet
from telerivet.project import Project

from daemon.sandbox import Sandbox
from daemon.sandbox.telerivet_record import PROJECT
from tests.clients.conftest import Clock


def phone(number: int) -> str:
    return f"+120255501{number:02}"


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[telerivet.API]:
    key = sandbox.accounts["telerivet"].secrets["api_key"]
    api = telerivet.API(key, sandbox.base_url("telerivet") + "/v1")
    yield api
    if api.session is not None:
        api.session.close()  # the client never does; its socket would be a ResourceWarning


@pytest.fixture
def project(api: telerivet.API) -> Project:
    return api.initProjectById(PROJECT)


@pytest.fixture
def four(sandbox: Sandbox, clock: Clock) -> list[str]:
    """Ada, Ben, Cy and Dee, ten seconds apart; Ben is blocked, Cy has no phone. Their ids."""
    people = [
        {"name": "Ada Ames", "phone_number": phone(1), "vars": {"city": "Atlanta", "gifts": 3}, "groups": ["Drivers"]},
        {"name": "Ben Bow", "phone_number": phone(2), "vars": {"city": "Boston"}, "send_blocked": True},
        {"name": "Cy Cole", "vars": {"city": "Cairo", "gifts": 12}, "groups": ["Drivers"]},
        {"name": "Dee Dodd", "phone_number": phone(4)},
    ]
    ids = []
    for person in people:
        ids.append(sandbox.telerivet.add_contact(**person))
        clock.tick(10)
    return ids


def names(cursor) -> list[str]:
    return [contact.name.split()[0] for contact in cursor]


# Reading ----------------------------------------------------------------------------------------------------------


def test_the_project_is_found_by_its_id(api):
    assert api.getProjectById(PROJECT).name == "Sandbox"


def test_a_cursor_follows_the_markers_and_bears_an_empty_last_page(sandbox, project, four):
    assert names(project.queryContacts(page_size=2)) == ["Ada", "Ben", "Cy", "Dee"]
    # The second page is full, so `truncated`: the client asks for a third, which is empty, as the docs allow.
    assert [call.path.partition("?")[2] for call in sandbox.calls("telerivet")] == [
        "page_size=2",
        f"page_size=2&marker={four[1]}",
        f"page_size=2&marker={four[3]}",
    ]


def test_a_limit_becomes_the_page_size(sandbox, project, four):
    assert names(project.queryContacts().limit(3)) == ["Ada", "Ben", "Cy"]
    assert len(sandbox.calls("telerivet")) == 1


def test_a_page_is_cut_at_the_longest_length_without_a_word(sandbox, project, four):
    sandbox.telerivet.page_max = 1
    assert names(project.queryContacts(page_size=500)) == ["Ada", "Ben", "Cy", "Dee"]
    assert len(sandbox.calls("telerivet")) == 5


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"name": "ada ames"}, ["Ada"]),
        ({"name": {"prefix": "b"}}, ["Ben"]),
        ({"name": {"gte": "Ben", "lt": "Dee"}}, ["Ben", "Cy"]),
        ({"name": {"ne": "Cy Cole"}}, ["Ada", "Ben", "Dee"]),
        ({"phone_number": phone(4)}, ["Dee"]),
        ({"phone_number": {"exists": False}}, ["Cy"]),
        ({"phone_number": {"exists": True}}, ["Ada", "Ben", "Dee"]),
        ({"send_blocked": True}, ["Ben"]),
        ({"send_blocked": False}, ["Ada", "Cy", "Dee"]),
        ({"time_created": {"min": 1_700_000_010, "max": 1_700_000_030}}, ["Ben", "Cy"]),
        ({"vars": {"city": "atlanta"}}, ["Ada"]),
        ({"vars": {"gifts": {"min": 4}}}, ["Cy"]),
        ({"vars": {"gifts": {"exists": True}, "city": {"prefix": "c"}}}, ["Cy"]),
        ({"incoming_message_count": {"min": 1}}, []),
    ],
)
def test_filters_as_the_client_spells_them(project, four, filters, found):
    assert names(project.queryContacts(**filters)) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ({"sort": "name", "sort_dir": "desc"}, ["Dee", "Cy", "Ben", "Ada"]),
        ({"sort": "phone_number"}, ["Cy", "Ada", "Ben", "Dee"]),
        ({"sort_dir": "desc"}, ["Dee", "Cy", "Ben", "Ada"]),
        ({"sort": "name", "offset": 2}, ["Cy", "Dee"]),
    ],
)
def test_sorting_and_offsets(project, four, order, found):
    assert names(project.queryContacts(**order)) == found


def test_a_sorted_cursor_turns_pages_too(project, four):
    assert names(project.queryContacts(sort="name", sort_dir="desc", page_size=3)) == ["Dee", "Cy", "Ben", "Ada"]


def test_counting_is_one_call_and_lists_nobody(sandbox, project, four):
    assert project.queryContacts(vars={"city": {"exists": True}}).count() == 3
    assert len(sandbox.calls("telerivet")) == 1


def test_a_contact_is_read_when_something_of_it_is_asked_for(sandbox, project, four):
    contact = project.initContactById(four[0])
    assert sandbox.calls("telerivet") == []
    assert (contact.phone_number, contact.vars.city, contact.vars.gifts) == (phone(1), "Atlanta", 3)
    assert len(sandbox.calls("telerivet")) == 1


def test_there_is_no_filter_by_time_updated(project, four):
    # The docs list none, and neither does the client: what is not listed changes nothing.
    assert names(project.queryContacts(time_updated={"min": 1_900_000_000})) == ["Ada", "Ben", "Cy", "Dee"]


def test_the_client_cannot_send_a_list_in_a_query(sandbox, project, four):
    # The client is wrong: it adds the index, a number, to the name of the parameter, a text. PHP would read
    # `name[0]=…`, and so does the sandbox; this client never gets that far. Our connector sends no lists.
    with pytest.raises(TypeError):
        project.queryContacts(name=["Ada Ames"]).all()
    assert sandbox.calls("telerivet") == []


# Writing ----------------------------------------------------------------------------------------------------------


def test_get_or_create_finds_by_phone_and_leaves_what_is_not_sent(sandbox, project):
    made = project.getOrCreateContact(name="Eve Ellis", phone_number=phone(5), vars={"city": "Erie"})
    again = project.getOrCreateContact(phone_number=phone(5), vars={"gifts": 2})
    assert again.id == made.id
    assert (again.name, again.vars.all()) == ("Eve Ellis", {"city": "Erie", "gifts": 2})
    assert len(sandbox.telerivet) == 1


def test_a_lookup_key_decides_who_is_found(project, four):
    assert project.getOrCreateContact(lookup_key="vars.city", vars={"city": "boston"}).id == four[1]
    assert project.getOrCreateContact(lookup_key="id", id=four[2], name="Cy C. Cole").id == four[2]
    assert project.getOrCreateContact(lookup_key="none", name="Dee Dodd").id not in four


def test_groups_can_be_given_at_creation(sandbox, project):
    group = project.getOrCreateGroup("Poets")
    contact = project.getOrCreateContact(phone_number=phone(6), add_group_ids=[group.id])
    assert contact.isInGroup(group)
    assert sandbox.telerivet.contact(contact.id)["groups"] == ["Poets"]


def test_saving_sends_only_what_was_touched_and_none_deletes_a_variable(sandbox, project, four):
    contact = project.getContactById(four[0])
    contact.name = "Ada Moss"
    contact.vars.city = None
    contact.vars.pet = "cat"
    contact.save()
    shown = sandbox.telerivet.contact(four[0])
    assert (shown["name"], shown["phone_number"]) == ("Ada Moss", phone(1))
    assert shown["vars"] == {"gifts": 3, "pet": "cat"}
    assert sandbox.calls("telerivet", "POST")[-1].wrote == {"name": "Ada Moss", "vars": {"city": None, "pet": "cat"}}


def test_a_long_body_comes_compressed(sandbox, project, four):
    contact = project.getContactById(four[0])
    contact.vars.story = "x" * 4000
    contact.save()
    assert sandbox.telerivet.contact(four[0])["vars"]["story"] == "x" * 4000


def test_a_blocked_contact_is_blocked_for_the_client_too(sandbox, project, four):
    contact = project.getContactById(four[0])
    contact.send_blocked = True
    contact.save()
    assert sandbox.telerivet.contact(four[0])["send_blocked"] is True
    assert project.getContactById(four[1]).send_blocked is True


def test_deleting_a_contact(sandbox, project, four):
    project.getContactById(four[3]).delete()
    assert len(sandbox.telerivet) == 3


def test_importing_answers_with_ids_in_the_order_given(sandbox, project, four):
    group = project.getOrCreateGroup("Imported")
    people = [
        {"name": "Fay Ford", "phone_number": phone(7), "vars": {"city": "Fargo"}},
        {"phone_number": phone(1), "vars": {"gifts": 4}},
        {"name": "Gus Gray", "phone_number": phone(8), "send_blocked": True},
    ]
    ids = [entry["id"] for entry in project.importContacts(contacts=people, add_group_ids=[group.id])["contacts"]]
    assert ids[1] == four[0]
    groups = [sandbox.telerivet.contact(id_)["groups"] for id_ in ids]
    assert groups == [["Imported"], ["Drivers", "Imported"], ["Imported"]]
    assert sandbox.telerivet.contact(four[0])["name"] == "Ada Ames"


def test_importing_by_id(sandbox, project, four):
    people = [{"id": id_, "vars": {"seen": True}} for id_ in reversed(four)]
    answer = project.importContacts(contacts=people, lookup_key="id")
    assert [entry["id"] for entry in answer["contacts"]] == four[::-1]
    assert all(contact["vars"]["seen"] is True for contact in sandbox.telerivet.contacts())


# Groups -----------------------------------------------------------------------------------------------------------


def test_groups_are_found_by_name_and_counted(project, four):
    group = project.getOrCreateGroup("DRIVERS")
    assert (group.name, group.num_members, group.dynamic) == ("Drivers", 2, False)
    assert names(group.queryContacts()) == ["Ada", "Cy"]
    assert names(group.queryContacts(name={"prefix": "c"})) == ["Cy"]
    assert project.getGroupById(group.id).name == "Drivers"
    assert [found.name for found in project.queryGroups(name={"prefix": "d"}, dynamic=False)] == ["Drivers"]


def test_joining_and_leaving_a_group(sandbox, project, four):
    group, contact = project.getOrCreateGroup("Drivers"), project.getContactById(four[3])
    contact.addToGroup(group)
    assert sandbox.telerivet.contact(four[3])["groups"] == ["Drivers"]
    assert project.getContactById(four[3]).isInGroup(group)
    contact.removeFromGroup(group)
    assert sandbox.telerivet.contact(four[3])["groups"] == []
    assert not project.getContactById(four[3]).isInGroup(group)


def test_a_dynamic_group_lists_who_changed_and_its_filters_can_be_moved_on(sandbox, project, four, clock):
    # Newer than the vendor's document, which has no such route; the client, which is the younger of the two,
    # documents it ("createGroup", "Group" > filters). Hence a switch of the sandbox, and `feed = auto`.
    sandbox.telerivet.dynamic_groups = True
    since = int(clock.time)
    group = project.createGroup(name="Changed", filters={"time_updated": {"gte": since}})
    assert (group.dynamic, group.num_members, group.filters) == (True, None, {"time_updated": {"gte": since}})
    assert names(group.queryContacts()) == []
    sandbox.telerivet.edit_contact(four[1], vars={"city": "Berlin"})
    assert names(group.queryContacts(page_size=1)) == ["Ben"]
    clock.tick(60)
    group.filters = {"time_updated": {"gte": int(clock.time)}}
    group.save()
    assert names(group.queryContacts()) == []
    assert project.getGroupById(group.id).filters == {"time_updated": {"gte": int(clock.time)}}


@pytest.mark.parametrize("filters", [{"vars.city": "Cairo"}, {"vars": {"city": "Cairo"}}])
def test_a_dynamic_group_knows_both_spellings_of_a_variable(sandbox, project, four, filters):
    sandbox.telerivet.dynamic_groups = True
    assert names(project.createGroup(name="Cairo", filters=filters).queryContacts()) == ["Cy"]


def test_a_normal_group_made_anew_has_no_filters_and_a_name_of_its_own(sandbox, project, four):
    sandbox.telerivet.dynamic_groups = True
    group = project.createGroup(name="Singers")
    assert (group.dynamic, group.filters, group.num_members) == (False, None, 0)
    with pytest.raises(telerivet.InvalidParameterException) as caught:
        project.createGroup(name="singers")
    assert caught.value.param == "name"


def test_nobody_joins_a_dynamic_group_by_hand(sandbox, project, four):
    sandbox.telerivet.dynamic_groups = True
    group = project.createGroup(name="Blocked", filters={"send_blocked": True})
    with pytest.raises(telerivet.InvalidParameterException):
        project.getContactById(four[0]).addToGroup(group)


# Errors -----------------------------------------------------------------------------------------------------------


def test_an_unknown_id_is_not_found(project):
    with pytest.raises(telerivet.NotFoundException) as caught:
        project.getContactById("CTnobody")
    assert caught.value.code == "not_found"


def test_a_bad_parameter_is_named(project):
    with pytest.raises(telerivet.InvalidParameterException) as caught:
        project.getOrCreateContact(phone_number=phone(9), vars={"not a name": 1})
    assert (caught.value.code, caught.value.param) == ("invalid_param", "vars")


def test_a_wrong_key_and_an_unpaid_account_have_their_codes(sandbox, api, project):
    sandbox.telerivet.unpaid = True
    with pytest.raises(telerivet.APIException) as caught:
        project.queryContacts().all()
    assert caught.value.code == "payment_required"
    api.api_key = "wrong"
    with pytest.raises(telerivet.APIException) as caught:
        project.queryContacts().all()
    assert caught.value.code == "unauthorized"


@pytest.mark.parametrize("kind", ["429", "500", "503"])
def test_a_refusal_of_a_moment_carries_a_code_and_is_not_retried(sandbox, project, four, kind):
    sandbox.faults.add(kind, platform="telerivet", times=1)
    with pytest.raises(telerivet.APIException):
        project.queryContacts().all()
    assert len(sandbox.calls("telerivet")) == 1
    assert len(project.queryContacts().all()) == 4


def test_a_bad_gateway_is_no_json(sandbox, project):
    sandbox.faults.add("502", platform="telerivet", times=1)
    with pytest.raises(IOError, match="502"):
        project.queryContacts().all()


@pytest.mark.parametrize(
    "call",
    [
        lambda project, id_: project.initContactById(id_).queryMessages(),
        lambda project, id_: project.queryWebhooks(),
        lambda project, id_: project.queryPhones(),
    ],
)
def test_what_the_sandbox_does_not_have_is_refused_not_empty(project, four, call):
    # The platform has these; our connectors never call them, so the sandbox leaves them out, loudly.
    with pytest.raises(telerivet.NotFoundException):
        call(project, four[0]).all()
