"""Who is in the scenarios, what a scenario is, and how its people come to be on the platforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.sandbox import Sandbox
from daemon.sandbox.harm import same_phone

State = dict[str, list[dict[str, Any]]]
GIVEN = ("Ada", "Bo", "Cleo", "Dee", "Eli", "Fay", "Gus", "Hal", "Ida", "Jo")
FAMILY = ("Sample", "Muster", "Exemple", "Prueba", "Esempio")


@dataclass(frozen=True)
class Scenario:
    """What happens before a kill, and what must be so after it.

    Comes the command that is killed, again and again, at every point. `meanwhile` is None: the very first run is the
    one that is killed. `expect` looks at the platforms after the uninterrupted run, so that no scenario can pass by
    doing nothing. `apart`: seconds before each further run, by every clock. `campaign`: whose outreaches count.
    """

    people: Callable[[Sandbox], None]
    expect: Callable[[State], None]
    meanwhile: Callable[[Sandbox], None] | None = None
    configure: Callable[[Path], None] | None = None  # before the first run
    reconfigure: Callable[[Path], None] | None = None  # before the run that is killed
    command: tuple[str, ...] = ("sync",)
    platforms: tuple[str, ...] = ("strive", "telerivet")
    apart: float = 0.0
    campaign: str | None = None


def phone(number: int) -> str:
    return f"+1202555{100 + number:04d}"


def name(number: int) -> tuple[str, str]:
    return GIVEN[number % len(GIVEN)], f"{FAMILY[number // len(GIVEN) % len(FAMILY)]}-{number}"


def email(number: int) -> str:
    return f"{'.'.join(name(number)).lower()}@example.org"


def at_strive(sandbox: Sandbox, number: int, **more: Any) -> int:
    given, family = name(number)
    columns = {"phone_number": phone(number), "first_name": given, "last_name": family, "email": email(number)}
    return sandbox.strive.add_member("csv", **{**columns, **more})


def at_telerivet(sandbox: Sandbox, number: int, *, typed: str | None = None, **more: Any) -> str:
    variables = {"email": email(number), **more.pop("vars", {})}
    return sandbox.telerivet.add_contact(" ".join(name(number)), typed or phone(number), variables, **more)


def on_both(sandbox: Sandbox, numbers: range) -> None:
    for number in numbers:
        at_strive(sandbox, number, city="Rome", custom={"lang": "en"})
        at_telerivet(sandbox, number, vars={"zip": f"{10000 + number}"})


def member(sandbox: Sandbox, number: int) -> int:
    (found,) = [m["id"] for m in sandbox.strive.members() if m["phone_number"] == phone(number)]
    return int(found)


def contact(sandbox: Sandbox, number: int) -> str:
    (found,) = [c["id"] for c in sandbox.telerivet.contacts() if c["phone_number"] == phone(number)]
    return str(found)


def member_in(state: State, number: int) -> dict[str, Any]:
    (found,) = [m for m in state["strive"] if m["phone_number"] == phone(number)]
    return found


def contact_in(state: State, number: int) -> dict[str, Any]:
    """Whatever way the number is typed there."""
    wanted = same_phone(phone(number))
    (found,) = [c for c in state["telerivet"] if same_phone(c["phone_number"]) == wanted]
    return found


def at_action_network(sandbox: Sandbox, number: int, **more: Any) -> str:
    given, family = name(number)
    columns = {"phone_number": phone(number), "email_address": email(number)}
    return sandbox.action_network.add_person(given, family, **{**columns, **more})


def at_colony(sandbox: Sandbox, number: int, **more: Any) -> str:
    given, family = name(number)
    columns = {"mobile_number": phone(number)[1:], "first_name": given, "last_name": family, "email": email(number)}
    return sandbox.colony.add_contact(**{**columns, **more})


def at_carium(sandbox: Sandbox, number: int, **more: Any) -> str:
    given, family = name(number)
    columns = {"phone": phone(number), "first_name": given, "last_name": family, "email": email(number)}
    return sandbox.carium.add_user(**{**columns, **more})


def person(sandbox: Sandbox, number: int) -> str:
    (found,) = [p["id"] for p in sandbox.action_network.people() if _number(p) == phone(number)[1:]]
    return str(found)


def colony_contact(sandbox: Sandbox, number: int) -> str:
    contacts = sandbox.colony.contacts()
    (found,) = [c["id"] for c in contacts if c["mobile_number"] == phone(number)[1:]]
    return str(found)


def user(sandbox: Sandbox, number: int) -> str:
    (found,) = [u["id"] for u in sandbox.carium.users() if u["phone"] == phone(number)]
    return str(found)


def person_in(state: State, number: int) -> dict[str, Any]:
    (found,) = [p for p in state["action_network"] if _number(p) == phone(number)[1:]]
    return found


def colony_in(state: State, number: int) -> dict[str, Any]:
    (found,) = [c for c in state["colony"] if c["mobile_number"] == phone(number)[1:]]
    return found


def _number(shown: dict[str, Any]) -> str | None:
    """Action Network shows an entry without a number for who has none."""
    number: str | None = shown["phone_numbers"][0].get("number")
    return number


def statuses(state: State, number: int) -> tuple[str, str]:
    """What Action Network says of somebody's email and phone."""
    shown = person_in(state, number)
    return shown["email_addresses"][0]["status"], shown["phone_numbers"][0]["status"]
