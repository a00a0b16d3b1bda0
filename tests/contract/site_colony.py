"""Colony for the contract suite. One list, that clients add to, is no tag; a contact in no other list has no tags."""

from __future__ import annotations

import dataclasses
from typing import Any

from daemon.platforms.base import Connector, Facts, Wire
from daemon.platforms.colony import Colony
from daemon.platforms.colony_door import Login, bearer
from daemon.platforms.colony_shape import Shape
from daemon.sandbox.colony import CLIENT, HOME, USERNAME
from tests.contract.sites import Person, SandboxSite

WRITING = {"import_csv": "/contact/contactlists/import/", "create_optout": "/contact/optouts/"}
OURS = {"first": "first_name", "last": "last_name", "phone": "phone", "email": "email", "city": "city"}
THEIRS = {**OURS, "phone": "mobile_number"}


def shape(*, paths: Any = None, fields: Any = None, other: tuple[str, ...] = ()) -> Shape:
    """The default, but for these."""
    plain = Shape()
    return dataclasses.replace(
        plain, paths={**plain.paths, **(paths or {})}, fields={**plain.fields, **(fields or {})}, other=other
    )


class ColonySite(SandboxSite):
    """`writes`: a connection with `direction = "both"` and all that it needs."""

    name = "colony"
    refused = "refused what we asked for"
    consent = False

    def __init__(self, *, writes: bool = False, paths: Any = None, fields: Any = None) -> None:
        super().__init__()
        self.writes, self.naps = writes, list[float]()
        self.shape = shape(paths=paths, fields=fields)

    def build(self, facts: Facts) -> Connector:
        login = Login(
            *(USERNAME, "sandbox-colony-password", CLIENT, "sandbox-colony-secret"),
            "read+write" if self.writes else "read",
        )
        secrets = (login.password, login.client_secret)
        api = self.api(
            self.sandbox.base_url("colony"), authorize=bearer(login, "/oauth2/access_token/"), secrets=secrets
        )
        return Colony(
            api,
            username=USERNAME,
            region="US",
            facts=facts,
            shape=self.shape,
            home=HOME,
            writes=self.writes,
            page=3,
            clock=self.clock,
            sleep=self.naps.append,
        )

    def add(self, *, sms: bool | None = None, tags: Any = (), **fields: Any) -> str:
        """Nobody can say yes here, so True and None are the same."""
        id_ = str(self.model.add_contact(lists=list(tags), **self.columns(**fields)))
        if sms is False:
            self.model.opt_out(id_)
        return id_

    def edit(self, id_: str, **fields: Any) -> None:
        self.model.edit_contact(id_, **self.columns(**fields))

    def tag(self, id_: str, name: str) -> None:
        self.model.add_to_list(id_, name)

    def untag(self, id_: str, name: str) -> None:
        self.model.remove_from_list(id_, name)

    def opt_out(self, id_: str) -> None:
        self.model.opt_out(id_)

    def delete(self, id_: str) -> None:
        self.model.delete_contact(id_)

    def now(self, id_: str) -> Person:
        shown = self.model.contact(id_)
        wire = {**shown, "phone": shown["mobile_number"], "lists": [{"title": title} for title in shown["lists"]]}
        return self.person(wire)

    def person(self, wire: Wire) -> Person:
        plain = {ours: wire[theirs] for ours, theirs in OURS.items()}
        plain["phone"] = f"+{plain['phone']}" if plain["phone"] else None
        said = {"sms": False if wire["sms_optout"] else None} if "sms_optout" in wire else {}
        return {**plain, "tags": {each["title"] for each in wire["lists"]}, **said}

    def wire(self, **fields: Any) -> Wire:
        return {OURS[key]: _digits(key, value) for key, value in fields.items()}

    def columns(self, **fields: Any) -> dict[str, Any]:
        """The same under Colony's names."""
        return {THEIRS[key]: _digits(key, value) for key, value in fields.items()}

    def fail(self, kind: str, *, write: bool, times: int = 1) -> None:
        """Of contacts: the login is no write, and what is written of opt-outs comes before them."""
        status = {"later": "503", "person": "401", "lost": "lost"}[kind]
        for method in ("PATCH", "POST") if write else ("GET",):
            self.sandbox.faults.add(
                status, platform=self.name, method=method, path="^/contact/contactlists/", times=times
            )

    def count(self) -> int:
        return len(self.model)


def _digits(key: str, value: Any) -> Any:
    return value.lstrip("+") if key == "phone" and isinstance(value, str) else value
