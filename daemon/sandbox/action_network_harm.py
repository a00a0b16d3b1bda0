"""What harm the API's writes do to Action Network's people (see harm.py for the kinds)."""

from __future__ import annotations

from daemon.sandbox.action_network_people import Watch, same_email_as
from daemon.sandbox.action_network_store import ActionNetworkStore
from daemon.sandbox.harm import SaysNo, same_phone
from daemon.sandbox.table import Data, Row


class HarmWatch(Watch):
    """Counts. `others`: the other platforms."""

    by_api = True

    def __init__(self, store: ActionNetworkStore, others: SaysNo) -> None:
        self.store = store
        self.others = others

    def creating(self, given: Data) -> None:
        phone = given.get("phone")
        if phone and self.store.by_phone(phone):
            self.store.harm.add("duplicates", "action_network: made a person whose phone exists")
        if given.get("email") and "email_status" not in given:
            self._resubscribed("a new email was subscribed by default")
        elif given.get("phone_status") == "subscribed" and self._says_no(phone):
            self._resubscribed("made a reachable person who said no elsewhere")

    def changing(self, row: Row, given: Data) -> None:
        old = row.data
        if not row.seen and self._changes(row, given):
            self.store.harm.blind(f"action_network: wrote to {row.key}, not read since it changed")
        if self._email_resubscribed(old, given):
            self._resubscribed(f"the email of {row.key}")
        if given.get("phone_status") == "subscribed" and old["phone_status"] != "subscribed":
            number = given.get("phone") or old["phone"]
            if old["phone"] or self._says_no(number):
                self._resubscribed(f"the phone of {row.key}")

    def moved(self, loser: str) -> None:
        self.store.harm.add("wrong_person", f"action_network: took the phone of {loser}")

    def merged(self, gone: str) -> None:
        self.store.harm.add("wrong_person", f"action_network: merged {gone} into somebody else")

    def _email_resubscribed(self, old: Data, given: Data) -> bool:
        if not old["email"]:
            return bool(given.get("email")) and "email_status" not in given
        return given.get("email_status") == "subscribed" and old["email_status"] != "subscribed"

    def _changes(self, row: Row, given: Data) -> bool:
        """Whether more is sent than who is meant, and a no."""
        harmless = {name for name in ("email_status", "phone_status") if given.get(name) == "unsubscribed"}
        harmless |= {"email"} if same_email_as(row, given.get("email")) else set()
        harmless |= {"phone"} if given.get("phone") == row.data["phone"] else set()
        return bool(set(given) - harmless)

    def _says_no(self, phone: str | None) -> bool:
        number = same_phone(phone)
        return number is not None and (self.store.says_no(number) or self.others.says_no(number))

    def _resubscribed(self, what: str) -> None:
        self.store.harm.add("resubscribed", f"action_network: {what}")
