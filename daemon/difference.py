"""What a changed configuration would do, and to whom: told from the database alone, before it is live.

The database keeps a digest of every rule it was last read with. Where one differs now, the next run reads and plans
everybody again. Here everybody is asked what that run will ask, with its own words (`plan.wanted_at`), and nothing
is kept. What a record says by a rule that never read it, only its platform knows: such numbers are an upper bound.

Memory is O(page). With a bound on how many are looked at, pages are taken from everywhere, and counts are reckoned up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from daemon.errors import NeedsPerson
from daemon.sync import accounts, consent, fuse, plan
from daemon.sync.merge import as_list, value_of, view_of
from daemon.sync.people import People
from daemon.sync.roster import Roster, Side
from mappings.contact import CONSENT
from state.model import CONSENT_LANE, CREATE_LANE, Account, Contact, Link
from state.store import Tx

PAGE = 500
EXAMPLES = 3

Why = Literal["new", "changed", "unplanned", "gone", "moved"]
"""What is the matter with a connection: the database does not know it; its rules changed; it was switched off, or the
last run did not come to plan for everybody; it is not there (any more); it is pointed at another account."""

What = Literal["made", "not_made", "outside", "taken_in", "told_no", "read", "written", "kept", "waits", "no_waits"]


@dataclass(slots=True)
class Effect:
    """Something that would come about. `field`: of which field; blank: of none. `examples`: contacts, by number.

    `certain`: at_most where only a complete reading can tell; about where not all were looked at.
    """

    what: What
    field: str = ""
    count: int = 0
    certain: Literal["exact", "at_most", "about"] = "exact"
    examples: list[int] = dataclasses.field(default_factory=list)

    def add(self, contact: int | None) -> None:
        self.count += 1
        if contact is not None and len(self.examples) < EXAMPLES:
            self.examples.append(contact)


@dataclass(slots=True)
class Difference:
    """One connection whose configuration is not what the database last saw.

    `changed`: the rules that differ (fields, "tags", "where", "direction"), with what stood and stands there: a digest,
    or the direction itself; None: no such rule. `fuse`: kinds that the fuse would hold, and how many it would count.
    """

    connection: str
    why: Why
    changed: dict[str, tuple[str | None, str | None]] = dataclasses.field(default_factory=dict)
    effects: dict[tuple[What, str], Effect] = dataclasses.field(default_factory=dict)
    fuse: dict[str, int] = dataclasses.field(default_factory=dict)
    text: str = ""
    hint: str = ""

    def effect(self, what: What, name: str = "") -> Effect:
        return self.effects.setdefault((what, name), Effect(what, name))

    @property
    def fields(self) -> list[str]:
        return [name for name in self.changed if name not in ("where", "direction")]


@dataclass(slots=True)
class Look:
    """How much of the database was looked at."""

    people: int = 0
    of: int = 0


Progress = Callable[[Look], None]


def differences(
    tx: Tx, roster: Roster, *, sample: int = 0, progress: Progress = lambda _: None
) -> tuple[list[Difference], Look]:
    """Every connection whose configuration changed since the last run, and what that would do.

    `sample`: look at no more than about so many people (0: at all). Reads the database only.
    """
    known = tx.connections.all()
    found = list(_changed(known, roster))
    look = Look(of=tx.contacts.count())
    asked = [one for one in found if one.connection in roster.sides and one.why != "moved"]
    if asked:
        _ask_everybody(tx, roster, asked, look, sample, progress)
    for one in found:
        if one.why == "gone":
            _left_behind(tx, roster, one, known[one.connection])
        elif one in asked:
            _ask_strangers(tx, roster.sides[one.connection], one, sample)
            _reckon(one, look, known.get(one.connection))
            _ask_fuse(tx, roster, one)
    return found, look


def _changed(known: dict[str, Account], roster: Roster) -> Iterator[Difference]:
    planned = all(name in known and known[name].primed for name in roster.sides)
    for name, side in roster.sides.items():
        account = known.get(name)
        if account is None:
            yield Difference(name, "new")
        elif (moved := _moved(account, side)) is not None:
            yield moved
        elif changed := _rules_changed(account, side):
            yield Difference(name, "changed", changed)
        elif planned and account.plan_after == 0:
            yield Difference(name, "unplanned")
    for name, account in known.items():
        if name not in roster.sides and account.plan_after != 0:  # else the last run has seen that it is gone
            yield Difference(name, "gone")


def _moved(account: Account, side: Side) -> Difference | None:
    try:
        accounts.same_account(account, side)
    except NeedsPerson as problem:
        return Difference(side.name, "moved", text=str(problem), hint=problem.hint)
    return None


def _rules_changed(account: Account, side: Side) -> dict[str, tuple[str | None, str | None]]:
    before, after = account.mapping, accounts.rules(side)
    both = {name: (before.get(name), after.get(name)) for name in sorted({*before, *after})}
    return {name: (was, now) for name, (was, now) in both.items() if was != now}


# everybody


def _ask_everybody(
    tx: Tx, roster: Roster, found: list[Difference], look: Look, sample: int, progress: Progress
) -> None:
    for page in _pages(tx, look.of, sample):
        people = People(tx, roster, now=roster.clock(), run=None)
        people.load_contacts({contact.id for contact in page})
        for contact in page:
            for one in found:
                _ask(people, contact, roster.sides[one.connection], one)
        look.people += len(page)
        progress(look)


def _pages(tx: Tx, total: int, sample: int) -> Iterator[list[Contact]]:
    """All contacts; or, where a sample is enough, pages from all over."""
    if not sample or total <= sample:
        starts: list[int] | None = None
    else:
        count, last = max(1, sample // PAGE), tx.contacts.last_id()
        starts = [number * last // count for number in range(count)]
    after = 0
    while starts is None or starts:
        after = max(after, starts.pop(0)) if starts is not None else after
        page = tx.contacts.walk(after, PAGE if starts is None else min(PAGE, sample))
        if not page:
            return
        yield page
        after = page[-1].id


def _ask(people: People, contact: Contact, side: Side, one: Difference) -> None:
    wanted = plan.wanted_at(people, contact, side)
    owed = people.push((side.name, f"c:{contact.id}", CREATE_LANE))
    if wanted and owed is None:
        one.effect("made").add(contact.id)
    elif owed is not None and not wanted:
        one.effect("not_made").add(contact.id)
    linked = [link for link in people.linked_at(contact.id, side.name) if link.state == "linked"]
    if linked and "where" in one.changed and not side.mapping.in_scope(view_of(contact.fields)):
        one.effect("outside").add(contact.id)
    for link in linked:
        _ask_record(people, contact, link, side, one)


def _ask_record(people: People, contact: Contact, link: Link, side: Side, one: Difference) -> None:
    if any(_untold(people, contact, link, side, channel) for channel in consent.CHANNELS):
        one.effect("told_no").add(contact.id)
    written = False
    for name in one.fields:
        if name not in side.mapping.digest:
            entry = contact.fields.get(name)
            if entry is not None and entry.value and entry.by == side.name:
                one.effect("kept", name).add(contact.id)
            continue
        if link.seen.get(name) and (side.reads or name in CONSENT):
            one.effect("read", name).add(contact.id)
        if _may_be_written(contact, side, name):
            one.effect("written", name).add(contact.id)
            written = True
    if written:
        one.effect("written").add(contact.id)


def _untold(people: People, contact: Contact, link: Link, side: Side, channel: consent.Channel) -> bool:
    """Whether the next planning would tell this record of a "no"."""
    if people.roster.rules.consent_scope != "all" or contact.get(consent.field(channel)) != consent.NO:
        return False
    owed = people.push((link.connection, f"r:{link.external_id}", CONSENT_LANE))
    return side.takes_no(channel) and not consent.says_no(link, channel) and (owed is None or channel not in owed.owed)


def _may_be_written(contact: Contact, side: Side, name: str) -> bool:
    """Whether a record, read again, may turn out to lack what the contact has: whatever it said by the old rule, it may
    say something else by the new."""
    if name in CONSENT:
        return False
    value = value_of(contact.fields, name)
    if name == "tags":
        return bool(plan.takes(side, as_list(value), [])[0])
    return bool(value) and side.writes and name in side.updatable


# records of nobody


def _ask_strangers(tx: Tx, side: Side, one: Difference, sample: int) -> None:
    """Records that were out of scope, by what they last said."""
    if "where" not in one.changed:
        return
    looked = after = 0
    while page := tx.links.walk(side.name, "out_of_scope", after, PAGE):
        for link in page:
            if side.mapping.in_scope(link.seen):
                one.effect("taken_in").add(link.contact_id)
        looked, after = looked + len(page), page[-1].id or 0
        if sample and looked >= sample:
            break
    found = one.effects.get(("taken_in", ""))
    if found is not None:
        total = tx.links.counts().get(side.name, {}).get("out_of_scope", looked)
        found.certain = "about"  # what they say now, and whether it can be told who they are, a reading shows
        found.count = found.count * total // looked


# the end


def _reckon(one: Difference, look: Look, account: Account | None) -> None:
    """From those who were looked at to all; and what can only be an upper bound, is called one."""
    part = look.people < look.of
    for (what, _), effect in one.effects.items():
        if what == "taken_in":
            continue
        if part and look.people:
            effect.count = round(effect.count * look.of / look.people)
        unread = what == "made" and (account is None or not account.primed)
        effect.certain = "at_most" if unread or what == "written" else "about" if part else "exact"


def _ask_fuse(tx: Tx, roster: Roster, one: Difference) -> None:
    """Which kinds the fuse would hold, were it asked now, together with what is owed already."""
    waiting, holding = tx.outbox.unapproved(), tx.links.holding(one.connection)
    kinds: dict[str, What] = {"create": "made", "update": "written"}
    for kind, what in kinds.items():
        effect = one.effects.get((what, ""))
        count = (effect.count if effect is not None else 0) + waiting.get((one.connection, kind), 0)
        if effect is not None and fuse.too_many(roster, kind, count, holding):
            one.fuse[kind] = count


def _left_behind(tx: Tx, roster: Roster, one: Difference, account: Account) -> None:
    for connection, kind, _, count in tx.outbox.counts():
        if connection == one.connection:
            one.effect("no_waits" if kind == "consent" else "waits").count += count
    one.effect("kept").count = tx.links.counts().get(one.connection, {}).get("linked", 0)
    same = [name for name, side in roster.sides.items() if side.account and side.account == account.account]
    if same:
        one.text = f"{same[0]} is the same account under another name"
        one.hint = f"call it {one.connection} again, or what is owed to it is never sent, and all of it is read anew"
