"""Who is meant: every branch of the decision, as a table."""

from __future__ import annotations

import pytest

from daemon.sync.resolve import (
    WHY,
    Ambiguous,
    Candidate,
    Decision,
    Identifier,
    Join,
    Known,
    New,
    identifiers,
    identifying,
    joinable,
    name_of,
    usable,
)
from mappings.contact import View
from tests.unit.sync.asked import E1, E2, P1, P2, P3, ask, contact, record

ANN = contact(1, "Ann Smith", P1, E1)
ANN_PHONE, ANN_MAIL = contact(1, "Ann Smith", P1), contact(1, "Ann Smith", E1)
ANN_HERE = contact(1, "Ann Smith", P1, E1, at=("strive", "telerivet"))
ANN_MAIL_TOO = contact(2, "A. Smith", E1, at=("action",))
BOB = contact(2, "Bob Jones", P1, E1, at=("action",))
UNNAMED = contact(3, None, P1, at=("action",))

TABLE: dict[str, tuple[View, list[Candidate], Decision]] = {
    # nobody
    "nobody shares anything": (record("Ann", P1), [], New()),
    "a record without identifiers": (record("Ann Smith"), [ANN], New()),
    # an id in another system
    "external id": (record("Ann Smith", van="7"), [contact(1, "Ann Smith", "7")], Known(1)),
    "external id before phone": (
        record("Ann Smith", P1, van="7"),
        [contact(1, "Ann Smith", "7"), contact(2, "Ann Smith", P1)],
        Known(1),
    ),
    "external id, without a name": (record(van="7"), [contact(1, "Ann Smith", "7")], Known(1)),
    "external id, other name": (
        record("Bob Jones", van="7"),
        [contact(1, "Ann Smith", "7")],
        Ambiguous("name_differs", (1,)),
    ),
    "external id of two": (
        record("Ann Smith", van="7"),
        [contact(2, "Ann Smith", "7"), contact(1, "Ann Smith", "7")],
        Ambiguous("several", (1, 2)),
    ),
    "external id, a record here already": (
        record("Ann Smith", van="7"),
        [contact(1, "Ann Smith", "7", at=("telerivet",))],
        Ambiguous("duplicate", (1,)),
    ),
    # phone and email agree
    "both agree": (record("Ann Smith", P1, E1), [ANN], Known(1)),
    "both agree, an initial": (record("A. Smith", P1, E1), [ANN], Known(1)),
    "both agree, no name": (record(None, P1, E1), [ANN], Known(1)),
    "both agree, other name": (record("Bob Jones", P1, E1), [ANN], Ambiguous("name_differs", (1,))),
    "both agree, a record here already": (record("Ann Smith", P1, E1), [ANN_HERE], Ambiguous("duplicate", (1,))),
    "both agree with two, the name tells": (record("Bob Jones", P1, E1), [ANN, BOB], Known(2)),
    "both agree with two, no name": (record(None, P1, E1), [ANN, BOB], Ambiguous("several", (1, 2))),
    "both agree with two, neither name": (record("Cy", P1, E1), [ANN, BOB], Ambiguous("name_differs", (1, 2))),
    "both agree, another has the phone too": (record("Ann Smith", P1, E1), [ANN, UNNAMED], Known(1)),
    "both agree, an id contradicts": (
        record("Ann Smith", P1, E1, "8"),
        [contact(1, "Ann Smith", P1, E1, "7")],
        Ambiguous("external_differs", (1,)),
    ),
    "both agree, a second phone contradicts nothing": (
        {**record("Ann Smith", P2, E1), "other_phones": [P1]},
        [ANN],
        Known(1),
    ),
    # phone only
    "phone only": (record("Ann Smith", P1), [ANN], Known(1)),
    "phone only, other name": (record("Bob", P1), [ANN], Ambiguous("name_differs", (1,))),
    "phone only, no names": (record(None, P1), [UNNAMED], Known(3)),
    "phone only, a household": (record("Bob Jones", P1), [ANN, BOB], Known(2)),
    "phone only, a household without a name": (record(None, P1), [ANN, BOB], Ambiguous("several", (1, 2))),
    "phone only, another email, named": (record("Ann Smith", P1, E2), [ANN], Known(1)),
    "phone only, another email, unnamed": (record(None, P1, E2), [ANN], Ambiguous("email_differs", (1,))),
    "phone only, another email, contact unnamed": (
        record("Ann Smith", P1, E2),
        [contact(1, None, P1, E1)],
        Ambiguous("email_differs", (1,)),
    ),
    "phone only, a record here already": (record("Ann Smith", P1), [ANN_HERE], Ambiguous("duplicate", (1,))),
    "phone only, an id contradicts": (
        record("Ann Smith", P1, van="8"),
        [contact(1, "Ann Smith", P1, "7")],
        Ambiguous("external_differs", (1,)),
    ),
    "phone only, an id more": (record("Ann Smith", P1, van="8"), [ANN], Known(1)),
    # email only
    "email only": (record("Ann Smith", email=E1), [ANN], Known(1)),
    "email only, other case": (record("Ann Smith", email="Ann@example.org"), [ANN], Known(1)),
    "email only, other name": (record("Bob", email=E1), [ANN], Ambiguous("name_differs", (1,))),
    "email only, another phone": (record("Ann Smith", P2, E1), [ANN], Ambiguous("phone_differs", (1,))),
    "email only, contact without a phone": (record("Ann Smith", P2, E1), [ANN_MAIL], Known(1)),
    "email only, a placeholder contradicts nothing": (record("Ann Smith", "+10000000000", E1), [ANN], Known(1)),
    # the phone belongs to one, the email to another
    "two that are one": (record("Ann Smith", P1, E1), [ANN_PHONE, ANN_MAIL_TOO], Join(1, 2)),
    "two that are one, unnamed record": (record(None, P1, E1), [ANN_PHONE, ANN_MAIL_TOO], Join(1, 2)),
    "two, with names that differ": (
        record(None, P1, E1),
        [ANN_PHONE, contact(2, "Bob", E1, at=("action",))],
        Ambiguous("two_people", (1, 2)),
    ),
    "two, the record's name fits one": (
        record("Bob", P1, E1),
        [ANN_PHONE, contact(2, None, E1, at=("action",))],
        Ambiguous("two_people", (1, 2)),
    ),
    "two, with records at one connection": (
        record("Ann Smith", P1, E1),
        [ANN_PHONE, contact(2, "Ann Smith", E1)],
        Ambiguous("two_people", (1, 2)),
    ),
    "two, one with a record here": (
        record("Ann Smith", P1, E1),
        [ANN_PHONE, contact(2, "Ann Smith", E1, at=("telerivet",))],
        Ambiguous("two_people", (1, 2)),
    ),
    "two, with emails that differ": (
        record("Ann Smith", P1, E1),
        [contact(1, "Ann Smith", P1, E2), ANN_MAIL_TOO],
        Ambiguous("two_people", (1, 2)),
    ),
    "two, with ids that differ": (
        record("Ann Smith", P1, E1),
        [contact(1, "Ann Smith", P1, "7"), contact(2, "Ann Smith", E1, "8", at=("action",))],
        Ambiguous("two_people", (1, 2)),
    ),
    "three": (
        record("Ann Smith", P1, E1),
        [ANN_PHONE, ANN_MAIL_TOO, contact(3, "Ann Smith", E1, at=("boss",))],
        Ambiguous("two_people", (1, 2, 3)),
    ),
    # what says nothing about who is who
    "a placeholder": (record("Ann Smith", "+10000000000"), [contact(1, "Ann Smith", "+10000000000")], New()),
    "no real email": (
        record("Ann Smith", email="none@example.org"),
        [contact(1, "Ann Smith", "none@example.org")],
        New(),
    ),
    "a role address": (
        record("Ann Smith", email="info@example.org"),
        [contact(1, "Ann Smith", "info@example.org")],
        New(),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_decisions(case: str) -> None:
    view, known, decision = TABLE[case]
    assert ask(view, *known) == decision
    assert ask(view, *reversed(known)) == decision


def test_every_reason_that_resolve_can_give_is_in_the_table() -> None:
    given = {decision.why for _, _, decision in TABLE.values() if isinstance(decision, Ambiguous)}
    assert given == WHY.keys() - {"too_many_merges"}  # that one depends on the run, not on the record


# what a person decided

VERDICTS: dict[str, tuple[View, list[Candidate], dict[int, str], Decision]] = {
    "same, against the name": (record("Bob", P1), [ANN], {1: "same"}, Known(1)),
    "same, without any identifier": (record("Bob"), [ANN], {1: "same"}, Known(1)),
    "same, though it has a record here": (record("Ann Smith", P1), [ANN_HERE], {1: "same"}, Known(1)),
    "same, one of two": (record(None, P1), [ANN, BOB], {1: "different", 2: "same"}, Known(2)),
    "same, before an external id": (
        record("Ann Smith", P1, van="7"),
        [ANN, contact(2, "Ann Smith", "7", at=("action",))],
        {1: "same"},
        Known(1),
    ),
    "same as two decides nothing": (record(None, P1), [ANN, BOB], {1: "same", 2: "same"}, Ambiguous("several", (1, 2))),
    "same as one that is gone": (record("Ann Smith", P2), [], {9: "same"}, New()),
    "different": (record("Ann Smith", P1, E1), [ANN], {1: "different"}, New()),
    "different, though an id says so": (record(van="7"), [contact(1, None, "7")], {1: "different"}, New()),
    "different from one of a household": (record(None, P1), [ANN, BOB], {1: "different"}, Known(2)),
    "different from one of two that are one": (
        record("Ann Smith", P1, E1),
        [ANN_PHONE, ANN_MAIL_TOO],
        {2: "different"},
        Known(1),
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_a_person_s_verdict(case: str) -> None:
    view, known, verdicts, decision = VERDICTS[case]
    assert ask(view, *known, verdicts=verdicts) == decision


def test_the_owner_s_list_is_ignored_in_every_way() -> None:
    """It matches nobody, and it contradicts nobody."""
    assert ask(record("Ann Smith", P1), ANN_PHONE, ignored=(P1,)) == New()
    assert ask(record("Ann Smith", P3, E1), ANN, ignored=(P3,)) == Known(1)
    assert ask(record("Ann Smith", P3, E1), ANN) == Ambiguous("phone_differs", (1,))


# reading a view


@pytest.mark.parametrize(
    ("identifier", "fits"),
    [
        (("phone", P1), True),
        (("phone", "+10000000000"), False),
        (("email", E1), True),
        (("email", "none@example.org"), False),
        (("email", "info@example.org"), False),
        (("external:van", "7"), True),
        (("external:van", "0000000000"), True),  # placeholders are phones and emails
        (("external:van", "spam"), False),
        (("phone", "+12025550199"), False),
        (("email", "shared@example.org"), False),
    ],
)
def test_usable(identifier: Identifier, fits: bool) -> None:
    assert usable(identifier, frozenset({"spam", "+12025550199", "shared@example.org"})) is fits


def test_identifiers_of_a_view() -> None:
    view: View = {
        "phone": P1,
        "email": "Ann@example.org",
        "other_phones": [P2],
        "other_emails": ["EVE@example.org"],
        "external.van": "7",
        "external.nb": None,
        "full_name": "Ann Smith",
        "custom.phone": P3,
    }
    assert identifiers(view) == {
        ("phone", P1),
        ("phone", P2),
        ("email", E1),
        ("email", E2),
        ("external:van", "7"),
    }
    assert identifiers({name: value for name, value in view.items() if identifying(name)}) == identifiers(view)
    assert identifiers({"phone": None, "email": None, "other_phones": [], "full_name": "Ann"}) == set()


@pytest.mark.parametrize(
    ("view", "name"),
    [
        ({"full_name": "Ann Smith", "given_name": "Eve"}, "Ann Smith"),
        ({"given_name": "Ann", "family_name": "Smith"}, "Ann Smith"),
        ({"given_name": "Ann", "family_name": None}, "Ann"),
        ({"full_name": None}, None),
        ({}, None),
    ],
)
def test_the_name_of_a_view(view: View, name: str | None) -> None:
    assert name_of(view) == name


def test_joinable_looks_at_kinds_that_both_have() -> None:
    assert joinable(ANN_PHONE, ANN_MAIL_TOO)
    assert joinable(contact(1, None, P1, P2), contact(2, None, P2, P3, at=("action",)))
    assert not joinable(contact(1, None, P1), contact(2, None, P3, at=("action",)))
    assert not joinable(contact(1, "Ann", P1), contact(2, "Bob", P1, at=("action",)))
    assert not joinable(contact(1, None, P1), contact(2, None, P1))
