"""The same messy people on Action Network, Colony and Carium: some on all of them, most on one or none, each typed in
that platform's own way, with a "no" here and there that nobody else knows of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

OPTED_OUT_EVERY = 9
"""Of so many people at a platform, one has said no there and nowhere else."""


@dataclass
class Person:
    """Who somebody really is. `phone` is E.164."""

    key: str
    given: str
    family: str
    phone: str
    email: str
    place: tuple[str, str, str]
    street: str
    groups: list[str]
    language: str
    ids: dict[str, list[Any]] = field(default_factory=dict)


def at_action_network(model: Any, person: Person, number: int, at: float) -> str:
    """Numbers as people type them; the home address; tags. Some emails bounce, half of the numbers may be texted."""
    city, region, code = person.place
    address = {"street": person.street, "locality": city, "region": region, "postal_code": code}
    typed = f"{person.phone[2:5]}-{person.phone[5:8]}-{person.phone[8:]}"
    says = {"email_status": "bouncing"} if number % 14 == 6 else {}
    says |= {"phone_status": "subscribed"} if number % 4 == 0 else {}
    made = model.add_person(
        person.given, person.family, typed, person.email, tags=person.groups, at=at, **address, **says
    )
    if number // 2 % OPTED_OUT_EVERY == 4:
        model.opt_out(made, "email")
    return str(made)


def at_colony(model: Any, person: Person, number: int, at: float) -> str:
    """Numbers without a plus, names in capitals."""
    lists = [model.list_called(title)["id"] for title in person.groups[:1] or ["Newsletter"]]
    columns = {
        "first_name": person.given.upper(),
        "last_name": person.family.upper(),
        "mobile_number": person.phone.removeprefix("+"),
        "email": person.email,
    }
    made = str(model.insert(columns, lists, by_api=False, at=at))
    if number // 4 % OPTED_OUT_EVERY == 5:
        model.opt_out(made)
    return made


def at_carium(model: Any, person: Person, number: int, _at: float) -> str:
    """Emails in capitals, numbers in full; some have agreed to be texted."""
    locale = {"locale": f"{person.language}_US", "locale_explicit": True}
    made = model.add_user(
        first_name=person.given, last_name=person.family, email=person.email.upper(), phone=person.phone, **locale
    )
    if number // 4 % OPTED_OUT_EVERY == 7:
        model.unsubscribe(made)
    elif number % 8 == 0:
        model.consent(made, "accepted")
    return str(made)


Placer = Callable[[Any, Any, int, float], str]
ELSEWHERE: Mapping[str, tuple[Placer, Callable[[int], bool]]] = {
    "action_network": (at_action_network, lambda number: number % 2 == 0),
    "colony": (at_colony, lambda number: number % 4 == 0),
    "carium": (at_carium, lambda number: number % 4 == 0 or number % 24 == 13),
}
"""By platform: how somebody is typed there, and who is there at all."""
