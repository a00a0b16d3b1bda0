"""Phones and emails: the one spelling each is kept in, and which of them say nothing about who is who."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from phonenumbers import PhoneNumberFormat, ValidationResult

# Already E.164 in the North American plan: the library returns these as they are (a property test compares),
# and they are most of what a US campaign holds.
_NANP = re.compile(r"\+1[2-9][0-9]{9}", re.ASCII)

# Plain addresses the library returns as they are, but for the case of the domain. Left to the library: short
# and special top-level names, anything with "--" (IDNA), long parts.
_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9_]+(?:[.+-][A-Za-z0-9_]+)*@((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.){1,3}"
    r"(?:com|net|org|edu|gov|us|co|io|info|me|uk|ca|de|za))",
    re.ASCII,
)

_SAME = re.compile(r"(\d)\1{8,}$|0{7}$")
_COUNTING = ("1234567890", "0123456789", "9876543210")
_NO_PHONE = re.compile(r"\+1\d{3}5551212")  # directory assistance, typed where a number is demanded
_NO_EMAIL = re.compile(
    r"(?:none|noemail|nomail|noemailaddress|noaddress|donthaveone|unknown|null|nan|undefined|nobody|noone|no"
    r"|fake|refused|declined|anonymous|asdf|xxx+|test(?:ing|er|user|email)?|donotemail|notprovided"
    r"|invalid|blank)\d*"
)
_NO_DOMAIN = re.compile(r"(?:no|none|noemail|nomail|nowhere|fake|test)\.[a-z]+")
_ROLE = re.compile(
    "abuse|accounting|accounts|admin|administrator|billing|board|careers|chair|communications|contact"
    "|customerservice|donations|donotreply|editor|enquiries|enquiry|events|everyone|feedback|finance|frontdesk"
    "|hello|help|helpdesk|hostmaster|hr|info|information|inquiries|inquiry|jobs|legal|list|mail|mailbox"
    "|mailerdaemon|manager|marketing|media|membership|members|news|newsletter|noc|noreply|office|operations"
    "|orders|organizers|outreach|postmaster|president|press|privacy|programs|reception|registrar|root|sales"
    "|secretary|security|service|staff|subscribe|support|team|treasurer|unsubscribe|volunteer|volunteers"
    "|webmaster|welcome"
)


def phone(raw: str, region: str | None) -> str | None:
    """E.164, or None when this is no number one could dial from abroad.

    `region` (ISO 3166, such as "US") is where a number without country code is at home. Possible is enough:
    which numbers are *valid* changes every fortnight. An extension is dropped: it cannot be texted.
    """
    if _NANP.fullmatch(raw):
        return raw
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", raw), region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None  # among others "local only": seven digits are not a number without their area
    found = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return found if not number.italian_leading_zero or _stays(found) else None


def _stays(found: str) -> bool:
    """Whether it reads as itself: of 0000000 the library strips another zero each time it is asked."""
    try:
        again = phonenumbers.parse(found, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.format_number(again, PhoneNumberFormat.E164) == found


def email(raw: str) -> str | None:
    """The address as it is stored: local part as typed, domain in lower-case ASCII. None if it is none."""
    raw = raw.strip()
    if len(raw) <= 64 and _PLAIN_EMAIL.fullmatch(raw):
        local, _, domain = raw.partition("@")
        if local.lower() not in CASE_INSENSITIVE_MAILBOX_NAMES:
            return f"{local}@{domain.lower()}"
    try:
        found = validate_email(raw, check_deliverability=False)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain.lower()}"


def email_key(stored: str) -> str:
    """What two spellings of one address have in common."""
    return unicodedata.normalize("NFC", stored.casefold())


def is_placeholder(kind: str, value: str) -> bool:
    """Whether this was typed only because a form insisted. `kind` is "phone" (E.164) or "email"."""
    if kind == "phone":
        return _placeholder_phone(value)
    if kind == "email":
        local, _, domain = value.casefold().partition("@")
        return bool(_NO_EMAIL.fullmatch(_letters(local)) or _NO_DOMAIN.fullmatch(domain)) or local == "n/a"
    raise ValueError(f"no such kind of identifier: {kind}")


def is_role(email: str) -> bool:
    """Whether the address belongs to an office rather than to a person: info@, admin@, support+x@."""
    local = email.casefold().partition("@")[0].partition("+")[0]
    return _ROLE.fullmatch(_letters(local)) is not None


def _placeholder_phone(value: str) -> bool:
    return bool(_SAME.search(value) or value.endswith(_COUNTING) or _NO_PHONE.fullmatch(value))


def _letters(local: str) -> str:
    return "".join(c for c in local if c.isalnum())
