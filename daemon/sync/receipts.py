"""What a reading confirms of what we had sent, and what it shows was not stored."""

from __future__ import annotations

from daemon.sync.heard import Heard
from daemon.sync.merge import as_list, tidied
from daemon.sync.people import NOT_STORED, People
from mappings.contact import Value
from state.model import UPDATE_LANE, Hold, Link


def confirmed(people: People, link: Link, heard: Heard) -> dict[str, Value]:
    """What of the fields we had sent this reading confirms: as the platform stored them, tidied or not."""
    if not link.sent:
        return {}
    side, confirmed = people.side_of(link), dict[str, Value]()
    read = side.mapping.readable if side is not None else frozenset(link.sent)  # of what is only written, none comes
    for name, sent in link.sent.items():
        got = heard.view.get(name, ...)
        if got is ...:
            if sent is None or sent == [] or name not in read:
                confirmed[name] = sent
        elif got == sent or tidied(sent, got):
            confirmed[name] = got
            _kept_after_all(people, link, name)
        elif got == link.seen.get(name):
            _not_stored(people, link, name, heard)
        elif heard.receipt:
            confirmed[name] = _ours(sent, link.seen.get(name), got)
    return confirmed


def _ours(sent: Value, seen: Value, got: Value) -> Value:
    """A receipt, without the tags that somebody added between our reading and our writing: those are news."""
    if not isinstance(got, list):
        return got
    known = [*as_list(sent), *as_list(seen)]
    return [tag for tag in got if any(tidied(tag, each) for each in known)]


def _kept_after_all(people: People, link: Link, name: str) -> None:
    """It was sent once more and is there now: nobody has to decide about it."""
    if _key(link, name) in people.refused_values():
        people.refused_values().discard(_key(link, name))
        people.tx.holds.close(_key(link, name), {"resolved": "by itself"}, at=people.now)


def _key(link: Link, name: str) -> str:
    return f"{NOT_STORED}:{link.connection}:{link.external_id}:{name}"


def _not_stored(people: People, link: Link, name: str, heard: Heard) -> None:
    """We sent it, and that side still says what it said before."""
    push = people.push((link.connection, f"r:{link.external_id}", UPDATE_LANE))
    if push is not None and name in push.owed and not heard.receipt:
        return  # the write did not arrive; it is still owed
    detail = {"field": name, "sent": (link.sent or {}).get(name), "says": heard.view.get(name)}
    people.hold(Hold(_key(link, name), NOT_STORED, detail, link.connection, link.external_id, link.contact_id))
    people.refused_values().add(_key(link, name))
    people.note("not_stored", {"field": name}, contact=link.contact_id, link=link)
