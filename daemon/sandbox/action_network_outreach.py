"""Outreaches on advocacy campaigns (Action Network docs, "Record Outreach Helper").

They are not deduplicated, may be backdated, and are taken only by campaigns made through the API. The person who
is inline is written like by the person signup helper, but for the status: here only `subscribed` is valid.
"""

from __future__ import annotations

from typing import Any

from daemon.sandbox.action_network_people import People, Watch, taken_apart
from daemon.sandbox.action_network_record import BadPayloadError, seconds_of
from daemon.sandbox.action_network_store import ActionNetworkStore
from daemon.sandbox.table import Data, Row

_WORDS = ("subject", "message", "duration", "action_network:referrer_data")


class Outreaches:
    """Writes of outreaches. Raises BadPayloadError, and then wrote nothing."""

    def __init__(self, store: ActionNetworkStore, people: People) -> None:
        self.store = store
        self.people = people

    def record(self, campaign: Row, body: Any, watch: Watch) -> Row:
        """One new outreach, and its person made or updated."""
        if not isinstance(body, dict):
            raise BadPayloadError("an outreach must be a hash")
        if not campaign.data["_by_api"]:
            raise BadPayloadError("outreaches can only be added to advocacy campaigns created via the API")
        created = seconds_of(body["created_date"]) if body.get("created_date") else None
        words = {name: body[name] for name in _WORDS if body.get(name) is not None} | {"targets": _targets(body)}
        add, remove, identifiers = (names(body, key) for key in ("add_tags", "remove_tags", "identifiers"))
        person = self._person(body, watch)
        self.store.change_tags(person, add, remove)
        return self._put(campaign, self.store.base("outreach"), created, person, words, identifiers)

    def update(self, outreach: Row, body: Any) -> Row:
        """The words of an outreach that is there; the rest stays (Action Network docs, "Outreaches")."""
        if not isinstance(body, dict):
            raise BadPayloadError("an outreach must be a hash")
        words = {name: body[name] for name in _WORDS if body.get(name) is not None}
        words |= {"targets": _targets(body)} if "targets" in body else {}
        new = {**outreach.data, "words": {**outreach.data["words"], **words}, "_modified": int(self.store.clock())}
        self.store.outreach_table.put(outreach.key, new)
        return self.store.outreach_table.rows[outreach.key]

    def _person(self, body: Data, watch: Watch) -> str:
        link = linked_person(body)
        if link is None:
            return self.people.upsert(taken_apart(body.get("person"), ("subscribed",)), watch)
        if link not in self.store.people_table.rows:
            raise BadPayloadError(f"Couldn't find person with id = {link}")
        return link

    def _put(
        self, campaign: Row, base: Data, created: int | None, person: str, words: Data, identifiers: list[str]
    ) -> Row:
        store, at = self.store, base["_created"] if created is None else created
        if store.outreach_table.count("moment", (campaign.key, person, at)):
            store.harm.add("outreaches_doubled", f"action_network: {person} on {campaign.key} at {at}")
        foreign = [name for name in identifiers if not store.outreach_table.count("identifier", name)]
        data = {**base, "_created": at, "campaign": campaign.key, "person": person, "words": words}
        data |= {"type": campaign.data["type"], "identifiers": [*base["identifiers"], *foreign]}
        store.outreach_table.put(data["_id"], data)
        counted = {**campaign.data, "total_outreaches": campaign.data["total_outreaches"] + 1}
        store.campaign_table.put(campaign.key, counted)
        return store.outreach_table.rows[data["_id"]]


def _targets(body: Data) -> list[Data]:
    targets = body.get("targets")
    if not isinstance(targets, list) or len(targets) != 1 or not isinstance(targets[0], dict):
        raise BadPayloadError("targets must be an array of one")
    return targets


def names(body: Data, key: str) -> list[str]:
    """A list of strings, or none. Raises BadPayloadError."""
    value = body.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadPayloadError(f"{key} must be an array of strings")
    return value


def linked_person(body: Data) -> str | None:
    """The id in `_links["osdi:person"]`, if the body has that instead of a person. Raises BadPayloadError."""
    links = body.get("_links")
    if not isinstance(links, dict) or "osdi:person" not in links:
        return None
    link = links["osdi:person"]
    href = link.get("href") if isinstance(link, dict) else None
    if not isinstance(href, str):
        raise BadPayloadError("osdi:person needs an href")
    return href.rstrip("/").rpartition("/")[2]
