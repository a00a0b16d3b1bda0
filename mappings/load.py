"""From a file, on top of a preset, to a mapping; everything that is wrong with it is said at once."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import phonenumbers

from mappings import yaml
from mappings.errors import MappingError, did_you_mean, listed
from mappings.language import language
from mappings.mapping import Mapping
from mappings.merge import merged
from mappings.shapes import Trouble
from mappings.specs import spec, troubles

__all__ = ["Mapping", "MappingError", "load", "preset", "preset_text", "presets"]

_LARGEST = 1 << 20  # bytes; a mapping is written by hand
_REGION = "US"


def load(path: Path, *, platform: str | None = None, region: str | None = None, outreach: bool = True) -> Mapping:
    """The mapping in a file, for a connection to `platform` (left out: whatever platform the file is for).

    `region` is where phone numbers are at home unless the file says; "US" if neither does. `outreach`: whether
    the platform records outreaches. Raises MappingError with every problem of the file.
    """
    document = yaml.load(_text(path), str(path))
    if not outreach and isinstance(document.value, dict) and "outreach" in document.value:
        _refuse(document, [(("outreach",), "this platform records no outreaches. Take the section out.")])
    return _mapping(document, platform=platform, region=region)


def preset(platform: str, *, region: str = _REGION) -> Mapping:
    """The mapping that comes with rosterd for a platform. Raises MappingError if there is none."""
    return _mapping(_preset(platform), platform=platform, region=region)


@cache
def presets() -> list[str]:
    """The names of the presets, each that of its platform."""
    files = importlib.resources.files("mappings").joinpath("presets").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """A preset as it is written, comments and all. Raises MappingError if there is none of that name."""
    if name not in presets():
        hint = did_you_mean(name, presets(), f"There are presets for {listed(presets())}.")
        raise MappingError([f"there is no preset {name!r}. {hint}"])
    return importlib.resources.files("mappings").joinpath("presets", f"{name}.yaml").read_text("utf-8")


def _preset(name: str) -> yaml.Document:
    return yaml.load(preset_text(name), f"presets/{name}.yaml")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        reason = error.strerror or "cannot be opened"
        raise MappingError([f"{path}: the mapping cannot be read: {reason}. Check `mapping` in the config."]) from None
    if len(raw) > _LARGEST:
        raise MappingError([f"{path}:1:1: the file is larger than a mapping can be. Is this the right file?"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise MappingError([f"{path}:{line}:1: this is not UTF-8. Save the file as UTF-8."]) from None


def _mapping(document: yaml.Document, *, platform: str | None, region: str | None) -> Mapping:
    _refuse(document, _written(document))
    said: dict[str, Any] = document.value
    platform = platform or said.get("platform") or said["preset"]
    _refuse(document, _meant(said, platform))
    whole = merged(_preset(said["preset"]).value, said) if "preset" in said else merged({}, said)
    region = said.get("region") or region or _REGION
    _refuse(document, [*_region(said, region), *troubles(whole)])
    return Mapping(spec(whole, platform=platform, region=region, source=document.name))


def _written(document: yaml.Document) -> list[Trouble]:
    """What is wrong with the file by itself."""
    if document.value is None and document.problems:
        return []
    return list(language(tuple(presets())).troubles(document.value, ()))


def _meant(said: dict[str, Any], platform: str) -> Iterator[Trouble]:
    """Whether this is the mapping of that platform."""
    for key in ("preset", "platform"):
        if said.get(key, platform) != platform:
            text = f"this mapping is for {said[key]}, the connection's platform is {platform}."
            yield (key,), f"{text} Give the connection another mapping, or this one another {key}."


def _region(said: dict[str, Any], region: str) -> Iterator[Trouble]:
    if region not in phonenumbers.SUPPORTED_REGIONS:
        place = ("region",) if "region" in said else ()
        yield (
            place,
            f"there is no region {region!r}. Regions are the two letters of ISO 3166, such as US or ZA.",
        )


def _refuse(document: yaml.Document, troubles: list[Trouble] | Iterator[Trouble]) -> None:
    """Raise if there is anything to say, in the order of the file."""
    found = {(document.places.get(path, (0, 0)), f"{document.at(path)}: {text}") for path, text in troubles}
    problems = [*document.problems, *(line for _, line in sorted(found))]
    if problems:
        raise MappingError(problems)
