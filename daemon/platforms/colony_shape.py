"""What Colony's API is believed to look like: the one place where we guess.

Published (Colony REST API docs, product "contact", and "oauth2"): the login, the collections of contact lists and of
contacts, the import of a CSV in a parameter `file`, opt-outs with their fields and their filter `originator`, numbers
as 27815854565. Not published: any path with a parameter in it, the path of opt-outs and of the import, the fields of a
contact, how pages are asked for. All of it can be set in the config, under `paths` and `fields`.

What is a guess is read, at most: nothing is ever written to a path that is not either published or named in the config,
except for PATCH on a contact, which needs `direction = "both"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from daemon.platforms.base import Capabilities, Channel


class Word(NamedTuple):
    """One path or name. `means`: for people, in the example of the config and the documentation."""

    default: str
    means: str


GUESS = "A guess."

PATHS: dict[str, Word] = {
    "token": Word("/oauth2/access_token/", "Where a token is asked for."),
    "lists": Word("/contact/contactlists/", "The contact lists."),
    "contacts": Word("/contact/contactlists/contact/", "The contacts of a list; new ones are posted here."),
    "contact": Word("/contact/contactlists/contact/{id}/", f"One contact, read and changed. {GUESS}"),
    "optouts": Word("/contact/optouts/", f"The opt-outs. {GUESS}"),
    "import_csv": Word("", 'Where many new contacts go as one CSV file. Not published; "": one by one.'),
    "create_optout": Word("", 'Where an opt-out can be made. Not published; "": opt-outs are only read.'),
}

FIELDS: dict[str, Word] = {
    "id": Word("id", "The id of a contact."),
    "phone": Word("mobile_number", f"The phone of a contact, in digits. {GUESS}"),
    "first_name": Word("first_name", f'The first name. {GUESS} "": there is none; so with all that follow.'),
    "last_name": Word("last_name", f"The last name. {GUESS}"),
    "email": Word("email", f"The email. {GUESS}"),
    "city": Word("city", f"The city. {GUESS}"),
    "updated": Word("date_updated", f"When a contact was last changed. {GUESS}"),
    "lists": Word(
        "contact_lists", f"The ids of the lists a contact is in. {GUESS} Where it is not shown, each list is read."
    ),
    "list": Word("contact_list", f"The list, as a filter of contacts and as a field of a new one. {GUESS}"),
    "page_size": Word("page_size", f"How many a page shall have. {GUESS}"),
}

PLAIN = ("phone", "first_name", "last_name", "email", "city")
"""Fields of a contact that are texts, by our words for them: those are the words of a mapping too."""

OTHER, LISTS = "other", "lists"
SMS, EMAIL = "sms_optout", "email_optout"
"""Keys of ours: whether the phone, or the email, of a contact has an opt-out that nobody has lifted."""

OPTOUT_OF: dict[Channel, tuple[str, str]] = {"sms": ("phone", SMS), "email": ("email", EMAIL)}
"""By channel: the field with the address, and the key that says no."""

HARMFUL = re.compile(
    r"overwrit|deploy|messag|send|refresh|generat|delet|destroy|populat|(?:sms|bulk)(?!.*(?:opt|import|contact))",
    re.IGNORECASE,
)
"""No path with such a word in it is ever asked, whatever the config says: they lift opt-outs (the docs' "overwrite"),
send messages for money, or make Colony recompute or delete lists."""

MANY = 25
"""From so many new contacts on, the CSV import is used, where its path is known."""
IMPORT = 500


def unfit(path: str, *, one: bool = False) -> str:
    """Why this is no path for us, in words; blank if it is one. `one`: it names one contact, by {id}."""
    if HARMFUL.search(path):
        return "is a path that rosterd does not ask: it may send messages, lift opt-outs or delete"
    if not re.fullmatch(r"(?:/[\w.~-]+|/\{id\})+/?", path) or "/." in path:
        return 'must be a plain path that begins with "/", without a host and without a query'
    if path.count("{id}") != int(one):
        return "must have {id} in it once" if one else "must not have {id} in it"
    return ""


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths and names as they are for one account. `other`: further fields of a contact, by Colony's names for them."""

    paths: Mapping[str, str] = field(default_factory=lambda: {name: word.default for name, word in PATHS.items()})
    fields: Mapping[str, str] = field(default_factory=lambda: {name: word.default for name, word in FIELDS.items()})
    other: tuple[str, ...] = ()

    def name(self, key: str) -> str:
        """Colony's name for a field of ours; blank: there is none."""
        return self.fields[key]

    @property
    def plain(self) -> tuple[str, ...]:
        """The texts a contact has here."""
        return tuple(key for key in PLAIN if self.fields[key])


def capabilities(shape: Shape, contact_list: int | None) -> Capabilities:
    """What follows from the names: what is not named cannot be read or written; without a list for them, nobody can be
    made; without a path for opt-outs, no "no" can be written."""
    texts = frozenset({*shape.plain, *([OTHER] if shape.other else [])})
    channels = frozenset(channel for channel, (address, _) in OPTOUT_OF.items() if address in shape.plain)
    creates = contact_list is not None and "phone" in texts
    return Capabilities(
        granularity=0.999,  # nothing is known of its times; whole seconds are the worst that is usual
        read=texts | {LISTS, *(key for _, key in OPTOUT_OF.values())},
        update=texts,
        create=texts if creates else frozenset(),
        required=frozenset({"phone"}),
        consent_read=channels,
        consent_write=channels if shape.paths["create_optout"] else frozenset(),
        batch=IMPORT if creates and shape.paths["import_csv"] else 1,
        feed="all contact lists and all opt-outs",
    )


CAPABILITIES = capabilities(Shape(), None)
"""As it comes: nobody can be made, and no opt-out written."""
