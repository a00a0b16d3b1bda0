"""The JSON Schema of the mapping language, for editors: made from the same table as the loader's checks."""

from __future__ import annotations

from typing import Any

from mappings.language import CONDITION, language
from mappings.load import presets


def schema() -> dict[str, Any]:
    """The schema (JSON Schema, draft 2020-12) of a mapping file.

    It knows shapes and names. What only shows once file and preset are put together, such as a rule that
    nobody gave a place, is left to `rosterd check`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rosterd mapping",
        **language(tuple(presets())).schema(),
        "$defs": {"condition": CONDITION.schema()},
    }
