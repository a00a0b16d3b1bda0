"""Made-up Strive members: the same id gives the same row, on any machine. A million need no memory."""

from __future__ import annotations

CAMPAIGN = 273
KEY = "bench-key"

_GIVEN = ("Ann", "José", "Maria", "Terrence", "Li", "Zoë", "Deshawn", "Priya", "Kofi", "Margaret", "Nguyễn")
_FAMILY = ("Smith", "García", "Okafor", "Johnson", "Lee", "O'Neil", "van der Berg", "Patel", "Kowalska", "Brown")
_PLACES = (("Atlanta", "GA", "30301"), ("Cary", "NC", "27511"), ("El Paso", "TX", "79901"), ("Reno", "NV", "89501"))
_GROUPS = (
    "null",
    '[{"id":1,"name":"volunteer"}]',
    '[{"id":1,"name":"volunteer"},{"id":2,"name":"Chapter: West"}]',
)

_ROW = (
    '{"id":%d,"campaign_id":273,"phone_number":"+1%d555%04d","first_name":"%s","last_name":"%s","city":"%s",'
    '"state":"%s","postal_code":"%s","email":%s,"notes":%s,"additional_notes":null,"opt_in":%s,'
    '"custom":{"donor":"%s"},"created_at":"2023-03-01T09:00:00+00:00","updated_at":"%s","groups":%s,'
    '"carrier":"Example Wireless","first_sub_id":%d,"street_address":"%d Main St","van_id":%d,"ak_id":null}'
)
LOADED, EDITED = "2023-10-18T12:37:59.611+00:00", "2024-02-01T08:00:00.25+00:00"

EVERY = 100
"""One member in so many is edited: one per cent."""


def edited(number: int) -> bool:
    return number % EVERY == 7


def family(number: int, *, after: bool) -> str:
    """The last name, before or after the edits."""
    return _FAMILY[number // 11 % 10] + ("-Miller" if after and edited(number) else "")


def row(number: int, *, after: bool) -> str:
    """The member with this id (from 1), as PostgREST writes it. `after`: the edits have happened."""
    given, place = _GIVEN[number % 11], _PLACES[number // 7 % 4]
    email = "null" if number % 10 < 3 else f'"{given[0].lower() if given.isascii() else "x"}{number}@example.org"'
    notes = '"met at the picnic"' if number % 4 == 0 else "null"
    return _ROW % (
        *(number, 200 + number // 10000, number % 10000, given, family(number, after=after), *place, email, notes),
        "false" if number % 10 == 4 else "true",
        "yes" if number % 3 else "no",
        EDITED if after and edited(number) else LOADED,
        _GROUPS[number % 3],
        *(number, number % 900 + 1, 500_000 + number),
    )


def change(number: int, member: int) -> str:
    """Row `number` of the change log: what happened to this member's last name."""
    return (
        f'{{"key":"last_name","prior_value":"{family(member, after=False)}",'
        f'"updated_value":"{family(member, after=True)}","member_id":{member},"campaign_id":273,'
        f'"change_action":"update","previous_value":null,"new_value":null,"change_type":"web","change_value":null,'
        f'"updated_at":"{EDITED}","id":{number}}}'
    )
