"""The same people on five sandbox accounts, alike, and `rosterd` between them, on a clock that stands."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fewest import Held
from benchmarks.sandboxed import PLATFORMS, config

if TYPE_CHECKING:
    from daemon.sandbox import Sandbox
    from daemon.sync.roster import Roster

EVERY = 300.0
"""Seconds between two runs: as `every` comes. More than the two minutes that Action Network's feed reaches back."""
WRITTEN = PLATFORMS[:3]
"""Those that are written to as they come."""

Look = Callable[[dict[str, Any]], Any]
SHOWN: Mapping[str, Look] = {
    "strive": lambda each: (each["city"], each["first_name"]),
    "telerivet": lambda each: (each["vars"].get("city"), each["name"].split()[0]),
    "action_network": lambda each: (each["postal_addresses"][0].get("locality"), each["given_name"]),
}
"""City and first name of somebody, by platform."""
SAYS_NO: Mapping[str, Look] = {
    "strive": lambda each: each["opt_in"] is False,
    "telerivet": lambda each: each["send_blocked"],
    "action_network": lambda each: each["phone_numbers"][0]["status"] == "unsubscribed",
}


class Scene:
    """`held`: what each platform holds. Between two runs, `EVERY` seconds pass."""

    def __init__(self, sandbox: Sandbox, people: int) -> None:
        self.sandbox, self.people = sandbox, people
        self.roster: Roster
        self.ids: dict[str, list[Any]] = {name: [] for name in PLATFORMS}
        tagged = (people, len(range(0, people, 5)))
        self.held = {name: Held(people) for name in PLATFORMS}
        self.held["action_network"].tags = tagged
        self.held["colony"].lists = (0, *tagged)  # the first is where a client of the API would add people
        self.held["carium"].consents = len(range(0, people, 4))

    def fill(self, number: int) -> None:
        """One person, on every platform."""
        phone, email, given, family = _person(number)
        tags = ["Newsletter", "Volunteer"] if number % 5 == 0 else ["Newsletter"]
        names, plain = {"first_name": given, "last_name": family}, {"email": email, "city": "Atlanta"}
        box = self.sandbox
        told: dict[str, Any] = {"locality": "Atlanta", "phone_status": "subscribed"}
        user = box.carium.add_user(email=email, phone=phone, **names)
        made = {
            "strive": box.strive.add_member(phone_number=phone, groups=tags, **names, **plain),
            "telerivet": box.telerivet.add_contact(f"{given} {family}", phone, {**plain, "country": "US"}, tags),
            "action_network": box.action_network.add_person(given, family, phone, email, tags=tags, **told),
            "colony": box.colony.add_contact(tags, mobile_number=phone.removeprefix("+"), **names, **plain),
            "carium": user,
        }
        if number % 4 == 0:
            box.carium.consent(user)
        for platform, one in made.items():
            self.ids[platform].append(one)

    # what people do by hand

    def join_strive(self, numbers: Sequence[int]) -> None:
        """People nobody knows yet."""
        for phone, email, given, family in map(_person, numbers):
            columns = {"phone_number": phone, "email": email, "first_name": given, "last_name": family}
            self.sandbox.strive.add_member(**columns)
        for platform in WRITTEN:
            self.held[platform].people += len(numbers)

    def edit(self, platform: str, numbers: Sequence[int], text: str) -> None:
        """The city; at Carium, which has none, the first name."""
        box = self.sandbox
        for one in (self.ids[platform][number] for number in numbers):
            match platform:
                case "strive":
                    box.strive.edit_member(one, city=text)
                case "telerivet":
                    box.telerivet.edit_contact(one, vars={"city": text})
                case "action_network":
                    box.action_network.edit_person(one, locality=text)
                case "colony":
                    box.colony.edit_contact(one, city=text)
                case "carium":
                    box.carium.edit_user(one, first_name=text)

    def opt_out(self, platform: str, number: int) -> None:
        """Of text messages."""
        box, one = self.sandbox, self.ids[platform][number]
        match platform:
            case "strive":
                box.strive.opt_out(one)
            case "telerivet":
                box.telerivet.block(one)
            case "action_network":
                box.action_network.opt_out(one, "sms")
            case "colony":
                box.colony.opt_out(one)
                self.held["colony"].optouts += 1
            case "carium":
                box.carium.unsubscribe(one)

    # what comes of it

    def words(self, platform: str) -> Counter[str]:
        """How many people are in which city, or have which first name."""
        return Counter(word for each in self._everybody(platform) for word in SHOWN[platform](each))

    def silent(self, platform: str) -> int:
        """How many have said no to text messages."""
        return sum(bool(SAYS_NO[platform](each)) for each in self._everybody(platform))

    def _everybody(self, platform: str) -> list[dict[str, Any]]:
        return self.sandbox.accounts[platform].everybody()

    # runs

    def sync(self) -> Counter[str]:
        """One run; the calls it took, by platform."""
        from daemon.sync import cycle

        clock.now += EVERY
        self.sandbox.reset_log()
        report = cycle.run(self.roster)
        if report.outcome != "done":
            raise RuntimeError(f"the run ended as {report.outcome}: {report.tripped}, {report.books}")
        return Counter(call.platform for call in self.sandbox.calls())

    def settle(self) -> None:
        """A run in which what the last one wrote comes back, and is known."""
        self.sync()


class Clock:
    """Seconds since 1970, for the sandbox and for rosterd."""

    now = time.time()

    def __call__(self) -> float:
        return self.now


clock = Clock()


@contextmanager
def scene(people: int, folder: Path) -> Iterator[Scene]:
    """The people came one a minute, until now."""
    from daemon import assemble
    from daemon.sandbox import Sandbox
    from daemon.settings import load_all

    clock.now = time.time() - 60.0 * people
    with Sandbox(empty=True, clock=clock) as sandbox:
        made = Scene(sandbox, people)
        for number in range(people):
            clock.now += 60.0
            made.fill(number)
        about = sandbox.about()
        settings, mappings = load_all(config(folder, {name: about[name] for name in PLATFORMS}))
        store = assemble.open_store(settings.state.url)
        try:
            made.roster = assemble.roster(settings, store, loaded=mappings, clock=clock, sleep=lambda _: None)
            yield made
        finally:
            store.close()
        if any(sandbox.harm().values()):
            raise RuntimeError(f"harm was done: {sandbox.harm()}")


def _person(number: int) -> tuple[str, str, str, str]:
    """Phone, email, first and last name."""
    return f"+1{201 + number // 1000}555{2000 + number % 1000}", f"ann{number}@example.org", f"Ann{number}", "Example"
