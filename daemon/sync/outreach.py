"""Delivery of outreaches: each is recorded at most once, although the platform does not deduplicate them.

    owed  ->  look it up  ->  sending (on disk)  ->  send  ->  sent

Whatever is to be sent is looked up first: it may have been sent by a run that did not live to say so, or by one that a
restored database knows nothing of. What is *sending* when a run begins may have arrived; a while later it has, or has
not. Where the look-up cannot see everything, a person says what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from daemon.errors import AnswerLost, RosterdError, SkipRecord
from daemon.platforms.base import Acted, Action, ActionsFound, Outreaches
from daemon.sync.delivery import Delivery
from daemon.sync.merge import view_of
from daemon.sync.roster import Side
from mappings.outreach import OutreachRule
from state.model import Contact, Hold, Noted, Outreach
from state.outreaches import DUE
from state.store import Tx

BATCH = 100
LAG = 120.0
"""Seconds after which an outreach that arrived can be found. Platforms index what they were given with a delay."""
TRIES = 3
"""So often one whose answer is lost is sent; then a person is asked."""

OVER = ("sent", "dropped")
"""States of what is kept only so that its event does not fire again."""

NOT_SEEN = "not all that this person did for the campaign could be looked through"
TOO_OFTEN = f"its answer was lost {TRIES} times"


@dataclass(frozen=True, slots=True)
class Letter:
    """One outreach, ready to go: the row, its rule, the contact now, what is sent, and to which of their `records`."""

    row: Outreach
    rule: OutreachRule
    contact: Contact
    action: Action
    records: tuple[str, ...]


@dataclass(slots=True)
class Round:
    """The outreaches of one connection in one run."""

    delivery: Delivery
    door: Outreaches
    rules: dict[str, OutreachRule] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return self.delivery.roster.clock()


def deliver(delivery: Delivery) -> None:
    """Record what is owed. What concerns the whole connection is raised, as for pushes."""
    door = delivery.connector.outreaches
    if door is None:
        return
    this = Round(delivery, door, {rule.name: rule for rule in delivery.side.outreach})
    after = 0
    while not delivery.stop.is_set() and (batch := _batch(this, after)):
        for row in batch:
            if not delivery.stop.is_set():
                _one(this, row)
        after = batch[-1].id or 0


def _batch(this: Round, after: int) -> list[Outreach]:
    with this.delivery.roster.store.look() as tx:
        return tx.outreaches.due(this.delivery.side.name, BATCH, after=after)


def _one(this: Round, row: Outreach) -> None:
    if row.state == "sending" and row.begun_at is not None and this.now - row.begun_at < LAG:
        return
    with this.delivery.roster.store.look() as tx:
        letter = write(tx, this.delivery.side, row)
        if _another_in_doubt(tx, row):
            return  # what it will be found as must not be taken for this one
    if isinstance(letter, str):
        _settle(this, row, "dead", "outreach_refused", reason=letter)
    elif letter is not None and not _was_sent(this, letter):
        _send(this, letter)


def _another_in_doubt(tx: Tx, row: Outreach) -> bool:
    """Whether another of this person, at this connection, may have arrived, as nobody knows what. Of two that are both
    in doubt the first is looked into first."""
    doubt = {each.id or 0: each for each in tx.outreaches.in_doubt(row.connection)}
    mine = row.id or 0
    others = [each for number, each in doubt.items() if number != mine and (mine not in doubt or number < mine)]
    return bool(others) and _who(tx, row) in {_who(tx, each) for each in others}


def _who(tx: Tx, row: Outreach) -> int | None:
    contact = _survivor(tx, row.contact_id)
    return None if contact is None else contact.id


def write(tx: Tx, side: Side, row: Outreach) -> Letter | str | None:
    """The outreach as it would be sent now; why it cannot be, in words; None if the person has no record there yet."""
    rule = next((rule for rule in side.outreach if rule.name == row.rule), None)
    if rule is None:
        return f"the mapping has no rule {row.rule} any more"
    contact = _survivor(tx, row.contact_id)
    links = tx.links.of_contacts([contact.id]).get(contact.id, []) if contact is not None else []
    records = sorted(link.external_id for link in links if link.connection == side.name and link.state == "linked")
    if contact is None or not records:
        return None
    view = view_of(contact.fields)
    target = {key: text for key, words in rule.target.items() if (text := words.fill(view))}
    words = {key: text for key, each in rule.words.items() if (text := each.fill(view))}
    if not target:
        return "its target is blank for this contact"
    add, remove = (tuple(map(side.mapping.tag_out, tags)) for tags in (rule.add_tags, rule.remove_tags))
    action = Action(records[0], rule.campaign, row.at, target, words, rule.referrer, add, remove)
    return Letter(row, rule, contact, action, tuple(records))


def _survivor(tx: Tx, number: int) -> Contact | None:
    """The contact, or the one it is part of by now."""
    found = tx.contacts.get({number}).get(number)
    while found is not None and found.merged_into is not None:
        found = tx.contacts.get({found.merged_into}).get(found.merged_into)
    return found


def _was_sent(this: Round, letter: Letter) -> bool:
    """Whether it is there already, or nobody can say just now. Then there is nothing to send."""
    row, action = letter.row, letter.action
    # One begun before may have been begun for another campaign: the rule was changed since.
    campaign = row.campaign if row.state == "sending" and row.campaign else action.campaign
    try:
        found = _found(this, letter, campaign)
    except SkipRecord as problem:  # of this person alone: it waits, and the others go on
        _settle(this, row, row.state, None, reason=f"cannot be looked up: {problem}")
        return True
    if found is None:
        return True  # the record is gone: the next reading says so, and it waits for another
    with this.delivery.roster.store.look() as tx:
        free = sorted(set(found.ids) - tx.outreaches.claimed(row.connection, found.ids))
    if free:
        _settle(this, row, "sent", "outreach_found", external_id=free[0], campaign=campaign)
    elif not row.insisted and (why := _doubt(row, found.complete)):
        _ask(this, letter, why)
    else:
        return False
    return True


def _found(this: Round, letter: Letter, campaign: str) -> ActionsFound | None:
    """What is there by now, at any record of theirs: it may have been sent before two contacts became one."""
    ids, complete = list[str](), True
    for record in letter.records:
        found = this.door.find(record, campaign, letter.row.since, letter.row.at)
        if found is None:
            return None
        ids += found.ids
        complete &= found.complete
    return ActionsFound(tuple(ids), complete)


def _doubt(row: Outreach, complete: bool) -> str:
    if not complete:
        return NOT_SEEN
    return TOO_OFTEN if row.attempts >= TRIES else ""


def _send(this: Round, letter: Letter) -> None:
    store, row = this.delivery.roster.store, letter.row
    with store.transaction() as tx:
        if not tx.outreaches.begin(row.id or 0, letter.action.campaign, at=this.now):
            return
    row.state, row.campaign, row.begun_at, row.attempts = "sending", letter.action.campaign, this.now, row.attempts + 1
    try:
        acted = this.door.send(letter.action)
    except AnswerLost:
        raise
    except SkipRecord as problem:
        _settle(this, row, "dead", "outreach_refused", reason=str(problem))
        return
    except RosterdError:
        # Busy, unreachable, key refused: it surely did nothing.
        row.attempts -= 1
        _settle(this, row, "owed", None)
        raise
    _sent(this, letter, acted)


def _sent(this: Round, letter: Letter, acted: Acted | None) -> None:
    row = letter.row
    if acted is None:
        row.attempts -= 1
        _settle(this, row, "owed", None)
        return
    other = acted.external_id is not None and acted.external_id != letter.action.external_id
    reason = f"recorded for another record there, {acted.external_id}" if other else None
    _settle(this, row, "sent", "outreach_sent", external_id=acted.id, reason=reason)


def _settle(this: Round, row: Outreach, state: str, event: str | None, **values: Any) -> None:
    """Note what became of one outreach, in one transaction."""
    row.state, row.reason = state, None
    for name, value in values.items():
        setattr(row, name, value)
    books = this.delivery.reading.books
    if state == "sent":
        row.sent_at = this.now
        books.outreaches += event == "outreach_sent"
    elif state == "dead":
        books.refused += 1
    with this.delivery.roster.store.transaction() as tx:
        if state != "sent" and _decided_meanwhile(tx, row):
            return
        tx.outreaches.put([row])
        if event is not None:
            tx.journal.add([_noted(this, row, event)])


def _decided_meanwhile(tx: Tx, row: Outreach) -> bool:
    """Whether a person dropped it while we asked the platform: that holds, unless it has arrived."""
    return not any(now.state in DUE for now in tx.outreaches.get([row.id or 0]))


def _noted(this: Round, row: Outreach, event: str) -> Noted:
    detail = {"rule": row.rule, "event": row.event, "at": row.at, "campaign": row.campaign}
    detail |= {"id": row.external_id, "reason": row.reason}
    run = this.delivery.reading.run
    return Noted(event, detail, row.contact_id, row.connection, None, this.now, run)


def hold_key(row: Outreach) -> str:
    return f"outreach:{row.id}"


def _ask(this: Round, letter: Letter, why: str) -> None:
    """Nobody but a person can say what became of it."""
    row, contact = letter.row, letter.contact.id
    detail = {"outreach": row.id, "rule": row.rule, "event": row.event, "at": row.at, "why": why}
    hold = Hold(hold_key(row), "outreach", {**detail, "contacts": [contact]}, row.connection, None, contact)
    hold.opened_at = this.now
    row.state, row.reason = "held", why
    with this.delivery.roster.store.transaction() as tx:
        if _decided_meanwhile(tx, row):
            return
        tx.outreaches.put([row])
        tx.holds.open(hold)
        tx.journal.add([_noted(this, row, "outreach_held")])


# what a person decides

CHOICES = "again | arrived | drop"
_DECIDED = {
    "again": ("owed", "it is sent with the next run"),
    "arrived": ("sent", "it counts as recorded"),
    "drop": ("dropped", "it is never sent"),
}


def decide(tx: Tx, hold: Hold, choice: str) -> str:
    """Carry out what a person says became of an outreach. Raises SkipRecord for a choice there is not."""
    if choice not in _DECIDED:
        raise SkipRecord(f"{choice!r} is no choice for hold {hold.id} ({hold.kind})", hint=f"choose: {CHOICES}")
    state, done = _DECIDED[choice]
    for row in tx.outreaches.get([int(hold.detail["outreach"])]):
        row.state, row.reason = state, None if choice == "again" else f"a person decided: {choice}"
        row.insisted, row.attempts = int(choice == "again"), 0
        tx.outreaches.put([row])
    return done
