"""What people do on the sandbox's platforms, over its own interface; and what is true there at the end."""

from __future__ import annotations

import json
import random
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]
CITIES = ("Atlanta", "Macon", "Savannah", "Augusta", "Athens", "Columbus")
PLATFORMS = ("strive", "telerivet", "action_network", "colony", "carium")
TOLD = PLATFORMS[:3]
"""Those that are written to as they come."""
LOOK = {"strive": "member", "telerivet": "contact", "action_network": "person", "colony": "contact", "carium": "user"}
BY = {
    "strive": "member_id",
    "telerivet": "contact_id",
    "action_network": "person_id",
    "colony": "contact_id",
    "carium": "user",
}
PHONE: Mapping[str, Callable[[Record], str | None]] = {
    "strive": lambda one: one["phone_number"],
    "telerivet": lambda one: one["phone_number"],
    "action_network": lambda one: (one["phone_numbers"] or [{}])[0].get("number"),
    "colony": lambda one: one["mobile_number"],
    "carium": lambda one: one["phone"],
}
CITY: Mapping[str, Callable[[Record], str | None]] = {
    "strive": lambda one: one["city"],
    "telerivet": lambda one: one["vars"].get("city"),
    "action_network": lambda one: (one["postal_addresses"] or [{}])[0].get("locality"),
}
SAYS_NO: Mapping[str, Callable[[Record], bool]] = {
    "strive": lambda one: one["opt_in"] is False,
    "telerivet": lambda one: bool(one["send_blocked"]),
    "action_network": lambda one: (one["phone_numbers"] or [{}])[0].get("status") == "unsubscribed",
}


class Sandbox:
    """`url`: of a running one."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{what}", data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def act(self, platform: str, action: str, **args: Any) -> Any:
        return self.ask("act", {"platform": platform, "action": action, "args": args})["result"]

    def shown(self, platform: str, id_: Any) -> Record:
        found: Record = self.act(platform, LOOK[platform], **{BY[platform]: id_})
        return found

    def everybody(self) -> dict[str, dict[str, Record]]:
        """By platform and phone, digits alone."""
        state = self.ask("state")
        return {name: {_digits(PHONE[name](one)): one for one in state[name]} for name in PLATFORMS}

    def calls(self) -> dict[str, int]:
        return {name: sum(by_status.values()) for name, by_status in self.ask("counts").items()}


def _digits(phone: str | None) -> str:
    digits = "".join(sign for sign in phone or "" if sign.isdigit())
    return "1" + digits if len(digits) == 10 else digits


class Crowd:
    """Each person is on one to three platforms at first; who is where is looked up anew now and then."""

    def __init__(self, box: Sandbox, seed: int) -> None:
        self.box, self.dice = box, random.Random(seed)
        self.count = 0
        self.done: Counter[str] = Counter()
        self.ids: dict[str, dict[str, Any]] = defaultdict(dict)  # by phone, then platform
        self.said_no: set[str] = set()

    def gather(self, count: int) -> None:
        for _ in range(count):
            self.join(self.dice.sample(PLATFORMS, self.dice.choice([1, 2, 3])))

    def join(self, platforms: list[str], *, no: bool = False) -> None:
        """`no`: they have said no from the first."""
        number, self.count = self.count, self.count + 1
        phone, email = f"1{202 + number // 1000}555{number % 1000:04}", f"ada{number}@example.org"
        given, family, city = f"Ada{_letters(number)}", f"Sample{_letters(number)}", self.dice.choice(CITIES)
        for name in platforms:
            self.ids[phone][name] = self._add(name, "+" + phone, email, given, family, city, no=no)
        self.said_no |= {phone} if no else set()
        self.done["joined, with a no" if no else "joined"] += 1

    def _add(self, name: str, phone: str, email: str, given: str, family: str, city: str, *, no: bool) -> Any:
        act, names = self.box.act, {"first_name": given, "last_name": family}
        match name:
            case "strive":
                return act(name, "add_member", phone_number=phone, email=email, city=city, opt_in=not no, **names)
            case "telerivet":
                variables = {"email": email, "city": city, "country": "US"}
                return act(name, "add_contact", name=f"{given} {family}", phone_number=phone, vars=variables)
            case "action_network":
                where: dict[str, Any] = {"locality": city, "phone_status": "unsubscribed" if no else "subscribed"}
                return act(
                    name,
                    "add_person",
                    given_name=given,
                    family_name=family,
                    phone_number=phone,
                    email_address=email,
                    **where,
                )
            case "colony":
                return act(name, "add_contact", mobile_number=phone[1:], email=email, city=city, **names)
        return act(name, "add_user", email=email, phone=phone, **names)

    def look_round(self, everybody: Mapping[str, Mapping[str, Record]]) -> None:
        """Who has been made where meanwhile."""
        for name in TOLD:
            for phone, one in everybody[name].items():
                self.ids[phone].setdefault(name, one["id"])

    def act(self) -> tuple[str, str] | None:
        """One of them does something. Returns (phone, platform) when it was a "no".

        Who is being made elsewhere just now says no only afterwards: the sandbox counts each record made reachable of
        somebody who has said no, also where nobody could know that yet.
        """
        (what,) = self.dice.choices(("edit", "no", "join"), (80, 15, 5))
        if what == "join":
            no = self.dice.random() < 0.3
            self.join([self.dice.choice(("strive", "action_network") if no else PLATFORMS)], no=no)
            return None
        phone = self.dice.choice(list(self.ids))
        names = [name for name in self.ids[phone] if name in TOLD or name == "carium"]
        name = self.dice.choice(names) if names else ""
        if what == "no" and name and self._may_say_no(phone, name):
            self._says_no(name, self.ids[phone][name])
            self.said_no.add(phone)
            self.done["opt-outs"] += 1
            return phone, name
        if name in TOLD:
            self._edit(name, self.ids[phone][name], self.dice.choice(CITIES))
            self.done["edits"] += 1
        return None

    def _may_say_no(self, phone: str, name: str) -> bool:
        """Where the record says no already, as one that was made without a "yes" does, the platform would not show that
        it was said again."""
        known = phone not in self.said_no and self.ids[phone].keys() >= set(TOLD)
        return known and not (name in TOLD and SAYS_NO[name](self.box.shown(name, self.ids[phone][name])))

    def _edit(self, name: str, id_: Any, city: str) -> None:
        match name:
            case "strive":
                self.box.act(name, "edit_member", member_id=id_, city=city)
            case "telerivet":
                self.box.act(name, "edit_contact", contact_id=id_, vars={"city": city})
            case "action_network":
                self.box.act(name, "edit_person", person_id=id_, locality=city)

    def _says_no(self, name: str, id_: Any) -> None:
        match name:
            case "strive":
                self.box.act(name, "opt_out", member_id=id_)
            case "telerivet":
                self.box.act(name, "block", contact_id=id_)
            case "action_network":
                self.box.act(name, "opt_out", person_id=id_, channel="sms")
            case "carium":
                self.box.act(name, "unsubscribe", user=id_)


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def disagreements(everybody: Mapping[str, Mapping[str, Record]], said_no: set[str], held: set[str]) -> list[str]:
    """Every platform against every other, person by person. `held`: those that wait for somebody's decision."""
    wrong = []
    phones = {phone for name in PLATFORMS for phone in everybody[name]}
    for phone in sorted(phones - held):
        found = {name: everybody[name].get(phone) for name in TOLD}
        if missing := [name for name, one in found.items() if one is None]:
            wrong.append(f"{phone} is missing at {', '.join(missing)}")
            continue
        there = {name: one for name, one in found.items() if one is not None}
        if len(cities := {CITY[name](one) for name, one in there.items()}) > 1:
            wrong.append(f"{phone} lives in {cities}")
        if phone in said_no and not all(SAYS_NO[name](one) for name, one in there.items()):
            wrong.append(
                f"{phone} said no, and {[name for name, one in there.items() if not SAYS_NO[name](one)]} sends"
            )
    return wrong
