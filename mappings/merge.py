"""A mapping on top of a preset: what it lists is added, overrides, or takes out."""

from __future__ import annotations

from typing import Any

from mappings.shapes import is_off

Raw = dict[str, Any]


def merged(base: Raw, over: Raw) -> Raw:
    """Both together, every rule written out as a table, and nothing in it that is off.

    A rule that says where the field is (`at` or `select`) stands alone; one that does not changes only what
    it says of the preset's. `where` replaces. Rules for outreaches are the file's own: no preset has any.
    """
    return {
        "fields": _each(base.get("fields", {}), over.get("fields", {})),
        "tags": _section(base, over, "tags"),
        "consent": _each(base.get("consent", {}), over.get("consent", {})),
        "where": _last(base.get("where"), over, "where"),
        "outreach": over.get("outreach", []),
    }


def _each(base: Raw, over: Raw) -> Raw:
    whole = {name: _rule(None, value) for name, value in base.items()}
    for name, value in over.items():
        if is_off(value):
            whole.pop(name, None)
        else:
            whole[name] = _rule(whole.get(name), value)
    return whole


def _rule(under: Raw | None, value: Any) -> Raw:
    if isinstance(value, str):
        return {"at": value}
    return dict(value) if "at" in value or "select" in value or under is None else under | value


def _section(base: Raw, over: Raw, name: str) -> Raw | None:
    under = base.get(name)
    if name not in over:
        return under
    return None if is_off(over[name]) else _rule(under, over[name])


def _last(under: Any, over: Raw, name: str) -> Any:
    value = over.get(name, under)
    return None if is_off(value) else value
