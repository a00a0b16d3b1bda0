"""Writing to Strive. One member a call, and nothing that could touch a second one.

What shapes this file (Strive docs, 'Members'):

* POST replaces: every column left out becomes null. So it creates, and otherwise only ever carries a complete
  row, read just before. It is the only way to add groups and to merge single custom fields.
* PATCH changes every row its filter matches. One function builds them all, from an id and a campaign.
* `updated_at` may be filtered by, which makes PATCH a compare-and-swap.
* Members cannot be taken out of groups, and are not deleted, through the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.errors import AnswerLost, SkipRecord
from daemon.platforms.answers import ApiError
from daemon.platforms.base import (
    Create,
    Exists,
    Gone,
    Lost,
    OptOut,
    Outcome,
    Push,
    Refused,
    Stored,
    Update,
)
from daemon.platforms.postgrest import Row, Tables, one_row
from daemon.platforms.strive_feed import LOGS, changed_keys, new_values
from daemon.platforms.strive_member import CAPABILITIES, RETAINED, record

if TYPE_CHECKING:
    from daemon.platforms.http import Api

RETURN_ROW = {"Prefer": "return=representation"}
NEWEST: Any = {"order": "id.desc", "limit": 100}
PLAIN_EMAIL = re.compile(r"[A-Za-z0-9._+'-]+@[A-Za-z0-9.-]+")


class Writer:
    """Sends pushes to one campaign."""

    def __init__(self, api: Api, campaign_id: int, tables: Tables) -> None:
        self._api, self._campaign, self._tables = api, campaign_id, tables

    def push(self, pushes: Sequence[Push]) -> Iterator[Outcome]:
        """One by one: Strive promises nothing about a POST of several members."""
        for push in pushes:
            try:
                yield self._push(push)
            except ApiError as problem:
                yield Refused(push.ref, _why(problem))
            except SkipRecord as problem:
                yield Refused(push.ref, str(problem))

    def _push(self, push: Push) -> Outcome:
        if isinstance(push, Create):
            return self._create(push)
        if not push.external_id.isdecimal():
            return Gone(push.ref)
        if isinstance(push, OptOut):
            return self._opt_out(push)
        if refusal := _not_ours(push.wire, CAPABILITIES.update, push.remove_tags):
            return Refused(push.ref, refusal)
        whole_row = push.add_tags or "custom" in push.wire
        return self._post_update(push) if whole_row else self._patch_update(push)

    def _patch(self, member: int, guard: tuple[str, str], columns: Mapping[str, Any], *, safe: bool) -> Row | None:
        """The only PATCH there is: one member of our campaign, and only while `guard` holds."""
        params = {"id": f"eq.{int(member)}", "campaign_id": f"eq.{self._campaign}", guard[0]: guard[1]}
        return one_row(
            self._api.request("PATCH", "/members", params=params, json=dict(columns), headers=RETURN_ROW, safe=safe)
        )

    def _post(self, row: Mapping[str, Any]) -> Row | None:
        body = {**row, "campaign_id": self._campaign}
        return one_row(self._api.request("POST", "/members", json=body, headers=RETURN_ROW, safe=False))

    def _patch_update(self, push: Update) -> Outcome:
        member = int(push.external_id)
        stored = self._patch(member, _unmoved(push.version), push.wire, safe=False)
        if stored is not None:
            return _stored(push, stored)
        return _lost(push, self._tables.one_by_id("members", member))

    def _post_update(self, push: Update) -> Outcome:
        now = self._tables.one_by_id("members", int(push.external_id))
        if now is None or now.get("updated_at") != push.version:
            return _lost(push, now)
        columns = {key: value for key, value in now.items() if key not in RETAINED}
        stored = self._post({**columns, **push.wire, **_groups(push.add_tags)})
        return _stored(push, self._keep_no(now, stored))

    def _keep_no(self, before: Row, stored: Row | None) -> Row | None:
        """Put back a "no" that was said between our reading and our writing: POST has no compare-and-swap.

        Costs a call, and only where the member was subscribed.
        """
        if before.get("opt_in") is not True or not self._said_no_since(before):
            return stored
        return self._patch(before["id"], ("opt_in", "is.true"), {"opt_in": False}, safe=True) or stored

    def _said_no_since(self, before: Row) -> bool:
        names, since = self._tables.names(), before.get("updated_at")
        whose = {"member_id": f"eq.{before['id']}"}
        log = next((table for table in LOGS if table in names), None)
        if log is not None:
            rows = self._tables.select(log, {**whose, "updated_at": f"gte.{since}"}, **NEWEST)
            return any("opt_in" in changed_keys(row) and _is_no(new_values(row).get("opt_in")) for row in rows)
        if "subscription_events" in names:
            events = {**whose, "created_at": f"gte.{since}"}
            rows = self._tables.select("subscription_events", events, **NEWEST)
            return any(row.get("unsubscribe") is True for row in rows)
        return False

    def _create(self, push: Create) -> Outcome:
        if push.phone is None:
            return Refused(push.ref, "Strive cannot hold a member without a phone number")
        if refusal := _not_ours(push.wire, CAPABILITIES.create, ()):
            return Refused(push.ref, refusal)
        if known := self._look_up(push.phone, push.email):
            return Exists(push.ref, tuple(record(row, {}) for row in known))
        stored = self._post(
            {
                "phone_number": push.phone,
                **push.wire,
                **_groups(push.add_tags),
                "opt_in": "sms" in push.subscribed,
            }
        )
        return _stored(push, stored)

    def _look_up(self, phone: str, email: str | None) -> list[Row]:
        """Members that have this very phone or, in whatever case, this email. One call where it can be."""
        if email is None:
            return self._tables.select("members", {"phone_number": f"eq.{phone}"})
        if PLAIN_EMAIL.fullmatch(email):  # `_` matches any character: filtered below
            either = {"or": f"(phone_number.eq.{phone},email.ilike.{email})"}
            found = self._tables.select("members", either)
        else:
            found = self._tables.select("members", {"phone_number": f"eq.{phone}"})
            found += self._tables.select("members", {"email": f"eq.{email}"})
        folded = email.casefold()
        same = [
            row
            for row in found
            if row.get("phone_number") == phone or str(row.get("email")).strip().casefold() == folded
        ]
        return list({row["id"]: row for row in same}.values())

    def _opt_out(self, push: OptOut) -> Outcome:
        """Guarded, so that it can only ever turn a yes (or nothing) into a no. Safe to repeat."""
        if push.channel != "sms":
            return Refused(push.ref, "Strive keeps no consent to email")
        return self._opt_out_where(push, "is.true") or self._opt_out_where(push, "is.null") or Lost(push.ref)

    def _opt_out_where(self, push: OptOut, state: str) -> Outcome | None:
        member = int(push.external_id)
        if stored := self._patch(member, ("opt_in", state), {"opt_in": False}, safe=True):
            return _stored(push, stored)
        now = self._tables.one_by_id("members", member)
        if now is None:
            return Gone(push.ref)
        return _stored(push, now) if now.get("opt_in") is False else None


def _stored(push: Push, row: Row | None) -> Outcome:
    if row is None or not isinstance(row.get("id"), int):
        raise AnswerLost("the platform took a write and did not say what it stored")
    stored = record(row, {})
    return Stored(push.ref, stored.external_id, stored)


def _lost(push: Push, now: Row | None) -> Outcome:
    return Gone(push.ref) if now is None else Lost(push.ref, record(now, {}))


def _unmoved(version: str | None) -> tuple[str, str]:
    """The guard that makes a PATCH a compare-and-swap."""
    return "updated_at", "is.null" if version is None else f"eq.{version}"


def _groups(names: Sequence[str]) -> dict[str, Any]:
    """Groups by name: one that does not exist yet is made (Strive docs, 'Members' > POST)."""
    return {"groups": [{"name": name} for name in names]} if names else {}


def _not_ours(wire: Mapping[str, Any], allowed: frozenset[str], remove_tags: Sequence[str]) -> str:
    if beyond := sorted(set(wire) - allowed):
        return f"Strive does not let us write {', '.join(beyond)}"
    return "Strive does not let us take members out of groups" if remove_tags else ""


def _is_no(value: Any) -> bool:
    return value is False or str(value).lower() in ("false", "f")


def _why(problem: ApiError) -> str:
    if problem.status == 409 or problem.code == "23505":
        return "another member of this campaign already has this phone number"
    return str(problem)
