"""What people do at Carium, for the contract suite."""

from __future__ import annotations

from typing import Any

from daemon.platforms import carium
from daemon.platforms.base import Connector, Facts, Wire
from daemon.sandbox.carium import CariumModel
from tests.contract.sites import Person, SandboxSite

FIELDS = {"first": "first-name", "last": "last-name", "phone": "phone", "email": "email"}
PAGE = 3


class CariumSite(SandboxSite):
    """No city and no tags; who is not unsubscribed has said yes only if a consent says so."""

    name = "carium"
    tags = False
    repeats_after_break = True
    refused = "refused what we asked for"
    lacks = frozenset({"city"})

    def __init__(self, page: int = PAGE) -> None:
        super().__init__()
        self.page = page

    @property
    def model(self) -> CariumModel:
        return self.sandbox.carium

    def build(self, facts: Facts) -> Connector:
        about = self.sandbox.about()["carium"]
        api = self.api(
            about["base_url"],
            headers={"Accept": carium.MEDIA_TYPE},
            authorize=carium.bearer(about["username"], about["password"]),
            secrets=(about["password"],),
        )
        return carium.Carium(api, username=about["username"], facts=facts, page=self.page)

    def add(self, *, sms: bool | None = None, tags: Any = (), **fields: Any) -> str:
        assert not tags
        made = self.model.add_user(**self.columns(fields), phone_unsubscribed=sms is False)
        if sms:
            self.model.consent(made)
        return made

    def edit(self, id_: str, **fields: Any) -> None:
        self.model.edit_user(id_, **self.columns(fields))

    def tag(self, id_: str, name: str) -> None:
        raise TypeError("no tags here")

    def untag(self, id_: str, name: str) -> None:
        raise TypeError("no tags here")

    def opt_out(self, id_: str) -> None:
        self.model.unsubscribe(id_)

    def delete(self, id_: str) -> None:
        self.model.delete_user(id_)

    def now(self, id_: str) -> Person:
        shown = self.model.user(id_)
        yes = bool(shown["consents"]) and set(shown["consents"]) == {"accepted"}
        said = "unsubscribed" if shown["phone-unsubscribed"] else "accepted" if yes else None
        return self.person({**shown, "sms_consent": said})

    def person(self, wire: Wire) -> Person:
        plain = {ours: wire[theirs] for ours, theirs in FIELDS.items()}
        sms = {"unsubscribed": False, "accepted": True}.get(wire["sms_consent"])
        return {**plain, "tags": set(), "sms": sms}

    def wire(self, **fields: Any) -> Wire:
        return {FIELDS[key]: value for key, value in fields.items() if key in FIELDS}

    def columns(self, fields: Person) -> dict[str, Any]:
        return {key.replace("-", "_"): value for key, value in self.wire(**fields).items()}

    def count(self) -> int:
        return len(self.model.users())
