"""A record that asks who it is, and the contacts it may be."""

from __future__ import annotations

from daemon.sync.resolve import Asked, Candidate, Decision, Identifier, identifiers, resolve, usable
from mappings.contact import View

P1, P2, P3 = "+12025550101", "+12025550102", "+12025550103"
E1, E2 = "ann@example.org", "eve@example.org"


def contact(number: int, name: str | None, *held: str, at: tuple[str, ...] = ("strive",)) -> Candidate:
    """A contact that holds these phones, emails and VAN ids, with records at these connections."""
    found = frozenset(i for i in map(_identifier, held) if usable(i, frozenset()))
    return Candidate(number, name, found, frozenset(at))


def _identifier(value: str) -> Identifier:
    if value.startswith("+"):
        return "phone", value
    return ("email", value) if "@" in value else ("external:van", value)


def ask(
    view: View, *known: Candidate, verdicts: dict[int, str] | None = None, ignored: tuple[str, ...] = ()
) -> Decision:
    """Ask who a record at Telerivet is, among these contacts."""
    off = frozenset(ignored)
    owners = {i: frozenset(c.id for c in known if i in c.identifiers) for i in identifiers(view) if usable(i, off)}
    asked = Asked(view, "telerivet", {i: found for i, found in owners.items() if found}, verdicts or {}, off)
    return resolve(asked, {c.id: c for c in known})


def record(name: str | None = None, phone: str | None = None, email: str | None = None, van: str | None = None) -> View:
    return {"full_name": name, "phone": phone, "email": email, "external.van": van}
