"""Five twins, shaped like the real platforms: what each can do, and how its records are mapped.

strive          compares and swaps, tells of every change
telerivet       one name field, every poll a sweep, upper-cases cities, does not say what it stored
action_network  one phone, one person; no notes; tells nothing about its changes
colony          three fields can be written, nobody made, no "no" told
carium          can only be read
"""

from __future__ import annotations

from typing import Any

from tests.twin import FULL, MAPPING, NAME_ONLY, NAMED, without

SIDES = ("strive", "telerivet", "action_network", "colony", "carium")
CHANNELS = {"strive": ("sms",), "telerivet": ("sms",), "colony": ("sms",)}  # the others know of email, too
MAKING = SIDES[:3]
"""Where new people can be made."""
NOTES = "  notes: notes\n"
SMS_ONLY = "\n".join(line for line in MAPPING.splitlines() if "opt_in.email" not in line) + "\n"
NAMED_ONLY = "\n".join(line for line in NAME_ONLY.splitlines() if "opt_in.email" not in line) + "\n"
MAPPINGS = {
    "strive": SMS_ONLY,
    "telerivet": NAMED_ONLY,
    "action_network": MAPPING.replace(NOTES, ""),
    "colony": SMS_ONLY,
    "carium": MAPPING,
}

BOTH, SMS_CHANNEL = frozenset({"sms", "email"}), frozenset({"sms"})
ABLE = {
    "strive": without(
        FULL,
        remove_tags=False,
        consent_read=SMS_CHANNEL,
        consent_write=SMS_CHANNEL,
        unique=frozenset({"phone"}),
        required=frozenset({"phone"}),
    ),
    "telerivet": without(NAMED, compare_and_swap=False, consent_read=SMS_CHANNEL, consent_write=SMS_CHANNEL),
    "action_network": without(
        FULL, compare_and_swap=False, batch=1, unique=frozenset({"phone", "email"}), starts_no=BOTH
    ),
    "colony": without(
        FULL,
        compare_and_swap=False,
        update=frozenset({"first", "last", "city"}),
        create=frozenset(),
        consent_read=SMS_CHANNEL,
        consent_write=frozenset(),
        add_tags=False,
        remove_tags=False,
    ),
    "carium": without(
        FULL,
        compare_and_swap=False,
        update=frozenset(),
        create=frozenset(),
        consent_write=frozenset(),
        add_tags=False,
        remove_tags=False,
    ),
}
"""Shaped like the real ones: see each platform's CAPABILITIES."""


def shout(wire: dict[str, Any]) -> dict[str, Any]:
    return {**wire, "city": wire["city"] and wire["city"].upper()}
